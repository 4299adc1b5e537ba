"""Products as data: what upstream's files become, and that a malformed one is named with product and field."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from homebody.envs.webshop.catalogue.catalogue import CatalogueError, Product, as_product, catalogue_hash, load_catalogue

LAMP = {
    "name": "Desk Lamp, Brass",
    "asin": "B000000001",
    "category": "garden",
    "query": " Desk Lamps ",
    "product_category": "Home \u203a Lamps",
    "full_description": "Bright.",
    "small_description": ["Dimmable ", "Heavy base"],
    "pricing": "$19.99 $27.5",
    "images": ["https://example.org/lamp.jpg"],
    "customization_options": {"Color": [{"value": " Red/Blue "}, {"value": "Black", "price": 3}], "Size": None},
    "average_rating": 4.5,
}
CUP = {**LAMP, "asin": "B000000002", "name": "Cup", "pricing": "", "small_description": "Holds tea.", "customization_options": ""}
FACTS = {
    "B000000001": {
        "attributes": ["dimmable", "heavy base"],
        "instruction": "Find me dimmable desk lamps",
        "instruction_attributes": ["dimmable"],
    }
}


def write(folder: Path, products: object, facts: object = None) -> Path:
    (folder / "items_shuffle_1000.json").write_text(products if isinstance(products, str) else json.dumps(products))
    (folder / "items_ins_v2_1000.json").write_text(json.dumps(FACTS if facts is None else facts))
    return folder


def test_records_become_products(tmp_path: Path) -> None:
    lamp, cup = load_catalogue(write(tmp_path, [LAMP, CUP]))
    assert lamp == Product(
        asin="B000000001",
        name="Desk Lamp, Brass",
        category="garden",
        query="desk lamps",
        product_category="Home \u203a Lamps",
        description="Bright.",
        bullets=("Dimmable ", "Heavy base"),
        attributes=("dimmable", "heavy base"),
        options={"color": ("red | blue", "black")},
        prices=(19.99, 27.5),
        images=("https://example.org/lamp.jpg",),
        instruction="Find me dimmable desk lamps",
        instruction_attributes=("dimmable",),
    )
    assert (cup.prices, cup.bullets, cup.options, cup.attributes) == ((100.0,), ("Holds tea.",), {}, ("DUMMY_ATTR",))
    assert (lamp.price_tag, cup.price_tag) == ("$19.99 to $27.5", "$100.0")


@pytest.mark.parametrize(
    ("pricing", "prices"),
    [("$12.99", (12.99,)), ("$1,234.5", (1234.5,)), ("$3.78 - $11.38 - $99", (3.78, 11.38)), ("", (100.0,)), (None, (100.0,))],
)
def test_prices(tmp_path: Path, pricing: object, prices: tuple[float, ...]) -> None:
    assert load_catalogue(write(tmp_path, [{**LAMP, "pricing": pricing}]))[0].prices == prices


def test_ids_that_upstream_leaves_out(tmp_path: Path) -> None:
    records = [{**CUP, "asin": "nan"}, {**CUP, "asin": "B0000000012"}, CUP]
    assert [product.asin for product in load_catalogue(write(tmp_path, records))] == ["B000000002"]


def test_null_counts_as_empty(tmp_path: Path) -> None:
    """An example of each: a description, a list of bullets, one of its entries, a group of options, an option, an option's text."""
    nulls = {"full_description": None, "query": None, "small_description": None, "images": None}
    options = {"Color": [{"value": "Red"}, {"value": None}, None], "Size": None}
    bare, mixed, plain = load_catalogue(
        write(
            tmp_path,
            [
                {**LAMP, **nulls, "name": None, "pricing": None, "customization_options": None},
                {**CUP, "small_description": ["Holds tea.", None], "customization_options": options},
                {**CUP, "asin": "B000000003"},
            ],
            {"B000000001": {"attributes": None, "instruction": None, "instruction_attributes": None}, "B000000002": None},
        )
    )
    assert (bare.description, bare.query, bare.name, bare.bullets, bare.images, bare.options) == ("", "", "", (), (), {})
    assert (bare.prices, bare.attributes, bare.instruction) == ((100.0,), ("DUMMY_ATTR",), "")
    assert (mixed.bullets, mixed.options) == (("Holds tea.",), {"color": ("red",)})
    assert plain.description == "Bright."


HALF = "\ud83d"


