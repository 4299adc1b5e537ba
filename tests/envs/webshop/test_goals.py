"""Goals: upstream's order and words, prices and caps from a seed, splits by product."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homebody.envs.core import NoTasksError, TaskCountError, UnknownSplitError, UnknownTaskError
from homebody.envs.webshop.catalogue.catalogue import CatalogueError, Product, load_catalogue
from homebody.envs.webshop.goals.goals import Goal, GoalSource, draw_price, human_goals, load_prices, manifest, split_of, synthetic_goals

DATA = Path(__file__).resolve().parents[3].parent / "shared" / "data" / "webshop"
real = pytest.mark.skipif(not DATA.is_dir(), reason="WebShop's data is not beside this repository (../shared/data/webshop)")


def product(asin: str, **fields: object) -> Product:
    facts = {"instruction": "Find me heavy lamps", "instruction_attributes": ("heavy",), **fields}
    return Product(asin, f"Lamp {asin}", "garden", "lamps", "Home", "", (), **facts)  # type: ignore[arg-type]


LAMP = product("L1", options={"size": ("s", "m"), "color": ("red", "tan", "red")}, prices=(995.0,))


def price(item: Product) -> float:
    return item.prices[0]


def test_a_goal_for_every_choice_of_options() -> None:
    goals = synthetic_goals([LAMP, product("L2", instruction="")], price, 0)
    assert len(goals) == 6
    assert {goal.instruction for goal in goals} == {
        f"Find me heavy lamps with color: {color}, and size: {size}" for color in ("red", "tan") for size in ("s", "m")
    }
    goal = next(goal for goal in goals if goal.instruction.endswith("tan, and size: m"))
    assert goal.options == (("color", "tan"), ("size", "m"))
    assert (goal.asin, goal.name, goal.attributes, goal.price_upper) == ("L1", "Lamp L1", ("heavy",), 1_000_000.0)
    assert goal.weight == pytest.approx(1 / 6)


@settings(deadline=None)
@given(st.floats(0, 2000), st.integers(0, 2**31))
def test_caps_are_the_larger_of_two_of_the_next_four_tens(dollars: float, seed: int) -> None:
    (goal,) = synthetic_goals([product("L3", prices=(dollars,))], price, seed)
    tens = [cap for cap in range(10, 1000, 10) if cap > dollars][:4]
    if len(tens) < 2:
        assert (goal.price_upper, goal.instruction) == (1_000_000.0, "Find me heavy lamps")
    else:
        assert goal.price_upper in tens[1:]
        assert goal.instruction == f"Find me heavy lamps, and price lower than {goal.price_upper:.2f} dollars"


def test_choices_without_number_are_named() -> None:
    many = product("L9", options={group: tuple(f"{group}{i}" for i in range(40)) for group in "abcdef"})
    with pytest.raises(CatalogueError, match=r"product 'L9': its options can be chosen in 4,096,000,000 ways.*at most 100,000"):
        synthetic_goals([many], price, 0)


def test_all_caps_are_drawn() -> None:
    goals = synthetic_goals([product(f"L{i}", prices=(5.0,)) for i in range(200)], price, 0)
    assert {goal.price_upper for goal in goals} == {20.0, 30.0, 40.0}


def test_prices_are_drawn_within_the_range_and_by_seed() -> None:
    item = product("L4", prices=(3.0, 5.0))
    drawn = [draw_price(item, seed) for seed in range(50)]
    assert all(3.0 <= dollars <= 5.0 for dollars in drawn)
    assert len(set(drawn)) == 50
    assert draw_price(item, 7) == draw_price(item, 7)
    assert draw_price(product("L5", prices=(3.5,)), 7) == 3.5


def test_a_goal_does_not_depend_on_the_rest_of_the_catalogue() -> None:
    alone = {goal.goal_id: goal.instruction for goal in synthetic_goals([LAMP], price, 3)}
    among = {goal.goal_id: goal.instruction for goal in synthetic_goals([product("L9"), LAMP], price, 3) if goal.asin == "L1"}
    assert among == alone


def test_equal_goals_have_ids_of_their_own() -> None:
    ids = [goal.goal_id for goal in GoalSource(synthetic_goals([LAMP], price, 0), "here").goals]
    assert len(set(ids)) == 6
    assert sum(name.endswith(".2") for name in ids) == 2


def test_splits_share_no_product_and_first_tasks_are_drawn_by_weight() -> None:
    many = [product(f"M{i}", options={"size": tuple(str(n) for n in range(9))} if i % 2 else {}) for i in range(300)]
    source = GoalSource(synthetic_goals(many, price, 0), "here")
    tasks = {split: source.tasks(split) for split in ("train", "validation", "test")}
    assert sum(map(len, tasks.values())) == 150 * 9 + 150
    for split, listed in tasks.items():
        assert {split_of(source.goal(task.task_id).asin) for task in listed} == {split}
        assert {(task.type, task.split) for task in listed} == {("garden", split)}
        assert source.tasks(split, 3) == listed[:3]
    shares = [len(listed) / 1500 for listed in tasks.values()]
    assert shares == pytest.approx([0.6, 0.2, 0.2], abs=0.1)


def test_a_heavy_goal_comes_early() -> None:
    def goal(n: int, weight: float) -> Goal:
        return Goal(f"W/{n}", "W", "", "", "", "", "Find me", ("a",), (), 1.0, weight)

    source = GoalSource([goal(n, 1.0 if n < 100 else 0.01) for n in range(200)], "here")
    split = split_of("W")
    first = [int(task.task_id.partition("/")[2]) for task in source.tasks(split, 50)]
    assert sum(n < 100 for n in first) >= 45
    assert source.tasks(split)[0].type == "other"


def test_bad_requests_are_named() -> None:
    source = GoalSource(synthetic_goals([LAMP], price, 0), "my shop")
    split = split_of("L1")
    with pytest.raises(UnknownSplitError, match="unknown split 'tests'; did you mean test"):
        source.tasks("tests")
    with pytest.raises(NoTasksError, match="has no tasks in my shop; take another split, or a larger catalogue"):
        source.tasks(next(other for other in ("train", "test") if other != split))
    with pytest.raises(TaskCountError):
        source.tasks(split, 7)
    for task_id in ("garden/000000000000", 3, None, ["L1"]):
        with pytest.raises(UnknownTaskError, match="in my shop"):
            source.goal(task_id)


def write_human(folder: Path, value: object) -> Path:
    path = folder / "items_human_ins.json"
    path.write_text(json.dumps(value))
    return path


def test_human_goals(tmp_path: Path) -> None:
    wish = {"instruction": ".i want a lamp.", "instruction_attributes": ["heavy"], "instruction_options": ["red"]}
    path = write_human(tmp_path, {"L1": [wish, {**wish, "instruction_attributes": []}], "L7": [wish]})
    (goal,) = human_goals([LAMP], path, price, 0)
    assert (goal.instruction, goal.options, goal.attributes, goal.weight) == ("i want a lamp", (("", "red"),), ("heavy",), 1.0)
    assert (goal.category, goal.query, goal.product_category, goal.name) == ("garden", "lamps", "Home", "Lamp L1")


def test_human_goals_are_cleaned(tmp_path: Path) -> None:
    wish = {"instruction": "a \ud83d caf\u00e9 lamp\x1b[0m", "instruction_attributes": ["bri\u202eght"], "instruction_options": ["red\x00"]}
    (goal,) = human_goals([LAMP], write_human(tmp_path, {"L1": [wish]}), price, 0)
    assert goal.instruction == "a \ufffd caf\u00e9 lamp\ufffd[0m"
    assert (goal.attributes, goal.options) == (("bri\ufffdght",), (("", "red\ufffd"),))


@pytest.mark.parametrize(
    "record", [3, "text", {}, {"instruction": 1}, {"instruction": "a", "instruction_attributes": ["b"], "instruction_options": [1]}]
)
def test_malformed_instructions_are_named(tmp_path: Path, record: object) -> None:
    with pytest.raises(CatalogueError, match="'L1': an instruction's 'instruction"):
        human_goals([LAMP], write_human(tmp_path, {"L1": [record]}), price, 0)
    with pytest.raises(CatalogueError, match="'L1': an instruction's 'instruction"):
        human_goals([LAMP], write_human(tmp_path, {"L1": record}), price, 0)


def test_prices_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "prices.json"
    path.write_text('{"L1": 3, "L2": 4.5}')
    assert load_prices(path) == {"L1": 3.0, "L2": 4.5}
    path.write_text('\ufeff{"L1": 3}', "utf-8")
    assert load_prices(path) == {"L1": 3.0}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"L1": "3"}', "the price of 'L1' is '3'; give dollars, a number of at least 0"),
        ('{"L1": true}', "the price of 'L1' is True"),
        ('{"L1": null}', "the price of 'L1' is None"),
        ('{"L1": -1}', "the price of 'L1' is -1"),
        ('{"L1": NaN}', "is not JSON (NaN is no number of JSON)"),
        ('{"L1": Infinity}', "is not JSON (Infinity is no number of JSON)"),
        ('{"L1": 1e999}', "is not JSON (1e999 is beyond the range of numbers)"),
        (f'{{"L1": {"9" * 400}}}', "is not JSON (a whole number has 400 digits)"),
        ('{"L1": 1, "L1": 2}', "is not JSON (an object has the key 'L1' twice)"),
        ("[]", "its outermost value is of type list; give an object that maps"),
        ("{", "is not JSON (Expecting property name"),
    ],
)
def test_bad_prices_are_named(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "prices.json"
    path.write_text(text)
    with pytest.raises(CatalogueError) as raised:
        load_prices(path)
    assert str(raised.value).startswith(f"{path}: {said}")


def test_manifest_fixes_everything() -> None:
    goals = synthetic_goals([LAMP], price, 0)
    facts = manifest(goals, [LAMP], price, lambda goal: ("color", "tan") not in goal.options)
    assert facts["n_goals"] == {split_of("L1"): 6}
    assert facts["unattainable"] == sorted(goal.goal_id for goal in goals if ("color", "tan") in goal.options)
    assert facts == manifest(goals, [LAMP], price, lambda goal: ("color", "tan") not in goal.options)
    changed = [
        manifest(goals[1:], [LAMP], price, lambda goal: True),
        manifest(goals, [LAMP, product("L2")], price, lambda goal: True),
        manifest(goals, [LAMP], lambda item: 3.0, lambda goal: True),
        manifest(goals, [LAMP], price, lambda goal: True),
        facts,
    ]
    assert len({one["hash"] for one in changed}) == 5


@real
def test_upstream_goal_numbers_are_the_places_here() -> None:
    prices = load_prices(DATA / "transcript_product_prices.json")
    goals = synthetic_goals(load_catalogue(DATA), lambda item: prices[item.asin], 0)
    assert len(goals) == 6910
    for line in (DATA / "text_transcripts.jsonl").read_text(encoding="utf-8").strip().split("\n"):
        recorded = json.loads(line)
        goal, wanted = goals[recorded["goal_index"]], recorded["goal"]
        assert (goal.asin, dict(goal.options), list(goal.attributes)) == (wanted["asin"], wanted["goal_options"], wanted["attributes"])
        assert goal.instruction.partition(", and price lower")[0] == wanted["instruction_text"].partition(", and price lower")[0]
        assert goal.weight == pytest.approx(wanted["weight"])


@real
def test_upstream_human_goals() -> None:
    products = load_catalogue(DATA)
    goals = human_goals(products, DATA / "items_human_ins.json", price, 0)
    assert len(goals) == 13
