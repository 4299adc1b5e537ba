"""Edit operators on what several worlds show: rules, examples, readings, triggers, and operators of a user's own."""

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from homebody.agents.harness.library import REGISTRY
from homebody.agents.harness.spec import HarnessSpec, component
from homebody.agents.processors.operator import EditOperator, Findings, Refusal, always
from homebody.agents.record import EpisodeRecord
from homebody.evolution.evidence.learn import TrainingStatistics
from homebody.evolution.evidence.readings import readings
from homebody.evolution.proposers import Evidence
from homebody.evolution.proposers.edit import as_patch
from homebody.evolution.proposers.findings import gather, triggers, when
from homebody.evolution.proposers.operators import operators
from homebody.evolution.proposers.rules import propose

Episode = Callable[..., EpisodeRecord]
Make = Callable[..., Evidence]


def operator(name: str) -> EditOperator:
    return next(one for processor in REGISTRY.values() for one in processor.operators if one.name == name)


def edited(spec: HarnessSpec, name: str, found: Findings) -> HarnessSpec:
    edit = operator(name).build(spec, found)
    assert edit is not None
    return spec.patch(as_patch(spec, edit)).check()


def params(spec: HarnessSpec, use: str) -> Any:
    name = spec.id_of(use)
    return None if name is None else spec.components[name]["params"]


def refused(command: str, answer: str, **fields: Any) -> dict[str, Any]:
    return {"command": command, "observation": answer, "accepted": False, **fields}


def import_yard() -> Any:
    """Return the little world of the agents' tests."""
    sys.path.insert(0, str(Path(__file__).parents[2] / "agents"))
    try:
        import yard
    finally:
        sys.path.pop(0)
    return yard


# --- what training showed


def test_findings_are_read_off_the_episodes_that_failed_and_those_that_were_won(evidence: Make, episode: Episode) -> None:
    react = HarnessSpec.from_json({"format": 2, "name": "r", "components": {"answer": component("answer", {"read": "after"})}})
    lost = [
        episode(task_id="train/a-0", trace=[refused("lift the old bell", "It is bolted down."), refused("sing", "No.")]),
        episode(task_id="train/a-1", trace=[refused("lift the old bell", "It is bolted down."), {"command": "wait", "observation": "Rain."},
                                            {"command": "wait", "observation": "Rain."}]),
    ]  # fmt: skip
    won = episode(
        True, task_id="train/a-2", goal="ring the bell",
        trace=[{"command": "pull the cord", "observation": "Dong.", "response": "Thought: The cord rings it.\nAction: pull the cord"},
               refused("sing", "No.")],
    )  # fmt: skip
    given = evidence("refused", "refused", "won", statistics=TrainingStatistics(), episodes=[*lost, won])
    found = gather(react, given)
    assert found.refusals == (Refusal("lift the old bell", "It is bolted down.", 2), Refusal("sing", "No.", 1))
    assert found.repeated == ("wait",)
    assert found.own == (
        {
            "goal": "ring the bell",
            "task": "train/a-2",
            "steps": [{"thought": "The cord rings it.", "command": "pull the cord", "observation": "Dong."}],
        },
    )
    assert found.endings == ("pull the cord",)
    assert list(found.actions) == ["wait", "pull the cord"]
    assert gather(react, evidence("refused")).refusals == ()  # without traces


def test_a_trigger_is_the_least_count_that_tells_failing_episodes_from_won_ones(episode: Episode) -> None:
    def with_refusals(count: int, won: bool = False) -> EpisodeRecord:
        return episode(won, trace=[refused("a", "No.", step=n + 1, usable=True) for n in range(count)])

    lost = [with_refusals(4), with_refusals(4), with_refusals(1)]
    assert triggers([], lost)["refused"] == 2
    assert triggers([with_refusals(2, True), with_refusals(3, True)], lost)["refused"] == 4
    assert "refused" not in triggers([with_refusals(5, True)], lost)
    assert "refused" not in triggers([], [with_refusals(1)])
    assert triggers([], []) == {}
    assert when("refused", 6) == {"signal": "refused", "at_least": 6, "of_last": 6}


