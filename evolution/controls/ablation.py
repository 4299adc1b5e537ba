"""The final harness without one of its edits: the shipped edits replayed, one left out.

A JSON Patch names components by id, so the other edits mean the same. One that does not apply any
more built on the one left out, and goes with it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from homebody.agents.harness.patch import PatchError, apply
from homebody.agents.harness.spec import HOLD_PATCHES, HarnessError, HarnessSpec
from homebody.evolution.reports.lineage import Edit, Lineage


@dataclass(frozen=True)
class Ablation:
    """The final harness without an edit."""

    edit: Edit
    left_out: tuple[Edit, ...]
    """The edit, and those that built on it."""
    spec: HarnessSpec | None
    """The harness, or None where what is left is none."""
    problem: str = ""
    """Why not."""

    @property
    def label(self) -> str:
        """What is left out, for people."""
        others = ", ".join(edit.id for edit in self.left_out[1:])
        return f"without {self.edit.label}" + (f" (not separable from {others})" if others else "")


def leave_one_out(lineage: Lineage) -> list[Ablation]:
    """Return the final harness without each of its shipped edits, in the order of shipping."""
    return [_without(lineage, number) for number in range(len(lineage.edits))]


def _without(lineage: Lineage, number: int) -> Ablation:
    document: Any = lineage.seed.document
    left_out: list[Edit] = []
    for place, edit in enumerate(lineage.edits):
        if place == number or _is_built_on(edit, document):
            left_out.append(edit)
        else:
            document = apply(document, edit.patch)
    try:
        return Ablation(left_out[0], tuple(left_out), HarnessSpec.from_json({**document, "name": lineage.replayed.name}))
    except HarnessError as error:
        return Ablation(left_out[0], tuple(left_out), None, str(error))


def _is_built_on(edit: Edit, document: dict[str, Any]) -> bool:
    """Tell whether an edit needs more than the document has.

    It does if its patch does not apply, or acts on rules or variants that are others here.
    """
    try:
        apply(document, edit.patch)
    except PatchError:
        return True
    acts_on: Collection[str] = {operation[key].split("/")[1] for operation in edit.patch for key in ("path", "from") if operation.get(key)}
    before = edit.before.document
    return any(key in acts_on and document.get(key) != before.get(key) for key in HOLD_PATCHES)
