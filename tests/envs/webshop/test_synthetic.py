"""The built-in catalogue: the same everywhere, well formed, solvable, and hard for who takes the first result."""

from __future__ import annotations

import pickle
import subprocess
import sys
import tomllib
from collections import Counter
from dataclasses import replace
from importlib import resources
from pathlib import Path

import pytest
from rapidfuzz import fuzz

from homebody.envs.core import SPLITS, NoTasksError, TaskSpec
from homebody.envs.webshop.catalogue.catalogue import Product, catalogue_hash, load_catalogue
from homebody.envs.webshop.catalogue.export import export_catalogue
from homebody.envs.webshop.catalogue.synthetic import LINE, MOST_PRODUCTS, CatalogueSizeError, SyntheticCatalogue, synthetic
from homebody.envs.webshop.catalogue.vocabulary import Attribute, Kind, vocabulary
from homebody.envs.webshop.goals.difficulty import Difficulty, difficulty
from homebody.envs.webshop.goals.nouns import colours
from homebody.envs.webshop.goals.shop import GoalShop, ShopConfig, open_shop
from homebody.envs.webshop.pages.pages import BACK, BUY, NEXT, PREVIOUS, SECTIONS

HASH_CODE = (
    "from homebody.envs.webshop.catalogue.synthetic import synthetic; "
    "from homebody.envs.webshop.catalogue.catalogue import catalogue_hash; "
)


@pytest.fixture(scope="module")
def catalogue() -> SyntheticCatalogue:
    return synthetic(1000)


@pytest.fixture(scope="module")
def products(catalogue: SyntheticCatalogue) -> list[Product]:
    return list(catalogue)


def test_another_process_makes_the_same_products(products: list[Product]) -> None:
    code = HASH_CODE + "print(catalogue_hash(synthetic(60, 3)))"
    run = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": "7"})
    assert run.stdout.strip() == catalogue_hash(synthetic(60, 3))
    assert catalogue_hash(synthetic(60, 4)) != catalogue_hash(synthetic(60, 3))


@pytest.mark.parametrize("n", [1, LINE - 1, LINE, LINE + 1, 999])
def test_a_larger_catalogue_begins_with_the_smaller_one(products: list[Product], n: int) -> None:
    smaller = synthetic(n)
    assert len(smaller) == n
    assert list(smaller) == products[:n] == [smaller[place] for place in range(n)]


def test_a_place_is_found_by_id_alone(catalogue: SyntheticCatalogue, products: list[Product]) -> None:
    assert [catalogue.index_of(product.asin) for product in products] == list(range(1000))
    assert len({product.asin for product in products}) == 1000
    for asin in ("", "HB", "XX" + products[0].asin[2:], products[0].asin.lower(), products[0].asin[:-1], synthetic(1001)[1000].asin):
        assert catalogue.index_of(asin) is None, asin


def test_it_is_a_sequence(catalogue: SyntheticCatalogue, products: list[Product]) -> None:
    assert catalogue[-1] == products[-1]
    assert catalogue[5:20:3] == products[5:20:3]
    with pytest.raises(IndexError):
        catalogue[1000]
    assert list(pickle.loads(pickle.dumps(catalogue)))[:10] == products[:10]


def test_a_million_products_are_made_only_when_asked_for() -> None:
    large = synthetic(1_000_000)
    assert large.index_of(large[999_999].asin) == 999_999


@pytest.mark.parametrize("n", [0, -1, MOST_PRODUCTS + 1, 1.0, True, "9"])
def test_a_size_that_cannot_be(n: object) -> None:
    with pytest.raises(CatalogueSizeError, match=f"n={n!r}.* give a whole number from 1 to {MOST_PRODUCTS}"):
        synthetic(n)  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", [-1, 2**63, None])
def test_a_seed_that_cannot_be(seed: object) -> None:
    with pytest.raises(CatalogueSizeError, match=f"seed={seed!r}"):
        synthetic(10, seed)  # type: ignore[arg-type]


def test_products_are_well_formed(products: list[Product]) -> None:
    words = {name.lower() for name in (BACK, BUY, NEXT, PREVIOUS, *SECTIONS, "Search")}
    for product in products:
        assert len(product.asin) == 10
        assert product.asin.isalnum()
        assert product.asin.isupper()
        assert product.name
        assert "  " not in product.name
        assert product.query == product.query.lower().strip()
        assert product.product_category.count(" \u203a ") >= 2
        assert 1 <= len(product.prices) <= 2
        assert list(product.prices) == sorted(product.prices)
        assert 0 < product.prices[0] < 990
        assert all(round(price, 2) == price for price in product.prices)
        assert 3 <= len(product.attributes) == len(set(product.attributes))
        assert set(product.instruction_attributes) <= set(product.attributes)
        values = [value for group in product.options.values() for value in group]
        assert len(values) == len(set(values)), "a value in two groups could not be chosen in the first"
        assert not words & set(values)
        assert all(value == value.lower().strip() and "[" not in value for value in values)


def test_a_page_says_every_attribute(products: list[Product]) -> None:
    for product in products:
        said = " ".join((product.name, product.description, *product.bullets)).lower()
        assert [attribute for attribute in product.attributes if attribute not in said] == []


def test_a_title_says_for_whom_and_with_what(products: list[Product]) -> None:
    uses = {attribute.name.title(): attribute.use for attribute in vocabulary().attributes.values()}
    for product in products:
        assert not any(f"with {name}" in product.name for name, use in uses.items() if use == "for"), product.name
        assert not any(f" {word} " in product.name for word in ("A", "And", "The", "To")), product.name


