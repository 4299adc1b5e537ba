import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from homebody.agents import rollout
from homebody.agents.content_hash import digest
from homebody.agents.errors import ModelNotFoundError
from homebody.agents.harness.library import REGISTRY, Processor
from homebody.agents.harness.spec import HarnessSpec, component
from homebody.agents.model_free import TWINS
from homebody.agents.models import names
from homebody.agents.models.backend import Prompt, Tool
from homebody.agents.models.generation import Generation, Reply
from homebody.agents.models.scripted import Scripted
from homebody.agents.record import EpisodeRecord
from homebody.agents.rollout import Job, RolloutConfig
from homebody.envs import EnvError, tasks
from homebody.evolution.controls import evaluation as evaluate_module
from homebody.evolution.controls.evaluation import evaluate, summarize
from homebody.evolution.gate.stats import paired_gain
from homebody.evolution.store import Store

ENV = "homebody/Household-v0"
CONFIG = RolloutConfig(ENV, "random", 6, {"rooms": ["bathroom"]})
KEYS = {
    "env", "split", "n", "success", "ci95", "steps_mean", "invalid_actions", "prompt_tokens", "cached_tokens", "generated_tokens",
    "decisions", "wall_s", "behaviour_hash", "policy", "trace_hash", "by_type", "episodes", "model_share", "model_share_won",
    "unreadable", "cut", "repaired", "retried", "errors", "decided_by",
}  # fmt: skip
EPISODE_KEYS = {"task_id", "type", "won", "steps", "seed", "trace_hash", "play_hash", "model_share", "error"}


@pytest.fixture
def spec() -> HarnessSpec:
    return HarnessSpec.load("household-act")


def lasting(result: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in result.items() if key not in ("wall_s", "twins_s")}


def test_the_result_is_as_the_design_says(spec: HarnessSpec) -> None:
    result = json.loads(json.dumps(evaluate(CONFIG, spec, "test", tasks=3)))
    assert set(result) >= KEYS
    assert "pass_at_k" not in result
    listed = tasks(ENV, "test", 3, rooms=["bathroom"])
    assert [(e["task_id"], e["type"]) for e in result["episodes"]] == [(task.task_id, task.type) for task in listed]
    assert all(set(e) >= EPISODE_KEYS for e in result["episodes"])
    assert (result["env"], result["split"], result["policy"], result["max_steps"]) == (ENV, "test", "random", 6)
    assert (result["n"], result["behaviour_hash"]) == (3, spec.behaviour_hash)
    assert set(result["by_type"]) == {task.type for task in listed}
    assert result["decisions"] == sum(e["steps"] for e in result["episodes"])


def test_the_figures_by_hand(episode: Callable[..., EpisodeRecord]) -> None:
    usage = {"prompt_tokens": 10, "cached_tokens": 4, "generated_tokens": 2, "calls": 1, "seconds": 0.5}
    records = [
        episode(True, task_id="t1", type="b", steps=4, invalid_actions=1, usage=usage),
        episode(False, task_id="t2", type="a", steps=9, usage=usage),
        episode(False, task_id="t3", type="b", steps=8, error={"boundary": "b", "kind": "k", "message": "m"}, usage={}),
        episode(True, task_id="t4", type="b", steps=3, invalid_actions=2, adaptations=[{"step": 1}, {"step": 2}]),
        episode(False, task_id="t5", type="b", steps=8),
    ]
    result = summarize(records)
    # Wilson, 2 of 4: 0.5 +- 1.96 * sqrt(1/16 + 3.8415/64) / (1 + 3.8415/4); t3 was not played to its end.
    assert result.pop("ci95") == pytest.approx([0.15004, 0.84996], abs=1e-5)
    intervals = {name: row.pop("ci95") for name, row in result["by_type"].items()}
    assert intervals == {"a": pytest.approx([0.0, 0.79345], abs=1e-5), "b": pytest.approx([0.20766, 0.93851], abs=1e-5)}
    assert result == {
        "n": 4, "errors": 1, "success": 0.5,
        "model_share": None, "model_share_won": None, "unreadable": None, "cut": None, "repaired": 0, "retried": 0,
        "decided_by": {"model": 0, "agreed": 0, "reading": 0, "harness": 0, "fallback": 0},
        "steps_mean": 6.0, "invalid_actions": 3, "prompt_tokens": 20, "cached_tokens": 8, "generated_tokens": 4,
        "decisions": 32, "adaptations": {"episodes": 1, "total": 2}, "behaviour_hash": "h",
        "trace_hash": digest([record.trace_hash for record in records]),
        "by_type": {"a": {"n": 1, "errors": 0, "success": 0.0}, "b": {"n": 3, "errors": 1, "success": 2 / 3}},
        "episodes": [
            {"task_id": f"t{n}", "type": record.type, "won": record.won, "steps": record.steps, "seed": 0, "attempt": 0,
             "trace_hash": record.trace_hash, "play_hash": record.play_hash, "error": record.error, "model_share": None}
            for n, record in enumerate(records, 1)
        ],
    }  # fmt: skip
    assert list(result["by_type"]) == ["a", "b"]


