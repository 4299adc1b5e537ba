"""What a run says, read from its store: rounds, edits, verdicts, and the final figures beside their controls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from homebody.agents.model_free import MODEL_FREE, TWINS
from homebody.evolution.reports import worth
from homebody.evolution.reports.attribution import compare_rows
from homebody.evolution.reports.gain import NO_GAIN, null_gain
from homebody.evolution.reports.worth import percent
from homebody.evolution.store import Store, reads_run
from homebody.evolution.stored import Exploration, Run, StoredEnd, StoredResult, StoredRound, StoredStart, StoredSuccess

SEED, EVOLVED = "seed harness", "evolved harness"
ROWS = (
    (SEED, "seed_hash", "model"),
    *((f"seed, twin {name}", "seed_hash", name) for name in TWINS),
    (EVOLVED, "final_hash", "model"),
    *((f"evolved, twin {name}", "final_hash", name) for name in TWINS),
    ("expert (privileged)", None, "expert"),
)
"""Rows of the table: label, which harness, which policy."""
RAISE = "is spent; evolve --resume goes on with a larger one"
ENDINGS = {
    "rounds": "all its rounds were played",
    "no proposals": "the proposer had nothing left to propose",
    "nothing new": "several rounds in a row brought nothing new to play",
    "episodes": f"its budget of episodes {RAISE}",
    "tokens": f"its budget of tokens {RAISE}",
    "minutes": f"its budget of minutes {RAISE}",
    "approval": "the person at the gate said stop; evolve --resume asks again",
    "harness of": "nothing is evolved: its harness evolved for another model",
}
"""Why a run ends, as its result says it (`stopped`) and as people read it."""


@reads_run
def read_run(run_dir: str | Path) -> Run:
    """Read a run.

    Returns:
        `start`, `statistics` (counts only), `rounds`, `end` (None while the run goes on), `failed` (the error that stopped a run which has
        not ended, or None), `evaluations`, and `table`: the final figures by split, the latest of each kind. Where the run has kept them
        `noise` (what the A/A run found) and `hit_rates` (by operator: training tasks that its edits were to unlock, `predicted`, and did,
        `flipped`).

    Raises:
        RunError: there is no run.
    """
    with Store(run_dir, readonly=True) as store:
        start = (store.events("start") or [None])[0]
        statistics = (store.events("statistics") or [None])[0]
        end = (store.events("end") or [None])[-1]
        evaluations = store.events("evaluation")
        landscape = (store.events("landscape") or [{}])[-1]
        noise = (store.events("noise") or [None])[0]
        return {
            "start": start,
            "statistics": _outline(statistics),
            "rounds": store.events("round"),
            "end": end,
            "failed": None if end else (store.events("failed") or [{"message": None}])[-1]["message"],
            "noise": noise,
            "hit_rates": landscape.get("hit_rates", {}),
            "evaluations": [
                cast(StoredResult, {key: value for key, value in item.items() if key not in ("won", "keys")}) for item in evaluations
            ],
            "table": table(start, end, evaluations),
        }


def table(start: StoredStart | None, end: StoredEnd | None, evaluations: Sequence[StoredResult]) -> dict[str, list[StoredResult]]:
    """Line up the evaluations of the seed and the final harness with the controls, by split and step limit."""
    result: dict[str, list[StoredResult]] = {}
    if not start or not end:
        return result
    for split in dict.fromkeys(f"{item['split']}, {item['max_steps']} steps" for item in evaluations):
        here = [item for item in evaluations if f"{item['split']}, {item['max_steps']} steps" == split]
        rows: list[StoredResult] = []
        for label, harness, policy in ROWS:
            if policy == start["model"]:  # a run of a twin is no twin of itself
                continue
            wanted = start["model"] if policy == "model" else policy
            found = [item for item in here if item["policy"] == wanted and harness in (None, _which(item, end))]
            if found:
                shown = latest(found)
                rows.append(cast(StoredResult, {"row": label, **{key: value for key, value in shown.items() if key in _KEPT}}))
        result[split] = rows + _gains(rows, here, end, start["model"])
    return result


def latest(alike: Sequence[StoredResult]) -> StoredResult:
    """Return the latest of several evaluations of one harness and policy; of those of its tasks one with twins comes first."""
    tasks = set(alike[-1]["won"])
    return ([item for item in alike if "twins" in item and set(item["won"]) == tasks] or alike)[-1]


_SHOWN = (
    "n", "errors", "success", "ci95", "steps_mean", "prompt_tokens", "generated_tokens", "policy", "behaviour_hash", "trace_hash",
    "model_share", "model_share_won", "unreadable", "cut", "repaired", "retried", "decided_by", "twins", "best_twin", "model_value",
    "model_value_why",
)  # fmt: skip
GRADES = ("reward_mean", "success_strict", "ci95_strict")
"""Figures that an evaluation has where the environment tells an exact success."""
_KEPT = frozenset((*_SHOWN, *GRADES))


def _which(item: StoredResult, end: StoredEnd) -> str | None:
    return next((key for key in ("final_hash", "seed_hash") if item["behaviour_hash"] == end[key]), "")


def _gains(rows: list[StoredResult], here: list[StoredResult], end: StoredEnd, model: str) -> list[StoredResult]:
    """Return the gain row: points and share of the headroom closed, tasks paired, and the sentence that says so."""
    seed = [item for item in here if item["policy"] == model and item["behaviour_hash"] == end["seed_hash"]]
    final = [item for item in here if item["policy"] == model and item["behaviour_hash"] == end["final_hash"]]
    if not seed or not final or end["seed_hash"] == end["final_hash"]:
        return []
    gain = compare_rows(seed[-1]["won"], final[-1]["won"])
    if gain is None:
        return []
    why = "" if model in MODEL_FREE else null_gain(seed[-1], final[-1])
    low, high = gain.ci95
    closed = f", {percent(gain.headroom_closed)} of the headroom" if gain.headroom_closed is not None else ""
    figures = f"{100 * gain.points:+.1f} points ({100 * low:+.1f} to {100 * high:+.1f}){closed}"
    return [
        {
            "row": "gain",
            "gain": gain.points,
            "n": gain.n,
            "ci95": list(gain.ci95),
            "headroom_closed": gain.headroom_closed,
            "headline": worth.gained(seed[-1], final[-1]),
            "sentence": f"{NO_GAIN}: {why}" if why else figures,
        }
    ]


def markdown(run: Run) -> str:
    """Write a run as Markdown."""
    lines = ["# " + (f"{run['start']['env_id']}, {run['start']['model']}" if run["start"] else "Evaluations"), ""]
    if run["statistics"]:
        lesson = run["statistics"]
        lines += [
            f"Exploration: {lesson['steps']} environment steps on {lesson['tasks']} training tasks, {lesson['plans']} goal templates.",
            "",
        ]
    if run["failed"]:
        lines += [f"The run was stopped: {cell(run['failed'])}.", ""]
    elif not run["start"] and not run["evaluations"]:
        lines += ["Nothing has come to its end here yet. The same command goes on where it stopped.", ""]
    for report in run["rounds"]:
        lines += [f"## Round {report['round']}", "", *round_lines(report), ""]
    lines += _account(run)
    for split, rows in run["table"].items():
        lines += [
            f"## Result: {split}",
            "",
            f"| | n | success (95% interval) | {' | '.join(worth.SHARE_HEADS)} | steps | prompt tokens | generated tokens |",
            "|---|---|---|---|---|---|---|---|---|",
        ]
        lines += [_row(row) for row in rows] + [""]
        for label, said in beside(rows):
            lines += [f"{label}: {cell(said)}", ""]
    if not run["table"]:
        for item in run["evaluations"]:
            played = f"{item['n']} {'task' if item['n'] == 1 else 'tasks'} of {item['split']}, {item['max_steps']} steps"
            lines.append(f"- {item['harness']}, {item['policy']}, {played}: {interval(item)}{grades(item)}")
            lines += [f"  - {cell(said)}" for said in worth.beside(item, plays_twins(item))]
    return "\n".join(lines).rstrip() + "\n"


def plays_twins(item: StoredResult) -> str:
    """Return what plays the twins of a result, where they were not played.

    Args:
        item: a row of a run's table, or an evaluation, which a directory without an evolution has too.
    """
    return "homebody controls plays them" if "row" in item else "homebody evaluate --twins plays them"


def beside(rows: Sequence[StoredResult]) -> list[tuple[str, str]]:
    """Return what the rows of a split say of the model beside its twins, with the row that says it."""
    found = [(row, line) for row in rows if row["row"] in (SEED, EVOLVED) for line in worth.beside(row, plays_twins(row))]
    return [(str(row["row"]).capitalize(), line) for row, line in found]


def round_lines(item: StoredRound) -> list[str]:
    """Write the report of a round as lines of Markdown, without a heading."""
    train, validation = item["train"], item["validation"]
    failures = ", ".join(f"{category} {number}" for category, number in item["failures"].items())
    lines = [
        f"Training {_of(train)}, validation {_of(validation)}.",
        *([f"Validation: {cell(said)}."] if (said := ". ".join(line.removesuffix(".") for line in _beside(item))) else []),
        f"Failures on training: {failures or 'none'}.",
        "",
    ]
    if item["candidates"]:
        lines += ["| edit | dimension | operator | verdict | gain in points | reason |", "|---|---|---|---|---|---|"]
    for edit in item["candidates"]:
        shipped = " (shipped)" if edit["id"] == item["shipped"] else ""
        verdict = f"{edit['verdict']}{shipped}"
        cells = (edit["id"], edit["dimension"], edit["manifest"]["operator"], verdict, worth.gains(edit), edit["reason"])
        lines.append("| " + " | ".join(map(cell, cells)) + " |")
    if item.get("variants"):
        lines += ["", f"Variants: {', '.join(item['variants'])}."]
    lines += [f"Retired: {variant['name']}, {variant['reason']}." for variant in item.get("retired", ())]
    return lines


def _beside(report: StoredRound) -> list[str]:
    """Return what a round's report says of the model beside its twins; nothing without a model."""
    return worth.beside(worth.of_round(report)) if "twins" in report else []


