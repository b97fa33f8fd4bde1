"""Services and EndpointSlices (k8s.io/kubernetes/pkg/apis/core and discovery)."""

import ipaddress
from typing import Any

from lab.apimachinery.store import Object
from lab.objects.validation import fields, metadata
from lab.objects.validation.fields import Errors

ENUMS = {
    "type": ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort"),
    "sessionAffinity": ("ClientIP", "None"),
    "internalTrafficPolicy": ("Cluster", "Local"),
    "externalTrafficPolicy": ("Cluster", "Local"),
    "trafficDistribution": ("PreferClose", "PreferSameZone", "PreferSameNode"),
}
PROTOCOLS = ("SCTP", "TCP", "UDP")


def validate_service(service: Object) -> Errors:
    spec = service["spec"]
    errors = [
        fields.unsupported(f"spec.{field}", spec[field], supported)
        for field, supported in ENUMS.items()
        if field in spec and spec[field] not in supported
    ]
    ports = spec.get("ports", [])
    if spec["type"] == "ExternalName":
        if not spec.get("externalName"):
            errors.append(fields.required("spec.externalName"))
    elif not ports and spec.get("clusterIP") != "None":
        errors.append(fields.required("spec.ports"))
    errors += metadata.labels(spec.get("selector", {}), "spec.selector")
    errors += [e for i, port in enumerate(ports) for e in _port(port, f"spec.ports[{i}]", spec["type"])]
    return errors + _distinct_ports(ports) + _cluster_ip(spec)


def validate_service_update(service: Object, old: Object) -> Errors:
    """A Service keeps its address, but when it becomes or was an ExternalName."""
    new, before = service["spec"], old["spec"]
    if "ExternalName" in (new["type"], before["type"]) or new.get("clusterIP") == before.get("clusterIP"):
        return []
    return [fields.invalid("spec.clusterIPs[0]", [new.get("clusterIP")], "may not change once set")]


def validate_endpointslice(slice_: Object) -> Errors:
    errors: Errors = []
    kind = slice_["addressType"]
    if kind not in (kinds := ("FQDN", "IPv4", "IPv6")):
        errors.append(fields.unsupported("addressType", kind, kinds))
    for i, endpoint in enumerate(slice_["endpoints"]):
        if not endpoint["addresses"]:
            errors.append(fields.required(f"endpoints[{i}].addresses", "must contain at least 1 address"))
        for j, address in enumerate(endpoint["addresses"]):
            if kind in ("IPv4", "IPv6") and not _is_ip(address):
                say = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
                errors.append(fields.invalid(f"endpoints[{i}].addresses[{j}]", address, say))
    return errors


def validate_endpointslice_update(slice_: Object, old: Object) -> Errors:
    new = slice_["addressType"]
    return [] if new == old["addressType"] else [fields.invalid("addressType", new, "field is immutable")]


def _port(port: Object, path: str, service_type: str) -> Errors:
    errors: Errors = []
    name = port.get("name", "")
    if name and (wrong := fields.dns_label(name)):
        errors.append(fields.invalid(f"{path}.name", name, wrong))
    if wrong := fields.port_number(port["port"]):
        errors.append(fields.invalid(f"{path}.port", port["port"], wrong))
    if port["protocol"] not in PROTOCOLS:
        errors.append(fields.unsupported(f"{path}.protocol", port["protocol"], PROTOCOLS))
    target: Any = port["targetPort"]
    wrong = fields.port_name(target) if isinstance(target, str) else fields.port_number(target)
    if wrong:
        errors.append(fields.invalid(f"{path}.targetPort", target, wrong))
    if (protocol := port.get("appProtocol")) and (wrong := fields.qualified_name(protocol)):
        errors.append(fields.invalid(f"{path}.appProtocol", protocol, wrong))
    if port.get("nodePort") and service_type == "ClusterIP":
        errors.append(fields.forbidden(f"{path}.nodePort", "may not be used when `type` is 'ClusterIP'"))
    return errors


def _distinct_ports(ports: list[Object]) -> Errors:
    errors: Errors = []
    names: set[str] = set()
    numbers: set[tuple[str, int]] = set()
    for i, port in enumerate(ports):
        name, number = port.get("name", ""), (port["protocol"], port["port"])
        if len(ports) > 1 and not name:
            errors.append(fields.required(f"spec.ports[{i}].name"))
        elif name in names:
            errors.append(fields.duplicate(f"spec.ports[{i}].name", name))
        if number in numbers:
            errors.append(fields.duplicate(f"spec.ports[{i}]", {"port": port["port"], "protocol": port["protocol"]}))
        names |= {name} - {""}
        numbers.add(number)
    return errors


def _cluster_ip(spec: Object) -> Errors:
    address = spec.get("clusterIP", "")
    if spec["type"] == "ExternalName" and address:
        return [fields.forbidden("spec.clusterIPs[0]", "may not be set when `type` is 'ExternalName'")]
    if address in ("", "None") or _is_ip(address):
        return []
    say = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
    return [fields.invalid("spec.clusterIPs[0]", address, say)]


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
