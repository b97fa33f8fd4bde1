"""Kubernetes EndpointSlices → the current backends of a Service, as an async stream of snapshots.

`async with connect() as api: async for snapshot in watch(api, ["greeter-server"], port="grpc"):`. It knows nothing of
gRPC: what is made of a snapshot (a grpclb server list, an xDS resource) is the strategy's. `endpoint_watch.serving` has
what programs that tell it over gRPC have in common besides.
"""

from endpoint_watch.connection import Api, ConnectionFailed, connect
from endpoint_watch.endpoints import Endpoint
from endpoint_watch.watch import Snapshot, watch

__all__ = ["Api", "ConnectionFailed", "Endpoint", "Snapshot", "connect", "watch"]
