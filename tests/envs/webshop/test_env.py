"""The shop as an environment: contract, parameters, rewards, the expert, and the plainest shopper as a control."""

from __future__ import annotations

import json
import pickle
import random
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env as gymnasium_check_env
from hypothesis import given, settings
from hypothesis import strategies as st

import homebody.envs
from homebody.envs.core import EnvError, MaxStepsError, NotResetError, ResetOptionError, UnknownTaskError
from homebody.envs.webshop.catalogue.catalogue import CatalogueError
from homebody.envs.webshop.env import UnknownParameterError, WebShopEnv
from homebody.envs.webshop.goals.expert import NoWayError
from homebody.envs.webshop.goals.goals import split_of
from homebody.envs.webshop.goals.shop import ShopConfig, ShopParameterError, open_shop

ENV_ID = "homebody/WebShop-v0"
DATA = Path(__file__).resolve().parents[3].parent / "shared" / "data" / "webshop"
real = pytest.mark.skipif(not DATA.is_dir(), reason="WebShop's data is not beside this repository (../shared/data/webshop)")

WISH = "Find me dimmable desk lamps"


def record(asin: str, name: str, **fields: object) -> dict[str, Any]:
    return {
        "asin": asin,
        "name": name,
        "category": "garden",
        "query": "desk lamps",
        "product_category": "Home \u203a Lamps",
        "full_description": "",
        "small_description": "Dimmable.",
        "pricing": "$15.0",
        "customization_options": "",
        **fields,
    }


def options(**groups: list[str]) -> dict[str, list[dict[str, str]]]:
    return {group: [{"value": value} for value in values] for group, values in groups.items()}


LAMP = record("B000000001", "Brass lamp", customization_options=options(Color=["red", "black"], Size=["standard", "large"]))
STOOL = record("B000000002", "Stool", query="stools", product_category="Home", small_description="Oak.")
FACTS = {"attributes": ["dimmable"], "instruction": WISH, "instruction_attributes": ["dimmable"]}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "items_shuffle_1000.json").write_text(json.dumps([LAMP, STOOL]))
    (tmp_path / "items_ins_v2_1000.json").write_text(json.dumps({"B000000001": FACTS}))
    wish = {"instruction": "a large lamp", "instruction_attributes": ["dimmable"], "instruction_options": ["large"]}
    (tmp_path / "items_human_ins.json").write_text(json.dumps({"B000000001": [wish]}))
    return tmp_path


def begin(env: WebShopEnv, **chosen: str) -> None:
    """Reset to the goal with these options."""
    goal = next(goal for goal in env.goal_shop.source.goals if chosen.items() <= dict(goal.options).items())
    env.reset(options={"task": goal.goal_id})


def play(env: WebShopEnv, *actions: str) -> Any:
    result: Any = None
    for action in actions:
        result = env.step(action)
    return result


def test_the_shop_keeps_our_contract() -> None:
    for observation in ("text", "text_rich", "html", "url"):
        homebody.envs.check_env(homebody.envs.make(ENV_ID, observation=observation, catalogue_size=60))


def test_tables_are_told_what_is_played(folder: Path) -> None:
    assert WebShopEnv(catalogue_size=60).about == "synthetic goals, 60 products of the built-in catalogue, nouns by rules"
    assert WebShopEnv(folder).about.startswith("synthetic goals, ")
    assert WebShopEnv(folder).about.endswith(" products of upstream, nouns by rules")
    assert "first result" in WebShopEnv.online_label


