"""The gate: what an edit must pass to be shipped. Code, not judgement.

In order: schema and build (the patch applies and every processor lives), novelty (the behaviour was not tried before), a smoke run on one
training task, then paired rollouts on the validation split.

HarnessX's seesaw lets no solved task regress. On a validation *sample* that literal rule refuses an edit with twenty wins and one loss, so
here a loss is let through only where the wins outweigh it beyond chance (exact sign test); without a loss one win is enough, since greedy
decoding in a deterministic environment has no run-to-run noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from homebody.agents.episode import EpisodeRecord
from homebody.evolution.stats import sign_test

RACE = 4
"""Validation tasks that are played between two looks at whether a candidate can still win its round."""
LEVEL = 0.1
"""Largest p-value at which wins outweigh losses: six wins carry one loss (p = 0.063), five do not (p = 0.11)."""


@dataclass(frozen=True)
class Verdict:
    """What the gate says of an edit."""

    accepted: bool
    reason: str
    wins: int = 0
    """Validation tasks that only the edited harness solves."""
    losses: int = 0
    """Validation tasks that only the present harness solves."""


def compare(before: Sequence[EpisodeRecord], after: Sequence[EpisodeRecord], signature: str) -> Verdict:
    """Judge paired rollouts.

    Args:
        before: validation episodes of the present harness.
        after: episodes of the edited harness on the same tasks, in the same order.
        signature: the processor whose activations show that the edit was at work; empty where the edit removes one.
    """
    wins = sum(new.won and not old.won for old, new in zip(before, after, strict=True))
    losses = sum(old.won and not new.won for old, new in zip(before, after, strict=True))
    if signature and not any(n and key.partition(":")[2] == signature for record in after for key, n in record.activations.items()):
        return Verdict(False, f"never at work: {signature} changed nothing in {len(after)} episodes", wins, losses)
    if wins <= losses:
        return Verdict(False, f"no gain: {wins} tasks won, {losses} lost", wins, losses)
    p = sign_test(wins, losses)
    if losses and p > LEVEL:
        return Verdict(False, f"regression not outweighed: {wins} tasks won, {losses} lost, p = {p:.3f}", wins, losses)
    return Verdict(True, f"{wins} tasks won, {losses} lost" + (f", p = {p:.2g}" if losses else ""), wins, losses)


def hopeless(before: Sequence[EpisodeRecord], after: Sequence[EpisodeRecord], to_beat: int) -> str:
    """Tell, in the midst of the validation run, whether a candidate can no longer be shipped, whatever the rest brings.

    Args:
        before: validation episodes of the present harness, all of them.
        after: those of the edited harness so far, on the first of the same tasks.
        to_beat: wins minus losses of the best candidate of the round so far, or 0.

    Returns:
        The reason, or nothing while there is hope.
    """
    net = sum(int(new.won) - int(old.won) for old, new in zip(before, after, strict=False))
    possible = net + sum(not old.won for old in before[len(after) :])
    if possible > to_beat:
        return ""
    return f"dropped after {len(after)} of {len(before)} tasks: it can gain {possible} tasks at most, and {to_beat} are to be beaten"