def test_how_much_more_failing_episodes_take_a_command_twice_than_won_ones(seed: HarnessSpec, evidence: Any, episode: Episode) -> None:
    def taking(*commands: str, won: bool = False, accepted: bool = True) -> EpisodeRecord:
        return episode(won, trace=[{"command": one, "observation": str(n), "accepted": accepted} for n, one in enumerate(commands)])

    lost = [taking("a", "b", "a"), taking("a", "a"), taking("a", "a", accepted=False), taking("a", "b")]
    assert gather(seed, evidence("loop", "won", episodes=[*lost, taking("a", "a", won=True), taking("b", won=True)])).again == 0.0
    assert gather(seed, evidence("loop", "won", episodes=[*lost, taking("b", won=True)])).again == 0.5


def test_how_much_more_failing_episodes_go_in_circles_than_won_ones(seed: HarnessSpec, evidence: Any, episode: Episode) -> None:
    def going(*commands: str, won: bool = False) -> EpisodeRecord:
        """Each command is answered by its own letter, and `x` by what was answered before."""
        answers = [[one for one in commands[: n + 1] if one != "x"][-1] for n in range(len(commands))]
        return episode(won, trace=[{"command": one, "observation": answer} for one, answer in zip(commands, answers, strict=True)])

    lost = [going("a", "b", "a", "b"), going("a", "a", "a"), going("a", "b", "a"), going("a", "x", "x")]
    assert gather(seed, evidence("loop", "won", episodes=[*lost, going("a", "b", "c", "b", won=True)])).circling == 0.5
    assert gather(seed, evidence("loop", "won", episodes=[*lost, going("a", "b", "a", "b", won=True)])).circling == -0.5


def test_what_keeps_a_model_from_repeating_itself_is_set_once_and_loosened(seed: HarnessSpec) -> None:
    writes = seed.patch(as_patch(seed, {"decide": {"method": "generate"}}))
    edited_once = edited(writes, "write what was not written before", Findings())
    assert params(edited_once, "no_repeat") == {}
    assert operator("write what was not written before").build(edited_once, Findings()) is None
    assert operator("give a command again at once").build(writes, Findings()) is None
    assert params(edited(edited_once, "give a command again at once", Findings()), "no_repeat") == {"in_a_row": False}
    ranks = seed.patch(as_patch(seed, {"decide": {"method": "rank"}}))
    assert operator("write what was not written before").build(ranks, Findings()) is None


def test_how_much_more_failing_episodes_write_the_whole_goal_than_won_ones(seed: HarnessSpec, evidence: Any, episode: Episode) -> None:
    def writing(*commands: str, won: bool = False, accepted: bool = True) -> EpisodeRecord:
        return episode(won, goal="Sing it.", trace=[{"command": one, "observation": "", "accepted": accepted} for one in commands])

    lost = [writing("say Sing it.", "stop"), writing("say Sing it."), writing("say it"), writing("say Sing it.", accepted=False)]
    won = [writing("say Sing it.", won=True), *[writing("say it", won=True)] * 3]
    assert gather(seed, evidence("loop", "won", episodes=[*lost, *won])).whole_goal == 0.5 - 0.25
    assert gather(seed, evidence("loop")).whole_goal == 0.0


# --- rules in the prompt

BARE = HarnessSpec.from_json({"format": 2, "name": "bare", "components": {"rules": component("system_prompt", {"text": "You act."})}})


def test_refusals_are_explained_in_the_words_of_the_environment() -> None:
    found = Findings(refusals=(Refusal("run(None)", "TypeError: no argument", 3), Refusal("open gate 1", "Locked.", 2),
                               Refusal("open gate 2", "Locked.", 1)))  # fmt: skip
    text = params(edited(BARE, "explain what was refused", found), "system_prompt")["text"]
    assert text == (
        'You act.\nCommands that were refused, and why:\n- run(None): "TypeError: no argument"\n- open gate 1: "Locked."'
    )  # of one form and answer the most frequent alone
    assert operator("explain what was refused").build(BARE, Findings()) is None
    again = edited(BARE, "explain what was refused", found)
    assert operator("explain what was refused").build(again, found) is None  # it says so already


def test_steps_are_told_by_one_success_of_each_kind_the_most_frequent_first() -> None:
    def success(goal: str, *commands: str) -> dict[str, Any]:
        return {"goal": goal, "steps": [{"command": command} for command in commands]}

    found = Findings(
        bank=(success("Fix it", "run", "edit 3"), success("Light lamp 2", "light lamp 2"), success("Light lamp 9", "light lamp 9"))
    )
    text = params(edited(BARE, "tell how goals were reached", found), "system_prompt")["text"]
    assert text.splitlines()[1:] == ["Goals were reached so:", "- Light lamp 2: light lamp 2", "- Fix it: run; edit 3"]


