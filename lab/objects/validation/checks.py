"""What the fields of one object of a type must be to each other, by the type; `path` is how their paths begin."""

import ipaddress
from collections.abc import Callable, Iterable
from typing import Any

from lab.apimachinery.ownership import selects
from lab.apimachinery.store import Object
from lab.objects.validation.fields import (
    DNS_1035_LABEL,
    DNS_SUBDOMAIN,
    LABEL_VALUE,
    PORT_NAME,
    QUALIFIED_NAME,
    Errors,
    duplicate,
    forbidden,
    formed,
    invalid,
    not_found,
    one_of,
    required,
)

PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc", "sleep")
ENV_SOURCES = ("fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef")
NAMED_SOURCES = {"configMap": "name", "secret": "secretName"}
JOB_SELECTOR = {"matchLabels": ["batch.kubernetes.io/controller-uid"]}


def _metadata(meta: Object, path: str) -> Errors:
    annotations = meta.get("annotations", {})
    found = _labels(meta.get("labels", {}), f"{path}labels")
    # Unlike labels' keys, these are compared without regard to case.
    found += [e for key in annotations for e in formed(QUALIFIED_NAME)(f"{path}annotations", key.lower())]
    found += [
        e for finalizer in meta.get("finalizers", []) for e in formed(QUALIFIED_NAME)(f"{path}finalizers", finalizer)
    ]
    return found + [
        invalid(f"{path}ownerReferences.{field}", "", "must not be empty")
        for reference in meta.get("ownerReferences", [])
        for field in ("apiVersion", "kind", "name", "uid")
        if not reference.get(field)
    ]


def _labels(labels: dict[str, str], path: str) -> Errors:
    """Of an object, or of a selector that stands for them."""
    keys = [e for key in labels for e in formed(QUALIFIED_NAME)(path, key)]
    return keys + [e for value in labels.values() for e in formed(LABEL_VALUE)(path, value)]


def _selector(selector: Object, path: str) -> Errors:
    return _labels(selector.get("matchLabels", {}), f"{path}matchLabels")


def _requirement(expression: Object, path: str) -> Errors:
    operator = expression["operator"]
    found = formed(QUALIFIED_NAME)(f"{path}key", expression["key"])
    if operator not in ("In", "NotIn", "Exists", "DoesNotExist"):
        found.append(invalid(f"{path}operator", operator, "must be In, NotIn, Exists or DoesNotExist"))
    return found


def _pod(spec: Object, path: str) -> Errors:
    """What a pod's containers and volumes must be to each other. All containers share one space of names."""
    volumes, grace = spec.get("volumes", []), spec["terminationGracePeriodSeconds"]
    found = _distinct(((f"{path}volumes[{i}].name", volume["name"]) for i, volume in enumerate(volumes)))
    containers = {
        f"{path}{field}[{i}]": container
        for field in ("containers", "initContainers")
        for i, container in enumerate(spec.get(field, []))
    }
    found += _distinct((f"{at}.name", container["name"]) for at, container in containers.items())
    for at, container in containers.items():
        for i, mount in enumerate(container.get("volumeMounts", [])):
            if mount["name"] not in [volume["name"] for volume in volumes]:
                found.append(not_found(f"{at}.volumeMounts[{i}].name", mount["name"]))
        seconds = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
        if not 0 <= seconds <= grace:
            say = f"must be between 0 and terminationGracePeriodSeconds ({grace})"
            found.append(invalid(f"{at}.lifecycle.preStop.sleep", seconds, say))
        if ".initContainers[" in at and container.get("restartPolicy") != "Always":
            say = "may not be set for init containers without restartPolicy=Always"
            found += [forbidden(f"{at}.{field}", say) for field in (*PROBES, "lifecycle") if field in container]
    return found


def _distinct(named: Iterable[tuple[str, Any]]) -> Errors:
    """Of these fields and their values, those whose value another has that stands before it."""
    given = [(field, value) for field, value in named if value]
    values = [value for _, value in given]
    return [duplicate(field, value) for i, (field, value) in enumerate(given) if value in values[:i]]


