"""What a lab relies on: an own /24, bindable addresses, and no address that comes back at once."""

import socket
import sys
from collections.abc import Iterator
from subprocess import PIPE, Popen

import pytest

from lab import network
from lab.apimachinery.errors import LabError
from lab.network import Network


@pytest.fixture
def taken() -> Iterator[Network]:
    taken = Network.take()
    yield taken
    taken.close()


def test_two_labs_have_different_networks(taken: Network) -> None:
    other = Network.take()
    assert other.node != taken.node
    other.close()


def test_a_network_that_another_lab_has_is_not_taken(taken: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    _, x, y, _ = taken.node.split(".")
    drawn = iter([int(x), int(y)] * network.ATTEMPTS)
    monkeypatch.setattr("random.randint", lambda low, high: next(drawn))
    with pytest.raises(LabError, match=f"port {network.LOCK_PORT} is in use"):
        Network.take()


def test_kill_9_frees_a_network() -> None:
    code = "from lab.network import Network; taken = Network.take(); print(taken.node, flush=True); input()"
    with Popen([sys.executable, "-c", code], stdin=PIPE, stdout=PIPE, text=True) as process:
        assert process.stdout
        node = process.stdout.readline().strip()
        with socket.socket() as lock, pytest.raises(OSError, match="in use"):
            lock.bind((node, network.LOCK_PORT))
        process.kill()
    with socket.socket() as lock:
        lock.bind((node, network.LOCK_PORT))


def test_every_address_is_handed_out_before_a_released_one_comes_back(taken: Network) -> None:
    first = taken.allocate()
    taken.release(first)
    later = [taken.allocate() for _ in range(252)]
    assert first not in later
    assert len(set(later)) == 252
    assert taken.allocate() == first
    with pytest.raises(LabError, match="all 253 addresses"):
        taken.allocate()


def test_allocated_addresses_can_be_listened_on(taken: Network) -> None:
    with socket.create_server((taken.allocate(), 0)) as one, socket.create_server((taken.allocate(), 0)) as two:
        assert one.getsockname()[0] != two.getsockname()[0]


def test_a_machine_without_the_loopback_network_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        return 300  # 127.64.300.1 is no address: binding it fails as it does where 127.0.0.0/8 isn't configured

    monkeypatch.setattr("random.randint", refuse)
    with pytest.raises(LabError, match=r"127\.0\.0\.0/8"):
        Network.take()