def test_an_instruction_asks_for_what_the_product_is(products: list[Product]) -> None:
    for product in products:
        assert product.instruction.startswith("Find me ")
        assert product.query in product.instruction
        assert 2 <= len(product.instruction_attributes) <= 4
        assert all(attribute in product.instruction for attribute in product.instruction_attributes)


def test_there_is_much_of_everything(products: list[Product]) -> None:
    assert len(Counter(product.category for product in synthetic(3000))) >= 5
    assert len(Counter(product.query for product in synthetic(3000))) >= 50
    assert len({product.name for product in products}) > 990
    assert any(len(product.prices) == 2 for product in products)


def test_members_of_a_line_are_alike_and_not_the_same(products: list[Product]) -> None:
    for first in range(0, 990, LINE):
        line = products[first : first + LINE]
        assert len({product.query for product in line}) == 1
        assert len(set.intersection(*(set(product.attributes) for product in line))) >= 2
        assert len({(product.attributes, product.prices, tuple(product.options.items())) for product in line}) > 1


# --- the vocabulary


def attributes(kind: Kind) -> list[Attribute]:
    return [*kind.own, *kind.shared]


@pytest.mark.parametrize("kind", vocabulary().kinds, ids=lambda kind: str(kind.name))
def test_no_text_claims_an_attribute_by_accident(kind: Kind) -> None:
    plain = [kind.about, *kind.names, *kind.materials, *kind.suits, *kind.service]
    for attribute in attributes(kind):
        assert attribute.use in ("plain", "with", "for")
        assert attribute.name in attribute.sentence.lower()
        others = [other.sentence for other in attributes(kind) if other != attribute]
        assert [text for text in (*plain, *others) if attribute.name in text.lower()] == []


@pytest.mark.parametrize("kind", vocabulary().kinds, ids=lambda kind: str(kind.name))
def test_the_reward_tells_attributes_apart(kind: Kind) -> None:
    names = [attribute.name for attribute in attributes(kind)]
    alike = [(one, other) for one in names for other in names if one < other and fuzz.token_set_ratio(one, other) > 85]
    assert alike == []
    assert len(kind.own) >= 3
    assert len(names) >= 8


def test_no_value_hides_the_name_of_a_colour() -> None:
    """The reward cuts a value down to the first colour in it, so `standard` would be `tan`."""
    values = {value for kind in vocabulary().kinds for _, group in kind.options for value in group}
    for value in values:
        found = [colour for colour in colours() if colour in value]
        assert all(colour in value.split() or colour == value for colour in found), (value, found)


@pytest.mark.parametrize("kind", vocabulary().kinds, ids=lambda kind: str(kind.name))
def test_what_a_type_lacks_is_an_attribute_of_its_department(kind: Kind) -> None:
    table = tomllib.loads((resources.files("homebody.assets") / "webshop" / "vocabulary.toml").read_text("utf-8"))
    lacks = table["types"][kind.name]["lacks"]
    assert set(lacks) <= set(table["departments"][kind.department]["attributes"])
    assert not {attribute.name for attribute in attributes(kind)} & set(lacks)
    assert len(kind.shared) >= 3, "a line has a shared attribute in its core and two in its pool"


def test_every_attribute_is_used() -> None:
    used = {attribute.name for kind in vocabulary().kinds for attribute in attributes(kind)}
    assert used == set(vocabulary().attributes)


# --- how hard it is


@pytest.fixture(scope="module")
def measured() -> Difficulty:
    return difficulty(open_shop(ShopConfig()), "test", 300)


def test_every_goal_can_be_reached(measured: Difficulty) -> None:
    goal_shop = open_shop(ShopConfig())
    assert measured.attainable == measured.top_50 == 1.0
    assert all(goal_shop.is_attainable(goal) for goal in goal_shop.source.goals[::7])


def test_the_first_result_is_right_in_at_most_half_of_the_goals(measured: Difficulty) -> None:
    assert measured.first < 0.5
    assert 0.2 < measured.first_result < 0.5
    assert measured.first_result_strict <= measured.first_result < measured.first_result_reward
    assert measured.top_10 > 0.9, "who opens and checks has a chance"
    assert measured.to_json()["goals"] == 300


def test_a_shop_where_nothing_is_found(tmp_path: Path) -> None:
    hidden = replace(synthetic(1)[0], name="Qqq", description="", bullets=(), options={}, instruction="Wwww", prices=(5.0,))
    export_catalogue([hidden], tmp_path)
    goal_shop = open_shop(ShopConfig(tmp_path))
    split = next(split for split in SPLITS if listed(goal_shop, split))
    found = difficulty(goal_shop, split)
    assert (found.goals, found.top_50, found.first_result, found.first_result_reward) == (1, 0, 0, 0)


def listed(goal_shop: GoalShop, split: str) -> list[TaskSpec]:
    try:
        return goal_shop.source.tasks(split)
    except NoTasksError:
        return []


# --- as upstream's files


@pytest.mark.parametrize(("n", "name"), [(1000, "items_shuffle_1000.json"), (1001, "items_shuffle.json")])
def test_what_is_written_is_read_back_the_same(tmp_path_factory: pytest.TempPathFactory, n: int, name: str) -> None:
    folder = tmp_path_factory.mktemp("files") / "new"
    paths = export_catalogue(synthetic(n), folder)
    assert paths[0].name == name
    assert load_catalogue(folder, n) == list(synthetic(n))
    with pytest.raises(Exception, match="is there already; give another folder"):
        export_catalogue(synthetic(n), folder)


def test_a_folder_that_cannot_be_made(tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.mktemp("files") / "file"
    file.write_text("", "utf-8")
    with pytest.raises(Exception, match=r"cannot write into the folder .*: File exists; give another folder"):
        export_catalogue(synthetic(1), file)
