"""The landscape of a round: what fails, what was tried against it and what came of that, and which dimensions nobody has tried.

Made of digests of training tasks and of the reports of earlier rounds; no validation task stands in it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from homebody.agents.harness.hooks import DIMENSIONS
from homebody.agents.record import DECIDED_BY
from homebody.evolution.evidence.digest import PARTS, Digest


@dataclass(frozen=True)
class Landscape:
    """What a proposer looks at before it decides where to dig."""

    failures: Mapping[str, list[str]] = field(default_factory=dict)
    """Failing training tasks by category, the most frequent category first."""
    clusters: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """By type of task: `n` played to their end, `won` of these, and `errors`, episodes that an error ended; sorted by name."""
    tried: Sequence[Mapping[str, Any]] = ()
    """Every edit of the earlier rounds, oldest first: `id`, `round`, `operator`, `dimension`, `signature`, `verdict` (`shipped`, `accepted`
    or `rejected`), `reason`, `gain` and `twin_gain` (as `gate.rule.Verdict` has them), and `predicted` and `flipped`: training tasks that
    it was to unlock, and those of them that it did, or None where that was not measured."""
    untried: Sequence[str] = ()
    """Dimensions of a harness that no edit has touched yet."""
    hit_rates: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """By operator, over the edits whose effect on the training tasks was measured: how many tasks were `predicted` and `flipped`."""
    parts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """By what failed (`digest.PARTS`), in that order: `tasks`, how many, and `decided_by`, the steps that show it by who decided them."""

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


def survey(digests: Sequence[Digest], rounds: Sequence[Mapping[str, Any]]) -> Landscape:
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


def _clusters(digests: Sequence[Digest]) -> dict[str, dict[str, int]]:
    kinds = sorted({digest.type for digest in digests})
    found = {}
    for kind in kinds:
        here = [digest for digest in digests if digest.type == kind]
        errors = sum(digest.category == "error" for digest in here)
        found[kind] = {"n": len(here) - errors, "won": sum(digest.won for digest in here), "errors": errors}
    return found


def _parts(digests: Sequence[Digest]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for part, categories in PARTS.items():
        here = [digest for digest in digests if digest.category in categories]
        steps: Counter[str] = Counter()
        for digest in here:
            steps.update(digest.decided_by)
        if here:
            found[part] = {"tasks": len(here), "decided_by": {name: steps[name] for name in DECIDED_BY if steps[name]}}
    return found


def _tried(edit: Mapping[str, Any], item: Mapping[str, Any], digests: Sequence[Digest], now: int) -> dict[str, Any]:
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


def _hit_rates(tried: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, int]]:
    rates: dict[str, dict[str, int]] = {}
    for edit in tried:
        if edit["flipped"] is not None:
            row = rates.setdefault(edit["operator"], {"flipped": 0, "predicted": 0})
            row["flipped"] += len(edit["flipped"])
            row["predicted"] += len(edit["predicted"])
    return rates
