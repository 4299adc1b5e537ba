from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from homebody.agents.harness.spec import HarnessSpec
from homebody.agents.record import NO_ROOM, EpisodeRecord
from homebody.agents.rollout import Job, RolloutConfig, Rollouts
from homebody.evolution.evidence.digest import CATEGORIES, PART, PARTS, Digest, digest_episode

SEARCH, ACT = {"phase": "search", "wanted": "gem"}, {"phase": "act", "wanted": "gem"}


def trace(*steps: str, subgoal: Any = None) -> list[dict[str, Any]]:
    """Make a trace of `command>answer`; a command that begins with `!` was not admissible, one that begins with `?` was held
    back, one that begins with `~` was cut off before it was one."""
    return [
        {"step": number, "command": text.partition(">")[0].lstrip("!?~"), "observation": text.partition(">")[2],
         "usable": text[0] not in "!~", "accepted": text[0] not in "!?~", "cut": text[0] == "~",
         "subgoal": subgoal[number - 1] if subgoal else None}
        for number, text in enumerate(steps, 1)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("steps", "subgoal", "category", "component", "evidence"),
    [
        # Two of four refused is half; one of three is not, but more than a quarter; one of five is neither.
        (("!a>no", "go to pit 1>x", "!b>no", "go to pit 2>y"), None, "unusable_answers", "control", (1, 3)),
        # Cut off before unusable: two of four are half, one is not. Where a cut answer was a command all the same, nothing is lost.
        (("~a>no", "go to pit 1>x", "~b>no", "go to pit 2>y"), None, "cut_off", "model", (1, 3)),
        (("~a>no", "!c>no", "~b>no", "!d>no"), None, "cut_off", "model", (1, 3)),
        (("~a>no", "go to pit 1>x", "!b>no", "go to pit 2>y"), None, "unusable_answers", "control", (1, 3)),
        (("!a>no", "go to pit 1>x", "lift gem 1 from pit 1>y"), None, "refused", "control", (1,)),
        (("!a>no", "go to pit 1>x", "lift gem 1 from pit 1>y", "b>z", "c>z"), None, "ceiling", "control", (3,)),
        # Held back by the harness though it could be used: refused, however often.
        (("?a>no", "go to pit 1>x", "?b>no", "go to pit 2>y"), None, "refused", "control", (1, 3)),
        # An answer that refused commands have: nothing happened, though the command was admissible. Two of six is more than a quarter.
        (("!a>no", "b>no", "c>x", "d>y", "e>z", "f>w"), None, "refused", "control", (1, 2)),
        # The present page shown again says nothing by it: one of six is less than a quarter.
        (("z>page", "!a>page", "b>x", "c>page", "d>y", "e>w"), None, "goal_untouched", "memory", (1, 2, 3, 4, 5, 6)),
        # What was refused works after something else was done; half of what was refused is enough to call it that.
        (("!a>no", "b>x", "a>y", "c>z"), None, "order", "memory", (1,)),
        (("!a>no", "!d>no", "b>x", "a>y", "c>z"), None, "order", "memory", (1,)),
        (("!a>no", "!d>no", "!e>no", "b>x", "a>y", "c>z", "f>u"), None, "refused", "control", (1, 2, 3)),
        (("!a>no", "b>x", "a>y", "c>z", "d>u", "e>v"), None, "order", "memory", (1,)),
        # Nothing came between that did anything: that is no order.
        (("!a>no", "a>y", "c>z", "d>u", "e>v"), None, "goal_untouched", "memory", (1, 2, 3, 4, 5)),
        # Two repeats in six steps are a third; the same command with another answer is none.
        (("a>x", "a>x", "a>x", "b>x", "c>x", "d>x"), None, "loop", "control", (2, 3)),
        (("a>x", "a>x", "a>y", "b>x", "c>x", "d>x"), None, "goal_untouched", "memory", (1, 2, 3, 4, 5, 6)),
        # What the agent was after at the last step decides.
        (("a>1", "b>2", "c>3", "d>4"), (SEARCH, ACT, None, SEARCH), "searching", "memory", (1, 4)),
        (("a>1", "b>2", "c>3"), (SEARCH, SEARCH, ACT), "unfinished", "memory", (3,)),
        # A command on a thing of the goal, with what else it names.
        (("lift stone 1 from pit 1>x", "wet gem 1>y", "lift gem 1 from pit 1>z"), None, "ceiling", "control", (3,)),
        (
            ("lift stone 1 from pit 1>x", "wet gem 1>y", "d>u", "e>v", "!lift gem 1 from pit 1>z"),
            None,
            "goal_untouched",
            "memory",
            (1, 2, 3, 4, 5),
        ),
        # Of the goal's gem and crate the gem was acted on, and the crate was seen: all but one.
        (("go to pit 1>a crate 1", "lift gem 1 from pit 1>y"), None, "final_step_missing", "memory", (2,)),
        (("go to pit 1>a crate 1", "lift gem 1 from pit 1>y", "drop gem 1 at crate 1>z"), None, "ceiling", "control", (2, 3)),
        (("go to pit 1>a crate 1", "lift gem 1 from pit 1>y"), (SEARCH, ACT), "final_step_missing", "memory", (2,)),
        (("go to pit 1>a crate 1", "lift gem 1 from pit 1>y"), (ACT, SEARCH), "searching", "memory", (2,)),
        # Where nothing is named by word and number: a word of the goal, but not the goal written out.
        (("find[bring gem to a crate]>x", "take[gem]>y", "take[next]>z"), None, "ceiling", "control", (2,)),
        (("find[bring gem to a crate]>x", "take[next]>y", "take[gem]>z"), None, "final_step_missing", "memory", (3,)),
        (("find[bring gem to a crate]>x", "take[next]>y"), None, "goal_untouched", "memory", (1, 2)),
        # Refused answers are looked at before repeats, and at most eight steps are shown.
        (("!a>no",) * 10, None, "unusable_answers", "control", (1, 2, 3, 4, 5, 6, 7, 8)),
    ],
)
def test_categories_by_hand(
    episode: Callable[..., EpisodeRecord], steps: tuple[str, ...], subgoal: Any, category: str, component: str, evidence: tuple[int, ...]
) -> None:
    record = episode(trace=trace(*steps, subgoal=subgoal), steps=len(steps), task_id="train/a-9", type="b", policy="no-model")
    assert digest_episode(record) == Digest("train/a-9", "b", False, len(steps), category, component, evidence)


