"""One channel to one address sticks to one connection: on loopback here, through kube-proxy on a cluster."""

import grpc

from clusterip.client import open_channel
from helloworld.helloworld_pb2 import HelloRequest
from helloworld.helloworld_pb2_grpc import GreeterStub
from tests.dns import dns
from tests.processes import greeters, wait_until

MODULE = "clusterip.server"


def backends(channel: grpc.Channel, calls: int) -> list[str]:
    stub = GreeterStub(channel)
    return [stub.SayHello(HelloRequest(name="you"), timeout=5).backend_ip for _ in range(calls)]


def test_all_calls_go_to_one_backend_even_where_the_name_has_three() -> None:
    with greeters(3, module=MODULE) as servers:
        hosts = [address.rpartition(":")[0] for _, address in servers]
        port = servers[0][1].rpartition(":")[2]
        with dns(hosts) as names, open_channel(f"dns://{names.server}/greeter-server:{port}") as channel:
            assert len(set(backends(channel, 300))) == 1


def test_only_the_death_of_its_backend_moves_the_channel() -> None:
    with greeters(2, module=MODULE) as servers:
        target = "ipv4:" + ",".join(address for _, address in servers)
        with open_channel(target) as channel:
            [first] = set(backends(channel, 50))
            states: list[grpc.ChannelConnectivity] = []
            channel.subscribe(states.append)
            for server, address in servers:
                if address.startswith(f"{first}:"):
                    server.kill()
            # A call that is sent before the channel sees the death is lost with the connection.
            wait_until("the channel sees it", lambda: states and states[-1] is not grpc.ChannelConnectivity.READY)
            [second] = set(backends(channel, 50))
            assert second != first
