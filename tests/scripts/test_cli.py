import json
import os
import shutil
import signal
import sqlite3
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from homebody.agents.harness.spec import HarnessSpec, component
from homebody.agents.models.backend import Prompt, Tool
from homebody.agents.models.generation import Generation, Reply
from homebody.agents.models.scripted import Scripted
from homebody.envs import EnvError, tasks
from homebody.envs.household.env import ProceduralEnv
from homebody.evolution.store import Store

Command = Callable[..., Any]
SHARED = Path(__file__).resolve().parents[2].parent / "shared"
COMMANDS = [
    ("run",), ("watch",), ("play",), ("evaluate",), ("evolve",), ("controls",), ("reproduce",), ("report",), ("export",),
    ("harness", "list"), ("harness", "show"), ("harness", "check"), ("harness", "diff"),
    ("harness", "patch"), ("harness", "sandbox"), ("models", "list"), ("models", "info"), ("models", "prepare"), ("models", "fetch"),
    ("models", "verify"), ("household", "export"), ("household", "readings"),
    ("webshop", "serve"), ("webshop", "catalogue"), ("webshop", "manifest"),
    ("data", "alfworld"), ("bench", "household"), ("bench", "llm"), ("bench", "harness"), ("bench", "server"), ("bench", "render"),
    ("bench", "webshop"), ("bench", "repair"), ("bench", "miniwob"), ("bench", "gate"), ("bench", "soak"),
]  # fmt: skip


# --- help


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_help_with_an_example_on_a_line_of_its_own(homebody: Command, command: tuple[str, ...]) -> None:
    answer = homebody(*command, "--help")
    assert (answer.code, answer.err) == (0, "")
    lines = [line.strip() for line in answer.out.splitlines()]
    start = next(n for n, line in enumerate(lines) if line in ("Example:", "Examples:"))
    assert lines[start + 1].startswith("homebody " + " ".join(command))
    assert homebody(*command, "-h").out == answer.out


@pytest.mark.parametrize("group", [(), ("harness",), ("models",), ("household",), ("webshop",), ("data",), ("bench",)])
def test_a_group_alone_shows_its_help(homebody: Command, group: tuple[str, ...]) -> None:
    answer = homebody(*group)
    assert (answer.code, answer.err) == (0, "")
    assert answer.out == homebody(*group, "--help").out
    named = [line.split()[0] for line in answer.out.partition("Commands:\n")[2].splitlines() if line.strip()]
    assert named == list(dict.fromkeys(command[len(group)] for command in COMMANDS if command[: len(group)] == group))


def test_the_version(homebody: Command) -> None:
    assert homebody("--version").out.split()[-1] == "0.1.0"


def test_help_loads_nothing_heavy() -> None:
    code = "import sys; import homebody.scripts.group; print(sorted({'llama_cpp', 'numba', 'gymnasium', 'matplotlib'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


# --- what the commands write


def test_run_prints_an_episode_and_writes_its_record(homebody: Command, loaded: Command, tmp_path: Path) -> None:
    out = tmp_path / "episode.json"
    answer = homebody("run", "--policy", "expert", "--max-steps", 50, "--index", 1, "--json", out)
    assert (answer.code, answer.err) == (0, "")
    record = loaded(out)
    assert record["won"] is True
    assert record["task_id"] == tasks("homebody/Household-v0", "test", 2)[1].task_id
    for step in record["trace"]:
        assert step["command"] in answer.out
    assert f"won in {record['steps']} steps" in answer.out
    assert record["goal"] in answer.out
    again = homebody("run", "--policy", "expert", "--max-steps", 50, "--task", record["task_id"], "--json", tmp_path / "again.json")
    assert again.code == 0
    assert loaded(tmp_path / "again.json")["trace_hash"] == record["trace_hash"]
    assert loaded(tmp_path / "again.json")["type"] == record["type"]


def test_run_shows_how_a_step_was_decided(homebody: Command, loaded: Command, tmp_path: Path) -> None:
    answer = homebody("run", "--policy", "no-model", "--max-steps", 2, "--json", tmp_path / "r.json")
    first = loaded(tmp_path / "r.json")["trace"][0]
    assert f"{first['offered']} of {first['admissible']} commands on offer, generate" in answer.out
    # Nothing is known of any command: all score 0, and one is drawn.
    assert "   ".join(f"{command} +0.00" for command, _ in first["scores"][:2]) in answer.out
    # Without a model there is nobody to decide but the harness.
    assert "decided" not in answer.out
    assert "not won in 2 steps" in answer.out


