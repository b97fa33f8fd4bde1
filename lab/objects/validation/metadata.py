"""What an object's metadata must be, and the selectors that stand for labels."""

from lab.apimachinery.store import Object
from lab.objects.validation.fields import (
    LABEL_VALUE,
    QUALIFIED_NAME,
    Errors,
    forbidden,
    formed,
    invalid,
    required,
)

FINALIZERS = ("foregroundDeletion", "kubernetes", "orphan")  # those without a domain


def metadata(meta: Object, path: str) -> Errors:
    path = path.replace("template.metadata.", "template.")  # as Kubernetes names them
    found = labels(meta.get("labels", {}), f"{path}labels")
    # Unlike labels' keys, these are compared without regard to case.
    found += [
        e for key in meta.get("annotations", {}) for e in formed(QUALIFIED_NAME)(f"{path}annotations", key.lower())
    ]
    for i, finalizer in enumerate(meta.get("finalizers", [])):
        found += formed(QUALIFIED_NAME)(f"{path}finalizers", finalizer)
        if "/" not in finalizer and finalizer not in FINALIZERS:
            found.append(invalid(f"{path}finalizers[{i}]", finalizer, "must begin with a domain, as example.com/name"))
    return found


def labels(given: dict[str, str], path: str) -> Errors:
    """Of an object, or of a selector that stands for them."""
    keys = [e for key in given for e in formed(QUALIFIED_NAME)(path, key)]
    return keys + [e for value in given.values() for e in formed(LABEL_VALUE)(path, value)]


def selector(given: Object, path: str) -> Errors:
    return labels(given.get("matchLabels", {}), f"{path}matchLabels")


def requirement(expression: Object, path: str) -> Errors:
    operator, values = expression.get("operator", ""), expression.get("values")
    found = formed(QUALIFIED_NAME)(f"{path}key", expression.get("key", ""))
    if operator not in ("In", "NotIn", "Exists", "DoesNotExist"):
        found.append(invalid(f"{path}operator", operator, "must be In, NotIn, Exists or DoesNotExist"))
    elif operator in ("In", "NotIn") and not values:
        found.append(required(f"{path}values", "the operators In and NotIn compare with values"))
    elif operator in ("Exists", "DoesNotExist") and values:
        found.append(forbidden(f"{path}values", "the operators Exists and DoesNotExist take none"))
    return found


def is_selector(given: Object) -> bool:
    """Whether it is one that can be asked whether it selects something."""
    return not selector(given, "") and not any(requirement(e, "") for e in given.get("matchExpressions", []))
