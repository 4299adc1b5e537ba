"""`homebody reproduce`: the results table from nothing, with a control in a model's place."""

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from homebody.evolution.controls import provenance, seed, table, transfer
from homebody.evolution.controls import reproduce as library
from homebody.evolution.controls.benchmark import Benchmark, benchmarks
from homebody.evolution.controls.reproduce import FULL, Combination, Size
from homebody.evolution.controls.results import Results
from homebody.evolution.store import RunError, Store
from homebody.scripts.commands import reproduce as command

TINY = Size(2, 2, 0, 1, 2, 1, "tokens", 5.0, 1, growth=1, evolve_minutes=3.0, only=("seed", "final", "noop"))


def empty(chosen: Any, source: str, quick: bool) -> Results:
    """A table of nothing."""
    return Results(source, [], [], quick)


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Make --quick a matter of seconds; returns the command lines that are run."""
    easy = Benchmark("household", "homebody/Household-v0", {"rooms": ["bathroom"]}, "household", 3, 2, False, "bathrooms")
    monkeypatch.setattr(library, "QUICK", TINY)
    monkeypatch.setattr(library, "benchmarks", lambda: {"household": easy})
    ran: list[list[str]] = []
    run = command.run_child

    def spied(arguments: list[str]) -> int:
        ran.append(arguments)
        return run(arguments)

    monkeypatch.setattr(command, "run_child", spied)
    return ran


def test_everything_is_played_in_processes_of_its_own_and_written(
    homebody: Callable[..., Any], tiny: list[list[str]], tmp_path: Path, loaded: Any
) -> None:
    folder = tmp_path / "all"
    answer = homebody("reproduce", "--quick", "--models", "no-model", "--run-dir", folder, "--json", tmp_path / "r.json")
    assert answer.code == 0, answer.err
    assert [arguments[4] for arguments in tiny] == ["evolve", "controls"]
    assert {arguments[0] for arguments in tiny} == {sys.executable}
    assert "s an episode of the seed harness, which plays at least " in answer.out
    assert "; after 5 minutes no control is begun\n" in answer.out
    chosen = "no-model on household: Seed: style "
    assert chosen in answer.out
    assert "no-model on household: 0.0% to 0.0%: no gain of the model's: no-model is no model." in answer.out
    assert "# What evolution of the harness gained" in answer.out
    for name in (
        "results.md",
        "results.json",
        "results.html",
        "results.png",
        "results.svg",
        "no-model-household/seed.json",
        "no-model-household/final.json",
    ):
        assert (folder / name).is_file(), name
    result = loaded(tmp_path / "r.json")
    assert result == loaded(folder / "results.json")
    assert result["combinations"][0]["controls"]["run"]["env_args"] == {"rooms": ["bathroom"]}
    (row,) = result["rows"]
    assert (row["model"], row["benchmark"], row["gain"], row["why"]) == ("no-model", "household", None, "no-model is no model")
    assert result["mean_gain"] == {"points": 0.0, "ci95": [0.0, 0.0], "n": 1}


@pytest.mark.parametrize(("given", "told"), [([], ("3.0", 5)), (["--budget-minutes", "0.5"], ("0.5", 1))])
def test_a_budget_bounds_the_evolution_and_twice_as_much_the_whole(
    homebody: Callable[..., Any], tiny: list[list[str]], tmp_path: Path, given: list[str], told: tuple[str, int]
) -> None:
    answer = homebody("reproduce", "--quick", "--models", "no-model", *given, "--run-dir", tmp_path)
    assert answer.code == 0, answer.err
    evolve, controls = tiny
    minutes, whole = told
    assert evolve[evolve.index("--budget-minutes") + 1] == minutes
    assert f"; after {whole} minutes no control is begun\n" in answer.out
    assert whole - 1 < float(controls[controls.index("--minutes") + 1]) <= whole


def test_the_seed_plays_as_many_test_tasks_as_are_asked_for(homebody: Callable[..., Any], tiny: list[list[str]], tmp_path: Path) -> None:
    """Given again with more, nothing of what was played is played again, and the row tells of all."""
    told = []
    for given in ([], ["--seed-tasks", "9"]):  # of two there are
        answer = homebody("reproduce", "--quick", "--models", "no-model", *given, "--run-dir", tmp_path, "--json", tmp_path / "r.json")
        assert answer.code == 0, answer.err
        controls = tiny[-1]
        rows = json.loads((tmp_path / "r.json").read_text())["combinations"][0]["controls"]["rows"]
        told.append((controls[controls.index("--seed-tasks") + 1], next(row["n"] for row in rows if row["row"] == "seed")))
    assert told == [("1", 1), ("2", 2)]


def test_the_gate_has_as_many_validation_tasks_as_are_asked_for_and_the_choice_of_the_seed_its_share(
    homebody: Callable[..., Any], tiny: list[list[str]], tmp_path: Path
) -> None:
    for asked, chosen_on in ((6, 3), (1, 1)):  # one of two, and at least one
        one = tmp_path / str(asked)
        wanted = ["--validation-tasks", str(asked), "--run-dir", one, "--json", one / "r.json"]
        answer = homebody("reproduce", "--quick", "--models", "no-model", *wanted)
        assert answer.code == 0, answer.err
        evolve = tiny[-2]
        assert evolve[evolve.index("--validation-tasks") + 1] == str(asked)
        (combination,) = json.loads((one / "r.json").read_text())["combinations"]
        assert {style["n"] for style in combination["seed"]["tried"]} == {chosen_on}


def test_an_evolution_that_fails_ends_it(homebody: Callable[..., Any], tiny: list[list[str]], tmp_path: Path) -> None:
    (tmp_path / "no-model-household").mkdir()
    (tmp_path / "no-model-household" / "run.sqlite").write_text("no database, but long enough to be looked at as one " * 10)
    answer = homebody("reproduce", "--quick", "--models", "no-model", "--run-dir", tmp_path)
    assert answer.code == 2
    assert not (tmp_path / "results.md").exists()


@pytest.mark.parametrize(("code", "ok", "ends"), [(0, True, 0), (1, False, 1), (1, True, 1), (2, True, 2)])
def test_the_exit_code_of_the_controls_counts(
    homebody: Callable[..., Any], tiny: list[list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, ok: bool, ends: int
) -> None:
    audited = {"controls": {"audit": [{"check": "replay", "ok": ok, "said": "so"}]}}
    monkeypatch.setattr("homebody.evolution.store.holds", lambda run_dir, kind: True)
    monkeypatch.setattr(provenance, "note", lambda run_dir: None)
    chosen = {"style": "free", "tried": [], "asked": {"tasks": []}}
    monkeypatch.setattr(seed, "choose_seed", lambda *arguments: chosen)
    monkeypatch.setattr(table, "read_combination", lambda combination: audited)
    monkeypatch.setattr(table, "gather_results", empty)
    monkeypatch.setattr(command, "_homebody", lambda arguments, console: code if arguments[0] == "controls" else 0)
    answer = homebody("reproduce", "--quick", "--models", "no-model", "--run-dir", tmp_path)
    assert answer.code == ends
    assert "s an episode of the seed harness" not in answer.out
    # An audit that failed is a result and is written down; a command that failed is none.
    assert (tmp_path / "results.md").exists() == (code == 0 or (code == 1 and not ok))


def test_command_lines_say_all_that_fixes_a_run(tmp_path: Path) -> None:
    one = Combination("m", benchmarks()["household"], tmp_path, {"holdout": "rooms"})
    told = command.evolve_arguments(one, FULL, 2)
    assert told[:5] == ["evolve", "--env", "homebody/Household-v0", "--max-steps", "15"]
    assert told[told.index("--harness") + 1] == str(tmp_path / "seed.json")
    assert told[5:7] == ["--env-arg", 'holdout="rooms"']
    sizes = {"--train-tasks", "--validation-tasks", "--rounds", "--candidates", "--growth", "--exploration-steps"}
    assert sizes <= set(told)
    assert "--resume" not in told
    with Store(tmp_path) as store:
        store.append("start", {})
    resumed = command.evolve_arguments(one, FULL, 2)
    resumed.remove("--resume")
    assert resumed == told
    assert not {"--concurrency", "--timeout"} & set(told)
    served = replace(one, concurrency=9, timeout_s=30.0)
    for arguments in (command.evolve_arguments(served, FULL, 1), command.controls_arguments(served, FULL, 1, 0.0)):
        assert arguments[arguments.index("--concurrency") + 1] == "9"
        assert arguments[arguments.index("--timeout") + 1] == "30.0"
    assert (served.rollout.concurrency, served.rollout.timeout_s) == (9, 30.0)
    assert "--budget-minutes" not in told
    bounded = command.evolve_arguments(one, TINY, 2)
    assert [bounded[bounded.index(name) + 1] for name in ("--growth", "--candidates", "--budget-minutes")] == ["1", "2", "3.0"]
    assert not {"--ctx", "--threads", "--gpu-layers"} & set(told)
    large = command.evolve_arguments(replace(one, n_ctx=8192, n_threads=2, gpu_layers=-1), FULL, 2)
    assert [large[large.index(name) + 1] for name in ("--ctx", "--threads", "--gpu-layers")] == ["8192", "2", "-1"]
    data = Combination("m", benchmarks()["alfworld"], tmp_path, {"data_dir": "d"})
    assert command.evolve_arguments(data, FULL, 2)[5:7] == ["--data-dir", "d"]
    assert "--minutes" not in command.controls_arguments(one, FULL, 2, 3.0)
    quick = command.controls_arguments(one, TINY, 2, 3.0)
    assert quick[quick.index("--minutes") + 1] == "2.0"
    assert command.controls_arguments(one, TINY, 2, 30.0)[quick.index("--minutes") + 1] == "0.0"
    slow = Combination("m", benchmarks()["miniwob"], tmp_path)
    wanted = command.evolve_arguments(slow, slow.size(FULL), 2)
    assert wanted[wanted.index("--exploration-steps") + 1] == "3000"  # a step in a browser takes long
    full = command.controls_arguments(data, FULL, 2, 0.0)
    assert "--tasks" not in full


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--benchmarks", "alfword"], "no benchmark is called 'alfword'; did you mean alfworld"),
        (["--benchmarks", "alfworld", "--data-dir", "none"], "benchmark alfworld cannot be played: "),
    ],
)
def test_what_cannot_be_played_is_one_line(homebody: Callable[..., Any], tmp_path: Path, arguments: list[str], said: str) -> None:
    answer = homebody("reproduce", *arguments, "--run-dir", tmp_path / "r")
    assert answer.code == 2
    assert said in answer.error
    assert not (tmp_path / "r").exists()


def test_a_benchmark_that_was_left_out_is_named(homebody: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "_play", lambda *arguments: False)
    monkeypatch.setattr(command, "_estimate", lambda *arguments: None)
    known = {name: one for name, one in benchmarks().items() if name in ("household", "alfworld")}
    monkeypatch.setattr(library, "benchmarks", lambda: known)
    monkeypatch.setattr(table, "gather_results", empty)
    answer = homebody("reproduce", "--models", "no-model", "--data-dir", tmp_path / "none", "--run-dir", tmp_path)
    assert answer.code == 0
    assert "left out: benchmark alfworld cannot be played: " in answer.out


def test_both_protocols_and_repeats_stand_in_one_table_which_merges_and_is_drawn_again(
    homebody: Callable[..., Any], tiny: list[list[str]], tmp_path: Path, loaded: Any
) -> None:
    folder = tmp_path / "both"
    asked = ("reproduce", "--quick", "--models", "no-model", "--run-dir", folder, "--protocol", "held-out,published", "--tasks", 2)
    answer = homebody(*asked)
    assert answer.code == 0, answer.err
    assert "all 2: 0.0 to " in answer.out
    published = next(arguments for arguments in tiny if arguments[4] == "evolve" and "--protocol" in arguments)
    sizes = {name: published[published.index(name) + 1] for name in ("--protocol", "--rounds", "--candidates", "--growth", "--objective")}
    assert sizes == {"--protocol": "published", "--rounds": "15", "--candidates": "4", "--growth": "1", "--objective": "success"}
    assert published[published.index("--train-tasks") + 1] == published[published.index("--validation-tasks") + 1]
    found = loaded(folder / "results.json")
    assert [row["protocol"] for row in found["rows"]] == ["held-out", "published"]
    assert "no-model on household, published protocol: pass@2 " in answer.out
    assert "the protocol is +" in answer.out
    manifest = found["combinations"][1]["manifest"]
    assert (manifest["protocol"], manifest["env_args"], manifest["max_steps"]) == ("published", {"rooms": ["bathroom"]}, 3)
    assert manifest["played_with"][0]["machine"]["processor"]
    assert str(tmp_path) not in (folder / "results.json").read_text()

    # Killed or not: what is there is not played again, and the same files come out.
    before = (folder / "results.md").read_bytes()
    del tiny[:]
    assert homebody(*asked).code == 0
    assert all("--resume" in arguments for arguments in tiny if arguments[4] == "evolve")
    assert (folder / "results.md").read_bytes() == before

    # More of the same run takes the place of what its table told before.
    more = homebody(*asked, "--tasks", "1", "--merge", folder)
    assert more.code == 0, more.err
    assert [row["n"] for row in loaded(folder / "results.json")["rows"]] == [1, 1]
    assert homebody(*asked).code == 0

    # Drawn again from the file alone, merged with itself.
    del tiny[:]
    drawn = homebody("reproduce", "--from", folder, "--merge", folder / "results.json", "--run-dir", tmp_path / "drawn")
    assert drawn.code == 0, drawn.err
    assert tiny == []
    for name in ("results.json", "results.md", "results.html", "results.png", "results.svg"):
        assert (tmp_path / "drawn" / name).read_bytes() == (folder / name).read_bytes(), name

    # Another machine says otherwise.
    found["rows"][0]["evolved"] = 0.5
    (tmp_path / "other.json").write_text(json.dumps(found))
    refused = homebody("reproduce", "--from", folder, "--merge", tmp_path / "other.json", "--run-dir", tmp_path / "refused")
    assert refused.code == 2
    assert (
        "both have no-model on household (held-out, success, test, repeat 1) and differ in evolved; leave one of them out" in refused.error
    )
    assert not (tmp_path / "refused").exists()


def test_the_final_split_is_opened_once_a_release_by_the_harness_that_was_tested(
    homebody: Callable[..., Any], tiny: list[list[str]], tmp_path: Path, loaded: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ("reproduce", "--quick", "--models", "no-model", "--run-dir", tmp_path)
    early = homebody(*asked, "--final")
    assert early.code == 2
    assert homebody(*asked).code == 0
    answer = homebody(*asked, "--final", "--tasks", 2)
    assert answer.code == 0, answer.err
    found = loaded(tmp_path / "results.json")
    assert [(row["split"], row["n"]) for row in found["rows"]] == [("test", 1), ("final", 2)]  # the harness stayed the seed
    assert {task.partition("/")[0] for task in found["combinations"][1]["outcomes"]["tasks"]} == {"final"}
    assert "no-model on household, final split: " in answer.out
    # The same harness again is no second opening.
    assert homebody(*asked, "--final", "--tasks", 2).code == 0

    run_dir = tmp_path / "no-model-household"
    with Store(run_dir) as store:
        store.append("opened", {**store.events("opened")[0], "final_hash": "f" * 64})
    again = homebody(*asked, "--final", "--tasks", 2)
    assert again.code == 2
    assert "was opened for homebody " in again.error
    assert "it is opened once a release: wait for the next" in again.error
    monkeypatch.setattr("homebody.evolution.controls.final.version", lambda name: "99.0")
    assert homebody(*asked, "--final", "--tasks", 2).code == 0


def test_a_benchmark_without_a_final_split_says_so(homebody: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Benchmark, "check", lambda *arguments: None)
    asked = ("reproduce", "--models", "no-model", "--benchmarks", "alfworld", "--data-dir", tmp_path)
    answer = homebody(*asked, "--final", "--run-dir", tmp_path / "r")
    assert answer.code == 2
    assert "benchmark alfworld has no final split: split 'final' has no tasks in " in answer.error
    assert not (tmp_path / "r").exists()


def test_an_estimate_plays_an_episode_and_begins_nothing(
    homebody: Callable[..., Any], tiny: list[list[str]], tmp_path: Path, loaded: Any
) -> None:
    who = "no-model, random,no-model"
    told = ("--estimate", "--json", tmp_path / "told.json")
    answer = homebody("reproduce", "--quick", "--models", who, *told, "--run-dir", tmp_path / "r")
    assert answer.code == 0, answer.err
    assert answer.out.count("s an episode of the seed harness, which plays at least ") == 2
    estimates = loaded(tmp_path / "told.json")["estimates"]
    assert [item["combination"] for item in estimates] == ["no-model on household", "random on household"]
    assert all(item["least_episodes"] <= item["most_episodes"] for item in estimates)
    assert "all 2: " in answer.out
    assert tiny == []
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--protocol", "publisht"], "no protocol is called 'publisht'; did you mean published?; there are held-out, published"),
        (["--from", "none.json"], "none.json: cannot be read (No such file or directory); check the path"),
        (["--from", "none.json", "--models", "smollm2", "--quick"], "--from plays nothing; leave --models, --quick out"),
        (["--from", "none.json", "--budget-minutes", "9"], "--from plays nothing; leave --budget-minutes out"),
        (["--from", "none.json", "--tasks", "9"], "--from plays nothing; leave --tasks out"),
        (["--final", "--seed-tasks", "9"], "--final evolves nothing and plays a split that is opened once; leave --seed-tasks out"),
        (["--final", "--validation-tasks", "9"], "split that is opened once; leave --validation-tasks out"),
        (["--from", "none.json", "--validation-tasks", "9"], "--from plays nothing; leave --validation-tasks out"),
        (["--validation-tasks", "0"], "Invalid value for '--validation-tasks'"),
        (["--seed-tasks", "0"], "Invalid value for '--seed-tasks'"),
        (["--final", "--estimate"], "--final evolves nothing and plays a split that is opened once; leave --estimate out"),
        (["--budget-minutes", "nan"], "Invalid value for '--budget-minutes': 'nan' is no finite number"),
        (["--budget-minutes", "inf"], "Invalid value for '--budget-minutes': 'inf' is no finite number"),
        (["--benchmarks", " , "], "--benchmarks names nothing: ' , '; give one name or several"),
        (["--protocol", ","], "--protocol names nothing: ','"),
        (["--harness-of", "random", "--budget-minutes", "9"], "--harness-of evolves nothing; leave --budget-minutes out, or give --quick"),
        (["--harness-of", "no-model"], "no-model plays in its own harness without --harness-of; leave it out of --models"),
        (["--harness-of", "random", "--protocol", "held-out,published"], "--harness-of plays harnesses of the held-out protocol"),
        (["--harness-of", "random", "--benchmarks", "household"], "no harness of random on household is known: "),
        (["--harness-of", "random"], "no harness of random on household is known: "),
        (["--harness-of", "random", "--benchmarks", "household", "--final"], "holds no run"),
        (["--merge", "none.json"], "none.json: cannot be read"),
        (["--final", "--protocol", "published", "--benchmarks", "household"], "the published protocol holds nothing out"),
        (["--repeats", "0"], "Invalid value for '--repeats'"),
    ],
)
def test_what_is_asked_wrongly_is_one_line(homebody: Callable[..., Any], tmp_path: Path, arguments: list[str], said: str) -> None:
    who = [] if "--from" in arguments else ["--models", "no-model"]
    answer = homebody("reproduce", *who, *arguments, "--run-dir", tmp_path / "r")
    assert answer.code == 2
    assert said in answer.error
    assert not (tmp_path / "r").exists()


def test_a_command_that_was_stopped_goes_on_to_the_same_rows(
    homebody: Callable[..., Any], tiny: list[list[str]], tmp_path: Path, loaded: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asked(folder: str) -> tuple[object, ...]:
        return ("reproduce", "--quick", "--models", "no-model", "--protocol", "published", "--tasks", 2, "--run-dir", tmp_path / folder)

    assert homebody(*asked("whole")).code == 0
    run = command.run_child
    with monkeypatch.context() as patch:
        patch.setattr(command, "run_child", lambda arguments: 130 if arguments[4] == "controls" else run(arguments))
        assert homebody(*asked("stopped")).code == 130
    assert not (tmp_path / "stopped" / "results.json").exists()
    assert homebody(*asked("stopped")).code == 0
    whole, stopped = (loaded(tmp_path / folder / "results.json") for folder in ("whole", "stopped"))
    assert stopped["rows"] == whole["rows"]
    for key in ("outcomes", "manifest", "rounds", "candidates"):
        assert stopped["combinations"][0][key] == whole["combinations"][0][key], key


def test_a_model_plays_in_the_harness_that_evolved_for_another(
    homebody: Callable[..., Any], tiny: list[list[str]], tmp_path: Path, loaded: Any
) -> None:
    asked = ("reproduce", "--quick", "--run-dir", tmp_path / "runs")
    assert homebody(*asked, "--models", "no-model").code == 0
    del tiny[:]
    of = (*asked, "--models", "random", "--harness-of", "no-model", "--merge", tmp_path / "runs")
    answer = homebody(*of)
    assert answer.code == 0, answer.err
    assert [arguments[4] for arguments in tiny] == ["controls"]
    assert "random on household, in the harness of no-model: " in answer.out
    found = loaded(tmp_path / "runs" / "results.json")
    assert [(row["model"], row["harness_of"]) for row in found["rows"]] == [("random", "no-model"), ("no-model", None)]
    assert [one["run"] for one in found["combinations"]] == ["random-household-harness-of-no-model", "no-model-household"]
    mine, theirs = (one["manifest"]["behaviour_hash"]["evolved"] for one in found["combinations"])
    assert mine == theirs

    # Given again it plays nothing that is there, and the same files come out; a table alone gives the same harness.
    names = ("results.json", "results.md", "results.html", "results.png")
    before = {name: (tmp_path / "runs" / name).read_bytes() for name in names}
    assert homebody(*of).code == 0
    assert {name: (tmp_path / "runs" / name).read_bytes() for name in names} == before
    elsewhere = (*of[:2], "--run-dir", tmp_path / "elsewhere", *of[4:])
    assert homebody(*elsewhere).code == 0
    again = loaded(tmp_path / "elsewhere" / "results.json")
    assert again["rows"] == found["rows"]
    assert again["combinations"][0]["outcomes"] == found["combinations"][0]["outcomes"]

    # Its final split is its own, once a release.
    final = homebody(*asked, "--models", "random", "--harness-of", "no-model", "--final", "--tasks", 2)
    assert final.code == 0, final.err
    rows = loaded(tmp_path / "runs" / "results.json")["rows"]
    assert [(row["harness_of"], row["split"]) for row in rows] == [("no-model", "test"), ("no-model", "final")]
    assert "random on household, in the harness of no-model, final split: " in final.out


def test_a_benchmark_without_the_harness_is_left_out_where_it_was_not_named(
    homebody: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    played: list[str] = []
    monkeypatch.setattr(command, "_play", lambda one, *rest: bool(played.append(one.name)))
    monkeypatch.setattr(command, "_estimate", lambda *arguments: None)
    known = {name: one for name, one in benchmarks().items() if name in ("household", "repair")}
    monkeypatch.setattr(library, "benchmarks", lambda: known)
    monkeypatch.setattr(table, "gather_results", empty)
    monkeypatch.setattr(transfer, "find_evolved", only_of_repair)
    answer = homebody("reproduce", "--models", "random", "--harness-of", "no-model", "--run-dir", tmp_path)
    assert answer.code == 0, answer.err
    assert played == ["random on repair, in the harness of no-model"]
    assert "left out: no harness of household" in answer.out


def only_of_repair(combination: Combination, tables: Any) -> None:
    """Fail for every other benchmark."""
    if combination.benchmark.name != "repair":
        raise RunError(f"no harness of {combination.benchmark.name}")
