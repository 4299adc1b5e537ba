"""The controls of a real small run, without a model."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from homebody.agents.errors import FailedError
from homebody.agents.harness.spec import HarnessSpec
from homebody.agents.models import names
from homebody.agents.models.backend import Prompt, Tool
from homebody.agents.models.generation import Generation, Reply
from homebody.agents.models.scripted import Scripted
from homebody.agents.rollout import RolloutConfig
from homebody.evolution.config import EvolveConfig
from homebody.evolution.controls import baselines as module
from homebody.evolution.controls import cost
from homebody.evolution.controls.baselines import play_controls, skills, without_skills
from homebody.evolution.controls.cost import MOST_ATTEMPTS, equal_attempts, mean_of_seed, needed_s
from homebody.evolution.controls.evaluation import evaluate
from homebody.evolution.controls.markdown import controls_markdown
from homebody.evolution.controls.rows import BASELINES, ControlError, Plan
from homebody.evolution.loop import evolve
from homebody.evolution.reports.lineage import read_lineage
from homebody.evolution.store import Store


@pytest.fixture(scope="module")
def played(quarry_run: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any], list[tuple[str, int, int, str]]]:
    """All rows of a run, and what was told."""
    run_dir = Path(shutil.copytree(quarry_run, tmp_path_factory.mktemp("controls") / "run"))
    told: list[tuple[str, int, int, str]] = []
    result = play_controls(run_dir, Plan(attempts=2, seed_tasks=6), on_episode=lambda *what: told.append(what))
    return run_dir, result, told


def rows(result: dict[str, Any]) -> dict[str, Any]:
    return {row["row"]: row for row in result["rows"]}


def test_every_row_is_played_or_left_out_with_a_reason(played: Any) -> None:
    _, result, _ = played
    twins = {f"{key} {name}" for key in ("seed", "final") for name in ("no-model", "random", "echo", "executor")}
    assert set(rows(result)) == {"seed", "final", *twins, "noop", "random-edits", "no-skills", "best-of-n", "ablation r1c1"}
    assert result["skipped"] == {
        "peak": "the held-out protocol takes the final harness, never the best round",
        "matcher": "the environment has no reader of goals",
        "scripted": "the environment has no scripted",
        "expert": "the environment has no expert",
        "incremental": "no harness lies between the seed and the final one",
    }
    assert [row["row"].split()[0] for row in result["rows"]] == sorted(
        (row["row"].split()[0] for row in result["rows"]), key=list(BASELINES).index
    )


def test_rows_are_of_the_tasks_that_were_asked_for(played: Any) -> None:
    _, result, _ = played
    found = rows(result)
    assert found["final"]["n"] == found["final random"]["n"] == 12
    assert found["seed"]["n"] == found["seed random"]["n"] == found["best-of-n"]["n"] == found["noop"]["n"] == 6
    assert result["run"]["split"] == "test"
    assert result["run"]["max_steps"] == 8


def test_the_gain_of_empty_edits_is_exactly_nothing(played: Any) -> None:
    _, result, _ = played
    noop = rows(result)["noop"]
    assert noop["gain"]["points"] == 0.0
    assert noop["gain"]["ci95"] == [0.0, 0.0]
    assert noop["behaviour_hash"] == rows(result)["seed"]["behaviour_hash"]
    assert "0 edits shipped" in noop["label"]


def test_the_random_evolution_keeps_to_the_budget(played: Any) -> None:
    run_dir, result, _ = played
    with Store(run_dir / "controls" / "random", readonly=True) as store:
        end, start = store.events("end")[-1], store.events("start")[0]
    assert end["episodes"] <= start["budget_episodes"] == result["run"]["episodes"]
    assert f"{end['episodes']} of {start['budget_episodes']} episodes" in rows(result)["random-edits"]["label"]


def test_best_of_n_has_as_much_as_the_evolution(played: Any) -> None:
    _, result, _ = played
    best = rows(result)["best-of-n"]
    episodes = result["run"]["episodes"]
    assert best["attempts"] * 6 >= episodes > (best["attempts"] - 1) * 6
    assert f"best of {best['attempts']} attempts" in best["label"]
    assert "as many episodes as the evolution" in best["label"]


def test_pass_at_2_is_of_the_seed_and_the_final_harness(played: Any) -> None:
    _, result, _ = played
    assert set(rows(result)["final"]["pass_at_k"]) == {"1", "2"}
    assert "pass_at_k" not in rows(result)["final random"]
    assert result["gain_at_k"]["k"] == 2


def test_the_edit_is_what_the_gain_is_due_to(played: Any) -> None:
    _, result, _ = played
    (edit,) = result["attribution"]["edits"]
    assert edit["edit"] == "r1c1"
    assert rows(result)["ablation r1c1"]["behaviour_hash"] == rows(result)["seed"]["behaviour_hash"]
    # Without its only edit the final harness is the seed, so the edit explains all of the gain on the tasks that both were given.
    assert edit["added"] == result["gain"]["points"] > 0


def test_the_audit_is_part_of_the_result(played: Any) -> None:
    _, result, _ = played
    assert [finding["ok"] for finding in result["audit"]] == [True] * 8


def test_nothing_is_played_twice(played: Any) -> None:
    run_dir, result, told = played
    assert {what[0] for what in told} >= {"final", "random-edits"}
    again: list[Any] = []
    assert play_controls(run_dir, Plan(attempts=2, seed_tasks=6), on_episode=lambda *what: again.append(what)) == result
    assert again == []
    with Store(run_dir, readonly=True) as store:
        assert len(store.events("controls")) == 1


def test_rows_can_be_chosen(played: Any) -> None:
    run_dir, result, _ = played
    some = play_controls(run_dir, Plan(attempts=2, seed_tasks=6, only=("final", "seed")))
    assert [row["row"].partition(" ")[0] for row in some["rows"]] == ["seed"] * 5 + ["final"] * 5
    assert some["gain"] == result["gain"]
    assert some["attribution"] is None


def test_after_the_time_what_a_gain_needs_is_played_and_nothing_else_that_asks(quarry_run: Path, tmp_path: Path) -> None:
    run_dir = Path(shutil.copytree(quarry_run, tmp_path / "run"))
    result = play_controls(run_dir, Plan(only=("seed", "final", "noop", "random-edits"), tasks=4, minutes=0.0))
    assert {row.partition(" ")[0] for row in rows(result)} == {"seed", "final"}
    assert result["gain"]["n"] == 4
    assert result["skipped"] == {
        key: f"the 0 minutes did not suffice; homebody controls RUN_DIR --only {key} --tasks 4 plays it" for key in ("noop", "random-edits")
    }


def test_a_plan_tells_the_options_that_play_the_same() -> None:
    assert Plan().settings() == ""
    told = Plan("validation", 40, 10, 2, "tokens", ("seed",), 3.0).settings()
    assert told == " --split validation --tasks 40 --seed-tasks 10 --attempts 2 --equal tokens"


def test_a_final_harness_that_is_the_seed_is_not_played_further(quarry_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_dir = Path(shutil.copytree(quarry_run, tmp_path / "run"))
    lineage = read_lineage(run_dir)
    (run_dir / "final.json").write_text(lineage.seed.dumps())
    monkeypatch.setattr(module, "read_lineage", lambda run_dir, data_dir: replace(lineage, edits=(), given=lineage.seed))
    result = play_controls(run_dir, Plan(only=("seed", "final"), tasks=4, seed_tasks=2))
    assert [row["n"] for row in result["rows"]] == [2] * 10
    assert (result["gain"]["n"], result["gain"]["points"]) == (2, 0.0)


def test_attempts_can_be_equal_in_tokens(quarry_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_dir = Path(shutil.copytree(quarry_run, tmp_path / "run"))
    (row,) = play_controls(run_dir, Plan(only=("best-of-n",), equal="tokens", tasks=2))["rows"]
    assert row["attempts"] == 2  # no model, no tokens: the least that is a choice
    monkeypatch.setattr(cost, "mean_of_seed", lambda lineage, *counters: 10.0)
    lineage = read_lineage(run_dir)
    object.__setattr__(lineage, "end", {**lineage.end, "tokens": 61})
    assert equal_attempts(lineage, Plan(equal="tokens", tasks=2)) == (
        4,
        "at least as many",
    )  # 61 tokens of 10 an episode, on 2 tasks: 3.05
    object.__setattr__(lineage, "end", {**lineage.end, "tokens": 10**9})
    assert equal_attempts(lineage, Plan(equal="tokens", tasks=2)) == (MOST_ATTEMPTS, "fewer")


def test_means_are_of_the_seed(quarry_run: Path) -> None:
    assert mean_of_seed(read_lineage(quarry_run), "prompt_tokens", "generated_tokens") == 0.0


def test_a_row_that_would_end_too_late_at_the_pace_of_the_seed_is_not_begun_unless_it_is_there(
    quarry_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_dir = Path(shutil.copytree(quarry_run, tmp_path / "run"))
    lineage, chosen = read_lineage(run_dir), ("seed", "final", "noop", "best-of-n", "random-edits", "ablation")
    plan = Plan(tasks=4, seed_tasks=2, only=chosen, minutes=1.0)
    monkeypatch.setattr(cost, "mean_of_seed", lambda lineage, *counters: 40.0 if "seconds" in counters else 10.0)
    episodes = lineage.end["episodes"]
    needed = {key: needed_s(key, lineage, plan, 2) for key in ("final", "ablation r1c1", "best-of-n", "random-edits")}
    # Best-of-N: as many episodes as the evolution had, at least, on two tasks.
    most = 2 * -(-episodes // 2)
    assert needed == {"final": 0.0, "ablation r1c1": 4 * 20.0, "best-of-n": most * 20.0, "random-edits": (episodes + 2) * 20.0}
    result = play_controls(run_dir, plan, workers=1)
    assert {row.partition(" ")[0] for row in rows(result)} == {"seed", "final", "noop"}
    late = "the 1 minutes did not suffice; homebody controls RUN_DIR --only "
    assert result["skipped"] == {
        "ablation r1c1": f"{late}ablation --tasks 4 --seed-tasks 2 plays it",
        "best-of-n": f"{late}best-of-n --tasks 4 --seed-tasks 2 plays it",
        "random-edits": f"{late}random-edits --tasks 4 --seed-tasks 2 plays it",
    }
    play_controls(run_dir, Plan(tasks=4, seed_tasks=2, only=("ablation", "random-edits")))
    later = {row.partition(" ")[0] for row in rows(play_controls(run_dir, plan))}
    assert later == {"seed", "final", "noop", "random-edits", "ablation"}


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        (Plan(only=("sed",)), "no row is called 'sed'; did you mean seed"),
        (Plan(only=("seed", "executor")), "no row is called 'executor'; there are seed, final, noop"),
        (Plan(equal="steps"), "best-of-N can be equal in episodes or tokens, not in 'steps'"),
        (Plan(attempts=0), "attempts is 0; it must be at least 1"),
    ],
)
def test_a_plan_that_is_not_possible_says_so(quarry_run: Path, plan: Plan, said: str) -> None:
    with pytest.raises(ControlError, match=said):
        play_controls(quarry_run, plan)


def test_errors_of_all_episodes_end_the_controls(quarry_run: Path, tmp_path: Path, quarry: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    run_dir = Path(shutil.copytree(quarry_run, tmp_path / "run"))

    def broken(self: Any, action: str) -> Any:
        raise RuntimeError("the shaft fell in")

    monkeypatch.setattr(quarry, "step", broken)
    with pytest.raises(FailedError, match=r"row final: errors ended all 2 episodes; the first, test/bring-0: \w+ at step: .*the shaft"):
        play_controls(run_dir, Plan(only=("final",), tasks=2))


def test_errors_of_some_episodes_are_counted_and_played_again(
    quarry_run: Path, tmp_path: Path, quarry: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_dir = Path(shutil.copytree(quarry_run, tmp_path / "run"))
    whole = quarry.step

    def broken(self: Any, action: str) -> Any:
        if self.task == "test/bring-0":
            raise RuntimeError("the shaft fell in")
        return whole(self, action)

    with monkeypatch.context() as patch:
        patch.setattr(quarry, "step", broken)
        partial = play_controls(run_dir, Plan(only=("seed", "final", "best-of-n"), tasks=2, equal="tokens"))
    found = rows(partial)
    assert [(found[key]["n"], found[key]["errors"]) for key in ("seed", "final")] == [(1, 1), (1, 1)]
    assert (found["best-of-n"]["n"], found["best-of-n"]["errors"]) == (1, found["best-of-n"]["attempts"])
    assert found["final"]["gain"]["n"] == 1  # on the task that both played
    assert ", 1 error" in controls_markdown(partial)
    again = rows(play_controls(run_dir, Plan(only=("seed", "final"), tasks=2)))
    assert [(again[key]["n"], again[key]["errors"]) for key in ("seed", "final")] == [(2, 0), (2, 0)]


def test_skills_are_left_out_and_the_harnesses_in_between_played(baseline: Any, tmp_path: Path) -> None:
    run_dir = Path(shutil.copytree(baseline.run_dir, tmp_path / "run"))
    lineage = read_lineage(run_dir)
    assert lineage.replayed.id_of("location_memory")
    result = play_controls(run_dir, Plan(only=("no-skills", "incremental", "scripted", "expert"), tasks=2))
    assert {"no-skills", "incremental r1c1", "scripted", "expert"} <= set(rows(result))
    assert rows(result)["expert"]["success"] <= 1.0
    assert {lineage.replayed.components[name]["use"] for name in skills(lineage.replayed)} >= {"location_memory"}
    bare = without_skills(lineage.replayed)
    assert not [item for item in bare.components.values() if item["use"] in ("location_memory", "learned_plan", "open_and_compare")]
    assert rows(result)["no-skills"]["behaviour_hash"] == bare.behaviour_hash


def test_a_run_that_shipped_nothing_has_no_ablation(tmp_path: Path) -> None:
    sizes = {"rounds": 1, "train_tasks": 2, "validation_tasks": 2, "max_steps": 3}
    evolve(EvolveConfig("Quarry-v0", "no-model", "generic-act", proposer="noop", **sizes), tmp_path)
    result = play_controls(tmp_path, Plan(only=("ablation", "final"), tasks=2))
    assert result["skipped"] == {"ablation": "no edit was shipped"}
    assert rows(result)["final"]["behaviour_hash"] == HarnessSpec.load("generic-act").behaviour_hash


def test_an_ablation_that_cannot_be_told_apart_is_left_out(quarry_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_dir = Path(shutil.copytree(quarry_run, tmp_path / "run"))
    from homebody.evolution.controls.ablation import Ablation

    def none(lineage: Any) -> list[Ablation]:
        return [Ablation(edit, (edit,), None, "it moved") for edit in lineage.edits]

    monkeypatch.setattr(module, "leave_one_out", none)
    result = play_controls(run_dir, Plan(only=("ablation",), tasks=2))
    assert result["skipped"] == {"ablation r1c1": "without r1c1 follow the learned plan: it moved"}


def test_an_environment_that_reads_goals_has_a_matcher(
    quarry_run: Path, tmp_path: Path, quarry: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_dir = Path(shutil.copytree(quarry_run, tmp_path / "run"))
    monkeypatch.setattr(quarry, "read_goal", lambda self: "sit down", raising=False)
    lost = rows(play_controls(run_dir, Plan(only=("final", "matcher"), tasks=4)))
    assert lost["matcher"]["policy"] == "matcher"
    assert lost["matcher"]["behaviour_hash"] == lost["final"]["behaviour_hash"]
    assert lost["matcher"]["n"] == 4


def test_an_environment_names_its_own_policy_and_what_is_played(
    quarry_run: Path, tmp_path: Path, quarry: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_dir = Path(shutil.copytree(quarry_run, tmp_path / "run"))
    info = quarry.info
    monkeypatch.setattr(quarry, "scripted_policy", lambda self: ["wait"], raising=False)
    monkeypatch.setattr(quarry, "online_label", "waits for ever", raising=False)
    monkeypatch.setattr(quarry, "about", "two kinds of goal", raising=False)
    monkeypatch.setattr(quarry, "info", lambda self: {**info(self), "success_strict": False})
    result = play_controls(run_dir, Plan(only=("scripted", "best-of-n"), tasks=2))
    found = rows(result)
    assert result["run"]["about"] == "two kinds of goal"
    assert found["scripted"]["label"] == "waits for ever"
    assert (found["scripted"]["reward_mean"], found["scripted"]["success_strict"]) == (0.0, 0.0)
    # They are figures of first attempts, and this row counts the best.
    assert not {"reward_mean", "success_strict", "ci95_strict"} & set(found["best-of-n"])


@pytest.fixture
def pressed(quarry: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run of one round with a model that always says `press`, where `press` wins; the edit of its proposer changes nothing of that."""

    class Says(Scripted):
        def chat(self, prompt: Prompt, generation: Generation, tools: Sequence[Tool] = ()) -> Reply:
            self.enqueue("press")
            return super().chat(prompt, generation, tools)

    monkeypatch.setattr(names, "load", lambda name, **settings: Says(name="tiny"))
    sizes = {"rounds": 1, "train_tasks": 2, "validation_tasks": 6, "max_steps": 1, "exploration_steps": 0}
    evolve(EvolveConfig("Quarry-v0", "tiny", "generic-act", proposer="noop", env_kwargs={"types": ["press"]}, **sizes), tmp_path / "run")
    return tmp_path / "run"


