"""`homebody export`: a run's episodes as records to train on."""

# The mark \b, which keeps click from rewrapping the examples, must be one character: these docstrings cannot be raw.
# ruff: noqa: D301

from __future__ import annotations

import click

from homebody.scripts.console import Console
from homebody.scripts.json_file import check_target, write_json
from homebody.scripts.options import PATH, SPLIT, json_out


@click.command(short_help="Write a run's episodes as records to train on.")
@click.argument("run_dir", type=PATH, metavar="RUN_DIR")
@click.option("--format", "form", required=True, type=click.Choice(["sft", "grpo"]), help="sft: won episodes; grpo: all of them.")
@click.option("--out", required=True, type=PATH, metavar="FILE", help="The file, one JSON object a line.")
@click.option(
    "--split", type=SPLIT, default="train", show_default=True, help="Only tasks of this split; whatever but train is for you to decide."
)
@click.option("--model", metavar="MODEL", help="Whose tokens to write.  [default: the run's own]")
@click.option("--episodes", type=click.IntRange(min=1), metavar="N", help="Most records.")
@click.option("--data-dir", type=PATH, metavar="DIR", help="Where the game files lie now, if elsewhere than in the run.")
@json_out
def export(
    run_dir: str, form: str, out: str, split: str, model: str | None, episodes: int | None, data_dir: str | None,
    json_path: str | None,
) -> None:  # fmt: skip
    """Write one record an episode: prompts, answers, token ids, log-probabilities, reward, behaviour hash, group (the task).

    Each episode is played again to know its tokens, which takes as long as it took the first time; `exact` in a record says that the
    replay was the stored episode exactly. Log-probabilities are those of the model at temperature 1, where it chose; `by_model` says
    where, `decided_by` whether its answers mattered, and `twin` what the harness would have sent without it. assets/schemas/export.json
    describes the fields.

    \b
    Examples:
      homebody export runs/first --format sft --out sft.jsonl
      homebody export runs/first --format grpo --out grpo.jsonl --episodes 100
    """
    from homebody.evolution.controls.evaluation import outcome_of
    from homebody.evolution.reports.export import export as export_run

    check_target(out)
    check_target(json_path)
    console = Console()
    with console.progress("episodes") as advance:
        result = export_run(
            run_dir,
            form,
            out,
            split=split,
            model=model,
            episodes=episodes,
            data_dir=data_dir,
            callback=lambda done, total, record: advance(done, total, outcome_of(record)),
        )
    tokens = f"tokens of {result['tokenizer']}" if result["tokenizer"] else "no tokens: no model decided, and --model names none"
    console.line(f"{out}: {result['records']} records, {result['steps']} steps, {result['won']} won, {tokens}")
    if result["exact"] < result["records"]:
        console.line(
            f"{result['records'] - result['exact']} replays differ from what was stored (another machine or version); `exact` says which"
        )
    if result["unknown"]:
        console.line(f"left out: {result['unknown']} episodes of other harnesses or policies than the run's")
    write_json(json_path, result)
