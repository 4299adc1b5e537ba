"""`homebody data`: the data that environments read, fetched and checked."""

# The mark \b, which keeps click from rewrapping the examples, must be one character: these docstrings cannot be raw.
# ruff: noqa: D301

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

import click

from homebody.scripts.console import Console
from homebody.scripts.json_file import check_target, write_json
from homebody.scripts.options import PATH, Group, json_out

if TYPE_CHECKING:
    from homebody.envs.household.alfworld.data_check import DataCheck

_MIB = 2**20
_MOST_LINES = 20


@click.group(cls=Group, short_help="Fetch and check the data that environments read.")
def data() -> None:
    """Data of others that environments read; none of it is part of homebody."""


@data.command("alfworld", short_help="ALFWorld's games: fetch the official release, or check a folder.")
@click.option("--dir", "data_dir", type=PATH, metavar="DIR", help="Folder of the data. [default: $ALFWORLD_DATA, or a cache]")
@click.option("--check", is_flag=True, help="Fetch nothing: read every game in the folder, and say what is wrong or missing.")
@click.option("--url", envvar="HOMEBODY_ALFWORLD_URL", metavar="URL", help="Another address of the archive (or $HOMEBODY_ALFWORLD_URL).")
@click.option("--sha256", default="", metavar="HEX", help="Checksum that the archive must have; the official one is known.")
@json_out
def data_alfworld(data_dir: str | None, check: bool, url: str | None, sha256: str, json_path: str | None) -> None:
    """Fetch ALFWorld's games (36 MB, 0.4 GB unpacked), or check a folder of them.

    A download that broke off goes on where it stopped. Exit code 0: every game of the release is there and sound; 2: not so.

    \b
    Examples:
      homebody data alfworld
      homebody data alfworld --check --dir $ALFWORLD_DATA
    """
    from homebody.envs.household.alfworld.data_check import check_data
    from homebody.envs.household.alfworld.download import URL, default_dir, fetch_games

    check_target(json_path)
    folder = Path(data_dir) if data_dir is not None else default_dir()
    console = Console()
    if not check:
        with console.progress("fetching") as advance:
            fetch_games(folder, url=url or URL, sha256=sha256, progress=lambda done, total: advance(done // _MIB, total // _MIB, "MiB"))
    with console.progress("reading") as advance:
        found = check_data(folder, lambda done, total: advance(done, total, "games"))
    _show(found)
    write_json(json_path, found.to_json())
    if not found.is_complete:
        raise SystemExit(2)


def _show(found: DataCheck) -> None:
    for name, split in found.splits.items():
        missing = sum(split.missing_by_type.values())
        parts = [f"{split.games} games"]
        with_sentence = f"{split.annotated} with a person's sentence (goals=human), {split.games - split.annotated} without"
        parts += [with_sentence] if split.annotated else []
        parts += [f"{split.left_out} left out as ALFWorld does"] if split.left_out else []
        parts += [f"{missing} of the release's {split.expected} missing"] if missing else []
        click.echo(f"{name}: {', '.join(parts)}")
        for kind, n in split.by_type.items():
            lacking = split.missing_by_type.get(kind, 0)
            click.echo(f"  {kind}: {n}" + (f", {lacking} missing" if lacking else ""))
    click.echo("logic: " + (", ".join(f"{logic} in {n} games" for logic, n in found.logics.items()) or "none"))
    lines = [f"{fault['kind']}: {fault['file']}: {fault['problem']}" for fault in found.faults]
    lines += [f"unsolvable, by its own word: {name}" for name in found.unsolvable]
    for line in lines[:_MOST_LINES]:
        click.echo(line)
    if len(lines) > _MOST_LINES:
        click.echo(f"and {len(lines) - _MOST_LINES} more; --json FILE writes them all")
    if found.is_complete:
        click.echo(f"{found.data_dir}: complete and sound; export ALFWORLD_DATA={quote(str(Path(found.data_dir).absolute()))}")
    else:
        missing = sum(sum(split.missing_by_type.values()) for split in found.splits.values())
        click.echo(f"{found.data_dir}: not complete: {len(found.faults)} at fault, {missing} missing")
