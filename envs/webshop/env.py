"""The shop as a Gymnasium environment: one episode of shopping in text."""

from __future__ import annotations

import os
from dataclasses import fields
from typing import Any, Final

from homebody.envs.core import NotResetError, SnapshotError, UnknownParameterError
from homebody.envs.text_env import TextTaskEnv
from homebody.envs.webshop.goals import baseline, expert
from homebody.envs.webshop.goals.goals import GoalSource
from homebody.envs.webshop.goals.shop import ShopConfig, ShopParameterError, open_shop
from homebody.envs.webshop.pages import render
from homebody.envs.webshop.pages.pages import Page, PageView, Shop
from homebody.envs.webshop.pages.snapshot import Place, VisitState

OBSERVATIONS: Final = ("text", "text_rich", "html", "url")
"""What an observation can be; see `render`."""
_SHOP_PARAMETERS: Final = tuple(field.name for field in fields(ShopConfig))
_OWN_PARAMETERS: Final = ("observation", "max_steps", "split", "show_score", "render_mode", "render_size")


class WebShopEnv(TextTaskEnv):
    """Buy what an instruction asks for, in a shop of pages: search, open products, choose options, buy.

    Observation:
        `Text`: the page, as `observation` says. Results list ten products a page; an item's page says its price and options, its sub pages
        the rest.
    Action:
        `Text`: `search[words]` or `click[text on the page]`, in any case of letters. A search is accepted on every page, though only
        offered on the first. Anything else is answered by the same page, and costs a step.
    Reward:
        0.0 until something is bought; then 0.0 to 1.0: how far product, options and price are what was asked for.
    Episode end:
        `terminated` by a purchase; `truncated` from step `max_steps` on. The environment itself goes on after either.
    Info:
        `goal` (the instruction), `admissible_commands` (sorted; on the first page `search[{text}]`), `won` (the last purchase had the
        reward 1.0), `success_strict` (it was the very product with the very options), `task_id`; after a purchase also `reward_parts`.
    Reset:
        `reset(options={"task": ID})` plays that task; without options the environment's own seeded generator draws one from `split`.
    Rendering:
        `render_mode="human"` shows each page in a window; `"rgb_array"` draws the page when `render` is called.
    Snapshots:
        `snapshot` and `restore` go back to any point, in this or another environment with the same catalogue; a pickle resumes where it
        was, and opens the shop from the same parameters where it is read.
    """

    online_label = "first result: searches for the whole instruction, buys the product that comes first with the options named"
    """What `scripted_policy` is, for tables."""
    metadata: dict[str, Any] = {**TextTaskEnv.metadata, "render_fps": 2}  # noqa: RUF012  # declared so by Gymnasium
    snapshots_share = "catalogue"
    unpickled = ("goal_shop", "_there", "_page", "_goal", "_visited", "_bought")
    max_observation = 2**20
    """Descriptions of products have no limit of their own."""

    def __init__(
        self,
        data_dir: str | os.PathLike[str] | None = None,
        *,
        observation: str = "text",
        max_steps: int = 20,
        split: str = "train",
        show_score: bool = False,
        render_mode: str | None = None,
        render_size: tuple[int, int] = (960, 720),
        **shop: Any,
    ) -> None:
        """Open the shop.

        Args:
            data_dir: A folder with upstream's files; `None` makes a synthetic catalogue.
            observation: One of `OBSERVATIONS`.
            max_steps: Steps after which `truncated` is set; at least 1. The publication of self-evolving harnesses used 20.
            split: Where a reset without options draws its task.
            show_score: Whether the page after the purchase says the reward, as upstream's does.
            render_mode: `human` for a window, `rgb_array` for pictures from `render`; `None` is for play without either.
            render_size: Width and height of the pictures, in pixels.
            **shop: The other fields of `goal_shop.ShopConfig`: `goals`, `catalogue_size`, `prices`, `price_seed` and so on.

        Raises:
            ShopParameterError: A parameter is not possible.
            UnknownParameterError: There is no such parameter.
            CatalogueError: A file cannot be used.
            TaggerError: There is no such tagger.
            RenderModeError: There is no such render mode.
            CanvasSizeError: There can be no picture of this size.
            PygameMissingError: Pictures are asked for and pygame is not installed.
        """
        if observation not in OBSERVATIONS:
            raise ShopParameterError("observation", observation, f"one of: {', '.join(OBSERVATIONS)}")
        unknown = next((name for name in shop if name not in _SHOP_PARAMETERS), None)
        if unknown is not None:
            raise UnknownParameterError(unknown, (*_SHOP_PARAMETERS, *_OWN_PARAMETERS))
        super().__init__(max_steps=max_steps, split=split, render_mode=render_mode, render_size=render_size)
        self._config = ShopConfig(data_dir, **shop)
        self.goal_shop = open_shop(self._config)
        self._there = self.goal_shop
        self._observation = observation
        self._show_score = show_score
        self._page: Page | None = None

    @property
    def source(self) -> GoalSource:
        """Where tasks are listed."""
        return self.goal_shop.source

    @classmethod
    def task_source(cls, data_dir: str | os.PathLike[str] | None = None, **kwargs: Any) -> GoalSource:
        """Return the goals as tasks, for the parameters that an environment would be made with."""
        return open_shop(ShopConfig(data_dir, **{name: value for name, value in kwargs.items() if name in _SHOP_PARAMETERS})).source

    @property
    def about(self) -> str:
        """What is played, for tables: which goals, how many products, who tells the nouns of titles."""
        return self._there.about

    @property
    def shop(self) -> Shop:
        """The catalogue, the search engine and the pages."""
        return self._there.shop

    @property
    def page(self) -> Page:
        """Where the visitor is."""
        if self._page is None:
            raise NotResetError("the page")
        return self._page

    def _begin(self, task_id: str) -> str:
        there = self.goal_shop.of_task(task_id)
        self._goal, self._there = there.source.goal(task_id), there
        self._page = self.shop.home()
        self._visited: set[str] = set()
        self._bought: dict[str, Any] = {}
        return self._observe()

    def _act(self, action: object) -> tuple[str, float, bool]:
        page = self.page
        there = self.shop.follow(page, action)
        buys = False
        if there is not page:
            self._page = there
            buys = there.kind == "done"
            if there.kind == "home":
                self._visited = set()
            elif there.product is not None:
                self._visited.add(there.product.asin)
                if buys:
                    self._bought = self._there.rate(self._goal, there.product, there.options)
        return self._observe(), float(self._bought["reward"]) if buys else 0.0, buys

    def view(self) -> PageView:
        """Return the page and the instruction."""
        return PageView(self.page, self._goal.instruction)

    def picture_class(self) -> type[Any]:
        """Return the class of its pictures."""
        from homebody.envs.webshop.picture.picture import ShopPicture

        return ShopPicture

    def expert(self) -> list[str]:
        """Return a shortest list of commands that buys what the goal asks for; empty after a purchase. It knows the product.

        Raises:
            NotResetError: The environment was never reset.
            NoWayError: The product cannot be found.
        """
        return expert.plan(self.shop, self.page, self._goal, self._there.rater(self._goal))

    def scripted_policy(self) -> list[str]:
        """Return the next command, in a list, of the plainest shopper that sees only what an agent sees: it takes the first result.

        Raises:
            NotResetError: The environment was never reset.
        """
        return [baseline.first_result(self.page, self._goal.instruction)]

    def _keep(self) -> VisitState:
        return VisitState(Place.of(self.page), frozenset(self._visited), dict(self._bought))

    def _go_back(self, task_id: str, kept: VisitState) -> None:
        if not isinstance(kept, VisitState):
            raise SnapshotError(f"it is not of a visit but {type(kept).__name__}", self.snapshots_share)
        there = self.goal_shop.of_task(task_id)
        self._goal, self._page, self._there = there.source.goal(task_id), kept.place.page(there.shop), there
        self._visited, self._bought = set(kept.visited), dict(kept.rating)

    def _revive(self) -> None:
        self.goal_shop, self._page = open_shop(self._config), None
        self._there = self.goal_shop

    def _observe(self) -> str:
        page = self.page
        filling = self._goal.instruction
        if page.kind == "done":
            filling = str(float(self._bought["reward"])) if self._show_score else render.HIDDEN_SCORE
        if self._observation == "text":
            shown = render.text(page, filling)
        elif self._observation == "text_rich":
            shown = render.rich(page, filling, self._visited, self._goal.goal_id)
        elif self._observation == "html":
            shown = render.html(page, filling)
        else:
            shown = render.url(page, self._goal.goal_id)
        return shown[: self.max_observation]

    def _info(self) -> dict[str, Any]:
        info: dict[str, Any] = {
            "goal": self._goal.instruction,
            "admissible_commands": list(self.page.commands),
            "won": False,
            "success_strict": False,
            "task_id": self._task_id,
        }
        if self._bought:
            info["won"] = self._bought["reward"] == 1.0
            info["success_strict"] = bool(self._bought["success_strict"])
            info["reward_parts"] = dict(self._bought)
        return info
