"""The environment: commands, answers, the expert, the search, snapshots and pictures."""

import pickle
from typing import Any

import gymnasium
import numpy as np
import pytest

import homebody.envs
from homebody.envs import check_env
from homebody.envs.core import MaxStepsError, NotResetError, RenderModeError, SnapshotError, UnknownParameterError, UnknownTaskError
from homebody.envs.repair.env import RepairEnv, unfenced
from homebody.envs.repair.picture import changed_lines
from homebody.envs.repair.tasks import RepairParameterError

TASK = "one/greatest_common_divisor/3"
PROGRAM = '''1 def greatest_common_divisor(a, b):
2     """Return the greatest whole number that divides both a and b."""
3     while b:
4         a, b = b, a // b
5     return a'''
"""The faulty program of `TASK`."""


def play(*commands: str, **kwargs: Any) -> tuple[RepairEnv, list[str]]:
    env = RepairEnv(**kwargs)
    said = [env.reset(options={"task": TASK})[0]]
    said += [env.step(command)[0] for command in commands]
    return env, said


@pytest.mark.parametrize("kwargs", [{}, {"level": "two"}, {"level": "pair"}, {"holdout": "family", "max_steps": 3}])
def test_the_contract_holds(kwargs: dict[str, Any]) -> None:
    check_env(RepairEnv(**kwargs), n_steps=8)


def test_the_opening_is_the_program_and_the_number_of_tests() -> None:
    env = gymnasium.make("homebody/Repair-v0")
    observation, info = env.reset(options={"task": TASK})
    assert observation == f"5 visible tests.\n\n{PROGRAM}"
    replace = [f"replace {n}: {{text}}" for n in range(1, 6)]
    assert info == {
        "goal": "repair the function greatest_common_divisor",
        "admissible_commands": [*replace, "run", "show", "submit", "write {text}"],
        "slot_lines": [*replace, "write {text}"],
        "won": False,
        "task_id": TASK,
    }


def test_a_repair_by_one_line() -> None:
    env, said = play("run", "replace 4: a, b = b, a % b", "run")
    assert said[1].splitlines()[0] in [f"{n} of 5 visible tests fail." for n in range(1, 5)]
    assert said[2:] == ["Line 4 is now:\n4         a, b = b, a % b", "All 5 visible tests pass."]
    assert env.step("submit") == ("All 15 hidden tests pass.", 1.0, True, False, {**env.step("show")[4], "won": True})


def test_a_wrong_program_handed_in_ends_the_episode_unwon() -> None:
    env, _ = play()
    observation, reward, terminated, truncated, info = env.step("submit")
    assert observation.endswith("of 15 hidden tests fail.")
    assert (reward, terminated, truncated, info["won"]) == (0.0, True, False, False)


def test_failing_tests_are_told_with_values_errors_and_lines() -> None:
    _, said = play("write def greatest_common_divisor(a, b):\n    return 1000 // (a - a)", "run", "write def f(:", "run",
                   "write def greatest_common_divisor(a, b):\n    return 'x' * 500", "run")  # fmt: skip
    first = said[2].splitlines()
    assert first[0] == "5 of 5 visible tests fail."
    assert len(first) == 4
    assert "raised ZeroDivisionError in line 2: division by zero; it should return " in first[1]
    broken = said[4].splitlines()
    assert broken[0].startswith("All 5 visible tests fail: SyntaxError in line 1: ")
    assert broken[1].startswith("greatest_common_divisor(")
    assert max(map(len, said[6].splitlines())) < 260


@pytest.mark.parametrize(
    ("command", "observation"),
    [
        ("fly", "No such command. Commands: run, show, replace N: code, write code, undo, submit."),
        ("", "No such command. Commands: run, show, replace N: code, write code, undo, submit."),
        ("undo", "There is no change to undo."),
        ("show", PROGRAM),
        ("replace 9: pass", "There is no line 9; the program has 5 lines."),
        ("replace 0: pass", "There is no line 0; the program has 5 lines."),
        ("replace 4: {text}", "Write Python code in the place of {text}."),
        ("replace 4:   ", "Write Python code in the place of {text}."),
        ("write {text}", "Write Python code in the place of {text}."),
        ("write ```python\n```", "Write Python code in the place of {text}."),
        ("write " + "x" * 20_001, "That is too long; a program has at most 20000 characters."),
        ("replace 3: if not b:\n            return a\n        while b:\n\nThat should do.",
         "Line 3 is now:\n3     if not b:\n4             return a\n5         while b:"),
        ("replace 4: if b:\n    pass", "Line 4 is now:\n4         if b:\n5             pass"),
        ("write\ndef f():\n    pass\n", "The program is now this one, of 2 lines."),
        ("write Here it is:\n```python\nx = 1\n```\nIt works.", "The program is now this one, of 1 line."),
    ],
)  # fmt: skip
def test_every_command_has_an_answer(command: str, observation: str) -> None:
    env, said = play(command)
    assert said[1] == observation
    assert env.step("run")[1:4] == (0.0, False, False)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("x = 1", "x = 1"),
        ("  x = 1  \n\n", "  x = 1"),
        ("```\nx = 1\n```", "x = 1"),
        ("```py\nx = 1\ny = 2\n", "x = 1\ny = 2"),
        ("x = 1\n```\nsaid", "x = 1"),
        ("\n```\nx = 1\n```\n```\ny\n```", "x = 1"),
    ],
)
def test_code_is_taken_out_of_its_fence(text: str, code: str) -> None:
    assert unfenced(text) == code


