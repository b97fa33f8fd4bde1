"""Label and field selectors: what they select, and what is said of those that are none."""

import pytest

from lab.apimachinery.errors import BadRequest
from lab.apimachinery.resources import RESOURCES
from lab.objects.selectors import field_selector, label_selector


def labelled(**labels: str) -> dict[str, object]:
    return {"metadata": {"labels": labels}}


@pytest.mark.parametrize(
    ("selector", "selected", "not_selected"),
    [
        ("", labelled(), None),
        ("a=b", labelled(a="b"), labelled(a="c")),
        ("a==b", labelled(a="b"), labelled()),
        ("a!=b", labelled(), labelled(a="b")),
        ("a=", labelled(a=""), labelled(a="b")),
        ("a in (b, c)", labelled(a="c"), labelled(a="d")),
        ("a notin (b,c)", labelled(), labelled(a="b")),
        ("a in (b,)", labelled(a=""), labelled(a="c")),
        ("a", labelled(a=""), labelled()),
        ("!a", labelled(), labelled(a="b")),
        ("a>5", labelled(a="6"), labelled(a="5")),
        ("a < 5", labelled(a="4"), labelled(a="x")),
        ("a=b,c in (d,e),!f", labelled(a="b", c="e"), labelled(a="b", c="e", f="g")),
        ("in=a", {"metadata": {"labels": {"in": "a"}}}, labelled()),
    ],
)
def test_labels(selector: str, selected: dict[str, object], not_selected: dict[str, object] | None) -> None:
    matches = label_selector(selector)
    assert matches(selected)
    assert not_selected is None or not matches(not_selected)


def test_keys_with_a_prefix() -> None:
    matches = label_selector("app.kubernetes.io/name=web")
    assert matches({"metadata": {"labels": {"app.kubernetes.io/name": "web"}}})
    assert not matches({"metadata": {}})


@pytest.mark.parametrize(
    "selector", ["a b", "a=b=c", "=b", "a in b", "a in (b", "a in ((b))", ",", "a=b,,c", "a in", "a>x", "!"]
)
def test_labels_that_are_none(selector: str) -> None:
    with pytest.raises(BadRequest, match="unable to parse requirement: found '"):
        label_selector(selector)


POD = {
    "metadata": {"name": "web", "namespace": "shop"},
    "spec": {"nodeName": "lab", "hostNetwork": True},
    "status": {"phase": "Running"},
}


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("", True),
        ("metadata.name=web", True),
        ("metadata.name!=web", False),
        ("metadata.namespace==shop,spec.nodeName=lab", True),
        ("status.phase!=Succeeded,status.phase!=Failed", True),
        ("status.phase=Failed", False),
        ("status.podIP=", True),
        ("spec.hostNetwork=true", True),
        (r"metadata.name=we\b", True),
    ],
)
def test_fields(selector: str, expected: bool) -> None:
    assert field_selector(selector, RESOURCES["pods"])(POD) is expected


def test_fields_of_events_and_jobs() -> None:
    event = {
        "metadata": {"name": "x"},
        "involvedObject": {"kind": "Pod", "uid": "u"},
        "source": {"component": "kubelet"},
    }
    assert field_selector("involvedObject.kind=Pod,involvedObject.uid=u,source=kubelet", RESOURCES["events"])(event)
    job = {"metadata": {"name": "x"}, "status": {"succeeded": 1}}
    assert field_selector("status.successful=1", RESOURCES["jobs"])(job)
    assert field_selector("status.successful=0", RESOURCES["jobs"])({"metadata": {"name": "x"}})


@pytest.mark.parametrize(
    ("plural", "selector", "message"),
    [
        ("pods", "spec.foo=a", "field label not supported: spec.foo"),
        (
            "configmaps",
            "data.a=b",
            '"data.a" is not a known field selector: only "metadata.name", "metadata.namespace"',
        ),
        ("pods", "spec", "invalid selector: 'spec'; can't understand 'spec'"),
    ],
)
def test_fields_that_are_none(plural: str, selector: str, message: str) -> None:
    with pytest.raises(BadRequest) as error:
        field_selector(selector, RESOURCES[plural])
    assert error.value.message == message
