"""What an agent is sent to buy: goals made from a catalogue, their prices and caps from a seed, and their splits.

Goals and their order are those of princeton-nlp/WebShop (MIT) at 64fa2a5. Upstream draws prices and caps without a seed; here both are
drawn for each product, or each person's instruction, by itself, so that a goal does not depend on what else the catalogue holds. Knows
nothing of pages or of rewards.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from homebody.envs.core import FINAL, NoTasksError, TaskSpec, UnknownSplitError, UnknownTaskError, take_tasks
from homebody.envs.text import clean, finite, short
from homebody.envs.webshop.catalogue.catalogue import CatalogueError, Product, catalogue_hash, read_shop_file

SPLIT_BOUNDS: Final = {"train": 0.6, "validation": 0.8, "test": 1.0}
"""A product is in the first split whose bound exceeds its place in [0, 1), which comes from the SHA-256 of its id: all goals of a product
are in one split, and a product keeps its split in every catalogue."""
_SPLIT_SALT: Final = "split/22"
"""Chosen so that the plainest shopper, `baseline.first_result`, does about as well in every split: among 400 products chance alone makes
one split much easier than another."""
MOST_CHOICES: Final = 100_000
"""Ways to choose the options of one product; goals are made for each."""
_CAPS: Final = tuple(10.0 * i for i in range(1, 100))
_NO_CAP: Final = 1_000_000.0
_SHUFFLE_SEED: Final = 233
"""Upstream's: its goal number i is the i-th here."""


Price = Callable[[Product], float]
"""Tells what a product costs, in dollars."""


@dataclass(frozen=True, slots=True)
class Goal:
    """One goal: what to buy, and the words that ask for it."""

    goal_id: str
    """The category, `/`, and twelve digits of the hash of what is asked for. It is the same in every catalogue and with every seed, and
    gives no answer away: it stands where agents and their traces are read."""
    asin: str
    category: str
    query: str
    name: str
    product_category: str
    instruction: str
    """What the agent reads."""
    attributes: tuple[str, ...]
    options: tuple[tuple[str, str], ...]
    """Pairs of group and value; the group is empty where a person wrote the goal, since only values are known then."""
    price_upper: float
    """Dollars that it may cost; a million where there is no limit."""
    weight: float
    """How often it is drawn, beside others."""


def draw_price(product: Product, seed: int) -> float:
    """Return what a product costs, in dollars: its price, or one drawn uniformly from its range."""
    if len(product.prices) == 1:
        return product.prices[0]
    return _generator(seed, "price", product.asin).uniform(*product.prices)


def synthetic_goals(products: Iterable[Product], price: Price, seed: int) -> list[Goal]:
    """Return a goal for every way to choose the options of every product that has an instruction, in upstream's order.

    Args:
        products: What is sold.
        price: Tells what a product costs, in dollars.
        seed: Of the caps on the price.

    Raises:
        CatalogueError: The options of a product can be chosen in more than `MOST_CHOICES` ways.
    """
    goals = []
    for product in products:
        if not product.instruction.strip():
            continue
        n_choices = math.prod(map(len, product.options.values()))
        if n_choices > MOST_CHOICES:
            problem = f"its options can be chosen in {n_choices:,} ways, and each is a goal"
            raise CatalogueError(f"product {product.asin!r}", problem, f"leave it with at most {MOST_CHOICES:,}, or take human goals")
        cap, words = _cap(price(product), _generator(seed, "cap", product.asin))
        groups = sorted(product.options)
        for values in itertools.product(*(product.options[group] for group in groups)):
            chosen = tuple(zip(groups, values, strict=True))
            named = ", and ".join(f"{group}: {value}" for group, value in chosen)
            text = f"{product.instruction}{' with ' if named else ''}{named}{words}"
            goals.append(_goal(product, text, product.instruction_attributes, chosen, cap, [*map(list, chosen)]))
    counts = Counter(attribute for goal in goals for attribute in goal.attributes)
    return _shuffled([replace(goal, weight=sum(1.0 / counts[a] for a in goal.attributes) / len(goal.attributes)) for goal in goals])


