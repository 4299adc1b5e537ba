"""What the command line prints of an evolution: each event while it runs, and its end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import rich.live
from rich.table import Table

from homebody.scripts.panel import panel
from homebody.scripts.terminal import escape

if TYPE_CHECKING:
    from homebody.evolution.stored import StoredEnd, StoredRound
    from homebody.scripts.console import Console


@contextmanager
def shown_evolution(console: Console, config: Any, plain: bool = False) -> Iterator[Callable[[str, Mapping[str, Any]], None]]:
    """Show an evolution at work: a panel below what has happened, or elsewhere than on a terminal plain lines.

    Args:
        console: where.
        config: the `EvolveConfig` of the run.
        plain: print lines on a terminal too, so that a person can be asked something meanwhile.
    """
    if plain or not console.err.is_terminal:
        yield partial(_print_event, console)
        return
    from homebody.evolution.reports.live import Live

    live = Live(asdict(config))
    with rich.live.Live(console=console.err, transient=True) as shown:

        def update(kind: str, data: Mapping[str, Any]) -> None:
            live.tell(time.time(), kind, data)
            if kind != "play":
                _print_event(console, kind, data)
            shown.update(panel(live.state(), console.err.width))

        yield update


def print_evolution(console: Console, result: StoredEnd) -> None:
    """Print the result of an evolution."""
    from homebody.evolution.reports.summary import ended, ended_by_errors, objective
    from homebody.evolution.reports.worth import choice

    console.say_picked(console.out)

    rounds = result["rounds"]
    shipped = [edit["manifest"]["operator"] for item in rounds for edit in item["candidates"] if edit["id"] == item["shipped"]]
    console.out.print(
        f"[bold]{len(rounds)} rounds, {len(shipped)} edits shipped[/]" + "".join(f"\n  + {escape(operator)}" for operator in shipped)
    )
    console.out.print(
        f"{result['episodes']} model episodes{ended_by_errors(result)}, {result['tokens']} tokens, "
        f"{result['exploration_steps']} exploration steps, {result['wall_s']:.0f} s; {ended(result['stopped'])}"
    )
    _print_beside_twins(console, result)
    saved = result["savings"]
    console.out.print(
        f"cache and early stopping: {saved['played']} episodes played of {saved['everything']} that playing everything anew takes"
    )
    console.out.print(f"{objective(result)} {escape(choice(result))}")
    console.out.print(f"final harness: {escape(result['final_harness'])}  [dim]behaviour {result['final_hash'][:12]}[/]")


def _print_beside_twins(console: Console, result: StoredEnd) -> None:
    """Print how the seed and the final harness of an evolution do on validation tasks beside their twins; nothing without a model."""
    from homebody.evolution.reports import worth
    from homebody.evolution.reports.summary import interval

    policy = result["policy"]
    reports = {"seed": next(iter(result["rounds"]), None), "final": result["final"]}
    found = {name: worth.of_round(report, policy) for name, report in reports.items() if report and "twins" in report}
    if not found:
        return
    table = Table("validation", "n", "success", *worth.SHARE_HEADS, box=None, pad_edge=False)
    for name, item in found.items():
        table.add_row(f"[bold]{name}", str(item["n"]), interval(item), *worth.share_cells(item))
        for twin, success in item["twins"].items():
            table.add_row(f"  twin {twin}", "", worth.percent(success), "", "", "")
    console.out.print(table)
    if len(found) == 2:
        console.out.print(f"validation: {escape(worth.gained(*found.values()))}; twins played in {result['twins_s']:.1f} s")
    for name, item in found.items():
        for line in worth.beside(item):
            console.out.print(f"{name}: {escape(line)}")


def _print_event(console: Console, kind: str, data: Mapping[str, Any]) -> None:
    from homebody.evolution.reports import worth

    lines: dict[str, Callable[[], str | None]] = {
        "explore": lambda: f"exploring {data['tasks']} training tasks without a model, about {data['steps']} steps",
        "estimate": lambda: _estimate_line(data),
        "round": lambda: f"round {data['round']}, behaviour {data['behaviour_hash'][:12]}",
        "candidate": lambda: f"  {data['id']}: {data['manifest']['operator']}",
        "verdict": lambda: f"  {data['id']}: {'accepted' if data['accepted'] else 'rejected'}: {data['reason']}",
        "ship": lambda: f"  shipped {data['id']}: {data['operator']}",
        "play": lambda: f"  {data['what']}: {data['total']} episodes" if data["done"] == 0 else None,
        "series": lambda: _errors_line(data),
        "worth": lambda: f"  validation: {worth.headline(worth.of_round(cast('StoredRound', data)))}" if "twins" in data else None,
    }
    line = lines[kind]()
    if line:
        console.err.print(escape(line))


def _estimate_line(data: Mapping[str, Any]) -> str:
    """Say what a run will take."""
    spans = (f"{low:,} to {high:,} {name}" for name in ("episodes", "tokens") for low, high in [data[name]])
    low, high = data["minutes"]
    grows = "; sets of tasks may grow" if data["may_grow"] else ""
    return f"takes {', '.join(spans)}, {low:.1f} to {high:.1f} minutes at the rate of the first {data['measured']} episodes{grows}"


def _errors_line(series: Mapping[str, Any]) -> str:
    outcomes = [outcome for _, outcome in series["episodes"].values()]
    errors = sum(outcome is None for outcome in outcomes)
    return f"  {series['what']}: errors ended {errors} of {len(outcomes)} episodes" if errors else ""
