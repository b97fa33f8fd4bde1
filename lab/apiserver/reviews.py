"""Who am I, and may I: the lab knows one user, who may do everything (`kubectl auth whoami`, `kubectl auth can-i`).

Stands for the virtual resources of authentication.k8s.io and authorization.k8s.io.
"""

from lab.apimachinery.resources import Resource
from lab.apimachinery.store import Object
from lab.objects.ignored import NO_RBAC

AUTHENTICATION, AUTHORIZATION = "authentication.k8s.io/v1", "authorization.k8s.io/v1"
USER = {"username": "lab", "groups": ["system:masters", "system:authenticated"]}
EVERYTHING = {
    "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}],
    "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
    "incomplete": False,
}

REVIEWS: dict[str, Resource] = {
    resource.plural: resource
    for resource in (
        Resource("selfsubjectreviews", "SelfSubjectReview", AUTHENTICATION, namespaced=False),
        Resource("selfsubjectaccessreviews", "SelfSubjectAccessReview", AUTHORIZATION, namespaced=False),
        Resource("selfsubjectrulesreviews", "SelfSubjectRulesReview", AUTHORIZATION, namespaced=False),
    )
}
STATUSES: dict[str, Object] = {
    "selfsubjectreviews": {"userInfo": USER},
    "selfsubjectaccessreviews": {"allowed": True, "reason": NO_RBAC},
    "selfsubjectrulesreviews": EVERYTHING,
}


def review_at(path: str) -> Resource | None:
    """The review that is created by a POST to this path."""
    match path.strip("/").split("/"):
        case ["apis", group, version, plural] if plural in REVIEWS:
            return REVIEWS[plural] if REVIEWS[plural].group_version == f"{group}/{version}" else None
    return None


def review(resource: Resource) -> Object:
    """The answer, which is the same whatever is asked."""
    about = {"apiVersion": resource.group_version, "kind": resource.kind, "metadata": {}}
    return about | {"spec": {}, "status": STATUSES[resource.plural]}
