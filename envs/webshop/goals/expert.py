"""The gold check of the shop: a shortest way to buy what a goal asks for. Privileged: it knows the product, and uses no model."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping

from homebody.envs.core import EnvError
from homebody.envs.webshop.catalogue.catalogue import Product
from homebody.envs.webshop.goals.goals import Goal
from homebody.envs.webshop.pages.pages import BACK, BUY, NEXT, PREVIOUS, Page, Shop, search_command

Rate = Callable[[Product, Mapping[str, str]], float]
"""The reward for buying a product with these options."""

_MOST_PAGES = 2000
"""Pages that are looked at in search of a way."""


class NoWayError(EnvError):
    """No way to a product was found."""

    def __init__(self, goal: Goal) -> None:
        super().__init__(f"no search finds the product of goal {goal.goal_id!r}; give the product a title with words, or a query")


def plan(shop: Shop, page: Page, goal: Goal, rate: Rate) -> list[str]:
    """Return a shortest list of admissible commands that buys the goal's product with the best options; empty after the purchase.

    Args:
        shop: Where to buy.
        page: Where the visitor is.
        goal: What to buy.
        rate: Tells how good a purchase is.

    Raises:
        NoWayError: The product cannot be found.
    """
    if page.kind == "done":
        return []
    product = shop.product(goal.asin)
    way = None if product is None else _way(shop, page, product)
    if product is None or way is None:
        raise NoWayError(goal)
    commands, page = way
    for group, value in best_options(goal, product, rate).items():
        command = f"click[{value}]"
        there = shop.follow(page, command)
        if page.options.get(group) != value and there.options.get(group) == value:
            commands.append(command)
            page = there
    return [*commands, f"click[{BUY.lower()}]"]


def best_options(goal: Goal, product: Product, rate: Rate) -> dict[str, str]:
    """Return the options that a goal names; where these do not give the full reward, those that were found to give the most.

    A person's goal names values without their groups, and reward's matching of options is such that the right ones can fail.
    """
    options = {group: value for group, value in goal.options if value in product.options.get(group, ())}
    reward = rate(product, options)
    for group, values in product.options.items():
        for value in values if reward < 1.0 else ():
            better = rate(product, {**options, group: value})
            if better > reward:
                options, reward = {**options, group: value}, better
    return options


def is_attainable(goal: Goal, product: Product, rate: Rate) -> bool:
    """Tell whether buying the goal's own product can give the full reward."""
    return rate(product, best_options(goal, product, rate)) == 1.0


def _way(shop: Shop, page: Page, product: Product) -> tuple[list[str], Page] | None:
    """Return the commands from a page to that of a product, and the latter."""
    texts = (product.name, f"{product.name} {product.description} {' '.join(product.bullets[:1])}", f"<q> {product.query}")
    searches = [search_command(text) for text in texts]
    turns = [f"click[{name.lower()}]" for name in (NEXT, PREVIOUS, BACK)]
    opening = f"click[{product.asin.lower()}]"
    seen = {page}
    queue: deque[tuple[list[str], Page]] = deque([([], page)])
    while queue and len(seen) < _MOST_PAGES:
        commands, here = queue.popleft()
        if here.kind == "item" and here.product and here.product.asin == product.asin:
            return commands, here
        for command in (*searches, *([opening] if opening in here.commands else []), *turns):
            there = shop.follow(here, command) if command in here.commands or here.has_search_bar else here
            if there not in seen:
                seen.add(there)
                queue.append(([*commands, command], there))
    return None
