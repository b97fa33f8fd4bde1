"""Why pods don't get Ready, in the words of the cluster, with a remedy where one is known."""

from collections.abc import Iterable

from compare.api import Api, Object

# What waiting longer won't mend, and what will.
HOPELESS = {
    "ImagePullBackOff": "bring the image to the nodes with k8s/load",
    "ErrImageNeverPull": "bring the image to the nodes with k8s/load",
    "InvalidImageName": "mend the manifest",
    "CreateContainerConfigError": "mend the manifest",
}


def hopeless(pods: Iterable[Object]) -> str:
    """The first reason for which waiting longer is no use, or "" where there is none."""
    for pod in pods:
        for status in _containers(pod):
            waiting = status["state"].get("waiting", {})
            if remedy := HOPELESS.get(waiting.get("reason", "")):
                said = f"{waiting['reason']}: {waiting.get('message', status['image'])}"
                return f"pod {pod['metadata']['name']}: {said}; {remedy}"
    return ""


async def reasons(api: Api, namespace: str, pods: Iterable[Object]) -> str:
    """What keeps pods from being Ready: the last warning about each, or the state it is in; those that aren't first."""
    events = (await api.get(f"/api/v1/namespaces/{namespace}/events"))["items"]
    warnings = [event for event in events if event["type"] == "Warning"]
    found = {}
    for pod in sorted(pods, key=_ready):
        name = pod["metadata"]["name"]
        about = [w for w in warnings if w["involvedObject"].get("name") == name]
        latest = max(about, key=lambda w: w.get("lastTimestamp") or w["metadata"]["creationTimestamp"], default=None)
        if latest:
            found[name] = f"{latest['reason']}: {latest['message'].strip()}"
        elif not _ready(pod):
            found[name] = f"{pod['status'].get('phase', 'Pending')}, and no event says why"
    if not found:  # no pod at all: its ReplicaSet knows
        found = {w["involvedObject"]["name"]: f"{w['reason']}: {w['message'].strip()}" for w in warnings[-1:]}
    name, reason = next(iter(found.items()), ("", "no pod and no event say why"))
    return f"{name}: {reason}" if name else reason


def _containers(pod: Object) -> list[Object]:
    status = pod.get("status", {})
    return [*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())]


def _ready(pod: Object) -> bool:
    conditions = pod.get("status", {}).get("conditions", ())
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
