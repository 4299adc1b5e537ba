"""`homebody bench`: how fast things are on this machine."""

# The mark \b, which keeps click from rewrapping the examples, must be one character: these docstrings cannot be raw.
# ruff: noqa: D301

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from homebody.scripts.console import Console, error_line
from homebody.scripts.json_file import check_target, write_json
from homebody.scripts.options import PATH, FiniteRange, Group, json_out, seed

if TYPE_CHECKING:
    from homebody.scripts.bench.result import Measured


@click.group(cls=Group, short_help="Measure how fast things are on this machine.")
def bench() -> None:
    """Medians over repeats, with others' engines measured in the same run where they are installed."""


@bench.command("household", short_help="The household engine, against plain Python and the real ALFWorld.")
@click.option("--data-dir", type=PATH, metavar="DIR", help="Folder of ALFWorld games; without it procedural houses are played.")
@click.option("--peer-python", type=PATH, metavar="PATH", help="Python with the real ALFWorld; without it this one, if it has it.")
@click.option("--games", type=click.IntRange(1, 1000), default=8, show_default=True, metavar="N", help="How many games.")
@click.option("--steps", type=click.IntRange(1, 1000), default=25, show_default=True, metavar="N", help="Recorded commands a game.")
@click.option("--repeats", type=click.IntRange(1, 100), default=5, show_default=True, metavar="N", help="Times of each game.")
@json_out
def bench_household(data_dir: str | None, peer_python: str | None, games: int, steps: int, repeats: int, json_path: str | None) -> None:
    """Measure text steps, resets, loading, batched steps, memory and import; one thread.

    The real engine takes over a second a reset, so it plays each game once. Exit code 1 where engines say different things.

    \b
    Examples:
      homebody bench household
      homebody bench household --data-dir $ALFWORLD_DATA --peer-python peers/bin/python --json bench.json
    """
    from homebody.scripts.bench import household

    check_target(json_path)
    with Console().progress("measuring") as advance:
        stages = iter(range(1, 5))
        found = household.bench_household(
            data_dir, peer_python, games=games, steps=steps, repeats=repeats, progress=lambda what: advance(next(stages), 4, what)
        )
    click.echo(f"{found['games']}; {found['machine']['processor']}, Python {found['machine']['python']}")
    for peer in dict.fromkeys(result["peer"] for result in found["results"] if result["peer"]):
        click.echo(f"beside it: {peer}")
    for result in found["results"]:
        click.echo(_line(result))
    write_json(json_path, found)
    if found["differences"]:
        error_line(f"{len(found['differences'])} answers differ, so the times of their engines say nothing; {found['differences'][0]}")
        raise SystemExit(1)


@bench.command("llm", short_help="Decisions of a language model, against other ways to score.")
@click.option("--models", default="smollm2,gemma3-270m", show_default=True, metavar="A,B", help="Models, with commas between.")
@click.option("--data-dir", type=PATH, metavar="DIR", help="Folder of ALFWorld games; without it procedural houses are played.")
@json_out
def bench_llm(models: str, data_dir: str | None, json_path: str | None) -> None:
    """Measure decisions inside real episodes: scoring, chats, tokens a second, what the cache serves, overhead, two workers.

    Takes some minutes. Its times mean something on a machine that does nothing else.

    \b
    Examples:
      homebody bench llm --models smollm2
      homebody bench llm --data-dir $ALFWORLD_DATA --json llm.json
    """
    from importlib.metadata import version

    from homebody.scripts.bench import llm
    from homebody.scripts.bench.result import machine

    check_target(json_path)
    names = models.split(",")
    console = Console()
    console.prepare(*names)
    with console.progress("measuring") as advance:
        stages = iter(range(1, 1 + llm.STAGES * len(names)))
        results = llm.bench_llm(names, data_dir, progress=lambda what: advance(next(stages), llm.STAGES * len(names), what))
    for result in results:
        click.echo(f"{result['model']}: {_line(result).strip()}")
    write_json(json_path, {"machine": {**machine(), "llama-cpp-python": version("llama-cpp-python")}, "results": results})


@bench.command("harness", short_help="What the harness costs besides the model.")
@click.option("--repeats", type=click.IntRange(1, 100_000), default=200, show_default=True, metavar="N", help="Calls of each kind.")
@json_out
def bench_harness(repeats: int, json_path: str | None) -> None:
    """Measure a step through an empty harness, a call of a code processor, and a prompt template.

    \b
    Example:
      homebody bench harness --json harness.json
    """
    from homebody.scripts.bench import harness

    check_target(json_path)
    results = harness.bench_harness(repeats)
    _report(results, json_path)


