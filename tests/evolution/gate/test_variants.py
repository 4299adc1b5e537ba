"""Variants in an evolution: the router that is learned, forks, what later edits do to them, when they are retired."""

import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import gymnasium
import pytest
from gymnasium.spaces import Text
from hypothesis import given
from hypothesis import strategies as st

from homebody.agents.content_hash import canonical
from homebody.agents.harness.library import REGISTRY, Processor
from homebody.agents.harness.spec import HarnessSpec, component, route_score
from homebody.agents.policy import Ties
from homebody.agents.record import EpisodeRecord
from homebody.envs import TaskSpec
from homebody.evolution.config import EvolveConfig
from homebody.evolution.gate.variants import fork, learn_route, rebase
from homebody.evolution.loop import evolve
from homebody.evolution.proposers import Candidate, Evidence
from homebody.evolution.proposers.registry import PROPOSERS, Entry
from homebody.evolution.reports.live import Live
from homebody.evolution.store import Store, holds

# --- the router


def test_weights_are_smoothed_log_odds_of_the_goals_words() -> None:
    route = learn_route(["open the blue gate", "open the blue door"], ["open the red door"])
    # (2 + 1) / (2 + 2) of the helped goals have "blue", (0 + 1) / (1 + 2) of the hurt ones.
    assert route["words"] == {
        "blue": round(math.log((3 / 4) / (1 / 3)), 3),
        "door": round(math.log((2 / 4) / (2 / 3)), 3),
        "gate": round(math.log((2 / 4) / (1 / 3)), 3),
        "red": round(math.log((1 / 4) / (2 / 3)), 3),
    }  # "open" and "the" stand in all of them
    assert route["bias"] == round(-math.log(3), 3)


WORD = st.sampled_from(["ash", "birch", "cedar", "elm", "fir"])
GOALS = st.lists(st.lists(WORD, min_size=1, max_size=4).map(" ".join), min_size=1, max_size=8)


@given(GOALS, GOALS)
def test_goals_without_a_known_word_never_leave_the_harness(helped: list[str], hurt: list[str]) -> None:
    assert route_score(learn_route(helped, hurt), "quite another thing") < 0


def test_words_that_all_goals_have_do_not_send_an_unknown_kind_away() -> None:
    route = learn_route(["open the blue door"] * 9, ["open the red door"] * 2)
    assert route_score(route, "open the blue door") > 0
    assert route_score(route, "open the red door") < 0
    assert route_score(route, "open the green door") < 0


# --- fork


def named(*items: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {item["use"]: item for item in items}


def spec_of(*items: dict[str, Any], **parts: Any) -> HarnessSpec:
    return HarnessSpec.from_json({"format": 2, "name": "test", "components": named(*items), **parts})


def outcomes(episode: Callable[..., EpisodeRecord], **by_goal: str) -> list[EpisodeRecord]:
    return [episode(mark == "+", goal=goal.replace("_", " ")) for goal, marks in by_goal.items() for mark in marks]


def test_a_fork_keeps_the_harness_and_adds_the_edit_for_the_goals_that_it_helps(episode: Any) -> None:
    spec = spec_of(component("goal_words"))
    edited = spec_of(component("goal_words"), component("loop_guard"))
    before = outcomes(episode, open_red="+++", open_blue="----", open_grey="+-")
    after = outcomes(episode, open_red="--+", open_blue="+++-", open_grey="+-")
    forked = fork(spec, edited, before, after, "v1")
    assert forked is not None
    assert forked.without_variants() == spec
    (variant,) = forked.variants
    assert (variant["name"], forked.variant(variant)) == ("v1", edited)
    assert forked.route("open blue") == variant
    assert forked.route("open red") is forked.route("open grey") is forked.route("wait") is None


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"open_red": "++", "open_blue": "--"}, {"open_red": "++", "open_blue": "++"}),  # hurts nothing
        ({"open_red": "++", "open_blue": "--"}, {"open_red": "--", "open_blue": "--"}),  # helps nothing
        ({"open_red": "+-+-"}, {"open_red": "-+-+"}),  # the words do not tell
        ({"open_red": "+", "open_blue": "-"}, {"open_red": "-", "open_blue": "+"}),  # one task each is too few: log 2 is less than log 3
    ],
)
def test_no_fork_where_goals_do_not_tell_gain_from_loss(episode: Any, before: dict[str, str], after: dict[str, str]) -> None:
    spec, edited = spec_of(), spec_of(component("loop_guard"))
    assert fork(spec, edited, outcomes(episode, **before), outcomes(episode, **after), "v1") is None


