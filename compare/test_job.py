"""What is made of a client's pod template."""

import signal
import subprocess
import sys

import pytest

from compare.job import job


def test_the_job_is_the_clients_own_template_with_flags_after_those_of_the_container_client() -> None:
    sidecar = {"name": "envoy", "args": ["-c", "/etc/envoy/envoy.yaml"]}
    client = {"name": "client", "args": ["--target=localhost:8000"], "env": [{"name": "A", "value": "1"}]}
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [sidecar, client], "hostname": "h"}}
    made = job("measure-1", template, ["--count=300"])
    assert made["spec"]["backoffLimit"] == 0
    assert made["spec"]["template"] == {
        "metadata": {"labels": {"a": "b"}},
        "spec": {
            "hostname": "h",
            "restartPolicy": "Never",
            "containers": [sidecar, client | {"args": ["--target=localhost:8000", "--count=300"]}],
        },
    }
    assert client["args"] == ["--target=localhost:8000"]


@pytest.mark.parametrize("given", ["not found", "[]", "{}", '{"spec": {"template": {"spec": {"containers": null}}}}'])
def test_without_a_deployment_on_stdin_the_command_says_what_to_pipe_in(given: str) -> None:
    done = subprocess.run([sys.executable, "-m", "compare.job"], input=given, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr == "compare.job: no Deployment on stdin; pipe kubectl get deployment NAME -o json into it\n"


def test_when_nobody_reads_it_the_command_ends_without_a_word() -> None:
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-m", "compare.job"], stdin=pipe, stdout=pipe, stderr=pipe) as command:
        assert command.stdout
        command.stdout.close()
        _, said = command.communicate(b'{"spec": {"template": {"spec": {"containers": []}}}}', timeout=20)
    assert (command.returncode, said) == (-signal.SIGPIPE, b"")
