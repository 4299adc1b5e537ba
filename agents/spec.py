"""The harness as data: load, check, print, hash, compare and edit it.

A harness is a JSON document (assets/schemas/harness.json). Loading fails closed: every processor that the document declares lives
afterwards, or the load is an error that lists all that is wrong. Edits are JSON Patches (RFC 6902).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

import jsonpatch
import jsonschema

from homebody.agents.errors import AgentError
from homebody.agents.processors import UnknownProcessorError, defaults, find, params_schema

Patch = list[dict[str, Any]]


class HarnessError(AgentError):
    """A harness document, or a file of one, that cannot be used."""


class PatchError(AgentError):
    """A JSON Patch that does not apply, or whose result is no valid harness."""


def canonical(value: object) -> str:
    """Return the one JSON text of a value: keys sorted, no spaces, no NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest(value: object) -> str:
    """Return the SHA-256 of a value's canonical JSON, in hex."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()


@dataclass(frozen=True)
class HarnessSpec:
    """A checked harness document. Immutable by convention: `document` is never changed, `patch` gives a new spec."""

    document: dict[str, Any]

    @classmethod
    def from_json(cls, document: object, source: str = "harness") -> HarnessSpec:
        """Check a parsed JSON document.

        Args:
            document: the parsed document.
            source: how to call it in messages.

        Raises:
            HarnessError: it breaks the schema, names an unknown processor, has bad parameters or two processors of one group.
        """
        problems = list(_problems(document))
        if problems:
            raise HarnessError(f"{source}: " + "; ".join(problems[:5]) + (f"; and {len(problems) - 5} more" if len(problems) > 5 else ""))
        assert isinstance(document, dict)
        return cls(json.loads(json.dumps(document)))

    @classmethod
    def load(cls, name_or_path: str | Path) -> HarnessSpec:
        """Load a harness that ships with homebody, by name, or a file, by path.

        Raises:
            HarnessError: there is none, or it is not valid.
        """
        shipped = resources.files("homebody.assets") / "harnesses"
        if str(name_or_path) in harness_names():
            return cls.from_json(json.loads((shipped / f"{name_or_path}.json").read_text("utf-8")), str(name_or_path))
        path = Path(name_or_path)
        try:
            text = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
            known = ", ".join(harness_names())
            raise HarnessError(f"no harness {str(name_or_path)!r}: {reason}; give the path of a JSON file or one of {known}") from None
        try:
            document = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise HarnessError(f"{path}: not JSON ({error}); `homebody harness show {harness_names()[0]}` prints a valid harness") from None
        return cls.from_json(document, str(path))

    @property
    def name(self) -> str:
        """The name for people."""
        return str(self.document["name"])

    @property
    def processors(self) -> list[dict[str, Any]]:
        """The processor entries, in order; not to be changed."""
        entries: list[dict[str, Any]] = self.document["processors"]
        return entries

    @property
    def behaviour_hash(self) -> str:
        """SHA-256 of what decides behaviour: processors, their versions, and parameters with defaults filled in."""
        return digest(
            [
                {
                    "use": entry["use"],
                    "version": find(entry["use"]).version,
                    "params": _plain(defaults(find(entry["use"])) | entry["params"]),
                }
                for entry in self.processors
            ]
        )

    def index(self, use: str) -> int | None:
        """Return the position of the first processor of that name, or None."""
        return next((i for i, entry in enumerate(self.processors) if entry["use"] == use), None)

    def patch(self, patch: Patch) -> HarnessSpec:
        """Apply a JSON Patch and check the result; this spec stays as it is.

        Raises:
            PatchError: the patch is malformed, does not apply, or leads to an invalid harness.
        """
        try:
            document = jsonpatch.apply_patch(self.document, patch)
        except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException, TypeError, KeyError, ValueError) as error:
            raise PatchError(f"the patch does not apply to harness {self.name}: {error}; nothing was changed") from None
        try:
            return HarnessSpec.from_json(document, f"harness {self.name} after the patch")
        except HarnessError as error:
            raise PatchError(f"{error}; nothing was changed") from None

    def diff(self, other: HarnessSpec) -> Patch:
        """Return the JSON Patch that turns this harness into the other."""
        patch: Patch = jsonpatch.make_patch(self.document, other.document).patch
        return patch

    def dumps(self) -> str:
        """Return the document as readable JSON, with a line end."""
        return json.dumps(self.document, indent=2, ensure_ascii=False) + "\n"


def _plain(value: Any) -> Any:
    """Write whole floats as integers, so that 2 and 2.0 have one hash."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def entry(use: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the document entry of a processor, its hook and dimension filled in."""
    processor = find(use)
    return {"use": use, "hook": processor.hook, "dimension": processor.dimension, "params": dict(params or {})}


def read_patch(path: str | Path) -> Patch:
    """Read a JSON Patch file.

    Raises:
        PatchError: it cannot be read or is no list of operations.
    """
    try:
        patch = json.loads(Path(path).read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise PatchError(f"cannot read the patch {path}: {error}; a patch is a JSON list of RFC 6902 operations") from None
    if not isinstance(patch, list) or not all(isinstance(operation, dict) and "op" in operation for operation in patch):
        raise PatchError(f"{path} is no JSON Patch: it must be a list of objects with op, path and, for most, value (RFC 6902)")
    return patch


def harness_names() -> list[str]:
    """Return the names of the harnesses that ship with homebody, sorted."""
    return sorted(
        f.name.removesuffix(".json") for f in (resources.files("homebody.assets") / "harnesses").iterdir() if f.name.endswith(".json")
    )


# JSON Schema takes 5.0 for an integer; code that counts or slices does not.
_Validator = jsonschema.validators.extend(
    jsonschema.Draft202012Validator,
    type_checker=jsonschema.Draft202012Validator.TYPE_CHECKER.redefine("integer", lambda _, value: type(value) is int),
)


@lru_cache(maxsize=1)
def _document_validator() -> Any:
    text = (resources.files("homebody.assets") / "schemas" / "harness.json").read_text("utf-8")
    return _Validator(json.loads(text))


def _problems(document: object) -> Iterator[str]:
    """Yield all that is wrong with a document, each as `path: what`."""
    found = sorted(_document_validator().iter_errors(document), key=lambda error: list(map(str, error.absolute_path)))
    yield from (_located(error, ()) for error in found)
    if found or not isinstance(document, dict):
        return
    try:
        digest(document)
    except ValueError as error:  # NaN, infinity, half a surrogate pair: Python's json reads them, JSON has them not
        yield f"/: {error}"
    groups: dict[str, str] = {}
    for position, item in enumerate(document["processors"]):
        where = f"/processors/{position}"
        try:
            processor = find(item["use"])
        except UnknownProcessorError as error:
            yield f"{where}/use: {error}"
            continue
        for field in ("hook", "dimension"):
            if item[field] != getattr(processor, field):
                yield f"{where}/{field}: {item['use']} has {getattr(processor, field)!r}, not {item[field]!r}"
        yield from (_located(error, (where, "params")) for error in _Validator(params_schema(processor)).iter_errors(item["params"]))
        if processor.group is not None and groups.setdefault(processor.group, where) != where:
            yield f"{where}: a second processor of group {processor.group!r}, beside {groups[processor.group]}; keep one"


def _located(error: Any, prefix: Sequence[str]) -> str:
    message = error.message if len(error.message) <= 200 else error.message[:197] + "..."
    where = "/".join([*(prefix or [""]), *map(str, error.absolute_path)])
    return f"{where or '/'}: {message}"