def test_no_fork_of_an_edit_that_changes_more_than_components(episode: Any) -> None:
    rule = {
        "name": "r",
        "when": {"signal": "steps_left", "at_most": 2},
        "patch": [{"op": "add", "path": "/components/loop_guard", "value": component("loop_guard")}],
    }
    before, after = outcomes(episode, open_red="+++", open_blue="---"), outcomes(episode, open_red="---", open_blue="+++")
    assert fork(spec_of(), spec_of(adaptations=[rule]), before, after, "v1") is None


# --- rebase


def varied(base: Sequence[dict[str, Any]], variant: Sequence[dict[str, Any]]) -> HarnessSpec:
    spec = spec_of(*base)
    patch = spec.diff(spec_of(*variant))
    return spec.with_variants([{"name": "v", "route": {"words": {"blue": 2.0}, "bias": -1.0}, "patch": patch}])


WORDS, LOOPS = component("goal_words", {"weight": 3.0}), component("loop_guard", {"repeats": 2})
HISTORY, MENU = component("history_window", {"turns": 4}), component("show_candidates")


@pytest.mark.parametrize(
    ("base", "variant", "new", "expected"),
    [
        # What the variant adds comes in beside what the edit has brought.
        ([WORDS], [WORDS, LOOPS], [HISTORY, WORDS, MENU], [HISTORY, WORDS, LOOPS, MENU]),
        # What it takes out stays out.
        ([WORDS, LOOPS], [LOOPS], [HISTORY, WORDS, LOOPS], [HISTORY, LOOPS]),
        # Parameter by parameter: the edit sets one, the variant another.
        (
            [component("loop_guard", {"repeats": 2})],
            [component("loop_guard", {"repeats": 3})],
            [component("loop_guard", {"repeats": 2}), MENU],
            [component("loop_guard", {"repeats": 3}), MENU],
        ),
        ([HISTORY], [component("history_window", {})], [HISTORY, WORDS], [component("history_window", {}), WORDS]),
        # The edit brings in what the variant has with a setting of its own.
        ([], [LOOPS], [component("loop_guard", {"repeats": 5})], [LOOPS]),
    ],
)
def test_a_variant_means_the_same_after_an_edit(
    base: list[dict[str, Any]], variant: list[dict[str, Any]], new: list[dict[str, Any]], expected: list[dict[str, Any]]
) -> None:
    kept, dropped = rebase(varied(base, variant), spec_of(*new))
    assert dropped == []
    edited = spec_of(*new).with_variants(kept)
    assert edited.variant(edited.variants[0]).components == named(*expected)
    assert edited.variants[0]["route"] == {"words": {"blue": 2.0}, "bias": -1.0}


@pytest.mark.parametrize(
    ("base", "variant", "new"),
    [
        ([LOOPS], [component("loop_guard", {"repeats": 3})], [WORDS]),  # what it set is gone
        ([WORDS], [WORDS, LOOPS], [WORDS, LOOPS]),  # the harness does it itself
        ([WORDS, LOOPS], [LOOPS], [LOOPS]),  # what it took out is gone
    ],
)
def test_a_variant_that_an_edit_overtakes_is_dropped(
    base: list[dict[str, Any]], variant: list[dict[str, Any]], new: list[dict[str, Any]]
) -> None:
    assert rebase(varied(base, variant), spec_of(*new)) == ([], ["v"])


def test_a_variant_that_would_break_the_new_harness_is_dropped() -> None:
    patch = [{"op": "add", "path": "/components/loop_guard", "value": LOOPS}]
    rule = {"name": "r", "when": {"signal": "steps_left", "at_most": 2}, "patch": patch}
    assert rebase(varied([WORDS], [WORDS, LOOPS]), spec_of(WORDS, adaptations=[rule])) == ([], ["v"])


ENTRIES = st.lists(
    st.sampled_from([WORDS, LOOPS, HISTORY, MENU, component("visited", {"actions": ["go to #"]})]), max_size=4, unique_by=canonical
)


@given(ENTRIES, ENTRIES)
def test_an_edit_that_changes_nothing_changes_no_variant(base: list[dict[str, Any]], variant: list[dict[str, Any]]) -> None:
    if named(*base) != named(*variant):
        spec = varied(base, variant)
        kept, dropped = rebase(spec, spec.without_variants())
        merged = spec.with_variants(kept)
        assert dropped == []
        assert merged.variant(kept[0]).components == named(*variant)


# --- whole runs


