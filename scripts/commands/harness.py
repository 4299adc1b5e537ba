"""`homebody harness`: list, show, check, compare and edit harnesses."""

# The mark \b, which keeps click from rewrapping the examples, must be one character: these docstrings cannot be raw.
# ruff: noqa: D301

from __future__ import annotations

import click

from homebody.scripts.console import Console, write_json
from homebody.scripts.options import Group, json_out


@click.group(cls=Group, short_help="Show, check, compare and edit harnesses.")
def harness() -> None:
    """Harnesses are JSON documents; these commands read, check, compare and edit them."""


@harness.command("list", short_help="The harnesses that ship, and the processors they are made of.")
@json_out
def harness_list(json_path: str | None) -> None:
    """List the harnesses that ship with homebody and the processors that a harness can use.

    \b
    Example:
      homebody harness list
    """
    from homebody.agents.processors import REGISTRY
    from homebody.agents.spec import HarnessSpec, harness_names

    specs = [HarnessSpec.load(name) for name in harness_names()]
    found = {
        "harnesses": [{"name": spec.name, "description": spec.document.get("description", "")} for spec in specs],
        "processors": [
            {"name": name, "hook": p.hook, "dimension": p.dimension, "does": (p.__doc__ or "").strip().splitlines()[0], "params": p.schema}
            for name, p in REGISTRY.items()
        ],
    }
    Console().harness_list(found)
    write_json(json_path, found)


@harness.command("show", short_help="Print a harness.")
@click.argument("name", metavar="NAME|FILE")
@json_out
def harness_show(name: str, json_path: str | None) -> None:
    """Print a harness and its behaviour hash.

    \b
    Example:
      homebody harness show household --json my-harness.json
    """
    from homebody.agents.spec import HarnessSpec

    spec = HarnessSpec.load(name)
    Console().harness(spec)
    write_json(json_path, spec.document)


@harness.command("check", short_help="Check a harness file.")
@click.argument("name", metavar="NAME|FILE")
def harness_check(name: str) -> None:
    """Check a harness; exit code 0 if it is valid, 2 with the reason if not.

    \b
    Example:
      homebody harness check my-harness.json
    """
    from homebody.agents.spec import HarnessSpec

    spec = HarnessSpec.load(name)
    click.echo(f"{name}: valid, {len(spec.processors)} processors, behaviour {spec.behaviour_hash[:16]}")


@harness.command("diff", short_help="The patch from one harness to another.")
@click.argument("old", metavar="A")
@click.argument("new", metavar="B")
@json_out
def harness_diff(old: str, new: str, json_path: str | None) -> None:
    """Print the JSON Patch (RFC 6902) that turns harness A into harness B.

    \b
    Example:
      homebody harness diff household runs/first/final.json
    """
    from homebody.agents.spec import HarnessSpec

    patch = HarnessSpec.load(old).diff(HarnessSpec.load(new))
    Console().patch(patch)
    write_json(json_path, patch)


@harness.command("patch", short_help="Apply a patch to a harness.")
@click.argument("name", metavar="NAME|FILE")
@click.argument("patch_file", metavar="PATCH")
@click.option("--out", required=True, type=click.Path(), metavar="FILE", help="Where the new harness goes.")
def harness_patch(name: str, patch_file: str, out: str) -> None:
    """Apply a JSON Patch to a harness and write the result. Nothing is written if the result is not valid.

    \b
    Example:
      homebody harness patch household edit.json --out edited.json
    """
    from homebody.agents.spec import HarnessSpec, read_patch

    spec = HarnessSpec.load(name).patch(read_patch(patch_file))
    write_json(out, spec.document)
    click.echo(f"{out}: {len(spec.processors)} processors, behaviour {spec.behaviour_hash[:16]}")
