"""The pages of docs/reference, written from the code: commands, environments, harnesses, processors, files.

`.venv/bin/python -P -m homebody.scripts.reference` writes them, in the root of the repository. A test compares them with what stands there.
"""

from __future__ import annotations

import ast
import dataclasses
import importlib
import inspect
import itertools
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from homebody.envs.file import write_file

FOLDERS = ("envs", "agents", "evolution", "assets", "scripts")
WIDTH = 100
"""Characters a line of the commands' help."""
LONG = 80
"""Characters of a default value that are shown."""
NOTE = "<!-- Written by `.venv/bin/python -P -m homebody.scripts.reference`; a test compares. Edit the code, not this page. -->"


def pages(root: Path) -> dict[str, str]:
    """Return the text of every page by its file name.

    Args:
        root: The root of the repository.
    """
    return {
        "commands.md": _page("Commands", "The help of every command, as `--help` prints it.", _commands()),
        "environments.md": _page("Environments", "Every id, with its contract and parameters.", _environments()),
        "harnesses.md": _page("Harnesses", "The documents that ship. `homebody harness show NAME` prints one.", _harnesses()),
        "processors.md": _page("Processors", "What a harness is made of, by dimension. A row is a parameter.", _processors()),
        "files.md": _page("Files", "Every module, in the first line of its description.", _files(root)),
    }


def _page(title: str, text: str, body: Iterator[str]) -> str:
    """Return a page: title, note, one line of text, then the pieces of the body with empty lines between them."""
    return "\n\n".join([f"# {title}", NOTE, text, *body]) + "\n"


def _commands() -> Iterator[str]:
    from homebody.scripts.group import cli

    yield from _command(cli, "homebody")


def _command(command: click.Command, name: str) -> Iterator[str]:
    """Yield the help of a command, then that of the commands below it."""
    context = click.Context(command, info_name=name, terminal_width=WIDTH, max_content_width=WIDTH, **_names(command))
    yield f"## {name}"
    yield f"```text\n{command.get_help(context).rstrip()}\n```"
    for below in command.commands.values() if isinstance(command, click.Group) else ():
        yield from _command(below, f"{name} {below.name}")


def _names(command: click.Command) -> dict[str, Any]:
    """Return the names of a command's help option."""
    return {key: value for key, value in command.context_settings.items() if key == "help_option_names"}


def _environments() -> Iterator[str]:
    import gymnasium

    from homebody.envs import BROWSER_IDS, ENV_IDS, SYMBOLIC_ID
    from homebody.envs.household.houses.houses import HouseSource
    from homebody.envs.webshop.goals.shop import ShopConfig

    more = {"homebody/WebShop-v0": ShopConfig, "homebody/Household-v0": HouseSource}
    for name in (*ENV_IDS, SYMBOLIC_ID, *BROWSER_IDS):
        module, _, cls = str(gymnasium.spec(name).entry_point).partition(":")
        env = getattr(importlib.import_module(module), cls)
        text = (inspect.getdoc(env) or "").partition("\nArgs:\n")[0].rstrip()
        described = inspect.cleandoc(env.__init__.__doc__ or env.__doc__ or "")
        yield f"## `{name}`"
        yield f"```text\n{text}\n```"
        yield _table(_parameters(env, described))
        if name in more:
            yield f"`{more[name].__name__}`, which these parameters go to:"
            yield f"```text\n{inspect.getdoc(more[name])}\n```"
            if dataclasses.is_dataclass(more[name]):
                yield _table(_fields(more[name]))


def _parameters(env: type, described: str) -> list[tuple[str, str, str]]:
    """Return name, default and meaning of the parameters of an environment, as its signature and docstring say."""
    section = re.search(r"^Args:\n((?:    .*\n?)+)", described, re.MULTILINE)
    lines = re.sub(r"\n {5,}", " ", section.group(1) if section else "")
    meaning = dict(re.findall(r"^    \*{0,2}(\w+): (.*)$", lines, re.MULTILINE))
    signature = inspect.signature(env)
    kept = [p for p in signature.parameters.values() if p.name != "unknown"]
    missing = {p.name for p in kept} - meaning.keys()
    if missing:
        raise ValueError(f"{env.__name__}: the docstring of its parameters leaves out {', '.join(sorted(missing))}")
    return [
        (f"`{'**' if p.kind is p.VAR_KEYWORD else ''}{p.name}`", "" if p.default is p.empty else _default(p.default), meaning[p.name])
        for p in kept
    ]


