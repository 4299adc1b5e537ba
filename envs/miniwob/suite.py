"""Which pages of MiniWoB++ are played, and as which tasks.

The pages are those of the package `miniwob` (MIT; Shi et al. 2017, Liu et al. 2018). Upstream's "success" is any positive reward; here a
task is won where the page's raw reward, which knows no clock, reaches the threshold of the task.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from homebody.envs.core import (
    FINAL,
    SPLITS,
    EnvError,
    TaskSpec,
    UnknownSplitError,
    UnknownTaskError,
    did_you_mean,
    take_tasks,
)

SEEDS: Final = {"train": 200, "validation": 50, "test": 50, FINAL: 50}
"""Seeds of each page in each split; no seed is in two of them."""


@dataclass(frozen=True)
class PageInfo:
    """A page of the suite."""

    kind: str
    """What is done on it, for figures by type."""
    threshold: float = 1.0
    """Raw reward, -1 to 1, from which on the task is won."""
    actions: tuple[str, ...] = ()
    """Kinds of actions that it needs besides clicking, typing, selecting and pressing Enter: `highlight`, `clipboard`, `keys`, `drag`."""


SUITE: Final[dict[str, PageInfo]] = {
    name: info
    for info, names in (
        (
            PageInfo("button"),
            "click-button click-button-sequence click-test click-test-2 click-test-transfer unicode-test click-widget "
            "find-greatest odd-or-even buy-ticket identify-shape generate-number",
        ),
        (
            PageInfo("choice"),
            "click-checkboxes click-checkboxes-large click-checkboxes-transfer click-option choose-list "
            "click-scroll-list multi-orderings multi-layouts form-sequence-2",
        ),
        (
            PageInfo("disclosure"),
            "click-collapsible click-collapsible-nodelay click-collapsible-2 click-collapsible-2-nodelay click-tab "
            "click-tab-2 click-tab-2-easy click-tab-2-medium click-tab-2-hard click-menu click-menu-2 navigate-tree "
            "click-dialog click-dialog-2 click-link",
        ),
        (
            PageInfo("text"),
            "enter-text enter-text-2 enter-text-dynamic enter-password enter-date enter-time login-user login-user-popup "
            "focus-text focus-text-2 text-transform find-word read-table read-table-2 "
            "simple-arithmetic simple-algebra scroll-text sign-agreement guess-number",
        ),
        (
            PageInfo("widget"),
            "use-autocomplete use-autocomplete-nodelay use-slider use-slider-2 use-spinner form-sequence "
            "form-sequence-3 choose-date choose-date-easy choose-date-medium choose-date-nodelay scroll-text-2",
        ),
        (
            PageInfo("site"),
            "email-inbox email-inbox-delete email-inbox-forward email-inbox-forward-nl email-inbox-forward-nl-turk "
            "email-inbox-important email-inbox-nl-turk email-inbox-noscroll email-inbox-reply email-inbox-star-reply "
            "search-engine social-media social-media-all social-media-some phone-book book-flight "
            "book-flight-nodelay",
        ),
        (PageInfo("shape"), "click-color click-shades click-shape count-shape"),
        (PageInfo("editor", actions=("highlight",)), "highlight-text highlight-text-2"),
        (PageInfo("editor", actions=("clipboard",)), "copy-paste copy-paste-2"),
        (PageInfo("editor", actions=("keys",)), "terminal"),
    )
    for name in names.split()
}
"""The curated pages: text agents can do them, and the expert solves each."""
HELD_OUT: Final = (
    "click-button-sequence", "click-checkboxes-large", "click-scroll-list", "click-tab-2-medium", "click-menu-2", "enter-time",
    "login-user-popup", "read-table-2", "copy-paste-2", "use-slider-2", "form-sequence-3", "email-inbox-forward-nl", "search-engine",
    "social-media-all", "choose-date-medium", "click-shades",
)  # fmt: skip
"""With `holdout="tasks"` these pages are the test split, and no other split has them."""


class MiniWobPackageError(EnvError):
    """The pages are not installed."""

    def __init__(self) -> None:
        super().__init__("the pages of MiniWoB++ are not installed; pip install 'homebody[miniwob]', or play another environment")


class UnknownPageError(EnvError):
    """A page was named that is not in the suite."""

    def __init__(self, page: object, reason: str) -> None:
        super().__init__(f"page {page!r} {reason}; the suite has: {', '.join(SUITE)}")


class HoldoutError(EnvError):
    """There is no such holdout."""

    def __init__(self, holdout: object) -> None:
        super().__init__(f"holdout={holdout!r} is not possible; give 'tasks' (pages that only the test split has) or None")


@lru_cache(maxsize=1)
def pages_dir() -> Path:
    """Return the folder of the pages.

    Raises:
        MiniWobPackageError: The package is not installed.
    """
    spec = importlib.util.find_spec("miniwob")  # its own modules want Selenium and are not imported
    folder = Path(spec.origin).parent / "html" / "miniwob" if spec is not None and spec.origin else None
    if folder is None or not folder.is_dir():
        raise MiniWobPackageError
    return folder


class PageSource:
    """Tasks of the suite: a page and a seed, as `click-button/train-17`.

    Args:
        pages: Names of pages; None takes the suite. Pages outside of it are possible and have no expert.
        holdout: `tasks` makes the pages of `HELD_OUT` the test split and keeps them out of the others.

    Raises:
        UnknownPageError: There is no such page.
        HoldoutError: There is no such holdout.
    """

    def __init__(self, pages: Sequence[str] | None = None, holdout: str | None = None) -> None:
        if holdout not in (None, "tasks"):
            raise HoldoutError(holdout)
        named = SUITE if pages is None else pages.split("+") if isinstance(pages, str) else pages
        if not isinstance(named, Iterable):
            raise UnknownPageError(named, "is no list of names and no names joined by +")
        self._pages = tuple(dict.fromkeys(map(str, named)))
        outside = [page for page in self._pages if page not in SUITE]
        there = {path.stem for path in pages_dir().glob("*.html")} if outside else set()
        for page in outside:
            if page not in there:
                raise UnknownPageError(page, f"is no page of the package miniwob{did_you_mean(page, SUITE)}")
        if not self._pages:
            raise UnknownPageError("", "names no page")
        self._holdout = holdout

    def tasks(self, split: str, n: int | None = None) -> list[TaskSpec]:
        """Return the first `n` tasks of a split (all, if None): one of each page, then the next seed of each."""
        if split not in SEEDS:
            raise UnknownSplitError(split, SPLITS)
        pages = self._of(split)
        if not pages:
            raise UnknownPageError(", ".join(self._pages), f"leaves the split {split!r} without tasks")
        # A stride that shares no factor with their number mixes pages of all kinds into every beginning of the list.
        step = next(k for k in (7, 11, 13, 17) if len(pages) % k)
        ordered = [pages[i * step % len(pages)] for i in range(len(pages))]
        found = [
            TaskSpec(f"{page}/{split}-{seed}", SUITE[page].kind if page in SUITE else "other", split)
            for seed in range(SEEDS[split])
            for page in ordered
        ]
        return take_tasks(found, split, n)

    def find(self, task_id: object) -> str:
        """Return the page of a task.

        Raises:
            UnknownTaskError: There is no such task.
        """
        page, _, seed = task_id.partition("/") if isinstance(task_id, str) else ("", "", "")
        split, _, number = seed.rpartition("-")
        is_number = number.isascii() and number.isdigit() and (number == "0" or not number.startswith("0"))
        if not (split in SEEDS and page in self._of(split) and is_number and int(number) < SEEDS[split]):
            raise UnknownTaskError(task_id, [task.task_id for s in SPLITS if self._of(s) for task in self.tasks(s)], "the suite of pages")
        return page

    def _of(self, split: str) -> list[str]:
        if self._holdout is None:
            return list(self._pages)
        return [page for page in self._pages if (page in HELD_OUT) == (split in ("test", FINAL))]
