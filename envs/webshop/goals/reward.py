"""What a purchase is worth: upstream's reward exactly, and a success that is not lenient.

The formula and its quirks are those of princeton-nlp/WebShop (MIT) at 64fa2a5: options are compared word by word and without the names of
their groups, so `large` passes for `x-large` in a person's goal, and a value is first cut down to the first colour that it contains, so
`standard` becomes `tan`. `success_strict` is ours. Knows no page and no episode.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, lru_cache, partial
from typing import Any, Final

from homebody.envs.core import EnvError
from homebody.envs.webshop.catalogue.catalogue import Product, as_product
from homebody.envs.webshop.goals.goals import Goal
from homebody.envs.webshop.goals.nouns import colours, title_nouns

ALIKE: Final = 85
"""Two texts match if their score, from 0 to 100, is above this."""
_GOAL_KEYS: Final = ("asin", "name", "query", "product_category", "attributes", "goal_options", "price_upper")
_KEPT: Final = 1 << 16
"""Answers about texts that are kept: an episode asks about the same few again and again."""
_LATIN_1: Final = dict.fromkeys(range(128, 256))
"""Characters that thefuzz drops before it compares."""


class GoalRecordError(EnvError):
    """A mapping that is no goal of upstream's."""

    def __init__(self, missing: list[str]) -> None:
        super().__init__(f"a goal has no {', '.join(map(repr, missing))}; give an object with {', '.join(_GOAL_KEYS)}")


