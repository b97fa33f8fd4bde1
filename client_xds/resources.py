"""What is generated for a Service: a Listener, a RouteConfiguration, a Cluster and a ClusterLoadAssignment of its name.

Proxyless clients (gRFC A27) and Envoy share all but the Listener. Where the defaults of the two differ, what is set
here makes them alike: no limit on a call but the client's own deadline, retries of nothing that may have reached a
handler.
"""

from collections.abc import Iterable, Sequence
from itertools import groupby

from envoy.config.accesslog.v3.accesslog_pb2 import AccessLog
from envoy.config.cluster.v3.cluster_pb2 import Cluster, UpstreamConnectionOptions
from envoy.config.core.v3.address_pb2 import Address, SocketAddress, TcpKeepalive
from envoy.config.core.v3.base_pb2 import Locality
from envoy.config.core.v3.config_source_pb2 import AggregatedConfigSource, ApiVersion, ConfigSource
from envoy.config.core.v3.protocol_pb2 import Http2ProtocolOptions
from envoy.config.core.v3.substitution_format_string_pb2 import SubstitutionFormatString
from envoy.config.endpoint.v3.endpoint_components_pb2 import Endpoint as EndpointProto
from envoy.config.endpoint.v3.endpoint_components_pb2 import LbEndpoint, LocalityLbEndpoints
from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from envoy.config.listener.v3.api_listener_pb2 import ApiListener
from envoy.config.listener.v3.listener_components_pb2 import Filter, FilterChain
from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.config.route.v3.route_components_pb2 import RetryPolicy, Route, RouteAction, RouteMatch, VirtualHost
from envoy.config.route.v3.route_pb2 import RouteConfiguration
from envoy.extensions.access_loggers.stream.v3.stream_pb2 import StdoutAccessLog
from envoy.extensions.filters.http.router.v3.router_pb2 import Router
from envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import (
    HttpConnectionManager,
    HttpFilter,
    Rds,
)
from envoy.extensions.retry.host.previous_hosts.v3.previous_hosts_pb2 import PreviousHostsPredicate
from envoy.extensions.upstreams.http.v3.http_protocol_options_pb2 import HttpProtocolOptions
from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.wrappers_pb2 import UInt32Value

from endpoint_watch import Endpoint

UNLIMITED = Duration()  # zero, to Envoy and to gRPC alike
ADS = ConfigSource(ads=AggregatedConfigSource(), resource_api_version=ApiVersion.V3)
ACCESS_LOG = (
    "%REQ(:PATH)% %GRPC_STATUS% %UPSTREAM_HOST% attempts=%UPSTREAM_REQUEST_ATTEMPT_COUNT% %DURATION%ms "
    "%RESPONSE_FLAGS%\n"
)


def packed(message: Message) -> Any:
    """In the Any that a resource, or an extension of one, travels in."""
    wrapped = Any()
    wrapped.Pack(message, deterministic=True)
    return wrapped


def api_listener(name: str, service: str) -> Listener:
    """For the client of `xds:///NAME`: nobody listens, it only says whose routes it has (gRFC A27)."""
    return Listener(name=name, api_listener=ApiListener(api_listener=packed(_manager(service))))


def socket_listener(service: str, host: str, port: int) -> Listener:
    """For an Envoy, which listens there."""
    manager = _manager(service)
    manager.stat_prefix = "grpc"
    manager.codec_type = HttpConnectionManager.HTTP2
    manager.stream_idle_timeout.CopyFrom(UNLIMITED)  # a stream may be silent for long
    line = SubstitutionFormatString()
    line.text_format_source.inline_string = ACCESS_LOG
    manager.access_log.append(
        AccessLog(name="envoy.access_loggers.stdout", typed_config=packed(StdoutAccessLog(log_format=line)))
    )
    network = Filter(name="envoy.filters.network.http_connection_manager", typed_config=packed(manager))
    return Listener(name=service, address=_address(host, port), filter_chains=[FilterChain(filters=[network])])