class Doors(gymnasium.Env[str, str]):
    """A door of some colour that one command opens: left for red and green, right for blue, push for a hatch. One step."""

    observation_space = Text(100)
    action_space = Text(20)
    OPENS = {"red": "left", "green": "left", "blue": "right", "hatch": "push"}  # noqa: RUF012 - a constant

    @classmethod
    def task_source(cls) -> type["DoorSource"]:
        return DoorSource

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        assert options is not None
        self.task, self.won = options["task"], False
        self.colour = self.task.partition("/")[2].partition("-")[0]
        return "A door.", self.info()

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        self.won = action == self.OPENS[self.colour]
        return "Click.", float(self.won), True, False, self.info()

    def info(self) -> dict[str, Any]:
        goal = f"open the {self.colour} door"
        return {"goal": goal, "admissible_commands": ["left", "push", "right"], "won": self.won, "task_id": self.task}


class DoorSource:
    COLOURS = ("red", "blue", "hatch")

    @classmethod
    def tasks(cls, split: str, n: int | None = None) -> list[TaskSpec]:
        colours = (*cls.COLOURS, "green") if split == "validation" else cls.COLOURS
        return [TaskSpec(f"{split}/{colour}-{number}", colour, split) for number in range(3) for colour in colours][:n]


gymnasium.register("Doors-v0", entry_point=Doors)  # type: ignore[arg-type]  # its protocol wants a function of any keywords


class Steer(Processor):
    """Leaves one candidate: the one that `map` names for a word of the goal, or for `any`."""

    name, hook, dimension = "steer", "before_model", "control"
    schema = {"map": {"type": "object", "description": "command by word"}}  # noqa: RUF012 - as in every processor

    def process(self, event: Any) -> dict[str, Any] | None:
        chosen = [command for word, command in self.params["map"].items() if word == "any" or word in event.goal]
        return {"candidates": (chosen[0],), "prior": (0.0,)} if chosen else None


def steering(**commands: str) -> dict[str, Any]:
    return {"use": "steer", "params": {"map": commands}}


def steer(name: str, **commands: str) -> Candidate:
    """An edit of a harness that has no `steer` yet."""
    impact: dict[str, list[str]] = {"will_unlock": [], "will_stabilize": [], "at_risk": []}
    manifest = {
        "candidate_id": name, "bucket": "control", "operator": f"steer {name}", "hypothesis": "A test.", "evidence": {}, "control": True,
        "predicted_impact": impact, "attribution_signature": "steer",
    }  # fmt: skip
    return Candidate(name, "control", [{"op": "add", "path": "/components/steer", "value": steering(**commands)}], manifest)