@bench.command("server", short_help="Episodes in flight against a server.")
@click.option("--concurrency", type=click.IntRange(1, 1024), default=64, show_default=True, metavar="N", help="Episodes in flight.")
@click.option("--answer-ms", type=FiniteRange(min=0), default=50.0, show_default=True, metavar="MS",
              help="What the stand-in for a server takes for an answer.")  # fmt: skip
@click.option("--rounds", type=click.IntRange(1, 1000), default=3, show_default=True, metavar="R", help="Episodes for each of them.")
@json_out
def bench_server(concurrency: int, answer_ms: float, rounds: int, json_path: str | None) -> None:
    """Measure the time between answers of a server that has N of them in flight, without and with episodes.

    The server is a stand-in, in a process of its own: it takes the same time for each answer, however many it has at once.

    \b
    Examples:
      homebody bench server
      homebody bench server --concurrency 16 --answer-ms 200 --json server.json
    """
    from homebody.scripts.bench import server

    check_target(json_path)
    results = server.bench_server(concurrency, answer_ms, rounds)
    _report(results, json_path)


@bench.command("render", short_help="Pictures of the house, without a window.")
@click.option("--size", nargs=2, type=int, default=(960, 720), show_default=True, metavar="WIDTH HEIGHT", help="Of a picture, in pixels.")
@click.option("--houses", type=click.IntRange(1, 1000), default=16, show_default=True, metavar="N", help="How many houses.")
@click.option("--repeats", type=click.IntRange(1, 100), default=3, show_default=True, metavar="N", help="Times of each house.")
@json_out
def bench_render(size: tuple[int, int], houses: int, repeats: int, json_path: str | None) -> None:
    """Measure pictures a second along the expert's way through procedural houses; one thread.

    \b
    Examples:
      homebody bench render
      homebody bench render --size 1920 1080 --json render.json
    """
    from homebody.scripts.bench import render

    check_target(json_path)
    results = render.bench_render(size, houses, repeats)
    _report(results, json_path, size=list(size))


@bench.command("webshop", short_help="Steps and searches of the web shop.")
@click.option("--data-dir", type=PATH, metavar="DIR", help="Folder of WebShop's files; without it the built-in catalogue is used.")
@click.option("--goals", type=click.IntRange(1, 10_000), default=300, show_default=True, metavar="N", help="Goals to shop for.")
@click.option("--products", type=click.IntRange(1, 10_000_000), default=1_000_000, show_default=True, metavar="N", help="To search among.")
@click.option("--repeats", type=click.IntRange(1, 100), default=5, show_default=True, metavar="N", help="Times of the steps.")
@json_out
def bench_webshop(data_dir: str | None, goals: int, products: int, repeats: int, json_path: str | None) -> None:
    """Measure steps with fresh and with repeated queries, and searches among many synthetic products; one thread.

    A million products take a minute or two to make and to index.

    \b
    Examples:
      homebody bench webshop
      homebody bench webshop --data-dir $WEBSHOP_DATA --products 100000 --json webshop.json
    """
    from homebody.scripts.bench import webshop

    check_target(json_path)
    with Console().progress("measuring") as advance:
        stages = iter(range(1, 3))
        results = webshop.bench_webshop(
            data_dir, goals=goals, products=products, repeats=repeats, progress=lambda what: advance(next(stages), 2, what)
        )
    _report(results, json_path)


@bench.command("repair", short_help="Tests of programs, and tasks that are made.")
@click.option("--tasks", type=click.IntRange(1, 3240), default=108, show_default=True, metavar="N", help="Training tasks to play.")
@click.option("--repeats", type=click.IntRange(1, 100), default=5, show_default=True, metavar="N", help="Times of each.")
@json_out
def bench_repair(tasks: int, repeats: int, json_path: str | None) -> None:
    """Measure test suites in the sandbox, tasks that are made, and steps; one thread.

    \b
    Example:
      homebody bench repair --json repair.json
    """
    from homebody.scripts.bench import repair

    check_target(json_path)
    results = repair.bench_repair(tasks, repeats)
    _report(results, json_path)


