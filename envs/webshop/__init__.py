"""A web shop in text: `homebody/WebShop-v0`, and the parts that stand by themselves: the analyzer, the search engine and the reward."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from homebody.envs.webshop.goals.reward import reward
from homebody.envs.webshop.search.analyzer import analyze

if TYPE_CHECKING:
    from homebody.envs.webshop.search.index import SearchIndex

__all__ = ["SearchIndex", "analyze", "reward"]


def __getattr__(name: str) -> Any:
    """Import the search engine when it is first wanted: it brings a compiler with it."""
    if name == "SearchIndex":
        from homebody.envs.webshop.search.index import SearchIndex

        return SearchIndex
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
