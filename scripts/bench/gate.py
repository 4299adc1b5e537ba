"""How often the evolution's gate errs: accept rates of its modes on simulated runs, as a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from homebody.evolution.gate import noise


def bench_gate(runs: int = 400, tasks: int = 40, seed: int = 0) -> dict[str, Any]:
    """Simulate.

    Args:
        runs: simulated runs of each kind, at least 1.
        tasks: validation tasks, at least 1.
        seed: of the draws.

    Returns:
        `tasks`, `seed`; `accept` (see `noise.accept_rates`); `best_of_rounds` (two rows) and `literal_at_two`: what an unchanged harness
        seems to gain, and how often it is refused, by the rules of the publication; `neutral`: edits without effect that a run ships.
    """
    return {
        "tasks": tasks,
        "seed": seed,
        "accept": noise.accept_rates(runs, tasks, seed=seed),
        "best_of_rounds": [noise.best_of_rounds(*size, runs=runs, seed=seed) for size in ((103, 15), (17, 8))],
        "literal_at_two": noise.literal_at_two(runs=runs, seed=seed),
        "neutral": noise.neutral_run(tasks=tasks, runs=runs, seed=seed),
    }


def lines(found: Mapping[str, Any]) -> Iterator[str]:
    """Write the result of `bench_gate` as lines of text."""
    rows = found["accept"]
    modes = list(dict.fromkeys(row["mode"] for row in rows))
    yield f"{found['tasks']} validation tasks, {rows[0]['runs']} runs a cell: share that ships the edit, with its 95% interval"
    yield f"{'flips':>6}  {'edit':<19} {'truth':>6}  " + "".join(f"{mode:<24}" for mode in modes).rstrip()
    for flips, effect in dict.fromkeys((row["flips"], row["effect"]) for row in rows):
        cells = [row for row in rows if (row["flips"], row["effect"]) == (flips, effect)]
        said = "".join(f"{_cell(row):<24}" for row in cells).rstrip()
        yield f"{100 * flips:>5.0f}%  {effect:<19} {100 * cells[0]['truth']:>+6.1f}  {said}"
    for best in found["best_of_rounds"]:
        yield (
            f"no change at all, {best['tasks']} tasks, {best['rounds']} rounds, flips {100 * best['flips']:.0f}%: "
            f"the best round minus round 0 is {100 * best['gain']:+.1f} points"
        )
    literal = found["literal_at_two"]
    yield (
        f"no change at all, {literal['tasks']} tasks, two tries each, {100 * literal['success']:.0f}% solved: "
        f"a seesaw to the letter refuses {100 * literal['refused']:.0f}%"
    )
    neutral = found["neutral"]
    shipped = ", ".join(f"{mode} {value:.2f}" for mode, value in neutral["shipped"].items())
    yield (
        f"edits without effect, {neutral['rounds']} rounds of {neutral['candidates']}, flips {100 * neutral['flips']:.0f}%: "
        f"shipped in a run: {shipped}; their gain on tasks that the gate never saw is 0"
    )


def _cell(row: Mapping[str, Any]) -> str:
    low, high = row["ci95"]
    return f"{100 * row['accepted']:.1f}% ({100 * low:.1f} to {100 * high:.1f})"