@bench.command("miniwob", short_help="Resets and steps of MiniWoB++ in a browser, and its memory.")
@click.option("--seeds", type=click.IntRange(1, 190), default=20, show_default=True, metavar="N", help="Resets of each of four pages.")
@click.option("--episodes", type=click.IntRange(10, 10_000), default=500, show_default=True, metavar="N", help="Episodes in one browser.")
@click.option("--repeats", type=click.IntRange(1, 100), default=3, show_default=True, metavar="N", help="Times of resets and steps.")
@json_out
def bench_miniwob(seeds: int, episodes: int, repeats: int, json_path: str | None) -> None:
    """Measure resets and steps beside the package's own Selenium environment, and how the browser's memory grows; one browser.

    The peer is played as it comes, where each observation has a screenshot, and again without them; it needs a chromedriver on PATH
    (Debian: apt-get install chromium-driver), and without one homebody's rows stand alone.

    \b
    Example:
      homebody bench miniwob --json miniwob.json
    """
    from homebody.scripts.bench import miniwob
    from homebody.scripts.bench.result import machine

    check_target(json_path)
    with Console().progress("measuring") as advance:
        stages = iter(range(1, 4))
        results, missing = miniwob.bench_miniwob(
            seeds=seeds, episodes=episodes, repeats=repeats, progress=lambda what: advance(next(stages), 3, what)
        )
    for result in results:
        click.echo(_line(result))
    if missing:
        click.echo(f"{miniwob.PEER} was not played: {missing}")
    write_json(json_path, {"machine": machine(), "results": results, "peer_missing": missing or None})


@bench.command("gate", short_help="How often the gate errs, on simulated runs.")
@click.option("--runs", type=click.IntRange(1, 100_000), default=400, show_default=True, metavar="N", help="Simulated runs of each kind.")
@click.option("--tasks", type=click.IntRange(4, 1000), default=40, show_default=True, metavar="N", help="Validation tasks.")
@seed
@json_out
def bench_gate(runs: int, tasks: int, seed: int, json_path: str | None) -> None:
    """Measure false accepts and false rejects of the evolution's gate: its own code on runs whose truth is known.

    Shares of runs that ship the edit, with 95% intervals, for both objectives, and of whole runs that end with another harness than their
    seed. "Flips" is the chance that two plays of one task differ; `auto` is shown at its worst, with an A/A run of four tasks that sees
    outcomes only. Takes a minute or two.

    \b
    Example:
      homebody bench gate --json gate.json
    """
    from homebody.scripts.bench import gate

    check_target(json_path)
    found = gate.bench_gate(runs, tasks, seed)
    for line in gate.lines(found):
        click.echo(line)
    write_json(json_path, found)


@bench.command("soak", short_help="Mixed episodes for a time: leaks of memory, files and processes.")
@click.option("--minutes", type=FiniteRange(0.01, 10_000), default=20.0, show_default=True, metavar="M", help="How long.")
@click.option(
    "--memory", "memory_mib", type=click.IntRange(64, 1 << 20), default=2048, show_default=True, metavar="MIB", help="Most memory."
)
@json_out
def bench_soak(minutes: float, memory_mib: int, json_path: str | None) -> None:
    """Play mixed episodes, without a real model, and look after each round at what this process and its workers hold.

    A leak is memory that grows by more than 5% after a warm-up of a quarter of the time or is above the bound, or more open files or
    processes at the end. Exit code 1 where there is one.

    \b
    Example:
      homebody bench soak --minutes 20 --memory 1500 --json soak.json
    """
    from homebody.scripts.bench import soak
    from homebody.scripts.bench.result import machine

    check_target(json_path)
    with Console().progress("soaking") as advance:
        found = soak.soak(minutes, memory_mib, lambda done, total, what: advance(int(done), max(1, int(total)), what))
    for result in found["results"]:
        click.echo(_line(result))
    write_json(json_path, {"machine": machine(), **found})
    if found["leaks"]:
        error_line(f"leaks: {'; '.join(found['leaks'])}")
        raise SystemExit(1)
    click.echo("no leaks")


def _report(results: Sequence[Measured], json_path: str | None, **settings: Any) -> None:
    """Print the lines of some results, and write them with what they were measured on and with."""
    from homebody.scripts.bench.result import machine

    for result in results:
        click.echo(_line(result))
    write_json(json_path, {"machine": machine(), **settings, "results": results})


def _line(result: Measured) -> str:
    line = f"{result['name']:>27}  {_number(result['value'])} {result['unit']}"
    if result["peer"] and result["ratio"] is not None and result["peer_value"] is not None:
        line += f"; {_number(result['ratio'])} times better than {_number(result['peer_value'])} of {result['peer'].partition(' (')[0]}"
    return line


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"
