"""`homebody reproduce`: the results table, from nothing to the page."""

# The mark \b, which keeps click from rewrapping the examples, must be one character: these docstrings cannot be raw.
# ruff: noqa: D301

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from homebody.scripts.console import Console
from homebody.scripts.interrupt import run_child
from homebody.scripts.json_file import check_target, json_written, write_json
from homebody.scripts.options import PATH, FiniteRange, json_out, model_settings, server_settings, workers

if TYPE_CHECKING:
    from homebody.evolution.controls.reproduce import Combination, Size
    from homebody.evolution.controls.results import Results

MODELS = "smollm2,gemma3-270m"
QUICK_MODELS, QUICK_BENCHMARKS = "smollm2", "household"
DRAWING = ("--from", "--merge", "--run-dir", "--json")
"""Options that mean something where nothing is played."""
EVOLVING = ("--estimate", "--budget-minutes", "--seed-tasks", "--validation-tasks")
"""Options that mean nothing where a harness that has evolved plays the final split."""


@click.command(short_help="Evolve models on benchmarks and print the results table.")
@click.option("--models", metavar="A,B", help="Models, or controls in their place (see evaluate); a .gguf path and hf:owner/repo:file are "
              f"models, too.  [default: {MODELS}; with --quick {QUICK_MODELS}]")  # fmt: skip
@click.option("--benchmarks", metavar="X,Y", help="household, alfworld, ...  [default: all that can be played here; with --quick "
              f"{QUICK_BENCHMARKS}]")  # fmt: skip
@click.option("--protocol", "protocols", default="held-out", show_default=True, metavar="P,Q",
              help="held-out, published, or both: published evolves and tests on the same tasks, 4 candidates in each of up to 15 rounds, "
              "and takes what any of two attempts solved in the best round.")  # fmt: skip
@click.option("--objective", type=click.Choice(["model", "success"]),
              help="As of evolve.  [default: as there; with the published protocol success]")  # fmt: skip
@click.option("--repeats", type=click.IntRange(1, 20), default=1, show_default=True, metavar="R",
              help="Evolutions of each combination, with seeds of their own.")  # fmt: skip
@click.option("--harness-of", metavar="MODEL", help="Play the models in the harnesses that evolved for MODEL, in DIR or in a table given "
              "with --merge; nothing is evolved.")  # fmt: skip
@click.option("--tasks", "n_tasks", type=click.IntRange(min=1), metavar="N",
              help="Test tasks, the first N.  [default: as many as the benchmark has]")  # fmt: skip
@click.option("--seed-tasks", "n_seed_tasks", type=click.IntRange(min=1), metavar="N",
              help="Test tasks that the seed plays too, the first N.  [default: as --tasks; with --quick 10]")  # fmt: skip
@click.option("--validation-tasks", "n_validation_tasks", type=click.IntRange(min=1), metavar="N",
              help="Validation tasks for the gate, the first N; half of them choose the seed's style, with --quick 3 of 10.  "
              "[default: 40; with --quick 10]")  # fmt: skip
@click.option("--final", "is_final", is_flag=True, help="Play the final split with the harnesses that DIR has, once a release.")
@click.option("--estimate", "is_estimate", is_flag=True, help="Say what it takes and play no more than that needs.")
@click.option("--merge", "merged", multiple=True, type=PATH, metavar="FILE", help="Add the rows of a results.json that was written "
              "elsewhere, or of its folder. Can be repeated.")  # fmt: skip
@click.option("--from", "source", type=PATH, metavar="FILE", help="Play nothing: draw all from a results.json, or its folder.")
@click.option("--quick", is_flag=True, help="Few tasks: 3 to choose the seed's style, 6 to train, 10 for the "
              "gate, at most twice as many later, 40 to test, 10 of them with the seed; 7 minutes to evolve, 14 in all.")  # fmt: skip
@click.option("--budget-minutes", type=FiniteRange(min=0, min_open=True), metavar="M",
              help="Begin no episode of an evolution after M minutes of its work; with --quick no control after twice as many, no style "
              "of the seed after half as many. A larger M goes on with an evolution until its test has begun.  [default: no limit; with "
              "--quick 7]")  # fmt: skip