def _container(container: Object, path: str) -> Errors:
    found = [] if "image" in container else [required(f"{path}image")]
    ports, mounts = container.get("ports", []), container.get("volumeMounts", [])
    found += _distinct((f"{path}ports[{i}].name", port.get("name", "")) for i, port in enumerate(ports))
    places = [mount["mountPath"] for mount in mounts]
    found += [
        invalid(f"{path}volumeMounts[{i}].mountPath", place, "must be unique")
        for i, place in enumerate(places)
        if place and place in places[:i]
    ]
    for probe in PROBES:
        if probe != "readinessProbe" and (threshold := container.get(probe, {}).get("successThreshold", 1)) > 1:
            found.append(invalid(f"{path}{probe}.successThreshold", threshold, "must be 1"))
    return found


def _handler(handler: Object, path: str) -> Errors:
    """Of a probe, or of what is run when a container starts or stops."""
    given = [kind for kind in HANDLERS if kind in handler]
    if not given:
        return [required(path.removesuffix("."), f"must have one of {', '.join(HANDLERS)}")]
    found = [forbidden(f"{path}{kind}", "may not specify more than 1 handler type") for kind in given[1:]]
    return found + ([required(f"{path}exec.command")] if handler.get("exec") == {} else [])


def _env(env: Object, path: str) -> Errors:
    if "valueFrom" not in env:
        return []
    given = [kind for kind in ENV_SOURCES if kind in env["valueFrom"]]
    if env.get("value"):
        return [invalid(f"{path}valueFrom", "", "may not be specified when `value` is not empty")]
    if len(given) != 1:
        return [invalid(f"{path}valueFrom", "", f"must have one of {', '.join(ENV_SOURCES)}")]
    return []


def _volume(volume: Object, path: str) -> Errors:
    sources = sorted(volume.keys() - {"name"}, key=lambda source: source != "emptyDir")
    found = [forbidden(f"{path}{source}", "may not specify more than 1 volume type") for source in sources[1:]]
    return found + [
        required(f"{path}{source}.{key}")
        for source, key in NAMED_SOURCES.items()
        if source in sources and not volume[source].get(key)
    ]


def _deployment(spec: Object, path: str) -> Errors:
    found = _selected(spec, path)
    rolling, at = spec["strategy"].get("rollingUpdate"), f"{path}strategy.rollingUpdate"
    if rolling and spec["strategy"]["type"] == "Recreate":
        found.append(forbidden(at, "may not be specified when strategy `type` is 'Recreate'"))
    elif rolling and {str(rolling["maxSurge"]), str(rolling["maxUnavailable"])} <= {"0", "0%"}:
        found.append(invalid(f"{at}.maxUnavailable", rolling["maxUnavailable"], "may not be 0 when `maxSurge` is 0"))
    return found


def _selected(spec: Object, path: str) -> Errors:
    """A selector, and a template of pods that it selects and that restart."""
    selector, template = spec["selector"], spec["template"]
    labels = template["metadata"].get("labels", {})
    found = one_of("Always")(f"{path}template.spec.restartPolicy", template["spec"]["restartPolicy"])
    if not selector:
        found.append(invalid(f"{path}selector", {}, "must not be empty"))
    elif not any(_requirement(e, "") for e in selector.get("matchExpressions", [])) and not selects(selector, labels):
        say = "`selector` does not match template `labels`"
        found.append(invalid(f"{path}template.metadata.labels", labels, say))
    return found


def _job(spec: Object, path: str) -> Errors:
    found: Errors = []
    if not spec.get("manualSelector") and {k: list(v) for k, v in spec["selector"].items()} != JOB_SELECTOR:
        found.append(invalid(f"{path}selector", spec["selector"], "`selector` not auto-generated"))
    if spec["template"]["spec"]["restartPolicy"] == "Always":
        found.append(required(f"{path}template.spec.restartPolicy", "must be OnFailure or Never"))
    return found


