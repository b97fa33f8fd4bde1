"""Writing objects: decoded, given their defaults, admitted, validated, and then stored.

Stands for k8s.io/apiserver/pkg/registry/generic/registry. What components of the lab write goes to the store directly.
"""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from lab.apimachinery import errors
from lab.apimachinery.resources import Resource
from lab.apimachinery.schemas import schema_of
from lab.apimachinery.store import Object, Store
from lab.network import Network
from lab.objects import addresses, admission, defaults, hints, ignored, strategies, validation
from lab.objects.decoding import Decoder
from lab.objects.options import DeleteOptions, ListOptions, WriteOptions
from lab.objects.patches import patched

Written = tuple[Object, list[str]]  # the object as stored, and warnings


class Registry:
    """The objects of one lab, as requests change them."""

    def __init__(self, store: Store, network: Network) -> None:
        self._store = store
        self._network = network
        self._told: set[str] = set()  # what has been said to be ignored

    def create(self, resource: Resource, namespace: str, value: Any, options: WriteOptions) -> Written:
        obj, warnings = _decode(resource, value, options)
        warnings += hints.hints(resource, obj)
        passed_over = ignored.ignored(resource, obj)
        return self._create(resource, namespace, obj, options), warnings + self._tell(passed_over, options)

    def update(self, resource: Resource, namespace: str, name: str, value: Any, options: WriteOptions) -> Written:
        obj, warnings = _decode(resource, value, options)
        _check_identity(obj, namespace, name)
        warnings += hints.hints(resource, obj)
        passed_over = ignored.ignored(resource, obj, self._store.find(resource.plural, namespace, name))
        return self._update(resource, obj, options), warnings + self._tell(passed_over, options)

    def patch(
        self, resource: Resource, namespace: str, name: str, content_type: str, patch: Any, options: WriteOptions
    ) -> Written:
        old = self._store.get(resource.plural, namespace, name)
        return self.update(resource, namespace, name, patched(content_type, old, patch, schema_of(resource)), options)

    def update_status(
        self, resource: Resource, namespace: str, name: str, value: Any, options: WriteOptions
    ) -> Written:
        obj, warnings = _decode(resource, value, options)
        _check_identity(obj, namespace, name)
        validation.validate_status(resource, obj)
        old = self._store.get(resource.plural, namespace, name)["metadata"]
        return _answered(
            self._target(options).update(resource.plural, obj, subresource="status"), old, options
        ), warnings

    def delete(self, resource: Resource, namespace: str, name: str, options: DeleteOptions) -> tuple[Object, bool]:
        """The object's last state, and whether it is gone rather than marked."""
        store = self._store.fork() if options.dry_run else self._store
        obj = store.get(resource.plural, namespace, name)
        _check_uid(resource, obj["metadata"], options.uid)
        admission.check_delete(resource, name)
        if options.finalizer and "deletionTimestamp" not in obj["metadata"]:
            store.mutate(resource.plural, namespace, name, lambda o: _add_finalizer(o, options.finalizer))
        if resource.plural == "namespaces":
            store.mutate(
                "namespaces", "", name, lambda o: o["status"].update(phase="Terminating"), subresource="status"
            )
        finished = obj.get("status", {}).get("phase") in ("Succeeded", "Failed")
        grace = 0 if resource.plural == "pods" and finished else options.grace
        last = store.delete(resource.plural, namespace, name, grace=grace)
        return last, store.find(resource.plural, namespace, name) is None

    def delete_collection(
        self, resource: Resource, namespace: str | None, which: ListOptions, options: DeleteOptions
    ) -> list[Object]:
        found = [obj for obj in self._store.list(resource.plural, namespace) if which.selects(obj)]
        names = [(obj["metadata"].get("namespace", ""), obj["metadata"]["name"]) for obj in found]
        return [self.delete(resource, *name, options)[0] for name in names]

    def _create(self, resource: Resource, namespace: str, obj: Object, options: WriteOptions) -> Object:
        meta = obj.setdefault("metadata", {})
        if meta.get("resourceVersion") and not options.dry_run:  # as etcd says, which a dry run doesn't ask
            raise errors.BadRequest("resourceVersion should not be set on objects to be created")
        if meta.setdefault("namespace", namespace) != namespace:
            raise errors.BadRequest(
                "the namespace of the provided object does not match the namespace sent on the request"
            )
        if not resource.namespaced:
            del meta["namespace"]
        strategies.begin_create(resource, obj)
        if not meta.get("name"):
            required = validation.fields.required("metadata.name", "name or generateName is required")
            raise validation.fields.as_error(resource, "", [required])
        defaults.set_defaults(resource.plural, obj)
        strategies.finish_create(resource, obj)
        admission.check_create(self._store, resource, obj)
        validation.validate(resource, obj)
        with self._address(obj, options) if resource.plural == "services" else nullcontext():
            return _answered(self._target(options).create(resource.plural, obj), {}, options)

    def _update(self, resource: Resource, obj: Object, options: WriteOptions) -> Object:
        meta = obj["metadata"]
        old = self._store.get(resource.plural, meta.get("namespace", ""), meta["name"])
        defaults.set_defaults(resource.plural, old)  # what a controller wrote hasn't had them
        defaults.set_defaults(resource.plural, obj)
        strategies.finish_update(resource, obj, old)
        validation.validate(resource, obj, old)
        needs_address = resource.plural == "services" and old["spec"]["type"] == "ExternalName"
        with self._address(obj, options) if needs_address else nullcontext():
            return _answered(self._target(options).update(resource.plural, obj), old["metadata"], options)

    def _tell(self, passed_over: dict[str, str], options: WriteOptions) -> list[str]:
        """Warnings of what is ignored and hasn't been told of yet, of something that was stored."""
        new = {name: reason for name, reason in passed_over.items() if name not in self._told}
        self._told |= new.keys() if not options.dry_run else set()
        return ignored.warnings(new)

    def _target(self, options: WriteOptions) -> Store:
        return self._store.fork() if options.dry_run else self._store

    @contextmanager
    def _address(self, service: Object, options: WriteOptions) -> Iterator[None]:
        """Give a Service an address, which it keeps if the block stores it."""
        address, kept = addresses.assign(service, self._network), False
        try:
            yield
            kept = not options.dry_run
        finally:
            if address and not kept:
                self._network.release(address)