def _fields(cls: Any) -> list[tuple[str, str, str]]:
    """Return name, default and meaning of the fields of a dataclass; the meaning is the string below a field."""
    (definition,) = ast.parse(inspect.getsource(cls)).body
    assert isinstance(definition, ast.ClassDef)
    meaning = {
        field.target.id: below.value.value
        for field, below in itertools.pairwise(definition.body)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant)
    }
    return [(f"`{field.name}`", _default(field.default), str(meaning[field.name])) for field in dataclasses.fields(cls)]


def _harnesses() -> Iterator[str]:
    from homebody.agents.harness.seed import seed_names
    from homebody.agents.harness.spec import HarnessSpec, harness_names

    documents = harness_names()
    rows = {name: HarnessSpec.load(name).document.get("description", "") for name in documents}
    rows |= {name: f"`{name}-think`, `-react` or `-act`: the one that fits the model." for name in seed_names(documents)}
    yield _table([(f"`{name}`", text) for name, text in sorted(rows.items())], ("name", "what it is"))


def _processors() -> Iterator[str]:
    from homebody.agents.harness.hooks import DIMENSIONS, HOOKS
    from homebody.agents.harness.library import REGISTRY

    for dimension in (*DIMENSIONS, None):
        found = {name: cls for name, cls in sorted(REGISTRY.items()) if cls.dimension == dimension}
        if found:
            yield f"## {(dimension or 'any dimension').capitalize()}"
        for name, cls in found.items():
            hook = f"`{cls.hook}`" if cls.hook else "any hook" if cls.hooks == HOOKS else " or ".join(f"`{hook}`" for hook in cls.hooks)
            yield f"### `{name}`"
            yield f"{_text(inspect.getdoc(cls) or '')}\n\nHook: {hook}."
            rows = [
                (f"`{key}`", _default(rule["default"]) if "default" in rule else "required", _meaning(rule))
                for key, rule in cls.schema.items()
            ]
            if rows:
                yield _table(rows)


def _meaning(rule: dict[str, Any]) -> str:
    """Return a parameter's description, and its choices or range."""
    if "enum" in rule:
        limits = "one of " + ", ".join(f"`{value}`" for value in rule["enum"])
    else:
        bounds = [str(rule[key]) for key in ("minimum", "maximum") if key in rule]
        limits = " to ".join(bounds) if len(bounds) == 2 else f"at least {bounds[0]}" if "minimum" in rule else ""
    return "; ".join(part for part in (rule.get("description", ""), limits) if part)


def _files(root: Path) -> Iterator[str]:
    for folder in FOLDERS:
        yield f"## {folder}/"
        rows = [(f"`{path.relative_to(root).as_posix()}`", _first_line(path)) for path in _modules(root / folder)]
        yield _table(rows, ("file", "what it is"))


def _modules(folder: Path) -> list[Path]:
    """Return the modules of a folder and below: a package before its modules, these before its rooms."""
    found = [path for path in folder.rglob("*.py") if path.read_text("utf-8").strip()]
    return sorted(found, key=lambda path: (path.parent.relative_to(folder).parts, path.name != "__init__.py", path.name))


def _first_line(path: Path) -> str:
    return (ast.get_docstring(ast.parse(path.read_text("utf-8"))) or "").partition("\n")[0]


def _default(value: object) -> str:
    """Return a default value as code, a long one cut."""
    text = json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False, default=str)
    return f"`{text if len(text) <= LONG else text[: LONG - 4] + ' ...'}`"


def _table(rows: Sequence[tuple[str, ...]], head: tuple[str, ...] = ("parameter", "default", "what it says")) -> str:
    """Return a table in Markdown."""
    lines = [head, ("---",) * len(head), *(tuple(_cell(cell) for cell in row) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(text: str) -> str:
    return _text(" ".join(text.split())).replace("|", "\\|")


def _text(text: str) -> str:
    """Return a text in which `<` opens no element of HTML; code keeps it."""
    return "".join(part if at % 2 else part.replace("<", "&lt;") for at, part in enumerate(re.split(r"(`[^`]*`)", text)))


def main() -> None:
    """Write the pages."""
    root = Path(__file__).resolve().parents[1]
    for name, text in pages(root).items():
        write_file(root / "docs" / "reference" / name, text)
        click.echo(f"docs/reference/{name}")


if __name__ == "__main__":
    main()