@click.option("--run-dir", required=True, type=PATH, metavar="DIR", help="Where everything is kept.")
@click.option("--data-dir", type=PATH, metavar="DIR", help="Folder of the game files, for benchmarks that read some.")
@workers
@model_settings
@server_settings
@json_out
def reproduce(
    models: str | None, benchmarks: str | None, protocols: str, objective: str | None, repeats: int, harness_of: str | None,
    n_tasks: int | None, n_seed_tasks: int | None, n_validation_tasks: int | None,
    is_final: bool, is_estimate: bool, merged: tuple[str, ...], source: str | None, quick: bool,
    budget_minutes: float | None, run_dir: str, data_dir: str | None, workers: int, n_ctx: int | None,
    n_threads: int, gpu_layers: int, concurrency: int, timeout_s: float | None, json_path: str | None,
) -> None:  # fmt: skip
    """Evolve each model's harness on each benchmark, test it with its controls in another process, and set the gains beside the published.

    Writes results.md, results.json, results.png, results.svg, results.html and figures/ into DIR. Whatever was played is kept there: a
    command that was stopped goes on where it was when it is given again.

    One episode of the seed harness is played first, to say how long the whole takes at least and at most. Then all styles of the seed
    (answers written freely, under a grammar, chosen by score) are played on a few validation tasks: the evolution begins with the best.
    The table sets the evolved harness beside its twins, which play it without the model. A gain is null where the model adds nothing to
    the best of them, or where the seed's replies could not be read.

    --protocol published shows what the publication's protocol makes of the same models, in the same table. --final plays a split that no
    other command lists, once a release, with the harnesses of an earlier call. Rows that were played on other machines are added with
    --merge, and --from draws a table again without playing: its results.json holds all that is shown.

    --harness-of plays models in the harnesses that evolved for another model, each beside its own best seed
    and its twins. Such rows are marked, and they count in no mean.

    --quick takes at most about 15 minutes for one model on one benchmark with its own numbers of tasks, where the 19 episodes that choose
    and test the seed take no more than six: with --workers 2 on 2 cores SmolLM2 needs some 10 s of a core for one in a house, up to 45 s
    in the shop. No style of the seed is begun after 3.5 minutes, and the evolution ends after 7 with what it has shipped: a slow machine
    may come to another harness, and a slow model to none, where --budget-minutes does not give it more. Styles and controls for which the
    time does not suffice are named, controls with the command that plays them. The table says its n and its intervals.

    \b
    Examples:
      homebody reproduce --quick --run-dir runs/quick --workers 2
      homebody reproduce --models smollm2,gemma3-270m --data-dir $ALFWORLD_DATA --run-dir runs/all --workers 2
      homebody reproduce --benchmarks household --protocol held-out,published --repeats 3 --run-dir runs/both
      homebody reproduce --models gemma3-270m --harness-of smollm2 --benchmarks household --merge runs/all --run-dir runs/all
      homebody reproduce --from assets/results.json --merge runs/all --run-dir runs/drawn
      homebody reproduce --models hf:owner/repo:Qwen3.5-9B-Q4_K_M.gguf --benchmarks alfworld --run-dir runs/qwen
    """
    from homebody.envs.file import expand_path, make_folder
    from homebody.evolution.controls.reproduce import FULL, QUICK, plan
    from homebody.evolution.controls.results import FILE, merge, read_results
    from homebody.evolution.controls.table import gather_results

    check_target(json_path, run_dir)
    console = Console()
    given = _given()
    if source is not None and (others := [option for option in given if option not in DRAWING]):
        raise click.UsageError(f"--from plays nothing; leave {', '.join(others)} out")
    if is_final and (others := [option for option in EVOLVING if option in given]):
        raise click.UsageError(f"--final evolves nothing and plays a split that is opened once; leave {', '.join(others)} out")
    if harness_of and budget_minutes is not None and not quick:
        raise click.UsageError("--harness-of evolves nothing; leave --budget-minutes out, or give --quick, whose time it sets")
    parts = [read_results(path) for path in (*([source] if source is not None else []), *merged)]
    failed = False
    if source is None:
        benchmarks = QUICK_BENCHMARKS if benchmarks is None and quick else benchmarks
        names = None if benchmarks is None else _split("--benchmarks", benchmarks)
        who = _split("--models", (QUICK_MODELS if quick else MODELS) if models is None else models)
        chosen, left_out = plan(who, names, run_dir, data_dir, _split("--protocol", protocols), repeats, objective, harness_of)
        if not is_final:
            chosen = _with_harness(chosen, parts, left_out, is_named=names is not None)
        for line in left_out:
            console.line(f"left out: {line}")
        chosen = [
            replace(one, n_ctx=n_ctx, n_threads=n_threads, gpu_layers=gpu_layers, concurrency=concurrency, timeout_s=timeout_s)
            for one in chosen
        ]
        console.prepare(*dict.fromkeys(one.model for one in chosen), n_threads=n_threads, gpu_layers=gpu_layers)
        size = QUICK if quick else FULL
        size = replace(size, seed_tasks=n_seed_tasks) if n_seed_tasks is not None else size
        size = size.judged_on(n_validation_tasks) if n_validation_tasks is not None else size
        most = size.tasks if n_tasks is None else n_tasks
        size = size.of(most) if most is not None else size
        size = size.within(budget_minutes) if budget_minutes is not None else size
        if is_final:
            chosen += [_play_final(one, n_tasks, workers, console) for one in chosen]
        else:
            told = _estimate(chosen, size, workers, console)
            if is_estimate:
                write_json(json_path, {"estimates": told})
                return
            make_folder(run_dir)
            for combination in chosen:
                failed |= _play(combination, combination.size(size), parts, workers, console)
        played = gather_results(chosen, run_dir, quick)
        # An earlier table of this very folder tells of the same runs what they were then.
        parts = [played, *(part.without(played) if Path(part.source) == expand_path(run_dir) / FILE else part for part in parts)]
    _show(merge(parts), run_dir, json_path, console)
    if failed:
        raise SystemExit(1)


