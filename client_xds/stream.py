"""What one client's stream has subscribed to, been given, and acknowledged: the State of the World variant of ADS.

Source: "xDS REST and gRPC protocol" of Envoy's reference. A response of Listeners or Clusters has all that the client
asked for, for what it lacks does not exist; one of the other types has what has changed.
"""

import asyncio
import logging
from collections.abc import Iterable

from envoy.service.discovery.v3.discovery_pb2 import DiscoveryRequest, DiscoveryResponse

from client_xds import metrics, node
from client_xds.node import Node
from client_xds.shown import LIMIT, shown
from client_xds.store import Key, Resource, ResourceStore, Watched, short_hash
from client_xds.types import BY_URL, COMPLETE, Type

log = logging.getLogger(__name__)

HOLD = 5.0  # seconds that routes wait at most until a client has what they lead to
UNANSWERED = 100  # responses of a type that are remembered of a client, grpcurl say, that answers none
UNKNOWN = 200  # type URLs that are logged of one client


class ProtocolError(Exception):
    """The client breaks the protocol; the message says how."""


class Subscription:
    """To the resources of one type."""

    def __init__(self) -> None:
        self.wildcard = True  # until it has named one: all that are for its node
        self.watched: dict[str, tuple[Key, Watched]] = {}  # by name
        self.dirty: set[str] = set()  # the names of what may differ from what was given
        self.given: dict[str, Resource | None] = {}  # None: does not exist, and the client knows
        self.nonce = 0  # of the last response; 0 before the first
        self.answered = 0  # the newest nonce that the client has answered
        self.refused = False  # whether it refused what it has answered last
        self.in_flight: dict[int, dict[str, Resource]] = {}  # by nonce: what it has yet to answer for

    @property
    def pending(self) -> bool:
        """Whether the client has yet to answer."""
        return self.answered < self.nonce

    def has(self, name: str) -> bool:
        """Whether the client has answered for what there is by this name, if there is anything."""
        if name not in self.watched:
            return False
        told = name in self.given and not any(name in resources for resources in self.in_flight.values())
        return told or self.watched[name][1].resource is None