def test_undo_goes_back_one_change_at_a_time() -> None:
    env, said = play("replace 4: one = 1", "replace 4: two = 2", "undo")
    assert "one = 1" in said[3]
    assert "undo" in env.step("run")[4]["admissible_commands"]
    assert env.step("undo")[0] == f"The last change is undone.\n{PROGRAM}"
    assert "undo" not in env.step("run")[4]["admissible_commands"]


def test_actions_that_are_no_texts_or_not_clean_are_answered() -> None:
    env, _ = play()
    for action in (None, 5, b"run", "\0", "run\x1b", "write \ud800", "replace 99999999: x", " run "):
        observation = env.step(action)[0]
        assert observation in env.observation_space
        assert observation.isprintable() or "\n" in observation


@pytest.mark.parametrize("level", ["one", "two", "pair"])
def test_the_expert_repairs_every_task(level: str) -> None:
    env = RepairEnv(level=level)
    for split in ("train", "test"):
        for spec in env.source.tasks(split, 60):
            env.reset(options={"task": spec.task_id})
            for command in env.expert():
                info = env.step(command)[4]
            assert info["won"], spec.task_id
            assert env.expert() == []


def test_the_expert_goes_on_from_anywhere() -> None:
    env, _ = play("write nonsense")
    assert [command.split("\n")[0] for command in env.expert()] == ["write def greatest_common_divisor(a, b):", "submit"]
    env.step("undo")
    assert env.expert() == ["replace 4: a, b = b, a % b", "submit"]


def test_the_search_stays_within_the_steps_and_finds_some() -> None:
    won = {}
    for search in ("steps", "interpreter"):
        env = RepairEnv(search=search)
        won[search] = 0
        for spec in env.source.tasks("train", 27):
            env.reset(options={"task": spec.task_id})
            is_over = False
            steps = 0
            while not is_over:
                (command,) = env.scripted_policy()
                _, _, terminated, truncated, info = env.step(command)
                is_over, steps = terminated or truncated, steps + 1
            assert steps <= 8
            won[search] += info["won"]
    assert 1 <= won["steps"] < won["interpreter"] < 27


def test_the_search_reads_observations_alone() -> None:
    from homebody.envs.repair.search import Searcher

    searcher = Searcher("interpreter")
    searcher.see("", "2 visible tests.\n\n1 def f(a):\n2     return a + 2")
    assert searcher.choose(8) == "run"
    searcher.see("run", "1 of 2 visible tests fail.\nf(3) returned 5, not 4")
    assert searcher.choose(7) == "write def f(a):\n    return a + 1"
    searcher.see("write def f(a):\n    return a + 1", "The program is now this one, of 2 lines.")
    assert searcher.choose(6) == "run"
    searcher.see("run", "All 2 visible tests pass.")
    assert searcher.choose(5) == "submit"


def test_snapshots_and_pickles_go_on_as_the_episode_would() -> None:
    env, _ = play("run", "replace 4: a, b = b, a % b")
    snapshot = pickle.loads(pickle.dumps(env.snapshot()))
    copy = pickle.loads(pickle.dumps(env))
    after = [env.step(command) for command in ("undo", "run", "submit")]
    assert [copy.step(command) for command in ("undo", "run", "submit")] == after
    other = RepairEnv()
    info = other.restore(snapshot)
    assert info == env.restore(snapshot)
    assert [other.step(command) for command in ("undo", "run", "submit")] == after
    assert other.restore(snapshot)
    assert other.scripted_policy() == ["run"]
    for wrong in (None, "x"):
        with pytest.raises(SnapshotError):
            env.restore(wrong)  # type: ignore[arg-type]


def test_pictures_show_the_changed_line() -> None:
    env, _ = play(render_mode="rgb_array", render_size=(400, 300))
    before = env.render()
    env.step("replace 4: a, b = b, a % b")
    after = env.render()
    assert before is not None
    assert after is not None
    assert before.shape == after.shape == (300, 400, 3)
    marked = np.all(after == (255, 243, 205), axis=2).any(axis=1)
    assert not np.all(before == (255, 243, 205), axis=2).any()
    assert marked.any()
    assert np.array_equal(after[: int(np.argmax(marked))], before[: int(np.argmax(marked))])
    assert changed_lines("a\nx\nc\nd", "a\nb\nc") == {2, 4}
    with pytest.raises(RenderModeError):
        play()[0].render()


def test_a_long_program_says_what_is_cut() -> None:
    env, _ = play(render_mode="rgb_array", render_size=(320, 240))
    env.step("write " + "\n".join(f"x = {n}" for n in range(500)))
    assert env.render() is not None


@pytest.mark.parametrize(
    ("kwargs", "error"),
    [
        ({"max_steps": 0}, MaxStepsError),
        ({"max_steps": True}, MaxStepsError),
        ({"search": "deep"}, RepairParameterError),
        ({"level": "three"}, RepairParameterError),
        ({"steps": 3}, UnknownParameterError),
        ({"render_mode": "svg"}, RenderModeError),
    ],
)
def test_parameters_are_checked(kwargs: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        RepairEnv(**kwargs)


def test_use_before_reset_and_unknown_tasks_are_named() -> None:
    env = RepairEnv()
    for call in (env.expert, env.scripted_policy, env.snapshot, lambda: env.step("run")):
        with pytest.raises(NotResetError):
            call()
    with pytest.raises(UnknownTaskError):
        env.reset(options={"task": "one/fibonacci/99"})
    assert homebody.envs.tasks("homebody/Repair-v0", "train", 1)[0].task_id == "one/greatest_common_divisor/0"
