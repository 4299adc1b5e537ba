"""Writes a catalogue as the files that princeton-nlp/WebShop (MIT) loads, and that `catalogue.load_catalogue` reads back the same."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from homebody.envs.file import make_folder, replacing
from homebody.envs.webshop.catalogue.catalogue import PRODUCT_FILES, SMALL_FILE, CatalogueError, Product


def export_catalogue(products: Sequence[Product], folder: str | Path) -> list[Path]:
    """Write products and their attributes.

    Args:
        products: What to write; it is all in memory for a while.
        folder: Made where it is missing.

    Returns:
        The files: upstream's names for its small set up to `SMALL_FILE` products, else those for its full set.

    Raises:
        CatalogueError: A file is there already.
        OutputError: One cannot be written; then neither is.
    """
    names = PRODUCT_FILES[0 if len(products) <= SMALL_FILE else 1]
    contents: tuple[Any, Any] = [_record(product) for product in products], {product.asin: _facts(product) for product in products}
    paths = [make_folder(folder) / name for name in names]
    for path in paths:
        if path.exists():
            raise CatalogueError(path, "is there already", "give another folder")
    with ExitStack() as stack:  # both files are whole before one gets its name
        for path, content in zip(paths, contents, strict=True):
            part = stack.enter_context(replacing(path))
            part.write_text(json.dumps(content, ensure_ascii=False), "utf-8")
    return paths


def _record(product: Product) -> Mapping[str, Any]:
    return {
        "name": product.name,
        "asin": product.asin,
        "category": product.category,
        "query": product.query,
        "page": 1,
        "product_category": product.product_category,
        "full_description": product.description,
        "small_description": list(product.bullets),
        "pricing": " - ".join(f"${price}" for price in product.prices),
        "images": list(product.images),
        "customization_options": {group: [{"value": value} for value in values] for group, values in product.options.items()} or "",
        "average_rating": "",
    }


def _facts(product: Product) -> Mapping[str, Any]:
    facts: dict[str, Any] = {"attributes": list(product.attributes)}
    if product.instruction:
        facts |= {"instruction": product.instruction, "instruction_attributes": list(product.instruction_attributes)}
    return facts
