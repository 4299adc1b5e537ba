"""A harness in words: what it is made of, and what differs between two. Prints nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from homebody.agents.harness.hooks import DIMENSIONS
from homebody.agents.harness.library import known
from homebody.agents.harness.order import Component, dimension_of, hook_of
from homebody.agents.harness.spec import HarnessSpec

OWN = "your own"
LONG = 1500
"""Characters of a parameter that are shown."""


@dataclass(frozen=True)
class Item:
    """A component of a harness."""

    id: str
    use: str
    hook: str
    does: str
    """The first line of its description."""
    params: dict[str, str]
    """Its parameters as texts, long ones cut, and the source of code."""


def outline(spec: HarnessSpec) -> list[tuple[str, list[Item]]]:
    """Return the components by dimension, in the order in which they are asked.

    Dimensions without any are left out. Nothing is imported, so those that the harness names as
    `module:Class` come last, under `OWN`.
    """
    found: dict[str, list[Item]] = {dimension: [] for dimension in (*DIMENSIONS, OWN)}
    for name in spec.in_order():
        item = spec.components[name]
        params = {key: value if isinstance(value, str) else short(value) for key, value in item["params"].items()}
        params |= {"after": ", ".join(item["after"])} if item.get("after") else {}
        params |= {"source": f"\n{item['source']}"} if "source" in item else {}
        processor = known(item["use"])
        found[dimension_of(item, processor) or OWN].append(Item(name, item["use"], hook_of(item, processor), does(item["use"]), params))
    return [(dimension, items) for dimension, items in found.items() if items]


def does(use: str) -> str:
    """Return the first line of a processor's description; of `module:Class` when it is imported."""
    processor = known(use)
    return (processor.__doc__ or "").strip().splitlines()[0] if processor else "A class of your own, imported to check or to play."


def when(rule: Mapping[str, Any]) -> str:
    """Say when a rule is applied."""
    conditions = ", ".join(f"{key} {value}" for key, value in rule["when"].items() if key != "signal")
    return f"when {rule['when']['signal']} ({conditions}), {rule.get('most', 1)} time{'s' if rule.get('most', 1) > 1 else ''} at most"


def short(value: object, most: int = LONG) -> str:
    """Return a value as JSON, cut where it is long."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= most else f"{text[:most]} ... ({len(text)} characters)"


def changes(old: HarnessSpec, new: HarnessSpec) -> list[str]:
    """Say what differs, a line each; nothing for harnesses of equal behaviour and equal texts."""
    lines = [
        f"~ {key}: {short(old.document.get(key), 60)} -> {short(new.document.get(key), 60)}"
        for key in ("name", "description", "origin")
        if old.document.get(key) != new.document.get(key)
    ]
    return [
        *lines,
        *_components(old.components, new.components),
        *_rules(old.adaptations, new.adaptations),
        *_variants(old.variants, new.variants),
    ]


def _components(old: Mapping[str, Component], new: Mapping[str, Component]) -> Iterator[str]:
    for name in dict.fromkeys([*old, *new]):
        if name not in new:
            yield f"- {_named(name, old[name])} ({_about(old[name])[0]})"
        elif name not in old:
            item = new[name]
            yield f"+ {_named(name, item)} ({', at '.join(_about(item))}): {does(item['use'])}"
            yield from (f"+ {name}: {key} {short(value, 60)}" for key, value in _flat(item).items())
        else:
            one, other = _flat(old[name]), _flat(new[name])
            if old[name]["use"] != new[name]["use"]:
                yield f"~ {name}: use {old[name]['use']} -> {new[name]['use']}"
            for key in dict.fromkeys([*one, *other]):
                if one.get(key) != other.get(key):
                    before, after = (short(side[key], 60) if key in side else "(default)" for side in (one, other))
                    yield f"~ {name}: {key} {before} -> {after}"


def _about(item: Component) -> list[str]:
    """Return dimension and hook of a component, as far as they are known without an import."""
    processor = known(item["use"])
    return [OWN] if processor is None else [dimension_of(item, processor), hook_of(item, processor)]


def _named(name: str, item: Component) -> str:
    return name if name == item["use"] else f"{name} ({item['use']})"


def _flat(item: Component) -> dict[str, Any]:
    return {**item["params"], **{key: item[key] for key in ("hook", "dimension", "source", "after", "version") if key in item}}


def _rules(old: Sequence[Mapping[str, Any]], new: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    before, after = ({rule["name"]: rule for rule in rules} for rules in (old, new))
    for name in dict.fromkeys([*before, *after]):
        if name not in after:
            yield f"- rule {name}"
        elif name not in before:
            yield f"+ rule {name}: {when(after[name])}"
        elif before[name] != after[name]:
            yield f"~ rule {name}: {when(after[name])}, {len(after[name]['patch'])} edits"


def _variants(old: Sequence[Mapping[str, Any]], new: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    before, after = ({variant["name"]: variant for variant in variants} for variants in (old, new))
    for name in dict.fromkeys([*before, *after]):
        if name not in after:
            yield f"- variant {name}"
        elif before.get(name) != after[name]:
            words = after[name]["route"]["words"]
            marks = sorted(words, key=lambda word: -words[word])[:5]
            edits = len(after[name]["patch"])
            yield f"{'~' if name in before else '+'} variant {name}: {edits} edits, for goals with words like {', '.join(marks)}"
