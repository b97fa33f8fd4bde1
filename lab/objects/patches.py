"""PATCH by its content type: JSON patch (RFC 6902), merge patch (RFC 7386) and strategic merge patch.

Stands for k8s.io/apiserver/pkg/endpoints/handlers/patch.go. Server-side apply, which needs to know who manages which
field, is not in the lab.
"""

import copy
from typing import Any

import jsonpatch
import jsonpointer

from lab.apimachinery.errors import BadRequest, Invalid, UnsupportedMediaType
from lab.apimachinery.schemas import Schema
from lab.apimachinery.store import Object
from lab.objects.strategic import strategic_merge

APPLY = "application/apply-patch+yaml"
JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"

# The library checks little of what it is given: any of these is a patch that doesn't fit the object.
MISFITS = (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException, TypeError, ValueError, LookupError)


def patched(content_type: str, obj: Object, patch: Any, schema: Schema) -> Any:
    """`obj` with the patch applied, itself unchanged; the result is not validated.

    Raises BadRequest, Invalid, UnsupportedMediaType.
    """
    check_type(content_type)
    if content_type == JSON_PATCH:
        return _json_patch(obj, patch)
    if not isinstance(patch, dict):
        raise BadRequest(f"a patch of the type {content_type} is an object")
    if content_type == MERGE_PATCH:
        return merge_patch(copy.deepcopy(obj), patch)
    return strategic_merge(copy.deepcopy(obj), patch, schema)


def check_type(content_type: str) -> None:
    """Raises UnsupportedMediaType."""
    if content_type == APPLY:
        raise UnsupportedMediaType(f"the lab has no server-side apply ({APPLY}): leave out --server-side")
    if content_type not in (JSON_PATCH, MERGE_PATCH, STRATEGIC):
        known = f"{JSON_PATCH}, {MERGE_PATCH}, {STRATEGIC}"
        raise UnsupportedMediaType(f"415: Unsupported Media Type: a patch is one of {known}, not {content_type:.100}")


def merge_patch(target: Any, patch: Any) -> Any:
    """RFC 7386, in place where it can."""
    if not isinstance(patch, dict):
        return patch
    result = target if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge_patch(result.get(key), value)
    return result


def _json_patch(obj: Object, patch: Any) -> Any:
    if not isinstance(patch, list) or not all(isinstance(operation, dict) for operation in patch):
        raise BadRequest("error decoding patch: a JSON patch is an array of operations")
    try:
        return jsonpatch.apply_patch(obj, patch)
    except MISFITS as error:
        raise Invalid(f"the server rejected our request due to an error in our request: {error}"[:1000]) from error
