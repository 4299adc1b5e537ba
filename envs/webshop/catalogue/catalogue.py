"""What the shop sells: products as data, and the loader of upstream's product files.

Promises that whatever is loaded is well formed, and that an error names the file, the product and the field. The facts of the format are
those of princeton-nlp/WebShop (MIT) at 64fa2a5. Knows nothing of goals, of search, or of pages.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from homebody.envs.core import EnvError
from homebody.envs.file import expand_path, nearby_folder
from homebody.envs.text import UnreadableError, clean, kind_of, read_json, short

NO_PRICE: Final = 100.0
"""Dollars that a product costs whose file gives no price."""
UNKNOWN_ATTRIBUTES: Final = ("DUMMY_ATTR",)
"""What upstream puts where the attribute file does not know a product."""
LONGEST_ASIN: Final = 10
"""Characters; products with a longer id are left out, and so are those whose id is `nan`."""

SMALL_FILE: Final = 1000
"""Products of upstream's small product file."""
PRODUCT_FILES: Final = (("items_shuffle_1000.json", "items_ins_v2_1000.json"), ("items_shuffle.json", "items_ins_v2.json"))
"""Products and attributes: the small set, and the full one."""
HUMAN_FILE: Final = "items_human_ins.json"

_LOADED: Final = {"Title": "name", "Description": "full_description", "BulletPoints": "small_description"}
"""Names that upstream's loader adds, and those that the files have for the same."""
_EMPTY: Final = dict.fromkeys(
    ("category", "query", "product_category", "full_description", "small_description", "customization_options"), ""
)
_NOT_IN_PRICES = re.compile(r"[^\d.]", re.ASCII)


class CatalogueError(EnvError):
    """A file of the shop cannot be used."""

    def __init__(self, where: object, problem: str, remedy: str) -> None:
        super().__init__(f"{where}: {problem}; {remedy}")


