"""The final harness without one of its edits: the shipped edits replayed, one left out.

A JSON Patch names processors by place, and without an earlier edit another processor may stand there. So an edit is taken as what it did
to each processor by name, and an edit that built on the one left out goes with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from homebody.agents.harness.spec import HarnessError, HarnessSpec, digest
from homebody.evolution.lineage import Edit, Lineage

Name = tuple[str, str]
"""What a processor is known by from harness to harness: its `use`, and its number among those of the same use, or its code."""
Entries = dict[Name, dict[str, Any]]
BY_PLACE = ("adaptations", "variants")
"""Parts of a harness whose patches name processors by place."""
ABOUT = ("name", "description", "origin")
"""Parts of a harness that do nothing."""


@dataclass(frozen=True)
class Ablation:
    """The final harness without an edit."""

    edit: Edit
    left_out: tuple[Edit, ...]
    """The edit, and those that built on it."""
    spec: HarnessSpec | None
    """The harness, or None where it cannot be told apart."""
    problem: str = ""
    """Why not."""

    @property
    def label(self) -> str:
        """What is left out, for people."""
        others = ", ".join(edit.id for edit in self.left_out[1:])
        return f"without {self.edit.label}" + (f" (not separable from {others})" if others else "")


class _NeedsError(Exception):
    """An edit cannot be replayed without the one that was left out."""

    def __init__(self, number: int) -> None:
        self.number = number


def leave_one_out(lineage: Lineage) -> list[Ablation]:
    """Return the final harness without each of its shipped edits, in the order of shipping."""
    found = []
    for number, edit in enumerate(lineage.edits):
        out = {number}
        while True:
            try:
                document = _rebuild(lineage, out)
                break
            except _NeedsError as needs:
                out.add(needs.number)
        left_out = tuple(lineage.edits[index] for index in sorted(out))
        found.append(Ablation(edit, left_out, *_checked(document, lineage)))
    return found


def _checked(document: dict[str, Any], lineage: Lineage) -> tuple[HarnessSpec | None, str]:
    final = lineage.replayed
    shifted = len(document["processors"]) != len(final.processors)
    for part in BY_PLACE:
        if shifted and document.get(part):
            return None, f"the {part} of the harness name its processors by place"
    if _rebuild(lineage, set()) != _plain(final.document):
        return None, "an edit of the run moved processors"
    try:
        return HarnessSpec.from_json({**document, "name": final.name, "format": final.document["format"]}), ""
    except HarnessError as error:
        return None, str(error)


def _rebuild(lineage: Lineage, out: set[int]) -> dict[str, Any]:
    """Replay the edits whose numbers are not in `out`, in terms of processors; the parts that do nothing are left away."""
    current = _named(lineage.seed)
    rest = {key: value for key, value in _plain(lineage.seed.document).items() if key != "processors"}
    for number, edit in enumerate(lineage.edits):
        if number in out:
            continue
        before, after = _named(edit.before), _named(edit.after)
        current = {name: item for name, item in current.items() if name in after or name not in before}
        for position, (name, item) in enumerate(after.items()):
            if name not in before:
                current = _insert(current, name, item, list(after)[:position])
            elif item != before[name]:
                if name not in current:
                    raise _NeedsError(number)
                current[name] = _change(current[name], before[name], item)
        was, now = _plain(edit.before.document), _plain(edit.after.document)
        for key in (was.keys() | now.keys()) - {"processors"}:
            if was.get(key) != now.get(key):
                if rest.get(key) != was.get(key):
                    raise _NeedsError(number)
                rest = {**rest, key: now[key]} if key in now else {k: value for k, value in rest.items() if k != key}
    return {**rest, "processors": list(current.values())}


def _plain(document: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in document.items() if key not in ABOUT}


def _named(spec: HarnessSpec) -> Entries:
    found: Entries = {}
    for item in spec.processors:
        number = sum(use == item["use"] for use, _ in found)
        found[item["use"], digest(item["source"]) if "source" in item else str(number)] = item
    return found


def _insert(current: Entries, name: Name, item: dict[str, Any], before: Sequence[Name]) -> Entries:
    """Place a new processor after the nearest of those that stood before it."""
    if name in current:
        return {**current, name: item}
    names = list(current)
    place = next((names.index(other) + 1 for other in reversed(before) if other in current), 0)
    names.insert(place, name)
    return {other: item if other == name else current[other] for other in names}


def _change(entry: dict[str, Any], was: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """Do to an entry what turned one version of it into another: only those parameters change that did so there."""
    params = {key: value for key, value in entry["params"].items() if key in now["params"] or key not in was["params"]}
    params |= {key: value for key, value in now["params"].items() if key not in was["params"] or was["params"][key] != value}
    return {**entry, **{key: value for key, value in now.items() if key != "params"}, "params": params}
