"""What `kubectl get` shows of each kind: the columns and an object's cells in them.

Stands for k8s.io/kubernetes/pkg/printers/internalversion. Columns whose names start with "+" show with -o wide.
"""

import time
from collections.abc import Callable, Iterable
from typing import Any

from lab.apimachinery.store import Object
from lab.apimachinery.timestamps import epoch
from lab.apiserver import pod_printer
from lab.apiserver.durations import UNKNOWN, human, since

Cells = list[Any]
NONE, UNSET = "<none>", "<unset>"
WORKLOAD_WIDE = "+Containers +Images +Selector"


def columns(plural: str) -> list[tuple[str, bool]]:
    """The names of a kind's columns, and whether they need -o wide."""
    names = KINDS.get(plural, DEFAULT)[0].split(" ")
    return [(name.removeprefix("+").replace("_", " "), name.startswith("+")) for name in names]


def cells(plural: str, obj: Object) -> Cells:
    """An object's cells, one for each column."""
    return KINDS.get(plural, DEFAULT)[1](obj)


def _age(obj: Object) -> str:
    return since(obj["metadata"]["creationTimestamp"])


def _name(obj: Object) -> str:
    return str(obj["metadata"]["name"])


def _joined(values: Iterable[Any], empty: str = NONE) -> str:
    return ",".join(map(str, values)) or empty


def labels(found: dict[str, str]) -> str:
    """Labels, or a selector that is made of them."""
    return _joined(f"{key}={found[key]}" for key in sorted(found))


def label_selector(selector: Object | None) -> str:
    """A LabelSelector as people write it (metav1.FormatLabelSelector)."""
    if selector is None:
        return NONE
    parts = [f"{key}={value}" for key, value in sorted(selector.get("matchLabels", {}).items())]
    for expression in selector.get("matchExpressions", []):
        key, values = expression["key"], ",".join(sorted(expression.get("values", [])))
        match expression["operator"]:
            case "Exists":
                parts.append(key)
            case "DoesNotExist":
                parts.append(f"!{key}")
            case operator:
                parts.append(f"{key} {operator.lower()} ({values})")
    return _joined(parts)


def _template(obj: Object) -> Cells:
    """Containers, images and selector of what has a pod template."""
    containers = obj["spec"]["template"]["spec"]["containers"]
    names, images = ([c.get(field, "") for c in containers] for field in ("name", "image"))
    return [_joined(names), _joined(images), label_selector(obj["spec"].get("selector"))]


def _deployment(obj: Object) -> Cells:
    status = obj.get("status", {})
    ready = f"{status.get('readyReplicas', 0)}/{obj['spec'].get('replicas', 1)}"
    counts = [status.get("updatedReplicas", 0), status.get("availableReplicas", 0)]
    return [_name(obj), ready, *counts, _age(obj), *_template(obj)]


def _replicaset(obj: Object) -> Cells:
    status = obj.get("status", {})
    counts = [obj["spec"].get("replicas", 1), status.get("replicas", 0), status.get("readyReplicas", 0)]
    return [_name(obj), *counts, _age(obj), *_template(obj)]


def _job(obj: Object) -> Cells:
    spec, status = obj["spec"], obj.get("status", {})
    succeeded, completions = status.get("succeeded", 0), spec.get("completions")
    if completions is None:
        parallelism = spec.get("parallelism", 1)
        completions = f"1 of {parallelism}" if parallelism > 1 else 1
    duration = ""
    if start := status.get("startTime"):
        end = status.get("completionTime")
        duration = human((epoch(end) if end else time.time()) - epoch(start))
    return [_name(obj), _job_status(obj), f"{succeeded}/{completions}", duration, _age(obj), *_template(obj)]


def _job_status(obj: Object) -> str:
    true = {c["type"] for c in obj.get("status", {}).get("conditions", []) if c["status"] == "True"}
    for condition in ("Complete", "Failed"):
        if condition in true:
            return condition
    if "deletionTimestamp" in obj["metadata"]:
        return "Terminating"
    return "Suspended" if "Suspended" in true else "Running"


def _service(obj: Object) -> Cells:
    spec = obj["spec"]
    external = _joined(spec.get("externalIPs", []))
    if spec["type"] == "ExternalName":
        external = spec.get("externalName", NONE)
    elif spec["type"] == "LoadBalancer" and external == NONE:
        external = "<pending>"
    ports = _joined(map(_service_port, spec.get("ports", [])))
    address = spec.get("clusterIP") or NONE
    return [_name(obj), spec["type"], address, external, ports, _age(obj), labels(spec.get("selector", {}))]


def _service_port(port: Object) -> str:
    node = f":{port['nodePort']}" if port.get("nodePort") else ""
    return f"{port['port']}{node}/{port['protocol']}"


def _ingress(obj: Object) -> Cells:
    spec = obj["spec"]
    hosts = _first([rule["host"] for rule in spec.get("rules", []) if rule.get("host")], "*")
    given = obj["status"].get("loadBalancer", {}).get("ingress", [])
    addresses = _joined((at.get("ip") or at.get("hostname", "") for at in given), "")
    ports = "80, 443" if spec.get("tls") else "80"
    return [_name(obj), spec.get("ingressClassName", NONE), hosts, addresses, ports, _age(obj)]


