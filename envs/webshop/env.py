"""The shop as a Gymnasium environment: one episode of shopping in text."""

from __future__ import annotations

import os
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Final

import gymnasium
import numpy as np
from numpy.typing import NDArray

from homebody.envs.core import (
    RENDER_MODES,
    NotResetError,
    RenderModeError,
    SnapshotError,
    UnknownParameterError,
    check_options,
)
from homebody.envs.space import AnyText
from homebody.envs.webshop.goals import baseline, expert
from homebody.envs.webshop.goals.goals import GoalSource
from homebody.envs.webshop.goals.shop import ShopConfig, ShopParameterError, open_stock
from homebody.envs.webshop.pages import render
from homebody.envs.webshop.pages.pages import Page, Shop
from homebody.envs.webshop.pages.snapshot import Place, Snapshot

if TYPE_CHECKING:
    from homebody.envs.webshop.picture.viewer import Viewer

OBSERVATIONS: Final = ("text", "text_rich", "html", "url")
"""What an observation can be; see `render`."""
MAX_OBSERVATION: Final = 2**20
"""Characters; descriptions of products have no limit of their own, and longer pages are cut."""
MAX_COMMAND: Final = 1024
"""Characters of the action space's samples; `step` takes any text."""
_SHOP_PARAMETERS: Final = tuple(field.name for field in fields(ShopConfig))
_OWN_PARAMETERS: Final = ("observation", "max_steps", "split", "show_score", "render_mode", "render_size")


