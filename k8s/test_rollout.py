"""A rollout outlasts what clients remember of DNS: each strategy's preStop is enough, and less than that is not.

`rollout` in expectations.toml says what is too short, and which clients would notice.
"""

import sys
import time
from collections.abc import Callable

import pytest

from catalogue import Demo, demos
from compare.namespace import COMPONENT
from testing.cluster import Measuring, OwnNamespace, deployment, pod_spec, stop, until


@pytest.mark.parametrize("enough", [True, False])
@pytest.mark.parametrize(
    "strategy", [demo for demo in demos() if "rollout" in demo.expectations], ids=lambda demo: demo.name
)
def test_a_restart_at_the_worst_moment_fails_no_call_if_old_pods_serve_on_for_long_enough(
    namespace: OwnNamespace, strategy: Demo, enough: bool
) -> None:
    """Right after the cluster's DNS has cached an answer.

    Two servers, and no minReadySeconds: the sooner all are replaced, the worse. The preStop alone must be enough.
    """
    rollout = strategy.expectations["rollout"]
    ask = asking_dns(namespace)
    objects = strategy.objects()
    deployment(objects)["spec"] |= {"replicas": 2, "minReadySeconds": 0}
    pre_stop = pod_spec(objects)["containers"][0]["lifecycle"]["preStop"]["sleep"]
    assert pre_stop["seconds"] > rollout["too_short"]
    if not enough:
        pre_stop["seconds"] = rollout["too_short"]
    namespace.apply_objects(objects)
    namespace.rolled_out()
    old = namespace.wait_ready(2)
    clients: list[Measuring] = []
    began = time.monotonic()
    while len(clients) < rollout["clients"]:
        time.sleep(max(0.0, began + 5 * len(clients) - time.monotonic()))  # their turns are what is tried
        clients.append(namespace.measure("--duration=1h", "--rate=20", *rollout["flags"], backends=2))
    until("an answer that has just been cached", ask, every=0.1)
    if enough:
        namespace.kubectl("rollout", "restart", "deployment/greeter-server")
    else:  # all at once, as fast as a rollout can ever be: how soon new pods start decides nothing
        namespace.kubectl("delete", "pods", "-l", f"{COMPONENT}=server", "--wait=false")
    namespace.rolled_out()
    namespace.gone(2)
    assert not old & namespace.wait_ready(2)
    time.sleep(3)  # of calls after that
    failed, attempts, results = stop(clients)
    by_client = [result["failed_attempts"] for result in results]
    print(f"{strategy.name}, preStop {pre_stop['seconds']} s: {failed} of {attempts} attempts failed: {by_client}")
    assert (failed == 0) == enough, results[0]["failure_details"]


def asking_dns(namespace: OwnNamespace) -> Callable[[], bool]:
    """Asks the cluster's DNS for the servers' name; whether the answer has been cached since it was asked last."""
    left = [sys.maxsize]  # seconds for which the answer may be kept, as it said

    def ask() -> bool:
        left.append(min(record.ttl for record in namespace.ask_dns("greeter-server").rr))
        return left[-1] > left[-2]

    return ask
