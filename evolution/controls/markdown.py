"""Gains in words: the controls of one run, and the results table of many beside what others have published. Markdown, from data only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from homebody.agents.model_free import MODEL_FREE
from homebody.evolution.controls.claims import evolved_row, gain_of, is_counted, is_marked
from homebody.evolution.reports.gain import MOST_UNREADABLE, NO_GAIN, describe_gain, null_gain
from homebody.evolution.reports.summary import cell, graded
from homebody.evolution.reports.worth import SHARE_HEADS, beside, gained, percent, share_cells
from homebody.evolution.stored import StoredResult


def controls_markdown(result: Mapping[str, Any]) -> str:
    """Write what `homebody.evolution.controls.baselines.play_controls` returns."""
    run = result["run"]
    of = f" in the harness of {run['harness_of']}" if run.get("harness_of") else ""
    lines = [f"## {run['env']}, {run['model']}{of}: {run['split']} split, {run['max_steps']} steps a task", ""]
    lines += [f"Played: {run['about']}.", ""] if run.get("about") else []
    lines += table(map(control_cells, result["rows"]), CONTROL_HEADS)
    lines += said(result)
    return "\n".join(lines) + "\n"


CONTROL_HEADS = ("", "n", "first attempt (95% interval)", "best of the attempts", "points over the seed (95% interval)", "steps a task",
                 *SHARE_HEADS)  # fmt: skip


def control_cells(row: Mapping[str, Any]) -> list[str]:
    """Return the cells of a row of the table of controls."""
    figures = [first_attempt(row), best(row), over_seed(row.get("gain")), f"{row['steps_mean']:.1f}"]
    return [cell(row["label"]), str(row["n"]), *figures, *share_cells(cast(StoredResult, row))]


def over_seed(gain: Mapping[str, Any] | None) -> str:
    """Return a gain with its interval and the number of tasks that both rows have."""
    if not gain:
        return ""
    low, high = gain["ci95"]
    return f"{points(gain['points'])} ({points(low)} to {points(high)}), n = {gain['n']}"


def said(result: Mapping[str, Any]) -> list[str]:
    """Return the lines below the table of controls: gain, the model beside its twins, attribution, rows that were left out, audit."""
    lines = []
    why = ""
    rows = {row["row"]: row for row in result["rows"]}
    if gain := result["gain"]:
        low, high = gain["ci95"]
        closed = gain["headroom_closed"]
        share = f", {percent(closed)} of the headroom" if closed is not None else ""
        figures = f"gain {points(gain['points'])} points ({points(low)} to {points(high)}) on {gain['n']} tasks{share}"
        why = "" if rows["final"]["policy"] in MODEL_FREE else null_gain(rows["seed"], rows["final"])
        lines += [f"**{gained(rows['seed'], rows['final'])}**: {f'{NO_GAIN}: {why}' if why else figures}.", ""]
    for name, called in (("seed", "Seed"), ("final", "Evolved harness")):
        for line in beside(rows[name]) if name in rows else ():
            lines += [f"{called}: {line}", ""]
    if (at_k := result["gain_at_k"]) and not why:
        low, high = at_k["ci95"]
        figures = f"{points(at_k['points'])} points ({points(low)} to {points(high)}) on {at_k['n']} tasks"
        lines += [f"Gain in pass@{at_k['k']}: {figures}.", ""]
    if gain:
        lines += ["Intervals of gains resample tasks; one has no width where all tasks changed alike.", ""]
    if attribution := result["attribution"]:
        lines += [f"Attribution: {attribution['sentence']}." if attribution["sentence"] else "Attribution:", ""]
        lines += table(attribution_cells(attribution), ATTRIBUTION_HEADS)
    for row, reason in result["skipped"].items():
        lines.append(f"Left out, {row}: {reason}.")
    if result["skipped"]:
        lines.append("")
    wrong = [finding for finding in result["audit"] if not finding["ok"]]
    lines.append(f"Audit of the event log: {len(result['audit']) - len(wrong)} of {len(result['audit'])} checks passed.")
    lines += [
        "",
        *(f"- {'ok' if finding['ok'] else '**failed**'}, {finding['check']}: {finding['sentence']}" for finding in result["audit"]),
    ]
    return lines


ATTRIBUTION_HEADS = ("left out", "n", "points lost (95% interval)", "of its own", "points added when it was shipped")


def attribution_cells(attribution: Mapping[str, Any]) -> list[list[str]]:
    """Return the cells of the table of edits, with the sums below."""
    rows = []
    for edit in attribution["edits"]:
        low, high = edit["ci95"]
        lost = f"{points(edit['drop'])} ({points(low)} to {points(high)})"
        rows.append([cell(edit["label"]), str(edit["n"]), lost, points(edit["own"]), _points_or_none(edit["added"])])
    return [*rows, ["sum", "", "", points(attribution["sum"]), _points_or_none(attribution["added"])]]


def _points_or_none(share: float | None) -> str:
    return "" if share is None else points(share)


def first_attempt(row: Mapping[str, Any]) -> str:
    """Return pass@1 with its interval; nothing for a row that only the best of its attempts counts for."""
    return "" if row["row"] == "best-of-n" else graded(cast(StoredResult, row))


def best(row: Mapping[str, Any]) -> str:
    """Return what the best of several attempts solved; nothing for a row of one attempt."""
    if row["row"] == "best-of-n":
        return f"best of {row['attempts']}: {graded(cast(StoredResult, row))}"
    return f"pass@{row['attempts']} {percent(row['pass_at_k'][str(row['attempts'])])}" if row["attempts"] > 1 else ""


def points(share: float) -> str:
    """Return a difference of shares in percentage points, with its sign."""
    return f"{100 * share:+.1f}"


RESULT_HEADS = ("benchmark", "model", "n", "steps", "seed, first attempt", "evolved, first attempt", "best twin",
              "no skills", "matcher", "gain in points (95% interval)", "headroom closed", "model_value (95% interval)", "model share",
              "pass@2: seed, evolved, gain")  # fmt: skip
PUBLISHED_HEADS = ("benchmark", "model", "n", "steps", "initial", "evolved", "gain in points", "headroom closed", "round")


def result_cells(row: Mapping[str, Any], one: Mapping[str, Any]) -> list[str]:
    """Return the cells of a row of the results table; empty ones where seed or evolved harness was not played.

    Args:
        row: as `homebody.evolution.controls.table.table_row` returns it.
        one: its combination, as `homebody.evolution.controls.table.read_combination` returns it.
    """
    controls = one["controls"]
    about = controls["run"].get("about")
    where = f"{row['benchmark']} ({about})" if about else row["benchmark"]
    names = [", ".join([where, *marks(row)]), cell(row["model"])]
    difference, at_k = gain_of(one), controls["gain_at_k"]
    if not difference:
        return [*names, "", str(row["max_steps"]), *[""] * (len(RESULT_HEADS) - 4)]
    rows = {found["row"]: found for found in controls["rows"]}
    seed, final, gain, value = rows["seed"], rows[evolved_row(one)], row["gain"], row["model_value"]
    style = f"{row['seed_style']}: {graded(seed)}"
    style += f", unreadable {percent(row['seed_unreadable'])}" if row["seed_unreadable"] is not None else ""
    twin = f"{row['best_twin']} {percent(row['twins'][row['best_twin']])}" if row["best_twin"] else ""
    closed = percent(difference["headroom_closed"]) if gain and difference["headroom_closed"] is not None else ""
    twice = ""
    if row["protocol"] == "published":
        twice = f"{percent(row['seed'])}, {percent(row['evolved'])}, {points(difference['points'])}"
    elif at_k:
        k = str(at_k["k"])
        twice = f"{percent(seed['pass_at_k'][k])}, {percent(final['pass_at_k'][k])}{', ' + points(at_k['points']) if gain else ''}"
    gained = f"{interval(gain)}, n = {gain['n']}" if gain else "null"
    beside = ["" if row[name] is None else percent(row[name]) for name in ("no_skills", "matcher")]
    figures = [style, graded(final), twin, *beside, gained, closed, interval(value) if value else "", percent(row["model_share"]), twice]
    return [*names, counted(row), str(row["max_steps"]), *figures]


def marks(row: Mapping[str, Any]) -> list[str]:
    """Return what makes a row another than those of the held-out protocol on test tasks, for what the model adds, in its own harness."""
    found = [cell(f"in the harness of {row['harness_of']}")] if row.get("harness_of") else []
    found += ["published protocol"] if row["protocol"] == "published" else []
    found += ["objective success"] if is_marked(row) else []
    found += ["final split"] if row["split"] == "final" else []
    return [*found, *([f"repeat {row['repeat']}"] if row["repeat"] > 1 else [])]


def counted(row: Mapping[str, Any]) -> str:
    """Return the number of test tasks, of the seed too where it played others."""
    return str(row["n"]) if row["seed_n"] == row["n"] else f"{row['n']} (seed {row['seed_n']})"


def interval(item: Mapping[str, Any]) -> str:
    """Return points with their interval."""
    low, high = item["ci95"]
    return f"{points(item['points'])} ({points(low)} to {points(high)})"


def describe_rows(report: Mapping[str, Any]) -> list[str]:
    """Return one sentence for each row of the results table, and one for the mean gain."""
    found = []
    for row, one in zip(report["rows"], report["combinations"], strict=True):
        rows = {item["row"]: item for item in one["controls"]["rows"]}
        said = row["why"]
        if row["protocol"] == "published" and row["gain"]:
            value = f", model_value {interval(row['model_value'])}" if row["model_value"] else ""
            said = f"pass@{row['attempts']} {percent(row['seed'])} to {percent(row['evolved'])}: {interval(row['gain'])} points{value}"
        elif gain_of(one):
            said = describe_gain(rows["seed"], rows["final"], f"gain {interval(row['gain'])} points" if row["gain"] else "")
        found.append(f"{', '.join([cell(row['model']) + ' on ' + row['benchmark'], *marks(row)])}: {said}.")
    return [*found, *describe_claims(report)]


def describe_claims(report: Mapping[str, Any]) -> list[str]:
    """Return what the rows say together: the mean gain, how much of a gain is the protocol, and whether smaller models gain more."""
    mean, found = report["mean_gain"], []
    if mean["n"] > 1:
        null = sum(row["gain"] is None for row in report["rows"] if is_counted(row))
        found.append(f"Mean gain of {mean['n']} models on benchmarks: {interval(mean)} points; {null} null gains count 0.")
    found += [cell(claim["sentence"]) for claim in report["protocol"]]
    return [*found, *([cell(report["size"]["sentence"])] if report["size"] else [])]


def describe_seed(seed: Mapping[str, Any]) -> str:
    """Return how the style of the seed was chosen, in a sentence."""
    tried = [
        f"{item['style']} {percent(item['success'])}"
        + (f" (unreadable {percent(item['unreadable'])})" if item["unreadable"] is not None else "")
        for item in seed["tried"]
    ]
    n = len(seed["asked"]["tasks"])
    known = {item["style"] for item in seed["tried"]}
    left = sorted(name for name in seed["asked"].get("styles", {}).values() if name not in known)
    untried = f" The time did not suffice for {', '.join(left)}." if left else ""
    return f"Seed: style {seed['style']}, the best of {', '.join(tried)} on {n} validation task{'' if n == 1 else 's'}.{untried}"


def describe_origin(manifest: Mapping[str, Any]) -> str:
    """Return how a row came about, in a sentence."""
    with_what = [
        f"homebody {item['version']}" + (f" at {item['commit'][:12]}" if item["commit"] else "") + f" on {item['machine']['processor']}"
        for item in manifest["played_with"]
    ]
    hashes, origin = manifest["behaviour_hash"], manifest.get("harness_of")
    evolved = f", which evolved for {cell(origin['model'])} from {origin['seed_hash'][:12]}" if origin else ""
    return (
        f"Played with {', then '.join(with_what) or 'a version that is not known'}; seed {manifest['seed']}; "
        f"harnesses {hashes['seed'][:12]} and {hashes['evolved'][:12]}{evolved}."
    )


def published_cells(row: Mapping[str, Any]) -> list[str]:
    """Return the cells of a published row."""
    closed = f"{100 * row['gain'] / (100 - row['initial']):.1f}%"
    figures = [f"{row['initial']:.1f}%", f"{row['evolved']:.1f}%", f"{row['gain']:+.1f}", closed, str(row["best_round"])]
    return [row["benchmark"], row["model"], str(row["n"]), str(row["max_steps"]), *figures]


def remarks(report: Mapping[str, Any]) -> list[str]:
    """Return what has to be said beside the table, one sentence a line."""
    lines = [
        "Ours: the final harness, never the best round; test tasks were played by another process than the one that evolved; the first "
        "attempt is greedy. Intervals: Wilson for shares; gains by resampling tasks, which has no width where all changed alike.",
        "The seed is the style that does best on validation tasks. A twin plays the evolved harness without the model; model_value is the "
        "evolved harness minus its best twin, chosen on validation tasks. A gain is null where the lower end of model_value is at or below "
        f"0, or more than {percent(MOST_UNREADABLE)} of the seed's replies could not be read.",
    ]
    if any(map(is_marked, report["rows"])):
        lines.append("Objective success: an edit had to gain, whoever decided; elsewhere it had to gain as much with the model as without.")
    if any(row.get("harness_of") for row in report["rows"]):
        lines.append(
            "In the harness of another model, marked: the harness evolved on that model's episodes. "
            "Such rows count neither in the mean gain nor in the comparison of sizes: another model's "
            "evolution found what they gain."
        )
    if any(row["protocol"] == "published" for row in report["rows"]):
        lines.append("Published protocol, marked: evolved and tested on the same tasks; what any of the attempts solved in the best round.")
    if report["quick"]:
        lines.append("This was --quick: few tasks, so wide intervals; the run without --quick plays them all.")
    if report["published"]["rows"]:
        lines.append(f"Published: {report['published']['source']}: {report['published']['protocol']}.")
    return lines


def results_markdown(report: Mapping[str, Any]) -> str:
    """Write what `homebody.evolution.controls.table.gather` returns: the results table, the published one, each combination's controls."""
    rows = map(result_cells, report["rows"], report["combinations"])
    lines = ["# What evolution of the harness gained", "", *table(rows, RESULT_HEADS)]
    lines += [f"- {line}" for line in describe_rows(report)] + [""]
    if report["published"]["rows"]:
        lines += [f"Published ({report['published']['url']}):", ""]
        lines += table(map(published_cells, report["published"]["rows"]), PUBLISHED_HEADS)
    lines += [line for remark in remarks(report) for line in (remark, "")]
    for one in report["combinations"]:
        lines += [
            controls_markdown(one["controls"]),
            describe_seed(one["seed"]),
            "",
            *_operators(one),
            describe_origin(one["manifest"]),
            "",
        ]
    return "\n".join(lines).rstrip() + "\n"


def _operators(one: Mapping[str, Any]) -> list[str]:
    heads = ("operator", "tried", "accepted", "shipped", "unlocked of predicted")
    rows = [
        [cell(row["operator"]), str(row["tried"]), str(row["accepted"]), str(row["shipped"]), hit_rate(row)] for row in one["operators"]
    ]
    if one.get("harness_of"):
        return [f"Nothing was evolved here: the harness evolved for {cell(one['harness_of'])}.", ""]
    spent = one["cost"]
    said = f"The evolution took {spent['episodes']} episodes, {spent['exploration_steps']} exploration steps and {spent['wall_s']:.0f} s."
    return [said, "", *table(rows, heads)]


def hit_rate(row: Mapping[str, Any]) -> str:
    """Return how many of the tasks that an operator's shipped edits were to unlock were solved in the next round; nothing if none was."""
    return f"{row['unlocked']} of {row['predicted']}" if row["predicted"] else ""


def table(rows: Iterable[Sequence[str]], heads: Sequence[str]) -> list[str]:
    """Return a Markdown table, an empty line after it."""
    found = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    return [*found, *("| " + " | ".join(row) + " |" for row in rows), ""]
