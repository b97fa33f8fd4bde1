"""Containers: image, ports, environment, mounts, probes and lifecycle handlers.

Source: k8s.io/kubernetes/pkg/apis/core/validation, validateContainerCommon and what it calls.
"""

from typing import Any

from lab.apimachinery import quantities
from lab.apimachinery.store import Object
from lab.objects.validation import fields
from lab.objects.validation.fields import Errors
from lab.objects.validation.volumes import validate_mounts

CONTAINER, SIDECAR, SIMPLE_INIT = "container", "sidecar", "init container"  # the roles a container can have
PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
PROBE_HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc")
LIFECYCLE_HANDLERS = ("exec", "httpGet", "tcpSocket", "sleep")
PROBE_NUMBERS = ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold")
ENV_SOURCES = ("fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef")
DOWNWARD = (
    *("metadata.name", "metadata.namespace", "metadata.uid", "metadata.labels", "metadata.annotations"),
    *("spec.nodeName", "spec.serviceAccountName"),
    *("status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs"),
)


def validate_container(container: Object, path: str, role: str, volumes: set[str], grace: int) -> Errors:
    """A container that has its defaults and required fields, in a pod with these volumes and this grace period."""
    errors: Errors = []
    if not container["name"]:
        errors.append(fields.required(f"{path}.name"))
    elif wrong := fields.dns_label(container["name"]):
        errors.append(fields.invalid(f"{path}.name", container["name"], wrong))
    image = container.get("image", "")
    if not image:
        errors.append(fields.required(f"{path}.image"))
    elif image != image.strip():
        errors.append(fields.invalid(f"{path}.image", image, "must not have leading or trailing whitespace"))
    pull = container["imagePullPolicy"]
    if pull not in (policies := ("Always", "IfNotPresent", "Never")):
        errors.append(fields.unsupported(f"{path}.imagePullPolicy", pull, policies))
    errors += _resources(container["resources"], f"{path}.resources")
    errors += _ports(container.get("ports", []), f"{path}.ports")
    errors += [e for i, env in enumerate(container.get("env", [])) for e in _env(env, f"{path}.env[{i}]")]
    errors += validate_mounts(container.get("volumeMounts", []), f"{path}.volumeMounts", volumes)
    for field in (*PROBES, "lifecycle"):
        if field in container and role == SIMPLE_INIT:
            say = "may not be set for init containers without restartPolicy=Always"
            errors.append(fields.forbidden(f"{path}.{field}", say))
        elif field in PROBES and field in container:
            errors += _probe(container[field], f"{path}.{field}", readiness=field == "readinessProbe")
    for event, handler in container.get("lifecycle", {}).items() if role != SIMPLE_INIT else ():
        if event in ("postStart", "preStop"):
            errors += _handler(handler, f"{path}.lifecycle.{event}", LIFECYCLE_HANDLERS, grace)
    return errors


def _resources(resources: Object, path: str) -> Errors:
    limits = resources.get("limits", {})
    return [
        fields.invalid(f"{path}.requests", request, f"must be less than or equal to {name} limit of {limits[name]}")
        for name, request in resources.get("requests", {}).items()
        if name in limits and quantities.parse(request) > quantities.parse(limits[name])
    ]


def _ports(ports: list[Object], path: str) -> Errors:
    errors: Errors = []
    names: set[str] = set()
    for i, port in enumerate(ports):
        at, name = f"{path}[{i}]", port.get("name", "")
        if name and (wrong := fields.port_name(name)):
            errors.append(fields.invalid(f"{at}.name", name, wrong))
        elif name in names:
            errors.append(fields.duplicate(f"{at}.name", name))
        names |= {name} - {""}
        if wrong := fields.port_number(port["containerPort"]):
            errors.append(fields.invalid(f"{at}.containerPort", port["containerPort"], wrong))
        if port["protocol"] not in (protocols := ("SCTP", "TCP", "UDP")):
            errors.append(fields.unsupported(f"{at}.protocol", port["protocol"], protocols))
    return errors


def _env(env: Object, path: str) -> Errors:
    errors: Errors = []
    if not env["name"]:
        errors.append(fields.required(f"{path}.name"))
    elif wrong := fields.env_name(env["name"]):
        errors.append(fields.invalid(f"{path}.name", env["name"], wrong))
    source = env.get("valueFrom")
    if source is None:
        return errors
    at = f"{path}.valueFrom"
    given = [kind for kind in ENV_SOURCES if kind in source]
    if env.get("value"):
        errors.append(fields.invalid(at, "", "may not be specified when `value` is not empty"))
    elif not given:
        say = "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`"
        errors.append(fields.invalid(at, "", say))
    elif len(given) > 1:
        errors.append(fields.invalid(at, "", "may not have more than one field specified at a time"))
    path_given = source.get("fieldRef", {}).get("fieldPath", DOWNWARD[0])
    if path_given.partition("['")[0] not in DOWNWARD:
        say = f"error converting fieldPath: field label not supported: {path_given}"
        errors.append(fields.invalid(f"{at}.fieldRef.fieldPath", path_given, say))
    return errors


def _probe(probe: Object, path: str, *, readiness: bool) -> Errors:
    errors = _handler(probe, path, PROBE_HANDLERS, None)
    for field in PROBE_NUMBERS:
        if probe.get(field, 0) < 0:
            errors.append(fields.invalid(f"{path}.{field}", probe[field], "must be greater than or equal to 0"))
    if not readiness and probe["successThreshold"] != 1:
        errors.append(fields.invalid(f"{path}.successThreshold", probe["successThreshold"], "must be 1"))
    grace = probe.get("terminationGracePeriodSeconds")
    if grace is not None and readiness:
        errors.append(
            fields.invalid(f"{path}.terminationGracePeriodSeconds", grace, "must not be set for readinessProbes")
        )
    elif grace is not None and grace <= 0:
        errors.append(fields.invalid(f"{path}.terminationGracePeriodSeconds", grace, "must be greater than 0"))
    return errors


def _handler(handler: Object, path: str, kinds: tuple[str, ...], grace: int | None) -> Errors:
    given = [kind for kind in kinds if kind in handler]
    if not given:
        return [fields.required(path, "must specify a handler type")]
    errors = [fields.forbidden(f"{path}.{kind}", "may not specify more than 1 handler type") for kind in given[1:]]
    kind, action = given[0], handler[given[0]]
    if kind == "exec" and not action.get("command"):
        errors.append(fields.required(f"{path}.exec.command"))
    elif kind in ("httpGet", "tcpSocket", "grpc"):
        errors += _port(action["port"], f"{path}.{kind}.port")
    elif kind == "sleep" and grace is not None and not 0 <= action["seconds"] <= grace:
        say = f"must be non-negative and less than terminationGracePeriodSeconds ({grace})"
        errors.append(fields.invalid(f"{path}.sleep", action["seconds"], say))
    return errors


def _port(port: Any, path: str) -> Errors:
    wrong = fields.port_name(port) if isinstance(port, str) else fields.port_number(port)
    return [fields.invalid(path, port, wrong)] if wrong else []
