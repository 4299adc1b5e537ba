"""`homebody evolve`: the person at the gate, budgets and the gate's mode on the command line."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from homebody.agents import HarnessSpec
from homebody.agents.models.backend import Prompt, Tool
from homebody.agents.models.generation import Generation, Reply
from homebody.agents.models.scripted import Scripted
from homebody.evolution.reports.lineage import read_lineage
from homebody.evolution.store import Store
from homebody.scripts.commands import evolve as evolve_module

Command = Callable[..., Any]
SHIPS = (
    "evolve", "--harness", "household-act", "--model", "no-model", "--env-arg", 'rooms=["bathroom"]', "--rounds", 1, "--candidates", 1,
    "--train-tasks", 4, "--validation-tasks", 6, "--max-steps", 10, "--exploration-steps", 6000,
)  # fmt: skip
"""An evolution of some seconds whose first candidate passes the gate."""


@pytest.fixture
def person(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Put somebody before a terminal who gives these answers, one a line."""

    def sit(answers: str) -> None:
        given = iter(answers.split())
        monkeypatch.setattr(evolve_module, "has_terminal", lambda: True)
        monkeypatch.setattr("click.termui.visible_prompt_func", lambda prompt: next(given))

    return sit


def test_a_person_sees_the_manifest_and_ships(homebody: Command, tmp_path: Path, person: Callable[[str], None]) -> None:
    person("perhaps ship")
    answer = homebody(*SHIPS, "--approve", "--run-dir", tmp_path)
    assert answer.code == 0
    assert "r1c1 passed the gate: 3 tasks won, 0 lost" in answer.out
    card = dict(line.strip().split(maxsplit=1) for line in answer.out.splitlines() if line.startswith("  ") and line.strip()[0].isalpha())
    assert card["operator"] == "follow the learned plan (memory)"
    assert card["lost"] == "none"
    assert {"hypothesis", "evidence", "predicted", "won", "patch"} <= set(card)
    assert "'perhaps' is not one of 'ship', 'reject', 'stop'" in answer.out
    with Store(tmp_path, readonly=True) as store:
        assert [item["answer"] for item in store.events("approval")] == ["ship"]
        assert store.events("end")[-1]["rounds"][0]["shipped"] == "r1c1"
    # Nobody is asked again; and a run with a person does not go on as one without.
    person("")
    assert homebody(*SHIPS, "--approve", "--run-dir", tmp_path, "--resume").code == 0
    assert "approve was True and is False" in homebody(*SHIPS, "--run-dir", tmp_path, "--resume").error


def test_a_person_may_stop(homebody: Command, tmp_path: Path, person: Callable[[str], None]) -> None:
    person("stop")
    assert homebody(*SHIPS, "--approve", "--run-dir", tmp_path).code == 0
    with Store(tmp_path, readonly=True) as store:
        (end,) = store.events("end")
    assert (end["stopped"], end["rounds"], end["final_hash"]) == ("approval", [], end["seed_hash"])


def test_without_a_terminal_nobody_can_be_asked(homebody: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evolve_module, "has_terminal", lambda: False)
    answer = homebody(*SHIPS, "--approve", "--run-dir", tmp_path / "run")
    assert answer.code == 2
    assert answer.error == "--approve asks a person, and standard input is no terminal; run it in one, or leave --approve out"
    assert not (tmp_path / "run").exists()


def test_context_and_threads_are_kept_and_a_resumed_run_has_the_same(homebody: Command, tmp_path: Path) -> None:
    small = (*SHIPS, "--rounds", 1, "--budget-episodes", 1, "--run-dir", tmp_path)
    assert homebody(*small, "--ctx", 2048, "--threads", 2).code == 0
    with Store(tmp_path, readonly=True) as store:
        (start,) = store.events("start")
    assert (start["n_ctx"], start["n_threads"], start["gpu_layers"]) == (2048, 2, 0)
    assert read_lineage(tmp_path).config.rollout.n_ctx == 2048
    assert homebody(*small, "--ctx", 2048, "--threads", 2, "--resume").code == 0
    for options, said in (
        (("--ctx", 4096, "--threads", 2), "n_ctx was 2048 and is 4096"),
        (("--threads", 2), "n_ctx was 2048 and is None"),
        (("--ctx", 2048), "n_threads was 2 and is 1"),
    ):
        answer = homebody(*small, *options, "--resume")
        assert answer.code == 2
        assert f"holds a run with other settings ({said}); give the same" in answer.error


