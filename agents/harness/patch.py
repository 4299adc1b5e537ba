"""JSON Patches (RFC 6902): apply, invert, compare, read. Knows JSON documents, not what they mean."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonpatch

from homebody.agents.errors import AgentError
from homebody.envs.file import expand_path
from homebody.envs.text import UnreadableError, cut, read_json

Patch = list[dict[str, Any]]
_MALFORMED = (AttributeError, KeyError, RecursionError, TypeError, ValueError)
"""What jsonpatch raises, besides its own errors, on something that is no patch."""


class PatchError(AgentError):
    """A JSON Patch that does not apply, or whose result cannot be used."""


def apply(document: Any, patch: Patch) -> Any:
    """Return the patched document; the given one stays as it is.

    Raises:
        PatchError: the patch is malformed or does not apply; the message names the operation.
    """
    try:
        document, patch = json.loads(json.dumps([document, patch]))
    except _MALFORMED as error:
        raise PatchError(f"no JSON: {error}") from None
    if not isinstance(patch, list):
        raise PatchError(f"a patch is a list of operations, not {cut(str(patch), 200)}")
    for number, operation in enumerate(patch):
        try:
            document = jsonpatch.apply_patch(document, [operation], in_place=True)
        except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException, *_MALFORMED) as error:
            what = f"{operation.get('op')} {operation.get('path')}" if isinstance(operation, dict) else cut(str(operation), 200)
            raise PatchError(f"operation {number}, {what}: {cut(str(error), 200)}") from None
    return document


def difference(old: Any, new: Any, depth: int = 100) -> Patch:
    """Return a patch that turns one document into the other.

    Args:
        old: a document.
        new: another one.
        depth: how many keys a path may have. What differs deeper down, or within a list, is replaced
            as a whole.
    """
    return list(_differences(old, new, depth, ""))


def is_same(one: Any, other: Any) -> bool:
    """Tell whether two values are the same JSON: true is not 1."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def pointer(*parts: object) -> str:
    """Return the JSON Pointer (RFC 6901) of a path of keys and positions."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


def _differences(old: Any, new: Any, depth: int, path: str) -> Iterator[dict[str, Any]]:
    if depth and isinstance(old, dict) and isinstance(new, dict):
        for key in sorted({*old, *new}):
            inner = path + pointer(key)
            if key not in new:
                yield {"op": "remove", "path": inner}
            elif key not in old:
                yield {"op": "add", "path": inner, "value": new[key]}
            else:
                yield from _differences(old[key], new[key], depth - 1, inner)
    elif not is_same(old, new):
        yield {"op": "replace", "path": path, "value": new}


def invert(document: Any, patch: Patch) -> Patch:
    """Return the patch that takes `patch` back: applied to the patched document it gives `document`.

    Raises:
        PatchError: the patch is malformed or does not apply.
    """
    apply(document, patch)
    inverse: Patch = []
    for operation in patch:
        after = apply(document, [operation])
        inverse = _undo(document, operation) + inverse
        document = after
    return inverse


def _undo(document: Any, operation: dict[str, Any]) -> Patch:
    """Return what takes one operation back, which is known to apply to the document."""
    op, path = operation["op"], operation["path"]
    if op == "test":
        return []
    if path == "":
        return [{"op": "replace", "path": "", "value": document}]
    if op == "remove":
        return [{"op": "add", "path": path, "value": jsonpatch.JsonPointer(path).resolve(document)}]
    if op == "replace":
        return [{"op": "replace", "path": path, "value": jsonpatch.JsonPointer(path).resolve(document)}]
    if op == "move":
        source = operation["from"]
        moved = jsonpatch.JsonPointer(source).resolve(document)
        # The target is looked up in the document without what is moved: that may shift the places in a list.
        without = apply(document, [{"op": "remove", "path": source}])
        return [*_undo(without, {"op": "add", "path": path}), {"op": "add", "path": source, "value": moved}]
    parent, key = jsonpatch.JsonPointer(path).to_last(document)
    if isinstance(parent, dict):
        return [{"op": "replace", "path": path, "value": parent[key]} if key in parent else {"op": "remove", "path": path}]
    return [{"op": "remove", "path": f"{path[:-1]}{len(parent)}" if key == "-" else path}]


def read_patch(path: str | Path) -> Patch:
    """Read a JSON Patch file.

    Raises:
        PatchError: it cannot be read or is no list of operations.
    """
    try:
        patch = read_json(expand_path(path))
    except UnreadableError as error:
        raise PatchError(f"the patch {path} {error.fault}; a patch is a JSON list of RFC 6902 operations") from None
    if not isinstance(patch, list) or not all(isinstance(operation, dict) and "op" in operation for operation in patch):
        raise PatchError(f"{path} is no JSON Patch: it must be a list of objects with op, path and, for most, value (RFC 6902)")
    return patch