def _ingressclass(obj: Object) -> Cells:
    spec = obj.get("spec", {})
    parameters = spec.get("parameters")
    named = f"{parameters['kind']}.{parameters.get('apiGroup', '')}/{parameters['name']}" if parameters else NONE
    return [_name(obj), spec.get("controller", ""), named, _age(obj)]


def _endpointslice(obj: Object) -> Cells:
    ports = [str(port["port"]) for port in obj.get("ports") or [] if "port" in port]
    addresses = [endpoint["addresses"][0] for endpoint in obj.get("endpoints") or []]
    return [_name(obj), obj["addressType"], _first(ports, UNSET), _first(addresses, UNSET), _age(obj)]


def _first(values: list[str], empty: str) -> str:
    """The first three of a list (formatDiscoveryPorts)."""
    more = f" + {len(values) - 3} more..." if len(values) > 3 else ""
    return _joined(values[:3], empty) + more


def _node(obj: Object) -> Cells:
    status = obj.get("status", {})
    ready = next((c["status"] for c in status.get("conditions", []) if c["type"] == "Ready"), "Unknown")
    state = {"True": "Ready", "False": "NotReady"}.get(ready, "Unknown")
    if obj.get("spec", {}).get("unschedulable"):
        state += ",SchedulingDisabled"
    prefix = "node-role.kubernetes.io/"
    roles = _joined(key.removeprefix(prefix) for key in obj["metadata"].get("labels", {}) if key.startswith(prefix))
    info = status.get("nodeInfo", {})
    address = next((a["address"] for a in status.get("addresses", []) if a["type"] == "InternalIP"), NONE)
    versions = [info.get(field) or UNKNOWN for field in ("osImage", "kernelVersion", "containerRuntimeVersion")]
    return [_name(obj), state, roles, _age(obj), info.get("kubeletVersion", ""), address, *versions]


def _namespace(obj: Object) -> Cells:
    return [_name(obj), obj.get("status", {}).get("phase", ""), _age(obj)]


def _configmap(obj: Object) -> Cells:
    return [_name(obj), len(obj.get("data", {})) + len(obj.get("binaryData", {})), _age(obj)]


def _secret(obj: Object) -> Cells:
    return [_name(obj), obj.get("type", ""), len(obj.get("data", {})), _age(obj)]


def _event(obj: Object) -> Cells:
    first = since(obj.get("firstTimestamp") or obj.get("eventTime"))
    last = since(obj.get("lastTimestamp") or obj.get("firstTimestamp") or obj.get("eventTime"))
    about = obj["involvedObject"]
    target = f"{about.get('kind', '').lower()}/{about.get('name', '')}".removesuffix("/")
    head = [last, obj.get("type", ""), obj.get("reason", ""), target, obj.get("message", "").strip()]
    return [*head, first, obj.get("count", 1), _name(obj)]


def _lease(obj: Object) -> Cells:
    return [_name(obj), obj.get("spec", {}).get("holderIdentity", ""), _age(obj)]


def _pdb(obj: Object) -> Cells:
    spec = obj["spec"]
    limits = [str(spec.get(field, "N/A")) for field in ("minAvailable", "maxUnavailable")]
    return [_name(obj), *limits, obj.get("status", {}).get("disruptionsAllowed", 0), _age(obj)]


def _default(obj: Object) -> Cells:
    return [_name(obj), _age(obj)]


DEFAULT: tuple[str, Callable[[Object], Cells]] = ("Name Age", _default)
KINDS: dict[str, tuple[str, Callable[[Object], Cells]]] = {
    "pods": ("Name Ready Status Restarts Age +IP +Node +Nominated_Node +Readiness_Gates", pod_printer.cells),
    "deployments": (f"Name Ready Up-to-date Available Age {WORKLOAD_WIDE}", _deployment),
    "replicasets": (f"Name Desired Current Ready Age {WORKLOAD_WIDE}", _replicaset),
    "jobs": (f"Name Status Completions Duration Age {WORKLOAD_WIDE}", _job),
    "services": ("Name Type Cluster-IP External-IP Port(s) Age +Selector", _service),
    "ingresses": ("Name Class Hosts Address Ports Age", _ingress),
    "ingressclasses": ("Name Controller Parameters Age", _ingressclass),
    "endpointslices": ("Name AddressType Ports Endpoints Age", _endpointslice),
    "nodes": (
        "Name Status Roles Age Version +Internal-IP +OS-Image +Kernel-Version +Container-Runtime",
        _node,
    ),
    "namespaces": ("Name Status Age", _namespace),
    "configmaps": ("Name Data Age", _configmap),
    "secrets": ("Name Type Data Age", _secret),
    "events": ("Last_Seen Type Reason Object Message +First_Seen +Count +Name", _event),
    "leases": ("Name Holder Age", _lease),
    "poddisruptionbudgets": ("Name Min_Available Max_Unavailable Allowed_Disruptions Age", _pdb),
}
