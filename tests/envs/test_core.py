from __future__ import annotations

import json
import re

import pytest

from homebody.envs.core import SPLITS, TaskCountError, TaskSource, TaskSpec, TaskSpecError, did_you_mean, take_tasks

SPEC = TaskSpec("json_2.1.1/train/x", "pick_and_place_simple", "train")


def test_spec_survives_json() -> None:
    assert TaskSpec.from_json(json.loads(json.dumps(SPEC.to_json()))) == SPEC


def test_hash_is_of_the_content() -> None:
    assert SPEC.hash == "2c46d2371551226347260e5ba0b49ffe51a5d450b78b537d0043b893b3c24d93"
    assert SPEC.hash != TaskSpec(SPEC.task_id, SPEC.type, "test").hash


@pytest.mark.parametrize("value", [{}, [], {"task_id": "x", "type": "y"}, {**SPEC.to_json(), "more": ""}, {**SPEC.to_json(), "split": 1}])
def test_other_json_is_no_spec(value: object) -> None:
    with pytest.raises(TaskSpecError, match=re.escape("task_id, type, split")):
        TaskSpec.from_json(value)  # type: ignore[arg-type]


def test_take_tasks() -> None:
    specs = [TaskSpec(str(i), "t", "train") for i in range(3)]
    assert take_tasks(specs, "train", None) == specs
    assert take_tasks(specs, "train", 2) == specs[:2]


@pytest.mark.parametrize(
    ("n", "message"), [(0, "at least 1"), (-1, "at least 1"), (True, "at least 1"), (1.5, "at least 1"), (4, "at most 3")]
)
def test_impossible_numbers_of_tasks(n: object, message: str) -> None:
    with pytest.raises(TaskCountError, match=message):
        take_tasks([SPEC] * 3, "train", n)  # type: ignore[arg-type]


def test_did_you_mean() -> None:
    assert did_you_mean("trian", SPLITS) == "; did you mean train?"
    assert did_you_mean("xyz", SPLITS) == ""


def test_task_source_is_a_protocol() -> None:
    class Own:
        def tasks(self, split: str, n: int | None = None) -> list[TaskSpec]:
            return [SPEC]

    assert isinstance(Own(), TaskSource)
    assert not isinstance(SPEC, TaskSource)
