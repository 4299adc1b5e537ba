"""What README.md and the pages of docs/ say must work: links, commands, examples, what is generated, and what is named."""

import importlib.util
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from homebody.scripts.group import cli
from homebody.scripts.reference import pages

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(path.relative_to(ROOT).as_posix() for folder in (ROOT, DOCS, DOCS / "reference") for path in folder.glob("*.md"))
WRITTEN = [page for page in PAGES if page != "CHANGELOG.md" and "reference/" not in page]
MARKS = {"model", "minutes", "hours", "window", "serves", "data", "net", "server", "browser", "cluster", "run"}
"""What a command may cost; docs/getting-started.md explains each."""


def text_of(page: str) -> str:
    return (ROOT / page).read_text("utf-8")


def blocks(page: str, language: str) -> list[str]:
    """Return the fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", text_of(page), re.DOTALL | re.MULTILINE)


def commands(page: str) -> list[tuple[list[str], set[str]]]:
    """Return the words of each command of a page, without `homebody`, and the marks of its cost."""
    lines = [line for block in blocks(page, "bash") for line in block.splitlines() if line.startswith("homebody ")]
    split = [line.partition("  #") for line in lines]
    return [(shlex.split(command)[1:], set(re.findall(r"\[(\w+)\]", comment))) for command, _, comment in split]


COMMANDS = sorted({(page, shlex.join(words)) for page in WRITTEN for words, _ in commands(page)})


@pytest.mark.parametrize("page", PAGES)
def test_every_test_that_a_page_names_exists(page: str) -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", text_of(page))
    for file, name in named:
        text = (ROOT / file).read_text("utf-8")
        assert not name or re.search(rf"^(    )?def {name}\(", text, re.MULTILINE), f"{file}::{name}"


def test_every_promise_names_a_test() -> None:
    rows = [line for line in text_of("docs/promises.md").splitlines() if line.startswith("| ")]
    promises = [line for line in rows if not line.startswith("| fault |")]
    assert len(promises) > 20
    assert [line for line in promises if "::test_" not in line] == []


def test_the_readme_takes_five_minutes() -> None:
    assert len(text_of("README.md").split()) <= 900


def test_the_figures_of_environments_and_attacks_are_those_of_the_code() -> None:
    from homebody.envs.miniwob.suite import HELD_OUT, SUITE
    from homebody.envs.repair.functions import FAMILIES, functions
    from homebody.envs.repair.mutations import OPERATORS
    from homebody.scripts.commands.sandbox import attacks

    said = text_of("docs/environments.md")
    assert f"{len(SUITE)} pages of" in said
    assert f"keeps {len(HELD_OUT)} pages for the test" in said
    assert len(FAMILIES) == 9
    assert f"{len(functions())} functions of our own in nine families, with {len(OPERATORS)} mutation operators" in said
    assert f"runs {len(attacks())} attacks" in text_of("docs/harness.md")


# --- links


def anchors(text: str) -> set[str]:
    """Return the anchors of a page's titles, as GitHub and mkdocs name them."""
    outside = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    titles = re.findall(r"^#+ (.*)$", outside, re.MULTILINE)
    return {re.sub(r"\s", "-", re.sub(r"[^\w\s-]", "", title.lower()).strip()) for title in titles}


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_files_and_titles_that_exist(page: str) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", text_of(page)):
        if re.match(r"https?://", target):
            continue
        name, _, anchor = target.partition("#")
        path = (ROOT / page).parent / name if name else ROOT / page
        assert path.is_file(), f"{page}: {target}"
        assert not anchor or anchor in anchors(path.read_text("utf-8")), f"{page}: {target}"
        # The pages of docs/ are a website by themselves.
        assert not page.startswith("docs/") or path.resolve().is_relative_to(DOCS), f"{page}: {target} leaves docs/"


def test_anchors_are_those_of_github() -> None:
    assert anchors("# A `b-c`, d: e\n```\n# no title\n```\n## Why?\n") == {"a-b-c-d-e", "why"}


def test_the_website_has_every_page() -> None:
    listed = re.findall(r"^ +- (?:\w+: )?(\S+\.md)$", (ROOT / "mkdocs.yml").read_text("utf-8"), re.MULTILINE)
    assert sorted(f"docs/{page}" for page in listed) == [page for page in PAGES if page.startswith("docs/")]


def test_the_website_is_built_without_a_warning(tmp_path: Path) -> None:
    if importlib.util.find_spec("mkdocs") is None:
        pytest.skip("mkdocs is not installed: pip install '.[docs]'")
    command = [sys.executable, "-P", "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    built = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.html")}
    names = {page.removeprefix("docs/").removesuffix(".md") for page in PAGES if page.startswith("docs/")}
    assert {"index.html" if name == "index" else f"{name}/index.html" for name in names} <= built


# --- what is generated


def test_the_reference_is_what_the_code_says() -> None:
    stale = [
        name for name, text in pages(ROOT).items() if not (DOCS / "reference" / name).is_file() or text_of(f"docs/reference/{name}") != text
    ]
    assert stale == [], "run .venv/bin/python -P -m homebody.scripts.reference"
    assert sorted(pages(ROOT)) == sorted(path.name for path in (DOCS / "reference").iterdir())