def test_gate_and_budgets_reach_the_run(homebody: Command, tmp_path: Path, loaded: Callable[[Path], Any]) -> None:
    options = ("--gate", "no-regression", "--isolation", "variants", "--budget-tokens", 10, "--budget-minutes", 0.000001)
    answer = homebody(*SHIPS, *options, "--run-dir", tmp_path, "--json", tmp_path / "result.json")
    assert answer.code == 0
    result = loaded(tmp_path / "result.json")
    assert (result["stopped"], result["episodes"], result["rounds"]) == ("minutes", 0, [])
    with Store(tmp_path, readonly=True) as store:
        (start,) = store.events("start")
    assert (start["gate"], start["isolation"], start["budget_tokens"], start["budget_minutes"]) == (
        "no-regression",
        "variants",
        10,
        0.000001,
    )


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--gate", "lax"), "'lax' is not one of 'auto', 'no-regression', 'sign-test', 'noise-aware'"),
        (("--isolation", "all"), "'all' is not one of 'none', 'variants'"),
        (("--budget-minutes", 0), "0.0 is not in the range x>0"),
        (("--budget-tokens", 0), "0 is not in the range x>=1"),
        (("--proposer", "llm"), "proposer llm asks a model, and no-model is none; name one with --proposer-model"),
        (("--proposer-model", "smollm3"), "unknown model 'smollm3'; did you mean smollm2"),
    ],
)
def test_bad_settings(homebody: Command, tmp_path: Path, options: tuple[object, ...], told: str) -> None:
    answer = homebody(*SHIPS, *options, "--run-dir", tmp_path / "run")
    assert answer.code == 2
    assert told in answer.error
    assert not (tmp_path / "run").exists()


# --- budgets, with a model that costs tokens


class Talker(Scripted):
    """Says the same at every step, and answers what a proposer asks with an edit that the schema allows."""

    def chat(self, prompt: Prompt, generation: Generation, tools: Sequence[Tool] = ()) -> Reply:
        schema = generation.schema
        if schema is None:
            self.enqueue("```\nGive one command.\n```" if "```" in str(prompt) else "look")
        else:
            answers = schema["properties"]["answers"]["enum"][0]
            self.enqueue(json.dumps({"answers": answers, "why": "It knows no way.", "edit": {"set": "learned_plan", "params": {}}}))
        return super().chat(prompt, generation, tools)


@pytest.fixture
def talker(monkeypatch: pytest.MonkeyPatch) -> list[Talker]:
    """Put a scripted model in the place of every model; returns those that were loaded."""
    loaded: list[Talker] = []

    def load(name: str, **settings: Any) -> Talker:
        loaded.append(Talker(name=name))
        return loaded[-1]

    monkeypatch.setattr("homebody.agents.models.names.load", load)
    return loaded


def result_of(folder: Path) -> dict[str, Any]:
    """What a result says, but for the times, the place, and the tokens served from a cache, which begins empty in each process."""
    result: dict[str, Any] = json.loads((folder / "result.json").read_text("utf-8"))
    return {key: value for key, value in result.items() if key not in ("wall_s", "twins_s", "final_harness", "cached_tokens")}


