"""What is wrong with a harness document: all of it at once, each with its place in the document.

A document is checked against assets/schemas/harness.json, each processor against its own schema, the processors against each other, and
each adaptation and each variant by applying its patch.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from importlib import resources
from typing import Any

import jsonschema

from homebody.agents.harness.hooks import DIMENSIONS, HOOKS
from homebody.agents.harness.patch import PatchError, apply
from homebody.agents.processors import Processor, UnknownProcessorError, find, params_schema
from homebody.envs.core import did_you_mean

# JSON Schema takes 5.0 for an integer; code that counts or slices does not.
_Validator = jsonschema.validators.extend(
    jsonschema.Draft202012Validator,
    type_checker=jsonschema.Draft202012Validator.TYPE_CHECKER.redefine("integer", lambda _, value: type(value) is int),
)


def problems(document: object) -> list[str]:
    """Return all that is wrong with a document, each as `path: what`; an empty list for a valid one.

    None of its code is run, and none of its templates.
    """
    found = _schema_problems(_document_validator(), document, "")
    if not isinstance(document, dict):
        return found
    try:
        json.dumps(document, ensure_ascii=False, allow_nan=False).encode()
    except UnicodeEncodeError:
        found.append("/: a text holds half a surrogate pair; leave it out")
    except ValueError:
        found.append("/: a number is NaN or infinite; give a finite one")
    except TypeError as error:
        found.append(f"/: {error}")
    found = list(dict.fromkeys(found + _processor_problems(document)))
    # What an adaptation or a variant leads to can be judged only from a valid harness.
    return found or [*_adaptation_problems(document), *_variant_problems(document)]


def code_problems(document: Mapping[str, Any]) -> list[str]:
    """Run the code and the templates of a valid document once on sample events, fenced in.

    Those that an adaptation or a variant brings in are run, too.

    Returns:
        What went wrong, each as `path: what`.
    """
    return list(_code_problems(document, set()))


def _code_problems(document: Mapping[str, Any], seen: set[str]) -> Iterator[str]:
    for position, item in enumerate(document["processors"]):
        if (text := json.dumps(item, sort_keys=True)) not in seen:
            seen.add(text)
            where = f"/processors/{position}"
            yield from (where + (line if line.startswith("/") else f": {line}") for line in find(item["use"]).check_entry(item))
    for key, left_out in (("adaptations", ("adaptations", "variants")), ("variants", ("variants",))):
        base = {name: value for name, value in document.items() if name not in left_out}
        for number, item in enumerate(document.get(key, [])):
            led = _code_problems(apply(base, item["patch"]), seen)
            yield from (f"/{key}/{number}/patch: it leads to {line}" for line in led)


@lru_cache(maxsize=1)
def _document_validator() -> Any:
    text = (resources.files("homebody.assets") / "schemas" / "harness.json").read_text("utf-8")
    return _Validator(json.loads(text))


@lru_cache(maxsize=256)
def _params_validator(processor: type[Processor]) -> Any:
    return _Validator(params_schema(processor))


def _schema_problems(validator: Any, value: object, prefix: str) -> list[str]:
    errors = sorted(validator.iter_errors(value), key=lambda error: list(map(str, error.absolute_path)))
    return [line for error in errors for line in _lines(error, prefix)]


def _lines(error: Any, prefix: str) -> Iterator[str]:
    """Say one schema error, in our words where jsonschema's leave the reader without the next step."""
    where = prefix + "".join(f"/{_escape(str(part))}" for part in error.absolute_path)
    if error.validator == "additionalProperties" and isinstance(error.instance, dict):
        known = error.schema["properties"]
        for key in sorted(set(error.instance) - set(known), key=str):
            yield f"{where}/{_escape(str(key))}: there is no {_short(repr(key))} here{did_you_mean(key, known)}; known: {', '.join(known)}"
    elif error.validator == "enum":
        near = did_you_mean(error.instance, map(str, error.validator_value))
        yield f"{where}: {_short(repr(error.instance))} is not one of {', '.join(map(str, error.validator_value))}{near}"
    elif error.validator == "not":
        yield f"{where}/source: only the processor 'code' takes a source; remove it"
    else:
        yield f"{where or '/'}: {_short(error.message)}"


