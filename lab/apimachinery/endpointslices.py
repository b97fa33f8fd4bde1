"""What stands behind a Service, for those who route to it."""

from lab.apimachinery.store import Object, Store

SERVICE_NAME = "kubernetes.io/service-name"  # the label of a slice that names its Service


def slices_of(store: Store, namespace: str, service: str) -> list[Object]:
    """All EndpointSlices of a Service, whoever made them: its endpoints are those of all of them."""
    slices = store.list("endpointslices", namespace)
    return [s for s in slices if s["metadata"].get("labels", {}).get(SERVICE_NAME) == service]