def test_reward_and_exact_success_are_told_where_the_environment_tells_them(episode: Callable[..., EpisodeRecord]) -> None:
    def graded(won: bool, strict: bool | None, *rewards: float, **fields: Any) -> EpisodeRecord:
        return episode(won, strict=strict, trace=[{"reward": reward} for reward in rewards], **fields)

    records = [
        graded(True, True, 0.0, 1.0, task_id="t1"),
        graded(True, False, 1.0, task_id="t2"),
        graded(False, False, 0.5, task_id="t3", type="b"),
        graded(False, None, task_id="t4", type="b", error={"boundary": "reset", "kind": "k", "message": "m"}),
    ]
    records.append(graded(False, False, 0.0, task_id="t5"))
    result = summarize(records)
    assert (result["n"], result["errors"]) == (4, 1)
    assert (result["success"], result["reward_mean"], result["success_strict"]) == (0.5, 0.625, 0.25)
    # Wilson, 1 of 4: (0.25 + z/8 -+ 1.96 sqrt(0.25 * 0.75 / 4 + z/64)) / (1 + z/4), with z = 1.96 squared
    assert result["ci95_strict"] == pytest.approx([0.04559, 0.69936], abs=1e-5)
    assert (result["by_type"]["a"]["n"], result["by_type"]["a"]["reward_mean"], result["by_type"]["a"]["success_strict"]) == (
        3,
        2 / 3,
        1 / 3,
    )
    assert (result["by_type"]["b"]["n"], result["by_type"]["b"]["errors"], result["by_type"]["b"]["reward_mean"]) == (1, 1, 0.5)
    assert [(one.get("reward"), one.get("strict")) for one in result["episodes"]] == [
        (1.0, True), (1.0, False), (0.5, False), (None, None), (0.0, False),
    ]  # fmt: skip


def test_errors_are_no_defeats(episode: Callable[..., EpisodeRecord]) -> None:
    error = {"boundary": "decide", "kind": "K", "message": "m"}
    none = summarize([episode(False, task_id=f"t{n}", steps=0, error=error) for n in range(3)])
    assert (none["n"], none["errors"], none["success"], none["ci95"], none["steps_mean"]) == (0, 3, None, None, None)
    assert none["by_type"]["a"] == {"n": 0, "errors": 3, "success": None, "ci95": None}
    json.dumps(none, allow_nan=False)
    # Won, and then something failed: it was not played to its end either.
    late = summarize([episode(True, task_id="t1", error=error), episode(False, task_id="t2")])
    assert (late["n"], late["errors"], late["success"]) == (1, 1, 0.0)
    # Of three attempts at each of two tasks one failed: pass@k is over the task whose attempts were all played.
    tries = [episode(True, task_id="t1"), episode(False, task_id="t1", attempt=1), episode(False, task_id="t1", attempt=2)]
    tries += [episode(True, task_id="t2"), episode(False, task_id="t2", attempt=1, error=error), episode(True, task_id="t2", attempt=2)]
    several = summarize(tries, 3)
    assert (several["n"], several["errors"], several["success"]) == (2, 1, 1.0)
    assert several["pass_at_k"] == pytest.approx({"1": 1 / 3, "2": 2 / 3, "3": 1.0})
    assert summarize(tries[3:], 3)["pass_at_k"] == {"1": None, "2": None, "3": None}