def _of(item: StoredSuccess) -> str:
    errors = item.get("errors", 0)
    return f"{percent(item['success'])} of {item['n']}" + (f" and {errors} error{'' if errors == 1 else 's'}" if errors else "")


def ended(stopped: str) -> str:
    """Say why a run ended; runs of earlier versions knew other reasons, which stand as they are."""
    return f"it ended because {ENDINGS[stopped]}" if stopped in ENDINGS else f"it ended by {stopped}"


def _account(run: Run) -> list[str]:
    """Write what the run cost and saved, how its gate was set, and which operators kept what they promised; each where it is known."""
    end, noise, said = run["end"] or StoredEnd(), run["noise"], []
    if noise:
        said.append(
            f"Noise: of {noise['n']} validation tasks played twice with the same harness, {noise['flips']} changed their outcome; "
            f"the gate's mode is {noise['mode']}."
        )
    elif "gate" in end:
        said.append(f"Gate: mode {end['gate'] or 'never chosen'}, as it was set.")
    if "stopped" in end:
        said += [line for line in (objective(end), worth.choice(end)) if line]
        said.append(
            f"Cost: {end['episodes']} episodes{ended_by_errors(end)}, {end['tokens']} tokens ({end['generated_tokens']} generated, "
            f"{end['cached_tokens']} of the prompts from cache), {end['exploration_steps']} exploration steps, "
            f"{end['wall_s'] / 60:.1f} minutes; {ended(end['stopped'])}."
        )
    if saved := end.get("savings"):
        parts = ", ".join(f"{number} {how.replace('_', ' ')}" for how, number in saved.items() if how not in ("everything", "played"))
        said.append(f"Saved: {saved['played']} episodes played of {saved['everything']} that playing everything anew takes ({parts}).")
    lines = ["## Gate and cost", "", *(f"- {line}" for line in said), ""] if said else []
    if run["hit_rates"]:
        lines += ["| operator | predicted training tasks solved |", "|---|---|"]
        rates = run["hit_rates"].items()
        lines += [f"| {cell(operator)} | {rate['flipped']} of {rate['predicted']} |" for operator, rate in rates] + [""]
    return lines