def test_the_steps_that_show_a_failure_say_who_decided_them(episode: Callable[..., EpisodeRecord]) -> None:
    # Steps 2 and 4 to 6 repeat a command; the call of a tool is no step.
    steps = trace("a>x", "a>x", "b>x", "a>x", "b>x", "b>x")
    by = ("model", "harness", "model", "agreed", "fallback", "harness")
    made = [{**step, "decided_by": who} for step, who in zip(steps, by, strict=True)] + [{**steps[3], "tool": True, "decided_by": "model"}]
    found = digest_episode(episode(trace=made, policy="a model"))
    assert (found.category, found.evidence) == ("loop", (2, 4, 5, 6))
    assert found.decided_by == {"agreed": 1, "harness": 2, "fallback": 1}
    assert PART[found.category] == "choice"
    # Without a model nobody else than the harness decides; of a success nothing is asked.
    assert digest_episode(episode(trace=made, policy="random")).decided_by == {}
    assert digest_episode(episode(True, trace=made, policy="a model")).decided_by == {}


def test_a_goal_in_other_words_is_looked_for_as_it_was_read(episode: Callable[..., EpisodeRecord]) -> None:
    steps = trace("go to pit 1>x", "lift gem 1 from pit 1>y", "b>z", "c>z")
    made = replace(episode(trace=steps), goal="fetch me a jewel, would you")
    assert digest_episode(made).category == "goal_untouched"
    assert digest_episode(replace(made, reading="bring gem to a crate")).category == "ceiling"


