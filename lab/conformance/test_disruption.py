"""PodDisruptionBudgets: what they would allow now. Whether anything is evicted is another matter."""

import pytest

from lab.conformance.api import Api, Object
from lab.conformance.manifests import SLEEP, container, deployment, pod

BUDGETS: list[tuple[Object, Object]] = [
    ({"maxUnavailable": 1}, {"desiredHealthy": 1, "disruptionsAllowed": 1}),
    ({"maxUnavailable": "50%"}, {"desiredHealthy": 1, "disruptionsAllowed": 1}),
    ({"maxUnavailable": 0}, {"desiredHealthy": 2, "disruptionsAllowed": 0}),
    ({"minAvailable": "75%"}, {"desiredHealthy": 2, "disruptionsAllowed": 0}),
    ({"minAvailable": 1}, {"desiredHealthy": 1, "disruptionsAllowed": 1}),
    ({"minAvailable": 3}, {"desiredHealthy": 3, "disruptionsAllowed": 0}),
]


async def until_it_says(api: Api, name: str, wanted: Object) -> None:
    def says(budget: Object) -> bool:
        return bool(wanted.items() <= budget.get("status", {}).items())

    await api.until_one("poddisruptionbudgets", name, says, f"says {wanted}")


@pytest.mark.parametrize(("spec", "status"), BUDGETS)
async def test_a_budget_says_how_many_pods_may_go(api: Api, spec: Object, status: Object) -> None:
    await api.create("deployments", deployment("web", container(SLEEP), replicas=2))
    own = {"selector": {"matchLabels": {"app": "web"}}} | spec
    await api.create("poddisruptionbudgets", {"metadata": {"name": "web"}, "spec": own})
    await until_it_says(api, "web", {"expectedPods": 2, "currentHealthy": 2} | status)
    enough = "SufficientPods" if status["disruptionsAllowed"] else "InsufficientPods"
    [condition] = (await api.get("poddisruptionbudgets", "web"))["status"]["conditions"]
    assert (condition["type"], condition["reason"]) == ("DisruptionAllowed", enough)


async def test_a_budget_follows_its_pods(api: Api) -> None:
    await api.create("deployments", deployment("web", container(SLEEP), replicas=1))
    spec = {"selector": {"matchLabels": {"app": "web"}}, "minAvailable": 1}
    await api.create("poddisruptionbudgets", {"metadata": {"name": "web"}, "spec": spec})
    await until_it_says(api, "web", {"currentHealthy": 1, "disruptionsAllowed": 0})
    await api.create("pods", pod("other", container(SLEEP), labels={"app": "elsewhere"}))
    await api.patch("deployments", "web", {"spec": {"replicas": 2}}, subresource="scale")
    await until_it_says(api, "web", {"currentHealthy": 2, "disruptionsAllowed": 1})
    await api.patch("deployments", "web", {"spec": {"replicas": 0}}, subresource="scale")
    await until_it_says(api, "web", {"expectedPods": 0, "currentHealthy": 0, "disruptionsAllowed": 0})