@pytest.fixture
def doors(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Evolve on doors with the edits of each round; whoever knows nothing goes left, the first of equals."""
    monkeypatch.setitem(REGISTRY, "steer", Steer)
    monkeypatch.setattr(Ties, "draw", lambda self: lambda n: 0)

    def run(*rounds: Sequence[Candidate], **changes: Any) -> dict[str, Any]:
        def propose(spec: HarnessSpec, evidence: Evidence, k: int) -> list[Candidate]:
            assert spec.variants == []  # edits are of the harness itself
            return list(rounds[evidence.round - 1]) if evidence.round <= len(rounds) else []

        module = ModuleType("door_proposer")
        module.propose = propose  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "door_proposer", module)
        monkeypatch.setitem(PROPOSERS, "doors", Entry("door_proposer:propose"))  # type: ignore[attr-defined]
        (tmp_path / "seed.json").write_text('{"format": 2, "name": "seed", "components": {}}')
        values: dict[str, Any] = {
            "env_id": "Doors-v0", "model": "no-model", "harness": str(tmp_path / "seed.json"), "proposer": "doors", "train_tasks": 9,
            "validation_tasks": 12, "isolation": "variants", "rounds": 5,
        }  # fmt: skip
        run_dir = tmp_path / changes.pop("run_dir", "run")
        return evolve(EvolveConfig(**(values | changes)), run_dir, resume=holds(run_dir, "start"))

    return run


def replay(result: dict[str, Any], seed: HarnessSpec) -> HarnessSpec:
    """Apply what was shipped, checking that each round starts where the one before ended."""
    for item in result["rounds"]:
        assert item["behaviour_hash"] == seed.behaviour_hash
        seed = next((seed.patch(edit["patch"]) for edit in item["candidates"] if edit["id"] == item["shipped"]), seed)
    assert seed.behaviour_hash == result["final_hash"]
    return seed


RIGHT, CLEVER = steer("right", any="right"), steer("clever", blue="right", hatch="push")


def test_an_edit_that_helps_some_and_hurts_others_is_shipped_as_a_variant(doors: Any) -> None:
    result = doors([RIGHT])
    whole, forked = result["rounds"][0]["candidates"]
    # Of four doors blue is won, red and green are lost; three wins are the most that can come. Green stands in no training task.
    assert (whole["verdict"], whole["wins"], whole["losses"]) == ("rejected", 1, 2)
    assert (forked["id"], forked["verdict"], forked["reason"]) == ("rightv", "accepted", "3 tasks won, 0 lost")
    assert forked["flipped"] == [f"train/blue-{n}" for n in range(3)]
    assert forked["manifest"]["operator"] == "steer right, for some goals"
    assert result["rounds"][0]["shipped"] == "rightv"
    final = replay(result, spec_of())
    assert [variant["name"] for variant in final.variants] == result["rounds"][0]["variants"] == ["rightv"]
    assert final.without_variants().components == {}
    assert set(final.variants[0]["route"]["words"]) == {"blue", "red"}
    origin = HarnessSpec.load(result["final_harness"]).document["origin"]
    assert (origin["isolation"], origin["edits"]) == ("variants", ["steer right, for some goals"])


def test_without_isolation_the_same_edit_is_lost(doors: Any) -> None:
    result = doors([RIGHT], isolation="none")
    assert [edit["verdict"] for edit in result["rounds"][0]["candidates"]] == ["rejected"]
    assert result["final_hash"] == result["seed_hash"]


def test_a_variant_is_retired_once_the_harness_itself_does_as_well(doors: Any) -> None:
    result = doors([RIGHT], [CLEVER])
    second = result["rounds"][1]
    # With the variant blue doors are won already, so the edit is shipped for the hatches; then the variant has nothing to add.
    assert (second["shipped"], second["candidates"][0]["won"]) == ("clever", [f"validation/hatch-{n}" for n in range(3)])
    assert second["retired"] == [{"name": "rightv", "reason": "it solves 3 of its 3 training tasks, and the harness itself 3"}]
    assert second["variants"] == []
    final = replay(result, spec_of())
    assert final.components == named(steering(blue="right", hatch="push"))


def test_a_variant_outlives_an_edit_that_does_not_touch_its_goals(doors: Any) -> None:
    result = doors([RIGHT], [steer("push", hatch="push")])
    assert (result["rounds"][1]["shipped"], result["rounds"][1]["retired"]) == ("push", [])
    final = replay(result, spec_of())
    assert final.without_variants().components == named(steering(hatch="push"))
    assert final.variant(final.variants[0]).components == named(steering(any="right"))


def test_the_edit_of_a_variant_is_not_tried_again(doors: Any) -> None:
    result = doors([RIGHT], [steer("again", any="right")])
    assert [edit["reason"] for edit in result["rounds"][1]["candidates"]] == ["novelty: this behaviour was tried before"]


def test_a_resumed_run_comes_to_the_same_variants(doors: Any) -> None:
    first = doors([RIGHT], [steer("push", hatch="push")])
    again = doors([RIGHT], [steer("push", hatch="push")])
    assert {**again, "wall_s": 0} == {**first, "wall_s": 0}


@pytest.mark.parametrize("budget", [24, 38, 42, 60, 80])
def test_a_budget_that_is_spent_before_in_or_after_a_fork_costs_nothing_once_it_is_raised(doors: Any, budget: int) -> None:
    edits = [RIGHT], [steer("push", hatch="push")]
    whole = doors(*edits, run_dir="whole")
    short = doors(*edits, budget_episodes=budget)
    assert (short["stopped"], short["episodes"] <= budget < whole["episodes"]) == ("episodes", True)
    assert short["rounds"] == whole["rounds"][: len(short["rounds"])]
    assert replay(short, spec_of()).behaviour_hash == HarnessSpec.load(short["final_harness"]).behaviour_hash
    again = doors(*edits, budget_episodes=10_000)
    lasting = set(whole) - {"wall_s", "twins_s", "final_harness"}
    assert {key: again[key] for key in lasting} == {key: whole[key] for key in lasting}


def test_what_is_told_to_be_left_is_never_less_than_what_comes(doors: Any, tmp_path: Path) -> None:
    doors([RIGHT, steer("left", any="left")], [steer("push", hatch="push")], [CLEVER], growth=1)
    with Store(tmp_path / "run", readonly=True) as store:
        (start,) = store.events("start")
        events = store.events("progress")
    live, left = Live(start), list[int]()
    played = [kind == "play" and "task" in data for kind, data in events]
    for number, (kind, data) in enumerate(events):
        live.tell(float(number), kind, data)
        left.append(live.state()["left"])
    assert [number for number, told in enumerate(left) if told < sum(played[number + 1 :])] == []
    assert any("without" in data["part"] for kind, data in events if kind == "series")  # a variant was played against its harness
