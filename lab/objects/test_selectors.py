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
        ("a=", labelled(a=""), labelled(a="b")),
        ("a in (b,)", labelled(a=""), labelled(a="c")),
        ("a", labelled(a=""), labelled()),
        ("a=b,c in (d,e),!f", labelled(a="b", c="e"), labelled(a="b", c="e", f="g")),
        ("app.kubernetes.io/name=web", labelled(**{"app.kubernetes.io/name": "web"}), {"metadata": {}}),
        ("in=a", {"metadata": {"labels": {"in": "a"}}}, labelled()),
    ],
)
def test_labels(selector: str, selected: dict[str, object], not_selected: dict[str, object] | None) -> None:
    matches = label_selector(selector)
    assert matches(selected)
    assert not_selected is None or not matches(not_selected)


@pytest.mark.parametrize(
    "selector", ["a b", "a=b=c", "=b", "a in b", "a in (b", "a in ((b))", ",", "a=b,,c", "a in", "a>5", "!"]
)
def test_labels_that_are_none(selector: str) -> None:
    with pytest.raises(BadRequest, match="unable to parse requirement: found '"):
        label_selector(selector)


POD = {
    "metadata": {"name": "web", "namespace": "shop"},
    "spec": {"nodeName": "lab"},
    "status": {"phase": "Running"},
}


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("", True),
        ("metadata.name=web", True),
        ("metadata.namespace==shop,spec.nodeName=lab", True),
        ("status.phase!=Succeeded,status.phase!=Failed", True),
        (r"metadata.name=we\b", True),
    ],
)
def test_fields(selector: str, expected: bool) -> None:
    assert field_selector(selector, RESOURCES["pods"])(POD) is expected


@pytest.mark.parametrize(("plural", "selector"), [("configmaps", "data.a=b"), ("pods", "spec")])
def test_fields_that_are_none(plural: str, selector: str) -> None:
    with pytest.raises(BadRequest):
        field_selector(selector, RESOURCES[plural])
