"""What results say of a model in words: its success beside that of the best twin, what it is worth, and how much it decided.

Reads results as `homebody.evolution.controls.evaluation.evaluate` returns them, and rows and rounds with the same keys.
"""

from __future__ import annotations

from typing import cast

from homebody.agents.model_free import MODEL_FREE
from homebody.evolution.stored import StoredEdit, StoredEnd, StoredResult, StoredRound, StoredWorth

NOT_PLAYED = "twins not played"


def headline(item: StoredResult, how: str = "") -> str:
    """Return a model's success beside the best twin's, with what the model is worth; empty without a model.

    Args:
        item: a result.
        how: what plays the twins where they were not played.
    """
    if item["policy"] in MODEL_FREE:
        return ""
    said = f"{item['policy']} {percent(item['success'])}, "
    if "twins" not in item:
        return said + NOT_PLAYED + (f": {how}" if how else "")
    return f"{said}{best_twin(item)}: {value(item)}"


def beside(item: StoredResult, how: str = "") -> list[str]:
    """Return what there is to say of a model beside its twins, one sentence a line; nothing without a model.

    Args:
        item: a result.
        how: what plays the twins where they were not played.
    """
    said = shares(item)
    decided = f"{said}; steps decided by {decided_by(item)}." if said else ""
    return [line for line in (headline(item, how), verdict(item), decided) if line]


def twins(item: StoredResult) -> str:
    """Return the success of each twin, and how long they took; empty where they were not played."""
    if "twins" not in item:
        return ""
    found = ", ".join(f"{name} {percent(success)}" for name, success in item["twins"].items())
    return f"Twins: {found}; played in {item['twins_s']:.1f} s of {item['wall_s']:.1f} s."


def of_round(report: StoredRound, policy: str = "the model") -> StoredResult:
    """Return what a round's report says of its validation, as a result; also of the `final` of an evolution."""
    return cast(StoredResult, {**report, **report["validation"], "policy": policy})


OBJECTIVES = {
    "model": "an edit must gain, and with the model at least as much as its best twin gains without",
    "success": "an edit must gain, whoever decides",
}
"""What a run was for, as its result says it (`objective`) and as people read it."""


def choice(end: StoredEnd) -> str:
    """Return how the final harness was chosen, in a sentence.

    Args:
        end: the result of an evolution; empty for one whose result does not say.
    """
    if "kept" not in end:
        return ""
    shipped = [item["shipped"] for item in end["rounds"] if item["shipped"]]
    kept, confident = end["kept"], "a model_value above 0 with 90% confidence"
    if not shipped:
        return "No edit was shipped: the final harness is the seed."
    if end["objective"] == "success":
        return f"The final harness is the last one shipped, {shipped[-1]}, whoever decides in it."
    if not kept:
        return f"No shipped harness has {confident}: the run ends with its seed."
    if kept == len(shipped):
        return f"The final harness is the last one shipped, {shipped[-1]}: it has {confident}."
    return f"The final harness is that of {shipped[kept - 1]}: of the {len(shipped) - kept} shipped after it, none has {confident}."


def gains(edit: StoredEdit) -> str:
    """Return what an edit gained on validation tasks with the model, and what its best twin gained without, in points.

    Of an edit that was not played to the end what is known of it; an empty text where nothing is.
    """
    gain, twin_gain = edit.get("gain"), edit.get("twin_gain")
    if twin_gain is None:
        return "" if gain is None else _points(gain)
    known = (("with the model", gain), ("best twin", twin_gain))
    return ", ".join(f"{name} {_points(gain) if gain is not None else 'not known'}" for name, gain in known)


def gained(before: StoredResult, after: StoredResult) -> str:
    """Return the headline of a gain: success before and after, beside the best twin of what came out."""
    said = f"{percent(before['success'])} to {percent(after['success'])}"
    if after["policy"] in MODEL_FREE:
        return said
    return f"{said}, {best_twin(after) if 'twins' in after else NOT_PLAYED}"


def best_twin(item: StoredResult) -> str:
    """Return the best twin with its success."""
    return f"best twin {item['best_twin']} {percent(item['twins'][item['best_twin']])}"


def value(item: StoredResult) -> str:
    """Return what a model is worth in points, with the 95% interval; or why that cannot be said."""
    worth = item["model_value"]
    if worth is None:
        return f"no model_value, {item['model_value_why']}"
    low, high = worth["ci95"]
    return f"model_value {_points(worth['points'])} ({_points(low)} to {_points(high)})"


def verdict(item: StoredResult) -> str:
    """Return a sentence where the model is worth nothing, or nothing that these tasks can tell; else an empty text.

    Wins that are not counted are said in any case.
    """
    worth, left_out = item.get("model_value"), undecided(item)
    if worth is None or worth["ci95"][0] > 0:
        return f"In model_value, {left_out}." if left_out else ""
    if worth["points"] > 0:
        return "On these tasks, what the model adds cannot be told from nothing" + (f"; {left_out}." if left_out else ".")
    return f"The model adds nothing: {left_out or f'without it, the harness solves {as_much(worth)}'}."


def as_much(worth: StoredWorth) -> str:
    """Return how much a harness solves without a model that is worth nothing."""
    return "as much" if worth["points"] == 0 else "more"


def undecided(item: StoredResult) -> str:
    """Return in a clause how many wins are not counted in what a model is worth; empty where none is left out."""
    wins = (item.get("model_value") or {}).get("undecided", 0)
    said = "1 win in which the model decided no step is" if wins == 1 else f"{wins} wins in which the model decided no step are"
    return f"{said} not counted" if wins else ""


def shares(item: StoredResult) -> str:
    """Return how much the model decided and how readable it was; empty without a model, and for results that do not say."""
    if item.get("model_share") is None:
        return ""
    said = [f"model share {percent(item['model_share'])} (of won {percent(item['model_share_won'])})"]
    said += [f"{name} {percent(item[name])}" for name in ("unreadable", "cut") if item[name] is not None]
    said += [f"{name} {item[name]}" for name in ("repaired", "retried") if item.get(name)]
    return ", ".join([*said, f"errors {item['errors']}"])


def share_cells(item: StoredResult) -> list[str]:
    """Return the cells of `SHARE_HEADS` in a row of a table; a dash where there is nothing to share."""
    return [percent(item.get("model_share")), percent(item.get("unreadable")), percent(item.get("cut"))]


SHARE_HEADS = ("model share", "unreadable", "cut")


def decided_by(item: StoredResult) -> str:
    """Return the steps by who decided them, those that nobody did left out."""
    return ", ".join(f"{name} {steps}" for name, steps in item["decided_by"].items() if steps)


def percent(share: float | None) -> str:
    """Return a share in percent; a dash where there is none."""
    return "-" if share is None else f"{100 * share:.1f}%"


def _points(share: float) -> str:
    return f"{100 * share:+.1f}"