def reward(
    goal: Goal | Mapping[str, Any],
    product: Product | Mapping[str, Any],
    options: Mapping[str, str],
    price: float,
    *,
    goal_nouns: Sequence[str] | None = None,
    product_nouns: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Return the reward for buying a product, with its parts.

    Args:
        goal: What was asked for; a mapping has upstream's keys.
        product: What was bought; a mapping has upstream's keys.
        options: The values that were chosen, by group.
        price: What the product costs, in dollars; options change nothing.
        goal_nouns: Nouns of the goal's title, repeats included; by default those of `title_nouns`.
        product_nouns: The same of the product's title.

    Returns:
        `reward`, from 0 to 1; its factor `r_type` with `query_match`, `category_match` and `title_score`; the shares of what was asked for
        that the purchase has, `r_att`, `r_option` (None without an option to ask for) and `r_price`, and their weights `w_att`, `w_option`
        and `w_price`. `success_strict`: it is the goal's own product, and every option that the goal names is chosen exactly, in
        its group where the goal names that, at a price within the limit.

    Raises:
        CatalogueError: A mapping is no product.
        GoalRecordError: A mapping is no goal.
    """
    goal, product = goal if isinstance(goal, Goal) else as_goal(goal), as_product(product)
    parts = _type(
        goal,
        product,
        title_nouns(goal.name) if goal_nouns is None else goal_nouns,
        title_nouns(product.name) if product_nouns is None else product_nouns,
    )
    n_attributes = _n_attributes(goal, product)
    n_options = _n_options(goal, options.values())
    affordable = price <= goal.price_upper
    weight = len(goal.attributes) + len(goal.options) + 1
    return {
        "reward": (n_attributes + n_options + affordable) / weight * parts["r_type"],
        **parts,
        "r_att": n_attributes / len(goal.attributes) if goal.attributes else None,
        "w_att": len(goal.attributes) / weight,
        "r_option": n_options / len(goal.options) if goal.options else None,
        "w_option": len(goal.options) / weight,
        "r_price": affordable,
        "w_price": 1 / weight,
        "success_strict": affordable and product.asin == goal.asin and _is_chosen(goal, options),
    }


def as_goal(record: Mapping[str, Any]) -> Goal:
    """Return a goal that upstream made: its options are an object by group, or a list of values alone.

    Raises:
        GoalRecordError: A key is missing.
    """
    missing = [key for key in _GOAL_KEYS if key not in record]
    if missing:
        raise GoalRecordError(missing)
    options = record["goal_options"]
    return Goal(
        goal_id="",
        asin=record["asin"],
        category=record.get("category", ""),
        query=record["query"],
        name=record["name"],
        product_category=record["product_category"],
        instruction=record.get("instruction_text", ""),
        attributes=tuple(record["attributes"]),
        options=tuple(options.items()) if isinstance(options, Mapping) else tuple(("", value) for value in options),
        price_upper=record["price_upper"],
        weight=record.get("weight", 1.0),
    )


def _type(goal: Goal, product: Product, goal_nouns: Sequence[str], product_nouns: Sequence[str]) -> dict[str, Any]:
    """Return how far the product is of the kind that was asked for, from 0 to 1, and why."""
    query = product.query == goal.query
    category = len(_path(product.product_category) & _path(goal.product_category)) >= 2
    # Upstream counts repeats below the line and not above it.
    title = len(set(goal_nouns) & set(product_nouns)) / len(goal_nouns) if goal_nouns else 0.2
    factor = 1.0 if query or category or title > 0.2 else 0.5
    if title < 0.1:
        factor = 0.1 if title else 0.0
    return {"r_type": factor, "query_match": query, "category_match": category, "title_score": title}


@lru_cache(_KEPT)
def _path(category: str) -> frozenset[str]:
    return frozenset(part.strip() for part in category.split("\u203a"))


def _n_attributes(goal: Goal, product: Product) -> int:
    """Return how many of the goal's attributes the product has: as one alike to it, or in its texts."""
    missing = [wanted for wanted in goal.attributes if not _has_alike(product.attributes, wanted)]
    if missing:
        texts = [text.lower() for text in (product.name, " ".join(product.bullets), product.description)]
        missing = [wanted for wanted in missing if not any(wanted in text for text in texts)]
    return len(goal.attributes) - len(missing)


def _has_alike(attributes: Sequence[str], wanted: str) -> bool:
    # The very words first: the right product has them, and is spared the comparison with all others.
    candidates = (wanted,) if wanted in attributes else ()
    return any(likeness(attribute, wanted) > ALIKE for attribute in (*candidates, *attributes))


def _n_options(goal: Goal, chosen: Iterable[str]) -> int:
    """Return how many of the goal's options are alike to a chosen value."""
    values = [_normal(value) for value in chosen]
    return sum(any(likeness(value, wanted) > ALIKE for value in values) for wanted in map(_wanted, goal.options))


@lru_cache(_KEPT)
def _wanted(option: tuple[str, str]) -> str:
    """Return what a goal's option is compared as: upstream compares the text of the pair, unless the value is a colour by itself."""
    group, value = option
    if not group:
        return _normal(value)
    return next((colour for colour in colours() if colour in option), str(option))


@lru_cache(_KEPT)
def _normal(value: str) -> str:
    """Return the first colour word that a value contains, or the value."""
    return next((colour for colour in colours() if colour in value), value)


@lru_cache(_KEPT)
def likeness(one: str, other: str) -> int:
    """Return how alike two texts are as sets of words, from 0 to 100: `token_set_ratio` of thefuzz."""
    if not (one.isascii() and other.isascii()):
        one, other = one.translate(_LATIN_1), other.translate(_LATIN_1)
    return round(_token_set_ratio()(one, other))


@cache
def _token_set_ratio() -> Callable[[str, str], float]:
    from rapidfuzz import fuzz, utils  # here, because it takes its time to load

    return partial(fuzz.token_set_ratio, processor=utils.default_process)


def _is_chosen(goal: Goal, options: Mapping[str, str]) -> bool:
    """Tell whether the goal's options are chosen exactly; where it names no groups, as values of any."""
    chosen = {group.casefold(): value.strip().casefold() for group, value in options.items()}
    return all(
        chosen.get(group.casefold()) == value.strip().casefold() if group else value.strip().casefold() in chosen.values()
        for group, value in goal.options
    )