class WebShopEnv(gymnasium.Env[str, str]):
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
    metadata: dict[str, Any] = {"render_modes": list(RENDER_MODES), "render_fps": 2}  # noqa: RUF012  # declared so by Gymnasium

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
            **shop: The other fields of `stock.ShopConfig`: `goals`, `catalogue_size`, `prices`, `price_seed` and so on.

        Raises:
            ShopParameterError: A parameter is not possible.
            UnknownParameterError: There is no such parameter.
            CatalogueError: A file cannot be used.
            TaggerError: There is no such tagger.
            RenderModeError: There is no such render mode.
            CanvasSizeError: There can be no picture of this size.
            PygameMissingError: Pictures are asked for and pygame is not installed.
        """
        if isinstance(max_steps, bool) or not isinstance(max_steps, int) or max_steps < 1:
            raise ShopParameterError("max_steps", max_steps, "a whole number of at least 1 (WebShop's publications use 15 to 100)")
        if observation not in OBSERVATIONS:
            raise ShopParameterError("observation", observation, f"one of: {', '.join(OBSERVATIONS)}")
        self.observation_space = AnyText(MAX_OBSERVATION)
        self.action_space = AnyText(MAX_COMMAND)
        self.max_steps = max_steps
        unknown = next((name for name in shop if name not in _SHOP_PARAMETERS), None)
        if unknown is not None:
            raise UnknownParameterError(unknown, (*_SHOP_PARAMETERS, *_OWN_PARAMETERS))
        self.stock = open_stock(ShopConfig(data_dir, **shop))
        self._observation = observation
        self._split = split
        self._show_score = show_score
        self._page: Page | None = None
        self.render_mode = render_mode
        self._render_size = render_size
        self._viewer = _make_viewer(render_mode, render_size)

    @classmethod
    def task_source(cls, data_dir: str | os.PathLike[str] | None = None, **kwargs: Any) -> GoalSource:
        """Return the goals as tasks, for the parameters that an environment would be made with."""
        return open_stock(ShopConfig(data_dir, **{name: value for name, value in kwargs.items() if name in _SHOP_PARAMETERS})).source

    @property
    def about(self) -> str:
        """What is played, for tables: which goals, how many products, who tells the nouns of titles."""
        return self.stock.about

    @property
    def shop(self) -> Shop:
        """The catalogue, the search engine and the pages."""
        return self.stock.shop

    @property
    def page(self) -> Page:
        """Where the visitor is."""
        if self._page is None:
            raise NotResetError("the page")
        return self._page

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        """Start a task: the one of `options["task"]`, or one drawn from the split by the seeded generator.

        Raises:
            OptionsError: `options` is no mapping.
            ResetOptionError: `options` has another key than `task`.
            EnvError: There is no such task, or the split has none.
        """
        super().reset(seed=seed)
        chosen = check_options(options)
        source = self.stock.source
        if "task" in chosen:
            task_id = chosen["task"]
        else:
            tasks = source.tasks(self._split)
            task_id = tasks[int(self.np_random.integers(len(tasks)))].task_id
        self._goal = source.goal(task_id)
        self._page = self.shop.home()
        self._n_steps = 0
        self._visited: set[str] = set()
        self._bought: dict[str, Any] = {}
        self._show("")
        return self._observe(), self._info()

    def step(self, action: object) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Give a command. Never raises on what the command is.

        Raises:
            NotResetError: The environment was never reset.
        """
        page = self.page
        there = self.stock.shop.follow(page, action)
        self._n_steps += 1
        buys = False
        if there is not page:
            self._page = there
            buys = there.kind == "done"
            if there.kind == "home":
                self._visited = set()
            elif there.product is not None:
                self._visited.add(there.product.asin)
                if buys:
                    self._bought = self.stock.rate(self._goal, there.product, there.options)
        if self._viewer is not None:
            self._show(action if isinstance(action, str) else repr(action))
        reward = float(self._bought["reward"]) if buys else 0.0
        return self._observe(), reward, buys, self._n_steps >= self.max_steps, self._info()

    def expert(self) -> list[str]:
        """Return a shortest list of commands that buys what the goal asks for; empty after a purchase. It knows the product.

        Raises:
            NotResetError: The environment was never reset.
            NoWayError: The product cannot be found.
        """
        return expert.plan(self.shop, self.page, self._goal, self.stock.rater(self._goal))

    def scripted_policy(self) -> list[str]:
        """Return the next command, in a list, of the plainest shopper that sees only what an agent sees: it takes the first result.

        Raises:
            NotResetError: The environment was never reset.
        """
        return [baseline.first_result(self.page, self._goal.instruction)]

    def render(self) -> NDArray[np.uint8] | None:
        """Return the picture of the page: shape (height, width, 3), red, green, blue; `None` where a window shows it.

        Raises:
            NotResetError: The environment was never reset.
            RenderModeError: It was made without a render mode.
        """
        if self._viewer is None:
            raise RenderModeError(self.render_mode)
        return self._viewer.frame() if self.page else None

    def close(self) -> None:
        """Close the window, if there is one."""
        if self._viewer is not None:
            self._viewer.close()

    def snapshot(self) -> Snapshot:
        """Return where everything stands now.

        Raises:
            NotResetError: The environment was never reset.
        """
        generator = self.np_random.bit_generator.state
        place = Place.of(self.page)
        return Snapshot(self._goal.goal_id, place, frozenset(self._visited), dict(self._bought), self._n_steps, generator)

    def restore(self, snapshot: Snapshot) -> dict[str, Any]:
        """Go back to a snapshot, and return its `info`: from then on everything goes as it went, or would have gone, after it.

        What `gymnasium.make` returns wants a reset before its first step all the same.

        Raises:
            SnapshotError: It is none, or its product is not in this shop.
            UnknownTaskError: Its task is not in this shop.
        """
        if not isinstance(snapshot, Snapshot):
            raise SnapshotError(f"it is {type(snapshot).__name__}, not Snapshot", "catalogue")
        goal, page = self.stock.source.goal(snapshot.task_id), snapshot.place.page(self.shop)
        self.np_random.bit_generator.state = snapshot.generator
        self._goal, self._page, self._n_steps = goal, page, snapshot.n_steps
        self._visited, self._bought = set(snapshot.visited), dict(snapshot.rating)
        self._show("")
        return self._info()

    def __getstate__(self) -> dict[str, Any]:
        """Return what a pickle holds: parameters and a snapshot, but no shop."""
        left_out = ("stock", "_viewer", "_page", "_goal", "_visited", "_bought", "_n_steps")
        kept = {key: value for key, value in vars(self).items() if key not in left_out}
        return {**kept, "config": self.stock.config, "snapshot": None if self._page is None else self.snapshot()}

    def __setstate__(self, kept: dict[str, Any]) -> None:
        config, snapshot = kept.pop("config"), kept.pop("snapshot")
        vars(self).update(kept, stock=open_stock(config), _page=None)
        self._viewer = _make_viewer(self.render_mode, self._render_size)
        if snapshot is not None:
            self.restore(snapshot)

    def _show(self, said: str) -> None:
        if self._viewer is not None:
            self._viewer.show(self.page, self._goal.instruction, said)

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
        return shown[:MAX_OBSERVATION]

    def _info(self) -> dict[str, Any]:
        info: dict[str, Any] = {
            "goal": self._goal.instruction,
            "admissible_commands": list(self.page.commands),
            "won": False,
            "success_strict": False,
            "task_id": self._goal.goal_id,
        }
        if self._bought:
            info["won"] = self._bought["reward"] == 1.0
            info["success_strict"] = bool(self._bought["success_strict"])
            info["reward_parts"] = dict(self._bought)
        return info


def _make_viewer(mode: str | None, size: tuple[int, int]) -> Viewer | None:
    if mode is None:
        return None
    # Imported where pictures are wanted: play without them starts faster.
    from homebody.envs.webshop.picture.viewer import Viewer

    return Viewer(mode, size)
