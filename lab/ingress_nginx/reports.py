"""What the controller says of its work: the status of Ingresses, and Events about what they ask for in vain."""

import datetime
import hashlib
import logging
from collections.abc import Iterable

from lightkube import ApiError, AsyncClient
from lightkube.models.core_v1 import EventSource, ObjectReference
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.core_v1 import Event
from lightkube.resources.networking_v1 import Ingress
from lightkube.types import PatchType

from lab.ingress_nginx.mirror import Object
from lab.ingress_nginx.routes import Problem

log = logging.getLogger(__name__)

COMPONENT = "nginx-ingress-controller"
MERGE = PatchType.MERGE


def addresses(service: Object | None, fixed: str) -> list[Object]:
    """Where Ingresses can be reached: at a fixed address, or the Service's: its load balancer's, or else its own."""
    if fixed:
        return [{"ip": fixed}]
    if not service:
        return []
    given = (service.get("status") or {}).get("loadBalancer", {}).get("ingress")
    return given or [{"ip": service["spec"]["clusterIP"]}]


class Reports:
    def __init__(self, client: AsyncClient) -> None:
        self._client = client
        self._said: set[tuple[str, str, str]] = set()  # of what is still so: uid, reason, message

    async def publish(self, ingresses: Iterable[Object], where: list[Object]) -> None:
        """Write the status of those whose status is another."""
        for ingress in ingresses:
            status = {"loadBalancer": {"ingress": where}}
            if where and (ingress.get("status") or {}).get("loadBalancer", {}).get("ingress") != where:
                meta = ingress["metadata"]
                patched = self._client.patch(
                    Ingress.Status, meta["name"], {"status": status}, namespace=meta["namespace"], patch_type=MERGE
                )
                try:
                    await patched
                except ApiError as error:
                    log.warning("no status of Ingress %(namespace)s/%(name)s", meta, exc_info=error)

    async def warn(self, problems: Iterable[Problem]) -> None:
        """Record an Event of each problem that is new."""
        found = {(p.about["metadata"]["uid"], p.reason, p.message): p for p in problems}
        for key, problem in found.items():
            if key not in self._said:
                log.warning("%s %s: %s", problem.about["kind"], _where(problem.about), problem.message)
                await self._record(problem)
        self._said = set(found)

    async def _record(self, problem: Problem) -> None:
        """By a name that the same problem has again, so that two controllers, or a restart, make one Event of it."""
        meta = problem.about["metadata"]
        digest = hashlib.sha256("\n".join((meta["uid"], problem.reason, problem.message)).encode()).hexdigest()
        name, now = f"{meta['name']}.{digest[:16]}", datetime.datetime.now(datetime.UTC)
        involved = {"namespace": meta["namespace"], "name": meta["name"], "uid": meta["uid"]}
        involved |= {"apiVersion": problem.about["apiVersion"], "kind": problem.about["kind"]}
        event = Event(
            metadata=ObjectMeta(name=name, namespace=meta["namespace"]),
            involvedObject=ObjectReference(**involved),
            type="Warning",
            reason=problem.reason,
            message=problem.message,
            count=1,
            firstTimestamp=now,
            lastTimestamp=now,
            source=EventSource(component=COMPONENT),
            reportingComponent=COMPONENT,
        )
        try:
            try:
                await self._client.create(event)
            except ApiError as error:
                if error.status.code != 409:
                    raise
                again = {"lastTimestamp": now.isoformat()}
                await self._client.patch(Event, name, again, namespace=meta["namespace"], patch_type=MERGE)
        except ApiError as error:
            log.warning("no Event about %s: %s", _where(problem.about), error.status.message)


def _where(obj: Object) -> str:
    return f"{obj['metadata']['namespace']}/{obj['metadata']['name']}"
