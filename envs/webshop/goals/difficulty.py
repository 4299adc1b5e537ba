"""How hard a shop is to buy in: what searching for the whole instruction finds, and how far the plainest shopper gets."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from homebody.envs.webshop.goals.baseline import first_result
from homebody.envs.webshop.goals.shop import GoalShop
from homebody.envs.webshop.pages.pages import Page, search_command

_MOST_STEPS = 20


@dataclass(frozen=True)
class Difficulty:
    """Shares of goals, each in [0, 1]."""

    goals: int
    """How many were looked at."""
    attainable: float
    """The goal's own product can be bought with a reward of 1."""
    first: float
    """The goal's product is the first that a search for the whole instruction finds."""
    top_10: float
    top_50: float
    first_result: float
    """Success (reward 1) of buying the first result with the options that occur in the instruction."""
    first_result_strict: float
    """The same, bought being the goal's own product with the very options."""
    first_result_reward: float
    """Mean reward of it."""

    def to_json(self) -> dict[str, float]:
        """Return the fields as a JSON object."""
        return asdict(self)


def difficulty(goal_shop: GoalShop, split: str, n: int | None = None) -> Difficulty:
    """Measure a shop on the first goals of a split.

    Args:
        goal_shop: The shop.
        split: Of `homebody.envs.SPLITS`.
        n: How many goals; all, if None.

    Raises:
        EnvError: There is no such split, or it has not so many.
    """
    goals = [goal_shop.source.goal(task.task_id) for task in goal_shop.source.tasks(split, n)]
    ranks, ratings = [], []
    for goal in goals:
        page = goal_shop.shop.follow(goal_shop.shop.home(), search_command(goal.instruction))
        ranks.append(next((rank for rank, asin in enumerate(page.found) if asin == goal.asin), len(page.found) + 50))
        receipt = _buy(goal_shop, goal.instruction)
        ratings.append({} if receipt is None or receipt.product is None else goal_shop.rate(goal, receipt.product, receipt.options))
    count = len(goals)
    return Difficulty(
        goals=count,
        attainable=sum(map(goal_shop.is_attainable, goals)) / count,
        first=sum(rank == 0 for rank in ranks) / count,
        top_10=sum(rank < 10 for rank in ranks) / count,
        top_50=sum(rank < 50 for rank in ranks) / count,
        first_result=sum(rating.get("reward") == 1 for rating in ratings) / count,
        first_result_strict=sum(rating.get("success_strict", False) for rating in ratings) / count,
        first_result_reward=sum(rating.get("reward", 0.0) for rating in ratings) / count,
    )


def _buy(goal_shop: GoalShop, instruction: str) -> Page | None:
    """Return the page after the purchase of the first result; None if nothing was bought."""
    page = goal_shop.shop.home()
    for _ in range(_MOST_STEPS):
        page = goal_shop.shop.follow(page, first_result(page, instruction))
        if page.kind == "done":
            return page
    return None
