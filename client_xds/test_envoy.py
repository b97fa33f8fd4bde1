"""What a real Envoy, with the bootstrap of the manifest, makes of the control plane."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import grpc
import pytest

from client_xds.client import open_channel
from testing.channels import connect, outcomes, turns
from testing.client_xds import SERVICE, ControlPlane, control_plane, leading_to, sidecar
from testing.envoy import Envoy
from testing.processes import greeters, wait_until


@dataclass
class Told:
    """Servers (HOST:PORT), the control plane that knows them, and the Envoy that asks it."""

    addresses: list[str]
    control_plane: ControlPlane
    envoy: Envoy

    @property
    def hosts(self) -> list[str]:
        return [address.rpartition(":")[0] for address in self.addresses]

    def goes_by(self, cluster: str) -> bool:
        """Whether Envoy asks for this cluster and for none else."""
        return self.control_plane.watched() == {SERVICE, cluster}

    def answers(self, channel: grpc.Channel, hosts: list[str]) -> bool:
        """Whether these servers alone do, in turns."""
        return turns(outcomes(channel, 10), hosts)

    def channel(self) -> grpc.Channel:
        """To Envoy, as the manifest's client opens it."""
        return open_channel(f"{self.envoy.ip}:9000")


@contextmanager
def told(count: int, known: int | None = None) -> Iterator[Told]:
    """So many servers, of which the control plane knows the first few (all by default)."""
    with greeters(count) as started, control_plane() as running:
        addresses = [address for _, address in started]
        running.publish(*addresses[:known])
        running.start()
        with sidecar(running.address) as asking:
            yield Told(addresses, running, asking)


def test_calls_of_one_channel_take_turns_among_the_servers_that_the_control_plane_names() -> None:
    with told(4, known=3) as running, running.channel() as channel:
        connect(channel, 3)
        counts = outcomes(channel, 300)
        assert turns(counts, running.hosts[:3]), counts


def test_a_new_server_gets_calls_and_a_removed_one_gets_no_more_at_once() -> None:
    with told(3, known=2) as running, running.channel() as channel:
        connect(channel, 2)
        old, *others = running.hosts
        running.control_plane.publish(*running.addresses)
        connect(channel, 3)
        running.control_plane.publish(*running.addresses[1:])
        wait_until("calls to stay away", lambda: old not in outcomes(channel, 10))
        counts = outcomes(channel, 100)
        assert turns(counts, others), counts


def test_no_call_fails_while_routes_move_to_a_new_cluster_and_the_old_one_goes() -> None:
    with told(4) as running, running.channel() as channel:
        running.control_plane.publish(*running.addresses[:2], service="blue")
        running.control_plane.publish(*running.addresses[2:], service="green")
        running.control_plane.configure(*leading_to("blue"))
        wait_until("the first", lambda: turns(outcomes(channel, 10), running.hosts[:2]))
        ended, counts = threading.Event(), Counter[str]()

        def call() -> None:
            while not ended.is_set():
                counts.update(outcomes(channel, 10))

        calling = threading.Thread(target=call)
        calling.start()
        try:
            for new, hosts in (("green", running.hosts[2:]), ("blue", running.hosts[:2])) * 5:
                running.control_plane.configure(*leading_to(new))
                wait_until(f"{new} alone", partial(running.goes_by, new))
                wait_until("its servers", partial(running.answers, channel, hosts))
        finally:
            ended.set()
            calling.join()
        assert counts.keys() <= set(running.hosts), counts
        assert counts.total() > 100


def test_calls_go_on_when_the_control_plane_is_gone_and_when_it_is_back_it_is_asked_again() -> None:
    with told(3, known=2) as running, running.channel() as channel:
        connect(channel, 2)
        running.control_plane.end()
        assert turns(outcomes(channel, 100), running.hosts[:2])
        with control_plane(address=running.control_plane.address) as again:
            wait_until("it asks", lambda: again.watched(), timeout=60)  # after pauses that grow
            assert turns(outcomes(channel, 100), running.hosts[:2])  # it knows nothing yet, and withdraws nothing
            again.publish(*running.addresses[1:])
            again.start()
            wait_until("the other servers", lambda: turns(outcomes(channel, 10), running.hosts[1:]))


def test_a_service_that_is_deleted_takes_the_listener_along() -> None:
    with told(1) as running:
        with running.channel() as channel:
            connect(channel, 1)
        running.control_plane.publish(there=False)
        with running.channel() as channel:
            wait_until("nobody listens", lambda: outcomes(channel, 1) == {"UNAVAILABLE": 1})


REFUSED = leading_to(SERVICE)[1].replace("type: EDS", "type: EDS\nlb_policy: CLUSTER_PROVIDED")


def test_while_envoy_refuses_a_resource_it_goes_by_the_last_good_one(caplog: pytest.LogCaptureFixture) -> None:
    with told(3, known=2) as running, running.channel() as channel:
        connect(channel, 2)
        running.control_plane.configure(REFUSED)
        said = f"of Cluster {SERVICE} version "
        wait_until("a NACK", lambda: "NACK from greeter-client at ipv4:127." in caplog.text and said in caplog.text)
        assert turns(outcomes(channel, 100), running.hosts[:2])
        running.control_plane.publish(*running.addresses)
        connect(channel, 3)
        running.control_plane.configure()
        running.control_plane.publish(*running.addresses[:1])
        wait_until("all is well", lambda: outcomes(channel, 10) == {running.hosts[0]: 10})