def test_the_map_of_the_readme_names_every_folder() -> None:
    (block,) = re.findall(r"```\n(envs/ .*?)```", text_of("README.md"), re.DOTALL)
    folder, found = "", set()
    for line in block.splitlines():
        if line.startswith(" "):
            found |= {f"{folder}{name}" for name in line.split()}
        else:
            folder = line.split()[0]
            found.add(folder)
    hidden = ("__pycache__", "build", "runs", "dist")
    roots = [path for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith(".") and path.name not in hidden]
    with_modules = [path for root in roots if root.name != "tests" for path in root.iterdir() if (path / "__init__.py").is_file()]
    there = {f"{path.relative_to(ROOT).as_posix()}/" for path in (*roots, *with_modules) if not path.name.endswith("egg-info")}
    assert found == there


# --- commands


def command_of(words: list[str]) -> tuple[click.Command, list[str]]:
    """Return the command that some words call, and the rest of the words."""
    command: click.Command = cli
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        command, words = command.commands[words[0]], words[1:]
    return command, words


@pytest.mark.parametrize(("page", "line"), COMMANDS)
def test_commands_have_the_options_that_are_shown(page: str, line: str) -> None:
    command, words = command_of(shlex.split(line))
    # Parsing alone: nothing is run.
    command.make_context("homebody", list(words), resilient_parsing=True)
    known = {option for parameter in command.params for option in parameter.opts} | {"--help", "--version"}
    assert {word for word in words if word.startswith("--")} <= known


def test_the_marks_of_costs_are_explained() -> None:
    assert set(re.findall(r"^\| `\[(\w+)\]` \|", text_of("docs/getting-started.md"), re.MULTILINE)) == MARKS
    used = {mark for page in WRITTEN for _, marks in commands(page) for mark in marks}
    assert used <= MARKS


FREE = {"source .venv/bin/activate", ".venv/bin/python -P -m homebody.scripts.reference"}
"""Lines that cost nothing; the second is tried below the title "what is generated"."""


@pytest.mark.parametrize("page", WRITTEN)
def test_what_is_no_command_of_homebody_says_what_it_costs(page: str) -> None:
    lines = [line.partition("  #") for block in blocks(page, "bash") for line in block.splitlines()]
    others = [(line.strip(), cost) for line, _, cost in lines if line.strip() and not line.startswith(("homebody ", "#"))]
    assert [line for line, cost in others if line not in FREE and not set(re.findall(r"\[(\w+)\]", cost)) & MARKS] == []


def light(page: str) -> list[list[str]]:
    """Return the commands of a page that cost nothing worth a mark."""
    return [words for words, marks in commands(page) if not marks]


@pytest.fixture
def current(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty current folder, whose modules are forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


@pytest.mark.parametrize("page", [page for page in WRITTEN if light(page)])
def test_commands_without_a_mark_run_one_after_another(page: str, current: Path) -> None:
    for name, kind, code in files(page):
        (current / f"{name}.{kind}").write_text(code, "utf-8")
    for words in light(page):
        try:
            code = cli.main(words, prog_name="homebody", standalone_mode=False) or 0
        except SystemExit as ended:
            code = ended.code or 0
        assert code == 0, shlex.join(words)


# --- examples


def files(page: str) -> list[tuple[str, str, str]]:
    """Return the files that a page writes out: after "This is `NAME.py`" or "in `NAME.json`", the next block."""
    found = re.findall(r"`(\w+)\.(py|json)`[^`]*?\n\n?```(?:python|json)\n(.*?)^```", text_of(page), re.DOTALL | re.MULTILINE)
    return [(name, kind, code) for name, kind, code in found]


def programs() -> list[Any]:
    """Return the examples in Python that are programs and no files."""
    named = {code for page in WRITTEN for _, _, code in files(page)}
    found = [(page, code) for page in WRITTEN for code in blocks(page, "python") if code not in named]
    return [pytest.param(code, id=f"{page}-{number}") for number, (page, code) in enumerate(found)]


@pytest.mark.parametrize("code", programs())
def test_examples_in_python_run(code: str, current: Path) -> None:
    for name, kind, text in files("docs/extending.md"):
        (current / f"{name}.{kind}").write_text(text, "utf-8")
    for name in re.findall(r"^import (\w+)", code, re.MULTILINE):
        pytest.importorskip(name, reason=f"needs {name}, an extra")
    scope: dict[str, Any] = {}
    exec(code, scope)
    if "env" in scope:
        scope["env"].close()
    if "record" in scope:
        assert scope["record"].error is None
        assert scope["record"].trace
    elif "NoRepeat" in scope:
        assert [operator.name for operator in scope["NoRepeat"].operators] == ["take back more"]
    else:
        assert scope["terminated"] is True


def test_the_example_of_an_environment_keeps_the_contract(current: Path) -> None:
    from homebody.envs import check_env

    (code,) = [code for name, _, code in files("docs/extending.md") if name == "lamp"]
    for name in re.findall(r"^import (\w+)", code, re.MULTILINE):
        pytest.importorskip(name, reason=f"needs {name}, an extra")
    scope: dict[str, Any] = {}
    exec(code, scope)
    check_env(scope["Lamp"]())