def test_a_prompt_that_is_long_gets_no_rules_and_a_ranking_that_reads_none_neither() -> None:
    found = Findings(repeated=("wait",))
    long = HarnessSpec.from_json({"format": 2, "name": "x", "components": {"p": component("system_prompt", {"text": "x" * 1500})}})
    ranking = BARE.patch([{"op": "add", "path": "/components/decide", "value": component("decide", {"method": "rank"})}])
    warn = operator("warn of what was repeated")
    assert [warn.build(spec, found) is None for spec in (BARE, long, ranking)] == [False, True, True]


@pytest.mark.parametrize(
    ("answer", "said"),
    [(None, "one command in one line"), ({"read": "after", "mark": "Do:"}, "begins with Do: and"), ({"read": "json"}, None)],
)
def test_the_form_of_an_answer_is_said_as_the_harness_reads_it(answer: dict[str, Any] | None, said: str | None) -> None:
    add = [] if answer is None else [{"op": "add", "path": "/components/answer", "value": component("answer", answer)}]
    edit = operator("say how an answer looks").build(BARE.patch(add), Findings())
    assert (edit is None) if said is None else (edit is not None and said in str(edit))


# --- examples, memory, history

BANK = tuple(
    {"goal": f"sort {word}", "steps": [{"command": f"sort {word}", "observation": "Sorted."}, {"command": "done", "observation": "Good."}]}
    for word in ("apples", "pears", "plums")
)


def test_examples_come_from_training_with_the_mark_that_the_harness_reads() -> None:
    marked = BARE.patch([{"op": "add", "path": "/components/answer", "value": component("answer", {"read": "after", "mark": "Do:"})}])
    found = Findings(bank=BANK)
    assert params(edited(BARE, "show solved tasks", found), "examples") == {"bank": list(BANK)}
    assert params(edited(marked, "show solved tasks", found), "examples")["command_mark"] == "Do:"
    alone = edited(BARE, "show solved tasks as commands alone", found)
    assert params(alone, "examples")["bank"][0] == {"goal": "sort apples", "steps": [{"command": "sort apples"}, {"command": "done"}]}
    # What the harness showed of other goals stays, after what is new.
    other = {"goal": "sort figs", "steps": [{"command": "sort figs"}]}
    before = BARE.patch([{"op": "add", "path": "/components/examples", "value": component("examples", {"bank": [BANK[1], other]})}])
    assert params(edited(before, "show solved tasks", Findings(bank=BANK[1:])), "examples")["bank"] == [*BANK[1:], other]
    more = edited(alone, "show more examples", found)
    assert (params(more, "examples")["most"], params(more, "examples")["tokens"]) == (4, 800)
    assert operator("show more examples").build(edited(more, "show more examples", found), found) is None  # eight are most
    assert params(edited(alone, "show fewer examples", found), "examples")["most"] == 1
    assert operator("show solved tasks").build(BARE, Findings()) is None


def test_memory_as_text_knows_how_like_goals_were_reached() -> None:
    spec = edited(BARE, "remember how like goals were reached", Findings(bank=BANK, explore=("look at #",)))
    assert params(spec, "memory_text")["bank"][1] == {"goal": "sort pears", "commands": ["sort pears", "done"]}
    assert params(spec, "memory_text")["actions"] == ["look at #"]


@pytest.mark.parametrize("name", ["history by tokens", "sum up the history", "short history"])
def test_one_way_to_shorten_the_history_takes_the_place_of_another(name: str) -> None:
    for use in ("history_window", "history_budget", "summary"):
        spec = BARE.patch([{"op": "add", "path": "/components/h", "value": component(use)}])
        after = edited(spec, name, Findings())
        assert len([item for item in after.components.values() if item["use"] in ("history_window", "history_budget", "summary")]) == 1


# --- reading the goal


def won(goal: str, *commands: str) -> dict[str, Any]:
    return {"goal": goal, "steps": [{"command": command} for command in commands]}