def test_a_model_stands_beside_its_twins(pressed: Path) -> None:
    result = play_controls(pressed, Plan(only=("seed", "final")))
    found = rows(result)
    final = found["final"]
    names = ("no-model", "random", "echo", "executor")
    assert final["twins"] == {name: found[f"final {name}"]["success"] for name in names}
    # It is chosen on the validation tasks, where each twin can be played by itself.
    rollout = RolloutConfig("Quarry-v0", "tiny", 1, {"types": ["press"]})
    spec = HarnessSpec.load("generic-act")
    alone = {name: evaluate(replace(rollout, policy=name), spec, "validation")["success"] for name in names}
    assert final["best_twin"] == max(names, key=lambda name: alone[name])
    assert final["model_value"]["points"] == pytest.approx(1.0 - found[f"final {final['best_twin']}"]["success"])
    assert (final["model_share"], final["unreadable"], final["cut"], final["errors"]) == (1.0, 0.0, 0.0, 0)
    assert [found[f"final {name}"]["model_share"] for name in names] == [None] * 4
    text = controls_markdown(result)
    best = f"best twin {final['best_twin']} {100 * final['twins'][final['best_twin']]:.1f}%"
    assert f"**100.0% to 100.0%, {best}**: gain +0.0 points" in text
    low, high = (100 * end for end in final["model_value"]["ci95"])
    worth = f"model_value {100 * final['model_value']['points']:+.1f} ({low:+.1f} to {high:+.1f})"
    assert f"\nEvolved harness: tiny 100.0%, {best}: {worth}\n" in text
    assert "\nSeed: tiny 100.0%, best twin " in text
    assert "| evolved harness, twin echo | 6 |" in text


