"""Records to train on: they obey their schema, are the stored episodes, and hold the tokens that the model chose."""

import json
import shutil
import zlib
from collections.abc import Callable, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from homebody.agents.episode import run_episode
from homebody.agents.harness.spec import HarnessSpec
from homebody.agents.model_free import MODEL_FREE
from homebody.agents.model_policy import ModelPolicy
from homebody.agents.models import names
from homebody.agents.models.backend import Prompt, Tool, parts
from homebody.agents.models.chat_template import render_plain
from homebody.agents.models.generation import Generation, Reply
from homebody.agents.models.scripted import Scripted
from homebody.envs import TaskSpec, make
from homebody.envs.file import OutputError
from homebody.evolution.config import EvolveConfig
from homebody.evolution.loop import evolve
from homebody.evolution.proposers import set_processors
from homebody.evolution.reports import export as module
from homebody.evolution.reports.export import ExportError, Recording, export
from homebody.evolution.store import RunError, Store


def ids(text: str) -> list[int]:
    """Words are tokens."""
    return [zlib.crc32(word.encode()) % 50_000 for word in text.split()]


class Words(Scripted):
    """A model whose tokens can be read: it always writes the same, ends with token 7, and every token has log-probability -0.5."""

    def __init__(self, reply: str = "go to shaft 1") -> None:
        super().__init__(name="words")
        self.reply = reply
        self.on_text: Callable[[str, list[int], list[int], list[float]], None] | None = None

    def chat(self, prompt: Prompt, generation: Generation, tools: Sequence[Tool] = ()) -> Reply:
        self.enqueue(self.reply)
        reply = super().chat(prompt, generation, tools)
        if self.on_text:
            self.on_text(reply.text, self.tokens(prompt), [*ids(reply.text), 7], [-0.5] * (len(reply.text.split()) + 1))
        return reply

    def tokens(self, prompt: Prompt, reply: Reply | None = None, tools: Sequence[Tool] = ()) -> list[int]:
        segments, messages = parts(prompt)
        return ids(" ".join(render_plain(messages) if messages else segments))

    def spell(self, continuation: str) -> list[int]:
        return ids(continuation)

    def trace(self, prompt: Prompt, continuation: str, reply: Reply | None = None) -> tuple[list[int], list[float]]:
        return ids(continuation), [-0.25] * len(continuation.split())


@pytest.fixture(scope="module")
def valid() -> Callable[[Any], None]:
    schema = json.loads((resources.files("homebody.assets") / "schemas" / "export.json").read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema).validate


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


