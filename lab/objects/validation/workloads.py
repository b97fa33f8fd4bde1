"""What the fields of Deployments, ReplicaSets and Jobs must be to each other; `path` is how their paths begin."""

from lab.apimachinery.ownership import selects
from lab.apimachinery.store import Object
from lab.objects.validation.fields import Errors, forbidden, invalid, one_of, required
from lab.objects.validation.metadata import is_selector

JOB_SELECTOR = {"matchLabels": ["batch.kubernetes.io/controller-uid"]}


def deployment(spec: Object, path: str) -> Errors:
    found = selected(spec, path)
    kind, rolling = spec["strategy"]["type"], spec["strategy"].get("rollingUpdate")
    at = f"{path}strategy.rollingUpdate"
    if rolling and kind == "Recreate":
        found.append(forbidden(at, "may not be specified when strategy `type` is 'Recreate'"))
    elif (
        rolling
        and kind == "RollingUpdate"
        and {str(rolling["maxSurge"]), str(rolling["maxUnavailable"])} <= {"0", "0%"}
    ):
        found.append(invalid(f"{at}.maxUnavailable", rolling["maxUnavailable"], "may not be 0 when `maxSurge` is 0"))
    deadline = spec["progressDeadlineSeconds"]
    if 0 <= deadline <= spec.get("minReadySeconds", 0):
        found.append(invalid(f"{path}progressDeadlineSeconds", deadline, "must be greater than minReadySeconds"))
    return found


def selected(spec: Object, path: str) -> Errors:
    """A selector, and a template of pods that it selects and that restart."""
    selector, template = spec.get("selector"), spec["template"]
    found = one_of("Always")(f"{path}template.spec.restartPolicy", template["spec"]["restartPolicy"])
    if "activeDeadlineSeconds" in template["spec"]:
        found.append(forbidden(f"{path}template.spec.activeDeadlineSeconds", "these pods run until they are deleted"))
    if selector == {}:
        return [*found, invalid(f"{path}selector", {}, "must not be empty")]
    return found + _selecting(spec, path)


def _selecting(spec: Object, path: str) -> Errors:
    selector, labels = spec.get("selector"), spec["template"]["metadata"].get("labels", {})
    if selector and not is_selector(selector):
        return [invalid(f"{path}selector", selector, "invalid label selector")]
    if selector and selects(selector, labels):
        return []
    return [invalid(f"{path}template.metadata.labels", labels, "`selector` does not match template `labels`")]


def job(spec: Object, path: str) -> Errors:
    found = _selecting(spec, path)
    selector = spec.get("selector")
    if selector is None:
        found.append(required(f"{path}selector"))
    elif not spec.get("manualSelector") and {k: list(v) for k, v in selector.items()} != JOB_SELECTOR:
        found.append(invalid(f"{path}selector", selector, "`selector` not auto-generated"))
    if spec["template"]["spec"]["restartPolicy"] == "Always":
        found.append(required(f"{path}template.spec.restartPolicy", "must be OnFailure or Never"))
    if spec["completionMode"] != "Indexed":
        indexed = [field for field in ("backoffLimitPerIndex", "maxFailedIndexes", "successPolicy") if field in spec]
        found += [invalid(f"{path}{field}", spec[field], "requires the completionMode Indexed") for field in indexed]
    if "maxFailedIndexes" in spec and "backoffLimitPerIndex" not in spec:
        found.append(required(f"{path}backoffLimitPerIndex", "when maxFailedIndexes is specified"))
    return found
