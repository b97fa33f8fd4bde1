"""The four types of resources, in the order in which a change is told: what is referred to before what refers to it.

Source: "Eventual consistency considerations" in Envoy's xDS protocol reference.
"""

from enum import StrEnum
from functools import cached_property

from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.config.route.v3.route_pb2 import RouteConfiguration
from google.protobuf.message import Message


class Type(StrEnum):  # its hash is a string's, which is known: streams look things up by type all the time
    CLUSTER = "Cluster"
    ENDPOINTS = "ClusterLoadAssignment"
    LISTENER = "Listener"
    ROUTES = "RouteConfiguration"

    @property
    def message(self) -> type[Message]:
        return _MESSAGES[self]

    @cached_property
    def url(self) -> str:
        return f"type.googleapis.com/{self.message.DESCRIPTOR.full_name}"


_MESSAGES: dict[Type, type[Message]] = {
    Type.CLUSTER: Cluster,
    Type.ENDPOINTS: ClusterLoadAssignment,
    Type.LISTENER: Listener,
    Type.ROUTES: RouteConfiguration,
}
BY_URL = {type_.url: type_ for type_ in Type}
NAMES = dict.fromkeys(Type, "name") | {Type.ENDPOINTS: "cluster_name"}  # the field that has it
COMPLETE = {Type.LISTENER, Type.CLUSTER}  # a response has all that a client asked for: what it lacks does not exist
