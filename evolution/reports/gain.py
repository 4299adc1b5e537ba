"""When the difference between two harnesses is a gain of the model's, and how it is told.

A seed whose replies cannot be read, or an evolved harness that does as much without the model, leaves two figures and
no gain. Reads results as `homebody.evolution.controls.evaluation.evaluate` returns them with twins, and rows with the same keys.
"""

from __future__ import annotations

from homebody.evolution.reports.worth import NOT_PLAYED, as_much, gained, percent, undecided, value
from homebody.evolution.stored import StoredResult

NO_GAIN = "no gain of the model's"
MOST_UNREADABLE = 0.05
"""Share of a seed's first free replies that may be unreadable."""


def null_gain(seed: StoredResult, final: StoredResult) -> str:
    """Return why the gain from a seed to an evolved harness is null, in a clause; empty where it is a gain of the model's."""
    unreadable = seed.get("unreadable")
    if unreadable is not None and unreadable > MOST_UNREADABLE:
        return f"{percent(unreadable)} of the seed's replies could not be read, and {percent(MOST_UNREADABLE)} may be"
    if "model_value" not in final:
        return NOT_PLAYED
    worth = final["model_value"]
    if worth is None:
        return str(final["model_value_why"])
    if worth["ci95"][0] > 0:
        return ""
    if worth["points"] > 0:
        return f"what the model adds cannot be told from nothing, {value(final)}"
    return f"{undecided(final) or f'without the model the harness solves {as_much(worth)}'}, {value(final)}"


def describe_gain(seed: StoredResult, final: StoredResult, figures: str) -> str:
    """Return a gain in one sentence without its end: before and after, the best twin, and the figures of the gain or why it is null.

    Args:
        seed: result of the seed harness.
        final: result of the evolved harness.
        figures: of the difference, as text.
    """
    why = null_gain(seed, final)
    return f"{gained(seed, final)}: " + (f"{NO_GAIN}: {why}" if why else f"{figures}, {value(final)}")
