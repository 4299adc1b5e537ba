"""For the tests of the shop: a small one, and one whose texts try to break out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from homebody.envs.webshop.catalogue.export import export_catalogue
from homebody.envs.webshop.catalogue.synthetic import synthetic
from homebody.envs.webshop.goals.shop import GoalShop, ShopConfig, open_shop
from homebody.envs.webshop.site.site import Site

HOSTILE = """<script>window.ran = 1</script><img src="x" onerror="window.ran = 1"><svg onload='window.ran=1'>'"></span> {{ 7 * 7 }} &lt;"""


@pytest.fixture(scope="session")
def goal_shop() -> GoalShop:
    """The shop without files."""
    return open_shop(ShopConfig())


@pytest.fixture(scope="session")
def tasks(goal_shop: GoalShop) -> list[str]:
    """Ids of a few test tasks."""
    return [task.task_id for task in goal_shop.source.tasks("test", 4)]


@pytest.fixture
def site(goal_shop: GoalShop, tasks: list[str]) -> Site:
    return Site(goal_shop, tasks)


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> GoalShop:
    """A shop in which every text of a product tries to run something."""
    folder = tmp_path_factory.mktemp("hostile")
    wild = [
        replace(
            product,
            asin=f"<b>{n}\"'",
            category=HOSTILE,
            name=f"{product.name} {HOSTILE}",
            query=f"lamps {HOSTILE.lower()}",
            product_category=HOSTILE,
            description=HOSTILE,
            bullets=(HOSTILE, f"\r\n{HOSTILE}\x00"),
            options={HOSTILE.lower(): ('"><script>window.ran = 1</script>', "a & b < c"), "size": ('6" x 9',)},
            instruction=f"Find me {HOSTILE}",
        )
        for n, product in enumerate(synthetic(30))
    ]
    export_catalogue(wild, Path(folder))
    return open_shop(ShopConfig(folder, price_seed=1))