def test_with_attempts_the_first_counts_and_pass_at_k_estimates_the_rest(episode: Callable[..., EpisodeRecord]) -> None:
    outcomes = {"t1": (False, True, True), "t2": (True, False, False), "t3": (False, False, False)}
    records = [episode(won, task_id=task, attempt=n, steps=n + 1) for task, all_won in outcomes.items() for n, won in enumerate(all_won)]
    result = summarize(records, 3)
    assert (result["n"], result["success"], result["steps_mean"], result["decisions"]) == (3, 1 / 3, 1.0, 18)
    # Of the three pairs of attempts, all have a success at t1, two at t2.
    assert result["pass_at_k"] == pytest.approx({"1": (2 / 3 + 1 / 3) / 3, "2": (1 + 2 / 3) / 3, "3": 2 / 3})
    assert len(result["episodes"]) == 9


def test_attempts_differ_and_each_task_has_its_own(spec: HarnessSpec) -> None:
    result = evaluate(CONFIG, spec, "test", tasks=2, attempts=3)
    assert [(e["task_id"], e["attempt"]) for e in result["episodes"]] == [
        (task.task_id, attempt) for task in tasks(ENV, "test", 2, rooms=["bathroom"]) for attempt in range(3)
    ]
    assert len({e["trace_hash"] for e in result["episodes"]}) == 6
    assert set(result["pass_at_k"]) == {"1", "2", "3"}
    # The first attempt is what it is without others.
    alone = evaluate(CONFIG, spec, "test", tasks=2)
    assert [e["trace_hash"] for e in alone["episodes"]] == [e["trace_hash"] for e in result["episodes"][::3]]
    assert evaluate(CONFIG, spec, "test", tasks=2, seed=1)["trace_hash"] != alone["trace_hash"]


def test_the_same_trace_hash_for_one_and_two_workers(spec: HarnessSpec) -> None:
    one = evaluate(CONFIG, spec, "test", tasks=4, attempts=2)
    assert lasting(evaluate(CONFIG, spec, "test", tasks=4, attempts=2, workers=2)) == lasting(one)


def test_in_a_run_directory_nothing_is_played_twice(spec: HarnessSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, int, str]] = []

    def note(done: int, total: int, record: EpisodeRecord) -> None:
        seen.append((done, total, record.task_id))

    ids = [task.task_id for task in tasks(ENV, "test", 3, rooms=["bathroom"])]
    two = evaluate(CONFIG, spec, "test", tasks=2, run_dir=tmp_path, on_record=note)
    assert seen == [(1, 2, ids[0]), (2, 2, ids[1])]
    three = evaluate(CONFIG, spec, "test", tasks=3, run_dir=tmp_path, on_record=note)
    assert seen[2:] == [(3, 3, ids[2])]  # two were known
    assert three["episodes"][:2] == two["episodes"]
    monkeypatch.setattr(rollout, "run_episode", None)
    again = evaluate(CONFIG, spec, "test", tasks=3, run_dir=tmp_path, on_record=note)
    assert len(seen) == 3
    assert lasting(again) == lasting(three)
    with Store(tmp_path, readonly=True) as store:
        assert [(item["n"], item["trace_hash"]) for item in store.events("evaluation")] == [
            (result["n"], result["trace_hash"]) for result in (two, three, again)
        ]
        assert store.events("evaluation")[0]["won"] == {e["task_id"]: e["won"] for e in two["episodes"]}


