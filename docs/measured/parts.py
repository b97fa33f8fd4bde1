"""What each strategy's parts use while one client makes 100 calls a second: memory and CPU, as metrics-server has them.

    python -m docs.measured.parts --ingress=NAMESPACE/DEPLOYMENT build/parts.json

Each strategy is applied as its manifests lie, in a namespace of its own, as compare does it, and deleted again. The
flag names the Ingress controller, which is the cluster's and not the manifests'. (Contour runs a Gateway's beside it.)
"""

import argparse
import asyncio
import json
import re
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import Any

from catalogue import Demo, chosen
from compare import cluster
from compare.api import Api
from compare.connection import connect
from compare.job import measuring
from compare.namespace import COMPONENT, Namespace
from compare.trial import LASTING

PATIENCE = 180.0  # seconds that each wait for the cluster may take
SETTLED = 45.0  # seconds of calls before the first pause: a reading is the mean of some seconds
READINGS = 3  # the median counts
PAUSE = 15.0  # seconds between two of them
UNITS = {"n": 1e-9, "u": 1e-6, "m": 1e-3, "": 1.0, "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30}

Usage = dict[tuple[str, str, str], dict[str, float]]  # by component, pod and container: cpu in cores, memory in bytes


def main() -> None:
    flags = argparse.ArgumentParser(prog="python -m docs.measured.parts", description=__doc__)
    flags.add_argument("--ingress", default="", metavar="NAMESPACE/DEPLOYMENT", help="what serves an Ingress")
    flags.add_argument("file", type=Path, help="write the JSON there")
    flags.add_argument("strategies", nargs="*", metavar="STRATEGY[/VARIANT]", help="only these")
    arguments = flags.parse_args()
    figures = asyncio.run(_all(chosen(arguments.strategies), arguments.ingress))
    arguments.file.write_text(json.dumps(figures, indent=1) + "\n")


async def _all(demos: Sequence[Demo], ingress: str) -> dict[str, Any]:
    async with connect() as api:
        about = await cluster.describe(api, await cluster.dns_cache(api))
        about["date"] = time.strftime("%Y-%m-%d", time.gmtime())
        return {"measured_on": about, "demos": {demo.name: await _parts(api, demo, ingress) for demo in demos}}


async def _parts(api: Api, demo: Demo, ingress: str) -> dict[str, Any]:
    """Of one strategy: the client's container, and every container but the client's and the servers'."""
    print(f"{demo.name}: {PATIENCE:g} s at most until it runs, then {SETTLED + READINGS * PAUSE:g} s", flush=True)
    namespace = Namespace(api, f"parts-{demo.name}", PATIENCE)
    try:
        await namespace.create()
        async with namespace.watched():
            await namespace.apply(demo)
            async with measuring(namespace, *LASTING, backends=demo.expectations["spread"]["backends"]) as calls:
                await asyncio.sleep(SETTLED)
                readings = [await _reading(api, demo, namespace, ingress) for _ in range(READINGS)]
                result = await calls.stop()
    finally:
        await namespace.delete()
    each = {key: _median([reading[key] for reading in readings if key in reading]) for key in readings[-1]}
    client = next(used for (component, _, container), used in each.items() if (component, container) == ("client",) * 2)
    extra: dict[str, list[dict[str, float]]] = {}
    for (component, _, container), used in each.items():
        if (component, container) not in (("client", "client"), ("server", "server")):
            part = component if component == container else f"{component}: {container}"
            extra.setdefault(part, []).append(used)
    parts = [{"part": part, "pods": len(used), **_median(used)} for part, used in sorted(extra.items())]
    return {"calls": result["calls"], "failed_attempts": result["failed_attempts"], "client": client, "extra": parts}


async def _reading(api: Api, demo: Demo, namespace: Namespace, ingress: str) -> Usage:
    await asyncio.sleep(PAUSE)
    used = await _used(api, namespace.name)
    if ingress and any(obj["kind"] == "Ingress" for obj in demo.objects()):
        where, _, deployment = ingress.partition("/")
        found = await _used(api, where, "ingress-controller")
        used |= {key: use for key, use in found.items() if key[1].rsplit("-", 2)[0] == deployment}
    return used


async def _used(api: Api, namespace: str, component: str = "") -> Usage:
    """What metrics-server says of a namespace's containers; the component is their pods' label, or as given."""
    found = (await api.get(f"/apis/metrics.k8s.io/v1beta1/namespaces/{namespace}/pods"))["items"]
    used: Usage = {}
    for pod in found:
        meta = pod["metadata"]
        of = component or meta.get("labels", {}).get(COMPONENT, "?")
        for container in pod["containers"]:
            amounts = {name: quantity(container["usage"][name]) for name in ("cpu", "memory")}
            used[of, meta["name"], container["name"]] = amounts
    return used


def quantity(text: str) -> float:
    """Of Kubernetes: 12m, 3456Ki."""
    number, unit = re.fullmatch(r"([\d.]+)(\D*)", text).groups()  # type: ignore[union-attr]
    return float(number) * UNITS[unit]


def _median(used: Sequence[dict[str, float]]) -> dict[str, float]:
    return {name: round(median(each[name] for each in used), 4) for name in ("cpu", "memory")}


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main()