def test_run_tells_what_a_model_read_and_wrote(homebody: Command, loaded: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replies = ["Dance!", "look"]
    monkeypatch.setattr("homebody.agents.models.names.load", lambda name, **_: Scripted(replies, name=name))
    answer = homebody("run", "--policy", "teller", "--harness", "household-act", "--max-steps", 2, "--json", tmp_path / "r.json")
    record = loaded(tmp_path / "r.json")
    assert (record["policy"], record["invalid_actions"]) == ("teller", 1)
    usage = record["usage"]
    share = 100 * usage["cached_tokens"] / usage["prompt_tokens"]
    assert f"{usage['prompt_tokens']} prompt tokens ({share:.0f}% from cache), 2 generated" in answer.out
    assert "not won in 2 steps, 1 not possible" in answer.out
    assert [" ".join(line.split()).split(maxsplit=2)[1:] for line in answer.out.splitlines() if " ✗ " in line] == [["✗", "Dance! fallback"]]
    assert [step["decided_by"] for step in record["trace"]] in (["fallback", "model"], ["fallback", "agreed"])
    assert "the model decided 1 of 2 steps: 1 " in answer.out
    assert "50% of its free replies unreadable" in answer.out


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ((), {"n_ctx": None, "n_threads": 1, "gpu_layers": 0, "timeout_s": None}),
        (
            ("--ctx", 512, "--threads", 2, "--gpu-layers", -1, "--timeout", 9),
            {"n_ctx": 512, "n_threads": 2, "gpu_layers": -1, "timeout_s": 9.0},
        ),
    ],
)
@pytest.mark.parametrize("command", ["run", "evaluate"])
def test_settings_reach_the_model(
    homebody: Command, monkeypatch: pytest.MonkeyPatch, command: str, options: tuple[object, ...], expected: dict[str, object]
) -> None:
    asked = []

    def load(name: str, **settings: object) -> Scripted:
        asked.append((name, settings))
        return Scripted(["look"] * 2, name=name)

    monkeypatch.setattr("homebody.agents.models.names.load", load)
    count = ("--tasks", 1) if command == "evaluate" else ()
    assert homebody(command, "--policy", "teller", "--harness", "household-act", "--max-steps", 2, *count, *options).code == 0
    assert asked == [("teller", {**expected, "key_name": "", "copies": 1})]


def test_a_slow_model_is_announced_before_it_is_loaded(homebody: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from homebody.agents.models import fit, names

    path = tmp_path / "m.gguf"
    path.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 0, 0) + bytes(32))
    monkeypatch.setattr(fit, "WRITTEN_BYTES_PER_S", 56.0)  # As a file of 5 GB is to a real processor.
    monkeypatch.setattr(names, "SLOW_BYTES", 20.0)
    monkeypatch.setattr(names, "load", lambda name, **_: Scripted(["look"] * 2, name=name))
    answer = homebody("run", "--policy", path, "--max-steps", 1)
    assert answer.code == 0
    assert answer.err.startswith(f"{path}: 0.0 GB on one processor thread: about 1.0 tokens a second written")
    for quiet in (("--gpu-layers", 1), ("--threads", 99)):
        assert "tokens a second written" not in homebody("run", "--policy", path, "--max-steps", 1, *quiet).err