@pytest.fixture
def words_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run in which `words` played."""
    monkeypatch.setattr(names, "load", lambda name, **settings: Words())
    config = EvolveConfig(
        "Quarry-v0", "words", "generic-act", proposer="noop", rounds=1, train_tasks=3, validation_tasks=2, growth=1, max_steps=3,
        gate="sign-test",
    )  # fmt: skip
    evolve(config, tmp_path / "run")
    return tmp_path / "run"


def test_a_run_without_a_model_has_texts_and_no_tokens(quarry_run: Path, tmp_path: Path, valid: Callable[[Any], None]) -> None:
    result = export(quarry_run, "sft", tmp_path / "sft.jsonl")
    records = lines(tmp_path / "sft.jsonl")
    assert result["records"] == len(records) == result["won"] == result["exact"] > 0
    assert result["tokenizer"] is None
    for record in records:
        valid(record)
        assert record["won"]
        assert record["exact"]
        assert record["reward"] == 1.0
        assert record["split"] == "train"
        assert {step["prompt_ids"] for step in record["steps"]} == {None}
        assert {(step["decided_by"], step["twin"], step["readable"], step["cut"]) for step in record["steps"]} == {
            ("harness", None, None, None)
        }
    assert result["steps"] == sum(len(record["steps"]) for record in records)


def test_grpo_has_lost_episodes_too_in_groups_of_a_task(quarry_run: Path, tmp_path: Path, valid: Callable[[Any], None]) -> None:
    result = export(quarry_run, "grpo", tmp_path / "grpo.jsonl")
    records = lines(tmp_path / "grpo.jsonl")
    assert result["won"] < result["records"]
    for record in records:
        valid(record)
        assert record["group"].startswith("train/")
        assert record["reward"] == float(record["won"])
    with Store(quarry_run, readonly=True) as store:
        stored = {key: item for key, item in store.episodes().items() if item["task_id"].startswith("train/")}
    assert {record["episode"] for record in records} == stored.keys()
    for record in records:
        assert [step["command"] for step in record["steps"]] == [step["command"] for step in stored[record["episode"]]["trace"]]
    assert len({record["group"] for record in records}) < len(records)


def test_only_train_is_written_unless_another_split_is_asked_for(quarry_run: Path, tmp_path: Path) -> None:
    export(quarry_run, "grpo", tmp_path / "a.jsonl", episodes=2)
    assert {record["split"] for record in lines(tmp_path / "a.jsonl")} == {"train"}
    export(quarry_run, "grpo", tmp_path / "b.jsonl", split="validation", episodes=2)
    assert {record["split"] for record in lines(tmp_path / "b.jsonl")} == {"validation"}
    with pytest.raises(ExportError, match="has no episode of split 'test' played by a harness of the run"):
        export(quarry_run, "grpo", tmp_path / "c.jsonl", split="test")
    assert not (tmp_path / "c.jsonl").exists()


def test_tokens_are_those_that_the_model_chose(words_run: Path, tmp_path: Path, valid: Callable[[Any], None]) -> None:
    told: list[tuple[int, int]] = []
    result = export(words_run, "grpo", tmp_path / "g.jsonl", callback=lambda done, total, record: told.append((done, total)))
    records = lines(tmp_path / "g.jsonl")
    assert result["tokenizer"] == "words"
    assert result["exact"] == len(records) == 3
    assert told == [(1, 3), (2, 3), (3, 3)]
    for record in records:
        valid(record)
        for step in record["steps"]:
            assert step["by_model"]
            # Every step says the same, which is possible at the first one: what is refused later was read all the same.
            assert step["decided_by"] == ("agreed" if step["twin"] == step["command"] else "model")
            assert (step["readable"], step["cut"]) == (True, False)
            assert step["completion"] == [{"role": "assistant", "content": "go to shaft 1"}]
            assert step["completion_ids"] == [*ids("go to shaft 1"), 7]
            assert step["logprobs"] == [-0.5] * 5
            shown = " ".join(message["content"] for message in step["prompt"])
            assert set(ids(shown)) <= set(step["prompt_ids"])
            assert "\x1f" not in shown


def test_another_model_reads_without_having_chosen(quarry_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "load", lambda name, **settings: Words())
    result = export(quarry_run, "sft", tmp_path / "s.jsonl", model="words", episodes=1)
    ((record),) = lines(tmp_path / "s.jsonl")
    assert result["tokenizer"] == record["tokenizer"] == "words"
    assert record["policy"] == "no-model"
    for step in record["steps"]:
        assert not step["by_model"]
        assert step["completion_ids"] == ids(step["command"])
        assert step["logprobs"] is None


def play(tape: Recording, method: str, **params: Any) -> list[dict[str, Any]]:
    """Play two steps under a way to decide; return its steps."""
    spec = HarnessSpec.load("generic-act")
    spec = spec.patch(set_processors(spec, {"decide": {"method": method, **params}}))
    env = make("Quarry-v0", types=["bring"])
    record = run_episode(env, spec, tape, TaskSpec("train/bring-0", "bring", "train"), max_steps=2)
    assert record.error is None
    return list(module._steps(record, tape.noted))


def test_a_scored_command_is_the_models_own() -> None:
    model = Words()
    (first, *_) = play(Recording(ModelPolicy(model), model), "score")
    assert first["by_model"]
    assert first["decided_by"] in ("model", "agreed")
    assert (first["readable"], first["cut"]) == (None, None)
    assert first["completion_ids"] == ids(first["command"])
    assert set(first["logprobs"]) == {-0.25}


def test_tool_turns_are_written_with_their_tool() -> None:
    model = Words('{"name": "act", "arguments": {"command": "go to shaft 1"}}')
    spec = HarnessSpec.load("generic")
    spec = spec.patch(set_processors(spec, {"answer": {"read": "tool"}}))
    tape = Recording(ModelPolicy(model), model)
    record = run_episode(make("Quarry-v0", types=["bring"]), spec, tape, TaskSpec("train/bring-0", "bring", "train"), max_steps=2)
    _, second = module._steps(record, tape.noted)
    schema = json.loads((resources.files("homebody.assets") / "schemas" / "export.json").read_text("utf-8"))
    jsonschema.Draft202012Validator({**schema["properties"]["steps"]["items"], "$defs": schema["$defs"]}).validate(second)
    *_, called, answered = second["prompt"]
    assert called["tool_calls"][0]["function"] == {"name": "act", "arguments": {"command": "go to shaft 1"}}
    assert (answered["role"], answered["tool_call_id"]) == ("tool", called["tool_calls"][0]["id"])
    assert [tool["function"]["name"] for tool in second["tools"]] == ["act"]
    assert "\x1f" not in json.dumps(second)


def test_what_the_harness_ranks_is_not() -> None:
    model = Words()
    (first, *_) = play(Recording(ModelPolicy(model), model), "rank")
    assert not first["by_model"]
    assert (first["decided_by"], first["twin"]) == ("harness", first["command"])
    assert first["logprobs"] is None
    assert first["completion_ids"] == ids(first["command"])


def test_of_several_votes_the_tokens_of_the_chosen_one_are_kept() -> None:
    model = Words()
    (first, *_) = play(Recording(ModelPolicy(model), model), "vote", samples=3, temperature=1.0)
    assert first["by_model"]
    assert first["completion_ids"] == [*ids("go to shaft 1"), 7]
    assert model.on_text is None


def test_a_reply_that_is_no_command_is_a_fallback_and_one_without_an_end_is_cut() -> None:
    dance, babble = Words("Dance!"), Words("go to " * 40)
    (first, *_) = play(Recording(ModelPolicy(dance), dance), "generate")
    assert (first["decided_by"], first["readable"], first["cut"]) == ("fallback", False, False)
    (first, *_) = play(Recording(ModelPolicy(babble), babble), "generate")
    assert (first["decided_by"], first["readable"], first["cut"]) == ("fallback", False, True)


def test_the_hook_is_taken_off_after_a_failure() -> None:
    model = Words()
    tape = Recording(ModelPolicy(model), model)
    model.close()
    env = make("Quarry-v0", types=["bring"])
    record = run_episode(env, HarnessSpec.load("generic-act"), tape, TaskSpec("train/bring-0", "bring", "train"), max_steps=2)
    assert record.error is not None
    assert model.on_text is None


def test_a_tape_is_like_what_it_records() -> None:
    inner = MODEL_FREE["random"]()
    tape = Recording(inner, None)
    assert (tape.name, tape.asks, tape.score, tape.usage) == (inner.name, inner.asks, inner.score, inner.usage)
    assert tape.count_tokens("some words") == inner.count_tokens("some words")
    (first, *_) = play(tape, "rank")
    assert first["prompt_ids"] is first["completion_ids"] is None


def test_a_replay_that_differs_says_so(quarry_run: Path, tmp_path: Path) -> None:
    run_dir = Path(shutil.copytree(quarry_run, tmp_path / "run"))
    with Store(run_dir, readonly=True) as store:
        won = {key: item for key, item in store.episodes().items() if item["won"] and item["task_id"].startswith("train/")}
    import sqlite3

    key, content = next(iter(won.items()))
    with sqlite3.connect(run_dir / "run.sqlite") as db:
        db.execute("UPDATE episodes SET data = ? WHERE key = ?", (json.dumps({**content, "trace_hash": "0" * 64}), key))
    db.close()
    result = export(run_dir, "sft", tmp_path / "s.jsonl")
    assert result["exact"] == result["records"] - 1
    assert [record["episode"] for record in lines(tmp_path / "s.jsonl") if not record["exact"]] == [key]


def test_episodes_of_other_harnesses_are_counted_and_left_out(quarry_run: Path, tmp_path: Path) -> None:
    from homebody.agents.rollout import RolloutConfig
    from homebody.evolution.controls.evaluation import evaluate

    run_dir = Path(shutil.copytree(quarry_run, tmp_path / "run"))
    config = RolloutConfig("Quarry-v0", "random", 8, {"types": ["bring", "wash"]})
    evaluate(config, HarnessSpec.load("generic-act"), "train", tasks=2, run_dir=run_dir)
    before = export(quarry_run, "grpo", tmp_path / "a.jsonl")
    after = export(run_dir, "grpo", tmp_path / "b.jsonl")
    assert (before["unknown"], after["unknown"]) == (0, 2)
    assert after["records"] == before["records"]


def test_what_cannot_be_written_says_so(quarry_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ExportError, match="no format is called 'dpo'; there are sft, grpo"):
        export(quarry_run, "dpo", tmp_path / "x.jsonl")
    with pytest.raises(OutputError, match=r"cannot write .*x.jsonl: there is no folder .*no; give a file in a folder that exists"):
        export(quarry_run, "sft", tmp_path / "no" / "x.jsonl")
    with pytest.raises(RunError, match="holds no run"):
        export(tmp_path, "sft", tmp_path / "x.jsonl")
    monkeypatch.setattr(names, "load", lambda name, **settings: Scripted(name="far"))
    with pytest.raises(ExportError, match="the tokens of far cannot be read: it is on a server"):
        export(quarry_run, "sft", tmp_path / "x.jsonl", model="far")
    assert list(tmp_path.iterdir()) == []
