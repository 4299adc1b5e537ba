"""A harness in words: what it is made of, and what differs between two. Prints nothing."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from homebody.agents.harness.hooks import DIMENSIONS
from homebody.agents.harness.spec import HarnessSpec
from homebody.agents.processors import find

LONG = 1500
"""Characters of a parameter that are shown."""


@dataclass(frozen=True)
class Item:
    """A processor of a harness."""

    position: int
    name: str
    hook: str
    does: str
    """The first line of its description."""
    params: dict[str, str]
    """Its parameters as texts, long ones cut, and the source of code."""


def outline(spec: HarnessSpec) -> list[tuple[str, list[Item]]]:
    """Return the processors by dimension; dimensions without any are left out."""
    found: dict[str, list[Item]] = {dimension: [] for dimension in DIMENSIONS}
    for position, entry in enumerate(spec.processors):
        params = {name: value if isinstance(value, str) else short(value) for name, value in entry["params"].items()}
        params |= {"source": f"\n{entry['source']}"} if "source" in entry else {}
        found[entry["dimension"]].append(Item(position, entry["use"], entry["hook"], does(entry["use"]), params))
    return [(dimension, items) for dimension, items in found.items() if items]


def does(use: str) -> str:
    """Return the first line of a processor's description."""
    return (find(use).__doc__ or "").strip().splitlines()[0]


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
        *_processors(old.processors, new.processors),
        *_rules(old.adaptations, new.adaptations),
        *_variants(old.variants, new.variants),
    ]


def _processors(old: Sequence[Mapping[str, Any]], new: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Pair the processors of equal names in their order; what has no pair has come, gone or moved."""
    matcher = difflib.SequenceMatcher(None, [entry["use"] for entry in old], [entry["use"] for entry in new], autojunk=False)
    gone: list[Mapping[str, Any]] = []
    come: list[Mapping[str, Any]] = []
    for tag, a, b, c, d in matcher.get_opcodes():
        if tag == "equal":
            for one, other in zip(old[a:b], new[c:d], strict=True):
                yield from _entry(one, other)
        else:
            gone += old[a:b]
            come += new[c:d]
    for entry in gone:
        pair = next((other for other in come if other["use"] == entry["use"]), None)
        if pair is None:
            yield f"- {entry['use']} ({entry['dimension']})"
            continue
        come.remove(pair)
        yield f"~ {entry['use']} moved"
        yield from _entry(entry, pair)
    for entry in come:
        yield f"+ {entry['use']} ({entry['dimension']}, at {entry['hook']}): {does(entry['use'])}"
        own = {**entry["params"], **({"source": entry["source"]} if "source" in entry else {})}
        yield from (f"+ {entry['use']}: {key} {short(value, 60)}" for key, value in own.items())


def _entry(one: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[str]:
    flat = [{**entry["params"], **{key: entry[key] for key in ("hook", "dimension", "source") if key in entry}} for entry in (one, other)]
    for key in dict.fromkeys([*flat[0], *flat[1]]):
        if flat[0].get(key) != flat[1].get(key):
            before, after = (short(side[key], 60) if key in side else "(default)" for side in flat)
            yield f"~ {one['use']}: {key} {before} -> {after}"


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