SAID = {"crate": "box", "barrel": "barrel", "sack": "sack", "dock": "pier", "shed": "shed", "yard": "yard"}
"""Kinds, and what people call them; two have another name than in commands."""


def moved(thing: str, place: str, source: str, wording: str) -> dict[str, Any]:
    goal = wording.format(SAID[thing], SAID[place])
    return won(goal, f"walk to {source} 2", f"lift {thing} 1 off {source} 2", f"walk to {place} 1", f"drop {thing} 1 on {place} 1")


HARBOUR = [
    moved("crate", "dock", "vat", "The {} belongs on the {}."),
    moved("barrel", "shed", "vat", "I want a {} over at the {}"),
    moved("sack", "yard", "pit", "Bring me some {} to that {}!"),
    moved("barrel", "dock", "pit", "Be so kind: {}, {}."),
    won("Paint a sack, would you", "walk to vat 1", "lift sack 1 off vat 1", "tar sack 1 with brush 1"),
    won("A barrel needs colour", "walk to pit 1", "lift barrel 2 off pit 1", "tar barrel 2 with brush 1"),
    won("Colour that crate now", "walk to vat 1", "lift crate 1 off vat 1", "tar crate 1 with brush 1"),
]


def test_goals_said_in_other_words_are_read_off_how_they_were_won() -> None:
    found = readings(TrainingStatistics(explore=("walk to #",), kinds={"drop # on #": [["barrel"], ["dock"]]}), HARBOUR)
    assert found is not None
    assert found.templates == ("drop {0} on {1}", "tar {0} with brush")
    assert found.pairs[:2] == (
        ("The box belongs on the pier.", "drop crate on dock"),
        ("I want a barrel over at the shed", "drop barrel on shed"),
    )
    assert found.pairs[-1] == ("Colour that crate now", "tar crate with brush")
    assert found.names == (("barrel", "crate", "sack"), ("dock", "shed", "yard"))
    assert [step["args"] for step in found.plans[0]["steps"]] == [["{0}=a", "*=b"], ["{0}=a", "{1}=c"]]
    assert found.plans[1]["steps"][1] == {"action": "tar # with #", "args": ["{0}=a", "brush=c"]}


def test_what_random_walks_saw_may_fill_a_blank_and_what_is_met_first_need_not_be_listed() -> None:
    kinds = {
        "lift # off #": [["barrel", "crate", "keg", "mast", "sack"], ["pit"]],
        "drop # on #": [["barrel", "keg"], ["pit"]],
        "tar # with #": [["mast"], ["brush"]],
    }
    found = readings(TrainingStatistics(explore=("walk to #",), kinds=kinds, first=("dock", "pit", "shed", "yard")), HARBOUR)
    assert found is not None
    assert found.names == (("barrel", "crate", "keg", "mast", "sack"), ())
    # What fits a template alone was won with, or seen at all its commands: nobody drops a mast or tars a keg.
    assert found.fits == {
        "drop {0} on {1}": (("barrel", "crate", "keg", "sack"), ()),
        "tar {0} with brush": (("barrel", "crate", "mast", "sack"),),
    }


def test_the_same_commands_in_another_order_are_one_meaning() -> None:
    bank = [*HARBOUR, *(won(f"{word} tar", "tar sack 1 with brush 1", "lift sack 1 off vat 1") for word in ("More", "Some", "Less"))]
    found = readings(TrainingStatistics(explore=("walk to #",)), bank)
    assert found is not None
    assert len(found.templates) == 2


@pytest.mark.parametrize("source", ["dock", "shed", "yard"])
def test_where_a_thing_was_is_no_blank_though_goals_name_that_kind_for_another_argument(source: str) -> None:
    """Some of the things lay where like things belong: the goal named the place where they go, and no other."""
    kinds = [("crate", "dock"), ("barrel", "shed"), ("sack", "yard"), ("keg", "dock"), ("drum", "shed"), ("coil", "yard")]
    bank = [
        won(
            f"The {thing} belongs on the {place}", f"lift {thing} 1 off {source if number < 3 else 'pit'} 2", f"drop {thing} 1 on {place} 1"
        )
        for number, (thing, place) in enumerate(kinds)
    ]
    bank += [won(f"{word} tar", "tar sack 1 with brush 1") for word in ("More", "Some", "Less")]
    found = readings(TrainingStatistics(explore=("walk to #",)), bank)
    assert found is not None
    assert found.templates[0] == "drop {0} on {1}"
    assert [step["args"] for step in found.plans[0]["steps"]] == [["{0}=a", "*=b"], ["{0}=a", "{1}=c"]]


