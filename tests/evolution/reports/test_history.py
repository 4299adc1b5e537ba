"""What a run adds up to; the run is written by hand (`told_run`), so that every number is known."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from homebody.agents.content_hash import digest
from homebody.evolution.loop import evolve
from homebody.evolution.reports.history import History, candidates, cost, evaluation_series, held_out, operators, outcomes, read_history
from homebody.evolution.store import Store


@pytest.fixture(scope="module")
def history(told_run: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> History:
    return read_history(told_run(tmp_path_factory.mktemp("told")))


def marks(rows: list[dict[str, Any]]) -> dict[str, str]:
    return {row["task"]: "".join("." if cell is None else "+" if cell["won"] else "-" for cell in row["cells"]) for row in rows}


def test_tasks_by_round(history: History) -> None:
    assert marks(outcomes(history, "training")) == {"train/a-0": "-+", "train/a-1": "+-"}
    assert marks(outcomes(history, "validation")) == {"validation/a-0": "-+", "validation/a-1": "--", "validation/a-2": "++"}
    first = outcomes(history, "training")[0]
    assert first["type"] == "a"
    # Its only command was refused, so at least half of its answers could not be used.
    assert [cell["sentence"] for cell in first["cells"]] == ["not won in 3 steps: unusable answers", "won in 3 steps"]
    assert first["cells"][0]["key"] == digest(["seed", "train/a-0"])


def test_held_out_tasks_by_evaluation(history: History) -> None:
    (test,) = held_out(history)
    assert test["split"] == "test, 15 steps"
    assert [(column["harness"], column["policy"]) for column in test["columns"]] == [
        ("s", "m"),
        ("s-evolved", "m"),
        ("s-evolved", "expert"),
    ]
    assert marks(test["rows"]) == {"test/a-0": "-++", "test/a-1": "--+"}


def test_what_became_of_the_candidates(history: History) -> None:
    shipped, dropped, known = candidates(history)
    assert [edit["came"] for edit in (shipped, dropped, known)] == ["shipped", "rejected", "rejected"]
    assert (shipped["gained"], shipped["lost"], shipped["compared"], shipped["of"]) == (["validation/a-0"], [], 3, 3)
    assert (shipped["unlocked"], shipped["broken"]) == (["train/a-0"], ["train/a-1"])  # in round 2
    assert (dropped["gained"], dropped["lost"], dropped["compared"], dropped["unlocked"]) == ([], [], 2, None)
    assert (known["compared"], known["broken"]) == (0, None)


def test_an_accepted_edit_that_another_one_beat(history: History) -> None:
    first = {**history.run["rounds"][0], "shipped": "r1c2"}
    run = {**history.run, "rounds": [first]}
    changed = History(run, history.series, history.evaluations, history.records, history.seconds)
    assert [edit["came"] for edit in candidates(changed)] == ["accepted, not shipped", "rejected", "rejected"]


def test_operators_and_their_hit_rate(history: History) -> None:
    tried = {"operator": "an operator", "dimensions": ["memory"], "tried": 2, "accepted": 1, "shipped": 1, "predicted": 1, "unlocked": 1}
    other = {
        "operator": "another operator",
        "dimensions": ["memory"],
        "tried": 1,
        "accepted": 0,
        "shipped": 0,
        "predicted": 0,
        "unlocked": 0,
    }
    assert operators(candidates(history)) == [tried, other]


def test_the_cost(history: History) -> None:
    spent = cost(history)
    # 2 + 3 of the seed, 2 + 3 of the better harness (its smoke run is a training task), 2 of the other one; round 2 asks for four of
    # the better harness's again: its validation and the task of the smoke run.
    assert (spent["episodes"], spent["from_store"], spent["stopped_early"]) == (12, 4, 1)
    assert (spent["steps"], spent["exploration_steps"]) == (36, 500)
    assert (spent["prompt_tokens"], spent["cached_tokens"], spent["generated_tokens"], spent["model_s"]) == (120, 48, 12, 6.0)
    assert spent["wall_s"] >= 0


def test_the_latest_evaluation_of_a_kind_counts(told_run: Callable[..., Path], tmp_path: Path) -> None:
    run_dir = told_run(tmp_path)
    with Store(run_dir) as store:
        again = store.events("evaluation")[0]
        store.append("evaluation", {**again, "n": 1, "keys": again["keys"][:1]})
    history = read_history(run_dir)
    assert [item["n"] for item in history.evaluations] == [1, 2, 2]
    assert evaluation_series(history, history.evaluations[0]).won == {"test/a-0": False}


def test_of_several_attempts_the_first_is_shown(told_run: Callable[..., Path], tmp_path: Path, episode: Callable[..., Any]) -> None:
    run_dir = told_run(tmp_path)
    with Store(run_dir) as store:
        store.add_episode("second try", episode(True, task_id="test/a-0", attempt=1))
        item = store.events("evaluation")[0]
    assert evaluation_series(read_history(run_dir), {**item, "keys": [*item["keys"], "second try"]}).won["test/a-0"] is False


def test_an_episode_that_was_not_kept_has_an_outcome_all_the_same(told_run: Callable[..., Path], tmp_path: Path) -> None:
    run_dir = told_run(tmp_path)
    with Store(run_dir) as store:
        told = {"what": "round 1: training", "who": "round 1", "part": "training", "total": 1, "behaviour_hash": "seed"}
        store.append("progress", ["series", {**told, "episodes": {"train/b-0": ["no such key", False]}}])
    row = outcomes(read_history(run_dir), "training")[-1]
    assert (row["task"], row["type"], row["cells"][0]["sentence"], row["cells"][1]) == ("train/b-0", "", "not won", None)


def test_a_run_from_before_there_were_series(tmp_path: Path, baseline: Any) -> None:
    with Store(tmp_path) as store:
        store.append("start", {"env_id": "Quarry-v0", "model": "m"})
        store.append("round", baseline.result["rounds"][0])
    history = read_history(tmp_path)
    assert (outcomes(history, "training"), held_out(history), cost(history)["episodes"]) == ([], [], 0)
    assert all(edit["compared"] == 0 and edit["unlocked"] is None for edit in candidates(history))


def test_a_resumed_run_counts_its_episodes_once(baseline: Any, tmp_path: Path) -> None:
    before = read_history(baseline.run_dir)
    shutil.copytree(baseline.run_dir, tmp_path / "run")
    evolve(baseline.config, tmp_path / "run", resume=True)
    after = read_history(tmp_path / "run")
    assert after.series == before.series
    spent = {key: value for key, value in cost(after).items() if key != "wall_s"}
    assert spent == {key: value for key, value in cost(before).items() if key != "wall_s"}


def test_a_real_run_agrees_with_its_own_rounds(baseline: Any) -> None:
    history = read_history(baseline.run_dir)
    for part, key in (("training", "train"), ("validation", "validation")):
        rows = outcomes(history, part)
        for number, item in enumerate(baseline.result["rounds"]):
            cells = [row["cells"][number] for row in rows]
            assert len(cells) == item[key]["n"]
            assert sum(cell["won"] for cell in cells) == round(item[key]["success"] * item[key]["n"])
    for edit in candidates(history):
        if edit["compared"] == edit["of"]:
            assert (len(edit["gained"]), len(edit["lost"])) == (edit["wins"], edit["losses"])
    assert cost(history)["episodes"] == baseline.result["episodes"]
