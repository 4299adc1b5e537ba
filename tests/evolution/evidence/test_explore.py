from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import gymnasium
from gymnasium.spaces import Text
from hypothesis import given
from hypothesis import strategies as st

from homebody.envs import TaskSpec
from homebody.evolution.evidence.explore import Explorer, Walk

TASK = TaskSpec("train/bring-0", "bring", "train")
FORMS = ("open #", "go to #")


def commands(walk: Walk) -> list[str]:
    return [moment.command for moment in walk.moments]


class Script(gymnasium.Env[str, str]):
    """Wins when the commands so far are one of the given lists; offers the same commands at every step."""

    observation_space = action_space = Text(100)

    def __init__(self, wins: Sequence[tuple[str, ...]], offered: Sequence[str] = (), goal: str = "") -> None:
        self.wins, self.offered, self.goal = set(wins), list(offered), goal

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        self.taken: list[str] = []
        return "", self.info()

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        self.taken.append(action)
        info = self.info()
        return "", float(info["won"]), info["won"], False, info

    def info(self) -> dict[str, Any]:
        return {"goal": self.goal, "admissible_commands": self.offered, "won": tuple(self.taken) in self.wins, "task_id": "t"}


def wins(plan: Sequence[str], winning: set[tuple[str, ...]]) -> bool:
    return any(tuple(plan[:end]) in winning for end in range(1, len(plan) + 1))


def test_a_win_is_cut_down_to_what_it_needs(quarry: Any) -> None:
    detour = [
        "go to shaft 2", "lift stone 2 from shaft 2", "go to crate 1", "open crate 1", "drop stone 2 at crate 1", "go to shaft 3",
        "go to shaft 1", "lift gem 1 from shaft 1", "drop gem 1 at shaft 1", "lift gem 1 from shaft 1", "go to crate 1",
        "drop gem 1 at crate 1", "go to shaft 1",
    ]  # fmt: skip
    # Opening the crate on the way, or on the first visit and coming back: of the two, later commands are left out first.
    needed = ["go to crate 1", "open crate 1", "go to shaft 1", "lift gem 1 from shaft 1", "go to crate 1", "drop gem 1 at crate 1"]
    explorer = Explorer(quarry())
    assert explorer.shorten(TASK, detour) == needed
    assert explorer.shorten(TASK, detour[:-2]) is None
    assert explorer.shorten(TASK, []) is None


@given(
    st.permutations(list("abcdefgh")),
    st.sets(st.lists(st.sampled_from("abcdefgh"), unique=True, min_size=1).map(lambda some: tuple(sorted(some))), max_size=12),
)
def test_no_single_command_can_be_left_out_of_a_shortened_win(order: list[str], ordered: set[tuple[str, ...]]) -> None:
    rank = {name: number for number, name in enumerate(order)}
    winning = {tuple(sorted(some, key=rank.__getitem__)) for some in ordered} | {tuple(order)}
    plan = Explorer(Script(list(winning))).shorten(TASK, order)
    assert plan is not None
    assert tuple(plan) in winning
    assert not any(wins([*plan[:i], *plan[i + 1 :]], winning) for i in range(len(plan)))


def test_a_command_that_only_another_needed_goes_too() -> None:
    # c cannot go while b is there, and is tried before b: a single pass over the commands would end with a, c, d.
    assert Explorer(Script([tuple("abcd"), tuple("acd"), tuple("ad")])).shorten(TASK, list("abcd")) == ["a", "d"]


def test_a_random_walk_is_the_same_each_time_and_differs_by_number_seed_and_task(quarry: Any) -> None:
    def walk(seed: int, number: int, task: TaskSpec) -> Walk:
        return Explorer(quarry(), seed).random_walk(task, number, 12)

    first = walk(0, 0, TASK)
    assert walk(0, 0, TASK) == first
    others = [walk(1, 0, TASK), walk(0, 1, TASK), walk(0, 0, TaskSpec("train/bring-3", "bring", "train"))]
    assert all(commands(other) != commands(first) for other in others)


def test_a_walk_takes_admissible_commands_and_records_what_they_led_to(quarry: Any) -> None:
    explorer = Explorer(quarry())
    walk = explorer.random_walk(TASK, 0, 12)
    assert (walk.task, walk.goal) == (TASK, "bring a gem to a crate")
    assert walk.opening == ("go to crate 1", "go to shaft 1", "go to shaft 2", "go to shaft 3")
    offered = [walk.opening, *(moment.admissible for moment in walk.moments)]
    assert all(moment.command in candidates for moment, candidates in zip(walk.moments, offered, strict=False))
    again, replay = quarry(), []
    again.reset(options={"task": TASK.task_id})
    for moment in walk.moments:
        observation, _, _, _, info = again.step(moment.command)
        replay.append((observation, tuple(info["admissible_commands"]), info["won"]))
    assert replay == [(moment.observation, moment.admissible, False) for moment in walk.moments]
    assert explorer.steps == len(walk.moments) == 12


def test_a_walk_ends_with_the_win(quarry: Any) -> None:
    walks = [Explorer(quarry()).random_walk(TASK, number, 200) for number in range(10)]
    won = [walk for walk in walks if walk.won]
    assert len(won) >= 5
    assert all(commands(walk)[-1] == "drop gem 1 at crate 1" and len(walk.moments) < 200 for walk in won)


def test_every_step_is_counted_replays_included() -> None:
    explorer = Explorer(Script([("a", "b", "c"), ("a", "c")]))
    assert explorer.shorten(TASK, list("abc")) == ["a", "c"]
    # abc 3, without two a 1; without one ab 2, ac 2 (wins), then c 1; and again a 1, c 1.
    assert explorer.steps == 3 + 1 + 2 + 2 + 1 + 1 + 1