@pytest.mark.parametrize(
    ("config", "changes"),
    [
        (RolloutConfig(ENV, "no-model", 6, {"rooms": ["bathroom"]}), {}),
        (RolloutConfig(ENV, "random", 5, {"rooms": ["bathroom"]}), {}),
        (CONFIG, {"seed": 1}),
    ],
)
def test_other_settings_are_other_episodes(spec: HarnessSpec, tmp_path: Path, config: RolloutConfig, changes: dict[str, int]) -> None:
    evaluate(CONFIG, spec, "test", tasks=1, run_dir=tmp_path)
    played: list[int] = []
    evaluate(config, spec, "test", tasks=1, run_dir=tmp_path, on_record=lambda done, total, record: played.append(done), **changes)
    assert played == [1]


def test_a_broken_task_stops_no_other_and_is_played_once_it_is_mended(
    spec: HarnessSpec, tmp_path: Path, torn: Callable[[str], Any]
) -> None:
    broken = tasks(ENV, "test", 2, rooms=["bathroom"])[1].task_id
    with torn(broken):
        result = evaluate(CONFIG, spec, "test", tasks=3, run_dir=tmp_path)
    errors = [e["error"] for e in result["episodes"]]
    assert errors == [None, {"boundary": "reset", "kind": "EnvError", "message": "the file is torn"}, None]
    assert [e["steps"] for e in result["episodes"]] == [6, 0, 6]
    played: list[str] = []
    mended = evaluate(CONFIG, spec, "test", tasks=3, run_dir=tmp_path, on_record=lambda done, total, record: played.append(record.task_id))
    assert played == [broken]
    assert lasting(mended) == lasting(evaluate(CONFIG, spec, "test", tasks=3))


