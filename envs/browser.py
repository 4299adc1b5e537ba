"""The system's Chromium, driven by playwright: the one module that imports it."""

from __future__ import annotations

import importlib.util
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any, Final

from homebody.envs.core import EnvError

CHROMIUM: Final = ("chromium", "chromium-browser", "google-chrome")
"""Names of programs that will do, the best first."""


class BrowserError(EnvError):
    """There is no browser to play in."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(f"no browser can be opened: {problem}; {remedy}")


def find_chromium() -> str:
    """Return the path of the system's Chromium.

    Raises:
        BrowserError: There is none on PATH.
    """
    found = next((path for name in CHROMIUM if (path := shutil.which(name))), None)
    if found is None:
        raise BrowserError(f"none of {', '.join(CHROMIUM)} is on PATH", "apt-get install chromium")
    return found


def check_browser(executable: str | None = None) -> str:
    """Return the path of the browser that `open_browser` would open, if all is there that it needs.

    Raises:
        BrowserError: playwright or the browser is missing.
    """
    if importlib.util.find_spec("playwright") is None:
        raise BrowserError("playwright is not installed", "pip install playwright")
    return executable or find_chromium()


@contextmanager
def open_browser(*, headless: bool = True, executable: str | None = None) -> Iterator[Any]:
    """Yield a running browser of playwright, and close it at the end.

    Args:
        headless: Whether no window is shown.
        executable: Path of the browser; None finds the system's Chromium.

    Raises:
        BrowserError: playwright or the browser is missing, or the browser does not start.
    """
    path = check_browser(executable)
    with _playwright() as running:
        try:
            browser = running.chromium.launch(executable_path=path, headless=headless)
        except Exception as error:
            said = str(error).strip().splitlines()
            raise BrowserError(
                f"{path} does not start: {said[0] if said else type(error).__name__}", "check that it runs by itself"
            ) from None
        try:
            yield browser
        finally:
            browser.close()


_local = threading.local()
"""`running`: playwright in this thread, once for each browser that uses it; there can be one in a thread, and it belongs to that."""


@contextmanager
def _playwright() -> Iterator[Any]:
    running: list[Any] = _local.__dict__.setdefault("running", [])
    running.append(running[0] if running else _api().sync_playwright().start())
    try:
        yield running[0]
    finally:
        last = running.pop()
        if not running:
            last.stop()


def _api() -> ModuleType:
    try:
        from playwright import sync_api
    except ImportError:
        raise BrowserError("playwright is not installed", "pip install playwright") from None
    return sync_api
