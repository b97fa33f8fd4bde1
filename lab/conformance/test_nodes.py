"""Nodes: each says by its lease that it is there."""

from lightkube.config.kubeconfig import SingleConfig

from lab.conformance.api import Api, Object
from lab.conformance.states import names


async def test_a_node_renews_its_lease(config: SingleConfig, root: Api) -> None:
    [node, *_] = names((await root.list("nodes"))["items"])
    leases = Api(config, "kube-node-lease")
    async with leases.http:
        spec = (await leases.get("leases", node))["spec"]
        assert (spec["holderIdentity"], spec["leaseDurationSeconds"]) == (node, 40)

        def renewed(lease: Object) -> bool:
            return bool(lease["spec"]["renewTime"] > spec["renewTime"])

        await leases.until_one("leases", node, renewed, "is renewed")
