"""What goes wrong in the lab alone is said where it bites."""

import socket

import pytest

from lab.kubelet.loopback_hints import of_command
from lab.testing import until
from lab.testing.pod_lab import NAMESPACE, PodLab, container


async def told(lab: PodLab, reason: str) -> list[str]:
    """The messages of events for this reason, once there are any."""
    events = await until(
        lambda: [event for event in lab.store.list("events", NAMESPACE) if event["reason"] == reason], reason
    )
    return [event["message"] for event in events]


async def test_a_server_that_takes_the_port_of_all_pods_is_told_why_it_cannot(lab: PodLab) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    # As if it stood in a file of an image, where the lab does not replace it.
    listen = f"import socket; s = socket.create_server(('.'.join('0000'), {port})); print('up', flush=True); s.accept()"
    lab.create("first", containers=[container("app", ["python", "-c", listen])])
    await lab.logged("up", pod="first")
    lab.create("second", containers=[container("app", ["python", "-c", listen])], restartPolicy="Never")
    (message,) = await told(lab, "AddressInUse")
    assert message.startswith("its address is in use: pods of the lab share this machine")


async def test_a_container_that_asks_the_machines_resolver_is_told_so(lab: PodLab) -> None:
    lab.create(containers=[container("app", ["sh", "-c", "until getent hosts web; do sleep 1; done"])])
    (message,) = await told(lab, "MachinesResolver")
    assert message.startswith("getent asks this machine's resolver, which knows no Services")


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["getent", "hosts", "web"], True),
        (["/usr/bin/curl", "http://web"], True),
        (["sh", "-c", "curl -f http://web || exit 1"], True),
        (["bash", "-c", "sleep 1; while ! nc -z web 80; do sleep 1; done"], True),
        (["sh", "-c", "echo host; exec server --host web"], False),
        (["python", "-c", "host = 'web'\nhost.encode()"], False),
        (["sh"], False),
    ],
)
def test_only_programs_that_ask_it_are_meant(command: list[str], *, said: bool) -> None:
    assert bool(of_command(command)) is said