def human_goals(products: Iterable[Product], path: Path, price: Price, seed: int) -> list[Goal]:
    """Return the goals that people wrote for the products of a catalogue, in upstream's order. Those without an attribute are left out.

    Args:
        products: What is sold.
        path: Upstream's `items_human_ins.json`.
        price: Tells what a product costs, in dollars.
        seed: Of the caps on the price.

    Raises:
        CatalogueError: The file is missing, or an instruction in it is not as it should be.
    """
    written = read_shop_file(path, dict, "an object that maps product ids to lists of instructions")
    goals = []
    for product in products:
        for n, record in enumerate(_instructions(written.get(product.asin, []), f"{path}: {product.asin!r}")):
            if not record["instruction_attributes"]:
                continue
            cap, words = _cap(price(product), _generator(seed, "cap", f"{product.asin}/{n}"))
            text = record["instruction"].strip(".")
            chosen = tuple(("", value) for value in record["instruction_options"])
            goals.append(_goal(product, text + words, tuple(record["instruction_attributes"]), chosen, cap, text))
    return _shuffled(goals)


class GoalSource:
    """The goals of one catalogue, as tasks.

    Args:
        goals: In upstream's order.
        where: How to name their origin in a message.
        final: Returns the source of the final split; None where its goals are among these, or there are none.
    """

    def __init__(self, goals: Sequence[Goal], where: str, final: Callable[[], GoalSource] | None = None) -> None:
        self.goals = _distinct(goals)
        self._final = final
        self._where = where
        self._by_id = {goal.goal_id: goal for goal in self.goals}
        self._tasks: dict[str, list[TaskSpec]] = {}

    def tasks(self, split: str, n: int | None = None) -> list[TaskSpec]:
        """Return the first `n` tasks of a split, all if `n` is `None`. A task's type is the category of its product.

        They are in the order of a draw by weight without repeats, so the first ones are a sample as upstream's resets would give.

        Raises:
            UnknownSplitError: `split` is none of `SPLITS`, nor `FINAL`.
            NoTasksError: No goal is in this split.
            TaskCountError: `n` is no positive whole number, or more than there are.
        """
        if split not in (*SPLIT_BOUNDS, FINAL):
            raise UnknownSplitError(split, SPLIT_BOUNDS)
        if split == FINAL and self._final is not None:
            return self._final().tasks(split, n)
        if split not in self._tasks:
            goals = sorted((goal for goal in self.goals if _split_of_goal(goal) == split), key=_draw_order)
            self._tasks[split] = [TaskSpec(goal.goal_id, goal.category or "other", split) for goal in goals]
        if not self._tasks[split]:
            remedy = "take another split, or a larger catalogue"
            if split == FINAL:
                remedy = "the other splits have all goals of the first 10,000 products; the built-in catalogue has a final split"
            raise NoTasksError(split, self._where, remedy)
        return take_tasks(self._tasks[split], split, n)

    def goal(self, task_id: object) -> Goal:
        """Return the goal of a task.

        Raises:
            UnknownTaskError: There is none of this id.
        """
        goal = self._by_id.get(task_id) if isinstance(task_id, str) else None
        if goal is None:
            raise UnknownTaskError(task_id, self._by_id, self._where)
        return goal


def manifest(goals: Sequence[Goal], products: Sequence[Product], price: Price, is_attainable: Callable[[Goal], bool]) -> dict[str, Any]:
    """Return what fixes a set of goals, as JSON-ready data.

    Args:
        goals: In their order.
        products: The catalogue.
        price: Tells what a product costs, in dollars.
        is_attainable: Tells whether buying what a goal asks for gives the full reward.

    Returns:
        `catalogue` and `goals`: SHA-256 of each; `prices`: dollars by product id; `n_goals`: how many, by split; `unattainable`: ids of
        goals that cannot give the full reward, which are kept because upstream keeps them; `hash`: SHA-256 of all that.
    """
    facts = {
        "catalogue": catalogue_hash(products),
        "prices": {product.asin: price(product) for product in products},
        "goals": _sha256([asdict(goal) for goal in goals]),
        "n_goals": dict(sorted(Counter(split_of(goal.asin) for goal in goals).items())),
        "unattainable": sorted(goal.goal_id for goal in goals if not is_attainable(goal)),
    }
    return {**facts, "hash": _sha256(facts)}


def is_final(task_id: object) -> bool:
    """Tell whether a task is of the final split, by its id."""
    return isinstance(task_id, str) and task_id.startswith(f"{FINAL}/")


def in_final(goals: Iterable[Goal]) -> list[Goal]:
    """Return goals as those of the final split, which their ids say."""
    return [replace(goal, goal_id=f"{FINAL}/{goal.goal_id}") for goal in goals]


def split_of(asin: str) -> str:
    """Return the split that a product's goals are in."""
    place = _unit(_SPLIT_SALT, asin)
    return next(split for split, bound in SPLIT_BOUNDS.items() if place < bound)


