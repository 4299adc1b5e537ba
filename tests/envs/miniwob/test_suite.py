"""Which pages are played, and as which tasks; no browser and no package is needed for these."""

from __future__ import annotations

import importlib.util
from typing import Any

import pytest

from homebody.envs.core import SPLITS, TaskCountError, UnknownSplitError, UnknownTaskError
from homebody.envs.miniwob import suite
from homebody.envs.miniwob.expert import SCRIPTS
from homebody.envs.miniwob.suite import (
    HELD_OUT,
    SUITE,
    HoldoutError,
    MiniWobPackageError,
    PageSource,
    UnknownPageError,
    pages_dir,
)


def test_at_least_sixty_pages_are_curated_and_each_has_a_script() -> None:
    assert len(SUITE) >= 60
    assert set(SCRIPTS) == set(SUITE)
    assert set(HELD_OUT) < set(SUITE)
    assert len(HELD_OUT) == len(set(HELD_OUT)) >= 12


def test_pages_of_every_kind_are_held_out_and_left() -> None:
    kinds = {info.kind for info in SUITE.values()}
    assert {SUITE[page].kind for page in HELD_OUT} == kinds
    assert {info.kind for page, info in SUITE.items() if page not in HELD_OUT} == kinds


def test_tasks_are_won_by_the_whole_reward() -> None:
    assert {info.threshold for info in SUITE.values()} == {1.0}


def test_no_seed_is_in_two_splits_and_every_beginning_mixes_the_pages() -> None:
    ids = [{task.task_id for task in PageSource().tasks(split)} for split in SPLITS]
    assert [len(found) for found in ids] == [200 * len(SUITE), 50 * len(SUITE), 50 * len(SUITE)]
    assert not ids[0] & ids[1] | ids[0] & ids[2] | ids[1] & ids[2]
    first = PageSource().tasks("validation", len(SUITE))
    assert {task.task_id for task in first} == {f"{page}/validation-0" for page in SUITE}
    assert len({task.type for task in first[:12]}) >= 4


def test_held_out_pages_are_the_test_split_and_in_no_other() -> None:
    source = PageSource(holdout="tasks")
    pages = {split: {task.task_id.partition("/")[0] for task in source.tasks(split)} for split in SPLITS}
    assert pages["test"] == set(HELD_OUT)
    assert pages["train"] == pages["validation"] == set(SUITE) - set(HELD_OUT)
    with pytest.raises(UnknownTaskError):
        source.find("click-shades/train-0")
    assert source.find("click-shades/test-0") == "click-shades"


@pytest.mark.parametrize(
    "task", ["click-button", "click-button/train-200", "click-button/train-01", "click-button/nowhere-1", "click-button/train--1",
             "click-button/train-\u0661", "nothing/train-1", "", None, 7],
)  # fmt: skip
def test_tasks_that_do_not_exist(task: object) -> None:
    with pytest.raises(UnknownTaskError, match="in the suite of pages"):
        PageSource().find(task)


@pytest.mark.parametrize("pages", ["click-buton", "../core/core", "click-button+no-such", [""], "", ["a/b"], [5], 5, True, "a" * 300])
def test_pages_that_do_not_exist(pages: Any) -> None:
    if importlib.util.find_spec("miniwob") is None:
        pytest.skip("the pages are not installed: pip install homebody[miniwob]")
    with pytest.raises(UnknownPageError, match="the suite has: click-button, "):
        PageSource(pages)


def test_a_page_with_a_slip_is_told_its_name() -> None:
    if importlib.util.find_spec("miniwob") is None:
        pytest.skip("the pages are not installed: pip install homebody[miniwob]")
    with pytest.raises(UnknownPageError, match="did you mean click-button"):
        PageSource("click-buton")


def test_pages_are_chosen_as_a_list_or_joined() -> None:
    assert [task.task_id for task in PageSource("click-test+login-user").tasks("train", 3)] == [
        "click-test/train-0", "login-user/train-0", "click-test/train-1"
    ]  # fmt: skip
    with pytest.raises(TaskCountError):
        PageSource(["click-test"]).tasks("test", 51)
    with pytest.raises(UnknownSplitError):
        PageSource().tasks("valid_unseen")
    with pytest.raises(HoldoutError, match="holdout='pages' is not possible; give 'tasks'"):
        PageSource(holdout="pages")
    with pytest.raises(UnknownPageError, match="leaves the split 'train' without tasks"):
        PageSource(["click-shades"], "tasks").tasks("train")


def test_without_the_package_a_line_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suite.importlib.util, "find_spec", lambda name: None)
    pages_dir.cache_clear()
    try:
        with pytest.raises(MiniWobPackageError, match=r"pip install 'homebody\[miniwob\]'"):
            pages_dir()
    finally:
        pages_dir.cache_clear()
    assert PageSource().tasks("train", 1)