def _decode(resource: Resource, value: Any, options: WriteOptions) -> Written:
    """The object, and warnings of the fields that it doesn't have. Raises BadRequest for them where so asked."""
    decoder = Decoder(resource)
    obj = decoder.decode(value)
    obj.get("metadata", {}).pop("managedFields", None)  # the lab tracks no managers
    if decoder.unknown and options.validation == "Strict":
        raise decoder.strict_error()
    warn = options.validation == "Warn"
    return obj, [f'unknown field "{path}"' for path in decoder.unknown] if warn else []


def _answered(obj: Object, old: Object, options: WriteOptions) -> Object:
    """What was written; of a dry run with the version of what is stored still, or none: `kubectl diff` compares it."""
    if options.dry_run:
        del obj["metadata"]["resourceVersion"]
        obj["metadata"] |= {key: old[key] for key in ("resourceVersion",) if key in old}
    return obj


def _check_identity(obj: Object, namespace: str, name: str) -> None:
    meta = obj.setdefault("metadata", {})
    if meta.get("name") != name:
        raise errors.BadRequest(
            f"the name of the object ({meta.get('name', '')}) does not match the name on the URL ({name})"
        )
    if meta.get("namespace", namespace) != namespace:
        raise errors.BadRequest("the namespace of the object does not match the namespace on the URL")
    if namespace:
        meta["namespace"] = namespace


def _check_uid(resource: Resource, meta: Object, wanted: str) -> None:
    if wanted and wanted != meta["uid"]:
        start = f'Operation cannot be fulfilled on {resource.qualified} "{meta["name"]}": the UID in the'
        message = (
            f"{start} precondition ({wanted}) does not match the UID in record ({meta['uid']}); get the object again"
        )
        raise errors.Conflict(message, resource.details(meta["name"]))


def _add_finalizer(obj: Object, finalizer: str) -> None:
    finalizers = obj["metadata"].setdefault("finalizers", [])
    if finalizer not in finalizers:
        finalizers.append(finalizer)
