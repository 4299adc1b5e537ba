"""`homebody models`: the models that can decide."""

# The mark \b, which keeps click from rewrapping the examples, must be one character: these docstrings cannot be raw.
# ruff: noqa: D301

from __future__ import annotations

import click

from homebody.scripts.console import Console, check_target, write_json
from homebody.scripts.options import Group, json_out


@click.group(cls=Group, short_help="The models that can decide.")
def models() -> None:
    """Models: names of packages that carry weights, .gguf files, and files on Hugging Face."""


@models.command("list", short_help="The models known by name.")
@json_out
def models_list(json_path: str | None) -> None:
    """List the models known by name, and whether they are ready.

    \b
    Example:
      homebody models list
    """
    from dataclasses import asdict

    from homebody.agents.models import list_models

    found = [asdict(model) for model in list_models()]
    Console().models(found)
    write_json(json_path, found)


@models.command("info", short_help="What a model is, file hash included.")
@click.argument("name", metavar="MODEL")
@json_out
def models_info(name: str, json_path: str | None) -> None:
    """Load a model, preparing or fetching it where needed, and print what fixes its numbers.

    \b
    Examples:
      homebody models info smollm2
      homebody models info hf:Qwen/Qwen2.5-0.5B-Instruct-GGUF:qwen2.5-0.5b-instruct-q4_0.gguf
    """
    from homebody.agents.models import load

    check_target(json_path)
    backend = load(name)
    found = {"name": backend.name, "n_ctx": backend.n_ctx, **backend.fingerprint}
    backend.close()
    Console().pairs(found)
    write_json(json_path, found)
