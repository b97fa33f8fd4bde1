"""Lists objects of one kind once, then watches what happens to them, for as long as it is asked to.

Source of the rules: "Efficient detection of changes" in Kubernetes' API concepts, and client-go's reflector.
"""

import asyncio
import json
import logging
import random
import time
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import httpx2
from lightkube.core.exceptions import ConfigError

from endpoint_watch.backoff import Backoff
from endpoint_watch.connection import TIMEOUT, Api
from endpoint_watch.endpoints import Object

log = logging.getLogger(__name__)

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

# In seconds.
WATCH = (300, 600)  # that the API is asked to keep a watch, at random, so that not all clients come again at once
# A watch that is silent for longer may be half open: another is asked for. There is a bookmark every minute, but only
# if an object of this kind has changed in the cluster since the list; a quiet one costs one request more in this time.
SILENCE = 90.0
SHORT = 1.0  # a watch that ends before that is none
UNREACHABLE = (httpx2.RequestError, ConfigError, OSError)  # the second where the credentials can't be had
SENSELESS = (ValueError, LookupError, TypeError, AttributeError)  # of answers that are no Kubernetes API's


class Mirror(Protocol[T_co]):
    """What is made of the objects. What it can't make sense of it raises as one of SENSELESS."""

    def listed(self, objects: list[Object]) -> Iterable[T_co]:
        """All of them, as they are: what was known before is void."""

    def changed(self, obj: Object, *, deleted: bool) -> Iterable[T_co]:
        """One that is new, has changed, or is deleted."""

    def contact(self, *, there: bool) -> Iterable[T_co]:
        """Whether the API tells of changes from now on: not while it is away, or refuses."""


@dataclass(frozen=True)
class Kind:
    """Which objects: `path` is their collection's, `selector` the query that narrows it."""

    name: str  # EndpointSlices
    resource: str  # as a Role names it: endpointslices of discovery.k8s.io
    path: str
    selector: dict[str, str]


class Away(Exception):
    """The API can't be asked for now, or refuses; the message says why, and the remedy where one is known."""


class Gone(Exception):
    """What happened since is no longer known to the API (410): it must be listed again."""


async def reflect(
    api: Api, kind: Kind, mirror: Mirror[T], listed: asyncio.Event | None = None
) -> AsyncGenerator[T, None]:
    """What the mirror makes of a list, then of each change, until it is closed.

    `listed` is set when all that is made of the first list has been given. It tries for ever: that an API is away or
    refuses is logged, with the remedy, and raises nothing.
    """
    reflector = _Reflector(api, kind, mirror)
    backoff = Backoff()
    while True:
        began, listing, problem = time.monotonic(), not reflector.version, ""
        try:
            if listing:
                for made in await reflector.listed():
                    yield made
                if listed:
                    listed.set()
                began = time.monotonic()
            async with aclosing(reflector.followed()) as followed:
                async for made in followed:
                    yield made
        except Away as away:
            problem = str(away)
            for made in mirror.contact(there=False):
                yield made
        except Gone:
            reflector.version = ""
        # What is forgotten is listed at once; unless that has just been done.
        if not problem and (reflector.version or listing) and time.monotonic() < began + SHORT:
            problem = f"watches end within {SHORT:g} s"
        if problem:
            pause = backoff.pause()
            log.warning("%s can't be watched: %s. Trying again in %.1f s", kind.name, problem, pause)
            await asyncio.sleep(pause)


class _Reflector(Generic[T]):
    """How far it has been heard of, by the last list and the events since."""

    def __init__(self, api: Api, kind: Kind, mirror: Mirror[T]) -> None:
        self._http = api.http
        self._kind = kind
        self._mirror = mirror
        self.version = ""  # of all that has been heard of; "" where it must be listed

    async def listed(self) -> Iterable[T]:
        """Ask for all of them as they are now. Raises Gone and Away."""
        try:
            response = await self._http.get(self._kind.path, params=self._kind.selector)
        except UNREACHABLE as error:
            raise self._unreachable(error) from error
        self._check(response)
        try:
            listed = response.json()
            items, self.version = listed["items"], listed["metadata"]["resourceVersion"]
        except SENSELESS as error:
            raise Away(f"{response.request.url} answers no list; is it a Kubernetes API?") from error
        return self._mirror.listed(items)

    async def followed(self) -> AsyncGenerator[T, None]:
        """Watch until the API or the network ends it. Raises Gone, and Away where it could not begin."""
        query = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            **self._kind.selector,
            "resourceVersion": self.version,
            "timeoutSeconds": str(random.randint(*WATCH)),  # noqa: S311  no secret
        }
        begun = False
        try:
            timeout = httpx2.Timeout(TIMEOUT, read=SILENCE)
            async with self._http.stream("GET", self._kind.path, params=query, timeout=timeout) as response:
                if not response.is_success:
                    await response.aread()
                self._check(response)
                begun = True
                for made in self._mirror.contact(there=True):
                    yield made
                rest = b""  # httpx's own lines end at characters, too, that JSON has in its strings
                async for chunk in response.aiter_bytes():
                    *lines, rest = (rest + chunk).split(b"\n")
                    for line in lines:
                        for made in self._heard(line):
                            yield made
        except UNREACHABLE as error:
            if not begun:
                raise self._unreachable(error) from error
            log.debug("The watch of %s broke off: %s", self._kind.name, _reason(error))

    def _heard(self, line: bytes) -> list[T]:
        """Take in one event; what is made of it. Raises Gone and Away."""
        try:
            event = json.loads(line)
            kind, obj = event["type"], event["object"]
            if kind == "ERROR":
                if obj.get("code") == 410:
                    raise Gone
                raise Away(f"the watch says {obj.get('reason')}: {obj.get('message')}")
            made = [] if kind == "BOOKMARK" else list(self._mirror.changed(obj, deleted=kind == "DELETED"))
            self.version = obj["metadata"]["resourceVersion"]
        except SENSELESS as error:
            raise Away(f"the watch gave no event: {_reason(error)}") from error
        return made

    def _check(self, response: httpx2.Response) -> None:
        if response.status_code == 410:
            raise Gone
        if not response.is_success:
            try:
                said = str(response.json()["message"])
            except SENSELESS:
                said = response.reason_phrase
            remedies = {
                401: "is the token of its ServiceAccount mounted, or the kubeconfig's user right?",
                403: f"let its Role get, list and watch {self._kind.resource}",
            }
            remedy = remedies.get(response.status_code, "is the cluster well?")
            raise Away(f"{self._http.base_url} answers {response.status_code}: {said}; {remedy}")

    def _unreachable(self, error: Exception) -> Away:
        return Away(f"{self._http.base_url} can't be reached: {_reason(error)}; is KUBECONFIG right?")


def _reason(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
