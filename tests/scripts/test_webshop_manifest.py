"""`homebody webshop manifest`: what fixes the goals can be written, compared and read back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from homebody.envs.webshop.catalogue.catalogue import CatalogueError
from homebody.envs.webshop.goals.shop import ShopConfig, open_shop
from homebody.scripts.commands.webshop import webshop

SIZE = 30


def write_manifest(path: Path, *more: object) -> dict[str, object]:
    answer = CliRunner().invoke(webshop, ["manifest", "--catalogue-size", str(SIZE), "--json", str(path), *map(str, more)])
    assert answer.exit_code == 0, answer.output
    content: dict[str, object] = json.loads(path.read_text("utf-8"))
    assert str(content["hash"]) in answer.output
    return content


def test_prices_of_a_manifest_are_read_back(tmp_path: Path) -> None:
    drawn = write_manifest(tmp_path / "drawn.json", "--price-seed", 7)
    assert drawn == write_manifest(tmp_path / "again.json", "--price-seed", 7, "--prices", tmp_path / "drawn.json")
    goal_shop = open_shop(ShopConfig(catalogue_size=SIZE, price_seed=7))
    assert drawn["prices"] == {product.asin: goal_shop.price(product) for product in goal_shop.shop.products}
    assert drawn["tagger"] == "rules"
    # Another seed draws other prices and limits; with a file of prices alone it draws the limits.
    assert write_manifest(tmp_path / "other.json", "--price-seed", 8)["prices"] != drawn["prices"]
    (tmp_path / "alone.json").write_text(json.dumps(drawn["prices"]), "utf-8")
    mixed = write_manifest(tmp_path / "mixed.json", "--price-seed", 8, "--prices", tmp_path / "alone.json")
    assert mixed["prices"] == drawn["prices"]
    assert mixed["hash"] != drawn["hash"]


def test_a_manifest_of_another_shop_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "drawn.json"
    write_manifest(path, "--price-seed", 7)
    with pytest.raises(CatalogueError, match=r"drawn\.json: is a manifest of price_seed=7, .*give price_seed=7, or a file"):
        open_shop(ShopConfig(catalogue_size=SIZE, prices=path))
    with pytest.raises(CatalogueError, match=r"drawn\.json: has no price of any product on sale"):
        open_shop(ShopConfig(catalogue_size=SIZE, catalogue_seed=1, price_seed=7, prices=path))


@pytest.mark.parametrize("content", ['{"prices": {"A": "dear"}}', '{"prices": 3, "A": []}', "[]"])
def test_a_file_without_prices_is_an_error(tmp_path: Path, content: str) -> None:
    (tmp_path / "p.json").write_text(content, "utf-8")
    answer = CliRunner().invoke(webshop, ["manifest", "--catalogue-size", str(SIZE), "--prices", str(tmp_path / "p.json")])
    assert answer.exit_code != 0
    assert "p.json" in str(answer.exception)