def test_two_of_one_kind_are_named_together() -> None:
    bank = [
        won(f"Two {thing}s on the {place}", f"drop {thing} 1 on {place} 1", f"drop {thing} 2 on {place} 1")
        for thing, place in (("crate", "dock"), ("barrel", "shed"), ("sack", "yard"))
    ]
    bank += [won(f"{word} tar", "tar sack 1 with brush 1") for word in ("More", "Some", "Less")]
    found = readings(TrainingStatistics(explore=("walk to #",)), bank)
    assert found is not None
    assert found.templates[0] == "drop {0} on {1} then drop {0} on {1}"


def test_worlds_without_numbers_are_read_by_which_commands_won() -> None:
    bank = [won(f"{word} it, please", "open the big door", "step through") for word in ("Leave", "Exit", "Quit")]
    bank += [won(f"{word} the gong", "strike the bronze gong") for word in ("Sound", "Beat", "Hit")]
    found = readings(TrainingStatistics(), bank)
    assert found is not None
    assert set(found.templates) == {"open the big door then step through", "strike the bronze gong"}
    assert ("Beat the gong", "strike the bronze gong") in found.pairs
    assert readings(TrainingStatistics(), bank[:3]) is None  # all goals mean one and the same
    assert readings(TrainingStatistics(), bank[1:5]) is None  # too few of either
    assert readings(TrainingStatistics()) is None


def test_the_operator_lets_the_reading_of_the_model_decide_the_plan(evidence: Make) -> None:
    """A goal in words of no training task is read by the model, and the plan of its meaning leads; without a model nothing does."""
    from homebody.agents.episode import run_episode
    from homebody.agents.model_free import NoModelPolicy
    from homebody.agents.model_policy import ModelPolicy
    from homebody.agents.models.scripted import Scripted

    yard = import_yard()
    found = gather(BARE, evidence("ceiling", statistics=TrainingStatistics(explore=("walk to #", "unlock #"), bank=tuple(HARBOUR))))
    spec = edited(BARE, "read the goal, and follow what was learned", found)
    read = params(spec, "read_goal")
    assert (read["by"], read["most"], len(read["examples"]), read["templates"]) == (
        "parts",
        12,
        7,
        ["drop {0} on {1}", "tar {0} with brush"],
    )
    assert params(spec, "decide") == {"method": "rank"}  # the plan leads
    task = yard.TaskSpec("one", "one", "train")
    played = run_episode(yard.Yard(), spec, ModelPolicy(Scripted([], lambda prompt, text: float("crate" in text))), task, max_steps=30)
    assert played.reading == "drop crate on dock"  # the goal was said as: put a crate on a dock
    assert played.won
    focused = [step for step in played.trace if step.subgoal]
    assert focused[-1].command.startswith("drop crate 1 on dock")
    alone = run_episode(yard.Yard(), spec, NoModelPolicy(), task, max_steps=30)
    assert (alone.reading, any(step.subgoal for step in alone.trace)) == (None, False)


def test_what_exploration_has_won_with_comes_before_what_is_only_hoped_for(evidence: Make) -> None:
    proved = TrainingStatistics(explore=("walk to #", "unlock #"), bank=tuple(HARBOUR), tasks=tuple(f"train/{n}" for n in range(14)))
    found = gather(BARE, evidence("loop", "ceiling", statistics=proved))
    assert found.readings is not None
    assert found.readings.won == 0.5  # seven of fourteen
    failed = ("loop", "refused", "searching", "ceiling", "order")
    given = evidence(*failed, statistics=proved)
    given = replace(given, digests=[replace(digest, steps=15) for digest in given.digests])  # to which one question adds little
    (first,) = propose(BARE, given, 1)
    assert first.manifest["operator"] == "read the goal, and follow what was learned"