class AdsStream:
    """`wake` is set when `response` may have something."""

    def __init__(self, store: ResourceStore, peer: str) -> None:
        self._store = store
        self._peer = peer
        self._node: Node | None = None
        self._subscriptions: dict[Type, Subscription] = {}
        self._unknown: set[str] = set()  # type URLs that nobody here knows
        self._responses = 0
        self._retiring = False  # it has Clusters that are no more, until it has routes that do without
        self._held: asyncio.TimerHandle | None = None
        self.wake = asyncio.Event()
        self.closed = False
        store.join(self)

    def __str__(self) -> str:
        return f"{shown(self._node.id) if self._node else 'a client'} at {self._peer}"

    def close(self) -> None:
        """Have nothing more to tell."""
        self.closed = True
        self.wake.set()

    def end(self) -> None:
        """Forget all that it has asked for."""
        self._store.leave(self)
        if self._held:
            self._held.cancel()
        for subscription in self._subscriptions.values():
            for key, _ in subscription.watched.values():
                self._store.unwatch(key, self)

    def changed(self, key: Key) -> None:
        self._subscriptions[key.type].dirty.add(key.name)
        self.wake.set()

    def names_changed(self) -> None:
        for type_, subscription in self._subscriptions.items():
            if subscription.wildcard and type_ in COMPLETE:
                self._subscribe(type_, subscription, ())
        self.wake.set()

    # Requests.

    def take(self, request: DiscoveryRequest) -> None:
        """A subscription, an ACK or a NACK. Raises ProtocolError."""
        if self._node is None:
            try:
                self._node = node.parsed(request.node)
            except ValueError as error:
                raise ProtocolError(str(error)) from error
            log.debug("%s has come", self)
        if not request.type_url:
            raise ProtocolError("a request has no type_url; on an aggregated stream each must say what it is about")
        if (type_ := BY_URL.get(request.type_url)) is None:
            self._ignore(request.type_url)
            return
        subscription = self._subscriptions.setdefault(type_, Subscription())
        nonce = _number(request.response_nonce)
        if subscription.answered < nonce <= subscription.nonce:
            self._answered(type_, subscription, nonce, request)
            self.wake.set()
        if nonce != subscription.nonce:
            return  # about an older response: the client will ask for what it wants when it answers for the last
        names = dict.fromkeys(request.resource_names)  # each once, in order
        if names:
            subscription.wildcard = "*" in names
            names.pop("*", None)
        self._subscribe(type_, subscription, names)
        if not subscription.nonce:
            subscription.dirty.add("")  # an Envoy that gets nothing must be told so, or it waits
        self.wake.set()

    def _ignore(self, url: str) -> None:
        """A client may ask for more than there is; the protocol has no way to say so but silence."""
        url = url[:LIMIT]
        if url not in self._unknown and len(self._unknown) < UNKNOWN:
            self._unknown.add(url)
            served = ", ".join(BY_URL)
            log.warning("%s asks for resources of type %a, of which there are none here: %s", self, url, served)

    def _answered(self, type_: Type, subscription: Subscription, nonce: int, request: DiscoveryRequest) -> None:
        """The client took this response, or refused it: then it goes by what it had, and is given nothing anew until
        that changes. It need not answer for each; those before, of which it says nothing, it took.
        """
        refused = request.HasField("error_detail")
        subscription.answered, subscription.refused = nonce, refused
        resources: dict[str, Resource] = {}
        for sent in [sent for sent in subscription.in_flight if sent <= nonce]:
            resources = subscription.in_flight.pop(sent)
            for name, resource in resources.items():
                if name in subscription.watched and (change := subscription.watched[name][1].change):
                    change.answered(self, resource, acked=not (refused and sent == nonce))
        if refused:
            metrics.NACKS[type_].inc()
            what = ", ".join(f"{shown(name)} version {resource.version}" for name, resource in resources.items())
            message = shown(request.error_detail.message, 2000)
            log.warning("NACK from %s of %s %s: %s", self, type_.value, what, message)
        else:
            metrics.ACKS[type_].inc()

    def _subscribe(self, type_: Type, subscription: Subscription, names: Iterable[str]) -> None:
        """To these names; and where it wants all, to what all are now."""
        assert self._node
        wanted = set(names)
        if subscription.wildcard and type_ in COMPLETE:
            wanted |= set(self._store.names(type_, self._node))
        for name in wanted - subscription.watched.keys():
            key = self._store.key(type_, name, self._node)
            subscription.watched[name] = key, self._store.watch(key, self)
            subscription.dirty.add(name)
        for name in subscription.watched.keys() - wanted:
            self._store.unwatch(subscription.watched.pop(name)[0], self)
            if type_ in COMPLETE and subscription.wildcard:
                subscription.dirty.add(name)  # the client doesn't know yet
            else:
                subscription.given.pop(name, None)

    # Responses.

    def response(self) -> bytes | None:
        """The next one, encoded; None while there is nothing to tell."""
        if not self._store.synced:
            return None
        for type_ in Type:
            subscription = self._subscriptions.get(type_)
            if subscription and subscription.dirty and not self._holds(type_):
                resources = self._due(type_, subscription)
                subscription.dirty.clear()
                if resources is not None:
                    return self._encoded(type_, subscription, resources)
        if self._held and self._held.when() <= asyncio.get_running_loop().time():
            self._held = None  # it was in vain, and all that it held up is told
        if self._retiring and not self._rerouting():
            self._subscriptions[Type.CLUSTER].dirty.add("")
            return self.response()
        return None

    def _holds(self, type_: Type) -> bool:
        """Make before break: routes wait until the client has the Clusters that it was given, endpoints and all."""
        clusters, endpoints = self._subscriptions.get(Type.CLUSTER), self._subscriptions.get(Type.ENDPOINTS)
        if type_ not in (Type.LISTENER, Type.ROUTES) or clusters is None:
            return False
        needed = {resource.needs for resource in clusters.given.values() if resource and resource.needs}
        if not clusters.pending and all(endpoints and endpoints.has(name) for name in needed):
            if self._held:
                self._held.cancel()
                self._held = None
            return False
        loop = asyncio.get_running_loop()
        if self._held is None:
            self._held = loop.call_later(HOLD, self.wake.set)
        return loop.time() < self._held.when()

    def _due(self, type_: Type, subscription: Subscription) -> dict[str, Resource] | None:
        """What is to be told of this type; None where the client knows it all."""
        now = {name: watched.resource for name, (_, watched) in subscription.watched.items()}
        if type_ not in COMPLETE:
            changed = {}
            for name in subscription.dirty:
                resource, given = now.get(name), subscription.given.get(name)
                if resource and (given is None or given.version != resource.version):
                    changed[name] = resource
            subscription.given |= changed
            return changed or None
        if type_ is Type.CLUSTER:
            now = self._with_retiring(subscription, now)
        if subscription.nonce and _versions(now) == _versions(subscription.given):
            return None
        self._repeat_endpoints(subscription.given, now)
        subscription.given = now
        return {name: resource for name, resource in now.items() if resource}

    def _repeat_endpoints(self, given: dict[str, Resource | None], now: dict[str, Resource | None]) -> None:
        """Of a Cluster that has changed. An Envoy goes by the old one for 15 s, or until it is told them again."""
        if endpoints := self._subscriptions.get(Type.ENDPOINTS):
            for name, resource in now.items():
                old = given.get(name)
                if resource and old and old.version != resource.version and resource.needs in endpoints.given:
                    del endpoints.given[resource.needs]
                    endpoints.dirty.add(resource.needs)

    def _with_retiring(self, subscription: Subscription, now: dict[str, Resource | None]) -> dict[str, Resource | None]:
        """Make before break: Clusters that are no more stay until the client has all its routes."""
        self._retiring = False
        if self._rerouting():
            gone = {name: given for name, given in subscription.given.items() if given and not now.get(name)}
            self._retiring = bool(gone)
            return now | gone
        return now

    def _rerouting(self) -> bool:
        """Whether the client may go by older routes than there are: it has not been told yet, or refused them."""
        following = [self._subscriptions.get(type_) for type_ in (Type.LISTENER, Type.ROUTES)]
        return any(each and (each.dirty or each.pending or each.refused) for each in following)

    def _encoded(self, type_: Type, subscription: Subscription, resources: dict[str, Resource]) -> bytes:
        self._responses += 1
        subscription.nonce = self._responses
        subscription.in_flight[subscription.nonce] = resources
        if len(subscription.in_flight) > UNANSWERED:
            del subscription.in_flight[next(iter(subscription.in_flight))]
        versions = [resource.version for resource in resources.values()]
        version = versions[0] if len(versions) == 1 else short_hash("".join(sorted(versions)).encode())
        head = DiscoveryResponse(version_info=version, type_url=type_.url, nonce=str(subscription.nonce))
        metrics.RESPONSES[type_].inc()
        log.debug(
            "%s is given %s %s, version %s", self, type_.value, ", ".join(map(shown, resources)) or "(none)", version
        )
        # The fields of a message may stand in any order, one piece after the other (protobuf's wire format).
        return b"".join((head.SerializeToString(), *(resource.encoded for resource in resources.values())))


def _versions(resources: dict[str, Resource | None]) -> dict[str, str | None]:
    return {name: resource.version if resource else None for name, resource in resources.items()}


def _number(nonce: str) -> int:
    """The nonce that a client gives back; 0 is that of a first request, -1 none of ours."""
    if not nonce:
        return 0
    return int(nonce) if nonce.isdecimal() and len(nonce) < 20 else -1