def _service(spec: Object, path: str) -> Errors:
    ports, address = spec.get("ports", []), spec.get("clusterIP", "")
    found = _labels(spec.get("selector", {}), f"{path}selector")
    if spec["type"] == "ExternalName":
        found += [] if spec.get("externalName") else [required(f"{path}externalName")]
        found += [forbidden(f"{path}clusterIPs[0]", "an ExternalName has no address")] if address else []
    else:
        found += [] if ports or address == "None" else [required(f"{path}ports")]
        if address not in ("", "None") and not _is_ip(address):
            found.append(invalid(f"{path}clusterIPs[0]", address, "must be a valid IP address"))
    for i, port in enumerate(ports):
        if len(ports) > 1 and not port.get("name"):
            found.append(required(f"{path}ports[{i}].name", "a Service of several ports names them"))
    found += _distinct((f"{path}ports[{i}].name", port.get("name", "")) for i, port in enumerate(ports))
    numbers = ({"port": port["port"], "protocol": port["protocol"]} for port in ports)
    return found + _distinct((f"{path}ports[{i}]", number) for i, number in enumerate(numbers))


def _endpointslice(slice_: Object, _: str) -> Errors:
    return [
        invalid(f"endpoints[{i}].addresses[{j}]", address, "must be a valid IP address")
        for i, endpoint in enumerate(slice_["endpoints"])
        for j, address in enumerate(endpoint["addresses"])
        if slice_["addressType"] != "FQDN" and not _is_ip(address)
    ]


def _ingress(spec: Object, path: str) -> Errors:
    if "rules" in spec or "defaultBackend" in spec:
        return []
    return [invalid(path.removesuffix("."), [], "either `defaultBackend` or `rules` must be specified")]


def _ingress_rule(rule: Object, path: str) -> Errors:
    """A host is a DNS name, whose first label may be a `*`."""
    host = rule.get("host", "")
    if host and _is_ip(host):
        return [invalid(f"{path}host", host, "must be a DNS name, not an IP address")]
    return formed(DNS_SUBDOMAIN)(f"{path}host", host.removeprefix("*.")) if host else []


def _ingress_path(of: Object, path: str) -> Errors:
    given = of.get("path", "")
    if not given.startswith("/") and (given or of["pathType"] != "ImplementationSpecific"):
        return [invalid(f"{path}path", given, "must be an absolute path")]
    odd = [part for part in ("//", "/./", "/../", "%2f", "%2F") if part in given]
    odd += [end for end in ("/.", "/..") if given.endswith(end)]
    if odd and of["pathType"] != "ImplementationSpecific":
        return [invalid(f"{path}path", given, f"must not contain '{odd[0]}'")]
    return []


def _ingress_backend(backend: Object, path: str) -> Errors:
    at = path.removesuffix(".")
    if len(backend.keys() & {"service", "resource"}) != 1:
        return [invalid(at, "", "either a `service` or a `resource` must be specified, and not both")]
    if "service" not in backend:
        return []
    service, port = backend["service"], backend["service"].get("port", {})
    found = formed(DNS_1035_LABEL)(f"{at}.service.name", service["name"])
    if not (port.get("name") or port.get("number")):
        found.append(required(at, "the port's name or number is required"))
    elif port.get("name") and port.get("number"):
        found.append(invalid(at, "", "the port's name and number may not both be set"))
    elif port.get("name"):
        found += formed(PORT_NAME)(f"{at}.service.port.name", port["name"])
    elif not 1 <= port["number"] <= 65535:
        found.append(invalid(f"{at}.service.port.number", port["number"], "must be between 1 and 65535, inclusive"))
    return found


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


TYPES: dict[str, Callable[[Object, str], Errors]] = {
    "ObjectMeta": _metadata,
    "LabelSelector": _selector,
    "LabelSelectorRequirement": _requirement,
    "PodSpec": _pod,
    "Container": _container,
    "Probe": _handler,
    "LifecycleHandler": _handler,
    "EnvVar": _env,
    "Volume": _volume,
    "DeploymentSpec": _deployment,
    "ReplicaSetSpec": _selected,
    "JobSpec": _job,
    "ServiceSpec": _service,
    "EndpointSlice": _endpointslice,
    "IngressSpec": _ingress,
    "IngressRule": _ingress_rule,
    "HTTPIngressPath": _ingress_path,
    "IngressBackend": _ingress_backend,
}