def _processor_problems(document: dict[str, Any]) -> list[str]:
    """Check each processor that is readable at all, and the processors beside each other."""
    entries = document.get("processors")
    lines: list[str] = []
    known: list[tuple[str, type[Processor]]] = []
    for position, item in enumerate(entries if isinstance(entries, list) else []):
        if not isinstance(item, dict) or not isinstance(item.get("use"), str):
            continue
        where = f"/processors/{position}"
        try:
            processor = find(item["use"])
        except UnknownProcessorError as error:
            lines.append(f"{where}/use: {error}")
            continue
        lines += _entry_problems(processor, item, where)
        known.append((where, processor))
    return lines + list(_conflicts(known))


def _entry_problems(processor: type[Processor], item: dict[str, Any], where: str) -> list[str]:
    fixed = ("hook", "dimension") if processor.hook else ()
    lines = [
        f"{where}/{field}: {processor.name} has {getattr(processor, field)!r}, not {item[field]!r}"
        for field in fixed
        if item.get(field) in (HOOKS if field == "hook" else DIMENSIONS) and item[field] != getattr(processor, field)
    ]
    return lines + (_schema_problems(_params_validator(processor), item["params"], f"{where}/params") if "params" in item else [])


def _conflicts(known: list[tuple[str, type[Processor]]]) -> Iterator[str]:
    """Find processors that exclude each other or stand in the wrong order."""
    groups: dict[str, str] = {}
    for number, (where, processor) in enumerate(known):
        if processor.group is not None and groups.setdefault(processor.group, where) != where:
            yield f"{where}: a second processor of group {processor.group!r}, beside {groups[processor.group]}; keep one"
        for later, other in known[number + 1 :]:
            if other.name in processor.after:
                yield f"{where}: {processor.name} must stand after {other.name}, which is at {later}; move it behind"


def _adaptation_problems(document: dict[str, Any]) -> Iterator[str]:
    """Apply each rule's patch as often as it may be applied; every result must be a valid harness."""
    base = {key: value for key, value in document.items() if key not in ("adaptations", "variants")}
    names: dict[str, str] = {}
    for number, rule in enumerate(document.get("adaptations", [])):
        where = f"/adaptations/{number}"
        if names.setdefault(rule["name"], where) != where:
            yield f"{where}/name: {rule['name']!r} is the name of {names[rule['name']]} too; give each rule its own"
        changed: Any = base
        for _ in range(rule.get("most", 1)):
            try:
                changed = apply(changed, rule["patch"])
            except PatchError as error:
                yield f"{where}/patch: it does not apply: {error}"
                break
            if wrong := problems(changed):
                yield from (f"{where}/patch: it leads to {line}" for line in wrong)
                break
        if changed == base:
            yield f"{where}/patch: it changes nothing"


def _variant_problems(document: dict[str, Any]) -> Iterator[str]:
    """Apply each variant's patch; what it leads to, the rules of the harness included, must be a valid harness of its own."""
    base = {key: value for key, value in document.items() if key != "variants"}
    names: dict[str, str] = {}
    for number, variant in enumerate(document.get("variants", [])):
        where = f"/variants/{number}"
        if names.setdefault(variant["name"], where) != where:
            yield f"{where}/name: {variant['name']!r} is the name of {names[variant['name']]} too; give each variant its own"
        try:
            changed = apply(base, variant["patch"])
        except PatchError as error:
            yield f"{where}/patch: it does not apply: {error}"
            continue
        if changed == base:
            yield f"{where}/patch: it changes nothing"
        yield from (f"{where}/patch: it leads to {line}" for line in problems(changed))


def _escape(part: str) -> str:
    return part.replace("~", "~0").replace("/", "~1")


def _short(text: str) -> str:
    return text if len(text) <= 200 else f"{text[:197]}..."