def first_choices(offered: list[str], goal: str, walks: int) -> dict[str, int]:
    found = dict.fromkeys(offered, 0)
    for number in range(walks):
        found[commands(Explorer(Script([], offered, goal)).random_walk(TASK, number, 1))[0]] += 1
    return found


def test_words_of_the_goal_draw() -> None:
    # 1 + 6 against 1: seven in eight of 800 are 700, with a standard deviation of 9.4.
    found = first_choices(["pull blue 1", "pull red 1"], "Make it red!", 800)
    assert 660 <= found["pull red 1"] <= 740


def test_what_was_not_done_yet_draws_and_so_do_forms_that_are_seldom_taken() -> None:
    # After "pull red 1": the same again has weight 1, "pull red 2" 5; both have the form that was taken once.
    seconds = [commands(Explorer(Script([], ["pull red 1", "pull red 2"])).random_walk(TASK, number, 2)) for number in range(800)]
    changed = sum(one != two for one, two in seconds)
    assert 620 <= changed <= 713  # five in six are 667, give or take 4.3 standard deviations of 10.5
    # One explorer, many walks: the rarer form is taken as often as the other although it has one command of four.
    explorer = Explorer(Script([], ["pull red 1", "pull red 2", "pull red 3", "turn red 1"]))
    turned = sum(commands(explorer.random_walk(TASK, number, 1))[0] == "turn red 1" for number in range(800))
    assert 235 <= turned <= 305  # with weights 3/sqrt(p) : 1/sqrt(t) the shares settle at p : t = 3^(2/3) : 1, which gives 32.5% or 260


def test_a_coverage_walk_observes_everything_once_and_ends_what_is_begun_first(quarry: Any) -> None:
    orders = set()
    for number in range(6):
        walk = Explorer(quarry()).coverage_walk(TaskSpec(f"train/bring-{number}", "bring", "train"), FORMS, 100)
        taken = commands(walk)
        orders.add(tuple(taken))
        assert sorted(taken) == ["go to crate 1", "go to shaft 1", "go to shaft 2", "go to shaft 3", "open crate 1"]
        assert ("go to crate 1", "open crate 1") in pairwise(taken)
        assert not walk.won
    assert len(orders) > 1  # the order is drawn
    assert Explorer(quarry()).coverage_walk(TASK, FORMS, 100) == Explorer(quarry()).coverage_walk(TASK, FORMS, 100)


def test_a_coverage_walk_keeps_to_its_length_and_its_forms(quarry: Any) -> None:
    explorer = Explorer(quarry())
    assert len(explorer.coverage_walk(TASK, FORMS, 3).moments) == 3
    assert explorer.coverage_walk(TASK, (), 100).moments == ()
    assert explorer.steps == 3


def test_a_coverage_walk_that_happens_to_win_ends() -> None:
    walk = Explorer(Script([("look at pit 1",)], ["look at pit 1", "look at pit 1 again"])).coverage_walk(TASK, ("look at #",), 9)
    assert (commands(walk), walk.won) == (["look at pit 1"], True)


def test_a_replay_gives_the_answers_up_to_the_end(quarry: Any) -> None:
    explorer = Explorer(quarry())
    assert explorer.replay(TASK, ["go to crate 1", "open crate 1"]) == ["crate 1 is closed.", "At crate 1: dust, coin 1"]
    ending = Explorer(Script([("a", "b")]))
    assert ending.replay(TASK, list("abc")) == ["", ""]
    assert (explorer.steps, ending.steps) == (2, 2)


class Ending(Script):
    """Ends at the first command that is no `a`, won or not."""

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        observation, reward, won, _, info = super().step(action)
        return observation, reward, won or action != "a", False, info


def test_play_ends_where_the_environment_ends_the_episode() -> None:
    walk = Explorer(Ending([], ["b"])).random_walk(TASK, 0, 9)
    assert (commands(walk), walk.won) == (["b"], False)
    assert commands(Explorer(Ending([], ["b pit 1", "b pit 2"])).coverage_walk(TASK, ("b #",), 9)) in (["b pit 1"], ["b pit 2"])
    assert Explorer(Ending([("a", "b", "c")])).shorten(TASK, list("abc")) is None


def test_play_ends_where_nothing_is_on_offer() -> None:
    assert Explorer(Script([])).random_walk(TASK, 0, 9).moments == ()


def test_a_free_slot_is_filled_with_the_goal() -> None:
    walk = Explorer(Script([], ["ask[{text}]"], "Ring it.")).random_walk(TASK, 0, 2)
    assert (walk.opening, commands(walk)) == (("ask[Ring it.]",), ["ask[Ring it.]"] * 2)


def test_a_free_slot_is_filled_with_the_parts_of_the_goal_once_they_are_known() -> None:
    explorer = Explorer(Script([], ["ask[{text}]", "wait"], "Ring <it> for <me>."))
    explorer.parts = {"templates": [], "marks": [["<", ">"]]}
    assert explorer.random_walk(TASK, 0, 2).opening == ("ask[it]", "ask[me]", "wait")
    explorer.parts = {"templates": [], "marks": [["(", ")"]]}
    assert explorer.open(TASK).opening == ("ask[Ring <it> for <me>.]", "wait")


def test_a_walk_says_whether_a_command_had_a_slot() -> None:
    assert Explorer(Script([], ["ask[{text}]"])).open(TASK).has_slots
    assert not Explorer(Script([], ["ask"])).open(TASK).has_slots