def _show(results: Results, run_dir: str, json_path: str | None, console: Console) -> None:
    """Write the table of all rows with its pictures, and print it."""
    from homebody.evolution.controls.markdown import results_markdown
    from homebody.evolution.controls.page import write_results
    from homebody.evolution.controls.results import build_report

    report = build_report(results.rows, results.combinations, results.quick)
    files = write_results(report, run_dir)
    with json_written(json_path, report):
        console.markdown(results_markdown(report))
        console.line("\n" + "  ".join(str(path) for path in files[:5]))


def _estimate(chosen: list[Combination], size: Size, workers: int, console: Console) -> list[dict[str, Any]]:
    """Say what each combination that has not ended takes, and all of them together, before any begins; returns what was said of each."""
    from homebody.evolution.controls.reproduce import estimate
    from homebody.evolution.store import holds

    found: list[dict[str, Any]] = []
    for combination in chosen:
        if holds(combination.run_dir, "end"):
            console.line(f"{combination.name}: evolved already; what is left of its rows is played")
            continue
        wanted = combination.size(size)
        told = estimate(combination, wanted, workers)
        found.append({"combination": combination.name, **told})
        limit = "" if wanted.minutes is None else f"; after {wanted.minutes:g} minutes no control is begun"
        tokens = f" and {told['episode_tokens']} tokens" if told["episode_tokens"] else ""
        console.line(
            f"{combination.name}: {told['episode_s']:.1f} s{tokens} an episode of the seed harness, which plays at least "
            f"{told['least_episodes']}: {told['least_minutes']:.0f} minutes; at most {told['most_episodes']} episodes in all: "
            f"{told['most_minutes']:.0f} minutes if none is quicker, and those of evolved harnesses mostly are{limit}"
        )
    if len(found) > 1:
        total = {key: sum(told[key] for told in found) for key in ("least_minutes", "most_minutes", "least_tokens", "most_tokens")}
        console.line(
            f"all {len(found)}: {total['least_minutes'] / 60:.1f} to {total['most_minutes'] / 60:.1f} hours, "
            f"{total['least_tokens']} to {total['most_tokens']} tokens"
        )
    return found


def _split(option: str, text: str) -> list[str]:
    """Return the names of a list, each once.

    Raises:
        click.UsageError: there is none.
    """
    found = list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not found:
        raise click.UsageError(f"{option} names nothing: {text!r}; give one name or several with commas between, or leave it out")
    return found


def _given() -> list[str]:
    """Return the options that stand on the command line."""
    context = click.get_current_context()
    source = context.get_parameter_source
    return [param.opts[0] for param in context.command.params if source(param.name or "") is ParameterSource.COMMANDLINE]


def _with_harness(chosen: list[Combination], tables: Sequence[Results], left_out: list[str], is_named: bool) -> list[Combination]:
    """Return the combinations whose harness there is: all that evolve their own, and those for whose model one has evolved.

    Benchmarks that were not named may lack one: each says so in `left_out`.

    Raises:
        AgentError: a benchmark that was named lacks one, or all do.
    """
    from homebody.agents.errors import AgentError
    from homebody.evolution.controls.transfer import find_evolved

    found, lacking = [], []
    for combination in chosen:
        try:
            if combination.harness_of is not None:
                find_evolved(combination, tables)
            found.append(combination)
        except AgentError as error:
            if is_named:
                raise
            lacking.append(error)
    if not found:
        raise lacking[0]
    left_out += dict.fromkeys(map(str, lacking))
    return found


