"""MiniWoB++ as a Gymnasium environment: a page of a real browser in text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

from homebody.envs.browser import check_browser
from homebody.envs.core import FINAL, NotResetError, SnapshotError
from homebody.envs.miniwob import expert, scripted
from homebody.envs.miniwob.reading import TYPED, Element, Reading, read
from homebody.envs.miniwob.suite import SUITE, PageInfo, PageSource, pages_dir
from homebody.envs.miniwob.tab import BrowserDiedError, Tab
from homebody.envs.text_env import TextTaskEnv

MOST_TYPED: Final = 500
"""Characters of one command that are typed; a longer one is refused."""
_WHOLE: Final = re.compile(r"\s*-?\d{1,7}\s*")


class MiniWobEnv(TextTaskEnv):
    """Do what a sentence asks for on a page of MiniWoB++, in a real Chromium, by mouse and keyboard.

    Observation:
        `Text`: the sentence, then the page from top to bottom, a line for each text and each element. An element's line begins with
        its reference, as `textbox Username`, and says what stands in it and its state.
    Action:
        `Text`: `click REF`, `type into REF: TEXT` (in the place of what stands there), `select OPTION in REF`, `press Enter`,
        `set REF to NUMBER`, `scroll down in REF`, `hover REF`, `wait`; on some pages `highlight TEXT`, `type: TEXT`, `copy REF`,
        `paste into REF`, `drag REF to REF`. Anything else is answered by the same page, and costs a step.
    Reward:
        The page's raw reward, -1 to 1, at the step that ends the task, else 0.0. It does not depend on time.
    Episode end:
        `terminated` where the page says so; `truncated` from step `max_steps` on.
    Info:
        `goal` (the sentence), `admissible_commands` (sorted), `won` (the raw reward has reached the page's threshold), `task_id`.
    Time:
        The page's clock stands still but for one second after each command, so that the same commands give the same page.
    Rendering:
        `render_mode="human"` shows the page in a window; `"rgb_array"` draws it when `render` is called.
    """

    metadata: dict[str, Any] = {**TextTaskEnv.metadata, "render_fps": 2}  # noqa: RUF012  # declared so by Gymnasium
    unpickled = ("_tab", "_reading")

    def __init__(
        self,
        *,
        pages: Sequence[str] | None = None,
        holdout: str | None = None,
        headless: bool = True,
        chromium: str | None = None,
        max_steps: int = 10,
        split: str = "train",
        render_mode: str | None = None,
        render_size: tuple[int, int] = (960, 720),
        **unknown: Any,
    ) -> None:
        """Choose the pages; the browser is opened by the first reset.

        Args:
            pages: Names of pages, as `click-button`, as a list or joined by `+`; None takes the curated suite.
            holdout: `tasks` makes some pages the test split, which the other splits do not have.
            headless: Whether the browser shows no window of its own.
            chromium: Path of the browser; None finds the system's Chromium.
            max_steps: Steps after which `truncated` is set.
            split: Where a reset without options draws its task.
            render_mode: One of `RENDER_MODES`, or None for play without pictures.
            render_size: Width and height of the pictures, in pixels.
            **unknown: Refused by name.

        Raises:
            UnknownParameterError: There is no such parameter.
            EnvError: There is no such page, holdout or render mode, the pages are not installed, or `max_steps` is no positive integer.
        """
        self.check_parameters(unknown)
        self._source = PageSource(pages, holdout)
        self._headless, self._chromium = headless, chromium
        self._tab: Tab | None = None
        self._reading: Reading | None = None
        self._given: tuple[str, ...] = ()
        super().__init__(max_steps=max_steps, split=split, render_mode=render_mode, render_size=render_size)

    @classmethod
    def task_source(cls, **parameters: Any) -> PageSource:
        """Return where the tasks come from; takes what the constructor takes.

        Raises:
            EnvError: A parameter is not possible, or what the tasks are played with is not installed.
        """
        wanted = cls.parameters_of(PageSource, parameters)
        pages_dir()
        check_browser(parameters.get("chromium"))
        return PageSource(**wanted)

    @property
    def source(self) -> PageSource:
        """Where tasks are listed."""
        return self._source

    @property
    def reading(self) -> Reading:
        """The page as it was read last."""
        if self._reading is None:
            raise NotResetError("the page")
        return self._reading

    @property
    def page(self) -> str:
        """The name of the page that is played."""
        return self._task_id.partition("/")[0]

    def expert(self) -> list[str]:
        """Return the next command, in a list, of a script that knows the page; empty where the task is over.

        Raises:
            NotResetError: The environment was never reset.
            NoScriptError: There is none for this page.
        """
        return [] if self.reading.done else [expert.next_command(self.page, self.reading, self._given)]

    def scripted_policy(self) -> list[str]:
        """Return the next command, in a list, of a reader that knows no page and sees what an agent sees; empty where the task is over.

        Raises:
            NotResetError: The environment was never reset.
        """
        return [] if self.reading.done else [scripted.choose(self.reading, self._given)]

    def close(self) -> None:
        """Close the browser and the window; to close them again does nothing.

        Raises:
            BrowserThreadError: The browser was opened in another thread.
        """
        super().close()
        self._drop()

    def view(self) -> bytes:
        """Return a screenshot as PNG."""
        return self._tab.picture() if self._tab is not None else b""

    def picture_class(self) -> type[Any]:
        """Return the class of its pictures."""
        from homebody.envs.miniwob.picture import PagePicture

        return PagePicture

    def _begin(self, task_id: str) -> str:
        page = self._source.find(task_id)
        # A few pages have texts of their own for tests.
        mode = "test" if task_id.startswith((f"{page}/test-", f"{page}/{FINAL}-")) else "train"
        try:
            raw = self._opened().begin(page, task_id, mode)
        except BrowserDiedError:  # it may have died long ago
            self._drop()
            raw = self._opened().begin(page, task_id, mode)
        self._given = ()
        self._reading = read(raw, self._about(page).actions)
        return self.reading.text[: self.max_observation]

    def _act(self, action: object) -> tuple[str, float, bool]:
        before = self.reading
        command = action.strip("\n") if isinstance(action, str) else ""
        if not before.done:
            if self._tab is None:
                raise BrowserDiedError("go on", "there is none any more")
            try:
                do(self._tab, before, command)
                self._reading = read(self._tab.read(), before.actions)
            except BrowserDiedError:
                self._drop()
                raise
        self._given = (*self._given, command)
        now = self.reading
        return now.text[: self.max_observation], now.reward if now.done and not before.done else 0.0, now.done

    def _info(self) -> dict[str, Any]:
        reading = self.reading
        return {
            "goal": reading.goal,
            "admissible_commands": reading.commands,
            "won": reading.done and reading.reward >= self._about(self.page).threshold,
            "task_id": self._task_id,
        }

    def _keep(self) -> tuple[str, ...]:
        return self._given

    def _go_back(self, task_id: str, kept: tuple[str, ...]) -> None:
        """Begin the task anew and give its commands again: a browser has no way back."""
        if not isinstance(kept, tuple) or not all(isinstance(command, str) for command in kept):
            raise SnapshotError("it holds no commands", "pages")
        self._begin(task_id)
        for command in kept:
            self._act(command)

    def _revive(self) -> None:
        self._tab, self._reading = None, None

    def _opened(self) -> Tab:
        if self._tab is None:
            self._tab = Tab(headless=self._headless, chromium=self._chromium)
        return self._tab

    def _drop(self) -> None:
        """Close the browser, which may be dead."""
        if self._tab is not None:
            with suppress(BrowserDiedError):
                self._tab.close()
            self._tab = None

    @staticmethod
    def _about(page: str) -> PageInfo:
        return SUITE.get(page, PageInfo("other", actions=("highlight", "keys", "clipboard", "drag")))


def do(tab: Tab, reading: Reading, command: str) -> None:
    """Carry out a command in the browser; what is none does nothing.

    Raises:
        BrowserDiedError: The browser is gone.
    """
    kind, _, rest = command.partition(" ")
    if kind == "click" and (element := _usable(reading, rest)):
        tab.click(element)
    elif command.startswith("type into "):
        ref, colon, text = rest.removeprefix("into ").partition(": ")
        element = _usable(reading, ref)
        if colon and element and element.role in TYPED and "read only" not in element.states and _can_be_typed(text):
            tab.fill(element, text)
    elif command.startswith("type: ") and "keys" in reading.actions and _can_be_typed(rest):
        tab.type(rest)
    elif command == "press Enter" and command in reading.commands:
        tab.press("Enter")
    elif kind == "select":
        option, _, ref = rest.rpartition(" in ")
        element = _usable(reading, ref)
        if element and option in element.options:
            tab.select(element, element.options.index(option))
    elif kind == "set":
        ref, _, value = rest.rpartition(" to ")
        element = _usable(reading, ref)
        if element and element.role == "slider" and _WHOLE.fullmatch(value):
            tab.slide(element, int(value))
    elif kind == "scroll" and (element := reading.elements.get(rest.partition(" in ")[2])) and command in reading.commands:
        tab.scroll(element, down=rest.startswith("down"))
    elif kind == "hover" and command in reading.commands:
        tab.hover(reading.elements[rest])
    elif kind == "copy" and command in reading.commands:
        tab.copy(reading.elements[rest])
    elif kind == "paste" and command in reading.commands:
        tab.paste(reading.elements[rest.removeprefix("into ")])
    elif kind == "highlight" and "highlight" in reading.actions and rest.strip():
        tab.highlight(rest)
    elif kind == "drag" and "drag" in reading.actions:
        for one, element in reading.elements.items():
            to = reading.elements.get(rest.removeprefix(f"{one} to ")) if rest.startswith(f"{one} to ") else None
            if element.drags and to is not None:
                tab.drag(element, to)
                return


def _usable(reading: Reading, ref: str) -> Element | None:
    element = reading.elements.get(ref)
    return element if element is not None and "disabled" not in element.states else None


def _can_be_typed(text: str) -> bool:
    return len(text) <= MOST_TYPED and text.isprintable()
