"""Every option that is a path, and every one that is written to: the same rules for all of them."""

import os
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from homebody.scripts.group import cli
from homebody.scripts.options import PATH

Command = Callable[..., Any]


def commands(group: click.Command = cli, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Yield every command that is no group, with the words that call it."""
    if isinstance(group, click.Group):
        for name, command in group.commands.items():
            yield from commands(command, (*path, name))
    else:
        yield path, group


PATHS = [(words, param) for words, command in commands() for param in command.params if param.type is PATH]
"""The parameters that are paths, with the command of each."""


def test_every_parameter_that_is_a_path_is_one_to_click() -> None:
    # A name may be a file, too: what loads harnesses and models reads those.
    named = {
        (words, param.name)
        for words, command in commands()
        for param in command.params
        if param.metavar and {"DIR", "FILE", "PATH", "PATCH", "RUN_DIR"} & set(param.metavar.split("|")) and "NAME" not in param.metavar
    }
    assert named == {(words, param.name) for words, param in PATHS}
    assert len(named) > 50


@pytest.mark.parametrize(("words", "param"), PATHS, ids=lambda value: " ".join(value) if isinstance(value, tuple) else value.name)
def test_an_empty_path_is_refused(
    homebody: Command, words: tuple[str, ...], param: click.Parameter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = {("harness", "patch"): ["generic-act"]}.get(words, []) if isinstance(param, click.Argument) else [param.opts[-1]]
    answer = homebody(*words, *before, "")
    assert (answer.code, answer.out) == (2, "")
    assert "'' is no path: it is empty; give one" in answer.error
    assert list(tmp_path.iterdir()) == []


# --- whatever is written

FLAT = ("--policy", "no-model", "--max-steps", 2)
WRITES = {
    "run --json": ("run", *FLAT, "--json", "{out}"),
    "run --record .gif": ("run", *FLAT, "--record", "{out}.gif"),
    "run --record .png": ("run", *FLAT, "--record", "{out}.png"),
    "watch --json": ("watch", "{run}", "--json", "{out}"),
    "watch --record": ("watch", "{run}", "--episode", 1, "--record", "{out}.png"),
    "evaluate --json": ("evaluate", *FLAT, "--tasks", 1, "--json", "{out}"),
    "controls --json": ("controls", "{run}", "--only", "noop", "--tasks", 1, "--json", "{out}"),
    "report --json": ("report", "{run}", "--json", "{out}"),
    "report --html": ("report", "{run}", "--html", "{out}"),
    "report --png": ("report", "{run}", "--png", "{out}.svg"),
    "report --round --json": ("report", "{run}", "--round", 1, "--json", "{out}"),
    "export --out": ("export", "{run}", "--format", "grpo", "--out", "{out}", "--episodes", 1),
    "export --json": ("export", "{run}", "--format", "grpo", "--out", "{other}", "--episodes", 1, "--json", "{out}"),
    "harness list --json": ("harness", "list", "--json", "{out}"),
    "harness show --json": ("harness", "show", "generic-act", "--json", "{out}"),
    "harness diff --json": ("harness", "diff", "generic-act", "household-act", "--json", "{out}"),
    "harness patch --out": ("harness", "patch", "generic-act", "{patch}", "--out", "{out}"),
    "harness patch --undo": ("harness", "patch", "generic-act", "{patch}", "--out", "{other}", "--undo", "{out}"),
    "models list --json": ("models", "list", "--json", "{out}"),
    "household export --json": ("household", "export", "--out", "{other}", "--tasks", 1, "--json", "{out}"),
    "webshop catalogue --json": ("webshop", "catalogue", "--catalogue-size", 20, "--tasks", 1, "--json", "{out}"),
    "webshop manifest --json": ("webshop", "manifest", "--catalogue-size", 20, "--json", "{out}"),
}  # fmt: skip
"""A quick call of every option that is written to."""


@pytest.fixture
def call(homebody: Command, run_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Path], Any]:
    """Run one of `WRITES` with a file for its option, whose ending it gets where it has none."""
    monkeypatch.setenv("HOMEBODY_CACHE", str(tmp_path / "cache"))
    (tmp_path / "patch").write_text("[]")

    def run(name: str, out: Path) -> Any:
        places = {"run": run_dir, "out": out.with_suffix(""), "other": tmp_path / "other", "patch": tmp_path / "patch"}
        return homebody(*(str(argument).format(**places) for argument in WRITES[name]))

    return run


def target(name: str, folder: Path) -> Path:
    """Return a path that the option of one of `WRITES` takes."""
    ending = next(str(argument) for argument in WRITES[name] if "{out}" in str(argument)).removeprefix("{out}")
    return folder / f"target{ending}"


def test_every_option_that_is_written_to_is_tried() -> None:
    tried = {" ".join(word for word in name.split() if word not in (".gif", ".png", "--round")) for name in WRITES}
    slow = {  # the same function writes them
        *(
            f"{words} --json"
            for words in ("evolve", "reproduce", "play", "data alfworld", "harness sandbox", "models info", "models prepare")
        ),
        *(
            f"{words} --json"
            for words in ("models fetch", "models verify", "bench household", "bench llm", "bench harness", "bench render")
        ),
        *(
            f"{words} --json"
            for words in (
                "bench webshop",
                "bench server",
                "bench repair",
                "bench miniwob",
                "bench gate",
                "bench soak",
                "household readings",
            )
        ),
    }
    names = ("--json", "--out", "--record", "--html", "--png", "--undo")
    there = {f"{' '.join(words)} {param.opts[-1]}" for words, param in PATHS if param.opts[-1] in names}
    folders = {"household export --out", "webshop catalogue --out"}
    assert tried | slow | folders == there


@pytest.mark.parametrize("name", WRITES)
def test_a_link_is_followed_and_stays(call: Callable[[str, Path], Any], name: str, tmp_path: Path) -> None:
    real, link = tmp_path / "far" / "real", target(name, tmp_path)
    real.parent.mkdir()
    real.write_text("old")
    link.symlink_to(real)
    inode = real.stat().st_ino
    answer = call(name, link)
    assert (answer.code, "cannot" in answer.err) == (0, False)
    assert link.is_symlink()
    assert real.read_bytes() not in (b"old", b"")
    assert real.stat().st_ino != inode
    assert list(real.parent.iterdir()) == [real]


@pytest.mark.parametrize("name", WRITES)
def test_a_missing_folder_is_named_before_anything_is_done(call: Callable[[str, Path], Any], name: str, tmp_path: Path) -> None:
    answer = call(name, target(name, tmp_path / "gone"))
    assert (answer.code, answer.out) == (2, "")
    assert f"there is no folder {tmp_path / 'gone'}; give a file in a folder that exists" in answer.error
    assert not (tmp_path / "gone").exists()
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("name", ["run --json", "run --record .png", "export --out", "report --png", "harness patch --out"])
def test_a_pipe_is_written_to(call: Callable[[str, Path], Any], name: str, tmp_path: Path) -> None:
    pipe = target(name, tmp_path)
    os.mkfifo(pipe)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()), daemon=True)
    reader.start()
    answer = call(name, pipe)
    reader.join(timeout=20)
    assert (answer.code, answer.err) == (0, "")
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert got[0]


def test_standard_output_takes_a_result(homebody_process: Command, tmp_path: Path) -> None:
    out, _ = homebody_process("harness", "show", "generic-act", "--json", "/dev/stdout").communicate()
    assert out.index("behaviour") < out.index('{\n  "format"')
    assert out.endswith("}\n")


# --- the home folder


def test_a_tilde_is_the_home_folder_wherever_a_path_goes(
    homebody: Command, loaded: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    shop = ("--data-dir", "~/shop", "--prices", "~/prices.json")
    assert homebody("webshop", "catalogue", "--catalogue-size", 20, "--tasks", 1, "--out", "~/shop").code == 0
    assert (tmp_path / "shop").is_dir()
    assert homebody("webshop", "manifest", "--data-dir", "~/shop", "--json", "~/prices.json").code == 0
    assert homebody("webshop", "manifest", *shop, "--json", "~/again.json").code == 0
    assert loaded(tmp_path / "again.json") == loaded(tmp_path / "prices.json")
    # Of the environment's own arguments the command line knows nothing.
    env = ("--env", "homebody/WebShop-v0", "--data-dir", "~/shop", "--env-arg", "prices=~/prices.json")
    assert homebody("harness", "show", "webshop-act", "--json", "~/mine.json").code == 0
    assert homebody("run", *env, *FLAT, "--split", "train", "--harness", "~/mine.json", "--json", "~/episode.json").code == 0
    assert homebody("watch", "~/episode.json", "--record", "~/end.png").code == 0
    assert (tmp_path / "end.png").stat().st_size
    answer = homebody("run", *FLAT, "--policy", "~/none.gguf")
    assert (answer.code, answer.error) == (
        2,
        "model file ~/none.gguf: no such file; give a complete .gguf file; delete one that was fetched before you fetch it again",
    )
