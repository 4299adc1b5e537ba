"""The gate's rule for paired rollouts: what an edit must show on the validation tasks to be shipped. Code, not judgement.

HarnessX's seesaw lets no solved task regress. On a validation *sample* that rule refuses an edit with twenty wins and one loss, and
where runs differ by chance it refuses nearly everything, no change at all included (`homebody bench gate` measures all of this). So there
are three modes, and an A/A run chooses between the last two:

- `no-regression`: a win, and no loss.
- `sign-test`: a win without a loss, or wins that outweigh the losses beyond chance (exact sign test). For runs that repeat exactly:
  there a win is no accident of the run, and the test only asks whether the losses are more than a bad draw of tasks.
- `noise-aware`: wins that outweigh the losses beyond chance, whether there are losses or not. For runs that differ from time to time.

Where the objective is the model, an edit must besides gain at least as many of these tasks with the model as its best twin gains without
it: what takes the model's part in a harness over is no gain of the model's. Only wins that `Twins.counted` counts are wins then.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from homebody.agents.record import EpisodeRecord
from homebody.evolution.gate.episodes import describe_error
from homebody.evolution.gate.stats import sign_test
from homebody.evolution.gate.twins import Beside

TASKS_BETWEEN_LOOKS = 4
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
    gain: float | None = None
    """Success after the edit minus success before, on the tasks that both played to their end; None where not all were played."""
    twin_gain: float | None = None
    """The same of the best twin, whom the edit brings this much without the model; None where no twin was played."""

    @property
    def net(self) -> int:
        """Wins minus losses."""
        return len(self.won) - len(self.lost)


def refuse(check: str, why: str) -> Verdict:
    """Return the verdict on an edit that fell before the paired rollouts."""
    return Verdict(False, f"{check}: {why}", checks=((check, why),))


def choose_mode(first: Sequence[EpisodeRecord], again: Sequence[EpisodeRecord]) -> str:
    """Return the mode that an A/A run speaks for: `sign-test` if every episode came again command for command, else `noise-aware`.

    Commands are compared, not outcomes: where runs differ at all nearly every episode differs in some command, while few change their
    outcome, so four tasks tell.

    Args:
        first: episodes of a harness.
        again: episodes of the same harness on the same tasks, played anew.
    """
    return "sign-test" if differing(first, again) == 0 else "noise-aware"


def differing(first: Sequence[EpisodeRecord], again: Sequence[EpisodeRecord]) -> int:
    """Return how many episodes of an A/A run did not come again command for command."""
    return sum(_commands(old) != _commands(new) or old.won != new.won for old, new in zip(first, again, strict=True))


def _commands(record: EpisodeRecord) -> list[str]:
    return [step.command for step in record.trace]


def compare(
    before: Sequence[EpisodeRecord], after: Sequence[EpisodeRecord], signature: str, mode: str, beside: Beside | None = None
) -> Verdict:
    """Judge paired rollouts.

    Args:
        before: validation episodes of the present harness.
        after: episodes of the edited harness on the same tasks, in the same order.
        signature: the id of the component whose activations show that the edit was at work; empty
            where the edit removes one.
        mode: one of `config.MODES`.
        beside: the twins of both on these tasks, where the objective is the model; else None.

    Returns:
        The verdict, with the checks `rollouts`, `errors` (only where it fell there: an error is no loss, and an edit brings no new ones),
        `activation` (what an edit won that was never at work is no merit of its), `gain`, `seesaw` and, beside twins, `twin`, as far as it
        came.
    """
    was, now = _outcomes(before, after, beside)
    pairs = [(record.task_id, old, new) for old, new, record in zip(was, now, after, strict=True)]
    won = tuple(task for task, old, new in pairs if new and not old)
    lost = tuple(task for task, old, new in pairs if old and new is False)
    activations = sum(record.activations.get(signature, 0) for record in after)
    tally = f"{len(won)} tasks won, {len(lost)} lost"
    failing = {
        "activation": f"never at work: {signature} changed nothing in {len(after)} episodes" if signature and not activations else "",
        "gain": f"no gain: {tally}" if len(won) <= len(lost) else "",
        "seesaw": _regression(len(won), len(lost), mode),
    }
    played = [(task, new - old) for task, old, new in pairs if old is not None and new is not None]
    gained, alone = sum(change for _, change in played), 0
    if beside is not None:
        alone = beside.gain([task for task, _ in played])
        fault = beside.fault(before, after)
        failing["twin"] = f"no measure of the model: {fault}" if fault else _taken_over(gained, alone)
    gain, twin_gain = (number / len(played) if played else None for number in (gained, alone))
    found = Verdict(False, "", won, lost, activations, (), gain, twin_gain if beside is not None else None)
    checks: list[Check] = [("rollouts", tally)]
    if errors := new_errors(before, after):
        return replace(found, reason=errors, checks=(*checks, ("errors", errors)))
    for name, reason in failing.items():
        checks.append((name, reason or "passed"))
        if reason:
            return replace(found, reason=reason, checks=tuple(checks))
    tested = mode == "noise-aware" or lost
    said = tally + (f", p = {sign_test(len(won), len(lost)):.2g}" if tested else "")
    return replace(found, accepted=True, reason=said + (f", best twin {alone:+d}" if beside is not None else ""), checks=tuple(checks))


def _outcomes(
    before: Sequence[EpisodeRecord], after: Sequence[EpisodeRecord], beside: Beside | None
) -> tuple[list[bool | None], list[bool | None]]:
    """Return the outcomes as they count; None where an error ended an episode."""
    if beside is None:
        return [record.outcome for record in before], [record.outcome for record in after]
    was, now = beside.before, beside.after
    return was.counted(before, was.best), now.counted(after, now.best)


def _taken_over(gained: int, alone: int) -> str:
    """Return why an edit that gains this many tasks is not let through beside a twin that gains so many; nothing where it is."""
    return f"it gains {gained} tasks with the model, and its best twin {alone} without" if gained < alone else ""


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
    return f"errors ended {len(errors)} of {len(after)} episodes, {was} before the edit; the first: {describe_error(errors[0])}"


def _regression(won: int, lost: int, mode: str) -> str:
    """Return why this many losses, or wins that are too few to be no accident, are not let through; nothing where they are."""
    p, tally = sign_test(won, lost), f"{won} tasks won, {lost} lost"
    if mode == "no-regression":
        return f"regression: {tally}" if lost else ""
    if p <= LEVEL or (mode == "sign-test" and not lost):
        return ""
    return f"{'regression not outweighed' if lost else 'no more than chance'}: {tally}, p = {p:.3f}"


def stop_early(
    before: Sequence[EpisodeRecord], after: Sequence[EpisodeRecord], to_beat: int, mode: str, beside: Beside | None = None
) -> str:
    """Tell, in the midst of the validation run, whether a candidate can no longer be shipped, whatever the rest brings.

    Args:
        before: validation episodes of the present harness, all of them.
        after: those of the edited harness so far, on the first of the same tasks.
        to_beat: wins minus losses of the best candidate of the round so far, or 0.
        mode: one of `config.MODES`.
        beside: the twins of both on all of these tasks, where the objective is the model; else None.

    Returns:
        The reason, or nothing while there is hope.
    """
    so_far = f"dropped after {len(after)} of {len(before)} tasks"
    if errors := new_errors(before, after):
        return f"{so_far}: {errors}"
    if beside is not None and (fault := beside.fault(before, after)):
        return f"{so_far}: no measure of the model: {fault}"
    was, now = _outcomes(before, after, beside)
    pairs = list(zip(was, now, strict=False))
    won = sum(new is True and old is not True for old, new in pairs)
    lost = sum(old is True and new is False for old, new in pairs)
    most = won + sum(old is not True for old in was[len(after) :])
    if most - lost <= to_beat:
        return f"{so_far}: it can gain {most - lost} tasks at most, and {to_beat} are to be beaten"
    if beside is not None and most - lost < (alone := beside.gain([old.task_id for old in before if old.outcome is not None])):
        return f"{so_far}: it can gain {most - lost} tasks at most, and its best twin gains {alone} without the model"
    if mode == "no-regression" and lost:
        return f"{so_far}: {lost} lost, and none may be"
    if (mode == "noise-aware" or lost) and (p := sign_test(most, lost)) > LEVEL:
        return f"{so_far}: {lost} lost, and the {most} that it can win at most do not outweigh that, p = {p:.3f}"
    return ""
