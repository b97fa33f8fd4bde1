"""What a Namespace says to those who write into it, or run in it."""

from lab.apimachinery.store import Store

DNS = "lab/dns"  # the annotation that says where its pods ask for names: IP:PORT


def is_terminating(store: Store, name: str) -> bool:
    """Whether this namespace is being deleted, so that nothing new may be created in it."""
    namespace = store.find("namespaces", "", name)
    return namespace is not None and "deletionTimestamp" in namespace["metadata"]


async def dns_address(store: Store, name: str) -> str:
    """Where the pods of a namespace ask for names, IP:PORT; waits until somebody answers there."""
    with store.watch(["namespaces"]) as events:
        async for event in events:
            meta = event.object["metadata"]
            if meta["name"] == name and (address := meta.get("annotations", {}).get(DNS)):
                return str(address)
    raise RuntimeError("the store has been closed")
