"""A page of MiniWoB++ in a tab of a real browser: opened, begun from a seed, acted on by mouse and keyboard, and read."""

from __future__ import annotations

import re
import threading
from contextlib import ExitStack
from importlib import resources
from typing import Any, Final

from homebody.envs.browser import PATIENCE, Patience, open_browser
from homebody.envs.core import EnvError
from homebody.envs.miniwob.reading import Element
from homebody.envs.miniwob.suite import pages_dir
from homebody.envs.text import parse_json

SIZE: Final = (400, 420)
"""Width and height of the tab, in pixels."""
_SCALE: Final = 2
"""Pixels of a screenshot for each pixel of the page."""
_MOST_PRESSES: Final = 400
_TIDIED: Final = 32
"""Pages after which a browser is made to give back the memory of those that it has left."""


class BrowserDiedError(EnvError):
    """The browser was killed, has crashed, or is closed."""

    def __init__(self, doing: str, error: object) -> None:
        said = str(error).strip().splitlines()
        why = said[0] if said else type(error).__name__
        super().__init__(f"the browser was lost: it could not {doing}: {why}; the next reset opens another")


class BrowserThreadError(EnvError):
    """A browser was used in another thread than the one that opened it."""

    def __init__(self, doing: str, owner: str) -> None:
        super().__init__(
            f"the browser could not {doing} in thread {threading.current_thread().name!r}: it belongs to {owner!r}, which opened it; "
            "use the environment there alone, or make one for each thread"
        )


