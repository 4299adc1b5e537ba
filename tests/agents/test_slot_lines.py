"""Commands whose slot holds several lines, from the environment's word for them to the record of an episode."""

from typing import Any

import gymnasium
import pytest

from homebody.agents.episode import run_episode
from homebody.agents.harness.spec import HarnessSpec
from homebody.agents.model_free import MODEL_FREE
from homebody.agents.model_policy import ModelPolicy
from homebody.agents.models.scripted import Scripted
from homebody.envs import ContractError, TaskSpec, check_env
from homebody.envs.custom import held_to_contract
from homebody.envs.space import AnyText

TASK = TaskSpec("two lines", "board", "train")


class Board(gymnasium.Env[str, str]):
    """Writes what it is told to; won when the board reads `one`, a line, `two`."""

    def __init__(self) -> None:
        self.observation_space = self.action_space = AnyText(1000)
        self.text = ""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        super().reset(seed=seed)
        if (options or {}).get("task", "two lines") != "two lines":
            raise ValueError("the task is 'two lines'")
        self.text = ""
        return "The board is empty.", self.info()

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        verb, _, text = action.partition(" ")
        if action == "erase":
            self.text = ""
        elif verb == "write" and text:
            self.text = text
        else:
            return "Write or erase.", 0.0, False, False, self.info()
        return f"The board reads:\n{self.text}", float(self.won), self.won, False, self.info()

    @property
    def won(self) -> bool:
        return self.text == "one\n  two"

    def info(self) -> dict[str, Any]:
        several = ["write {text}"]
        return {"goal": "write two lines", "admissible_commands": ["erase", *several], "won": self.won, "task_id": "two lines",
                "slot_lines": several}  # fmt: skip

    def expert(self) -> list[str]:
        return ["write one\n  two"]


def play(policy, method="generate", **answer):
    components = {"shown": {"use": "show_candidates", "params": {}}, "how": {"use": "decide", "params": {"method": method}}}
    if answer:
        components["answer"] = {"use": "answer", "params": answer}
    spec = HarnessSpec.from_json({"format": 2, "name": "plain", "components": components})
    return run_episode(held_to_contract(Board()), spec, policy, TASK, max_steps=2)


def test_the_contract_holds():
    check_env(Board())


@pytest.mark.parametrize("forms", [["wipe {text}"], ["erase"], [3]])
def test_a_form_that_is_no_command_with_a_slot_breaks_it(forms, monkeypatch):
    whole = Board.info
    monkeypatch.setattr(Board, "info", lambda self: {**whole(self), "slot_lines": forms})
    with pytest.raises(ContractError, match=r"info\['slot_lines'\] of reset\(.*, not an admissible command that ends with"):
        check_env(Board())


def test_the_slot_is_left_open_and_what_the_model_writes_into_it_is_sent_whole():
    model = Scripted(["write one\n  two"])
    record = play(ModelPolicy(model), read="first")
    assert "erase\nwrite {text}" in model.calls[0].prompt
    assert [(step.command, step.accepted, step.readable, step.decided_by) for step in record.trace] == [
        ("write one\n  two", True, True, "model")
    ]
    assert record.won


def test_under_the_grammar_the_slot_holds_lines():
    model = Scripted(["write one\n  two"])
    assert play(ModelPolicy(model), "grammar", read="first", tokens=50).won
    assert '"write " [^\\x00-\\x20\\x7F] [^\\x00-\\x09\\x0B-\\x1F\\x7F]*' in model.calls[0].generation.grammar


def test_under_the_grammar_what_fills_the_slot_ends_where_another_command_begins():
    record = play(ModelPolicy(Scripted(["write one\n  two\n> erase\nThe board is empty."])), "grammar", read="first", tokens=50)
    assert record.trace[0].command == "write one\n  two"
    assert record.won


def test_stop_texts_hold_under_the_grammar_where_a_slot_holds_lines():
    model = Scripted(["write one\n  two\nThe board"])
    assert play(ModelPolicy(model), "grammar", read="first", tokens=50, stop=["\nThe board"]).won
    assert model.calls[0].generation.stop == ("\nThe board",)


def test_an_expert_may_send_several_lines_and_others_send_none():
    assert play(MODEL_FREE["expert"]()).won
    for name in ("random", "no-model", "echo"):
        record = play(MODEL_FREE[name]())
        assert not record.won
        assert record.error is None
