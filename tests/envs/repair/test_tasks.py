"""Procedural tasks: ids, splits, levels, tests that tell a fault."""

import subprocess
import sys

import pytest

from homebody.envs import tasks
from homebody.envs.core import SPLITS, TaskCountError, UnknownSplitError, UnknownTaskError
from homebody.envs.repair.functions import functions
from homebody.envs.repair.suite import run_cases
from homebody.envs.repair.tasks import LEVELS, FunctionSource, RepairParameterError

ENV = "homebody/Repair-v0"
IDS = [spec.task_id for level in LEVELS for split in SPLITS for spec in FunctionSource(level).tasks(split)[::180]]


def test_there_are_five_thousand_tasks_of_each_level_and_no_id_twice() -> None:
    for level in LEVELS:
        ids = [spec.task_id for split in SPLITS for spec in FunctionSource(level).tasks(split)]
        assert len(ids) == len(set(ids)) == 5400


def test_tasks_take_turns_among_functions_and_families() -> None:
    first = tasks(ENV, "test", 18)
    assert len({spec.task_id.split("/")[1] for spec in first}) == 18
    assert len({spec.type for spec in first[:9]}) == 9
    assert tasks(ENV, "test")[:18] == first


@pytest.mark.parametrize("task_id", IDS)
def test_faults_show_in_visible_and_hidden_tests_and_the_reference_passes_all(task_id: str) -> None:
    task = FunctionSource().task(task_id)
    assert run_cases(task.reference, (*task.visible, *task.hidden)).passed
    for cases in (task.visible, task.hidden):
        outcome = run_cases(task.program, cases)
        assert outcome.problem == ""
        assert outcome.failed
    assert not {case.call for case in task.visible} & {case.call for case in task.hidden}
    assert len(task.faults) == (1 if task_id.startswith("one") else 2)


def test_of_two_faults_each_alone_is_one() -> None:
    task = FunctionSource().task("two/insertion_sort/1")
    now, right = task.program.split("\n"), task.reference.split("\n")
    assert len(now) == len(right)
    different = [n for n in range(len(now)) if now[n] != right[n]]
    assert len(different) == 2
    for n in different:
        half = [*now[:n], right[n], *now[n + 1 :]]
        assert run_cases("\n".join(half), task.visible + task.hidden).failed


def test_a_pair_has_two_functions_of_one_family_and_split() -> None:
    for spec in FunctionSource("pair").tasks("test", 36):
        task = FunctionSource().task(spec.task_id)
        names = {case.function for case in task.visible}
        assert len(names) == 2
        assert {functions()[name].split("function") for name in names} == {"test"}
        assert {functions()[name].family for name in names} == {spec.type}
        assert task.goal == f"repair the functions {' and '.join(dict.fromkeys(case.function for case in task.visible))}"


def test_the_harder_split_keeps_families_apart() -> None:
    types = {split: {spec.type for spec in tasks(ENV, split, holdout="family")} for split in SPLITS}
    assert not types["train"] & types["test"]
    assert not types["validation"] & (types["train"] | types["test"])


def test_another_process_makes_the_same_tasks() -> None:
    text = f"from homebody.envs.repair.tasks import FunctionSource\nfor i in {IDS[::9]!r}: print(hash_of(FunctionSource().task(i)))"
    head = "import hashlib\ndef hash_of(task): return hashlib.sha256(repr(task).encode()).hexdigest()\n"
    outs = [
        subprocess.run([sys.executable, "-P", "-c", head + text], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": seed})
        for seed in ("1", "2")
    ]
    assert outs[0].stdout == outs[1].stdout
    assert len(set(outs[0].stdout.split())) == len(IDS[::9])


@pytest.mark.parametrize(
    "task_id", ["one/fibonacci/60", "one/fibonacci/01", "one/fibonacci", "one/none/1", "three/fibonacci/1", "one/fibonacci/1/2", "", 5,
                None, "one/fibonacci/²", "one/fibonacci/-1"]
)  # fmt: skip
def test_unknown_ids_are_named(task_id: object) -> None:
    with pytest.raises(UnknownTaskError, match=r"unknown task .* in the reference functions"):
        FunctionSource().task(task_id)


def test_parameters_and_splits_are_checked() -> None:
    with pytest.raises(RepairParameterError, match="level='three' is not possible; give one of: one, two, pair"):
        FunctionSource("three")
    with pytest.raises(RepairParameterError, match="holdout=7 is not possible; give one of: function, family"):
        FunctionSource(holdout=7)  # type: ignore[arg-type]
    with pytest.raises(UnknownSplitError):
        tasks(ENV, "dev")
    with pytest.raises(TaskCountError):
        tasks(ENV, "test", 1081)
