"""A shop with its goals and prices, made from a few parameters and kept for the process.

The one place that says what the parameters of the environment, the website and the commands mean. Knows no episode.
"""

from __future__ import annotations

import os
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Final

from homebody.envs.core import EnvError, did_you_mean
from homebody.envs.file import expand_path
from homebody.envs.webshop.catalogue.catalogue import HUMAN_FILE, PRODUCT_FILES, SMALL_FILE, CatalogueError, Product, load_catalogue
from homebody.envs.webshop.goals import expert
from homebody.envs.webshop.goals.goals import (
    Goal,
    GoalSource,
    draw_price,
    human_goals,
    in_final,
    is_final,
    load_prices,
    manifest,
    synthetic_goals,
)
from homebody.envs.webshop.goals.nouns import DEFAULT, Tagger, find_tagger
from homebody.envs.webshop.goals.reward import reward
from homebody.envs.webshop.pages.pages import Shop

GOALS: Final = ("synthetic", "human")
DUPLICATES: Final = ("error", "skip")
MOST_ASKED_FOR: Final = 10_000
"""Products of a catalogue that goals are made for: the first ones. A million products would have millions of goals."""
FINAL_SEED: Final = 1_000_000
"""Added to the seed of the built-in catalogue, it gives the catalogue of the final split: other products, which no other split has."""
_MOST_RATINGS: Final = 10_000
"""Purchases whose rating a goal_shop keeps."""


class ShopParameterError(EnvError):
    """A parameter of the shop that is not possible."""

    def __init__(self, name: str, got: object, allowed: str) -> None:
        super().__init__(f"{name}={got!r} is not possible; give {allowed}")


@dataclass(frozen=True)
class ShopConfig:
    """What a shop is made from."""

    data_dir: str | os.PathLike[str] | None = None
    """A folder with upstream's files; `None` makes a synthetic catalogue."""
    goals: str = "synthetic"
    """`synthetic`: made from the attributes and options of products; `human`: written by people, for upstream's products alone."""
    catalogue_size: int = SMALL_FILE
    """Products, at most."""
    catalogue_seed: int = 0
    """Of the synthetic catalogue."""
    prices: str | os.PathLike[str] | None = None
    """A JSON file that maps product ids to dollars, or a manifest; products that it lacks cost what `price_seed` draws."""
    price_seed: int = 0
    """Of prices that are a range, and of the limits that goals set."""
    duplicates: str = "error"
    """What to do about a product id that comes twice in upstream's files: `error`, or `skip` as upstream does."""
    tagger: str = DEFAULT
    """Who tells the nouns of titles, which the reward compares; see `nouns.find_tagger`."""

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ShopParameterError: One is not possible.
            PathError: A path is none.
        """
        for name, known in (("goals", GOALS), ("duplicates", DUPLICATES)):
            got = getattr(self, name)
            if got not in known:
                raise ShopParameterError(name, got, f"one of: {', '.join(known)}{did_you_mean(got, known)}")
        for name, least in (("catalogue_size", 1), ("catalogue_seed", 0), ("price_seed", 0)):
            number = getattr(self, name)
            if isinstance(number, bool) or not isinstance(number, int) or number < least:
                raise ShopParameterError(name, number, f"a whole number of at least {least}")
        for name in ("data_dir", "prices"):
            got = getattr(self, name)
            if got is not None and not isinstance(got, str | os.PathLike):
                raise ShopParameterError(name, got, "a path, or None")
            if got is not None:
                object.__setattr__(self, name, expand_path(got))
        if self.data_dir is None and self.goals == "human":
            raise ShopParameterError("goals", "human", "'synthetic', or a data_dir with upstream's files: people wrote for no others")


@dataclass(frozen=True, eq=False)
class GoalShop:
    """What is sold, what it costs, and what is asked for."""

    config: ShopConfig
    """What it was made from."""
    shop: Shop
    source: GoalSource
    price: Prices
    tagger: str
    tag: Tagger
    about: str
    """Which goals, how many products from where, and who tells nouns, in a few words."""
    ratings: dict[Hashable, dict[str, Any]] = field(default_factory=dict)
    """Ratings of purchases that were made before."""

    def of_task(self, task_id: object) -> GoalShop:
        """Return the shop that a task is played in: this one, or that of the final split."""
        return self.final if is_final(task_id) else self

    @cached_property
    def final(self) -> GoalShop:
        """The shop of the final split.

        It is the built-in catalogue from another seed; of upstream's files it is the same shop, with goals
        for products that no goal of the other splits asks for.
        """
        config = self.config
        if config.data_dir is None:
            found = open_shop(replace(config, catalogue_seed=config.catalogue_seed + FINAL_SEED, prices=None))
            goals = found.source.goals
        else:
            found, further = self, self.shop.products[MOST_ASKED_FOR : 2 * MOST_ASKED_FOR]
            goals = _goals(config, further, self.price)
        where = f"the final split of the {config.goals} goals of {config.data_dir or 'the built-in catalogue'}"
        return replace(found, source=GoalSource(in_final(goals), where), ratings={})

    def rate(self, goal: Goal, product: Product, options: Mapping[str, str]) -> dict[str, Any]:
        """Return the reward for buying a product, with its parts and the tagger's name; not to be changed, for it is kept.

        Args:
            goal: One of the source's.
            product: What is bought.
            options: The values that are chosen, by group.
        """
        key = (goal.goal_id, product.asin, *options.items())
        rating = self.ratings.get(key)
        if rating is None:
            nouns = {"goal_nouns": self.tag(goal.name), "product_nouns": self.tag(product.name)}
            rating = {**reward(goal, product, options, self.price(product), **nouns), "tagger": self.tagger}
            if len(self.ratings) >= _MOST_RATINGS:
                self.ratings.clear()
            self.ratings[key] = rating
        return rating

    def rater(self, goal: Goal) -> expert.Rate:
        """Return a function that tells the reward of a purchase, for this goal."""
        return lambda product, options: float(self.rate(goal, product, options)["reward"])

    def is_attainable(self, goal: Goal) -> bool:
        """Tell whether buying the goal's own product can give the full reward."""
        product = self.shop.product(goal.asin)
        return product is not None and expert.is_attainable(goal, product, self.rater(goal))

    def manifest(self) -> dict[str, Any]:
        """Return what fixes the goals, as JSON-ready data; see `goals.manifest`. Rates every goal, so it takes a while."""
        facts = manifest(self.source.goals, self.shop.products, self.price, self.is_attainable)
        return {**facts, "price_seed": self.config.price_seed, "tagger": self.tagger}