def test_texts_are_cleaned(tmp_path: Path) -> None:
    lamp = {
        **LAMP,
        "name": f"cup {HALF} \x1b[2J\u202egnp",
        "full_description": "two\nlines, and a bell\x07",
        "small_description": [f"{HALF}"],
        "customization_options": {f"Color{HALF}": [{"value": f"Red{HALF}"}]},
    }
    facts = {"B000000001": {"attributes": [HALF], "instruction": f"Find {HALF}", "instruction_attributes": [HALF]}}
    (product,) = load_catalogue(write(tmp_path, [lamp], facts))
    assert product.name == "cup \ufffd \ufffd[2J\ufffdgnp"
    assert (product.description, product.bullets) == ("two\nlines, and a bell\ufffd", ("\ufffd",))
    assert product.options == {"color\ufffd": ("red\ufffd",)}
    assert (product.attributes, product.instruction) == (("\ufffd",), "Find \ufffd")
    assert as_product({**lamp, "name": HALF}).name == "\ufffd"


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_byte_order_mark_changes_nothing(tmp_path: Path, mark: bytes) -> None:
    write(tmp_path, [LAMP])
    for path in tmp_path.iterdir():
        path.write_bytes(mark + path.read_bytes())
    assert load_catalogue(tmp_path)[0].instruction == "Find me dimmable desk lamps"


def test_other_encodings_are_named(tmp_path: Path) -> None:
    path = write(tmp_path, [LAMP]) / "items_shuffle_1000.json"
    text = path.read_text()
    path.write_text(text, "utf-16")
    with pytest.raises(CatalogueError, match=r"items_shuffle_1000\.json: is UTF-16, not UTF-8; save it as UTF-8"):
        load_catalogue(tmp_path)
    path.write_bytes(text.replace("Brass", "Caf\u00e9").encode("latin-1"))
    with pytest.raises(CatalogueError, match=r"is not UTF-8: invalid continuation byte at byte \d+; save it as UTF-8"):
        load_catalogue(tmp_path)


def test_only_the_first_records_count(tmp_path: Path) -> None:
    assert [product.asin for product in load_catalogue(write(tmp_path, [CUP, LAMP]), 1)] == ["B000000002"]


def test_the_full_files_serve_more_than_the_small_ones_hold(tmp_path: Path) -> None:
    write(tmp_path, [CUP])
    (tmp_path / "items_shuffle.json").write_text(json.dumps([LAMP]))
    (tmp_path / "items_ins_v2.json").write_text("{}")
    assert load_catalogue(tmp_path, 1000)[0].asin == CUP["asin"]
    assert load_catalogue(tmp_path, 1001)[0].asin == LAMP["asin"]


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in LAMP.items() if key != name}


@pytest.mark.parametrize(
    ("products", "said"),
    [
        ("[{", "items_shuffle_1000.json: is not JSON"),
        ("\ufeff\x00", "has a NUL at character 0, as a binary file or UTF-16 has; save it as UTF-8"),
        ("[" * 100_000, "is JSON nested deeper than 100 levels"),
        ({}, "its outermost value is of type dict; give a list of products"),
        ([], "holds no product"),
        ([CUP, 7], "product 1: it is of type int; give an object"),
        ([without("asin")], "product 0: field 'asin' is missing"),
        ([CUP, without("full_description")], "product 1 (B000000001): field 'full_description' is missing"),
        ([{**LAMP, "name": 7}], "product 0 (B000000001): field 'name' is of type int; give a text"),
        ([{**LAMP, "asin": None}], "product 0: its id is ''; give each product an id of its own"),
        ('[{"asin": "B1", "asin": "B2"}]', "is not JSON (an object has the key 'asin' twice)"),
        ([{**LAMP, "query": 3}], "field 'query' is of type int; give a text"),
        ([{**LAMP, "small_description": ["a", 1]}], "field 'small_description' has at place 1 what is of type int; give a list of texts"),
        ([{**LAMP, "small_description": {}}], "field 'small_description' is of type dict; give a list of texts"),
        ([{**LAMP, "pricing": 3.5}], "field 'pricing' is of type float"),
        ([{**LAMP, "pricing": "cheap"}], "field 'pricing' is 'cheap'; give '$12.99'"),
        ([{**LAMP, "pricing": "$1.2.3"}], "field 'pricing' is '$1.2.3'"),
        ([{**LAMP, "pricing": f"${'9' * 400}"}], "field 'pricing' is '$999"),
        ([{**LAMP, "customization_options": [1]}], "field 'customization_options' is of type list"),
        ([{**LAMP, "customization_options": {"Color": "red"}}], "has a group 'Color' that is no list of options"),
        ([{**LAMP, "customization_options": {"Color": [{}]}}], "has a group 'Color' that is no list of options"),
        ([{**LAMP, "asin": " "}], "product 0: its id is ' '; give each product an id of its own"),
        ([LAMP, CUP, LAMP], "product 2: id 'B000000001' came before, at product 0; remove one of them, or pass duplicates='skip'"),
    ],
)
def test_malformed_products_are_named(tmp_path: Path, products: object, said: str) -> None:
    with pytest.raises(CatalogueError) as raised:
        load_catalogue(write(tmp_path, products))
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ([], "its outermost value is of type list"),
        ({"B000000001": 3}, "'B000000001': it is of type int"),
        ({"B000000001": {"attributes": {}}}, "field 'attributes' is of type dict"),
        ({"B000000001": {"instruction": "Find me a lamp"}}, "it has an instruction and no 'instruction_attributes'"),
    ],
)
def test_malformed_attributes_are_named(tmp_path: Path, facts: object, said: str) -> None:
    with pytest.raises(CatalogueError) as raised:
        load_catalogue(write(tmp_path, [LAMP], facts))
    assert "items_ins_v2_1000.json" in str(raised.value)
    assert said in str(raised.value)