def test_parts_of_the_goal_are_chosen_by_guided_score_whether_the_model_wrote_or_scored_before() -> None:
    found = Findings(skills={"goal_parts": {"goal_parts": {"templates": [["Sing ", "."]], "marks": []}}})
    name = "choose by guided score among the parts of the goal"
    scoring = HarnessSpec.from_json({"format": 2, "name": "s", "components": {"decide": component("decide", {"method": "score"})}})
    for spec in (BARE, scoring):
        after = edited(spec, name, found)
        assert params(after, "goal_parts") == {"templates": [["Sing ", "."]], "marks": [], "once": True}
        assert (params(after, "decide"), params(after, "guidance"), params(after, "loop_guard")) == (
            {"method": "score"},
            {},
            {"repeats": 1},
        )
        assert operator(name).build(after, found) is None
    assert operator(name).build(BARE, Findings()) is None
    ranking = HarnessSpec.from_json({"format": 2, "name": "r", "components": {"decide": component("decide", {"method": "rank"})}})
    assert operator(name).build(ranking, found) is None


def test_guidance_comes_to_a_harness_that_scores_and_has_none() -> None:
    name = "prefer what the goal makes likelier"
    scoring = HarnessSpec.from_json({"format": 2, "name": "s", "components": {"decide": component("decide", {"method": "score"})}})
    assert operator(name).build(BARE, Findings()) is None
    after = edited(scoring, name, Findings())
    assert params(after, "guidance") == {}
    assert operator(name).build(after, Findings()) is None


# --- rules in the midst of an episode, code, and a user's own


def test_a_mid_task_rule_comes_with_the_trigger_that_training_showed(evidence: Make, episode: Episode) -> None:
    lost = [episode(task_id="train/a-0", trace=[refused("hm", "What?", usable=False, step=n + 1) for n in range(5)])]
    given = evidence("unusable_answers", statistics=TrainingStatistics(), episodes=lost)
    found = {c.manifest["operator"]: c for c in propose(BARE, given, 80)}
    candidate = found["answer under a grammar, once answers are no commands"]
    spec = BARE.patch(candidate.patch).check()
    assert spec.adaptations == [
        {
            "name": "answer-under-a-grammar",
            "when": {"signal": "unusable", "at_least": 2},
            "patch": [{"op": "add", "path": "/components/decide", "value": {"use": "decide", "params": {"method": "grammar"}}}],
        }
    ]
    assert (candidate.dimension, candidate.manifest["attribution_signature"]) == ("control", "decide")
    assert "decide" not in spec.components
    assert not any("once" in name for name in {c.manifest["operator"] for c in propose(BARE, evidence("unusable_answers"), 80)})


def test_a_goal_is_read_again_where_training_shows_that_a_plan_ends_in_vain(evidence: Make, episode: Episode) -> None:
    from homebody.agents.episode import run_episode
    from homebody.agents.model_policy import ModelPolicy
    from homebody.agents.models.scripted import Scripted

    waited = {"command": "wait", "observation": "You wait."}
    over = {**waited, "notes": {"learned_plan": {"plan_over": True}}}
    lost = [episode(task_id="train/a-0", trace=[waited, over, over])]
    won = [episode(True, task_id="train/b-0", trace=[waited, waited])]
    statistics = TrainingStatistics(explore=("walk to #", "unlock #"), bank=tuple(HARBOUR))
    found = gather(BARE, evidence("ceiling", statistics=statistics, episodes=[*lost, *won]))
    assert found.triggers["plan_over"] == 1
    name = "read the goal again, once the plan is over"
    read = edited(BARE, "read the goal, and follow what was learned", found)
    by_name = {operator.name: operator for _, operator in operators(read)}
    assert "read the goal again" not in by_name  # from the start on nothing was read before
    edit = by_name[name].build(read, found)
    assert edit is not None
    spec = read.patch(as_patch(read, edit)).check()
    patch = [{"op": "add", "path": "/components/read_goal/params/again", "value": True}]
    assert spec.adaptations == [{"name": "read-the-goal-again", "when": {"signal": "plan_over", "at_least": 1}, "patch": patch, "most": 2}]
    assert by_name[name].build(spec, found) is None  # it is there
    assert by_name[name].build(BARE, found) is None  # nothing is read part by part
    yard = import_yard()
    likes = {"B": 9.0, "crate": 9.0, "shed": 2.0, "dock": 1.0}  # "drop A on B."
    model = Scripted([], lambda prompt, text: likes.get(text.rstrip(".,").split(" ")[-1], 0.0))
    task = yard.TaskSpec("one", "one", "train")
    without, with_rules = (run_episode(yard.Yard(), harness, ModelPolicy(model), task, max_steps=30) for harness in (read, spec))
    assert (without.won, without.reading) == (False, "drop crate on shed")
    assert (with_rules.won, with_rules.reading) == (True, "drop crate on dock")
    assert [applied["signal"] for applied in with_rules.adaptations] == ["plan_over"]