def route_configuration(service: str) -> RouteConfiguration:
    """Every call goes to the cluster of the same name."""
    action = RouteAction(
        cluster=service,
        timeout=UNLIMITED,  # Envoy's default, which cuts streams off, is 15 s
        max_stream_duration=RouteAction.MaxStreamDuration(grpc_timeout_header_max=UNLIMITED),
        retry_policy=RetryPolicy(
            # Envoy's words for what can't have reached a handler. gRPC knows none of them, and does so by itself (A6).
            retry_on="connect-failure,refused-stream,reset-before-request",
            num_retries=UInt32Value(value=2),
            retry_host_predicate=[
                RetryPolicy.RetryHostPredicate(
                    name="envoy.retry_host_predicates.previous_hosts", typed_config=packed(PreviousHostsPredicate())
                )
            ],
            host_selection_retry_max_attempts=3,
        ),
    )
    host = VirtualHost(
        name=service,
        domains=["*"],
        routes=[Route(match=RouteMatch(prefix=""), route=action)],
        include_attempt_count_in_response=True,  # so that a client can count the attempts that an Envoy made
    )
    return RouteConfiguration(name=service, virtual_hosts=[host])


def cluster(service: str) -> Cluster:
    """Calls take turns among its endpoints. Those are asked for by the same name."""
    http = HttpProtocolOptions()
    http.explicit_http_config.http2_protocol_options.CopyFrom(Http2ProtocolOptions())
    lb_config = Cluster.CommonLbConfig(update_merge_window=UNLIMITED)  # Envoy: what is learned is used at once
    lb_config.healthy_panic_threshold.value = 1  # where outliers are ejected: all are used only where none is left
    return Cluster(
        name=service,
        type=Cluster.EDS,
        eds_cluster_config=Cluster.EdsClusterConfig(eds_config=ADS),
        connect_timeout=Duration(seconds=1),
        lb_policy=Cluster.ROUND_ROBIN,
        common_lb_config=lb_config,
        typed_extension_protocol_options={
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": packed(http),
        },
        # Envoy: ends a connection that a node has left without a word, and the streams on it.
        upstream_connection_options=UpstreamConnectionOptions(
            tcp_keepalive=TcpKeepalive(
                keepalive_time=UInt32Value(value=30),
                keepalive_interval=UInt32Value(value=5),
                keepalive_probes=UInt32Value(value=3),
            )
        ),
    )


def load_assignment(name: str, endpoints: Sequence[Endpoint]) -> ClusterLoadAssignment:
    """All in one locality, so that turns are exact: among localities a client picks by chance."""
    return ClusterLoadAssignment(cluster_name=name, endpoints=[_locality("", endpoints)] if endpoints else [])


def own_zone_first(name: str, endpoints: Sequence[Endpoint], zone: str) -> ClusterLoadAssignment:
    """A locality for each zone, weighted by its endpoints: the zone of the client first, the others where it has none.

    Priorities are without a gap, or gRPC refuses them.
    """
    zones = [(each, list(some)) for each, some in groupby(sorted(endpoints, key=_zone), _zone)]
    has_own = bool(zone) and any(each == zone for each, _ in zones)
    localities = [_locality(each, some, priority=int(has_own and each != zone)) for each, some in zones]
    return ClusterLoadAssignment(cluster_name=name, endpoints=localities)


def _zone(endpoint: Endpoint) -> str:
    return endpoint.zone


def _locality(zone: str, endpoints: Iterable[Endpoint], priority: int = 0) -> LocalityLbEndpoints:
    lb_endpoints = [LbEndpoint(endpoint=EndpointProto(address=_address(e.address, e.port))) for e in endpoints]
    weight = UInt32Value(value=len(lb_endpoints))  # without one gRPC ignores the locality (A27)
    return LocalityLbEndpoints(
        locality=Locality(zone=zone), lb_endpoints=lb_endpoints, load_balancing_weight=weight, priority=priority
    )


def _address(host: str, port: int) -> Address:
    return Address(socket_address=SocketAddress(address=host, port_value=port))


def _manager(service: str) -> HttpConnectionManager:
    router = HttpFilter(name="envoy.filters.http.router", typed_config=packed(Router()))
    return HttpConnectionManager(rds=Rds(route_config_name=service, config_source=ADS), http_filters=[router])