@dataclass(frozen=True)
class Product:
    """One product, as the shop shows it. Its texts are shown as they are; its option groups and values are lower-case."""

    asin: str
    """The id; at most `LONGEST_ASIN` characters."""
    name: str
    """The title."""
    category: str
    query: str
    """The kind of thing, lower-case, as `console tables`."""
    product_category: str
    """A path, its parts divided by ` \u203a `."""
    description: str
    bullets: tuple[str, ...]
    attributes: tuple[str, ...] = UNKNOWN_ATTRIBUTES
    options: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Values on offer, by group; not to be changed."""
    prices: tuple[float, ...] = (NO_PRICE,)
    """Dollars: one price, or the two ends of a range."""
    images: tuple[str, ...] = ()
    """Addresses of pictures; nothing here opens them."""
    instruction: str = ""
    """What a synthetic goal asks for, without options and price; empty where no goal asks for this product."""
    instruction_attributes: tuple[str, ...] = ()
    """The attributes that the instruction names."""

    @property
    def price_tag(self) -> str:
        """What a page says of the price, as `$12.99` or `$3.78 to $11.38`."""
        return _price_tag(self.prices)


@lru_cache(1 << 16)
def _price_tag(prices: tuple[float, ...]) -> str:
    return " to ".join(f"${price}" for price in prices)


def load_catalogue(data_dir: str | os.PathLike[str], size: int = SMALL_FILE, *, duplicates: str = "error") -> list[Product]:
    """Load the first products of upstream's files.

    Args:
        data_dir: The folder with one of the pairs of `PRODUCT_FILES`.
        size: How many records to read, at most; the small files serve up to `SMALL_FILE`, where they are there.
        duplicates: What to do about an id that came before: `error`, or `skip` it, as upstream does.

    Raises:
        CatalogueError: A file is missing, is no JSON, or a product in it is not as it should be.
    """
    products_path, attributes_path = _paths(expand_path(data_dir), size)
    records = read_shop_file(products_path, list, "a list of products")
    known = read_shop_file(attributes_path, dict, "an object that maps product ids to attributes")
    products: dict[str, Product] = {}
    places: dict[str, int] = {}
    for place, record in enumerate(records[:size]):
        where = f"{products_path}: product {place}"
        if not isinstance(record, dict):
            raise CatalogueError(where, f"it is {kind_of(record)}", "give an object")
        asin = _Reader(where, record).text("asin")
        if not asin.strip():
            raise CatalogueError(where, f"its id is {asin!r}", "give each product an id of its own")
        if asin == "nan" or len(asin) > LONGEST_ASIN:
            continue
        if asin in places:
            if duplicates == "skip":
                continue
            problem = f"id {asin!r} came before, at product {places[asin]}"
            raise CatalogueError(where, problem, "remove one of them, or pass duplicates='skip' to keep the first")
        places[asin] = place
        facts = {} if (found := known.get(record["asin"])) is None else found
        if not isinstance(facts, dict):
            raise CatalogueError(f"{attributes_path}: {asin!r}", f"it is {kind_of(facts)}", "give an object with the list `attributes`")
        products[asin] = _product(_Reader(f"{where} ({asin})", record), _Reader(f"{attributes_path}: {asin!r}", facts))
    if not products:
        problem = f"it holds no product with an id of at most {LONGEST_ASIN} characters"
        raise CatalogueError(products_path, problem, "give a list with at least one")
    return list(products.values())


def as_product(value: Product | Mapping[str, Any]) -> Product:
    """Return a product; a record of upstream's becomes one, in the layout of its files or in that of its loaded products.

    Fields that the record lacks, other than the id and the name, are empty.

    Raises:
        CatalogueError: The record has no id or no name, or a field has a wrong type.
    """
    if isinstance(value, Product):
        return value
    record = {**_EMPTY, **{_LOADED.get(key, key): content for key, content in value.items()}}
    reader = _Reader(f"product {record.get('asin', '')!r}", record)
    return _product(reader, _Reader(reader.where, {"attributes": record.get("Attributes")}))


def catalogue_hash(products: Iterable[Product]) -> str:
    """Return the SHA-256 of a catalogue: 64 hexadecimal digits that change with any product, or with their order."""
    digest = hashlib.sha256()
    for product in products:
        digest.update(json.dumps(asdict(product), sort_keys=True, ensure_ascii=True).encode())
    return digest.hexdigest()


def read_shop_file(path: Path, kind: type, wanted: str) -> Any:
    """Return the content of a JSON file.

    Raises:
        CatalogueError: It cannot be read, or its outermost value is not of this kind.
    """
    try:
        return read_json(path, kind, wanted)
    except UnreadableError as error:
        raise CatalogueError(path, error.fault, error.remedy) from None


def _paths(folder: Path, size: int) -> tuple[Path, Path]:
    there = [(folder / products, folder / attributes) for products, attributes in PRODUCT_FILES if (folder / products).is_file()]
    if not folder.is_dir():
        problem = "is no folder" if folder.exists() else "is not there"
        raise CatalogueError(folder, problem, "point data_dir to WebShop's data folder, or leave it out for a built-in catalogue")
    if not there:
        names = [products for products, _ in PRODUCT_FILES]
        problem = f"has no {' or '.join(names)}"
        if (instead := nearby_folder(folder, *names)) is not None:
            raise CatalogueError(folder, f"{problem}, and {instead} has", f"point data_dir to {instead}")
        raise CatalogueError(folder, problem, "point data_dir to WebShop's data folder, or leave it out for a built-in catalogue")
    return there[0] if size <= SMALL_FILE else there[-1]


def _product(of: _Reader, facts: _Reader) -> Product:
    instruction = facts.text("instruction", "")
    wanted = facts.texts("instruction_attributes", ())
    if instruction.strip() and not wanted:
        raise CatalogueError(facts.where, "it has an instruction and no 'instruction_attributes'", "name at least one attribute")
    return Product(
        asin=of.text("asin"),
        name=of.text("name"),
        category=of.text("category"),
        query=of.text("query").lower().strip(),
        product_category=of.text("product_category"),
        description=of.text("full_description"),
        bullets=of.texts("small_description"),
        attributes=facts.texts("attributes", UNKNOWN_ATTRIBUTES),
        options=dict(of.options()),
        prices=of.prices(),
        images=of.texts("images", ()),
        instruction=instruction,
        instruction_attributes=wanted,
    )


class _Reader:
    """Reads the fields of one record, and names the place where one is wrong. Texts are cleaned.

    A field with a default may be missing. Null stands for the default, or for an empty text or list.
    """

    def __init__(self, where: str, record: Mapping[str, Any]) -> None:
        self.where = where
        self._record = record

    def text(self, name: str, default: str | None = None) -> str:
        value = self._get(name, default)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise self._wrong(name, "a text")
        return clean(value)

    def texts(self, name: str, default: tuple[str, ...] | None = None) -> tuple[str, ...]:
        """Read a list of texts; one text alone counts as a list of it, and null in a list as nothing."""
        value = self._get(name, default)
        if value is None:
            return ()
        if isinstance(value, str):
            return (clean(value),)
        if not isinstance(value, list | tuple):
            raise self._wrong(name, "a list of texts")
        for place, text in enumerate(value):
            if text is not None and not isinstance(text, str):
                raise CatalogueError(self.where, f"field {name!r} has at place {place} what is {kind_of(text)}", "give a list of texts")
        return tuple(clean(text) for text in value if text is not None)

    def options(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        groups = self._get("customization_options") or {}
        if not isinstance(groups, dict):
            raise self._wrong("customization_options", "an object that maps groups to lists of options, or an empty text")
        for group, contents in groups.items():
            if contents is None:
                continue
            contents = [c for c in contents if not _is_null(c)] if isinstance(contents, list) else contents
            if not isinstance(contents, list) or not all(isinstance(c, dict) and isinstance(c.get("value"), str) for c in contents):
                problem = f"field 'customization_options' has a group {short(group)} that is no list of options"
                raise CatalogueError(self.where, problem, "give each option a text 'value'")
            yield clean(group).lower(), tuple(clean(content["value"]).strip().replace("/", " | ").lower() for content in contents)

    def prices(self) -> tuple[float, ...]:
        """Read the first two amounts of `pricing`."""
        text = self.text("pricing", "")
        if not text:
            return (NO_PRICE,)
        try:
            return _finite(text)
        except ValueError:
            problem = f"field 'pricing' is {short(text)}"
            raise CatalogueError(self.where, problem, "give '$12.99', '$3.78 - $11.38', or an empty text") from None

    def _get(self, name: str, default: Any = None) -> Any:
        value = self._record.get(name)
        if value is None and default is None and name not in self._record:
            raise CatalogueError(self.where, f"field {name!r} is missing", "add it" if name == "asin" else "add it; it may be empty")
        return default if value is None else value

    def _wrong(self, name: str, wanted: str) -> CatalogueError:
        return CatalogueError(self.where, f"field {name!r} is {kind_of(self._record[name])}", f"give {wanted}")


def _finite(text: str) -> tuple[float, ...]:
    """Return one or two amounts; raise a `ValueError` where there are none."""
    amounts = [float(_NOT_IN_PRICES.sub("", part)) for part in text.split("$")[1:]]
    if not amounts or max(amounts) == float("inf"):
        raise ValueError(text)
    return tuple(amounts[:2])


def _is_null(option: object) -> bool:
    """Tell whether null stands for an option, or for its text."""
    return option is None or (isinstance(option, dict) and option.get("value", "") is None)
