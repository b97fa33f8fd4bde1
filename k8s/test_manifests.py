"""What lies in the directories is what the cluster takes, as it is. (The lab enforces no Pod Security, and warns.)"""

from catalogue import Demo
from testing.cluster import OwnNamespace


def test_manifests_apply_under_restricted_without_a_warning_and_nothing_differs_afterwards(
    namespace: OwnNamespace, demo: Demo
) -> None:
    manifests = namespace.own(demo).manifests
    assert namespace.apply(manifests) == ""
    difference = namespace.kubectl("diff", "-f", str(manifests), ok=(0, 1))
    assert difference == ""


def test_a_pod_that_is_not_restricted_is_refused(namespace: OwnNamespace) -> None:
    answer = namespace.kubectl("run", "root", "--image=greeter:dev", "--dry-run=server", ok=(1,))
    assert answer == ""
