"""`homebody harness`: list, show, check, compare and edit harnesses."""

# The mark \b, which keeps click from rewrapping the examples, must be one character: these docstrings cannot be raw.
# ruff: noqa: D301

from __future__ import annotations

import click

from homebody.scripts.commands.sandbox import harness_sandbox
from homebody.scripts.console import Console, error_line
from homebody.scripts.json_file import check_target, write_json
from homebody.scripts.options import PATH, Group, json_out


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
    from homebody.agents.harness.hooks import DIMENSIONS, HOOKS
    from homebody.agents.harness.library import REGISTRY
    from homebody.agents.harness.outline import does
    from homebody.agents.harness.seed import seed_names
    from homebody.agents.harness.spec import HarnessSpec, harness_names

    check_target(json_path)
    documents = harness_names()
    described = {name: HarnessSpec.load(name).document.get("description", "") for name in documents}
    described |= {name: f"{name}-think, -react or -act: the one that fits the model" for name in seed_names(documents)}
    found = {
        "harnesses": [{"name": name, "description": text} for name, text in sorted(described.items())],
        "processors": [
            {
                "name": name,
                "hook": p.hook or ("any" if p.hooks == HOOKS else " or ".join(p.hooks)),
                "dimension": p.dimension or "any",
                "does": does(name),
                "params": p.schema,
            }
            for name, p in sorted(REGISTRY.items(), key=lambda item: (DIMENSIONS.index(item[1].dimension or "control"), item[0]))
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
      homebody harness show household-react --json my-harness.json
    """
    from homebody.agents.harness.spec import HarnessSpec

    check_target(json_path)
    console = Console()
    spec = HarnessSpec.load(console.picked_harness(name))
    console.harness(spec)
    write_json(json_path, spec.document)


@harness.command("check", short_help="Check a harness file.")
@click.argument("name", metavar="NAME|FILE")
def harness_check(name: str) -> None:
    """Check a harness; exit code 0 if it is valid, 2 with all that is wrong, a line each, if not.

    Its own code and templates are run once on sample events, fenced in.

    \b
    Example:
      homebody harness check my-harness.json
    """
    from homebody.agents.harness.spec import HarnessError, HarnessSpec

    console = Console()
    name = console.picked_harness(name)
    try:
        spec = HarnessSpec.load(name).check()
    except HarnessError as error:
        for line in error.problems or [str(error)]:
            error_line(f"{name}: {line}" if error.problems else line)
        raise SystemExit(2) from None
    console.say_picked()
    click.echo(f"{name}: valid, {len(spec.components)} components, behaviour {spec.behaviour_hash[:16]}")


@harness.command("diff", short_help="The patch from one harness to another.")
@click.argument("old", metavar="A")
@click.argument("new", metavar="B")
@json_out
def harness_diff(old: str, new: str, json_path: str | None) -> None:
    """Say what differs between two harnesses, and print the JSON Patch (RFC 6902) that turns A into B.

    The words go to standard error, the patch alone to standard output. `diff B A` takes the patch back.

    \b
    Example:
      homebody harness diff household-act runs/first/final.json
    """
    from homebody.agents.harness.outline import changes
    from homebody.agents.harness.spec import HarnessSpec

    check_target(json_path)
    console = Console()
    one, other = (HarnessSpec.load(console.picked_harness(name)) for name in (old, new))
    patch = one.diff(other)
    console.harness_diff(changes(one, other), patch)
    write_json(json_path, patch)


@harness.command("patch", short_help="Apply a patch to a harness.")
@click.argument("name", metavar="NAME|FILE")
@click.argument("patch_file", type=PATH, metavar="PATCH")
@click.option("--out", required=True, type=PATH, metavar="FILE", help="Where the new harness goes.")
@click.option("--undo", type=PATH, metavar="FILE", help="Write the patch that takes this one back to FILE.")
def harness_patch(name: str, patch_file: str, out: str, undo: str | None) -> None:
    """Apply a JSON Patch to a harness and write the result. Nothing is written if the result is not valid.

    \b
    Example:
      homebody harness patch household-act edit.json --out edited.json
    """
    from homebody.agents.harness.patch import invert, read_patch
    from homebody.agents.harness.spec import HarnessSpec

    for path in (out, undo):
        check_target(path)
    console = Console()
    base, patch = HarnessSpec.load(console.picked_harness(name)), read_patch(patch_file)
    spec = base.patch(patch).check()
    write_json(out, spec.document)
    write_json(undo, invert(base.document, patch))
    console.say_picked()
    click.echo(f"{out}: {len(spec.components)} components, behaviour {spec.behaviour_hash[:16]}")


harness.add_command(harness_sandbox)
