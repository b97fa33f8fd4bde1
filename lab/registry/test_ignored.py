"""What the lab takes and ignores: named where a cluster would behave differently, and only there."""

import pytest

from lab.api.resources import RESOURCES
from lab.api.store import Object
from lab.registry.ignored import warnings
from lab.registry.test_validation import C, deployment, full, job, pod


@pytest.mark.parametrize(
    "body",
    [
        pod({"securityContext": {"runAsNonRoot": True}, "resources": {"limits": {"cpu": 1}}}, tolerations=[]),
        pod(volumes=[{"name": "v", "emptyDir": {}}, {"name": "c", "configMap": {"name": "c"}}]),
    ],
)
def test_what_every_manifest_has_is_not_warned_of(body: Object) -> None:
    assert warnings(RESOURCES["pods"], full("pods", body)) == []


@pytest.mark.parametrize(
    ("plural", "body", "path"),
    [
        ("pods", pod(affinity={"podAffinity": {}}), "spec.affinity"),
        (
            "deployments",
            deployment(template={"spec": {"hostNetwork": True, "containers": [C]}}),
            "spec.template.spec.hostNetwork",
        ),
        ("pods", pod(volumes=[{"name": "v", "hostPath": {"path": "/"}}]), "spec.volumes[0].hostPath"),
        ("services", {"spec": {"type": "NodePort", "ports": [{"port": 1}]}}, "spec.type: NodePort"),
        ("jobs", job(completionMode="Indexed", completions=1), "spec.completionMode: Indexed"),
        ("networkpolicies", {"spec": {"podSelector": {}}}, "this NetworkPolicy"),
    ],
)
def test_what_a_cluster_would_act_upon_is_warned_of(plural: str, body: Object, path: str) -> None:
    (warning,) = warnings(RESOURCES[plural], full(plural, body))
    assert warning.startswith(f"the lab stores {path} and ignores it: ")
