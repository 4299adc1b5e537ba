"""Texts and numbers from outside, as the commands meet them: no traceback, no foreign escape sequence, one clear line."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from homebody.envs.webshop.catalogue.export import export_catalogue
from homebody.envs.webshop.catalogue.synthetic import synthetic
from homebody.scripts import terminal
from homebody.scripts.console import Console, error_line

Command = Callable[..., Any]
SHOP = ("--env", "homebody/WebShop-v0", "--max-steps", 3)

DOOR = '''
import gymnasium
from gymnasium.spaces import Text

class Door(gymnasium.Env):
    observation_space = action_space = Text(500)
    def info(self):
        return {"goal": "open the door", "admissible_commands": self.commands, "task_id": "only", "won": False}
    def reset(self, *, seed=None, options=None):
        self.steps, self.commands = 0, ["open door", "wait"]
        return "You see a door.", self.info()
    def step(self, action):
        self.steps += 1
        return "ok", 0.0, False, self.steps >= 5, self.info()

class Late(Door):
    """Breaks at the second step: one is tried beforehand."""
    def step(self, action):
        result = super().step(action)
        return result if self.steps == 1 else self.later(result)

class OldReset(Door):
    def reset(self, **k): return "You see"
class EmptyMenu(Late):
    def later(self, result): self.commands = []; return result[:4] + (self.info(),)
class NaN(Late):
    def later(self, result): return (result[0], float("nan"), *result[2:])
class OldStep(Late):
    def later(self, result): return (*result[:3], result[4])
class Raises(Late):
    def later(self, result): raise KeyError("a\\n\\ud83d\\x1b[2J")
class Exits(Late):
    def later(self, result): raise SystemExit(3)
class Dirty(Late):
    def later(self, result): return ("\\x1b[2Jcaf\\u00e9 \\ud83d\\u202e", *result[1:])
'''


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a module of the user's, in the current folder."""
    name = f"doors_{tmp_path.name}"
    (tmp_path / f"{name}.py").write_text(DOOR)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return name


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A folder of upstream's files in which each title begins with half a surrogate pair and an escape sequence."""
    export_catalogue(synthetic(40, 0), tmp_path / "shop")
    path = tmp_path / "shop" / "items_shuffle_1000.json"
    items = json.loads(path.read_text("utf-8"))
    for item in items:
        item["name"] = "cup \ud83d \x1b[2J" + item["name"]
    items[0]["full_description"] = None
    path.write_text(json.dumps(items))
    return path.parent


@pytest.mark.parametrize("command", ["run", "evaluate", "evolve"])
def test_half_a_surrogate_pair_in_titles(homebody: Command, shop: Path, tmp_path: Path, command: str, small: tuple[object, ...]) -> None:
    rest: tuple[object, ...] = ("--policy", "no-model", "--harness", "webshop-act")
    if command == "evolve":
        rest = ("--harness", "webshop-act", "--run-dir", tmp_path / "run", *small)
    elif command == "evaluate":
        rest = (*rest, "--split", "train", "--tasks", 2)
    else:
        rest = (*rest, "--split", "train")
    answer = homebody(command, *SHOP, "--data-dir", shop, *rest, "--json", tmp_path / "out.json")
    assert answer.code == 0, answer.err
    assert "\x1b" not in answer.out + answer.err
    written = (tmp_path / "out.json").read_text("utf-8")
    assert "\\u001b" not in written
    if command == "run":
        assert "cup \ufffd \ufffd[2J" in answer.out
        assert "cup \ufffd \ufffd[2J" in written


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("EmptyMenu", "info['admissible_commands'] of step('open door') is empty, and the episode goes on; offer a command"),
        ("NaN", "step('open door') returned reward, terminated, truncated = nan, False, False, not a finite number and two bools"),
        ("OldStep", "step('open door') returned ('ok', 0.0, False, {'goal': 'open the door'"),
        ("Raises", "step('open door') raised KeyError: 'a\\n\\ud83d\\x1b[2J'; give a gymnasium.Env"),
        ("Exits", "step('open door') raised SystemExit: 3; give a gymnasium.Env"),
    ],
)
def test_own_env_that_breaks_in_an_episode_fails_the_episode(homebody: Command, own: str, tmp_path: Path, name: str, said: str) -> None:
    where = ("--env", f"{own}:{name}", "--harness", "generic-act", "--policy", "no-model", "--json", tmp_path / "out.json")
    answer = homebody("run", *where)
    assert answer.code == 1
    assert said in answer.error
    error = json.loads((tmp_path / "out.json").read_text("utf-8"))["error"]
    assert error["boundary"] == "step"
    assert error["kind"] in ("ContractError", "CustomEnvError")
    assert said in error["message"]
    answer = homebody("evaluate", "--tasks", 1, *where)
    assert answer.code == 1
    assert f"1 of 1 episodes failed; the first, only: {error['kind']} at step: " in answer.error


