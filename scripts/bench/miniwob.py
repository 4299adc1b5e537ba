"""How fast pages of MiniWoB++ are played in a browser, beside the package's own Selenium environment; and how its memory grows.

Both play the same pages with the same clicks and texts, one browser each, by the clock. The peer is played as it comes, where each
observation has a screenshot, and again without them, which is its faster mode; its own limit of time is left as it is.
"""

from __future__ import annotations

import os
import shutil
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import gymnasium

from homebody.envs.browser import find_chromium
from homebody.envs.miniwob.env import MiniWobEnv
from homebody.scripts.bench.result import Measured, result

PEER: Final = "miniwob's Selenium environment"
MODES: Final = ((PEER, "", True), (f"{PEER}, without its screenshots", "_text", False))
"""Of the peer: its name, what the names of its rows have, and whether it takes screenshots."""
TEXT: Final = "homebody"
PLAYS: Final[dict[str, tuple[tuple[str, int], ...]]] = {
    "click-button-sequence": (("button", 0), ("button", 1)),
    "click-checkboxes-large": (("checkbox", 0), ("checkbox", 1), ("checkbox", 2), ("button", 0)),
    "enter-text": (("textbox", 0), ("button", 0)),
    "login-user": (("textbox", 0), ("textbox", 1), ("button", 0)),
}
"""Pages, and what is clicked or typed into on each: the role of an element, and which one of that role."""
_TAGS: Final = {"button": ("button",), "checkbox": ("input_checkbox",), "textbox": ("input_text", "input_password")}
"""What the peer calls the roles."""

Progress = Callable[[str], None]


class PeerMissingError(Exception):
    """The peer cannot be played here; its text says why."""


def bench_miniwob(*, seeds: int, episodes: int, repeats: int, progress: Progress) -> tuple[list[Measured], str]:
    """Measure everything.

    Args:
        seeds: Resets of each page.
        episodes: Episodes of the expert in one browser, whose memory is looked at.
        repeats: Times of the resets and steps: a row has the median.
        progress: Told what is being measured.

    Returns:
        Rows `reset_ms` and `step_ms` (of the same page, observations included; beside the peer as it comes), `reset_text_ms` and
        `step_text_ms` (the same, beside the peer without screenshots), `page_ms` (a reset that opens another page) and `memory_growth`
        (share by which the browser's memory has grown, from the first tenth of the episodes to the last); and why the peer is missing, or
        an empty text.

    Raises:
        EnvError: The pages, playwright or a browser are missing.
    """
    progress("homebody")
    env = MiniWobEnv(max_steps=40)
    try:
        ours = [_ours(env, seeds) for _ in range(repeats)]
        progress("the peer")
        theirs, missing = _peer(seeds, repeats)
        rows = []
        for peer, kind, _ in MODES if theirs else MODES[:1]:
            for at, what in enumerate(("reset", "step")):
                peer_value = statistics.median(one[at] for one in theirs[peer]) if theirs else None
                value = statistics.median(one[at] for one in ours)
                rows.append(result(f"{what}{kind}_ms", value, "ms", repeats, peer if theirs else None, peer_value))
        rows.append(result("page_ms", statistics.median(one[2] for one in ours), "ms", repeats))
        progress("memory")
        growth = _growth(env, episodes)
        if growth is not None:
            rows.append(result("memory_growth", growth, f"of it after {episodes} episodes", 1))
    finally:
        env.close()
    return rows, missing


def _ours(env: MiniWobEnv, seeds: int) -> tuple[float, float, float]:
    """Return the mean milliseconds of a reset, of a step and of a reset that opens another page."""
    resets, steps, pages = [], [], []
    for page, plays in PLAYS.items():
        pages.append(_ms(lambda page=page: env.reset(options={"task": f"{page}/train-0"})))  # type: ignore[misc]
        for seed in range(1, seeds + 1):
            resets.append(_ms(lambda page=page, seed=seed: env.reset(options={"task": f"{page}/train-{seed}"})))  # type: ignore[misc]
            for role, n in plays:
                element = [one for one in env.reading.elements.values() if one.role == role][n]
                command = f"type into {element.ref}: {TEXT}" if role == "textbox" else f"click {element.ref}"
                steps.append(_ms(lambda command=command: env.step(command)))  # type: ignore[misc]
                if env.reading.done:
                    break
    return statistics.fmean(resets), statistics.fmean(steps), statistics.fmean(pages)


