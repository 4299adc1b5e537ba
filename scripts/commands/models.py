"""`homebody models`: the models that can decide."""

# The mark \b, which keeps click from rewrapping the examples, must be one character: these docstrings cannot be raw.
# ruff: noqa: D301

from __future__ import annotations

import click
from rich.table import Table

from homebody.scripts.console import Console
from homebody.scripts.json_file import check_target, write_json
from homebody.scripts.options import Group, json_out
from homebody.scripts.terminal import escape


@click.group(cls=Group, short_help="The models that can decide.")
def models() -> None:
    """Models: names of packages that carry weights, .gguf files, files on Hugging Face, and servers."""


@models.command("list", short_help="The models known by name.")
@json_out
def models_list(json_path: str | None) -> None:
    """List the models known by name and the files that were fetched, and whether they are ready.

    \b
    Example:
      homebody models list
    """
    from dataclasses import asdict

    from homebody.agents.models.names import list_models

    check_target(json_path)
    found = [asdict(model) for model in list_models()]
    Console().models(found)
    write_json(json_path, found)


@models.command("info", short_help="What a model is, and the memory it needs.")
@click.argument("name", metavar="MODEL")
@click.option("--ctx", "n_ctx", type=click.IntRange(min=1), default=4096, show_default=True, metavar="N",
              help="Tokens of context that the memory is told for.")  # fmt: skip
@json_out
def models_info(name: str, n_ctx: int, json_path: str | None) -> None:
    """Print what a model file says of itself, its hash and the memory it needs, or what a server says of its model.

    The file is prepared or fetched where it is not there yet; its weights are not loaded.

    \b
    Examples:
      homebody models info smollm2 --ctx 8192
      homebody models info hf:Qwen/Qwen2.5-0.5B-Instruct-GGUF:qwen2.5-0.5b-instruct-q4_0.gguf
      homebody models info http://127.0.0.1:8000/v1
    """
    from homebody.agents.models.prepare import describe

    check_target(json_path)
    console = Console()
    console.prepare(name)
    found = describe(name, n_ctx)
    console.pairs(found)
    write_json(json_path, found)


@models.command("prepare", short_help="Prepare a model and measure which copy of it is the fastest.")
@click.argument("name", metavar="MODEL")
@click.option(
    "--quantization",
    "variants",
    type=click.Choice(["q4_0", "q8_0"]),
    multiple=True,
    default=["q4_0"],
    show_default=True,
    help="Re-quantized copy to try; may be given twice.",
)
@json_out
def models_prepare(name: str, variants: tuple[str, ...], json_path: str | None) -> None:
    """Prepare a model, measure it and re-quantized copies of it on this machine, and keep a copy that is faster.

    A name always stands for the same file: a faster copy gets a name of its own, MODEL@q4_0. Re-quantizing loses a little of what the
    model knows, so compare what it can do before you trust it.

    \b
    Examples:
      homebody models prepare smollm2
      homebody models prepare gemma3-270m --quantization q4_0 --quantization q8_0
    """
    from homebody.agents.models.prepare import prepare

    check_target(json_path)
    console = Console()
    with console.megabytes("preparing", name) as progress:
        found = prepare(name, variants, progress)
    table = Table("copy", "quantization", "size", "prompt tokens/s", "decoded tokens/s", box=None, pad_edge=False)
    for row in found["candidates"]:
        speeds = (f"{row['prompt_tokens_per_s']:.0f}", f"{row['decode_tokens_per_s']:.0f}")
        table.add_row(escape(row["name"]), row["quantization"], f"{row['size_bytes'] / 1e6:.0f} MB", *speeds)
    console.out.print(table)
    console.out.print(f"fastest here: [bold]{escape(found['fastest'])}[/]  [dim]one thread, processor time, {escape(found['machine'])}[/]")
    write_json(json_path, found)


@models.command("fetch", short_help="Fetch a model file from Hugging Face.")
@click.argument("name", metavar="hf:OWNER/REPO:FILE")
@click.option("--sha256", default="", metavar="HEX", help="SHA-256 that the file must have; otherwise the one that the hub announces.")
@json_out
def models_fetch(name: str, sha256: str, json_path: str | None) -> None:
    """Fetch a model file, going on where an earlier fetch broke off, and check its hash and that it is whole.

    \b
    Examples:
      homebody models fetch hf:Qwen/Qwen2.5-0.5B-Instruct-GGUF:qwen2.5-0.5b-instruct-q4_0.gguf
      HF_ENDPOINT=https://mirror.example homebody models fetch hf:owner/repo:file.gguf --sha256 0123...
    """
    from homebody.agents.models.prepare import fetch_model

    check_target(json_path)
    console = Console()
    with console.megabytes("fetching", name) as progress:
        found = fetch_model(name, sha256, progress)
    console.pairs(found)
    write_json(json_path, found)


@models.command("verify", short_help="Check that a model file is whole and the one it should be.")
@click.argument("name", metavar="MODEL")
@json_out
def models_verify(name: str, json_path: str | None) -> None:
    """Compute a model file's SHA-256 anew and compare it with what is known of it; check that all its tensors are in it.

    \b
    Examples:
      homebody models verify qwen2.5-coder-0.5b@q4_k_m
      homebody models verify hf:owner/repo:file.gguf
    """
    from homebody.agents.models.prepare import verify

    check_target(json_path)
    console = Console()
    with console.megabytes("preparing", name) as progress:
        found = verify(name, progress)
    console.pairs(found)
    write_json(json_path, found)