def test_a_model_that_has_to_be_prepared_shows_how_far_that_is(homebody: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOMEBODY_CACHE", str(tmp_path))

    def resolve(name: str, progress: Callable[[int, int], None]) -> Path:
        progress(200_000_000, 491_400_064)
        return tmp_path

    monkeypatch.setattr("homebody.agents.models.names.resolve", resolve)
    monkeypatch.setattr("homebody.agents.models.names.load", lambda name, **_: Scripted(["look"], name=name))
    monkeypatch.setattr("homebody.scripts.console.time.monotonic", iter(range(0, 10**6, 11)).__next__)
    answer = homebody("run", "--policy", "qwen2.5-coder-0.5b", "--harness", "household-act", "--max-steps", 1)
    assert answer.code == 0
    assert answer.err.splitlines() == ["preparing, MB: 200 of 491 (qwen2.5-coder-0.5b)"]


def test_evaluate_prints_and_writes(homebody: Command, loaded: Command, tmp_path: Path) -> None:
    answer = homebody("evaluate", "--policy", "random", "--tasks", 2, "--max-steps", 3, "--attempts", 2, "--json", tmp_path / "e.json")
    assert (answer.code, answer.err) == (0, "")
    result = loaded(tmp_path / "e.json")
    assert (result["n"], len(result["episodes"]), set(result["pass_at_k"])) == (2, 4, {"1", "2"})
    assert "household-act, random, homebody/Household-v0 test, 3 steps" in answer.out
    assert "pass@2 0.0%" in answer.out
    assert "0.0% (0.0 to 65.8)" in answer.out


class Repeats(Scripted):
    """A model that can only repeat one sentence."""

    def chat(self, prompt: Prompt, generation: Generation, tools: Sequence[Tool] = ()) -> Reply:
        self.enqueue("I will help you")
        return super().chat(prompt, generation, tools)


@pytest.fixture
def repeating(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a model that repeats one sentence in the place of all models."""
    monkeypatch.setattr("homebody.agents.models.names.load", lambda name, **_: Repeats(name=name))


def test_evaluate_names_the_best_twin_beside_the_model(homebody: Command, loaded: Command, tmp_path: Path, repeating: None) -> None:
    common = ("evaluate", "--policy", "smollm2", "--harness", "generic-act", "--tasks", 3, "--max-steps", 2)
    plain = homebody(*common)
    assert (plain.code, plain.err) == (0, "")
    assert "\nsmollm2 0.0%, twins not played: --twins\n" in plain.out
    assert "model share 0.0% (of won -), unreadable 100.0%, cut 0.0%, errors 0; steps decided by fallback 6." in plain.out
    answer = homebody(*common, "--twins", "--json", tmp_path / "e.json")
    result = loaded(tmp_path / "e.json")
    assert (answer.code, answer.err) == (0, "")
    # Nobody solves a household in two steps: of equal twins the first one is the best.
    assert "\nsmollm2 0.0%, best twin no-model 0.0%: model_value +0.0 (+0.0 to +0.0)\n" in answer.out
    assert "The model adds nothing: without it, the harness solves as much." in answer.out
    assert f"Twins: no-model 0.0%, random 0.0%, echo 0.0%, executor 0.0%; played in {result['twins_s']:.1f} s of " in answer.out
    assert result["twins"] == dict.fromkeys(("no-model", "random", "echo", "executor"), 0.0)
    assert (result["best_twin"], result["model_value"]) == ("no-model", {"points": 0.0, "ci95": [0.0, 0.0], "lower90": 0.0, "n": 3})
    assert (result["model_share"], result["unreadable"]) == (0.0, 1.0)


def test_evaluate_of_a_control_says_nothing_of_a_model(homebody: Command) -> None:
    answer = homebody("evaluate", "--policy", "echo", "--harness", "household-act", "--tasks", 1, "--max-steps", 2, "--twins")
    assert answer.code == 0
    assert "model" not in answer.out.replace("no-model", "")
    assert "Twins: no-model 0.0%" in answer.out


def test_evolve_ends_with_its_harnesses_beside_their_twins(
    homebody: Command, loaded: Command, tmp_path: Path, small: tuple[object, ...], repeating: None
) -> None:
    answer = homebody("evolve", *small, "--model", "smollm2", "--run-dir", tmp_path / "run", "--json", tmp_path / "r.json")
    assert answer.code == 0
    assert "  validation: the model 0.0%, best twin no-model 0.0%: model_value +0.0 (+0.0 to +0.0)\n" in answer.err
    assert [line.split() for line in answer.out.splitlines() if line.startswith("  twin ")] == [
        ["twin", name, "0.0%"] for name in ("no-model", "random", "echo", "executor") * 2
    ]
    result = loaded(tmp_path / "r.json")
    assert f"validation: 0.0% to 0.0%, best twin no-model 0.0%; twins played in {result['twins_s']:.1f} s" in answer.out
    assert "seed: smollm2 0.0%, best twin no-model 0.0%: model_value +0.0 (+0.0 to +0.0)" in answer.out
    assert "final: The model adds nothing: without it, the harness solves as much." in answer.out
    (report,) = result["rounds"]
    assert (report["model_share"], report["best_twin"], report["model_value"]["points"]) == (0.0, "no-model", 0.0)
    final = dict(result["final"])
    assert final.pop("behaviour_hash") == result["final_hash"]
    assert final == {key: report[key] for key in final}


def test_evolve_prints_and_writes_also_into_the_directory_that_it_makes(
    homebody: Command, loaded: Command, tmp_path: Path, small: tuple[object, ...]
) -> None:
    run_dir = tmp_path / "run"
    answer = homebody("evolve", *small, "--run-dir", run_dir, "--json", run_dir / "result.json")
    assert answer.code == 0
    result = loaded(run_dir / "result.json")
    assert result["final_harness"] == str(run_dir / "final.json")
    assert HarnessSpec.load(run_dir / "final.json").behaviour_hash == result["final_hash"]
    assert "round 1, behaviour" in answer.err
    assert f"final harness: {run_dir / 'final.json'}" in answer.out
    saved = result["savings"]
    assert result["stopped"] == "rounds"
    assert " s; it ended because all its rounds were played\n" in answer.out
    assert f"{saved['played']} episodes played of {saved['everything']} that playing everything anew takes" in answer.out
    resumed = homebody("evolve", *small, "--run-dir", run_dir, "--resume", "--json", tmp_path / "again.json")
    assert resumed.code == 0
    assert loaded(tmp_path / "again.json")["rounds"] == result["rounds"]


def test_report_prints_and_writes(homebody: Command, loaded: Command, tmp_path: Path, run_dir: Path) -> None:
    answer = homebody("report", run_dir, "--png", tmp_path / "chart.png", "--json", tmp_path / "report.json")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.startswith("# homebody/Household-v0, no-model\n")
    assert (tmp_path / "chart.png").read_bytes()[:4] == b"\x89PNG"
    assert set(loaded(tmp_path / "report.json")) == {
        "start", "statistics", "rounds", "end", "failed", "noise", "hit_rates", "evaluations", "table",
    }  # fmt: skip


def test_report_reads_a_run_that_another_process_writes(homebody: Command, run_dir: Path) -> None:
    with Store(run_dir):
        assert homebody("report", run_dir).code == 0


def test_harness_commands(homebody: Command, loaded: Command, tmp_path: Path) -> None:
    listed = homebody("harness", "list", "--json", tmp_path / "list.json")
    assert listed.code == 0
    names = [item["name"] for item in loaded(tmp_path / "list.json")["harnesses"]]
    assert {"generic", "generic-act", "household", "household-react"} <= set(names)
    shown = homebody("harness", "show", "generic", "--json", tmp_path / "generic-act.json")
    assert shown.code == 0
    assert loaded(tmp_path / "generic-act.json") == HarnessSpec.load("generic").document
    checked = homebody("harness", "check", tmp_path / "generic-act.json")
    assert (checked.code, checked.err) == (0, "")
    assert (
        checked.out
        == f"{tmp_path / 'generic-act.json'}: valid, 3 components, behaviour {HarnessSpec.load('generic').behaviour_hash[:16]}\n"
    )


def test_a_patch_that_diff_made_leads_from_one_harness_to_the_other(homebody: Command, loaded: Command, tmp_path: Path) -> None:
    assert homebody("harness", "diff", "generic-act", "household-act", "--json", tmp_path / "p.json").code == 0
    answer = homebody("harness", "patch", "generic-act", tmp_path / "p.json", "--out", tmp_path / "new.json")
    assert (answer.code, answer.err) == (0, "")
    assert loaded(tmp_path / "new.json") == HarnessSpec.load("household-act").document
    same = homebody("harness", "diff", "generic-act", "generic-act")
    assert (same.code, same.out) == (0, "[]\n")


def test_models_list(homebody: Command, loaded: Command, tmp_path: Path) -> None:
    answer = homebody("models", "list", "--json", tmp_path / "m.json")
    assert answer.code == 0
    assert {"smollm2", "gemma3-270m"} <= {item["name"] for item in loaded(tmp_path / "m.json")}


def test_a_long_memory_is_cut_on_the_screen_and_whole_in_the_file(homebody: Command, loaded: Command, tmp_path: Path) -> None:
    forms = [f"form {number:04d} #" for number in range(500)]
    spec = HarnessSpec.from_json({"format": 2, "name": "long", "components": {"seen": component("visited", {"actions": forms})}})
    (tmp_path / "long.json").write_text(spec.dumps())
    answer = homebody("harness", "show", tmp_path / "long.json", "--json", tmp_path / "copy.json")
    assert f" ... ({len(json.dumps(forms))} characters)" in answer.out
    assert "form 0499" not in answer.out
    assert loaded(tmp_path / "copy.json") == spec.document


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let output be as it is on a terminal."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "150")


@pytest.mark.usefixtures("terminal")
def test_a_terminal_shows_bars_and_colours(homebody: Command, tmp_path: Path, small: tuple[object, ...]) -> None:
    evaluated = homebody("evaluate", "--policy", "no-model", "--tasks", 2, "--max-steps", 2)
    assert evaluated.code == 0
    assert "episodes" in evaluated.err
    assert "2/2" in evaluated.err
    evolved = homebody("evolve", *small, "--run-dir", tmp_path / "run")
    assert evolved.code == 0
    assert "round 1, behaviour" in evolved.err
    assert "2/2" in evolved.err
    patch = homebody("harness", "diff", "generic-act", "household-act")
    assert "\x1b[" in patch.out
    report = homebody("report", tmp_path / "run")
    assert "\x1b[" in report.out
    assert "# homebody" not in report.out  # laid out, not raw


@pytest.mark.usefixtures("terminal")
def test_a_mistake_on_a_terminal_is_one_line_too(homebody: Command) -> None:
    assert homebody("evaluate", "--tasks", 0).error.startswith("Invalid value for '--tasks'")


def test_a_result_replaces_an_older_one_and_leaves_nothing_beside_it(homebody: Command, loaded: Command, tmp_path: Path) -> None:
    (tmp_path / "h.json").write_text("old")
    assert homebody("harness", "show", "generic-act", "--json", tmp_path / "h.json").code == 0
    assert loaded(tmp_path / "h.json")["name"] == "generic-act"
    assert [path.name for path in tmp_path.iterdir()] == ["h.json"]


def test_long_work_off_a_terminal_prints_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from homebody.scripts import console

    clock = iter([0.0, 4.0, 11.0, 11.0, 15.0, 22.0, 22.0])
    monkeypatch.setattr("homebody.scripts.console.time.monotonic", lambda: next(clock))
    with console.Console().progress("episodes") as advance:
        for done in (1, 2, 3, 4):
            advance(done, 4, "won")
    assert capsys.readouterr().err.splitlines() == ["episodes: 2 of 4 (won)", "episodes: 4 of 4 (won)"]


# --- mistakes: one line, exit code 2, nothing left behind

FLAT = ("--policy", "no-model", "--tasks", "1", "--max-steps", "2")
EVOLVE = ("--model", "no-model", "--rounds", "1", "--train-tasks", "1", "--validation-tasks", "1", "--exploration-steps", "0")
MISTAKES = {
    "no such command": (("evolv",), ["no command is called 'evolv'; there are run, watch, play, evaluate, evolve, controls,"]),
    "no such subcommand": (("harness", "shwo"), ["no command is called 'shwo'", "there are list, show, check, diff, patch"]),
    "no such option": (("evaluate", "--taks", "3"), ["--taks", "--tasks"]),
    "an option without its value": (("evaluate", "--tasks"), ["--tasks", "requires an argument"]),
    "an argument too many": (("report", "{run}", "more"), ["more"]),
    "an argument missing": (("report",), ["RUN_DIR"]),
    "no run directory": (("evolve",), ["--run-dir"]),
    "no tasks": (("evaluate", "--policy", "no-model", "--tasks", "0"), ["--tasks", "0 is not in the range x>=1"]),
    "tasks that are no number": (("evaluate", "--policy", "no-model", "--tasks", "abc"), ["--tasks", "'abc'"]),
    "no steps": (("run", "--max-steps", "0"), ["--max-steps", "0 is not in the range x>=1"]),
    "too many workers": (("evaluate", "--workers", "65"), ["--workers", "65 is not in the range 1<=x<=64"]),
    "no context": (("run", "--ctx", "0"), ["--ctx", "0 is not in the range x>=1"]),
    "a context that is no number": (("evolve", "--run-dir", "{run}", "--ctx", "4k"), ["--ctx", "'4k'"]),
    "no threads": (("evaluate", "--threads", "0"), ["--threads", "0 is not in the range 1<=x<=512"]),
    "more threads than llama.cpp bears": (("reproduce", "--run-dir", "{run}", "--threads", "513"), ["--threads", "513 is not in"]),
    "no context to estimate for": (("models", "info", "smollm2", "--ctx", "-1"), ["--ctx", "-1 is not in the range x>=1"]),
    "more tasks than there are": (("evaluate", "--tasks", "9" * 12, "--policy", "no-model"), ["9" * 12, "at most"]),
    "an index past the end": (("run", "--index", "9" * 12, "--policy", "no-model"), ["at most"]),
    "no such model": (("evaluate", *FLAT, "--policy", "smollm3"), ["unknown model 'smollm3'", "did you mean smollm2"]),
    "no such model file": (("run", "--policy", "nowhere.gguf"), ["model file nowhere.gguf: no such file"]),
    "a broken model file": (("run", "--policy", "{text}.gguf"), ["text.gguf: is not a GGUF file"]),
    "no such model to show": (("models", "info", "smollm3"), ["unknown model 'smollm3'"]),
    "no such environment": (
        ("evaluate", *FLAT, "--env", "homebody/Houshold-v0"), ["unknown environment", "did you mean homebody/Household-v0"]),
    "no such environment to evolve": (
        ("evolve", "--env", "Nowhere-v0", "--run-dir", "{new}", "--model", "no-model"), ["unknown environment"]),
    "an environment without tasks": (("run", "--env", "CartPole-v1"), ["no task source for 'CartPole-v1'"]),
    "no such split": (("evaluate", *FLAT, "--split", "tset"), ["unknown split 'tset'", "did you mean test", "train, validation, test"]),
    "no such task": (("run", "--task", "nowhere", "--policy", "no-model"), ["nowhere", "at reset"]),
    "no data": (("evaluate", *FLAT, "--env", "homebody/AlfWorld-v0"), ["no ALFWorld data", "ALFWORLD_DATA"]),
    "a data folder that is not there": (
        ("evaluate", *FLAT, "--env", "homebody/AlfWorld-v0", "--data-dir", "{new}"), ["'{new}' is not a folder"]),
    "a data folder with nothing in it": (
        ("evaluate", *FLAT, "--env", "homebody/AlfWorld-v0", "--data-dir", "{empty}"), ["split 'test' has no tasks"]),
    "a data folder for houses that need none": (
        ("evaluate", *FLAT, "--data-dir", "{empty}"), ["--data-dir is '{empty}' and homebody/Household-v0 reads no files"]),
    "no such harness": (("run", "--harness", "houshold"), ["no harness 'houshold'", "generic, generic-act"]),
    "a harness that is a folder": (("harness", "check", "{empty}"), ["Is a directory"]),
    "a harness that is no JSON": (("harness", "check", "{text}"), ["text is not JSON"]),
    "a harness that is no text": (("evaluate", *FLAT, "--harness", "{bytes}"), ["not UTF-8"]),
    "a harness of another form": (("harness", "check", "{list}"), ["is not of type 'object'"]),
    "an unknown processor": (
        ("evaluate", *FLAT, "--harness", "{unknown}"),
        ["/components/guard/use: no processor is called 'loop_gard'; did you mean 'loop_guard'?"]),
    "an unknown processor to evolve": (
        ("evolve", "--model", "no-model", "--harness", "{unknown}", "--run-dir", "{new}"), ["did you mean 'loop_guard'?"]),
    "no such patch": (("harness", "patch", "generic-act", "{new}", "--out", "{out}"), ["the patch {new} cannot be read (No such file"]),
    "a patch that is none": (("harness", "patch", "generic-act", "{text}", "--out", "{out}"), ["the patch {text} is not JSON"]),
    "a patch of another form": (("harness", "patch", "generic-act", "{list}", "--out", "{out}"), ["is no JSON Patch"]),
    "a patch that does not apply": (
        ("harness", "patch", "generic-act", "{patch}", "--out", "{out}"),
        ["the patch does not apply to harness generic-act", "nothing was changed"]),
    "a patch that breaks the harness": (
        ("harness", "patch", "generic-act", "{breaking}", "--out", "{out}"), ["after the patch: ", "nothing was changed"]),
    "a patch without a target": (("harness", "patch", "generic-act", "{patch}"), ["--out"]),
    "a directory that holds a run": (
        ("evolve", "--model", "no-model", "--run-dir", "{run}"), ["{run} already holds a run; add --resume to go on with it"]),
    "other settings for a run": (
        ("evolve", "--model", "no-model", "--run-dir", "{run}", "--resume", "--seed", "7"),
        ["holds a run with other settings", "seed was 0 and is 7"]),
    "a run directory that is a file": (
        ("evaluate", *FLAT, "--run-dir", "{text}"), ["cannot write into the folder {text}: File exists"]),
    "a damaged run": (("report", "{damaged}"), ["run.sqlite cannot be used: file is not a database"]),
    "a damaged run to go on with": (("evolve", "--model", "no-model", "--run-dir", "{damaged}", "--resume"), ["file is not a database"]),
    "no run to report": (("report", "{empty}"), ["{empty} holds no run"]),
    "no folder to report": (("report", "{new}"), ["{new} holds no run"]),
    "a chart of a kind that we do not draw": (("report", "{run}", "--png", "{out}.gif"), ["{out}.gif", ".png or .svg"]),
    "a chart into a folder that is not there": (
        ("report", "{run}", "--png", "{new}/c.png"), ["cannot write {new}/c.png: there is no folder"]),
    "no such proposer": (("evolve", "--run-dir", "{new}", "--proposer", "rule"), ["no proposer is called 'rule'", "rules, llm, gepa"]),
    **{
        f"a result of {command[0]} into a folder that is not there": (
            (*command, "--json", "{new}/r.json"),
            ["cannot write {new}/r.json: there is no folder {new}; give a file in a folder that exists"])
        for command in (
            ("run", "--policy", "no-model"), ("evaluate", *FLAT), ("evolve", *EVOLVE, "--run-dir", "{out}"), ("report", "{run}"),
            ("models", "info", "smollm2"),
        )
    },
    "a result into a folder": (("evaluate", *FLAT, "--json", "{empty}"), ["cannot write {empty}: it is a folder"]),
    "a new harness into a folder that is not there": (
        ("harness", "patch", "generic-act", "{fine}", "--out", "{new}/h.json"), ["cannot write {new}/h.json"]),
}  # fmt: skip


@pytest.fixture
def places(tmp_path: Path, run_dir: Path) -> dict[str, Path]:
    """Files and folders for mistakes to be made with, by name."""
    generic = HarnessSpec.load("generic-act").document
    unknown = {**generic, "components": {"guard": {"use": "loop_gard", "params": {}}}}
    files: dict[str, bytes] = {
        "text": b"a text, no more\n", "text.gguf": b"a text, no more\n", "bytes": b'{"name": "\xff"}', "list": b"[1]",
        "unknown": json.dumps(unknown).encode(), "damaged/run.sqlite": b"a text, no more\n" * 100, "fine": b"[]",
        "patch": b'[{"op": "remove", "path": "/components/gone"}]', "breaking": b'[{"op": "remove", "path": "/components"}]',
    }  # fmt: skip
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    (tmp_path / "empty").mkdir()
    shutil.copytree(run_dir, tmp_path / "run")
    names = [name.partition("/")[0] for name in files if "." not in name.partition("/")[0]]
    return {name: tmp_path / name for name in (*names, "empty", "run", "new", "out")}


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, but for those that SQLite makes to coordinate readers and writers."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else b"(folder)"
        for path in folder.rglob("*")
        if path.suffix not in (".lock", ".sqlite-wal", ".sqlite-shm")
    }


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_told_in_one_line_and_leaves_nothing_behind(
    homebody: Command, places: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.delenv("ALFWORLD_DATA", raising=False)
    monkeypatch.setenv("HOMEBODY_CACHE", str(tmp_path / "empty"))
    monkeypatch.chdir(tmp_path / "empty")
    arguments, told = MISTAKES[name]
    before = contents(tmp_path)
    answer = homebody(*(str(argument).format(**places) for argument in arguments))
    assert answer.code == 2
    for part in told:
        assert part.format(**places) in answer.error
    assert "Traceback" not in answer.err
    assert contents(tmp_path) == before


def test_a_run_directory_in_use(homebody: Command, run_dir: Path) -> None:
    with Store(run_dir):
        for arguments in (("evolve", "--model", "no-model", "--resume"), ("evaluate", *FLAT)):
            answer = homebody(*arguments, "--run-dir", run_dir)
            assert answer.code == 2
            assert answer.error.startswith(f"run directory {run_dir} is in use by another process; wait for it, or choose another")


GAME = "json_2.1.1/valid_unseen/pick_and_place_simple-Vase-None-Safe-219/trial_T1/game.tw-pddl"


@pytest.fixture
def torn_game(tmp_path: Path) -> Path:
    """A data folder whose one game is not whole, though its file says that it can be solved."""
    path = tmp_path / "data" / GAME
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"pddl_problem": "(define (problem", "grammar": "none", "solvable": True}))
    return tmp_path / "data"


@pytest.mark.parametrize("command", [("run",), ("evaluate",), ("evaluate", "--workers", "2")])
def test_a_broken_game_file(homebody: Command, torn_game: Path, command: tuple[str, ...]) -> None:
    answer = homebody(*command, "--env", "homebody/AlfWorld-v0", "--data-dir", torn_game, "--policy", "random")
    assert answer.code == 2
    assert f"the first, {GAME}: " in answer.error
    assert str(torn_game / GAME) in answer.error


def test_a_broken_game_file_for_evolution(homebody: Command, torn_game: Path, tmp_path: Path) -> None:
    for split in ("train", "valid_seen"):
        shutil.copytree(torn_game / "json_2.1.1" / "valid_unseen", torn_game / "json_2.1.1" / split)
    for proposer in ("rules", "noop"):
        answer = homebody(
            "evolve", "--env", "homebody/AlfWorld-v0", "--data-dir", torn_game, "--model", "no-model", "--run-dir", tmp_path / proposer,
            "--proposer", proposer,
        )  # fmt: skip
        assert answer.code == 2
        *progress, last = answer.err.splitlines()
        assert last.startswith("homebody: ")
        assert GAME.replace("valid_unseen", "train") in last
        assert not any(line.startswith("homebody: ") for line in progress)


def test_whole_games_are_played_beside_a_broken_one(homebody: Command, loaded: Command, torn_game: Path, tmp_path: Path) -> None:
    found = sorted((SHARED / "data" / "alfworld" / "json_2.1.1" / "valid_unseen").glob("*/*/game.tw-pddl"))[:1]
    if not found:
        pytest.skip("needs the game files of ../shared/data/alfworld")
    whole = torn_game / "json_2.1.1" / "valid_unseen" / found[0].parts[-3] / found[0].parts[-2]
    shutil.copytree(found[0].parent, whole)
    arguments = ["evaluate", "--env", "homebody/AlfWorld-v0", "--data-dir", torn_game, "--policy", "expert", "--max-steps", 50]
    answer = homebody(*arguments, "--json", tmp_path / "r.json")
    assert answer.code == 2
    assert answer.error.startswith("1 of 2 episodes failed; the first, ")
    result = loaded(tmp_path / "r.json")  # the work is not lost
    assert sorted((e["won"], e["error"] is None) for e in result["episodes"]) == [(False, False), (True, True)]


def test_a_failure_that_is_not_the_users_has_exit_code_1(
    homebody: Command, loaded: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def failing(self: Any, action: object) -> Any:
        raise ValueError("the\nengine stopped")

    monkeypatch.setattr(ProceduralEnv, "step", failing)
    answer = homebody("evaluate", "--policy", "random", "--tasks", 2, "--json", tmp_path / "r.json")
    task = tasks("homebody/Household-v0", "test", 1)[0].task_id
    assert (answer.code, answer.error) == (1, f"2 of 2 episodes failed; the first, {task}: ValueError at step: the engine stopped")
    assert len(loaded(tmp_path / "r.json")["episodes"]) == 2
    shown = homebody("run", "--policy", "random")
    assert shown.code == 1
    assert "failed ValueError at step" in shown.out


def test_an_interrupt_is_told_in_one_line(homebody: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr("homebody.evolution.reports.summary.read_run", interrupted)
    answer = homebody("report", "x")
    assert (answer.code, answer.error) == (1, "stopped; what was played is stored where a --run-dir was given")


def test_an_error_that_nobody_expected_is_shown_whole(homebody: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: object, **__: object) -> Any:
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr("homebody.evolution.reports.summary.read_run", failing)
    monkeypatch.setattr(sys, "argv", ["homebody", "report", "x"])
    from homebody.scripts.cli import main

    with pytest.raises(ZeroDivisionError):
        main()


def test_an_error_of_the_environment_is_told(homebody: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: object, **__: object) -> Any:
        raise EnvError("the world\n  is torn")

    monkeypatch.setattr("homebody.evolution.reports.summary.read_run", failing)
    answer = homebody("report", "x")
    assert (answer.code, answer.error) == (2, "the world is torn")


@pytest.mark.parametrize(
    "arguments", [("evaluate", "--tasks", "0"), ("evaluate", "--policy", "smollm3", "--tasks", "1"), ("harness", "check", "nowhere")]
)
def test_mistakes_in_a_process_of_its_own(homebody_process: Command, arguments: tuple[str, ...]) -> None:
    with homebody_process(*arguments) as process:
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, len(err.splitlines())) == (2, "", 1)


@pytest.mark.parametrize(("workers", "enough"), [(1, 3), (2, 0), (2, 3)], ids=["one worker", "workers starting", "two workers"])
def test_an_interrupt_ends_with_one_line_and_keeps_what_was_played(
    homebody_process: Command, tmp_path: Path, workers: int, enough: int
) -> None:
    with homebody_process("evaluate", "--policy", "random", "--tasks", 20_000, "--run-dir", tmp_path, "--workers", workers) as process:
        deadline = time.monotonic() + 60
        while (kept(tmp_path) < enough or not (tmp_path / "run.sqlite").exists()) and time.monotonic() < deadline:
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does it
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (1, "")
    *progress, last = err.splitlines()
    assert last == "homebody: stopped; what was played is stored where a --run-dir was given"
    assert all(line.startswith("episodes: ") for line in progress)  # one every ten seconds, so mostly none
    assert kept(tmp_path) >= enough
    Store(tmp_path).close()  # the directory was given back


def kept(run_dir: Path) -> int:
    """Number of episodes that another process has stored so far."""
    try:
        db = sqlite3.connect(f"file:{run_dir / 'run.sqlite'}?mode=ro", uri=True)
    except sqlite3.OperationalError:
        return 0
    try:
        return int(db.execute("SELECT COUNT(*) FROM episodes").fetchone()[0])
    except sqlite3.OperationalError:
        return 0
    finally:
        db.close()


# --- arguments of the environment


def test_arguments_of_the_environment_reach_it(homebody: Command, loaded: Command, tmp_path: Path) -> None:
    out = tmp_path / "result.json"
    more = ("--env-arg", "holdout=rooms", "--env-arg", 'rooms=["kitchen"]', "--env-arg", "clutter=0.5")
    assert homebody("evaluate", "--policy", "no-model", "--tasks", 3, *more, "--json", out).code == 0
    result = loaded(out)
    assert result["env_args"] == {"holdout": "rooms", "rooms": ["kitchen"], "clutter": 0.5}
    assert all("/kitchen-" in episode["task_id"] for episode in result["episodes"])
    plain = homebody("evaluate", "--policy", "no-model", "--tasks", 3, *more[2:4], "--json", out)
    assert plain.code == 0
    # The same task ids, other houses.
    assert [e["task_id"] for e in loaded(out)["episodes"]] == [e["task_id"] for e in result["episodes"]]
    assert loaded(out)["trace_hash"] != result["trace_hash"]


@pytest.mark.parametrize("text", ["holdout", "=rooms", "hold out=rooms", "data_dir=/tmp", "max_steps=3"])
def test_a_malformed_argument_of_the_environment_is_named(homebody: Command, text: str) -> None:
    answer = homebody("run", "--policy", "random", "--env-arg", text)
    assert answer.code == 2
    assert answer.err.startswith(f"homebody: --env-arg {text!r} is not possible; give KEY=VALUE")


@pytest.mark.parametrize(("text", "message"), [("holdout=room", "holdout='room' is not possible"), ("colour=red", "colour")])
def test_an_argument_that_the_environment_refuses_is_named(homebody: Command, text: str, message: str) -> None:
    answer = homebody("evaluate", "--policy", "random", "--tasks", 1, "--env-arg", text)
    assert answer.code == 2
    assert message in answer.err
    assert answer.err.count("\n") == 1


@pytest.mark.parametrize("text", ["holdout=\udce9", "holdout=\x1b[2J", 'rooms=["\u202e"]'])
def test_argument_of_the_environment_that_is_no_text(homebody: Command, text: str) -> None:
    answer = homebody("run", "--policy", "random", "--env-arg", text)
    assert answer.code == 2
    assert (
        answer.error == f"--env-arg {text.partition('=')[0]} holds a control character, or is not UTF-8; leave it out, or write it as UTF-8"
    )


@pytest.mark.parametrize("value", ["NaN", "1e999", "[" * 5000, '["\\ud83d"]'])
def test_argument_of_the_environment_that_is_no_number(homebody: Command, value: str) -> None:
    answer = homebody("run", "--policy", "random", "--env-arg", f"clutter={value}")
    assert answer.code == 2
    assert "clutter" in answer.error


def test_one_run_directory_holds_one_kind_of_houses(homebody: Command, tmp_path: Path) -> None:
    common = ("evaluate", "--policy", "no-model", "--tasks", 2, "--run-dir", tmp_path / "run")
    assert homebody(*common).code == 0
    answer = homebody(*common, "--env-arg", "holdout=pairs")
    assert answer.code == 2
    assert "was made with the environment's arguments none, and these are {'holdout': 'pairs'}; give another --run-dir" in answer.err
    assert homebody(*common).code == 0


@pytest.mark.parametrize("command", [("run",), ("evaluate", "--tasks", 1)])
def test_a_command_says_which_document_a_seed_stands_for(homebody: Any, tmp_path: Path, command: tuple[object, ...]) -> None:
    answer = homebody(*command, "--harness", "household", "--policy", "no-model", "--max-steps", 1, "--json", tmp_path / "r.json")
    assert answer.code == 0
    assert "harness household: household-act, since no-model asks no model" in answer.out
    assert answer.err.count("household-act") == 0
    named = homebody(*command, "--harness", "household-act", "--policy", "no-model", "--max-steps", 1)
    assert "since" not in named.out


def test_a_harness_is_shown_for_no_model(homebody: Any, tmp_path: Path) -> None:
    answer = homebody("harness", "diff", "household", "household-act")
    assert answer.err.startswith("harness household: household-act, since no model is named")
    assert json.loads(answer.out) == []
