"""What Prometheus is told: names after its conventions, times in seconds."""

from prometheus_client import Counter, Gauge, Histogram

STREAMS = Gauge("grpclb_streams", "Clients that are connected now")
ENDPOINTS = Gauge("grpclb_endpoints", "Servers in the current list", ["service"])
STALE = Gauge("grpclb_stale", "1 while the Kubernetes API is away and the list may be out of date", ["service"])
CHANGES = Counter("grpclb_changes", "Changes of a list", ["service"])
ENCODINGS = Counter("grpclb_encodings", "Lists encoded: once per change, however many the clients")
LISTS = Counter("grpclb_lists_sent", "Lists handed to clients' streams")
AGE = Histogram(
    "grpclb_list_age_seconds",
    "From hearing of a change until the last client was told",
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1),
)
CALLS = Counter("grpclb_client_calls", "Calls that clients report, by what became of them", ["service", "outcome"])