def test_a_prompt_without_room_is_a_failure_of_its_own(episode: Callable[..., EpisodeRecord]) -> None:
    said = f"{NO_ROOM}: 9 tokens do not fit the context of 8"
    found = digest_episode(episode(trace=trace("a>x", "b>y"), interrupted=said, policy="no-model"))
    assert found == Digest("train/a-0", "a", False, 3, "overflow", "context", (2,))
    assert digest_episode(episode(trace=[], steps=0, interrupted=said)).category == "overflow"


def test_every_failure_is_of_one_part() -> None:
    assert set(PART) == set(CATEGORIES) - {"won", "error"}
    assert sum(map(len, PARTS.values())) == len(PART)


def test_a_success_and_an_error_need_no_diagnosis(episode: Callable[..., EpisodeRecord]) -> None:
    loop = trace(*["a>x"] * 3)
    assert digest_episode(episode(True, trace=loop)) == Digest("train/a-0", "a", True, 3, "won", "", ())
    error = {"boundary": "decide", "kind": "E", "message": "m"}
    assert digest_episode(episode(trace=loop, error=error)) == Digest("train/a-0", "a", False, 3, "error", "environment", ())


def test_an_episode_that_a_processor_ended_before_its_first_step_has_no_unusable_answers(episode: Callable[..., EpisodeRecord]) -> None:
    call = {**trace("count steps>3")[0], "tool": True}
    for steps in ([], [call]):
        digest = digest_episode(episode(trace=steps, steps=0, interrupted="enough"))
        assert digest == Digest("train/a-0", "a", False, 0, "ceiling", "control", ())


def test_an_end_before_the_limit_is_premature_if_the_limit_is_known(episode: Callable[..., EpisodeRecord]) -> None:
    record = episode(trace=trace("go to pit 1>x", "go to pit 2>y", "leave>z"), steps=3, policy="no-model")
    assert digest_episode(record, (), 4) == Digest("train/a-0", "a", False, 3, "premature_end", "control", (3,))
    assert digest_episode(record, (), 3).category == digest_episode(record).category == "goal_untouched"


def test_an_end_that_the_harness_made_is_not_premature_and_unusable_answers_come_first(episode: Callable[..., EpisodeRecord]) -> None:
    ended = episode(trace=trace(*["a>x"] * 3), steps=3, interrupted="nothing new")
    assert digest_episode(ended, (), 15).category == "loop"
    unusable = episode(trace=trace("!a>no", "leave>z"), steps=2)
    assert digest_episode(unusable, (), 15).category == "unusable_answers"


def test_the_history_is_kept(episode: Callable[..., EpisodeRecord]) -> None:
    assert digest_episode(episode(True), ["loop", "won"]).history == ("loop", "won")


def test_a_digest_is_json() -> None:
    assert Digest("t", "a", False, 3, "loop", "control", (2,), ("won",)).to_json() == {
        "task_id": "t", "type": "a", "won": False, "steps": 3, "category": "loop", "component": "control", "evidence": (2,),
        "history": ("won",), "decided_by": {},
    }  # fmt: skip


@pytest.mark.parametrize("policy", ["random", "no-model"])
def test_real_failures_have_categories_and_steps_that_exist(quarry: Any, policy: str) -> None:
    spec = HarnessSpec.from_json({"format": 2, "name": "empty", "components": {}})
    tasks = quarry.task_source(("bring", "wash"), 4).tasks("train")
    config = RolloutConfig("Quarry-v0", policy, 8, {"types": ("bring", "wash"), "numbers": 4})
    with Rollouts(config, 1) as rollouts:
        records = list(rollouts.play([Job(spec, task, 1) for task in tasks]))
    digests = [digest_episode(record, (), 8) for record in records]
    assert any(not digest.won for digest in digests)
    for digest in digests:
        assert digest.category in CATEGORIES
        assert (digest.category == "won") == digest.won == (not digest.component)
        assert digest.won or 0 < len(digest.evidence) <= 8
        assert set(digest.evidence) <= set(range(1, digest.steps + 1))


def test_every_category_is_explained() -> None:
    assert set(CATEGORIES) == {
        "won", "error", "overflow", "cut_off", "unusable_answers", "premature_end", "loop", "order", "refused", "searching",
        "final_step_missing", "unfinished", "goal_untouched", "ceiling",
    }  # fmt: skip
