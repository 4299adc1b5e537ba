"""How often the evolution's gate errs: accept rates of its modes on simulated runs, as a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypedDict

from homebody.evolution.gate import noise


class GateBench(TypedDict):
    """What `bench_gate` finds."""

    tasks: int
    seed: int
    accept: list[noise.AcceptRate]
    beside: list[noise.AcceptRate]
    """Where the objective is the model."""
    final: list[noise.FinalRate]
    best_of_rounds: list[noise.BestOfRounds]
    """Two rows: what an unchanged harness seems to gain by the rules of the publication."""
    no_regression_at_two: noise.Refused
    """How often it is refused by them."""
    neutral: noise.NeutralRun
    """Edits without effect that a run ships."""


def bench_gate(runs: int = 400, tasks: int = 40, seed: int = 0) -> GateBench:
    """Simulate.

    Args:
        runs: simulated runs of each kind, at least 1.
        tasks: validation tasks, at least 1.
        seed: of the draws.
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


def lines(found: GateBench) -> Iterator[str]:
    """Write the result of `bench_gate` as lines of text."""
    size = f"{found['tasks']} validation tasks, {found['accept'][0]['runs']} runs a cell"
    yield f"objective success, {size}: share that ships the edit, with its 95% interval"
    yield from _table(found["accept"], "truth")
    yield f"objective model, {size}: truth is the gain with the model, twin that of each twin; to ship what gives the twin more is false"
    yield from _table(found["beside"], "truth", "twin")
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


def _table(rows: Sequence[noise.AcceptRate], *heads: str) -> Iterator[str]:
    """Write accept rates, one line a chance of a flip and edit; `heads` are those of the columns of true gains."""
    modes = list(dict.fromkeys(row["mode"] for row in rows))
    yield f"{'flips':>6}  {'edit':<20} {''.join(f'{head:>6}  ' for head in heads)}" + "".join(f"{mode:<24}" for mode in modes).rstrip()
    for flips, effect in dict.fromkeys((row["flips"], row["effect"]) for row in rows):
        cells = [row for row in rows if (row["flips"], row["effect"]) == (flips, effect)]
        said = "".join(f"{_cell(row['accepted'], row['ci95']):<24}" for row in cells).rstrip()
        truths = [cells[0]["truth"], *([cells[0]["twin_truth"]] if "twin_truth" in cells[0] else [])]
        gains = "".join(f"{100 * truth:>+6.1f}  " for truth in truths)
        yield f"{100 * flips:>5.0f}%  {effect:<20} {gains}{said}"


def _finals(rows: Sequence[noise.FinalRate]) -> Iterator[str]:
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
        yield f"{tasks:>6}  {100 * flips:>4.0f}%  " + "".join(f"{_cell(row['kept'], row['ci95']):<24}" for row in cells).rstrip()


def _cell(share: float, ci95: Sequence[float]) -> str:
    low, high = ci95
    return f"{100 * share:.1f}% ({100 * low:.1f} to {100 * high:.1f})"