def objective(end: StoredStart | StoredEnd) -> str:
    """Say what a run was for; nothing where it does not say."""
    name = end.get("objective")
    return f"Objective {name}: {worth.OBJECTIVES[name]}." if name else ""


def ended_by_errors(end: StoredEnd) -> str:
    """Say how many episodes of a run errors ended; nothing where there is none."""
    return f" ({end['errors']} ended by errors)" if end.get("errors") else ""


def _row(row: StoredResult) -> str:
    if row["row"] == "gain":
        return f"| **gain** | {row['n']} | {row['headline']}: **{cell(row['sentence'])}** |{' |' * 6}"
    cells = (graded(row), *worth.share_cells(row), steps(row), row["prompt_tokens"], row["generated_tokens"])
    return f"| {row['row']} | {row['n']} | {' | '.join(map(str, cells))} |"


def interval(item: StoredSuccess) -> str:
    """Return success with its 95% interval, and the number of errors where there are some: they are no defeats."""
    errors = item.get("errors", 0)
    counted = f", {errors} error{'' if errors == 1 else 's'}" if errors else ""
    if item["success"] is None or item["ci95"] is None:
        return "no episode was played" + counted
    low, high = item["ci95"]
    return f"{percent(item['success'])} ({100 * low:.1f} to {100 * high:.1f})" + counted


def graded(item: StoredResult) -> str:
    """Return success with its 95% interval and the errors, and where there are some mean reward and exact success."""
    return interval(item) + grades(item)


def grades(item: StoredResult) -> str:
    """Return mean reward and exact success, to stand after the success; nothing where an evaluation has none."""
    if "success_strict" not in item:
        return ""
    low, high = item["ci95_strict"]
    strict = f"{percent(item['success_strict'])} ({100 * low:.1f} to {100 * high:.1f})"
    return f"; mean reward {item['reward_mean']:.3f}, exact {strict}"


def cell(text: str) -> str:
    """Return a text as a cell of a Markdown table."""
    return " ".join(text.split()).replace("|", "\\|")


def steps(item: StoredResult) -> str:
    """Return the mean number of steps of a task; a dash where no episode was played."""
    return "-" if item["steps_mean"] is None else f"{item['steps_mean']:.1f}"


def _outline(statistics: Mapping[str, Any] | None) -> Exploration | None:
    if statistics is None:
        return None
    return {
        "steps": statistics["steps"],
        "tasks": len(statistics["tasks"]),
        "plans": len(statistics["plans"]),
        "places": len(statistics["observations"]),
    }
