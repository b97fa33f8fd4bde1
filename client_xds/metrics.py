"""What Prometheus is told: names after its conventions, times in seconds."""

from prometheus_client import Counter, Gauge, Histogram

from client_xds.types import Type


def _by_type(name: str, what: str) -> dict[Type, Counter]:
    """A counter's series: all are there from the start, and found without a look at their labels."""
    counter = Counter(name, what, ["type"])
    return {type_: counter.labels(type_) for type_ in Type}


STREAMS = Gauge("xds_streams", "Clients that are connected now")
ENDPOINTS = Gauge("xds_endpoints", "Endpoints of a Service that are to get calls", ["service"])
STALE = Gauge("xds_stale", "1 while the Kubernetes API is away and the endpoints may be out of date", ["service"])
ENCODINGS = Counter("xds_encodings", "Resources encoded: once per change, however many the clients")
RESPONSES = _by_type("xds_responses", "DiscoveryResponses handed to clients' streams")
ACKS = _by_type("xds_acks", "Responses that a client took")
NACKS = _by_type("xds_nacks", "Responses that a client refused")
AGE = Histogram(
    "xds_change_age_seconds",
    "From hearing of a change until the last client had acknowledged it",
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1),
)
