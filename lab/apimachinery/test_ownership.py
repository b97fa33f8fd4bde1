"""Label selectors as objects have them."""

import pytest

from lab.apimachinery.ownership import selects
from lab.apimachinery.store import Object

LABELS = {"app": "web", "tier": "front"}


def expression(key: str, operator: str, *values: str) -> Object:
    return {"matchExpressions": [{"key": key, "operator": operator, "values": list(values)}]}


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ({}, True),
        ({"matchLabels": {"app": "web"}}, True),
        ({"matchLabels": {"app": "db"}}, False),
        ({"matchLabels": {"app": "web", "zone": "a"}}, False),
        (expression("app", "In", "web", "db"), True),
        (expression("app", "In", "db"), False),
        (expression("app", "NotIn", "db"), True),
        (expression("zone", "NotIn", "a"), True),
        (expression("app", "NotIn", "web"), False),
        (expression("app", "Exists"), True),
        (expression("zone", "Exists"), False),
        (expression("zone", "DoesNotExist"), True),
        (expression("app", "DoesNotExist"), False),
        ({"matchLabels": {"app": "web"}} | expression("tier", "In", "back"), False),
    ],
)
def test_a_selector_fits_when_all_its_requirements_do(selector: Object, expected: bool) -> None:
    assert selects(selector, LABELS) is expected
