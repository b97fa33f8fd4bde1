"""What a pod's fields must be to each other, by the type; `path` is how their paths begin."""

from lab.apimachinery import quantities
from lab.apimachinery.store import Object
from lab.objects.validation.fields import (
    QUALIFIED_NAME,
    Errors,
    FieldError,
    distinct,
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
RESOURCES = ("cpu", "ephemeral-storage", "memory")
DOWNWARD = (
    *("metadata.name", "metadata.namespace", "metadata.uid", "metadata.labels", "metadata.annotations"),
    *("spec.nodeName", "spec.serviceAccountName"),
    *("status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs"),
)


def pod(spec: Object, path: str) -> Errors:
    """What a pod's containers and volumes must be to each other. All containers share one space of names."""
    volumes, grace = spec.get("volumes", []), max(spec["terminationGracePeriodSeconds"], 1)
    found = distinct(((f"{path}volumes[{i}].name", volume.get("name")) for i, volume in enumerate(volumes)))
    containers = {
        f"{path}{field}[{i}]": container
        for field in ("containers", "initContainers")
        for i, container in enumerate(spec.get(field, []))
    }
    found += distinct((f"{at}.name", container.get("name")) for at, container in containers.items())
    for at, container in containers.items():
        for i, mount in enumerate(container.get("volumeMounts", [])):
            if mount.get("name", "") not in [volume.get("name") for volume in volumes]:
                found.append(not_found(f"{at}.volumeMounts[{i}].name", mount.get("name", "")))
        seconds = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
        if not 0 <= seconds <= grace:
            say = f"must be between 0 and terminationGracePeriodSeconds ({grace})"
            found.append(invalid(f"{at}.lifecycle.preStop.sleep", seconds, say))
        if ".initContainers[" in at and container.get("restartPolicy") != "Always":
            say = "may not be set for init containers without restartPolicy=Always"
            found += [forbidden(f"{at}.{field}", say) for field in (*PROBES, "lifecycle") if field in container]
    gates = [gate.get("name", "") for gate in spec.get("schedulingGates", [])]
    found += distinct((f"{path}schedulingGates[{i}]", gate) for i, gate in enumerate(gates))
    found += [e for i, gate in enumerate(gates) for e in formed(QUALIFIED_NAME)(f"{path}schedulingGates[{i}]", gate)]
    if spec["dnsPolicy"] == "None" and not spec.get("dnsConfig", {}).get("nameservers"):
        found.append(required(f"{path}dnsConfig", "the dnsPolicy None takes all from there"))
    return found


def container(container: Object, path: str) -> Errors:
    ports, mounts = container.get("ports", []), container.get("volumeMounts", [])
    found = distinct((f"{path}ports[{i}].name", port.get("name", "")) for i, port in enumerate(ports))
    places = [mount.get("mountPath", "") for mount in mounts]
    found += [
        invalid(f"{path}volumeMounts[{i}].mountPath", place, "must be unique")
        for i, place in enumerate(places)
        if place and place in places[:i]
    ]
    for name in PROBES:
        grace = container.get(name, {}).get("terminationGracePeriodSeconds")
        if name == "readinessProbe":
            say = "a readiness probe ends no container" if grace is not None else ""
        else:
            say = "must be greater than 0" if grace is not None and grace < 1 else ""
            if (threshold := container.get(name, {}).get("successThreshold", 1)) > 1:
                found.append(invalid(f"{path}{name}.successThreshold", threshold, "must be 1"))
        found += [invalid(f"{path}{name}.terminationGracePeriodSeconds", grace, say)] if say else []
    return found


def resources(given: Object, path: str) -> Errors:
    limits, requests = given.get("limits", {}), given.get("requests", {})
    found = [
        error
        for kind, amounts in (("limits", limits), ("requests", requests))
        for name, amount in amounts.items()
        for error in _resource(f"{path}{kind}[{name}]", name, amount)
    ]
    return found + [
        invalid(f"{path}requests", amount, f"must be less than or equal to {name} limit of {limits[name]}")
        for name, amount in requests.items()
        if name in limits and quantities.parse(amount) > quantities.parse(limits[name])
    ]


def _resource(field: str, name: str, amount: str) -> Errors:
    if "/" not in name and name not in RESOURCES and not name.startswith("hugepages-"):
        return [invalid(field, name, f"must be one of {', '.join(RESOURCES)}, or begin with a domain")]
    value = quantities.parse(amount)
    if value < 0:
        return [invalid(field, amount, "must be greater than or equal to 0")]
    return [invalid(field, amount, "must be an integer")] if "/" in name and value.denominator > 1 else []


def mount(given: Object, path: str) -> Errors:
    if given.get("subPath") and given.get("subPathExpr"):
        return [invalid(f"{path}subPathExpr", given["subPathExpr"], "subPathExpr and subPath exclude each other")]
    return []


def security(given: Object, path: str) -> Errors:
    """Of a container."""
    if given.get("privileged") and given.get("allowPrivilegeEscalation") is False:
        say = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"
        return [invalid(path.removesuffix("."), {}, say)]
    return []


def seccomp(profile: Object, path: str) -> Errors:
    local = profile.get("type") == "Localhost" and not profile.get("localhostProfile")
    return [required(f"{path}localhostProfile", "the type Localhost names a file")] if local else []


def handler(given: Object, path: str) -> Errors:
    """Of a probe, or of what is run when a container starts or stops."""
    kinds = [kind for kind in HANDLERS if kind in given]
    if not kinds:
        return [required(path.removesuffix("."), f"must have one of {', '.join(HANDLERS)}")]
    found = [forbidden(f"{path}{kind}", "may not specify more than 1 handler type") for kind in kinds[1:]]
    return found + ([required(f"{path}exec.command")] if given.get("exec") == {} else [])


def env(given: Object, path: str) -> Errors:
    if "valueFrom" not in given:
        return []
    source = given["valueFrom"]
    kinds = [kind for kind in ENV_SOURCES if kind in source]
    if given.get("value"):
        return [invalid(f"{path}valueFrom", "", "may not be specified when `value` is not empty")]
    if len(kinds) != 1:
        return [invalid(f"{path}valueFrom", "", f"must have one of {', '.join(ENV_SOURCES)}")]
    at, field = f"{path}valueFrom.fieldRef.fieldPath", source.get("fieldRef", {}).get("fieldPath")
    if field in ("metadata.labels", "metadata.annotations"):  # all of them fit into a file only
        return [FieldError("FieldValueNotSupported", at, f"Unsupported value: \"{field}\": name one, as {field}['a']")]
    return []


def env_from(given: Object, path: str) -> Errors:
    kinds = [kind for kind in ("configMapRef", "secretRef") if kind in given]
    say = "must have one of configMapRef, secretRef"
    return [] if len(kinds) == 1 else [invalid(path.rpartition("[")[0], "", say)]


def volume(given: Object, path: str) -> Errors:
    sources = sorted(given.keys() - {"name"}, key=lambda source: source != "emptyDir")
    found = [forbidden(f"{path}{source}", "may not specify more than 1 volume type") for source in sources[1:]]
    size = given.get("emptyDir", {}).get("sizeLimit", 0)
    return found + (
        [forbidden(f"{path}emptyDir.sizeLimit", "must not be negative")] if quantities.parse(size) < 0 else []
    )


def downward_file(item: Object, path: str) -> Errors:
    at = path.partition(".items[")[0]
    return [] if item.keys() & {"fieldRef", "resourceFieldRef"} else [required(at, "of fieldRef or resourceFieldRef")]


def downward_field(ref: Object, path: str) -> Errors:
    """A field of a pod that its containers may see."""
    given, at = ref.get("fieldPath", ""), f"{path}fieldPath"
    name, subscript, key = given.partition("['")
    if not given:
        return [required(at)]
    known = name in DOWNWARD and (not subscript or name in ("metadata.labels", "metadata.annotations"))
    if not known or ref.get("apiVersion") != "v1":
        return [invalid(at, given, f"must be one of {', '.join(DOWNWARD)}, of version v1")]
    return formed(QUALIFIED_NAME)(path.removesuffix("."), key.removesuffix("']")) if subscript else []


def toleration(given: Object, path: str) -> Errors:
    key, operator = given.get("key", ""), given.get("operator") or "Equal"
    found = formed(QUALIFIED_NAME)(f"{path}key", key) if key else []
    found += one_of("Equal", "Exists")(f"{path}operator", operator)
    if not key and operator != "Exists":
        found.append(invalid(f"{path}operator", operator, "must be Exists where there is no key"))
    if operator == "Exists" and given.get("value"):
        found.append(invalid(f"{path}operator", given["value"], "the operator Exists takes no value"))
    if "tolerationSeconds" in given and given.get("effect") != "NoExecute":
        found.append(invalid(f"{path}effect", given.get("effect", ""), "only NoExecute has tolerationSeconds"))
    return found