def load_prices(path: Path, price_seed: int | None = None) -> dict[str, float]:
    """Load what products cost: a JSON object that maps product ids to dollars, or a manifest, which has one as its `prices`.

    Args:
        path: The file.
        price_seed: The seed of the limits; a manifest made with another one is an error. `None` takes any.

    Raises:
        CatalogueError: The file is missing, is no such object, a price is no number of at least 0, or the manifest is of another seed.
    """
    content = read_shop_file(path, dict, "an object that maps product ids to prices in dollars")
    made_with = content.get("price_seed", price_seed) if isinstance(content.get("prices"), dict) else price_seed
    if price_seed is not None and made_with != price_seed:
        problem = f"is a manifest of price_seed={made_with!r}, and price_seed={price_seed} would set other limits"
        raise CatalogueError(path, problem, f"give price_seed={made_with!r}, or a file of its prices alone")
    prices = content["prices"] if isinstance(content.get("prices"), dict) else content
    for asin, price in prices.items():
        if isinstance(price, bool) or (dollars := finite(price)) is None or dollars < 0:
            raise CatalogueError(path, f"the price of {short(asin)} is {short(price)}", "give dollars, a number of at least 0")
    return {asin: float(price) for asin, price in prices.items()}


def _split_of_goal(goal: Goal) -> str:
    return FINAL if is_final(goal.goal_id) else split_of(goal.asin)


def _goal(
    product: Product, text: str, attributes: tuple[str, ...], options: tuple[tuple[str, str], ...], cap: float, asked_for: object
) -> Goal:
    return Goal(
        goal_id=f"{product.category or 'other'}/{_sha256([product.asin, asked_for])[:12]}",
        asin=product.asin,
        category=product.category,
        query=product.query,
        name=product.name,
        product_category=product.product_category,
        instruction=text,
        attributes=attributes,
        options=options,
        price_upper=cap,
        weight=1.0,
    )


def _cap(price: float, draw: random.Random) -> tuple[float, str]:
    """Draw the most that a product may cost, and the words for it."""
    above = [cap for cap in _CAPS if cap > price][:4]
    if len(above) < 2:
        return _NO_CAP, ""
    cap = max(draw.sample(above, 2))
    return cap, f", and price lower than {cap:.2f} dollars"


def _instructions(records: object, where: str) -> Iterator[Mapping[str, Any]]:
    """Yield a product's instructions, each checked, with its texts cleaned."""
    kinds = {"instruction": str, "instruction_attributes": list, "instruction_options": list}
    for record in records if isinstance(records, list) else [records]:
        fields = record if isinstance(record, dict) else {}
        cleaned: dict[str, Any] = {}
        for name, kind in kinds.items():
            value = fields.get(name)
            if not isinstance(value, kind) or not all(isinstance(item, str) for item in value):
                wanted = "a text" if kind is str else "a list of texts"
                raise CatalogueError(where, f"an instruction's {name!r} is {short(value)}", f"give {wanted}")
            cleaned[name] = clean(value) if isinstance(value, str) else [clean(item) for item in value]
        yield cleaned


def _shuffled(goals: list[Goal]) -> list[Goal]:
    random.Random(_SHUFFLE_SEED).shuffle(goals)
    return goals


def _distinct(goals: Iterable[Goal]) -> list[Goal]:
    """Give goals that ask for the same, as where a product lists an option twice, ids of their own: `.2`, `.3` and so on."""
    seen: Counter[str] = Counter()
    distinct = []
    for goal in goals:
        seen[goal.goal_id] += 1
        nth = seen[goal.goal_id]
        distinct.append(goal if nth == 1 else replace(goal, goal_id=f"{goal.goal_id}.{nth}"))
    return distinct


def _draw_order(goal: Goal) -> float:
    """Return the key that sorts goals as a draw by weight would (Efraimidis and Spirakis 2006), with chance taken from the id."""
    return -math.log(1.0 - _unit("order", goal.goal_id)) / goal.weight


def _generator(seed: int, purpose: str, name: str) -> random.Random:
    return random.Random(ascii(f"{seed}/{purpose}/{name}"))


def _unit(purpose: str, name: str) -> float:
    """Return a number in [0, 1) that a name stands for."""
    return int.from_bytes(hashlib.sha256(f"{purpose}/{name}".encode(errors="surrogatepass")).digest()[:6], "big") / 2**48


def _sha256(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=True).encode()).hexdigest()
