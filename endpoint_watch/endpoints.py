"""Which endpoints of a Service's EndpointSlices are to get calls.

Source: the API reference of discovery.k8s.io/v1, and KEP-1672 (terminating endpoints).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

Object = dict[str, Any]

SERVICE_NAME = "kubernetes.io/service-name"  # the label by which a slice names its Service
FAMILIES = ("IPv4", "IPv6")


@dataclass(frozen=True, order=True)
class Endpoint:
    """A pod's address and port; its zone (topology.kubernetes.io/zone) is "" where its node has none."""

    address: str
    port: int
    zone: str = ""


def usable(slices: Iterable[Object], port: str = "") -> tuple[Endpoint, ...]:
    """The endpoints that are to get calls, sorted, each once, of all slices of one Service.

    Those are the ready ones. Where there are none, those that end and still serve. `port` is the name of a port of the
    Service; a slice without it belongs to other pods. (A slice has the pods' numbers: the controller has resolved named
    target ports.) A Service of both address families has every pod twice: only its IPv4 slices count then, unless they
    are all empty.
    """
    ready, ending = _by_state(slices, port)
    return tuple(sorted(ready or ending))


def ready(slices: Iterable[Object], port: str = "") -> tuple[Endpoint, ...]:
    """The same, but none that ends: what a proxy takes that goes by readiness alone."""
    return tuple(sorted(_by_state(slices, port)[0]))


def _by_state(slices: Iterable[Object], port: str) -> tuple[set[Endpoint], set[Endpoint]]:
    """Those that are ready, and those that end and still serve."""
    slices = list(slices)
    there = {slice_["addressType"] for slice_ in slices if slice_.get("endpoints")}
    family = next((family for family in FAMILIES if family in there), "")
    ready: set[Endpoint] = set()
    ending: set[Endpoint] = set()
    for slice_ in slices:
        number = _number(slice_, port)
        if slice_["addressType"] != family or number is None:
            continue
        for endpoint in slice_.get("endpoints") or ():
            conditions = endpoint.get("conditions") or {}
            is_ready = conditions.get("ready") is not False  # unknown counts as ready, says the API
            serving = conditions.get("serving")
            if is_ready and not conditions.get("terminating"):
                found = ready
            elif conditions.get("terminating") and (is_ready if serving is None else serving):
                found = ending
            else:
                continue
            # The addresses of one endpoint are the same pod's: the first is enough (so the API reference).
            found.add(Endpoint(endpoint["addresses"][0], number, endpoint.get("zone") or ""))
    return ready, ending


def _number(slice_: Object, port: str) -> int | None:
    """The number of the port of this name, in this slice."""
    for each in slice_.get("ports") or ():
        if (each.get("name") or "") == port:
            number: int | None = each.get("port")
            return number
    return None
