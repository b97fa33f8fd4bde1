"""Logs: what a container wrote, in the order in which it did."""

import asyncio
import re

from lab.conformance.api import Api, refused
from lab.conformance.manifests import SLEEP, container, pod, program, python
from lab.conformance.states import finished, ready, restarts

COUNT = """
for i in range(1, 6):
    print("line", i, flush=True)
"""


async def finished_log(api: Api, code: str) -> None:
    await api.create("pods", program("web", code))
    await api.until_one("pods", "web", finished, "is finished")


async def test_a_log_has_what_was_written_to_both_outputs(api: Api) -> None:
    await finished_log(api, "import sys; print('out', flush=True); print('err', file=sys.stderr)")
    assert sorted((await api.logs("web")).splitlines()) == ["err", "out"]


async def test_a_log_is_cut_as_asked(api: Api) -> None:
    await finished_log(api, COUNT)
    assert await api.logs("web") == "".join(f"line {i}\n" for i in range(1, 6))
    assert await api.logs("web", tailLines="2") == "line 4\nline 5\n"
    assert await api.logs("web", tailLines="0") == ""
    assert await api.logs("web", sinceSeconds="3600", tailLines="1") == "line 5\n"


async def test_a_log_can_say_when_each_line_was_written(api: Api) -> None:
    await finished_log(api, COUNT)
    lines = (await api.logs("web", timestamps="true")).splitlines()
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z line \d", line) for line in lines)
    stamps = [line.split()[0] for line in lines]
    assert stamps == sorted(stamps)


async def test_a_followed_log_goes_on_until_the_container_ends(api: Api) -> None:
    code = "import time\nfor i in range(3):\n    print(i, flush=True)\n    time.sleep(0.5)"
    await api.create("pods", program("web", code))
    await api.until_one("pods", "web", lambda p: ready(p) or finished(p), "runs")
    async with api.follow("web") as lines, asyncio.timeout(20):
        assert [line async for line in lines] == ["0", "1", "2"]


async def test_the_log_of_the_container_before_a_restart_is_kept(api: Api) -> None:
    code = "import time; print(time.time_ns(), flush=True); time.sleep(5); raise SystemExit(1)"
    await api.create("pods", program("web", code, restartPolicy="Always"))
    await api.until_one("pods", "web", lambda p: restarts(p) == 1, "is restarted")
    async with api.follow("web") as lines, asyncio.timeout(20):
        second = await anext(lines)
    assert int(await api.logs("web", previous="true")) < int(second)


async def test_a_container_that_was_not_restarted_has_no_previous_log(api: Api) -> None:
    await finished_log(api, "print('once')")
    with refused(400, "BadRequest", 'previous terminated container "main" in pod "web" not found'):
        await api.logs("web", previous="true")


async def test_the_log_of_one_of_several_containers_is_asked_for_by_name(api: Api) -> None:
    says = [container(python(f"print('{name}')"), name) for name in ("one", "two")]
    await api.create("pods", pod("web", *says, restartPolicy="Never"))
    await api.until_one("pods", "web", finished, "is finished")
    assert await api.logs("web", container="two") == "two\n"
    message = "a container name must be specified for pod web, choose one of: [one two]"
    with refused(400, "BadRequest", message):
        await api.logs("web")
    with refused(400, "BadRequest", "container three is not valid for pod web"):
        await api.logs("web", container="three")
    with refused(404, "NotFound", 'pods "none" not found'):
        await api.logs("none")


async def test_a_container_that_has_not_begun_has_no_log_yet(api: Api) -> None:
    await api.create("pods", pod("web", container(SLEEP) | {"image": "localhost/no-such-image:1"}))
    await api.until_one("pods", "web", lambda p: p.get("status", {}).get("containerStatuses"), "is tried")
    with refused(400, "BadRequest", 'container "main" in pod "web" is waiting to start: '):
        await api.logs("web")


async def test_long_lines_are_kept_whole(api: Api) -> None:
    await finished_log(api, "print('x' * 40000)")
    assert await api.logs("web") == "x" * 40000 + "\n"