def test_own_env_that_is_of_another_time_is_one_line(homebody: Command, own: str) -> None:
    answer = homebody("run", "--env", f"{own}:OldReset", "--harness", "generic-act", "--policy", "no-model")
    assert answer.code == 2
    assert "reset(seed=0) returned 'You see', not an observation and an info" in answer.error


def test_what_own_env_says_is_cleaned(homebody: Command, own: str, tmp_path: Path) -> None:
    where = ("--env", f"{own}:Dirty", "--harness", "generic-act", "--policy", "no-model", "--json", tmp_path / "out.json")
    answer = homebody("run", *where)
    assert answer.code == 0
    assert "\ufffd[2Jcaf\u00e9 \ufffd\ufffd" in answer.out
    assert "\ufffd[2Jcaf\u00e9 \ufffd\ufffd" in (tmp_path / "out.json").read_text("utf-8")


@pytest.mark.parametrize(
    ("encoding", "mark", "seen"),
    [("ascii", "  1 x wait", "caf? ??"), ("cp1252", "  1 x wait", "café ??"), ("utf-8", "  1 ✗ wait", "café ��")],
)
def test_pipe_of_any_encoding_is_written_to(own: str, tmp_path: Path, encoding: str, mark: str, seen: str) -> None:
    code = (
        "import sys; from homebody.scripts import terminal; from homebody.scripts.console import Console\n"
        "from homebody.agents.record import StepRecord\n"
        "terminal.fit_streams(); console = Console()\n"
        "step = StepRecord(1, 2, 1, 'rank', 'wait', 'wait', False, 'caf\\u00e9 \\ud83d\\u202e', 0.0, True)\n"
        "console.step(step); print('\\u2717 \\U0001f9f9', file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, check=True, env={"PYTHONIOENCODING": encoding, "PATH": ""}
    )
    lines = done.stdout.decode(encoding).splitlines()
    assert lines[1] == mark
    assert lines[-1].strip() == seen
    assert done.stderr.decode(encoding).split() == (["x", "?"] if encoding != "utf-8" else ["\u2717", "\U0001f9f9"])


def test_bytes_typed_that_are_no_text_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"go \xff\n"), "utf-8"))
    terminal.fit_streams()
    assert sys.stdin.readline() == "go \ufffd\n"


def test_printed_texts_are_cleaned(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console()
    console.line("a\x1b]0;title\x07[b] \ud83d")
    console.markdown("# a\x1b[2J")
    console.patch([{"op": "add", "path": "/a", "value": "b\x9b2J\u202e"}])
    terminal.echo("c\x1b[2J\n d")
    error_line("e\x1b[2J\n\ud83d f")
    out, err = capsys.readouterr()
    assert out.splitlines()[0] == "a\ufffd]0;title\ufffd[b] \ufffd"
    assert "b\ufffd2J\ufffd" in out
    assert out.endswith("c\ufffd[2J\n d\n")
    assert err == "homebody: e\ufffd[2J \ufffd f\n"
    assert "\x1b" not in out


@pytest.mark.parametrize("name", ["EmptyMenu", "NaN", "OldStep", "Raises", "Exits"])
def test_evolution_of_own_env_that_breaks_is_one_line(
    homebody: Command, own: str, tmp_path: Path, name: str, small: tuple[object, ...]
) -> None:
    where = ("--env", f"{own}:{name}", "--harness", "generic-act", "--run-dir", tmp_path / "run", *small, "--exploration-steps", 50)
    answer = homebody("evolve", *where)
    assert answer.code in (1, 2)
    progress, error = answer.err.splitlines()
    assert progress.startswith("exploring ")
    assert "step('" in error.partition("; ")[0]


def test_path_that_is_not_utf8_is_written(homebody: Command, shop: Path, tmp_path: Path) -> None:
    folder = shop.rename(tmp_path / "caf\udce9")
    answer = homebody(
        "run",
        *SHOP,
        "--data-dir",
        folder,
        "--policy",
        "random",
        "--harness",
        "webshop-act",
        "--split",
        "train",
        "--json",
        tmp_path / "a.json",
    )
    assert answer.code == 0, answer.err
    assert json.loads((tmp_path / "a.json").read_text("utf-8"))["env_kwargs"] == {"data_dir": f"{tmp_path}/caf?"}