def test_the_shop_keeps_gymnasiums_contract(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")  # it opens a window, for every render mode is tried
    gymnasium_check_env(gymnasium.make(ENV_ID, catalogue_size=60).unwrapped)


@real
def test_upstreams_shop_keeps_our_contract() -> None:
    homebody.envs.check_env(homebody.envs.make(ENV_ID, data_dir=DATA, goals="human"))


def test_first_page(folder: Path) -> None:
    env = WebShopEnv(folder)
    begin(env, color="red", size="large")
    observation, info = env.reset(options={"task": env._goal.goal_id})
    assert observation == f"WebShop [SEP] Instruction: [SEP] {info['goal']} [SEP] Search"
    assert info["goal"].startswith(f"{WISH} with color: red, and size: large, and price lower than ")
    assert (info["admissible_commands"], info["won"], info["success_strict"]) == (["search[{text}]"], False, False)
    assert info["task_id"].startswith("garden/")
    assert "B000000001" not in str(info)


def test_a_purchase_ends_with_its_reward(folder: Path) -> None:
    env = WebShopEnv(folder)
    begin(env, color="red", size="large")
    steps = [env.step(action)[1:4] for action in ("search[lamp]", "click[b000000001]", "click[red]", "click[LARGE]")]
    assert steps == [(0.0, False, False)] * 4
    observation, reward, terminated, truncated, info = env.step("click[buy now]")
    assert (reward, terminated, truncated, info["won"], info["success_strict"]) == (1.0, True, False, True, True)
    assert (info["reward_parts"]["r_att"], info["reward_parts"]["tagger"]) == (1.0, "rules")
    assert "Your score (min 0.0, max 1.0) [SEP] hidden [SEP]" in observation
    assert env.expert() == []
    info["reward_parts"].clear()  # the rating of a purchase is kept; what a caller gets of it is its own
    begin(env, color="red", size="large")
    parts = play(env, "search[lamp]", "click[b000000001]", "click[red]", "click[large]", "click[buy now]")[4]["reward_parts"]
    assert parts["reward"] == 1.0
    assert play(env, "click[buy now]")[1:4] == (0.0, False, False)
    assert play(env, "search[stool]", "click[b000000002]", "click[buy now]")[4]["won"] is False


def test_a_poor_purchase_has_a_poor_reward(folder: Path) -> None:
    env = WebShopEnv(folder, show_score=True)
    begin(env, color="red", size="large")
    observation, reward, _, _, info = play(env, "search[lamp]", "click[b000000001]", "click[large]", "click[buy now]")
    assert reward == pytest.approx(0.75)  # one attribute, the price, one of two options
    assert (info["won"], info["success_strict"]) == (False, False)
    assert "max 1.0) [SEP] 0.75 [SEP]" in observation


def test_wrong_product_and_price(folder: Path, tmp_path: Path) -> None:
    prices = tmp_path / "prices.json"
    prices.write_text('{"B000000002": 1}')
    env = WebShopEnv(folder, prices=prices)
    begin(env, color="red", size="large")
    info = play(env, "search[stool]", "click[b000000002]", "click[buy now]")[4]
    assert (info["reward_parts"]["r_type"], info["reward_parts"]["r_price"], info["won"]) == (0.0, True, False)
    prices.write_text('{"B000000001": 5000, "B000000002": 1}')
    begin(env := WebShopEnv(folder, prices=prices), color="red", size="large")
    assert "price" not in env._goal.instruction
    assert env.goal_shop.price(env.page.product or env.shop.products[0]) == 5000.0


def test_the_step_limit_truncates_and_the_episode_goes_on(folder: Path) -> None:
    env = WebShopEnv(folder, max_steps=2)
    begin(env)
    assert [env.step("junk")[2:4] for _ in range(3)] == [(False, False), (False, True), (False, True)]
    assert play(env, "search[lamp]", "click[b000000001]", "click[buy now]")[2:4] == (True, True)


def test_visited_products_are_marked_until_the_first_page(folder: Path) -> None:
    env = WebShopEnv(folder, observation="text_rich")
    begin(env)
    marked = "[clicked button] B000000001 [clicked button_]"
    assert marked not in play(env, "search[lamp]")[0]
    assert marked in play(env, "click[b000000001]", "click[< prev]")[0]
    assert marked in play(env, "search[lamp dimmable]")[0]
    assert marked not in play(env, "click[back to search]", "search[lamp]")[0]


@pytest.mark.parametrize("goals", ["synthetic", "human"])
def test_expert_solves_what_can_be_solved_as_fast_as_can_be(folder: Path, goals: str) -> None:
    env = WebShopEnv(folder, goals=goals)
    for goal in env.goal_shop.source.goals:
        env.reset(options={"task": goal.goal_id})
        plan = env.expert()
        assert len(plan) == 3 + len(goal.options)
        assert play(env, *plan)[1:4] == (1.0 if env.goal_shop.is_attainable(goal) else 0.75, True, False)


def test_a_colour_inside_an_option_makes_goals_unattainable(folder: Path) -> None:
    goal_shop = open_shop(ShopConfig(folder))
    # `standard` contains `tan`; upstream's pair of group and value is not cut down to it, and the chosen value is.
    lost = sorted(goal.goal_id for goal in goal_shop.source.goals if ("size", "standard") in goal.options)
    assert goal_shop.manifest()["unattainable"] == lost
    assert goal_shop.manifest() == open_shop(ShopConfig(folder)).manifest()
    assert goal_shop.manifest()["tagger"] == "rules"


@pytest.mark.parametrize(
    "walk",
    [
        ["search[stool]"],
        ["search[stool]", "click[b000000002]", "click[features]"],
        ["search[lamp]", "click[b000000001]", "click[black]", "click[large]", "click[reviews]"],
        ["search[lamp]", "click[next >]", "click[next >]"],
        ["search[nothing]", "junk"],
    ],
)
def test_expert_finds_back_from_anywhere_by_admissible_commands(folder: Path, walk: list[str]) -> None:
    env = WebShopEnv(folder)
    begin(env, color="red", size="large")
    commands = play(env, *walk)[4]["admissible_commands"]
    for command in env.expert():
        assert command in commands or ("search[{text}]" in commands and command.startswith("search["))
        _, reward, _, _, info = env.step(command)
        commands = info["admissible_commands"]
    assert reward == 1.0


def test_expert_says_when_there_is_no_way(folder: Path) -> None:
    nameless = {**LAMP, "name": "?", "query": "lamps [new]", "small_description": ""}
    (folder / "items_shuffle_1000.json").write_text(json.dumps([nameless, STOOL]))
    env = WebShopEnv(folder)
    begin(env)
    with pytest.raises(NoWayError, match=r"no search finds the product of goal 'garden/"):
        env.expert()


def test_expert_lists_by_kind_what_has_no_words(folder: Path) -> None:
    (folder / "items_shuffle_1000.json").write_text(json.dumps([{**LAMP, "name": "?", "small_description": ""}, STOOL]))
    env = WebShopEnv(folder)
    begin(env)
    assert env.expert()[:2] == ["search[<q> desk lamps]", "click[b000000001]"]


def test_first_result_is_the_plainest_shopper(folder: Path) -> None:
    env = WebShopEnv(folder)
    begin(env, color="black", size="large")
    commands = []
    while not commands or commands[-1] != "click[buy now]":
        commands += env.scripted_policy()
        reward = env.step(commands[-1])[1]
    assert commands == [f"search[{env._goal.instruction}]", "click[b000000001]", "click[black]", "click[large]", "click[buy now]"]
    assert reward == 1.0


def test_first_result_without_results_goes_back(folder: Path) -> None:
    env = WebShopEnv(folder)
    begin(env)
    play(env, "search[nothing]")
    assert env.scripted_policy() == ["click[back to search]"]
    play(env, "search[lamp]", "click[b000000001]", "click[features]")
    assert env.scripted_policy() == ["click[back to search]"]


def test_tasks_and_seeds() -> None:
    tasks = homebody.envs.tasks(ENV_ID, "test", 5, catalogue_size=60, observation="url", max_steps=3)
    assert tasks == homebody.envs.tasks(ENV_ID, "test", catalogue_size=60)[:5]
    env = WebShopEnv(catalogue_size=60, split="test")

    def drawn(seed: int) -> list[str]:
        return [env.reset(seed=seed)[1]["task_id"], *(env.reset()[1]["task_id"] for _ in range(5))]

    assert drawn(3) == drawn(3) != drawn(4)
    assert set(drawn(5)) <= {task.task_id for task in homebody.envs.tasks(ENV_ID, "test", catalogue_size=60)}


def test_price_seed_changes_limits_and_no_ids() -> None:
    one, other = (open_shop(ShopConfig(catalogue_size=60, price_seed=seed)).source.goals for seed in (0, 1))
    assert [goal.goal_id for goal in one] == [goal.goal_id for goal in other]
    assert [goal.price_upper for goal in one] != [goal.price_upper for goal in other]


def test_a_shop_is_opened_once_and_again_when_its_files_change(folder: Path) -> None:
    goal_shop = open_shop(ShopConfig(folder))
    assert open_shop(ShopConfig(folder)) is goal_shop
    assert open_shop(ShopConfig(folder, price_seed=1)).shop is goal_shop.shop
    (folder / "items_shuffle_1000.json").write_text(json.dumps([LAMP]))
    assert len(open_shop(ShopConfig(folder)).shop.products) == 1


@pytest.mark.parametrize(
    ("kwargs", "said"),
    [
        ({"observation": "image"}, "observation='image' is not possible; give one of: text, text_rich, html, url"),
        ({"goals": "humane"}, "goals='humane' is not possible; give one of: synthetic, human; did you mean human?"),
        ({"goals": "human"}, "goals='human' is not possible; give 'synthetic', or a data_dir"),
        ({"duplicates": "keep"}, "duplicates='keep' is not possible; give one of: error, skip"),
        ({"catalogue_size": 0}, "catalogue_size=0 is not possible; give a whole number of at least 1"),
        ({"price_seed": -1}, "price_seed=-1 is not possible; give a whole number of at least 0"),
        ({"catalogue_seed": True}, "catalogue_seed=True is not possible"),
        ({"data_dir": 3}, "data_dir=3 is not possible; give a path, or None"),
    ],
)
def test_bad_parameters_are_named(kwargs: dict[str, Any], said: str) -> None:
    with pytest.raises(ShopParameterError) as raised:
        WebShopEnv(**kwargs)
    assert str(raised.value).startswith(said)


def test_an_unknown_parameter_is_named_with_what_was_meant() -> None:
    with pytest.raises(UnknownParameterError, match=r"unknown parameter 'catalog_size'; choose among: .*did you mean catalogue_size"):
        WebShopEnv(catalog_size=3)


def test_bad_use_is_named(folder: Path) -> None:
    env = WebShopEnv(folder)
    for use in (lambda: env.step("search[a]"), lambda: env.expert(), lambda: env.scripted_policy(), lambda: env.page):
        with pytest.raises(NotResetError, match="was used before reset"):
            use()
    with pytest.raises(ResetOptionError, match="unknown reset option 'goal'; the only option is 'task'"):
        env.reset(options={"goal": 3})
    with pytest.raises(UnknownTaskError, match="unknown task 'B000000001' in the synthetic goals of"):
        env.reset(options={"task": "B000000001"})
    with pytest.raises(CatalogueError, match="nowhere: is not there"):
        WebShopEnv(folder / "nowhere")
    with pytest.raises(EnvError, match="tagger"):
        WebShopEnv(folder, tagger="spaci")
    with pytest.raises(EnvError, match="unknown parameter 'colour'"):
        homebody.envs.make(ENV_ID, colour="red")


SMALL = WebShopEnv(catalogue_size=60)
PIECES = st.sampled_from(
    ["search[", "click[", "]", "[", "<r>", "<c>", "<a>", "buy now", "< prev", "next >", "lamp", "\n", "\ud800", "{text}"]
)


@settings(deadline=None)
@given(st.lists(st.one_of(st.text(max_size=30), st.lists(PIECES, max_size=5).map("".join), st.integers()), max_size=12), st.randoms())
def test_no_action_raises(actions: list[object], dice: random.Random) -> None:
    _, info = SMALL.reset(seed=0)
    for action in actions:
        SMALL.step(action)
        observation, reward, terminated, truncated, info = SMALL.step(dice.choice(info["admissible_commands"] or [""]))
        assert observation in SMALL.observation_space
        assert 0.0 <= reward <= 1.0
        assert (type(terminated), type(truncated)) == (bool, bool)


def test_pages_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    env = WebShopEnv(catalogue_size=60, render_mode="rgb_array", render_size=(640, 480))
    with pytest.raises(NotResetError):
        env.render()
    env.reset(seed=0)
    first = env.render()
    assert first is not None
    assert (first.shape, first.dtype) == ((480, 640, 3), np.uint8)
    env.step("search[<r>]")
    second = env.render()
    assert second is not None
    assert (first != second).any()
    env.step(3)
    env.close()
    SMALL.close()
    with pytest.raises(EnvError, match="render_mode"):
        SMALL.render()
    with pytest.raises(EnvError, match="render_mode"):
        WebShopEnv(catalogue_size=60, render_mode="ansi")


def test_a_window_shows_the_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    env = WebShopEnv(catalogue_size=60, render_mode="human", render_size=(640, 480))
    env.reset(seed=0)
    env.step("search[<r>]")
    assert env.render() is None
    env.close()


def test_results_of_a_step_are_fresh_and_can_be_pickled() -> None:
    SMALL.reset(seed=1)
    result = SMALL.step("search[<r>]")
    assert pickle.loads(pickle.dumps(result)) == result
    result[4]["admissible_commands"].clear()
    assert SMALL.step("junk")[4]["admissible_commands"]


@real
def test_the_expert_buys_the_very_thing_that_upstreams_goals_ask_for() -> None:
    env = WebShopEnv(DATA)
    for task in env.goal_shop.source.tasks("test", 60):
        env.reset(options={"task": task.task_id})
        info = play(env, *env.expert())[4]
        assert info["won"] == env.goal_shop.is_attainable(env._goal)
        assert info["success_strict"] or not info["won"]


@real
def test_no_split_is_much_easier_than_another() -> None:
    """By the success of the plainest shopper, with one goal a product."""
    env = WebShopEnv(DATA)
    won: dict[str, list[bool]] = {split: [] for split in homebody.envs.SPLITS}
    for goal in {goal.asin: goal for goal in env.goal_shop.source.goals}.values():
        _, info = env.reset(options={"task": goal.goal_id})
        ended = False
        while not ended:
            _, _, terminated, truncated, info = env.step(*env.scripted_policy())
            ended = terminated or truncated
        won[split_of(goal.asin)].append(info["won"])
    rates = [sum(wins) / len(wins) for wins in won.values()]
    assert max(rates) - min(rates) < 0.1, rates


@pytest.mark.parametrize("max_steps", [0, -3, True, 2.0, "5"])
def test_a_step_limit_is_a_whole_number_of_at_least_1(max_steps: Any) -> None:
    with pytest.raises(MaxStepsError, match=f"max_steps={max_steps!r} is not possible; give a whole number of at least 1"):
        WebShopEnv(max_steps=max_steps)
