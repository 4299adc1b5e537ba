"""The shop played in a real browser: the website in Chromium, by mouse and keyboard, under the interface of the text environment.

What is observed is read from the page that the browser shows, and every action is done there.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from homebody.envs.browser import open_browser
from homebody.envs.webshop.env import WebShopEnv
from homebody.envs.webshop.goals.shop import ShopParameterError
from homebody.envs.webshop.pages.pages import SEPARATOR, parse
from homebody.envs.webshop.pages.snapshot import VisitState
from homebody.envs.webshop.site.site import Site, serving
from homebody.envs.webshop.site.url import address

_READ: Final = """() => ({
  texts: [...document.querySelectorAll("[data-n]")].sort((a, b) => a.dataset.n - b.dataset.n).map((at) => at.textContent),
  actions: [...document.querySelectorAll("[data-action]")].map((at) => at.dataset.action),
})"""

_FIND: Final = "(action) => [...document.querySelectorAll('[data-action]')].findLast((at) => at.dataset.action === action) ?? null"


class BrowserShop(WebShopEnv):
    """`WebShopEnv` with a browser in between; the same tasks, observations, rewards and endings.

    A click is a click of the mouse in the middle of the thing; a search is typed and sent by Enter. A search where the page has no field
    for it, which the text environment accepts too, goes by the address. Slow, so this is for checks and for watching.

    Args:
        headless: Whether no window is shown.
        **parameters: As for `WebShopEnv`; the observation is `text`.

    Raises:
        BrowserError: playwright or Chromium is missing.
        ShopParameterError: A parameter is not possible.
    """

    def __init__(self, *, headless: bool = True, **parameters: Any) -> None:
        super().__init__(**parameters)
        if self._observation != "text":
            raise ShopParameterError("observation", self._observation, "'text', which is what is read from a page in a browser")
        first = self.goal_shop.source.tasks(self._split, 1)[0].task_id
        self._site = Site(self.goal_shop, [first], show_score=self._show_score)
        self._open = ExitStack()
        self._browser: Any = self._open.enter_context(open_browser(headless=headless))
        self._tab: Any = self._browser.new_page()
        self._where = self._open.enter_context(serving(self._site))
        self._path = ""
        self._read: dict[str, list[str]] = {"texts": [], "actions": []}

    def _begin(self, task_id: str) -> str:
        """Start a task on a visit of its own."""
        super()._begin(task_id)
        self._site.goal_shop = self._there
        self._path = self._site.enter(self._goal)
        self._tab.goto(self._where + self._path, wait_until="domcontentloaded")
        self._read = self._tab.evaluate(_READ)
        return self._observe()

    def _act(self, action: object) -> tuple[str, float, bool]:
        """Do something on the page, and read what it shows then."""
        before = self.page
        name, argument = parse(action)
        if name == "search":
            self._search(argument)
        elif name == "click":
            self._click(f"click[{argument}]")
        self._read = self._tab.evaluate(_READ)
        path = self._tab.url.removeprefix(self._where)
        there, visit = self._site.page(urlsplit(path)._replace(fragment="").geturl()), self._site.visit(self._path)
        buys = False
        if there is not None and visit is not None and there is not before:
            self._page = there
            buys = there.kind == "done"
            self._bought = visit.rating if buys else self._bought
        return self._observe(), float(self._bought["reward"]) if buys else 0.0, buys

    def _go_back(self, task_id: str, kept: VisitState) -> None:
        """Go back to a page, on a visit of its own."""
        super()._go_back(task_id, kept)
        self._site.goal_shop = self._there
        self._path = self._site.enter(self._goal)
        visit = self._site.visit(self._path)
        if visit is not None and self.page.kind == "done":
            visit.receipt, visit.rating = self.page, self._bought
        self._tab.goto(f"{self._where}{self._path}{address(self.page)}", wait_until="domcontentloaded")
        self._read = self._tab.evaluate(_READ)

    def close(self) -> None:
        """Close the browser, the website and the window; to close them again does nothing."""
        super().close()
        self._open.close()

    def _search(self, text: str) -> None:
        field = self._tab.query_selector("[data-action=search]")
        with self._tab.expect_navigation(wait_until="domcontentloaded"):
            if field is None:
                self._tab.goto(f"{self._where}{self._path}search?{urlencode({'q': text, 'page': 1})}", wait_until="domcontentloaded")
            else:
                field.fill(text)
                field.press("Enter")

    def _click(self, action: str) -> None:
        """Click what carries an action, if anything does."""
        found = self._tab.evaluate_handle(_FIND, action).as_element()
        if found is not None:
            with self._tab.expect_navigation(wait_until="domcontentloaded"):
                found.click()

    def _observe(self) -> str:
        return SEPARATOR.join(text.strip() for text in self._read["texts"])

    def _info(self) -> dict[str, Any]:
        commands = {action for action in self._read["actions"] if parse(action) == ("click", action[6:-1])}
        if "search" in self._read["actions"]:
            commands.add("search[{text}]")
        return {**super()._info(), "admissible_commands": sorted(commands)}
