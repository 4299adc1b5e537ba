"""Where a visit to the shop stood, as plain data: what a snapshot keeps of it.

Names what is on the page and holds no page: the shop makes that again. Knows no goal and no reward but those that it is given.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from homebody.envs.core import SnapshotError
from homebody.envs.webshop.pages.pages import BUY, Page, PageKind, Shop


@dataclass(frozen=True)
class Place:
    """Which page somebody is on; the fields are those of `Page`."""

    kind: PageKind
    query: str
    number: int
    asin: str
    """Empty where no product is shown."""
    section: str
    options: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, page: Page) -> Place:
        """Return the place that a page is."""
        return cls(page.kind, page.query, page.number, page.product.asin if page.product else "", page.section, tuple(page.options.items()))

    def page(self, shop: Shop) -> Page:
        """Return the page, as this shop has it.

        Raises:
            SnapshotError: The shop does not have the product.
        """
        if self.kind == "home":
            return shop.home()
        if self.kind == "results":
            return shop.results(self.query, self.number)
        product = shop.product(self.asin)
        if product is None:
            raise SnapshotError(f"product {self.asin!r} is not in this shop", "catalogue")
        item = shop.item(product, self.query, self.number, dict(self.options))
        button = {"item": "", "sub": self.section, "done": BUY}[self.kind]
        return shop.follow(item, f"click[{button.lower()}]") if button else item


@dataclass(frozen=True)
class VisitState:
    """Where a visit stood."""

    place: Place
    visited: frozenset[str]
    """Ids of the products opened since the last visit to the first page."""
    rating: Mapping[str, Any]
    """The reward of the last purchase, with its parts; empty before the first."""
