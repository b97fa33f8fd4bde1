"""Where a demo's edge is: the address that its Ingress or Gateway has been given, which its status tells."""

from compare.api import Api, Object

KINDS = ("Ingress", "Gateway")


def address(obj: Object) -> str:
    """Of an Ingress (networking.k8s.io) or a Gateway (gateway.networking.k8s.io); "" where it has none yet."""
    status = obj.get("status", {})
    given = status.get("addresses") or status.get("loadBalancer", {}).get("ingress") or [{}]
    return str(given[0].get("value") or given[0].get("ip") or given[0].get("hostname") or "")


async def wait(api: Api, namespace: str, obj: Object) -> str:
    """Its address, once it has one."""
    path = await api.path(obj["apiVersion"], obj["kind"], namespace)
    async for found in api.watch(path, fieldSelector=f"metadata.name={obj['metadata']['name']}"):
        for edge in found.values():
            if given := address(edge):
                return given
    raise AssertionError("a watch has no end")