@pytest.mark.parametrize(("given", "lies_in"), [("data/images", "data"), (".", "data"), ("data/images/a/b", "data")])
def test_a_folder_beside_the_files_is_told_from_theirs(tmp_path: Path, given: str, lies_in: str) -> None:
    (tmp_path / "data" / "images" / "a" / "b").mkdir(parents=True)
    write(tmp_path / "data", [LAMP])
    told = rf"has no items_shuffle_1000\.json or items_shuffle\.json, and {tmp_path / lies_in} has; point data_dir to {tmp_path / lies_in}"
    with pytest.raises(CatalogueError, match=told):
        load_catalogue(tmp_path / given)


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match=r"has no items_shuffle_1000\.json or items_shuffle\.json; point data_dir"):
        load_catalogue(tmp_path)
    with pytest.raises(CatalogueError, match=r"nowhere: is not there; point data_dir"):
        load_catalogue(tmp_path / "nowhere")
    write(tmp_path, [LAMP])
    with pytest.raises(CatalogueError, match=r"items_shuffle_1000\.json: is no folder; point data_dir"):
        load_catalogue(tmp_path / "items_shuffle_1000.json")
    (tmp_path / "items_ins_v2_1000.json").unlink()
    with pytest.raises(CatalogueError, match=r"items_ins_v2_1000\.json: cannot be read"):
        load_catalogue(tmp_path)


def test_skipped_duplicates_keep_the_first(tmp_path: Path) -> None:
    later = {**LAMP, "name": "Another"}
    assert [product.name for product in load_catalogue(write(tmp_path, [LAMP, later]), duplicates="skip")] == ["Desk Lamp, Brass"]


def test_as_product_reads_files_and_loaded_products() -> None:
    lamp = as_product(LAMP)
    loaded = {
        "asin": "B000000001",
        "Title": "Desk Lamp, Brass",
        "query": "desk lamps",
        "Description": "Bright.",
        "BulletPoints": ["Dimmable "],
        "Attributes": ["dimmable"],
    }
    product = as_product(loaded)
    assert (product.name, product.description, product.bullets) == ("Desk Lamp, Brass", "Bright.", ("Dimmable ",))
    assert (product.attributes, product.options, product.category) == (("dimmable",), {}, "")
    assert lamp.attributes == ("DUMMY_ATTR",)
    assert as_product(lamp) is lamp
    with pytest.raises(CatalogueError, match=r"product 'x': field 'name' is missing"):
        as_product({"asin": "x"})


def test_hash_tells_catalogues_apart() -> None:
    lamp, cup = as_product(LAMP), as_product(CUP)
    hashes = {catalogue_hash(products) for products in ([lamp], [cup], [lamp, cup], [cup, lamp])}
    assert len(hashes) == 4
    assert catalogue_hash([as_product(LAMP)]) == catalogue_hash([lamp])
