"""The system's Chromium, driven by playwright: the one module that imports it."""

from __future__ import annotations

import asyncio
import importlib.util
import math
import os
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import ModuleType
from typing import Any, Final

from homebody.envs.core import EnvError

CHROMIUM: Final = ("chromium", "chromium-browser", "google-chrome")
"""Names of programs that will do, the best first."""
PATIENCE: Final = 120.0
"""Seconds after which a browser that gives no answer counts as stuck."""


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
    if not isinstance(headless, bool):
        raise BrowserError(f"headless={headless!r} is not possible", "give True or False")
    with _playwright() as running:
        try:
            browser = running.chromium.launch(executable_path=path, headless=headless)
        except Exception as error:
            said = str(error).strip().splitlines()
            remedy = "check that it runs by itself" + ("" if headless else " and that there is a display, or give headless=True")
            raise BrowserError(f"{path} does not start: {said[0] if said else type(error).__name__}", remedy) from None
        try:
            yield browser
        finally:
            browser.close()


class Patience:
    """Kills a browser that is stuck: playwright waits for ever for what a page is to work out, and for what the mouse does.

    Args:
        browser: As `open_browser` yields it.
        seconds: How long it may take for one call.
    """

    def __init__(self, browser: Any, seconds: float) -> None:
        processes = browser.new_browser_cdp_session().send("SystemInfo.getProcessInfo")["processInfo"]
        self._pid = next(int(process["id"]) for process in processes if process["type"] == "browser")
        self._seconds, self._due = seconds, math.inf
        self._is_over = threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Wait for one call."""
        self._due = time.monotonic() + self._seconds
        try:
            yield
        finally:
            self._due = math.inf

    def end(self) -> None:
        """Watch no longer."""
        self._is_over.set()

    def _watch(self) -> None:
        while not self._is_over.wait(min(1.0, self._seconds)):
            if time.monotonic() > self._due:
                with suppress(OSError):
                    os.kill(self._pid, signal.SIGKILL)
                return


_local = threading.local()
"""`running`: playwright in this thread, once for each browser that uses it; there can be one in a thread, and it belongs to that."""


@contextmanager
def _playwright() -> Iterator[Any]:
    running: list[Any] = _local.__dict__.setdefault("running", [])
    if not running and _has_loop():
        raise BrowserError("an asyncio event loop runs in this thread", "play in a thread of its own, as asyncio.to_thread gives one")
    running.append(running[0] if running else _api().sync_playwright().start())
    try:
        yield running[0]
    finally:
        last = running.pop()
        if not running:
            last.stop()


def _has_loop() -> bool:
    with suppress(RuntimeError):
        return asyncio.get_running_loop() is not None
    return False


def _api() -> ModuleType:
    try:
        from playwright import sync_api
    except ImportError:
        raise BrowserError("playwright is not installed", "pip install playwright") from None
    return sync_api
