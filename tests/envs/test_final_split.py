"""The final split: other tasks than all others and held out like the test."""

import json
import pickle
from pathlib import Path
from typing import Any

import pytest

from homebody.envs import SPLITS, EnvError, make, tasks
from homebody.envs.core import FINAL
from homebody.envs.webshop.goals import shop
from homebody.envs.webshop.goals.shop import ShopConfig, open_shop

WITH_ONE: list[tuple[str, dict[str, Any]]] = [
    ("homebody/Household-v0", {}),
    ("homebody/Household-v0", {"holdout": "rooms", "goals": "said"}),
    ("homebody/Repair-v0", {}),
    ("homebody/WebShop-v0", {}),
    ("homebody/WebShop-v0", {"catalogue_size": 60, "catalogue_seed": 3}),
    ("homebody/Repair-v0", {"level": "two", "holdout": "family"}),
]


@pytest.mark.parametrize(("env_id", "kwargs"), WITH_ONE)
def test_a_final_split_shares_no_task_with_another(env_id: str, kwargs: dict[str, Any]) -> None:
    final = {task.task_id for task in tasks(env_id, FINAL, **kwargs)}
    others = {task.task_id for split in SPLITS for task in tasks(env_id, split, **kwargs)}
    assert len(final) >= 60
    assert not final & others
    assert {task.split for task in tasks(env_id, FINAL, 3, **kwargs)} == {"final"}


@pytest.mark.parametrize(("env_id", "kwargs"), WITH_ONE)
def test_a_task_of_it_can_be_played(env_id: str, kwargs: dict[str, Any]) -> None:
    env = make(env_id, **kwargs)
    (task,) = tasks(env_id, FINAL, 1, **kwargs)
    _, info = env.reset(seed=0, options={"task": task.task_id})
    assert info["task_id"] == task.task_id
    env.close()


def test_its_houses_are_held_out_as_those_of_the_test_are() -> None:
    from homebody.envs.household.houses.holdout import layouts

    assert set(layouts(FINAL)) == set(layouts("test"))
    assert not set(layouts(FINAL)) & set(layouts("train"))


def test_the_games_of_alfworld_are_all_listed_so_none_is_left(tmp_path: Path) -> None:
    (tmp_path / "json_2.1.1").mkdir()
    with pytest.raises(EnvError, match=r"split 'final' has no tasks in .*; ALFWorld lists all its games; the houses of"):
        tasks("homebody/AlfWorld-v0", FINAL, data_dir=tmp_path)


@pytest.mark.parametrize("number", [0, 7, 99])
def test_the_expert_buys_what_a_goal_of_the_shops_final_split_asks_for(number: int) -> None:
    env: Any = make("homebody/WebShop-v0").unwrapped
    task = tasks("homebody/WebShop-v0", FINAL)[number].task_id
    env.reset(seed=0, options={"task": task})
    there = env.snapshot()
    for action in env.expert():
        _, reward, ended, _, info = env.step(action)
    assert (reward, ended, info["won"], info["task_id"]) == (1.0, True, True, task)
    # Snapshots and pickles come back to the same shop, and a task of another split to its own.
    copy = pickle.loads(pickle.dumps(env))
    copy.restore(there)
    assert copy.expert() == env_after(there).expert()
    (trained,) = tasks("homebody/WebShop-v0", "train", 1)
    first = env.reset(seed=0, options={"task": trained.task_id})
    assert first == make("homebody/WebShop-v0").reset(seed=0, options={"task": trained.task_id})
    assert env.shop is env.goal_shop.shop
    env.close()


def env_after(snapshot: Any) -> Any:
    """An environment of its own at a snapshot."""
    env: Any = make("homebody/WebShop-v0").unwrapped
    env.restore(snapshot)
    return env


def test_a_goal_of_the_shops_final_split_is_no_goal_of_the_website(tmp_path: Path) -> None:
    (task,) = tasks("homebody/WebShop-v0", FINAL, 1)
    with pytest.raises(EnvError, match="unknown task 'final/"):
        open_shop(ShopConfig()).source.goal(task.task_id)


PRODUCT = {
    "name": "Bright lamp", "Title": "Bright lamp", "category": "garden", "query": "lamp", "product_category": "Home > Lamps",
    "pricing": "$10.00", "Description": "", "BulletPoints": [], "small_description": [], "full_description": "", "images": [],
    "customization_options": {}, "Attributes": ["bright"],
}  # fmt: skip


@pytest.fixture
def lamps(tmp_path: Path) -> Path:
    """Upstream's files, of thirty lamps of ours; people wrote a wish for each."""
    asins = [f"B{number:09d}" for number in range(30)]
    wish = {"instruction": "i want a lamp", "instruction_attributes": ["bright"], "instruction_options": []}
    (tmp_path / "items_shuffle_1000.json").write_text(json.dumps([{"asin": asin, **PRODUCT} for asin in asins]))
    (tmp_path / "items_ins_v2_1000.json").write_text(json.dumps({}))
    (tmp_path / "items_human_ins.json").write_text(json.dumps({asin: [{**wish, "asin": asin}] for asin in asins}))
    return tmp_path


def test_upstreams_products_have_one_where_no_other_split_asks_for_all(lamps: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kwargs = {"data_dir": lamps, "goals": "human"}
    with pytest.raises(EnvError, match=r"split 'final' has no tasks in .*; the other splits have all goals of the first 10,000 products"):
        tasks("homebody/WebShop-v0", FINAL, **kwargs)
    monkeypatch.setattr(shop, "MOST_ASKED_FOR", 20)
    shop._open.cache_clear()
    others = {task.task_id for split in SPLITS for task in tasks("homebody/WebShop-v0", split, **kwargs)}
    final = [task.task_id for task in tasks("homebody/WebShop-v0", FINAL, **kwargs)]
    assert (len(others), len(final)) == (20, 10)
    assert not others & {task.removeprefix("final/") for task in final}
    env = make("homebody/WebShop-v0", **kwargs)
    assert env.reset(seed=0, options={"task": final[0]})[1]["goal"].startswith("i want a lamp")
    env.close()
    shop._open.cache_clear()
