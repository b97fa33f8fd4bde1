"""`kubectl exec`, `cp`, `attach` and `run -i`, by the real kubectl."""

import asyncio
import hashlib
import json
import re
import secrets
from pathlib import Path
from typing import Any

import pytest

from lab.conformance.api import Api
from lab.conformance.kubectl import Kubectl, end
from lab.conformance.manifests import SLEEP, container, pod, program, python
from lab.conformance.states import finished, ready, status_of, terminated
from lab.runtime.stdio import Stdio
from lab.testing import until

MIB = 2**20
ECHO = "import sys\nfor line in sys.stdin: print('got', line.strip(), flush=True)"


@pytest.fixture
async def web(api: Api) -> str:
    """A pod that runs."""
    await api.create("pods", pod("web", container(SLEEP)))
    await api.until_one("pods", "web", ready, "is ready")
    return "web"


async def test_both_outputs_and_the_exit_code_are_the_commands_own(web: str, kubectl: Kubectl) -> None:
    result = await kubectl("exec", web, "--", "sh", "-c", "echo out; echo err >&2; exit 3", status=3)
    assert (result.out, result.err) == (b"out\n", b"err\ncommand terminated with exit code 3\n")


async def test_a_command_that_a_signal_ends_has_the_code_of_a_shell(web: str, kubectl: Kubectl) -> None:
    await kubectl("exec", web, "--", "sh", "-c", "kill -9 $$", status=137)


async def test_stdin_goes_to_the_command_and_ends(web: str, kubectl: Kubectl) -> None:
    given = secrets.token_bytes(5 * MIB)
    result = await kubectl("exec", "-i", web, "--", "sha256sum", stdin=given)
    assert result.out.split()[0].decode() == hashlib.sha256(given).hexdigest()


async def test_without_i_a_command_has_no_input(web: str, kubectl: Kubectl) -> None:
    assert (await kubectl("exec", web, "--", "cat", stdin=b"unheard")).out == b""


async def test_of_much_output_nothing_is_lost(web: str, kubectl: Kubectl) -> None:
    result = await kubectl("exec", web, "--", "head", "-c", str(50 * MIB), "/dev/zero")
    assert len(result.out) == 50 * MIB


async def test_what_a_command_leaves_running_does_not_hold_its_output_open(web: str, kubectl: Kubectl) -> None:
    """It has ended when the command has, though not when nobody can write to it any more."""
    result = await kubectl("exec", web, "--", "sh", "-c", "sleep 2 >/dev/null 2>&1 & echo done")
    assert result.out == b"done\n"


async def test_a_command_that_is_not_there_is_an_error(web: str, kubectl: Kubectl) -> None:
    result = await kubectl("exec", web, "--", "nosuch", status=1)
    assert b'unable to start container process: exec: "nosuch": executable file not found in $PATH' in result.err


async def test_a_container_that_is_not_there_is_an_error(web: str, kubectl: Kubectl) -> None:
    refused = b"Error from server (BadRequest): container other is not valid for pod web\n"
    assert (await kubectl("exec", web, "-c", "other", "--", "true", status=1)).err == refused
    missing = b'Error from server (NotFound): pods "other" not found\n'
    assert (await kubectl("exec", "other", "--", "true", status=1)).err == missing


async def test_of_several_containers_the_annotation_names_the_default(api: Api, kubectl: Kubectl) -> None:
    two = pod("two", container(SLEEP, "first"), container(SLEEP, "second"))
    two["metadata"]["annotations"] = {"kubectl.kubernetes.io/default-container": "second"}
    for kept in two["spec"]["containers"]:
        kept["env"] = [{"name": "WHO", "value": kept["name"]}]
    await api.create("pods", two)
    await api.until_one("pods", "two", ready, "is ready")
    assert (await kubectl("exec", "two", "--", "printenv", "WHO")).out == b"second\n"
    assert (await kubectl("exec", "two", "-c", "first", "--", "printenv", "WHO")).out == b"first\n"


async def test_a_container_that_waits_for_another_takes_no_command(api: Api, kubectl: Kubectl) -> None:
    await api.create("pods", pod("web", container(SLEEP), initContainers=[container(SLEEP, "first")]))
    await api.until_one("pods", "web", lambda p: status_of(p, "first", "initContainerStatuses").get("started"), "waits")
    result = await kubectl("exec", "web", "-c", "main", "--", "true", status=1)
    assert b'unable to upgrade connection: container not found ("main")' in result.err


async def test_a_command_ends_with_its_pod(api: Api, web: str, kubectl: Kubectl) -> None:
    async def delete(line: bytes) -> None:
        assert line == b"begun\n"
        await api.delete("pods", web)

    result = await kubectl("exec", web, "--", "sh", "-c", "echo begun; sleep 600", status=137, on_line=delete)
    assert result.err == b"command terminated with exit code 137\n"


