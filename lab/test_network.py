"""What a lab relies on: an own /24, bindable addresses, and no address that comes back at once."""

import socket
import sys
from subprocess import PIPE, Popen

import pytest

from lab.apimachinery.errors import LabError
from lab.network import ATTEMPTS, LOCK_PORT, Network


def test_a_network_that_another_lab_has_is_not_taken(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    _, x, y, _ = network.node.split(".")
    drawn = iter([int(x), int(y)] * ATTEMPTS)
    monkeypatch.setattr("random.randint", lambda low, high: next(drawn))
    with pytest.raises(LabError, match=f"port {LOCK_PORT} is in use"):
        Network.take()


def test_kill_9_frees_a_network() -> None:
    code = "from lab.network import Network; taken = Network.take(); print(taken.node, flush=True); input()"
    with Popen([sys.executable, "-c", code], stdin=PIPE, stdout=PIPE, text=True) as process:
        assert process.stdout
        node = process.stdout.readline().strip()
        with socket.socket() as lock, pytest.raises(OSError, match="in use"):
            lock.bind((node, LOCK_PORT))
        process.kill()
    with socket.socket() as lock:
        lock.bind((node, LOCK_PORT))


def test_every_address_is_handed_out_before_a_released_one_comes_back(network: Network) -> None:
    first = network.allocate()
    network.release(first)
    later = [network.allocate() for _ in range(252)]
    assert first not in later
    assert len(set(later)) == 252
    assert network.allocate() == first
    with pytest.raises(LabError, match="all 253 addresses"):
        network.allocate()


def test_a_machine_without_the_loopback_network_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        return 300  # 127.64.300.1 is no address: binding it fails as it does where 127.0.0.0/8 isn't configured

    monkeypatch.setattr("random.randint", refuse)
    with pytest.raises(LabError, match=r"127\.0\.0\.0/8"):
        Network.take()
