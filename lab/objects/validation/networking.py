"""What the fields of Services, EndpointSlices and Ingresses must be to each other; `path` is how their paths begin."""

import ipaddress

from lab.apimachinery.store import Object
from lab.objects.validation.fields import (
    DNS_1035_LABEL,
    DNS_SUBDOMAIN,
    PORT_NAME,
    Errors,
    distinct,
    forbidden,
    formed,
    invalid,
    is_ip,
    name,
    one_of,
    required,
)
from lab.objects.validation.metadata import labels

LOAD_BALANCER = ("allocateLoadBalancerNodePorts", "loadBalancerClass", "loadBalancerSourceRanges")


def service(spec: Object, path: str) -> Errors:
    ports, address = spec.get("ports", []), spec.get("clusterIP", "")
    found = labels(spec.get("selector", {}), f"{path}selector")
    if spec["type"] == "ExternalName":
        found += name(DNS_SUBDOMAIN)(f"{path}externalName", spec.get("externalName", "").removesuffix("."))
        found += [forbidden(f"{path}clusterIPs", "an ExternalName has no address")] if address else []
    else:
        found += [] if ports or address == "None" else [required(f"{path}ports")]
        found += _address(spec, path)
    found += _exposed(spec, path)
    for i, port in enumerate(ports):
        if len(ports) > 1 and not port.get("name"):
            found.append(required(f"{path}ports[{i}].name", "a Service of several ports names them"))
    found += distinct((f"{path}ports[{i}].name", port.get("name", "")) for i, port in enumerate(ports))
    numbers = ({"port": port.get("port"), "protocol": port["protocol"]} for port in ports)
    return found + distinct((f"{path}ports[{i}]", number) for i, number in enumerate(numbers))


def _address(spec: Object, path: str) -> Errors:
    """The clusterIP, which stands in clusterIPs too."""
    address, addresses = spec.get("clusterIP", ""), spec.get("clusterIPs", [])
    found = []
    if addresses and addresses[0] != address:
        say = "first value must match `clusterIP`" if address else "must be empty when `clusterIP` is not specified"
        found.append(invalid(f"{path}clusterIPs", addresses, say))
    first = addresses[0] if addresses else address
    if first == "None" and spec["type"] in ("NodePort", "LoadBalancer"):
        found.append(invalid(f"{path}clusterIPs[0]", first, f"may not be 'None' for {spec['type']} services"))
    elif first not in ("", "None") and not is_ip(first):
        found.append(invalid(f"{path}clusterIPs[0]", first, "must be a valid IP address"))
    elif ":" in first or (first not in ("", "None") and spec["ipFamilies"][0] != "IPv4"):
        found.append(invalid(f"{path}clusterIPs[0]", first, "must be of the first of `ipFamilies`, IPv4 in the lab"))
    return found


def _exposed(spec: Object, path: str) -> Errors:
    """What is for the types of Services only that are reached from outside."""
    kind, found = spec["type"], []
    for i, port in enumerate(spec.get("ports", [])):
        if port.get("nodePort") and kind not in ("NodePort", "LoadBalancer"):
            found.append(forbidden(f"{path}ports[{i}].nodePort", f"may not be used when `type` is '{kind}'"))
    if kind != "LoadBalancer":
        given = [field for field in LOAD_BALANCER if spec.get(field) is not None]
        found += [forbidden(f"{path}{field}", "may only be used when `type` is 'LoadBalancer'") for field in given]
    policy, outside = spec.get("externalTrafficPolicy"), kind in ("NodePort", "LoadBalancer") or "externalIPs" in spec
    if policy and not outside:
        found.append(invalid(f"{path}externalTrafficPolicy", policy, "is for services that are reached from outside"))
    elif policy:
        found += one_of("Cluster", "Local")(f"{path}externalTrafficPolicy", policy)
    check = spec.get("healthCheckNodePort", 0)
    if check and (kind != "LoadBalancer" or policy != "Local"):
        found.append(
            invalid(f"{path}healthCheckNodePort", check, "is for LoadBalancers of externalTrafficPolicy Local")
        )
    for i, address in enumerate(spec.get("externalIPs", [])):
        if not is_ip(address) or ipaddress.ip_address(address).is_loopback:
            found.append(invalid(f"{path}externalIPs[{i}]", address, "must be an IP address that is not a loopback's"))
    return found + distinct((f"{path}ipFamilies[{i}]", family) for i, family in enumerate(spec.get("ipFamilies", [])))


def endpointslice(slice_: Object, _: str) -> Errors:
    return [
        invalid(f"endpoints[{i}].addresses[{j}]", address, "must be a valid IP address")
        for i, endpoint in enumerate(slice_.get("endpoints", []))
        for j, address in enumerate(endpoint.get("addresses", []))
        if slice_.get("addressType") != "FQDN" and not is_ip(address)
    ]


def ingress(spec: Object, path: str) -> Errors:
    if "rules" in spec or "defaultBackend" in spec:
        return []
    return [invalid(path.removesuffix("."), [], "either `defaultBackend` or `rules` must be specified")]


def ingress_rule(rule: Object, path: str) -> Errors:
    """A host is a DNS name, whose first label may be a `*`."""
    host = rule.get("host", "")
    if host and is_ip(host):
        return [invalid(f"{path}host", host, "must be a DNS name, not an IP address")]
    return formed(DNS_SUBDOMAIN)(f"{path}host", host.removeprefix("*.")) if host else []


def ingress_path(of: Object, path: str) -> Errors:
    given = of.get("path", "")
    if not given.startswith("/") and (given or of.get("pathType") != "ImplementationSpecific"):
        return [invalid(f"{path}path", given, "must be an absolute path")]
    odd = [part for part in ("//", "/./", "/../", "%2f", "%2F") if part in given]
    odd += [end for end in ("/.", "/..") if given.endswith(end)]
    if odd and of.get("pathType") != "ImplementationSpecific":
        return [invalid(f"{path}path", given, f"must not contain '{odd[0]}'")]
    return []


def ingress_backend(backend: Object, path: str) -> Errors:
    at = path.removesuffix(".")
    if len(backend.keys() & {"service", "resource"}) != 1:
        return [invalid(at, "", "either a `service` or a `resource` must be specified, and not both")]
    if "service" not in backend:
        return []
    service, port = backend["service"], backend["service"].get("port", {})
    found = name(DNS_1035_LABEL)(f"{at}.service.name", service.get("name", ""))
    if not (port.get("name") or port.get("number")):
        found.append(required(at, "the port's name or number is required"))
    elif port.get("name") and port.get("number"):
        found.append(invalid(at, "", "the port's name and number may not both be set"))
    elif port.get("name"):
        found += formed(PORT_NAME)(f"{at}.service.port.name", port["name"])
    elif not 1 <= port["number"] <= 65535:
        found.append(invalid(f"{at}.service.port.number", port["number"], "must be between 1 and 65535, inclusive"))
    return found
