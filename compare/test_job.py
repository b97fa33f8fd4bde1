"""What is made of a client's pod template."""

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