@dataclass(frozen=True)
class Prices:
    """Tells what a product costs, in dollars; its options change nothing."""

    given: Mapping[str, float]
    """By product id; the others are drawn."""
    seed: int

    def __call__(self, product: Product) -> float:
        """Return the price."""
        given = self.given.get(product.asin)
        return draw_price(product, self.seed) if given is None else given


def open_shop(config: ShopConfig) -> GoalShop:
    """Return a shop with its goals; the same object for the same parameters, as long as the files stay the same.

    Raises:
        CatalogueError: A file cannot be used.
        CatalogueSizeError: There can be no synthetic catalogue of this size, or with this seed.
        TaggerError: There is no such tagger.
    """
    names = [name for pair in PRODUCT_FILES for name in pair] + [HUMAN_FILE]
    files = [] if config.data_dir is None else [Path(config.data_dir, name).absolute() for name in names]
    files += [] if config.prices is None else [Path(config.prices).absolute()]
    return _open(config, tuple((file, _stamp(file)) for file in files))


@lru_cache(maxsize=4)
def _open(config: ShopConfig, files: tuple[object, ...]) -> GoalShop:
    tag = find_tagger(config.tagger)
    price = Prices({} if config.prices is None else load_prices(Path(config.prices), config.price_seed), config.price_seed)
    shop = _shop(
        None if config.data_dir is None else Path(config.data_dir), config.catalogue_size, config.catalogue_seed, config.duplicates, files
    )
    if price.given and all(shop.product(asin) is None for asin in price.given):
        raise CatalogueError(config.prices, "has no price of any product on sale", "give the prices of this catalogue, or none")
    goals = _goals(config, shop.products[:MOST_ASKED_FOR], price)
    count = f"{len(shop.products)} products"
    where = f"the {config.goals} goals of {config.data_dir or 'the built-in catalogue'} ({count})"
    about = (
        f"{config.goals} goals, {count} of {'the built-in catalogue' if config.data_dir is None else 'upstream'}, nouns by {config.tagger}"
    )
    made = GoalShop(config, shop, GoalSource(goals, where, lambda: made.final.source), price, config.tagger, tag, about)
    return made


def _goals(config: ShopConfig, asked_for: Sequence[Product], price: Prices) -> list[Goal]:
    """Return the goals of products."""
    if config.goals == "human":
        return human_goals(asked_for, Path(config.data_dir or "", HUMAN_FILE), price, config.price_seed)
    return synthetic_goals(asked_for, price, config.price_seed)


@lru_cache(maxsize=4)
def _shop(folder: Path | None, size: int, seed: int, duplicates: str, files: tuple[object, ...]) -> Shop:
    """Make the shop apart from goals and prices: several sets of these share its index and pages."""
    products: Sequence[Product]
    if folder is not None:
        products = load_catalogue(folder, size, duplicates=duplicates)
    else:
        # Imported where it is wanted: upstream's files need no generator.
        from homebody.envs.webshop.catalogue.synthetic import synthetic

        products = synthetic(size, seed)
    return Shop(products)


def _stamp(path: Path) -> tuple[int, int] | None:
    """Return what changes when a file does."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size
