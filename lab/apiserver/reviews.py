"""May I: the lab knows one user, who may do everything (`kubectl auth can-i`)."""

from lab.apimachinery.resources import Resource
from lab.apimachinery.store import Object
from lab.objects.ignored import NO_RBAC

AUTHORIZATION = "authorization.k8s.io/v1"

REVIEWS: dict[str, Resource] = {
    resource.plural: resource
    for resource in (
        Resource("selfsubjectaccessreviews", "SelfSubjectAccessReview", AUTHORIZATION, namespaced=False),
        Resource("selfsubjectrulesreviews", "SelfSubjectRulesReview", AUTHORIZATION, namespaced=False),
    )
}
STATUSES: dict[str, Object] = {
    "selfsubjectaccessreviews": {"allowed": True, "reason": NO_RBAC},
    "selfsubjectrulesreviews": {
        "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}],
        "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
        "incomplete": False,
    },
}


def review(path: str) -> Object | None:
    """The answer to a POST to this path, which is the same whatever is asked; None where there is no review."""
    resource = REVIEWS.get(path.rpartition("/")[2])
    if resource is None or path != f"/apis/{resource.group_version}/{resource.plural}":
        return None
    about = {"apiVersion": resource.group_version, "kind": resource.kind, "metadata": {}}
    return about | {"spec": {}, "status": STATUSES[resource.plural]}