class Tab:
    """One tab, reused from task to task.

    Args:
        headless: Whether no window is shown.
        chromium: Path of the browser; None finds the system's.

    Raises:
        BrowserError: playwright or the browser is missing.
        MiniWobPackageError: The pages are not installed.
    """

    def __init__(self, *, headless: bool = True, chromium: str | None = None) -> None:
        self._folder = pages_dir()
        self._read = _script("read.js")
        self._open = ExitStack()
        self._owner = threading.current_thread()
        browser = self._open.enter_context(open_browser(headless=headless, executable=chromium))
        self._patience = Patience(browser, PATIENCE)
        self._open.callback(self._patience.end)
        self._page: Any = browser.new_page(viewport={"width": SIZE[0], "height": SIZE[1]}, device_scale_factor=_SCALE)
        self._page.add_init_script(_script("clock.js"))
        self._page.on("dialog", lambda dialog: dialog.dismiss())
        # Nothing but the package's own files: a page that wants the net is not the same everywhere.
        self._page.context.set_offline(True)
        self._shown, self._n_opened = "", 0

    def begin(self, page: str, seed: str, mode: str) -> dict[str, Any]:
        """Start a task and return what is on the page; see assets/miniwob/read.js.

        Raises:
            BrowserDiedError: The browser is gone.
        """
        if page != self._shown:
            # A browser that is never idle puts this off: its memory once doubled in 500 episodes (docs/benchmarks.md).
            if self._n_opened % _TIDIED == _TIDIED - 1:
                self._call("tidy up", self._page.request_gc)
            self._n_opened += 1
            self._call("open a page", lambda: self._page.goto((self._folder / f"{page}.html").as_uri(), wait_until="load"))
            self._call("open a page", lambda: self._page.evaluate(self._read))
            self._call("open a page", lambda: self._page.evaluate("() => __prepare()"))
            self._shown = page
        # Where the mouse was left is part of a page's state. A browser holds a bare move back until it draws; a click in the empty corner
        # takes the move along at once, and what it does to the page is undone by the beginning.
        self._call("move the mouse", lambda: self._page.mouse.click(SIZE[0] - 1, SIZE[1] - 1))
        return self._told("begin a task", "async ([seed, mode]) => JSON.stringify(await __begin(seed, mode))", [seed, mode])

    def read(self) -> dict[str, Any]:
        """Let a second of the page's own time pass, and return what is on it.

        Raises:
            BrowserDiedError: The browser is gone.
        """
        return self._told("read the page", "async () => JSON.stringify(await __after())")

    def click(self, element: Element) -> None:
        """Click in the middle of an element; nothing happens where it has left the page."""
        where = self._where(element)
        if where:
            self._call("click", lambda: self._page.mouse.click(*where))

    def fill(self, element: Element, text: str) -> None:
        """Click into a field and type a text in the place of what stands in it.

        A date or a time is typed as its field takes it, month first; `2016-10-31` is turned round.
        """
        if {"date", "time"} & set(element.states):
            text = re.sub(r"[^0-9apmAPM]", "", re.sub(r"^(\d{4})-(\d\d?)-(\d\d?)$", r"\2/\3/\1", text.strip()))
        self.click(element)
        if element.value:
            self.press("Control+A")
            self.press("Delete")
        self.type(text)

    def type(self, text: str) -> None:
        """Type a text, key by key, where the focus is."""
        self._call("type", lambda: self._page.keyboard.type(text))

    def press(self, key: str) -> None:
        """Press a key."""
        self._call("press a key", lambda: self._page.keyboard.press(key))

    def select(self, element: Element, number: int) -> None:
        """Choose an option of a list; in one that allows several, choose it besides the others or give it up."""
        code = """([n, option]) => {
          const at = __kept[n];
          if (!at) return;
          if (at.multiple) at.options[option].selected = !at.options[option].selected; else at.selectedIndex = option;
          at.dispatchEvent(new Event("input", {bubbles: true}));
          at.dispatchEvent(new Event("change", {bubbles: true}));
        }"""
        self._call("select", lambda: self._page.evaluate(code, [element.number, number]))

    def slide(self, element: Element, value: int) -> None:
        """Move a slider to a value, as near as it goes, by arrow keys."""
        self._call("move a slider", lambda: self._page.evaluate("(n) => { const at = __kept[n]; if (at) at.focus(); }", element.number))
        now = element.value
        for _ in range(_MOST_PRESSES):
            at = _number(now)
            if at is None or at == value:
                return
            self.press("ArrowRight" if at < value else "ArrowLeft")
            moved = self._call("move a slider", lambda: self._page.evaluate("(n) => __value(n)", element.number))
            if moved == now or (at < value) != ((_number(moved) or 0) <= value):
                return
            now = moved

    def scroll(self, element: Element, *, down: bool) -> None:
        """Scroll an element to its end or its beginning.

        A wheel's turns take effect some time later, and no replay would repeat them.
        """
        self._call("scroll", lambda: self._page.evaluate("(given) => __scroll(given)", [element.number, down]))

    def hover(self, element: Element) -> None:
        """Move the mouse over an element."""
        where = self._where(element)
        if where:
            self._call("move the mouse", lambda: self._page.mouse.move(*where))

    def copy(self, element: Element) -> None:
        """Mark all that stands in a field and copy it."""
        self.click(element)
        self.press("Control+A")
        self.press("Control+C")

    def paste(self, element: Element) -> None:
        """Put what was copied in the place of what stands in a field."""
        self.click(element)
        self.press("Control+A")
        self.press("Control+V")

    def drag(self, element: Element, to: Element) -> None:
        """Drag an element onto another one."""
        begin, end = self._where(element), self._where(to)
        if begin and end:
            self._drag(begin, end)

    def highlight(self, text: str) -> None:
        """Mark the first place where a text stands, by dragging the mouse over it."""
        found = self._call("mark a text", lambda: self._page.evaluate("(text) => __stands(text)", text))
        if found:
            self._drag((found["x"], found["y"]), (found["toX"], found["toY"]))

    def picture(self) -> bytes:
        """Return a screenshot of what the task fills, as PNG."""
        extent = self._call("draw the page", lambda: self._page.evaluate("() => __extent()"))
        png: bytes = self._call("draw the page", lambda: self._page.screenshot(clip=extent))
        return png

    def close(self) -> None:
        """Close the browser; to close it again does nothing.

        Raises:
            BrowserDiedError: It is gone.
            BrowserThreadError: It was opened in another thread.
        """
        self._call("close", self._open.close)

    def _drag(self, begin: tuple[float, float], end: tuple[float, float]) -> None:
        mouse = self._page.mouse
        self._call("drag", lambda: mouse.move(*begin))
        self._call("drag", mouse.down)
        self._call("drag", lambda: mouse.move(*end, steps=6))
        self._call("drag", mouse.up)

    def _where(self, element: Element) -> tuple[float, float] | None:
        if element.place is not None:
            return element.place
        found = self._call("find something on the page", lambda: self._page.evaluate("(n) => __where(n)", element.number))
        return (found["x"], found["y"]) if found else None

    def _told(self, doing: str, code: str, *given: Any) -> dict[str, Any]:
        """Return what a function of the page tells, as a JSON text: playwright takes twice as long over an object of a page's size."""
        found: dict[str, Any] = parse_json(self._call(doing, lambda: self._page.evaluate(code, *given)), "a page")
        return found

    def _call(self, doing: str, call: Any) -> Any:
        if threading.current_thread() is not self._owner:
            raise BrowserThreadError(doing, self._owner.name)
        try:
            with self._patience.waiting():
                return call()
        except Exception as error:  # playwright's own errors, which are not imported here
            raise BrowserDiedError(doing, error) from None


def _script(name: str) -> str:
    return (resources.files("homebody.assets") / "miniwob" / name).read_text("utf-8")


def _number(text: str | None) -> int | None:
    try:
        return int(float(text or ""))
    except ValueError:
        return None
