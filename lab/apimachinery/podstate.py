"""What the state of a pod means to those who count on it (k8s.io/kubernetes/pkg/api/v1/pod and pkg/controller)."""

from lab.apimachinery import conditions
from lab.apimachinery.errors import BadRequest
from lab.apimachinery.store import Object
from lab.apimachinery.timestamps import age


def is_ready(pod: Object) -> bool:
    """Whether its Ready condition is True."""
    return ready_since(pod) is not None


def ready_since(pod: Object) -> str | None:
    """When a ready pod became so; None for one that is not ready."""
    condition = conditions.find(pod.get("status", {}), "Ready")
    return str(condition["lastTransitionTime"]) if condition and condition["status"] == "True" else None


def available_in(pod: Object, min_ready_seconds: int) -> float | None:
    """Seconds until a pod has been ready for this long, 0 for one that has; None for one that is not ready."""
    since = ready_since(pod)
    return None if since is None else max(0.0, min_ready_seconds - age(since))


def phase(pod: Object) -> str:
    """Its phase; a pod that nobody has reported on yet is Pending."""
    found: str = pod.get("status", {}).get("phase", "Pending")
    return found


def is_terminal(pod: Object) -> bool:
    """Whether it has run to its end."""
    return phase(pod) in ("Succeeded", "Failed")


def is_active(pod: Object) -> bool:
    """Whether it counts as a replica: it hasn't run to its end and isn't being deleted."""
    return not is_terminal(pod) and "deletionTimestamp" not in pod["metadata"]


def is_terminating(pod: Object) -> bool:
    """Whether it is being deleted and still runs."""
    return not is_terminal(pod) and "deletionTimestamp" in pod["metadata"]


def restarts(pod: Object) -> int:
    """The restarts of its container that restarted most."""
    return max((c["restartCount"] for c in pod.get("status", {}).get("containerStatuses", [])), default=0)


def container_of(pod: Object, name: str) -> str:
    """The container that a request means, the only one where it has no name. Raises errors.BadRequest."""
    spec, pod_name = pod["spec"], pod["metadata"]["name"]
    containers, init = ([c["name"] for c in spec.get(field, [])] for field in ("containers", "initContainers"))
    if not name and len(containers) > 1:
        message = f"a container name must be specified for pod {pod_name}, choose one of: [{' '.join(containers)}]"
        raise BadRequest(message + (f" or one of the init containers: [{' '.join(init)}]" if init else ""))
    if name and name not in containers + init:
        raise BadRequest(f"container {name} is not valid for pod {pod_name}")
    if not spec.get("nodeName"):
        raise BadRequest(f"pod {pod_name} does not have a host assigned")
    return str(name or containers[0])