def _play(combination: Combination, size: Size, tables: Sequence[Results], workers: int, console: Console) -> bool:
    """Choose the seed of a combination, then evolve and test it, each in a process of its own; returns whether the audit found fault.

    In the harness that evolved for another model, of a run or of one of the tables, nothing is evolved.
    """
    from homebody.evolution.controls.markdown import describe_seed
    from homebody.evolution.controls.provenance import note
    from homebody.evolution.controls.seed import choose_seed, seed_styles
    from homebody.evolution.controls.table import read_combination
    from homebody.evolution.controls.transfer import begin_transfer, find_evolved

    started = time.monotonic()
    styles, rollout = seed_styles(combination.benchmark.harness, combination.model), combination.rollout
    tasks = combination.tasks("validation", size.style_tasks)
    with console.progress("styles of the seed") as advance:
        seed = choose_seed(
            combination.run_dir,
            styles,
            rollout,
            tasks,
            workers,
            lambda done, total, last: advance(done, total, last.task_id),
            size.style_minutes,
        )
    console.line(f"{combination.name}: {describe_seed(seed)}")
    note(combination.run_dir)
    if combination.harness_of is not None:
        begin_transfer(combination, find_evolved(combination, tables))
    elif code := _homebody(evolve_arguments(combination, size, workers), console):
        raise SystemExit(code)
    spent = (time.monotonic() - started) / 60
    code = _homebody(controls_arguments(combination, size, workers, spent), console)
    if code == 0:
        return False
    # The audit fails with 1, and so does whatever went wrong before there was one.
    if code > 1 or all(finding["ok"] for finding in read_combination(combination)["controls"]["audit"]):
        raise SystemExit(code)
    return True


def _play_final(combination: Combination, n_tasks: int | None, workers: int, console: Console) -> Combination:
    """Play the final split with the harnesses of a combination; returns the combination as it is tested there."""
    from homebody.evolution.controls.final import play_final

    with console.progress("final split") as advance:
        return play_final(combination, n_tasks, workers, lambda row, done, total, what: advance(done, total, f"{row}: {what}"))


def evolve_arguments(combination: Combination, size: Size, workers: int) -> list[str]:
    """Return the command line that evolves a combination."""
    from homebody.evolution.controls.seed import FILE
    from homebody.evolution.store import holds

    one = combination.benchmark
    where = ["--env", one.env, "--max-steps", str(one.max_steps)]
    for key, value in combination.env_kwargs.items():
        where += ["--data-dir", str(value)] if key == "data_dir" else ["--env-arg", f"{key}={json.dumps(value)}"]
    sizes = {
        "--rounds": size.rounds,
        "--candidates": size.candidates,
        "--train-tasks": size.train_tasks,
        "--validation-tasks": size.validation_tasks,
        "--growth": size.growth,
        "--exploration-steps": size.exploration_steps,
        **({"--budget-minutes": size.evolve_minutes} if size.evolve_minutes else {}),
        **({"--objective": combination.objective} if combination.objective else {}),
        **({"--protocol": combination.protocol} if combination.protocol != "held-out" else {}),
        **({"--seed": combination.repeat - 1} if combination.repeat > 1 else {}),
    }
    who = ["--model", combination.model, "--harness", str(combination.run_dir / FILE), "--run-dir", str(combination.run_dir)]
    settings = {
        "--ctx": (combination.n_ctx, None),
        "--threads": (combination.n_threads, 1),
        "--gpu-layers": (combination.gpu_layers, 0),
    }
    who += [text for name, (value, default) in settings.items() if value != default for text in (name, str(value))]
    who += _server_settings(combination)
    who += ["--resume"] if holds(combination.run_dir, "start") else []
    return ["evolve", *where, *who, *(text for name, value in sizes.items() for text in (name, str(value))), "--workers", str(workers)]


def controls_arguments(combination: Combination, size: Size, workers: int, spent: float) -> list[str]:
    """Return the command line that tests a combination, so many minutes after its start."""
    most = {"--tasks": size.tasks or combination.benchmark.tasks, "--seed-tasks": size.seed_tasks}
    # The files that the user has may hold fewer test tasks than that.
    counts: dict[str, float] = {name: len(combination.tasks("test", n)) for name, n in most.items() if n is not None}
    counts["--attempts"] = size.attempts
    if size.minutes is not None:
        counts["--minutes"] = round(max(0.0, size.minutes - spent), 1)
    given = [text for name, value in counts.items() for text in (name, str(value))]
    rows = ["--only", ",".join(size.only), "--equal", size.equal]
    settings = _server_settings(combination)
    return ["controls", str(combination.run_dir), *given, *rows, *settings, "--workers", str(workers)]


def _server_settings(combination: Combination) -> list[str]:
    settings = {"--concurrency": (combination.concurrency, 1), "--timeout": (combination.timeout_s, None)}
    return [text for name, (value, default) in settings.items() if value != default for text in (name, str(value))]


def _homebody(arguments: list[str], console: Console) -> int:
    """Show a command and run it in another process; returns its exit code."""
    console.line("$ homebody " + " ".join(arguments))
    sys.stdout.flush()
    return run_child([sys.executable, "-P", "-m", "homebody.scripts.cli", *arguments])