def _peer(seeds: int, repeats: int) -> tuple[dict[str, list[tuple[float, float]]], str]:
    """Return the same of the peer in both its modes, resets and steps of each repeat; or nothing, and why."""
    try:
        with _peer_envs() as envs:
            return {name: [_theirs(envs, seeds, screenshots=on) for _ in range(repeats)] for name, _, on in MODES}, ""
    except PeerMissingError as missing:
        return {}, str(missing)


def _theirs(envs: dict[str, Any], seeds: int, *, screenshots: bool) -> tuple[float, float]:
    resets, steps = [], []
    for page, plays in PLAYS.items():
        env = envs[page]
        for seed in range(1, seeds + 1):
            started = time.perf_counter()
            seen, _ = env.reset(seed=seed, options={"record_screenshots": screenshots})
            resets.append((time.perf_counter() - started) * 1e3)
            for role, n in plays:
                element = [one for one in seen["dom_elements"] if one["tag"] in _TAGS[role]][n]
                kind = "FOCUS_ELEMENT_AND_TYPE_TEXT" if role == "textbox" else "CLICK_ELEMENT"
                given = {"ref": element["ref"], **({"text": TEXT} if role == "textbox" else {})}
                action = env.unwrapped.create_action(kind, **given)
                started = time.perf_counter()
                seen, _, terminated, _, _ = env.step(action)
                steps.append((time.perf_counter() - started) * 1e3)
                if terminated:
                    break
    return statistics.fmean(resets), statistics.fmean(steps)


@contextmanager
def _peer_envs() -> Iterator[dict[str, Any]]:
    """Yield the peer's environments by page, each in a browser of its own that has been reset once.

    Raises:
        PeerMissingError: There is no chromedriver, or the peer does not start.
    """
    driver = shutil.which("chromedriver")
    if driver is None:
        raise PeerMissingError("no chromedriver is on PATH; apt-get install chromium-driver")
    before = {name: os.environ.get(name) for name in ("MINIWOB_CHROME_BINARY", "MINIWOB_CHROMEDRIVER")}
    os.environ.update(MINIWOB_CHROME_BINARY=find_chromium(), MINIWOB_CHROMEDRIVER=driver)
    envs: dict[str, Any] = {}
    try:
        import miniwob

        gymnasium.register_envs(miniwob)
        for page in PLAYS:
            envs[page] = gymnasium.make(f"miniwob/{page}-v1", disable_env_checker=True)
            envs[page].reset(seed=0)
        yield envs
    except PeerMissingError:
        raise
    except Exception as error:
        said = str(error).strip().splitlines()
        raise PeerMissingError(f"it does not run: {said[0] if said else type(error).__name__}") from None
    finally:
        for env in envs.values():
            with suppress(Exception):
                env.close()
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _growth(env: MiniWobEnv, episodes: int) -> float | None:
    """Return the share by which the browser's memory grows, from the first tenth of the episodes to the last; None where it is not told."""
    first = 0
    for number, task in enumerate(env.source.tasks("train", episodes)):
        env.reset(options={"task": task.task_id})
        while not env.reading.done:
            env.step(env.expert()[0])
        if number + 1 == max(1, episodes // 10):
            first = memory_below(os.getpid())
    last = memory_below(os.getpid())
    return last / first - 1 if first else None


def memory_below(pid: int) -> int:
    """Return the memory of all processes below one, in bytes, what they share counted once; 0 where the system does not tell it."""
    parents, sizes = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, ValueError):
            parents[int(folder.name)] = int((folder / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()[1])
            shares = [line.split()[1] for line in (folder / "smaps_rollup").read_text("utf-8").splitlines() if line.startswith("Pss:")]
            sizes[int(folder.name)] = int(shares[0]) * 1024

    def is_below(one: int) -> bool:
        return one in parents and (parents[one] == pid or is_below(parents[one]))

    return sum(size for one, size in sizes.items() if is_below(one))


def _ms(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return (time.perf_counter() - started) * 1e3
