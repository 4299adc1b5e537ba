"""The landscape of a round: what fails, what was tried against it and what came of that, and which dimensions nobody has tried.

Made of digests of training tasks and of the reports of earlier rounds; no validation task stands in it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, TypedDict

from homebody.agents.harness.hooks import DIMENSIONS
from homebody.agents.record import DECIDED_BY
from homebody.evolution.evidence.digest import PARTS, Digest
from homebody.evolution.stored import HitRate, StoredEdit, StoredRound


class Cluster(TypedDict):
    """Training tasks of one type."""

    n: int
    """Those that were played to their end."""
    won: int
    errors: int
    """Episodes that an error ended."""


class Part(TypedDict):
    """What failed in one part of a decision."""

    tasks: int
    decided_by: dict[str, int]
    """The steps that show it, by who decided them."""


class TriedEdit(TypedDict):
    """An edit of an earlier round."""

    id: str
    round: int
    operator: str
    signature: str
    dimension: str
    verdict: str
    """`shipped`, `accepted` or `rejected`."""
    reason: str
    gain: float | None
    """As `gate.rule.Verdict` has it."""
    twin_gain: float | None
    predicted: list[str]
    """Training tasks that it was to unlock."""
    flipped: list[str] | None
    """Those of them that it did; None where that was not measured."""


@dataclass(frozen=True)
class Landscape:
    """The evidence of a round in numbers, for a proposer that decides what to edit."""

    failures: Mapping[str, list[str]] = field(default_factory=dict)
    """Failing training tasks by category, the most frequent category first."""
    clusters: Mapping[str, Cluster] = field(default_factory=dict)
    """By type of task, sorted by name."""
    tried: Sequence[TriedEdit] = ()
    """Every edit of the earlier rounds, oldest first."""
    untried: Sequence[str] = ()
    """Dimensions of a harness that no edit has touched yet."""
    hit_rates: Mapping[str, HitRate] = field(default_factory=dict)
    """By operator."""
    parts: Mapping[str, Part] = field(default_factory=dict)
    """By what failed (`digest.PARTS`), in that order."""

    def to_json(self) -> dict[str, Any]:
        """Return JSON-ready data."""
        return asdict(self)


def failures(digests: Sequence[Digest]) -> dict[str, list[str]]:
    """Group the failing tasks by category, the most frequent category first."""
    groups: dict[str, list[str]] = {}
    for digest in digests:
        if not digest.won:
            groups.setdefault(digest.category, []).append(digest.task_id)
    return dict(sorted(groups.items(), key=lambda group: (-len(group[1]), group[0])))


def survey(digests: Sequence[Digest], rounds: Sequence[StoredRound]) -> Landscape:
    """Survey a run.

    Args:
        digests: of the present harness on the training tasks, with their history.
        rounds: the reports of the rounds so far, oldest first.
    """
    tried = [_tried(edit, item, digests, len(rounds) + 1) for item in rounds for edit in item["candidates"]]
    touched = {edit["dimension"] for edit in tried}
    return Landscape(
        failures(digests),
        _clusters(digests),
        tried,
        tuple(dimension for dimension in DIMENSIONS if dimension not in touched),
        _hit_rates(tried),
        _parts(digests),
    )


def _clusters(digests: Sequence[Digest]) -> dict[str, Cluster]:
    kinds = sorted({digest.type for digest in digests})
    found: dict[str, Cluster] = {}
    for kind in kinds:
        here = [digest for digest in digests if digest.type == kind]
        errors = sum(digest.category == "error" for digest in here)
        found[kind] = {"n": len(here) - errors, "won": sum(digest.won for digest in here), "errors": errors}
    return found


def _parts(digests: Sequence[Digest]) -> dict[str, Part]:
    found: dict[str, Part] = {}
    for part, categories in PARTS.items():
        here = [digest for digest in digests if digest.category in categories]
        steps: Counter[str] = Counter()
        for digest in here:
            steps.update(digest.decided_by)
        if here:
            found[part] = {"tasks": len(here), "decided_by": {name: steps[name] for name in DECIDED_BY if steps[name]}}
    return found


def _tried(edit: StoredEdit, item: StoredRound, digests: Sequence[Digest], now: int) -> TriedEdit:
    shipped = edit["id"] == item["shipped"]
    manifest = edit["manifest"]
    predicted = sorted(manifest.get("predicted_impact", {}).get("will_unlock", []))
    flipped = edit.get("flipped")
    if flipped is None and shipped:
        flipped = _unlocked(digests, item["round"], now)
    return {
        "id": edit["id"],
        "round": item["round"],
        "operator": manifest.get("operator", ""),
        "signature": manifest.get("attribution_signature", ""),
        "dimension": edit["dimension"],
        "verdict": "shipped" if shipped else edit["verdict"],
        "reason": edit["reason"],
        "gain": edit.get("gain"),
        "twin_gain": edit.get("twin_gain"),
        "predicted": predicted,
        "flipped": None if flipped is None else sorted(set(flipped) & set(predicted)),
    }


def _unlocked(digests: Sequence[Digest], number: int, now: int) -> list[str] | None:
    """Return the tasks that failed in a round and were solved in the next one, of those played in both; None where none was.

    Args:
        digests: of the present round, with their history; a task that came in later has a shorter one.
        number: the round.
        now: the present round.
    """
    courses = {digest.task_id: (*digest.history, digest.category) for digest in digests}
    back = now - number
    reaching = {task: course for task, course in courses.items() if len(course) > back > 0}
    return [task for task, course in reaching.items() if course[-1 - back] != "won" and course[-back] == "won"] if reaching else None


def _hit_rates(tried: Sequence[TriedEdit]) -> dict[str, HitRate]:
    rates: dict[str, HitRate] = {}
    for edit in tried:
        if edit["flipped"] is not None:
            row = rates.setdefault(edit["operator"], {"flipped": 0, "predicted": 0})
            row["flipped"] += len(edit["flipped"])
            row["predicted"] += len(edit["predicted"])
    return rates