async def test_a_terminal_is_one_and_has_the_size_of_the_users(web: str, kubectl: Kubectl) -> None:
    users = Stdio.on_terminal()
    users.resize(columns=100, rows=40)
    # The size comes as a message of its own, after the command has begun.
    script = "tty; until [ \"$(stty size)\" = '40 100' ]; do sleep 0.05; done; echo $TERM; exit 4"
    its = dict.fromkeys(("stdin", "stdout", "stderr"), users.program[0])
    process = await kubectl.start("exec", "-it", web, "--", "sh", "-c", script, **its)
    try:
        users.handed_over()
        async with asyncio.timeout(40):
            seen = b"".join([chunk async for chunk in users.read(1)])
            assert await process.wait() == 4
    finally:
        await end(process)
        users.close()
    assert re.search(rb"/dev/pts/\d+\r\nxterm\r\n", seen), seen


@pytest.fixture
async def with_data(api: Api) -> str:
    """A pod that runs, with a volume at /data."""
    mounted = container(SLEEP, volumeMounts=[{"name": "data", "mountPath": "/data"}])
    await api.create("pods", pod("web", mounted, volumes=[{"name": "data", "emptyDir": {}}]))
    await api.until_one("pods", "web", ready, "is ready")
    return "web"


@pytest.mark.usefixtures("with_data")
async def test_files_are_copied_both_ways(kubectl: Kubectl, tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "file").write_bytes(secrets.token_bytes(MIB))
    await kubectl("cp", "here", "web:/data/there", cwd=tmp_path)
    assert (await kubectl("exec", "web", "--", "ls", "/data/there")).out == b"file\n"
    await kubectl("cp", "web:/data/there", "back", cwd=tmp_path)
    assert (tmp_path / "back" / "file").read_bytes() == (tmp_path / "here" / "file").read_bytes()


async def test_a_copy_whose_pod_goes_is_an_error(api: Api, with_data: str, kubectl: Kubectl, tmp_path: Path) -> None:
    await kubectl("exec", with_data, "--", "truncate", "--size=20G", "/data/large")
    large = tmp_path / "large"
    copying = await kubectl.start("cp", f"{with_data}:/data/large", "large", cwd=tmp_path)
    try:
        await until(large.exists, "the copy has begun")
        await api.delete("pods", with_data)
        await asyncio.wait_for(copying.communicate(), 60)
    finally:
        await end(copying)
        large.unlink(missing_ok=True)
    assert copying.returncode in (1, 137)  # as kubectl hears of the connection's end, or of tar's, first


async def test_who_attaches_speaks_to_the_program_itself(api: Api, kubectl: Kubectl) -> None:
    talks = container(python(ECHO), stdin=True, stdinOnce=True)
    await api.create("pods", pod("web", talks, restartPolicy="Never"))
    await api.until_one("pods", "web", ready, "is ready")
    result = await kubectl("attach", "-i", "web", stdin=b"one\ntwo\n")
    assert result.out == b"got one\ngot two\n"
    # stdinOnce: its input ends with that of the first who attached.
    ended = await api.until_one("pods", "web", finished, "is finished")
    assert terminated(ended)["exitCode"] == 0
    assert await api.logs("web") == "got one\ngot two\n"


async def test_who_attaches_to_a_program_without_input_sees_what_it_writes_from_then_on(
    api: Api, kubectl: Kubectl
) -> None:
    count = "import itertools, time\nfor i in itertools.count():\n    print(i, flush=True)\n    time.sleep(0.2)"
    await api.create("pods", program("web", count))
    await api.until_one("pods", "web", ready, "is ready")
    async with api.follow("web") as lines, asyncio.timeout(40):
        assert [await anext(lines), await anext(lines)] == ["0", "1"]
        seen: list[int] = []

        async def note(line: bytes) -> None:
            seen.append(int(line))
            if len(seen) == 3:
                await api.delete("pods", "web")

        await kubectl("attach", "web", on_line=note)
    assert seen[0] > 0
    assert seen == list(range(seen[0], seen[0] + len(seen)))


async def test_run_i_gives_a_shell_and_its_exit_code(api: Api, kubectl: Kubectl) -> None:
    result = await kubectl(
        *("run", "shell", "-i", "--rm", "--restart=Never", "--image=greeter:dev", "--override-type=strategic"),
        *("--overrides", json.dumps({"spec": restricted("shell")}), "--command", "--", "sh"),
        stdin=b"echo $((6 * 7)); exit 5\n",
        status=5,
    )
    assert b"42\n" in result.out
    await api.until_gone("pods", "shell")


def restricted(name: str) -> dict[str, Any]:
    spec: dict[str, Any] = pod(name, container([], name))["spec"]
    del spec["containers"][0]["command"]
    return spec