@pytest.mark.parametrize(
    ("goal", "candidates", "pointed"),
    [
        ("light the red lantern.", ("go north", "go south", "light red lantern", "read sign"), "light red lantern"),
        ("the end", ("the door", "the wall", "the end"), "the end"),  # what every command holds tells nothing
        ("vorwärts, bitte", ("vorwärts gehen", "warten"), "vorwärts gehen"),
        ("eat", ("go north", "go south"), None),
    ],
)
def test_code_points_at_what_the_goal_names(goal: str, candidates: tuple[str, ...], pointed: str | None) -> None:
    from homebody.agents.harness.hooks import BeforeModel
    from homebody.agents.harness.running import Harness
    from homebody.agents.processors.base import Services

    event = BeforeModel(goal, "You wait.", candidates, "You wait.", candidates, (0.0,) * len(candidates))
    after = Harness(edited(BARE, "point at what the goal names", Findings()), Services()).run(event)
    assert after.content.partition("\x1f")[2].strip().splitlines()[1:] == ([pointed] if pointed else [])
    assert after.content.startswith("You wait.")


def test_a_processor_of_ones_own_brings_its_operators(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, evidence: Make) -> None:
    (tmp_path / "own_operators.py").write_text(
        "from homebody.agents.processors import Processor\n"
        "from homebody.agents.processors.operator import EditOperator, LOOP, scaled\n"
        "class Hum(Processor):\n"
        "    hook, dimension = 'step_end', 'control'\n"
        "    schema = {'times': {'type': 'integer', 'minimum': 1, 'default': 2}}\n"
        "    operators = (EditOperator('hum longer', 'It helps.', LOOP, scaled('own_operators:Hum', 'times', 2, 1, 9)),)\n"
        "    def process(self, event):\n        return None\n"
    )
    monkeypatch.chdir(tmp_path)
    own = {"use": "own_operators:Hum", "params": {}}
    spec = BARE.patch([{"op": "add", "path": "/components/hum", "value": own}])
    assert "hum longer" not in {one.name for _, one in operators(BARE)}
    found = {c.manifest["operator"]: c for c in propose(spec, evidence("loop", statistics=TrainingStatistics()), 80)}
    assert found["hum longer"].patch == [{"op": "add", "path": "/components/hum/params/times", "value": 4}]
    assert found["hum longer"].manifest["attribution_signature"] == "hum"


def test_a_class_whose_operators_are_none_is_refused_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from homebody.agents.harness.library import UnknownProcessorError, find

    (tmp_path / "odd_operators.py").write_text(
        "from homebody.agents.processors import Processor\n"
        "class Odd(Processor):\n"
        "    hook, dimension, schema, operators = 'step_end', 'control', {}, ['x']\n"
        "    def process(self, event):\n        return None\n"
    )
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UnknownProcessorError, match=r"its operators are \['x'\]; give a tuple of EditOperator"):
        find("odd_operators:Odd")


@pytest.mark.parametrize("name", ["generic-act", "generic-react", "repair-react", "webshop-act", "household-think"])
@pytest.mark.parametrize("count", [0, 3])
def test_every_operator_builds_a_harness_that_holds_on_any_seed(name: str, count: int, evidence: Make, episode: Episode) -> None:
    spec = HarnessSpec.load(name)
    records = [
        *(episode(task_id=f"t{n}", trace=[refused("hm", "No.", usable=False)] * count) for n in range(2)),
        episode(True, task_id="w", trace=[{"command": "do it", "observation": "Done.", "response": "Action: do it"}]),
    ]
    statistics = TrainingStatistics(explore=("walk to #",), bank=tuple(HARBOUR) if count else ())
    found = gather(spec, evidence("loop", "loop", "won", statistics=statistics, episodes=records))
    for use, one in operators(spec):
        edit = one.build(spec, found)
        if edit is not None:
            after = spec.patch(as_patch(spec, edit))
            assert use in {item["use"] for item in after.components.values()} or after.adaptations
    assert always({"repair": {}})(spec, found) == {"repair": {}}
