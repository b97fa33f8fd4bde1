"""Who asks: what the control plane goes by of a client's node (envoy.config.core.v3.Node)."""

import ipaddress
from dataclasses import dataclass

from envoy.config.core.v3.base_pb2 import Node as NodeProto

from client_xds.shown import shown


@dataclass(frozen=True)
class Node:
    """`listeners` is what an Envoy serves locally, from its node's metadata: a Service's name → IP:PORT."""

    id: str
    zone: str = ""
    listeners: tuple[tuple[str, tuple[str, int]], ...] = ()


def parsed(node: NodeProto) -> Node:
    """Raises ValueError, which says what is wrong with it and how to mend it."""
    if not node.id:
        raise ValueError("the first request has no node id; set node.id in the bootstrap")
    listeners = []
    given = node.metadata.fields.get("listeners")
    if given is not None and not given.HasField("struct_value"):
        raise ValueError("node.metadata.listeners is no map; write {greeter-server: 127.0.0.1:9000} say")
    for service, value in sorted(given.struct_value.items()) if given else ():
        try:
            listeners.append((service, _socket(value)))
        except ValueError as error:
            what = shown(value) if isinstance(value, str) else shown(str(value))
            raise ValueError(
                f"node.metadata.listeners has '{what}' for {shown(service)}; write an IP:PORT, 127.0.0.1:9000 say"
            ) from error
    return Node(node.id, node.locality.zone, tuple(listeners))


def _socket(value: object) -> tuple[str, int]:
    """Raises ValueError where it is no IP:PORT."""
    host, _, port = str(value).rpartition(":")
    if not (port.isascii() and port.isdecimal() and 0 < int(port) < 65536):
        raise ValueError("no port")
    return str(ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))), int(port)