@pytest.mark.parametrize(
    ("kind", "small", "large"),
    [("episodes", 16, 1000), ("tokens", 200, 10**9), ("minutes", 0.000001, 60)],
    ids=["episodes", "tokens", "minutes"],
)
def test_a_spent_budget_is_told_leaves_a_harness_and_can_be_raised(
    homebody: Command, tmp_path: Path, talker: list[Talker], kind: str, small: float, large: float
) -> None:
    spending = (*SHIPS, "--model", "talker", "--objective", "success", "--json")
    limit = f"--budget-{kind}"
    assert homebody(*spending, tmp_path / "result.json", "--run-dir", tmp_path / "whole").code == 0
    whole = result_of(tmp_path)
    assert whole["rounds"][0]["shipped"]
    assert whole["tokens"] > 200
    run = ("--run-dir", tmp_path / "run", "--resume")
    answer = homebody(*spending, tmp_path / "result.json", *run[:2], limit, small)
    assert answer.code == 0
    assert f" s; it ended because its budget of {kind} is spent; evolve --resume goes on with a larger one\n" in answer.out
    short = result_of(tmp_path)
    assert (short["stopped"], short["rounds"]) == (kind, [])
    assert short["episodes"] < whole["episodes"]
    assert HarnessSpec.load(tmp_path / "run" / "final.json") == HarnessSpec.load("household-act")
    assert homebody(*spending, tmp_path / "result.json", *run, limit, large).code == 0
    assert result_of(tmp_path) == whole
    refused = homebody(*spending, tmp_path / "result.json", *run, limit, small)
    assert refused.code == 2
    assert refused.error.endswith("; a budget can only be raised; give the same or more, or choose another --run-dir")
    assert homebody("report", tmp_path / "run").code == 0


# --- proposers that ask a model, from the command line to the gate


@pytest.mark.parametrize(
    ("proposer", "operator", "shipped"),
    [("llm", "set learned_plan", "r1c1"), ("gepa", "rewrite system_prompt.text", None)],
    ids=["llm", "gepa"],
)
def test_a_proposer_that_asks_a_model_is_played(
    homebody: Command, tmp_path: Path, talker: list[Talker], proposer: str, operator: str, shipped: str | None
) -> None:
    if proposer == "gepa":
        pytest.importorskip("gepa")
    asking = (*SHIPS, "--proposer", proposer, "--proposer-model", "mechanic", "--run-dir", tmp_path, "--json", tmp_path / "result.json")
    assert homebody(*asking).code == 0
    (mechanic,) = talker
    assert (mechanic.name, len(mechanic.calls)) == ("mechanic", 1)
    result = result_of(tmp_path)
    (item,) = result["rounds"]
    (edit,) = item["candidates"]
    # It was built, ran and was judged on validation tasks; a text cannot help where nobody reads it.
    assert (edit["manifest"]["operator"], item["shipped"]) == (operator, shipped)
    assert [name for name, _ in edit["checks"]][:5] == ["manifest", "build", "novelty", "smoke run", "rollouts"]
    assert result["tokens"] > 0
    # What the model said is kept: a resumed run asks nobody.
    assert homebody(*asking, "--resume").code == 0
    assert (result_of(tmp_path), talker[-1].calls) == (result, [])


def test_the_objective_model_wants_a_model(homebody: Command, tmp_path: Path) -> None:
    answer = homebody(*SHIPS, "--objective", "model", "--run-dir", tmp_path / "run")
    assert answer.code == 2
    assert answer.error == "objective model measures what a model adds, and no-model is no model; give objective success, or a model"
    assert not (tmp_path / "run").exists()


def test_an_edit_that_needs_no_model_is_refused_and_the_seed_stays(homebody: Command, tmp_path: Path, talker: list[Talker]) -> None:
    answer = homebody(*SHIPS, "--candidates", 20, "--model", "talker", "--run-dir", tmp_path / "run", "--json", tmp_path / "result.json")
    # What won in exploration came with a question whose answers were no better than the twins': it is shipped, and not kept.
    said = "No shipped harness has a model_value above 0 with 90% confidence: the run ends with its seed."
    assert said in " ".join(answer.out.split())
    result = result_of(tmp_path)
    tried = {edit["manifest"]["operator"]: edit for edit in result["rounds"][0]["candidates"]}
    assert [name for name, edit in tried.items() if edit["verdict"] != "rejected"] == ["follow the learned plan, and ask where things are"]
    edit = tried["say what the learned plan wants next"]
    assert (result["objective"], result["kept"], len(result["shipped"])) == ("model", 0, 1)
    assert result["final_hash"] == result["seed_hash"]
    # The learned plan solves tasks for the twins, and a model that chats none of its own.
    assert edit["verdict"] == "rejected"
    assert edit["twin_gain"] > 0
