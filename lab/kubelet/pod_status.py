"""A pod's phase and conditions, worked out from the states of its containers.

Stands for getPhase of k8s.io/kubernetes/pkg/kubelet/kubelet_pods.go and for pkg/kubelet/status/generate.go.
"""

from dataclasses import dataclass, replace

from lab.apimachinery import conditions
from lab.apimachinery.store import Object
from lab.objects.strategies import qos_class


def is_sidecar(container: Object) -> bool:
    """Whether an init container runs for as long as the pod (KEP-753)."""
    return container.get("restartPolicy") == "Always"


@dataclass(frozen=True)
class Observed:
    """What the kubelet knows of a pod."""

    init: list[Object]  # statuses of its init containers, all in the order of its spec
    containers: list[Object]
    running: bool  # it has its network, and its containers may run
    ip: str = ""  # "" before it has one
    host_ip: str = ""
    start_time: str = ""


def status(pod: Object, observed: Observed) -> Object:
    """The whole status of a pod."""
    seen = replace(observed, init=_init_statuses(pod, observed.init))
    old = pod.get("status", {})
    found: Object = {
        "phase": phase(pod, seen),
        "conditions": _conditions(pod, seen),
        "hostIP": seen.host_ip,
        "hostIPs": [{"ip": seen.host_ip}],
        "startTime": seen.start_time,
        "qosClass": old.get("qosClass") or qos_class(pod["spec"]),
        "containerStatuses": sorted(seen.containers, key=lambda container: str(container["name"])),
    }
    found |= {"podIP": seen.ip, "podIPs": [{"ip": seen.ip}]} if seen.ip else {}
    found |= {"initContainerStatuses": seen.init} if seen.init else {}
    return found


def _init_statuses(pod: Object, statuses: list[Object]) -> list[Object]:
    """An init container is ready when it has done its work, a sidecar as any container is."""
    found = []
    for spec, container in zip(pod["spec"].get("initContainers", []), statuses, strict=True):
        terminated = _terminated(container)
        done = {} if is_sidecar(spec) else {"ready": terminated is not None and terminated["exitCode"] == 0}
        found.append(container | done)
    return found


def phase(pod: Object, seen: Observed) -> str:
    """Pending, Running, Succeeded or Failed."""
    specs = {container["name"]: container for container in pod["spec"].get("initContainers", [])}
    pending_init = False
    for container in seen.init:
        terminated = _terminated(container)
        if is_sidecar(specs[container["name"]]):
            pending_init |= not container["started"] and not _terminated_once(container)
        elif terminated is None:
            pending_init = True
        elif terminated["exitCode"]:
            if pod["spec"]["restartPolicy"] == "Never":
                return "Failed"
            pending_init = True
    ended = [terminated for c in seen.containers if (terminated := _terminated(c) or _ended_before(c))]
    if pending_init or any("waiting" in c["state"] and not _ended_before(c) for c in seen.containers):
        return "Pending"
    if any("running" in c["state"] for c in seen.init + seen.containers) or (
        pod["spec"]["restartPolicy"] == "Always" and seen.running
    ):
        return "Running"
    if all(terminated["exitCode"] == 0 for terminated in ended):
        return "Succeeded"
    return "Running" if pod["spec"]["restartPolicy"] == "OnFailure" and seen.running else "Failed"


def _terminated(container: Object) -> Object | None:
    found: Object | None = container["state"].get("terminated")
    return found


def _ended_before(container: Object) -> Object | None:
    """How the last run of a container ended that waits to be started again."""
    found: Object | None = container["lastState"].get("terminated")
    return found if "waiting" in container["state"] else None


def _terminated_once(container: Object) -> bool:
    return bool(_terminated(container) or container["lastState"])


def _conditions(pod: Object, seen: Observed) -> list[Object]:
    at = phase(pod, seen)
    over = {"Succeeded": "PodCompleted", "Failed": "PodFailed"}.get(at, "")
    sidecars = [c["name"] for c in pod["spec"].get("initContainers", []) if is_sidecar(c)]
    not_ready = [c["name"] for c in seen.init if c["name"] in sidecars and not c["ready"]]
    not_ready += [c["name"] for c in seen.containers if not c["ready"]]
    not_done = [c["name"] for c in seen.init if not (c["started"] if c["name"] in sidecars else c["ready"])]

    ready = ("False", over, "") if over else _all("ContainersNotReady", "unready", not_ready)
    # As there: a pod that has completed says so here too, and containers of a running pod imply those before them.
    initialized = _all("ContainersNotInitialized", "incomplete", not_done)
    if at in ("Running", "Succeeded"):
        initialized = ("True", over, "")
    found = {
        "PodReadyToStartContainers": ("True" if seen.running and seen.ip else "False", "", ""),
        "Initialized": initialized,
        "Ready": ready,
        "ContainersReady": ready,
    }
    status: Object = {"conditions": list(pod.get("status", {}).get("conditions", []))}
    for kind, (value, reason, message) in found.items():
        conditions.put(status, kind, value, reason, message, lastProbeTime=None)
    return list(status["conditions"])


def _all(reason: str, adjective: str, names: list[str]) -> tuple[str, str, str]:
    """True where there are none of these, or else False with their names."""
    return ("False", reason, f"containers with {adjective} status: [{' '.join(names)}]") if names else ("True", "", "")
