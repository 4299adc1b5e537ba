"""Real programs from a folder: what is read, what is left out, and which errors are named."""

import json
from pathlib import Path

import pytest

from homebody.envs import check_env
from homebody.envs.core import NoTasksError, UnknownSplitError, UnknownTaskError
from homebody.envs.repair.env import RepairEnv
from homebody.envs.repair.programs import ProgramsError, ProgramSource
from homebody.envs.text import UnreadableError

PROGRAMS = {
    "add_up": ("def add_up(a, b):\n    return a - b\n", "def add_up(a, b):\n    return a + b\n", [[[1, 2], 3], [[0, 0], 0], [[4, 4], 8]]),
    "double": (
        "def double(x):\n    return x ** 2",
        "def double(x):\n    return x * 2\n\n'''\nTwice.\n'''",
        [[3, 6], [2, 4], [[[1]], [1, 1]]],
    ),
    "halves": ("def halves(x):\n    while True:\n        pass\n", "def halves(x):\n    return [x / 2] * 2", [[[1], [0.5, 0.5]]]),
    "last": ("def last(xs):\n\treturn xs[0]", "def last(xs):\n\treturn xs[-1]", [[[[1, 2]], 2]]),
}
LEFT_OUT = {
    "evens": ("def evens(n):\n    yield n", "def evens(n):\n    yield 2 * n", [[[1], [2]]],
              "the sandbox does not run it, NotImplementedError in line 2"),
    "fine": ("def fine(x):\n    return x", "def fine(x):\n    return x", [[[1], 1]], "no test shows its fault"),
    "odd": ("def odd(x):\n    return 0", "def odd(x):\n    return 2", [[[1], 1]], "its correct program fails a test, 'odd(1)'"),
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("python_programs", "correct_python_programs", "json_testcases"):
        (tmp_path / name).mkdir()
    for name, (faulty, correct, tests, *_) in {**PROGRAMS, **LEFT_OUT}.items():
        (tmp_path / "python_programs" / f"{name}.py").write_text(faulty, "utf-8")
        (tmp_path / "correct_python_programs" / f"{name}.py").write_text(correct, "utf-8")
        (tmp_path / "json_testcases" / f"{name}.json").write_text("\n".join(json.dumps(test) for test in tests), "utf-8")
    (tmp_path / "python_programs" / "graph.py").write_text("def graph(): pass", "utf-8")
    (tmp_path / "python_programs" / "add_up_test.py").write_text("", "utf-8")
    return tmp_path


def test_programs_are_tasks_and_the_rest_is_named_and_counted(folder: Path) -> None:
    source = ProgramSource(folder)
    assert [[spec.task_id for spec in source.tasks(split)] for split in ("train", "validation", "test")] == [
        ["double"], ["last"], ["add_up", "halves"],
    ]  # fmt: skip
    assert list(source.left_out) == ["evens", "fine", "graph", "odd"]
    assert all(source.left_out[name].startswith(reason) for name, (*_, reason) in LEFT_OUT.items())
    assert source.left_out["graph"] == "there is no correct_python_programs/graph.py"
    assert source.about.startswith("4 real programs, 4 left out (evens: the sandbox does not run it, ")


def test_the_environment_plays_them(folder: Path) -> None:
    env = RepairEnv(folder, split="test")
    check_env(env, n_steps=5)
    for split in ("train", "validation", "test"):
        for spec in env.source.tasks(split):
            observation, info = env.reset(options={"task": spec.task_id})
            assert info["goal"] == f"repair the program {spec.task_id}"
            assert "\t" not in observation
            assert "fail" in env.step("run")[0]
            for command in env.expert():
                info = env.step(command)[4]
            assert info["won"]


def test_one_argument_needs_no_list_and_tests_are_all_hidden(folder: Path) -> None:
    task = ProgramSource(folder).task("double")
    assert [case.call for case in task.hidden] == ["double(3)", "double(2)", "double([1])"]
    assert {case.call for case in task.visible} == {case.call for case in task.hidden}


def test_errors_say_what_and_where(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ProgramsError, match=r"there is no folder python_programs; give a folder with python_programs/NAME\.py"):
        ProgramSource(tmp_path / "nowhere")
    with pytest.raises(UnknownTaskError, match=r"unknown task 'evens' in .* \(the sandbox does not run it"):
        ProgramSource(folder).task("evens")
    with pytest.raises(UnknownTaskError, match=r"unknown task 'doubel' in .*; did you mean double"):
        ProgramSource(folder).task("doubel")
    with pytest.raises(UnknownSplitError):
        ProgramSource(folder).tasks("dev")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"[[1], 2", "line 1: is not JSON"),
        (b"[[1], 2]\n[3]", r"line 2: is \[3\], no test; give \[arguments, expected\]"),
        (b"\n\n", "holds no tests"),
        (b"\xff\xfe", "is UTF-16, not UTF-8"),
    ],
)
def test_files_that_cannot_be_read_are_named(folder: Path, tmp_path_factory: pytest.TempPathFactory, text: bytes, words: str) -> None:
    (folder / "json_testcases" / "double.json").write_bytes(text)
    with pytest.raises(UnreadableError, match=rf"double\.json.*{words}"):
        ProgramSource(folder)


def test_a_folder_with_too_few_programs_says_so(folder: Path) -> None:
    for name in ("add_up", "halves", "last", *LEFT_OUT, "graph"):
        (folder / "python_programs" / f"{name}.py").unlink()
    assert len(ProgramSource(folder).tasks("test")) == 1
    with pytest.raises(NoTasksError, match=r"split 'train' has no tasks in .*; add programs; there are 1 real programs"):
        ProgramSource(folder).tasks("train")
    (folder / "python_programs" / "double.py").unlink()
    (folder / "python_programs" / "notes.txt").touch()
    with pytest.raises(ProgramsError, match="there are no programs"):
        ProgramSource(folder)