def test_a_model_that_is_not_there_makes_no_directory(spec: HarnessSpec, tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError):
        evaluate(RolloutConfig(ENV, "nobody"), spec, "test", tasks=1, run_dir=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_token_counters_of_kept_episodes_count(
    spec: HarnessSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, episode: Callable[..., EpisodeRecord]
) -> None:
    class Scripted:
        def __init__(self, config: RolloutConfig, workers: int, cluster: str | None) -> None:
            self.policy = SimpleNamespace(name="nobody", fingerprint={"policy": "nobody"}, has_model=True)
            self.config = config

        def __enter__(self) -> "Scripted":
            return self

        def __exit__(self, *_: object) -> None: ...

        def play(self, jobs: Sequence[Job], on_ahead: object = None) -> Iterator[EpisodeRecord]:
            yield from (episode(task_id=job.task.task_id, usage={"prompt_tokens": 7, "generated_tokens": 3}) for job in jobs)

    monkeypatch.setattr(evaluate_module, "Rollouts", Scripted)
    for _ in range(2):
        result = evaluate(CONFIG, spec, "test", tasks=2, run_dir=tmp_path)
        assert (result["prompt_tokens"], result["generated_tokens"], result["cached_tokens"]) == (14, 6, 0)


# --- who decided, and the twins

PRESS = RolloutConfig("Quarry-v0", "tiny", 1, {"types": ["press"]})
"""One step, five commands: whoever says `press` wins."""


class Says(Scripted):
    """A model that always says the same."""

    def __init__(self, reply: str) -> None:
        super().__init__(name="tiny")
        self.reply = reply

    def chat(self, prompt: Prompt, generation: Generation, tools: Sequence[Tool] = ()) -> Reply:
        self.enqueue(self.reply)
        return super().chat(prompt, generation, tools)


@pytest.fixture
def says(monkeypatch: pytest.MonkeyPatch, quarry: object) -> Callable[[str], list[Says]]:
    """Put models that always say the same in the place of all models; returns those that were loaded."""

    def put(reply: str) -> list[Says]:
        loaded: list[Says] = []

        def load(name: str, **settings: Any) -> Says:
            loaded.append(Says(reply))
            return loaded[-1]

        monkeypatch.setattr(names, "load", load)
        return loaded

    return put


class Dictates(Processor):
    """Writes the next command into the prompt, after what is there: a model need only copy it."""

    name, hook, dimension, schema = "dictates", "before_model", "context", {}

    def process(self, event: Any) -> dict[str, Any]:
        return {"content": f"{event.content}\nThe next command is: press"}


class Needy(Processor):
    """Asks the model, and does not ask whether there is one."""

    name, hook, dimension, schema = "needy", "before_model", "evaluation", {}

    def process(self, event: Any) -> None:
        assert self.services.score("Is it day or night?", ["day", "night"])  # type: ignore[misc]


@pytest.fixture
def harness(monkeypatch: pytest.MonkeyPatch) -> Callable[..., HarnessSpec]:
    """Make the generic harness with processors of these tests at its end."""
    for processor in (Dictates, Needy):
        monkeypatch.setitem(REGISTRY, processor.name, processor)

    def make(*uses: str) -> HarnessSpec:
        return HarnessSpec.load("generic-act").patch([{"op": "add", "path": f"/components/{use}", "value": component(use)} for use in uses])

    return make


REPAIR = {
    "use": "code", "hook": "after_model", "dimension": "evaluation", "params": {},
    "source": "def process(event):\n    return None if event['command'] in event['admissible'] else {'command': 'press'}\n",
}  # fmt: skip
ONLY = {
    "use": "code", "hook": "before_model", "dimension": "control", "params": {},
    "source": (
        "def process(event):\n"
        "    how = {**event['choice'], 'method': 'rank'}\n"
        "    return {'candidates': ['press'], 'prior': [0.0], 'choice': how} if 'press' in event['candidates'] else None\n"
    ),
}  # fmt: skip


def _rule(signal: str, **when: int) -> dict[str, Any]:
    """Return what to add to a harness: a rule that leaves only `press` on offer once a signal is seen."""
    patch = [{"op": "add", "path": "/components/only", "value": ONLY}]
    return {"path": "/adaptations", "value": [{"name": "act", "when": {"signal": signal, **when}, "patch": patch}]}


def test_a_model_that_knows_what_its_harness_does_not_is_worth_the_difference(
    says: Callable[[str], list[Says]], harness: Callable[..., HarnessSpec]
) -> None:
    loaded = says("press")
    result = json.loads(json.dumps(evaluate(PRESS, harness(), "test", twins=True)))
    alone = {name: evaluate(replace(PRESS, policy=name), harness(), "test") for name in TWINS}
    on_validation = {name: evaluate(replace(PRESS, policy=name), harness(), "validation")["success"] for name in TWINS}
    assert result["success"] == 1.0
    assert result["twins"] == {name: one["success"] for name, one in alone.items()}
    assert result["best_twin"] == max(TWINS, key=lambda name: on_validation[name])
    best = {e["task_id"]: e["won"] for e in alone[result["best_twin"]]["episodes"]}
    points, *ends = paired_gain([best[e["task_id"]] for e in result["episodes"]], [e["won"] for e in result["episodes"]])
    assert (result["model_value"]["points"], result["model_value"]["ci95"], result["model_value"]["n"]) == (points, ends, 6)
    # The goal says `press`, too; but no harness wrote that.
    assert points > 0
    assert ends[0] <= result["model_value"]["lower90"] <= points
    assert "model_value_why" not in result
    assert [len(backend.calls) for backend in loaded] == [6]  # one a task: the twins asked nothing
    # Whoever decides, it was the model; where the twin would have said the same, they agreed.
    assert (result["model_share"], result["model_share_won"], result["unreadable"], result["cut"]) == (1.0, 1.0, 0.0, 0.0)
    agreed = sum(best.values())
    assert result["decided_by"] == {"model": 6 - agreed, "agreed": agreed, "reading": 0, "harness": 0, "fallback": 0}
    assert [e["model_share"] for e in result["episodes"]] == [1.0] * 6


def test_a_model_that_copies_what_its_harness_wrote_is_worth_nothing(
    says: Callable[[str], list[Says]], harness: Callable[..., HarnessSpec]
) -> None:
    says("press")
    result = evaluate(PRESS, harness("dictates"), "test", twins=True)
    assert (result["success"], result["best_twin"], result["twins"]["echo"]) == (1.0, "echo", 1.0)
    assert (result["model_value"]["points"], result["model_value"]["ci95"]) == (0.0, [0.0, 0.0])
    assert result["decided_by"]["agreed"] == 6


def test_a_model_that_repeats_a_sentence_decides_nothing(says: Callable[[str], list[Says]], harness: Callable[..., HarnessSpec]) -> None:
    says("I am happy to help you")
    result = evaluate(PRESS, harness(), "test", twins=True)
    assert (result["success"], result["model_share"], result["unreadable"], result["model_share_won"]) == (0.0, 0.0, 1.0, None)
    assert result["decided_by"]["fallback"] == 6
    assert result["model_value"]["points"] <= 0.0


@pytest.mark.parametrize(
    ("change", "steps"),
    [
        ({"path": "/components/mend", "value": REPAIR}, 1),
        (_rule("unusable", at_least=1), 2),
        (_rule("refused", at_least=1, of_last=1), 2),
    ],
    ids=["repair", "unusable", "refused"],
)
def test_a_harness_that_acts_where_replies_cannot_be_read_buys_no_value(
    change: dict[str, Any], steps: int, says: Callable[[str], list[Says]], harness: Callable[..., HarnessSpec]
) -> None:
    says("I am happy to help you")
    spec = harness().patch([{"op": "add", **change}])
    result = evaluate(replace(PRESS, max_steps=steps), spec, "test", twins=True)
    # The twins' commands can always be read and sent: beside them, nothing acts.
    assert (result["success"], result["model_share"]) == (1.0, 0.0)
    alone = round(6 * result["twins"][result["best_twin"]])
    assert alone < 6
    worth = result["model_value"]
    assert (worth["points"], worth["ci95"], worth["n"], worth["undecided"]) == (0.0, [0.0, 0.0], 6, 6 - alone)


def test_a_win_that_the_model_had_a_part_in_is_its_own(says: Callable[[str], list[Says]], harness: Callable[..., HarnessSpec]) -> None:
    says("press")
    result = evaluate(PRESS, harness().patch([{"op": "add", "path": "/components/mend", "value": REPAIR}]), "test", twins=True)
    assert result["model_value"]["points"] > 0
    assert "undecided" not in result["model_value"]


def test_a_harness_that_fails_without_a_model_has_no_value(says: Callable[[str], list[Says]], harness: Callable[..., HarnessSpec]) -> None:
    says("press")
    result = evaluate(PRESS, harness("needy"), "test", twins=True)
    assert result["model_value"] is None
    assert result["model_value_why"].startswith("a processor failed for twin no-model alone, at task test/press-0: TypeError at needy at ")
    assert set(result["twins"]) == set(TWINS)


def test_a_twin_that_fails_on_validation_is_no_measure_either(
    says: Callable[[str], list[Says]], harness: Callable[..., HarnessSpec], monkeypatch: pytest.MonkeyPatch, quarry: Any
) -> None:
    says("press")
    reset = quarry.reset

    def torn(self: Any, *, seed: Any = None, options: Any = None) -> Any:
        if options["task"] == "validation/press-2":
            raise EnvError("the file is torn")
        return reset(self, seed=seed, options=options)

    monkeypatch.setattr(quarry, "reset", torn)
    result = evaluate(PRESS, harness(), "test", twins=True)
    assert result["model_value"] is None
    assert result["model_value_why"] == (
        "on validation, twin no-model failed at task validation/press-2: EnvError at reset: the file is torn"
    )


def test_a_policy_without_a_model_has_no_share_and_no_value(harness: Callable[..., HarnessSpec], quarry: object) -> None:
    result = evaluate(replace(PRESS, policy="executor"), harness(), "test", twins=True)
    assert (result["model_share"], result["model_share_won"], result["unreadable"], result["cut"]) == (None, None, None, None)
    assert [e["model_share"] for e in result["episodes"]] == [None] * 6
    assert (result["model_value"], result["model_value_why"]) == (None, "executor is no model")
    assert result["twins"]["executor"] == result["success"]


def test_a_twin_that_is_the_policy_itself_is_kept_once(harness: Callable[..., HarnessSpec], quarry: object, tmp_path: Path) -> None:
    evaluate(replace(PRESS, policy="echo"), harness(), "test", twins=True, run_dir=tmp_path)
    assert [item["policy"] for item in Store(tmp_path).events("evaluation")] == ["echo", *(name for name in TWINS if name != "echo")]


def test_on_validation_the_twin_is_chosen_on_the_tasks_themselves(
    says: Callable[[str], list[Says]], harness: Callable[..., HarnessSpec], quarry: Any
) -> None:
    says("press")
    result = evaluate(PRESS, harness(), "validation", twins=True)
    assert set(quarry.played) == {f"validation/press-{n}" for n in range(6)}
    assert result["twins"][result["best_twin"]] == max(result["twins"].values())


def test_the_best_twin_is_the_reference_of_the_models_steps(says: Callable[[str], list[Says]], harness: Callable[..., HarnessSpec]) -> None:
    # `echo` copies `press`, and is the reference where no twin was chosen; the best twin of the plain harness may say other things.
    says("press")
    spec = harness()
    with_twins = evaluate(PRESS, spec, "test", twins=True)
    best = with_twins["best_twin"]
    won = sum(e["won"] for e in evaluate(replace(PRESS, policy=best), spec, "test")["episodes"])
    assert with_twins["decided_by"]["agreed"] == won
    plain = evaluate(PRESS, spec, "test")
    assert [e["play_hash"] for e in plain["episodes"]] == [e["play_hash"] for e in with_twins["episodes"]]
    assert not {"twins", "best_twin", "model_value"} & set(plain)


def test_with_several_attempts_twins_play_the_first(says: Callable[[str], list[Says]], harness: Callable[..., HarnessSpec]) -> None:
    says("press")
    one = evaluate(PRESS, harness(), "test", twins=True)
    three = evaluate(PRESS, harness(), "test", attempts=3, twins=True)
    assert (three["twins"], three["best_twin"], three["model_value"]) == (one["twins"], one["best_twin"], one["model_value"])
    assert three["decided_by"] == one["decided_by"]


def test_a_run_keeps_an_evaluation_of_each_twin_and_plays_none_twice(
    says: Callable[[str], list[Says]], harness: Callable[..., HarnessSpec], tmp_path: Path, quarry: Any
) -> None:
    says("press")
    spec = harness("dictates")
    first = evaluate(PRESS, spec, "test", twins=True, run_dir=tmp_path)
    quarry.played.clear()
    again = evaluate(PRESS, spec, "test", twins=True, run_dir=tmp_path)
    evaluate(replace(PRESS, policy="echo"), spec, "test", run_dir=tmp_path)
    assert quarry.played == []
    assert lasting(again) == lasting(first)
    with Store(tmp_path, readonly=True) as store:
        kept = store.events("evaluation")
        evaluated = {key for item in store.events("evaluating") for key in item["keys"]}
        assert evaluated == set(store.episodes())
    assert [item["policy"] for item in kept] == ["tiny", *TWINS, "tiny", *TWINS, "echo"]
    assert kept[0]["model_value"] == first["model_value"]
    assert [item["success"] for item in kept[1:5]] == list(first["twins"].values())
    assert kept[-1]["won"] == kept[3]["won"] == {f"test/press-{n}": True for n in range(6)}
