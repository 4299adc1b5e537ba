from collections.abc import Callable
from typing import Any

import pytest

from homebody.agents.episode import EpisodeRecord
from homebody.evolution.digest import CATEGORIES, Digest, digest_episode, landscape

SEARCH, ACT = {"phase": "search", "wanted": "gem"}, {"phase": "act", "wanted": "gem"}


def trace(*steps: str, focus: Any = None) -> list[dict[str, Any]]:
    """Make a trace of `command>answer`; a command that begins with `!` was refused."""
    return [
        {"step": number, "command": text.partition(">")[0].lstrip("!"), "observation": text.partition(">")[2],
         "accepted": not text.startswith("!"), "focus": focus[number - 1] if focus else None}
        for number, text in enumerate(steps, 1)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("steps", "focus", "category", "component", "evidence"),
    [
        # Two of four refused is half; one of three is not.
        (("!a>no", "go to pit 1>x", "!b>no", "go to pit 2>y"), None, "unusable_answers", "control", (1, 3)),
        (("!a>no", "go to pit 1>x", "lift gem 1 from pit 1>y"), None, "ceiling", "control", (3,)),
        # Two repeats in six steps are a third; the same command with another answer is none.
        (("a>x", "a>x", "a>x", "b>x", "c>x", "d>x"), None, "loop", "control", (2, 3)),
        (("a>x", "a>x", "a>y", "b>x", "c>x", "d>x"), None, "goal_untouched", "memory", (1, 2, 3, 4, 5, 6)),
        # What the agent was after at the last step decides.
        (("a>1", "b>2", "c>3", "d>4"), (SEARCH, ACT, None, SEARCH), "searching", "memory", (1, 4)),
        (("a>1", "b>2", "c>3"), (SEARCH, SEARCH, ACT), "unfinished", "memory", (3,)),
        # A command on a thing of the goal, with what else it names.
        (("lift stone 1 from pit 1>x", "wet gem 1>y", "lift gem 1 from pit 1>z"), None, "ceiling", "control", (3,)),
        (("lift stone 1 from pit 1>x", "wet gem 1>y", "!lift gem 1 from pit 1>z"), None, "goal_untouched", "memory", (1, 2, 3)),
        # Refused answers are looked at before repeats, and at most eight steps are shown.
        (("!a>no",) * 10, None, "unusable_answers", "control", (1, 2, 3, 4, 5, 6, 7, 8)),
    ],
)
def test_categories_by_hand(
    episode: Callable[..., EpisodeRecord], steps: tuple[str, ...], focus: Any, category: str, component: str, evidence: tuple[int, ...]
) -> None:
    digest = digest_episode(episode(trace=trace(*steps, focus=focus), steps=len(steps), task_id="train/a-9", type="b"))
    assert digest == Digest("train/a-9", "b", False, len(steps), category, component, evidence)


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


def test_the_landscape_groups_failures_with_the_most_frequent_first() -> None:
    def failed(task: str, category: str) -> Digest:
        return Digest(task, "a", category == "won", 3, category, "", ())

    digests = [failed("t1", "loop"), failed("t2", "ceiling"), failed("t3", "won"), failed("t4", "error"), failed("t5", "error")]
    assert list(landscape(digests).items()) == [("error", ["t4", "t5"]), ("ceiling", ["t2"]), ("loop", ["t1"])]
    assert landscape([]) == {}


def test_a_digest_is_json() -> None:
    assert Digest("t", "a", False, 3, "loop", "control", (2,)).to_json() == {
        "task_id": "t", "type": "a", "won": False, "steps": 3, "category": "loop", "component": "control", "evidence": (2,),
    }  # fmt: skip


def test_every_category_is_explained() -> None:
    assert set(CATEGORIES) == {
        "won", "error", "unusable_answers", "loop", "searching", "unfinished", "goal_untouched", "ceiling",
    }  # fmt: skip
