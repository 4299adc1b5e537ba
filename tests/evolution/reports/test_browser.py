"""The pages in a real browser: no script of a run runs, links open what they point at, both colour schemes, narrow, print, the live page.

Needs the `browser` extra and a Chromium on PATH; is skipped where one is missing.
"""

import shutil
import threading
from collections.abc import Callable, Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from queue import Queue
from typing import Any

import pytest

from homebody.evolution.reports.page import build_page
from homebody.evolution.store import Store
from homebody.scripts.serve import serve

HOSTILE = """<script>window.ran = 1</script><img src="x" onerror="window.ran = 1"><svg onload="window.ran = 1"></svg>'"></pre>"""
CHROMIUM = next((found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None)
CONTRAST = """() => {
  const light = (colour) => colour.match(/[0-9.]+/g).slice(0, 3).map(Number).map((v) => v / 255)
    .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4).reduce((sum, v, n) => sum + v * [0.2126, 0.7152, 0.0722][n], 0);
  const ground = (at) => { for (; at; at = at.parentElement) { const c = getComputedStyle(at).backgroundColor;
    if (!c.endsWith(", 0)") && c !== "transparent") return c; } return "rgb(255, 255, 255)"; };
  const worst = [];
  for (const at of document.querySelectorAll("body *")) {
    if (["SCRIPT", "STYLE", "NOSCRIPT"].includes(at.tagName)) continue;
    if (![...at.childNodes].some((n) => n.nodeType === 3 && n.data.trim())) continue;
    const style = getComputedStyle(at);
    const svg = at.namespaceURI.endsWith("svg");
    const [a, b] = [light(svg ? style.fill : style.color), light(ground(svg ? at.closest("div") : at))].sort((x, y) => y - x);
    const size = parseFloat(style.fontSize) * (svg ? Math.hypot(at.getScreenCTM().a, at.getScreenCTM().b) : 1);
    worst.push([(a + 0.05) / (b + 0.05), size, at.tagName + ": " + at.textContent.trim().slice(0, 40)]);
  }
  return worst;
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install homebody[browser]")
    if CHROMIUM is None:
        pytest.skip("there is no Chromium on PATH: apt-get install chromium")
    with api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM)
        yield running
        running.close()


@pytest.fixture
def opened(browser: Any) -> Iterator[Callable[..., Any]]:
    """Open an address in a page of its own; what its console complained about is in `page.complaints`."""
    pages = []

    def open_page(address: str, **settings: Any) -> Any:
        page = browser.new_page(**settings)
        pages.append(page)
        page.complaints = []
        page.on("console", lambda message: page.complaints.append(message.text))
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.on("request", lambda request: page.complaints.append(request.url) if not request.url.startswith(address) else None)
        page.goto(address)
        return page

    yield open_page
    for page in pages:
        page.close()


@pytest.fixture(scope="module")
def report(told_run: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> str:
    run_dir = told_run(tmp_path_factory.mktemp("told"))
    (run_dir / "report.html").write_text(build_page(run_dir), "utf-8")
    return (run_dir / "report.html").as_uri()


@pytest.fixture(scope="module")
def hostile(told_run: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return told_run(tmp_path_factory.mktemp("hostile"), HOSTILE, name=HOSTILE)


@pytest.fixture
def served() -> Iterator[Callable[[Path], str]]:
    """Serve a run in this process; returns the address."""
    servers: list[ThreadingHTTPServer] = []
    patch = pytest.MonkeyPatch()
    original = ThreadingHTTPServer.serve_forever

    def noted(server: ThreadingHTTPServer, poll_interval: float = 0.5) -> None:
        servers.append(server)
        original(server, poll_interval)

    patch.setattr(ThreadingHTTPServer, "serve_forever", noted)
    threads = []

    def start(run_dir: Path) -> str:
        addresses: Queue[str] = Queue()
        threads.append(threading.Thread(target=serve, args=(str(run_dir), 0, addresses.put)))
        threads[-1].start()
        return addresses.get(timeout=10)

    yield start
    for server in servers:
        server.shutdown()
    for thread in threads:
        thread.join()
    patch.undo()


def test_the_report_complains_about_nothing(opened: Callable[..., Any], report: str) -> None:
    page = opened(report)
    assert page.complaints == []
    assert page.title() == "Quarry-v0, m: homebody report"


def test_nothing_in_a_run_can_run(opened: Callable[..., Any], hostile: Path) -> None:
    (hostile / "report.html").write_text(build_page(hostile), "utf-8")
    page = opened((hostile / "report.html").as_uri())
    page.evaluate("for (const at of document.querySelectorAll('details')) at.open = true")
    page.wait_for_timeout(200)
    assert page.evaluate("window.ran") is None
    assert page.complaints == []
    assert "window.ran = 1" in page.inner_text(".ep li p")
    # The policy alone would do: a script that got in is refused.
    page.evaluate("() => { const s = document.createElement('script'); s.textContent = 'window.ran = 1'; document.body.append(s); }")
    assert page.evaluate("window.ran") is None


def test_a_mark_says_how_it_ended_and_leads_to_its_transcript(opened: Callable[..., Any], report: str) -> None:
    page = opened(report)
    mark = page.locator(".matrix a.c").first
    tip = page.locator("#tip")
    assert not tip.is_visible()
    mark.focus()
    assert tip.inner_text() == "round 1: not won in 3 steps: unusable answers"
    page.keyboard.press("Escape")
    assert not tip.is_visible()
    mark.hover()
    assert tip.is_visible()
    transcript = page.locator(mark.get_attribute("href"))
    assert not transcript.is_visible()
    mark.focus()
    page.keyboard.press("Enter")
    page.wait_for_timeout(100)
    assert transcript.is_visible()
    assert transcript.evaluate("at => at.contains(document.activeElement)")


def test_an_address_with_an_episode_opens_it(opened: Callable[..., Any], report: str) -> None:
    first = opened(report).locator(".matrix a.c").first.get_attribute("href")
    page = opened(report + first)
    page.wait_for_timeout(100)
    assert page.locator(first).is_visible()


def test_won_and_lost_episodes_can_be_shown_alone(opened: Callable[..., Any], report: str) -> None:
    page = opened(report)
    page.evaluate("for (const at of document.querySelectorAll('.group')) at.open = true")

    def visible() -> tuple[int, int]:
        return tuple(sum(one.is_visible() for one in page.locator(f".ep.{kind}").all()) for kind in ("won", "lost"))  # type: ignore[return-value]

    assert visible() == (8, 10)
    page.get_by_label("lost", exact=True).check()
    assert visible() == (0, 10)
    page.get_by_label("won", exact=True).check()
    assert visible() == (8, 0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_in_both_colour_schemes(opened: Callable[..., Any], report: str, scheme: str) -> None:
    page = opened(report, color_scheme=scheme, viewport={"width": 1280, "height": 900})
    page.evaluate("for (const at of document.querySelectorAll('details')) at.open = true")
    found = page.evaluate(CONTRAST)
    assert len(found) > 200
    assert [item for item in found if item[0] < 4.5] == []
    assert [item for item in found if item[1] < 11.99] == []
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor") != "rgb(255, 255, 255)"
    assert dark == (scheme == "dark")


@pytest.mark.parametrize("width", [320, 375, 960, 1920])
def test_the_page_never_scrolls_sideways(opened: Callable[..., Any], report: str, width: int) -> None:
    page = opened(report, viewport={"width": width, "height": 800})
    page.evaluate("for (const at of document.querySelectorAll('details')) at.open = true")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert [item for item in page.evaluate(CONTRAST) if item[1] < 11.99] == []


def test_print_is_light_and_fits(opened: Callable[..., Any], report: str) -> None:
    page = opened(report, color_scheme="dark", viewport={"width": 700, "height": 1000})
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert not page.locator("nav").is_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 700
    assert page.pdf(format="A4").startswith(b"%PDF")


def test_the_page_works_without_scripts(opened: Callable[..., Any], report: str) -> None:
    page = opened(report, java_script_enabled=False)
    page.locator(".group > summary").first.click()
    page.locator(".ep > summary").first.click()
    assert page.locator(".ep ol").first.is_visible()


# --- the live page


def test_the_live_page_follows_a_run(opened: Callable[..., Any], served: Callable[[Path], str], tmp_path: Path) -> None:
    start = {"model": "m", "env_id": "Quarry-v0", "rounds": 3, "train_tasks": 2, "validation_tasks": 4, "candidates": 2}
    series = {"what": "round 1: training", "who": "round 1", "part": "training", "total": 2}
    with Store(tmp_path) as store:
        store.append("start", start)
        store.append("progress", ["begin", {}])
        page = opened(served(tmp_path))
        page.get_by_text("starting").wait_for(timeout=5000)
        store.append("progress", ["round", {"round": 1}])
        store.append("progress", ["play", {**series, "done": 1, "task": "t1", "won": True, "tokens": 12}])
        page.get_by_text("Round 1 of at most 3: training").wait_for(timeout=5000)
        assert page.locator("#rounds tr").inner_text().split("\t")[:2] == ["1", "1 of 1 (20.7 to 100.0%)"]
        assert "1 of 2" in page.inner_text("#facts")
        store.append("progress", ["candidate", {"id": "r1c1", "dimension": "memory", "manifest": {"operator": HOSTILE}}])
        page.locator("#candidates tr").wait_for(timeout=5000)
        assert page.locator("#candidates td").first.inner_text() == f"{HOSTILE} (memory)"
        store.append("end", {})
        page.get_by_text("This run has ended.").wait_for(timeout=5000)
    assert page.evaluate("window.ran") is None
    assert page.complaints == []
    for scheme, width in (("light", 1280), ("dark", 375)):
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert [item for item in page.evaluate(CONTRAST) if item[0] < 4.5 or item[1] < 11.99] == []


def test_the_live_page_leads_to_the_report(opened: Callable[..., Any], served: Callable[[Path], str], hostile: Path) -> None:
    page = opened(served(hostile))
    page.get_by_text("The report of the run so far").click()
    page.wait_for_url("**/report")
    assert page.locator("main h2").first.inner_text() == "Rounds"
    assert page.evaluate("window.ran") is None
