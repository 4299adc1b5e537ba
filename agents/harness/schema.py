"""What is wrong with a harness document: all of it at once, each with its place in the document.

A document is checked against assets/schemas/harness.json, each component against the schema of its
processor, the components against each other, and each adaptation and variant by applying its patch.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from importlib import resources
from typing import Any

import jsonschema

from homebody.agents.harness.hooks import HOOKS
from homebody.agents.harness.library import Processor, UnknownProcessorError, find, known, params_schema
from homebody.agents.harness.order import Component, CycleError, Processors, hook_of, in_order
from homebody.agents.harness.patch import PatchError, apply, pointer
from homebody.agents.processors.base import Services
from homebody.envs.core import did_you_mean
from homebody.envs.text import cut, one_line


def _pattern(validator: Any, pattern: str, instance: object, schema: object) -> Iterator[jsonschema.ValidationError]:
    if isinstance(instance, str) and not re.search(re.sub(r"\$$", r"\\Z", pattern), instance):
        yield jsonschema.ValidationError(f"{instance!r} does not match {pattern!r}")


# JSON Schema takes 5.0 for an integer; code that counts or slices does not. Its $ is the end of a
# text; Python's is the last line end, too.
_Validator = jsonschema.validators.extend(
    jsonschema.Draft202012Validator,
    validators={"pattern": _pattern},
    type_checker=jsonschema.Draft202012Validator.TYPE_CHECKER.redefine("integer", lambda _, value: type(value) is int),
)
FORMAT_1 = (
    "/format: 1 was a list of processors, and nothing converts it; this is format 2, with `components` by id: "
    "`homebody harness show generic --json FILE` writes one to start from"
)


def problems(document: object, imports: bool = False) -> list[str]:
    """Return all that is wrong with a document, each as `path: what`; an empty list for a valid one.

    None of its code is run, and none of its templates.

    Args:
        document: parsed JSON.
        imports: whether the classes that it names as `module:Class` are imported, and their
            components checked by what they declare. If not, nothing is known of those components
            but what the document says.
    """
    if isinstance(document, dict) and type(document.get("format")) is int and document["format"] == 1:
        return [FORMAT_1]
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
    found = list(dict.fromkeys(found + _component_problems(document, imports)))
    # What an adaptation or a variant leads to can be judged only from a valid harness.
    return found or [*_adaptation_problems(document, imports), *_variant_problems(document, imports)]


def code_problems(document: Mapping[str, Any]) -> list[str]:
    """Run the code and the templates of a valid document once on sample events, fenced in.

    Processors named as `module:Class` are made once. What an adaptation or a variant brings in is
    tried, too.

    Returns:
        What went wrong, each as `path: what`.
    """
    return list(_code_problems(document, set()))


def _code_problems(document: Mapping[str, Any], seen: set[str]) -> Iterator[str]:
    for name, item in document["components"].items():
        if (text := json.dumps(item, sort_keys=True)) not in seen:
            seen.add(text)
            where = f"/components/{name}"
            yield from (where + (line if line.startswith("/") else f": {line}") for line in _tried(item))
    for key, left_out in (("adaptations", ("adaptations", "variants")), ("variants", ("variants",))):
        base = {name: value for name, value in document.items() if name not in left_out}
        for number, item in enumerate(document.get(key, [])):
            led = _code_problems(apply(base, item["patch"]), seen)
            yield from (f"/{key}/{number}/patch: it leads to {line}" for line in led)


def _tried(item: Component) -> list[str]:
    processor = find(item["use"])
    if known(item["use"]) is not None:
        return processor.check_entry(item)
    try:
        processor.from_entry(item, Services())
        return processor.check_entry(item)
    except Exception as error:
        return [f"{item['use']} cannot be made: {type(error).__name__}: {one_line(str(error))}"]


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
    where = prefix + pointer(*error.absolute_path)
    if "propertyNames" in error.absolute_schema_path:
        where += pointer(cut(str(error.instance), 200))
    if error.validator == "additionalProperties" and isinstance(error.instance, dict):
        known = error.schema["properties"]
        for key in sorted(set(error.instance) - set(known), key=str):
            yield f"{where}{pointer(key)}: there is no {cut(repr(key), 200)} here{did_you_mean(key, known)}; known: {', '.join(known)}"
    elif error.validator == "enum":
        near = did_you_mean(error.instance, map(str, error.validator_value))
        yield f"{where}: {cut(repr(error.instance), 200)} is not one of {', '.join(map(str, error.validator_value))}{near}"
    elif error.validator == "not":
        yield f"{where}/source: only the processor 'code' takes a source; remove it"
    elif "propertyNames" in error.absolute_schema_path and "description" in error.schema:
        yield f"{where}: {cut(repr(error.instance), 200)} is not {error.schema['description']}"
    else:
        yield f"{where or '/'}: {cut(error.message, 200)}"


def _component_problems(document: dict[str, Any], imports: bool) -> list[str]:
    """Check each component that is readable at all, and the components beside each other."""
    components = document.get("components")
    lines: list[str] = []
    processors: dict[str, type[Processor] | None] = {}
    for name, item in components.items() if isinstance(components, dict) else ():
        if not isinstance(item, dict) or not isinstance(item.get("use"), str):
            continue
        where = _place(name)
        try:
            processor = find(item["use"]) if imports else known(item["use"])
        except UnknownProcessorError as error:
            lines.append(f"{where}/use: {error}")
            continue
        lines += _item_problems(processor, item, where)
        if processor is None or processor.hook or item.get("hook") in processor.hooks:
            processors[name] = processor
    return [*lines, *_conflicts(processors), *_order_problems(components or {}, processors)]


def _item_problems(processor: type[Processor] | None, item: Component, where: str) -> list[str]:
    if processor is None:
        return []
    said = f"{item['use']} belongs to hook {processor.hook!r} and dimension {processor.dimension!r}, as its class says"
    lines = [
        f"{where}/{field}: {said}; take it out" if processor.hook else f"{where}: {field!r} is a required property"
        for field in ("hook", "dimension")
        if (field in item) == bool(processor.hook)
    ]
    if not processor.hook and item.get("hook") in [hook for hook in HOOKS if hook not in processor.hooks]:
        lines.append(f"{where}/hook: {item['use']} is asked at one of {', '.join(processor.hooks)}, not {item['hook']}")
    if known(item["use"]) is not None:
        lines += [f"{where}/version: only module:Class, a class of your own, takes a version; take it out"] if "version" in item else []
    elif processor.version != (version := item.get("version", 1)):
        lines.append(f"{where}/version: {item['use']} is version {processor.version}, the document is of version {version}; set it anew")
    return lines + (_schema_problems(_params_validator(processor), item["params"], f"{where}/params") if "params" in item else [])


def _conflicts(processors: Processors) -> Iterator[str]:
    """Find components of which a harness can have one only."""
    groups: dict[str, str] = {}
    for name, processor in processors.items():
        if processor is None or not (group := processor.group):
            continue
        if (first := groups.setdefault(group, name)) != name:
            yield f"{_place(name)}: a second component of group {group!r}, beside {_place(first)}; keep one"


def _order_problems(components: Mapping[str, Any], processors: Processors) -> list[str]:
    """Find components that follow each other, what is not there or what has another hook."""
    hooks = {name: hook_of(components[name], processor) for name, processor in processors.items()}
    after = {name: found if isinstance(found := components[name].get("after"), list) else [] for name in processors}
    lines = [
        f"{_place(name)}/after/{number}: {why}"
        for name, others in after.items()
        for number, other in enumerate(others)
        if isinstance(other, str) and (why := _why_not_after(name, other, components, hooks))
    ]
    if lines:
        return lines
    try:
        texts = {name: [other for other in others if isinstance(other, str)] for name, others in after.items()}
        in_order({name: {**components[name], "after": texts[name]} for name in processors}, processors)
    except CycleError as error:
        said = next((f"{_place(one)}/after" for one, other in error.pairs if other in after[one]), _place(error.pairs[0][0]))
        return [f"{said}: {error}; take one of them out"]
    return []


def _why_not_after(name: str, other: str, components: Mapping[str, Any], hooks: Mapping[str, str]) -> str:
    if other == name:
        return "a component cannot follow itself; take it out"
    if other not in components:
        return f"there is no component {cut(repr(other), 200)}{did_you_mean(other, map(str, components))}"
    if hooks[name] and hooks.get(other) and hooks[other] != hooks[name]:
        return f"{other} is asked at {hooks[other]} and {name} at {hooks[name]}; order holds within a hook: take it out"
    return ""


def _place(name: object) -> str:
    return pointer("components", cut(str(name), 200))


def _adaptation_problems(document: dict[str, Any], imports: bool) -> Iterator[str]:
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
            if wrong := problems(changed, imports):
                yield from (f"{where}/patch: it leads to {line}" for line in wrong)
                break
        if changed == base:
            yield f"{where}/patch: it changes nothing"


def _variant_problems(document: dict[str, Any], imports: bool) -> Iterator[str]:
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
        yield from (f"{where}/patch: it leads to {line}" for line in problems(changed, imports))
