"""The reward: every recorded case, the quirks that the specification names, and a success that they do not reach."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from homebody.envs.webshop.catalogue.catalogue import CatalogueError, Product
from homebody.envs.webshop.goals.goals import Goal
from homebody.envs.webshop.goals.reward import GoalRecordError, likeness, reward

DATA = Path(__file__).resolve().parents[3].parent / "shared" / "data" / "webshop"
real = pytest.mark.skipif(not DATA.is_dir(), reason="WebShop's data is not beside this repository (../shared/data/webshop)")

SHIRT = {
    "asin": "B1",
    "name": "Linen Shirt",
    "query": "shirts",
    "product_category": "Clothing \u203a Men \u203a Shirts",
    "Title": "Linen Shirt",
    "Attributes": ["machine wash"],
    "BulletPoints": ["Made of Linen", "Hand stitched"],
    "Description": "For warm days",
}
GOAL = {
    "asin": "B1",
    "name": "Linen Shirt",
    "query": "shirts",
    "product_category": "Clothing \u203a Men \u203a Shirts",
    "attributes": ["machine wash"],
    "goal_options": {"color": "navy blue", "size": "x-large"},
    "price_upper": 30.0,
}
CHOSEN = {"color": "navy blue", "size": "x-large"}


def rate(goal: dict | None = None, product: dict | None = None, options: dict | None = None, price: float = 20.0, **nouns: list[str]):
    return reward({**GOAL, **(goal or {})}, {**SHIRT, **(product or {})}, CHOSEN if options is None else options, price, **nouns)


@pytest.fixture(scope="module")
def cases():
    return [json.loads(line) for line in (DATA / "reward_cases.jsonl").read_text("utf-8").splitlines()]


@real
def test_recorded_rewards_and_their_parts_are_the_same(cases):
    assert len(cases) == 513
    for case in cases:
        nouns = {"goal_nouns": case["goal_nouns"], "product_nouns": case["product_nouns"]}
        parts = reward(case["goal"], case["product"], case["options"], case["price"], **nouns)
        assert parts["reward"] == case["reward"]
        assert {name: parts[name] for name in case["info"]} == case["info"]


@real
def test_strict_success_is_a_part_of_success(cases):
    """A strict success is one by upstream's count, except where upstream's own colours defeat it; and some successes are not strict."""
    kinds = [(reward(c["goal"], c["product"], c["options"], c["price"])["success_strict"], c) for c in cases]
    assert all(case["product"]["asin"] == case["goal"]["asin"] for strict, case in kinds if strict)
    assert any(case["reward"] == 1 and not strict for strict, case in kinds)


@real
def test_our_own_nouns_seldom_change_a_reward(cases):
    same = sum(reward(c["goal"], c["product"], c["options"], c["price"])["reward"] == c["reward"] for c in cases)
    print(f"\n{same} of {len(cases)} rewards are the same with the nouns of the default tagger")
    assert same / len(cases) > 0.95


def test_the_very_product_is_worth_everything():
    parts = rate()
    assert (parts["reward"], parts["success_strict"]) == (1.0, True)
    assert (parts["w_att"], parts["w_option"], parts["w_price"]) == (1 / 4, 2 / 4, 1 / 4)


@pytest.mark.parametrize(
    ("goal", "product", "nouns", "factor"),
    [
        ({"query": "trousers"}, {}, (["shirt"], ["shirt"]), 1.0),  # two departments in common
        ({"product_category": "Clothing"}, {}, (["shirt"], ["shirt"]), 1.0),  # the query
        ({"product_category": "Food", "query": "food"}, {}, (["a", "b", "c", "d"], ["a"]), 1.0),  # a title score of 0.25
        ({"product_category": "Food", "query": "food"}, {}, (["a", "b", "c", "d", "e"], ["a"]), 0.5),
        ({"product_category": "Food", "query": "food"}, {}, ([], ["a"]), 0.5),  # no noun: 0.2
        ({}, {}, (["a"] * 11, ["a"]), 0.1),  # repeats count below the line: 1 of 11
        ({}, {}, (["a"], ["b"]), 0.0),
    ],
)
def test_the_kind_of_product_is_a_factor(goal, product, nouns, factor):
    parts = rate(goal, product, goal_nouns=nouns[0], product_nouns=nouns[1])
    assert (parts["r_type"], parts["reward"]) == (factor, factor)


@pytest.mark.parametrize("wanted", ["machine wash", "wash machine", "linen", "hand stitched", "warm"])
def test_attributes_count_where_they_are_said(wanted):
    assert rate({"attributes": [wanted]})["r_att"] == 1.0


def test_an_attribute_that_nothing_says_does_not_count():
    assert rate({"attributes": ["machine wash", "waterproof"]})["r_att"] == 0.5


@pytest.mark.parametrize(
    ("wanted", "chosen", "counts"),
    [
        (["large"], {"size": "x-large"}, True),  # a part of the words is enough
        (["7.5"], {"size": "7"}, True),
        (["navy blue"], {"color": "sky blue"}, True),  # both become blue
        (["standard"], {"size": "tan"}, True),  # standard holds tan
        (["red"], {"size": "red"}, True),  # groups are not compared
        (["red"], {"color": "green"}, False),
        (["red"], {}, False),
        ({"color": "red"}, {"color": "red"}, True),
        ({"color": "red"}, {"fit": "red"}, True),
        ({"color": "navy blue"}, {"color": "sky blue"}, True),  # blue is among the words of the pair
    ],
)
def test_options_are_compared_leniently(wanted, chosen, counts):
    assert rate({"goal_options": wanted}, options=chosen)["r_option"] == float(counts)


@pytest.mark.parametrize(
    ("goal", "product", "options", "price"),
    [
        ({}, {"asin": "B2"}, CHOSEN, 20.0),
        ({}, {}, {"color": "blue", "size": "x-large"}, 20.0),
        ({}, {}, {"color": "x-large", "size": "navy blue"}, 20.0),
        ({"goal_options": ["large"]}, {}, {"size": "x-large"}, 20.0),
        ({"goal_options": ["x-large"]}, {}, {}, 20.0),
        ({}, {}, CHOSEN, 30.01),
    ],
)
def test_strict_success_wants_the_letter(goal, product, options, price):
    assert not rate(goal, product, options, price)["success_strict"]


def test_strict_success_asks_a_person_for_values_only():
    assert rate({"goal_options": ["X-Large"]}, options=CHOSEN)["success_strict"]


def test_a_goal_without_options_or_attributes_has_no_such_share():
    parts = rate({"goal_options": {}, "attributes": []}, options={})
    assert (parts["r_option"], parts["w_option"], parts["r_att"], parts["reward"]) == (None, 0.0, None, 1.0)


def test_the_price_must_not_exceed_the_limit():
    assert [rate(price=price)["r_price"] for price in (30.0, 30.01)] == [True, False]
    assert rate(price=31.0)["reward"] == 3 / 4


def test_our_own_goals_and_products_are_taken_as_they_are():
    goal = Goal("B1/0", "B1", "", "shirts", "Linen Shirt", "", "Find me a shirt", ("linen",), (("size", "s"),), 30.0, 1.0)
    shirt = Product("B1", "Linen Shirt", "", "shirts", "", "", ())
    assert reward(goal, shirt, {"size": "s"}, 1.0)["success_strict"]


def test_a_record_that_is_no_product_is_named():
    with pytest.raises(CatalogueError, match="'name'"):
        reward(GOAL, {"asin": "B1"}, {}, 1.0)


def test_a_record_that_is_no_goal_is_named():
    with pytest.raises(GoalRecordError, match=r"a goal has no 'attributes', 'price_upper'; give an object with asin, name"):
        reward({key: value for key, value in GOAL.items() if key not in ("attributes", "price_upper")}, SHIRT, {}, 1.0)


@pytest.mark.parametrize(("one", "other", "alike"), [("", "", 0), ("a b", "b a", 100), ("Caf\u00e9", "caf", 100), ("(red)", "red", 100)])
def test_likeness_knows_neither_order_nor_marks(one, other, alike):
    assert likeness(one, other) == alike
