"""The gate's rule for paired rollouts: what an edit must show on the validation tasks to be shipped. Code, not judgement.

HarnessX's seesaw lets no solved task regress. On a validation *sample* that literal rule refuses an edit with twenty wins and one loss, and
where runs differ by chance it refuses nearly everything, no change at all included (`homebody bench gate` measures all of this). So there
are three modes, and an A/A run chooses between the last two:

- `literal`: a win, and no loss.
- `outweigh`: a win without a loss, or wins that outweigh the losses beyond chance (exact sign test). For runs that repeat to the letter:
  there a win is no accident of the run, and the test only asks whether the losses are more than a bad draw of tasks.
- `statistical`: wins that outweigh the losses beyond chance, whether there are losses or not. For runs that differ from time to time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from homebody.agents.record import EpisodeRecord
from homebody.evolution.stats import sign_test

MODES = ("literal", "outweigh", "statistical")
RACE = 4
"""Validation tasks that are played between two looks at whether a candidate can still win its round."""
LEVEL = 0.1
"""Largest p-value at which wins outweigh losses: six wins carry one loss (p = 0.063), five do not (p = 0.11); without a loss four are
enough (p = 0.063), three are not (p = 0.13)."""

Check = tuple[str, str]
"""A check's name and what it said; of a rejected edit the last one is where it fell."""


@dataclass(frozen=True)
class Verdict:
    """What the gate says of an edit."""

    accepted: bool
    reason: str
    won: tuple[str, ...] = ()
    """Validation tasks that only the edited harness solves; an error that ended the present one's episode counts as unsolved there."""
    lost: tuple[str, ...] = ()
    """Validation tasks that only the present harness solves, and the edited one played to their end."""
    activations: int = 0
    """How often the component of the edit's signature was at work on the validation tasks."""
    checks: tuple[Check, ...] = ()

    @property
    def net(self) -> int:
        """Wins minus losses."""
        return len(self.won) - len(self.lost)


def refuse(check: str, why: str) -> Verdict:
    """Return the verdict on an edit that fell before the paired rollouts."""
    return Verdict(False, f"{check}: {why}", checks=((check, why),))


def choose_mode(first: Sequence[EpisodeRecord], again: Sequence[EpisodeRecord]) -> str:
    """Return the mode that an A/A run speaks for: `outweigh` if every episode came again command for command, else `statistical`.

    Commands are compared, not outcomes: where runs differ at all nearly every episode differs in some command, while few change their
    outcome, so four tasks tell.

    Args:
        first: episodes of a harness.
        again: episodes of the same harness on the same tasks, played anew.
    """
    return "outweigh" if differing(first, again) == 0 else "statistical"


def differing(first: Sequence[EpisodeRecord], again: Sequence[EpisodeRecord]) -> int:
    """Return how many episodes of an A/A run did not come again command for command."""
    return sum(_commands(old) != _commands(new) or old.won != new.won for old, new in zip(first, again, strict=True))


def _commands(record: EpisodeRecord) -> list[str]:
    return [step.command for step in record.trace]


def compare(before: Sequence[EpisodeRecord], after: Sequence[EpisodeRecord], signature: str, mode: str) -> Verdict:
    """Judge paired rollouts.

    Args:
        before: validation episodes of the present harness.
        after: episodes of the edited harness on the same tasks, in the same order.
        signature: the id of the component whose activations show that the edit was at work; empty
            where the edit removes one.
        mode: one of `MODES`.

    Returns:
        The verdict, with the checks `rollouts`, `errors` (only where it fell there: an error is no loss, and an edit brings no new ones),
        `activation` (what an edit won that was never at work is no merit of its), `gain` and `seesaw`, as far as it came.
    """
    pairs = [(new.task_id, old.outcome, new.outcome) for old, new in zip(before, after, strict=True)]
    won = tuple(task for task, old, new in pairs if new and not old)
    lost = tuple(task for task, old, new in pairs if old and new is False)
    activations = sum(record.activations.get(signature, 0) for record in after)
    tally = f"{len(won)} tasks won, {len(lost)} lost"
    failing = {
        "activation": f"never at work: {signature} changed nothing in {len(after)} episodes" if signature and not activations else "",
        "gain": f"no gain: {tally}" if len(won) <= len(lost) else "",
        "seesaw": _regression(len(won), len(lost), mode),
    }
    checks: list[Check] = [("rollouts", tally)]
    if errors := new_errors(before, after):
        return Verdict(False, errors, won, lost, activations, (*checks, ("errors", errors)))
    for name, reason in failing.items():
        checks.append((name, reason or "passed"))
        if reason:
            return Verdict(False, reason, won, lost, activations, tuple(checks))
    tested = mode == "statistical" or lost
    said = tally + (f", p = {sign_test(len(won), len(lost)):.2g}" if tested else "")
    return Verdict(True, said, won, lost, activations, tuple(checks))


def new_errors(before: Sequence[EpisodeRecord], after: Sequence[EpisodeRecord]) -> str:
    """Return what is wrong where an error ended more episodes of the edited harness than of the present one; nothing elsewhere.

    Args:
        before: episodes of the present harness.
        after: episodes of the edited harness on the same tasks, or on the first of them.
    """
    was = sum(record.error is not None for record in before[: len(after)])
    errors = [record.error for record in after if record.error is not None]
    if len(errors) <= was:
        return ""
    first = errors[0]
    said = f"{first['kind']} at {first['boundary']}: {first['message']}"
    return f"errors ended {len(errors)} of {len(after)} episodes, {was} before the edit; the first: {said}"


def _regression(won: int, lost: int, mode: str) -> str:
    """Return why this many losses, or wins that are too few to be no accident, are not let through; nothing where they are."""
    p, tally = sign_test(won, lost), f"{won} tasks won, {lost} lost"
    if mode == "literal":
        return f"regression: {tally}" if lost else ""
    if p <= LEVEL or (mode == "outweigh" and not lost):
        return ""
    return f"{'regression not outweighed' if lost else 'no more than chance'}: {tally}, p = {p:.3f}"


def hopeless(before: Sequence[EpisodeRecord], after: Sequence[EpisodeRecord], to_beat: int, mode: str) -> str:
    """Tell, in the midst of the validation run, whether a candidate can no longer be shipped, whatever the rest brings.

    Args:
        before: validation episodes of the present harness, all of them.
        after: those of the edited harness so far, on the first of the same tasks.
        to_beat: wins minus losses of the best candidate of the round so far, or 0.
        mode: one of `MODES`.

    Returns:
        The reason, or nothing while there is hope.
    """
    so_far = f"dropped after {len(after)} of {len(before)} tasks"
    if errors := new_errors(before, after):
        return f"{so_far}: {errors}"
    pairs = [(old.outcome, new.outcome) for old, new in zip(before, after, strict=False)]
    won = sum(new is True and old is not True for old, new in pairs)
    lost = sum(old is True and new is False for old, new in pairs)
    most = won + sum(old.outcome is not True for old in before[len(after) :])
    if most - lost <= to_beat:
        return f"{so_far}: it can gain {most - lost} tasks at most, and {to_beat} are to be beaten"
    if mode == "literal" and lost:
        return f"{so_far}: {lost} lost, and none may be"
    if (mode == "statistical" or lost) and (p := sign_test(most, lost)) > LEVEL:
        return f"{so_far}: {lost} lost, and the {most} that it can win at most do not outweigh that, p = {p:.3f}"
    return ""
