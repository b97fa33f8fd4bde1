"""Deployments, ReplicaSets, Jobs and disruption budgets (k8s.io/kubernetes/pkg/apis/apps, batch and policy)."""

import re

from lab.apimachinery.ownership import selects
from lab.apimachinery.store import Object
from lab.objects.validation import fields, metadata, pods
from lab.objects.validation.fields import Errors

PERCENT = re.compile("[0-9]+%")


def validate_deployment(deployment: Object) -> Errors:
    spec = deployment["spec"]
    errors = _numbers(spec, "replicas", "minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds")
    errors += _template(spec)
    if spec["progressDeadlineSeconds"] <= spec.get("minReadySeconds", 0):
        say = "must be greater than minReadySeconds"
        errors.append(fields.invalid("spec.progressDeadlineSeconds", spec["progressDeadlineSeconds"], say))
    strategy, path = spec["strategy"], "spec.strategy"
    if strategy["type"] not in ("Recreate", "RollingUpdate"):
        errors.append(fields.unsupported(f"{path}.type", strategy["type"], ("Recreate", "RollingUpdate")))
    elif strategy["type"] == "Recreate" and "rollingUpdate" in strategy:
        say = "may not be specified when strategy `type` is 'Recreate'"
        errors.append(fields.forbidden(f"{path}.rollingUpdate", say))
    elif rolling := strategy.get("rollingUpdate"):
        errors += _int_or_percent(rolling, "maxUnavailable", f"{path}.rollingUpdate")
        errors += _int_or_percent(rolling, "maxSurge", f"{path}.rollingUpdate")
        if {str(rolling["maxSurge"]), str(rolling["maxUnavailable"])} <= {"0", "0%"}:
            say = "may not be 0 when `maxSurge` is 0"
            errors.append(fields.invalid(f"{path}.rollingUpdate.maxUnavailable", rolling["maxUnavailable"], say))
    return errors


def validate_replicaset(replicaset: Object) -> Errors:
    return _numbers(replicaset["spec"], "replicas", "minReadySeconds") + _template(replicaset["spec"])


def validate_selector_update(obj: Object, old: Object) -> Errors:
    """The selector of a Deployment or ReplicaSet can't change."""
    new = obj["spec"]["selector"]
    return [] if new == old["spec"]["selector"] else [fields.invalid("spec.selector", new, "field is immutable")]


def validate_job(job: Object) -> Errors:
    spec = job["spec"]
    limits = ("parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished")
    errors = _numbers(spec, *limits)
    if spec["completionMode"] not in (modes := ("NonIndexed", "Indexed")):
        errors.append(fields.unsupported("spec.completionMode", spec["completionMode"], modes))
    elif spec["completionMode"] == "Indexed" and "completions" not in spec:
        say = "when completion mode is Indexed"
        errors.append(fields.required("spec.completions", say))
    errors += pods.validate_spec(spec["template"]["spec"], "spec.template.spec")
    if not spec.get("manualSelector") and set(spec["selector"]) | set(spec["selector"]["matchLabels"]) != {
        "matchLabels",
        "batch.kubernetes.io/controller-uid",
    }:
        errors.append(fields.invalid("spec.selector", spec["selector"], "`selector` not auto-generated"))
    match spec["template"]["spec"]["restartPolicy"]:
        case "Always":
            errors.append(fields.required("spec.template.spec.restartPolicy", 'valid values: "OnFailure", "Never"'))
    return errors


def validate_job_update(job: Object, old: Object) -> Errors:
    """What of a Job can't change: what its pods are, and how many must complete."""
    return [
        fields.invalid(f"spec.{field}", job["spec"].get(field), "field is immutable")
        for field in ("completions", "selector", "template", "completionMode", "backoffLimitPerIndex")
        if job["spec"].get(field) != old["spec"].get(field)
    ]


def validate_pdb(pdb: Object) -> Errors:
    spec = pdb["spec"]
    if "minAvailable" in spec and "maxUnavailable" in spec:
        return [fields.invalid("spec", spec, "minAvailable and maxUnavailable cannot be both set")]
    errors = [e for field in ("minAvailable", "maxUnavailable") for e in _int_or_percent(spec, field, "spec")]
    return errors + metadata.selector(spec.get("selector", {}), "spec.selector")


def _template(spec: Object) -> Errors:
    """A selector, and a template of pods that it selects and that restart."""
    errors = metadata.selector(spec["selector"], "spec.selector")
    labels = spec["template"]["metadata"].get("labels", {})
    if not spec["selector"]:
        errors.append(fields.invalid("spec.selector", {}, "empty selector is invalid for deployment"))
    elif not errors and not selects(spec["selector"], labels):
        say = "`selector` does not match template `labels`"
        errors.append(fields.invalid("spec.template.metadata.labels", labels, say))
    errors += metadata.labels(labels, "spec.template.labels")
    errors += pods.validate_spec(spec["template"]["spec"], "spec.template.spec")
    policy = spec["template"]["spec"]["restartPolicy"]
    if policy in ("OnFailure", "Never"):
        errors.append(fields.unsupported("spec.template.spec.restartPolicy", policy, ("Always",)))
    return errors


def _numbers(spec: Object, *names: str) -> Errors:
    return [
        fields.invalid(f"spec.{name}", spec[name], "must be greater than or equal to 0")
        for name in names
        if spec.get(name, 0) < 0
    ]


def _int_or_percent(spec: Object, name: str, path: str) -> Errors:
    value = spec.get(name, 0)
    if isinstance(value, str) and not PERCENT.fullmatch(value):
        say = "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%',"
        return [fields.invalid(f"{path}.{name}", value, f"{say} regex used for validation is '[0-9]+%')")]
    if isinstance(value, int) and value < 0:
        return [fields.invalid(f"{path}.{name}", value, "must be greater than or equal to 0")]
    return []
