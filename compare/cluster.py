"""What the figures were measured on: the cluster, this machine, the versions."""

import importlib.metadata
import os
import platform
import re
from dataclasses import asdict, dataclass
from typing import Any

from lightkube import ApiError

from compare.api import Api

STOCK_CACHE = 30.0  # seconds that the stock Corefile keeps an answer (`cache 30`)
COREFILE = "/api/v1/namespaces/kube-system/configmaps/coredns"


@dataclass(frozen=True)
class DnsCache:
    """How long the cluster's DNS may answer with what is no longer so."""

    seconds: float
    known: bool  # or taken to be CoreDNS's stock configuration, which can't be read here


async def dns_cache(api: Api) -> DnsCache:
    """From the Corefile, where kubeadm, kind and others keep it (CoreDNS's plugin `cache`)."""
    try:
        corefile = (await api.get(COREFILE))["data"]["Corefile"]
    except (ApiError, KeyError):
        return DnsCache(STOCK_CACHE, known=False)
    seconds = [float(number) for number in re.findall(r"^\s*cache\s+(\d+)", corefile, re.MULTILINE)]
    return DnsCache(max(seconds), known=True) if seconds else DnsCache(STOCK_CACHE, known=False)


async def describe(api: Api, dns: DnsCache) -> dict[str, Any]:
    """The cluster and the machine, for the JSON and the page."""
    try:
        nodes = (await api.get("/api/v1/nodes"))["items"]
    except ApiError:
        nodes = []  # not everybody may see them
    return {
        "kubernetes": (await api.get("/version"))["gitVersion"],
        "nodes": [
            {
                "cpu": node["status"].get("capacity", {}).get("cpu", "?"),
                "container_runtime": node["status"].get("nodeInfo", {}).get("containerRuntimeVersion", "?"),
                "kubelet": node["status"].get("nodeInfo", {}).get("kubeletVersion", "?"),
            }
            for node in nodes
        ],
        "dns_cache": asdict(dns),
        "compare_runs_on": {"machine": platform.machine(), "cpus": os.cpu_count(), "system": platform.platform()},
        "versions": {"python": platform.python_version(), "grpcio": importlib.metadata.version("grpcio")},
    }
