"""How often the evolution's gate errs: accept rates of its modes on simulated runs, as a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from homebody.evolution.gate import noise


def bench_gate(runs: int = 400, tasks: int = 40, seed: int = 0) -> dict[str, Any]:
    """Simulate.

    Args:
        runs: simulated runs of each kind, at least 1.
        tasks: validation tasks, at least 1.
        seed: of the draws.

    Returns:
        `tasks`, `seed`; `accept` (see `noise.accept_rates`); `beside` and `final`, where the objective is the model (see
        `noise.accept_rates_beside` and `noise.final_rates`); `best_of_rounds` (two rows) and `no_regression_at_two`: what an unchanged
        harness seems to gain, and how often it is refused, by the rules of the publication;
        `neutral`: edits without effect that a run ships.
    """
    return {
        "tasks": tasks,
        "seed": seed,
        "accept": noise.accept_rates(runs, tasks, seed=seed),
        "beside": noise.accept_rates_beside(runs, tasks, seed=seed),
        "final": noise.final_rates(runs=runs, seed=seed),
        "best_of_rounds": [noise.best_of_rounds(*size, runs=runs, seed=seed) for size in ((103, 15), (17, 8))],
        "no_regression_at_two": noise.no_regression_at_two(runs=runs, seed=seed),
        "neutral": noise.neutral_run(tasks=tasks, runs=runs, seed=seed),
    }


def lines(found: Mapping[str, Any]) -> Iterator[str]:
    """Write the result of `bench_gate` as lines of text."""
    size = f"{found['tasks']} validation tasks, {found['accept'][0]['runs']} runs a cell"
    yield f"objective success, {size}: share that ships the edit, with its 95% interval"
    yield from _table(found["accept"], {"truth": "truth"})
    yield f"objective model, {size}: truth is the gain with the model, twin that of each twin; to ship what gives the twin more is false"
    yield from _table(found["beside"], {"truth": "truth", "twin": "twin_truth"})
    yield from _finals(found["final"])
    for best in found["best_of_rounds"]:
        yield (
            f"no change at all, {best['tasks']} tasks, {best['rounds']} rounds, flips {100 * best['flips']:.0f}%: "
            f"the best round minus round 0 is {100 * best['gain']:+.1f} points"
        )
    literal = found["no_regression_at_two"]
    yield (
        f"no change at all, {literal['tasks']} tasks, two tries each, {100 * literal['success']:.0f}% solved: "
        f"a no-regression rule refuses {100 * literal['refused']:.0f}%"
    )
    neutral = found["neutral"]
    shipped = ", ".join(f"{mode} {value:.2f}" for mode, value in neutral["shipped"].items())
    yield (
        f"edits without effect, {neutral['rounds']} rounds of {neutral['candidates']}, flips {100 * neutral['flips']:.0f}%: "
        f"shipped in a run: {shipped}; their gain on tasks that the gate never saw is 0"
    )


def _table(rows: Sequence[Mapping[str, Any]], truths: Mapping[str, str]) -> Iterator[str]:
    """Write accept rates, one line a chance of a flip and edit; `truths` are the columns of true gains, head -> key."""
    modes = list(dict.fromkeys(row["mode"] for row in rows))
    heads = "".join(f"{head:>6}  " for head in truths)
    yield f"{'flips':>6}  {'edit':<20} {heads}" + "".join(f"{mode:<24}" for mode in modes).rstrip()
    for flips, effect in dict.fromkeys((row["flips"], row["effect"]) for row in rows):
        cells = [row for row in rows if (row["flips"], row["effect"]) == (flips, effect)]
        said = "".join(f"{_cell(row, 'accepted'):<24}" for row in cells).rstrip()
        gains = "".join(f"{100 * cells[0][key]:>+6.1f}  " for key in truths.values())
        yield f"{100 * flips:>5.0f}%  {effect:<20} {gains}{said}"


def _finals(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Write how often runs end with another harness than their seed."""
    gains = list(dict.fromkeys(row["gain"] for row in rows))
    twin = rows[0]["twin_gain"]
    yield (
        "objective model, whole runs of 6 rounds of 2: share that ends with another harness than the seed; each edit solves so many "
        f"of the unsolved tasks with the model and {100 * twin:.0f}% with a twin, so the first column is false"
    )
    yield f"{'tasks':>6}  {'flips':>5}  " + "".join(f"{f'{100 * gain:.0f}%':<24}" for gain in gains).rstrip()
    for tasks, flips in dict.fromkeys((row["tasks"], row["flips"]) for row in rows):
        cells = [row for row in rows if (row["tasks"], row["flips"]) == (tasks, flips)]
        yield f"{tasks:>6}  {100 * flips:>4.0f}%  " + "".join(f"{_cell(row, 'kept'):<24}" for row in cells).rstrip()


def _cell(row: Mapping[str, Any], share: str) -> str:
    low, high = row["ci95"]
    return f"{100 * row[share]:.1f}% ({100 * low:.1f} to {100 * high:.1f})"