def test_rows_without_a_model_say_nothing_of_one(played: Any) -> None:
    _, result, _ = played
    final = rows(result)["final"]
    assert (final["model_value"], final["model_value_why"], final["model_share"]) == (None, "no-model is no model", None)
    assert "twin" not in controls_markdown(result).partition("**: gain")[0].rpartition("**")[2]
    assert "model_value" not in controls_markdown(result)


def test_the_published_protocol_evolves_on_test_tasks_and_takes_the_best_round(tmp_path: Path, quarry: Any) -> None:
    config = EvolveConfig(
        "Quarry-v0", "no-model", "generic-act", env_kwargs={"types": ["bring", "wash"]}, max_steps=8, rounds=3, candidates=4,
        train_tasks=12, validation_tasks=12, growth=1, exploration_steps=6000, objective="success", protocol="published",
    )  # fmt: skip
    evolve(config, tmp_path)
    assert {task.partition("/")[0] for task in quarry.played} == {"test"}
    result = play_controls(tmp_path, Plan(attempts=2, only=("seed", "incremental", "final", "peak")))
    found = rows(result)
    tried = {name: row["pass_at_k"]["2"] for name, row in found.items() if name in ("seed", "final") or name.startswith("incremental")}
    assert found["peak"]["pass_at_k"]["2"] == max(tried.values()) == 1.0
    assert set(found["peak"]["twins"]) == {"no-model", "random", "echo", "executor"}
    first = result["outcomes"]["peak"]["any"]
    assert sum(first.values()) / len(first) == found["peak"]["pass_at_k"]["2"]
    # The checks that no task of the test was seen would all fail, by design.
    assert [finding["check"] for finding in result["audit"]] == ["policy", "replay", "masks"]
    assert all(finding["ok"] for finding in result["audit"])
