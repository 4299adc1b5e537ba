"""The shop in a real browser: the same episodes as without one, by mouse and by keyboard, and no text of a product runs.

Needs the `browser` extra and a Chromium on PATH; is skipped where one is missing.
"""

from __future__ import annotations

import pickle
import random
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from homebody.envs import browser as module
from homebody.envs.browser import BrowserError, find_chromium
from homebody.envs.core import NotResetError
from homebody.envs.webshop.env import WebShopEnv
from homebody.envs.webshop.goals.shop import GoalShop, ShopParameterError
from homebody.envs.webshop.pages.pages import search_command
from homebody.envs.webshop.site.browser import BrowserShop
from homebody.envs.webshop.site.site import Site, serving
from homebody.envs.webshop.site.url import address

CONTRAST = """() => {
  const light = (colour) => colour.match(/[0-9.]+/g).slice(0, 3).map(Number).map((v) => v / 255)
    .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4).reduce((sum, v, n) => sum + v * [0.2126, 0.7152, 0.0722][n], 0);
  const ground = (at) => { for (; at; at = at.parentElement) { const c = getComputedStyle(at).backgroundColor;
    if (!c.endsWith(", 0)") && c !== "transparent") return c; } return "rgb(255, 255, 255)"; };
  const says = (at) => [...at.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
  return [...document.querySelectorAll("body *")].filter(says).map((at) => {
    const style = getComputedStyle(at);
    const [a, b] = [light(style.color), light(ground(at))].sort((x, y) => y - x);
    return [(a + 0.05) / (b + 0.05), parseFloat(style.fontSize), at.tagName + ": " + at.textContent.trim().slice(0, 40)];
  });
}"""
RING = "getComputedStyle(document.activeElement.closest('.card') ?? document.activeElement).outlineStyle"
UNNAMED = """() => [...document.querySelectorAll("a, button, input:not([type=hidden]), nav, section, meter")].filter((at) => {
  const by = (at.getAttribute("aria-labelledby") || "").split(" ").map((id) => document.getElementById(id)?.textContent || "").join("");
  const label = at.id && document.querySelector(`label[for="${at.id}"]`)?.textContent;
  return !(by.trim() || at.getAttribute("aria-label") || label || (["A", "BUTTON"].includes(at.tagName) && at.textContent.trim()));
}).map((at) => at.outerHTML.slice(0, 80))"""

pytest.importorskip("playwright", reason="playwright is not installed: pip install homebody[browser]")
try:
    find_chromium()
except BrowserError as error:
    pytest.skip(str(error), allow_module_level=True)


@pytest.fixture(scope="module")
def shop() -> Iterator[BrowserShop]:
    env = BrowserShop(max_steps=100)
    yield env
    env.close()


@pytest.fixture
def opened(shop: BrowserShop) -> Iterator[Callable[..., Any]]:
    """Open an address in a tab of its own; what its console complained about is in `tab.complaints`."""
    tabs = []

    def open_tab(where: str, **settings: Any) -> Any:
        tab = shop._browser.new_page(**settings)
        tabs.append(tab)
        tab.complaints = []
        tab.on("console", lambda message: tab.complaints.append(message.text))
        tab.on("pageerror", lambda error: tab.complaints.append(str(error)))
        tab.on("request", lambda request: tab.complaints.append(request.url) if "://127.0.0.1:" not in request.url else None)
        tab.goto(where)
        return tab

    yield open_tab
    for tab in tabs:
        tab.close()


@pytest.fixture
def served(site: Site) -> Iterator[str]:
    with serving(site) as where:
        yield where


# --- the environment


def test_both_drivers_tell_the_same(shop: BrowserShop, tasks: list[str]) -> None:
    plain, draw = WebShopEnv(max_steps=100), random.Random(1)
    task = {"task": draw.choice(tasks)}
    ours, theirs = plain.reset(options=task), shop.reset(options=task)
    assert ours == theirs
    texts = ("lamp", 'a <b>"bold"</b> & tea %20 + #', "red  shoes", "zzz")
    for _ in range(40):
        offered = ours[-1]["admissible_commands"] or ["search[{text}]"]  # nothing is offered after a purchase, and a search is taken
        # The errands of a random walk would end after a few steps if everything were as likely.
        command = draw.choice([one for one in offered if draw.random() < 0.3 or "buy" not in one] or offered)
        command = command.replace("{text}", draw.choice(texts))
        ours, theirs = plain.step(command), shop.step(command)  # type: ignore[assignment]
        assert ours == theirs, command


def test_what_cannot_be_done_changes_nothing(shop: BrowserShop, tasks: list[str]) -> None:
    plain = WebShopEnv(max_steps=100)
    assert shop.reset(options={"task": tasks[0]}) == plain.reset(options={"task": tasks[0]})
    for action in ("", "click[search]", "click[buy now]", "search[]", "fly", None, 3, "click[" + "x" * 500, "search[rug]", "click[rug]"):
        assert shop.step(action) == plain.step(action), action
    assert shop.page is plain.page


def test_the_expert_wins_and_episodes_end(shop: BrowserShop, tasks: list[str]) -> None:
    shop.reset(options={"task": tasks[1]})
    results = [shop.step(command) for command in shop.expert()]
    assert results[-1][1:4] == (1.0, True, False)
    assert results[-1][4]["won"]
    assert results[-1][4]["success_strict"]
    assert [result[1:4] for result in results[:-1]] == [(0.0, False, False)] * (len(results) - 1)


def test_a_snapshot_is_gone_back_to_in_the_browser(shop: BrowserShop, tasks: list[str]) -> None:
    plain = WebShopEnv(max_steps=100)
    plain.reset(options={"task": tasks[2]})
    *way, buy = plain.expert()
    for command in way:
        plain.step(command)
    for command in (buy, "search[rug]"):
        plain.step(command)
        shop.restore(plain.snapshot())
        assert (shop._observe(), shop._info()) == (plain._observe(), plain._info())
        assert shop.step("click[back to search]") == WebShopEnv.step(pickle.loads(pickle.dumps(plain)), "click[back to search]")


def test_what_is_wrong_before_a_browser_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ShopParameterError, match="observation='html' is not possible; give 'text'"):
        BrowserShop(observation="html")
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(BrowserError, match=r"none of chromium, .* is on PATH; apt-get install chromium"):
        BrowserShop()
    monkeypatch.setitem(__import__("sys").modules, "playwright", SimpleNamespace())
    with pytest.raises(BrowserError, match="playwright is not installed; pip install playwright"):
        module._api()


def test_it_wants_a_reset_and_can_be_closed_twice() -> None:
    env = BrowserShop()
    with pytest.raises(NotResetError):
        env.step("search[x]")
    env.close()
    env.close()


# --- the website


def test_a_purchase_by_keyboard_alone(opened: Callable[..., Any], served: str, site: Site, goal_shop: GoalShop, tasks: list[str]) -> None:
    tab = opened(f"{served}/")
    goal = goal_shop.source.goal(tasks[0])
    found = goal_shop.shop.follow(goal_shop.shop.home(), search_command(goal.instruction))

    def go_to(text: str) -> None:
        for _ in range(80):
            tab.keyboard.press("Tab")
            if tab.evaluate("document.activeElement.dataset.action") == text:
                assert (
                    tab.evaluate("getComputedStyle(document.activeElement.closest('.card') ?? document.activeElement).outlineStyle")
                    == "solid"
                )
                with tab.expect_navigation(wait_until="domcontentloaded"):
                    tab.keyboard.press("Enter")
                return
        raise AssertionError(f"{text} cannot be reached")

    assert tab.evaluate("document.activeElement.id") == "q", "the field has the keyboard at once"
    tab.keyboard.type(goal.instruction)
    with tab.expect_navigation(wait_until="domcontentloaded"):
        tab.keyboard.press("Enter")
    go_to(f"click[{found.products[0].asin.lower()}]")
    for group, values in found.products[0].options.items():
        before = tab.evaluate("document.querySelectorAll('[aria-pressed=true]').length")
        go_to(f"click[{values[0]}]")
        assert tab.evaluate("document.querySelectorAll('[aria-pressed=true]').length") == before + 1, group
    go_to("click[buy now]")
    visit = site.visit("/1/")
    assert visit is not None
    assert visit.receipt is not None
    assert visit.receipt.product == found.products[0]
    assert list(visit.receipt.options.values()) == [values[0] for values in found.products[0].options.values()]
    assert tab.complaints == []


def test_the_back_button_goes_back(opened: Callable[..., Any], served: str, goal_shop: GoalShop, tasks: list[str]) -> None:
    tab = opened(f"{served}/")
    tab.fill("#q", "lamp")
    tab.press("#q", "Enter")
    tab.wait_for_url("**/search?**")
    results = tab.url
    tab.click(".card a")
    tab.wait_for_url("**/item/**")
    tab.click("fieldset button")
    tab.wait_for_url("**group=**")
    assert tab.locator("[aria-pressed=true]").count() == 1
    tab.go_back()
    assert tab.locator("[aria-pressed=true]").count() == 0
    tab.go_back()
    assert tab.url == results


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1280])
def test_it_can_be_read_and_fits(opened: Callable[..., Any], served: str, site: Site, goal_shop: GoalShop, scheme: str, width: int) -> None:
    base = site.enter()
    found = goal_shop.shop.results("cotton shirt", 1)
    item = goal_shop.shop.follow(found, f"click[{found.products[0].asin.lower()}]")
    chosen = goal_shop.shop.follow(item, f"click[{next(iter(found.products[0].options.values()))[0]}]")
    visit = site.visit(base)
    assert visit is not None
    site.answer(f"{base}buy", f"token={visit.token}&asin={found.products[0].asin}&page=1&q=x")
    features = goal_shop.shop.follow(item, "click[features]")
    tab = opened(f"{served}{base}", color_scheme=scheme, viewport={"width": width, "height": 800})
    for path in ("", address(found), address(chosen), address(features), "receipt", "none"):
        tab.goto(f"{served}{base}{path}")
        tab.evaluate("for (const at of document.querySelectorAll('details')) at.open = true")
        assert tab.evaluate("document.documentElement.scrollWidth") <= width, path
        words = tab.evaluate(CONTRAST)
        assert [one for one in words if one[0] < 4.5 or one[1] < 11.99] == [], path
        assert tab.evaluate(UNNAMED) == [], path
        assert tab.evaluate("[document.querySelectorAll('h1').length, document.querySelectorAll('main').length]") == [1, 1], path
        assert tab.evaluate("[...document.images].every((at) => at.alt === '')"), path
        # A page that is not there is told of as such.
        assert [said for said in tab.complaints if "404" not in said] == []


def test_it_works_without_scripts(opened: Callable[..., Any], served: str) -> None:
    tab = opened(f"{served}/", java_script_enabled=False)
    tab.fill("#q", "lamp")
    tab.press("#q", "Enter")
    tab.wait_for_url("**/search?**")
    tab.click(".card a")
    tab.wait_for_url("**/item/**")
    tab.click(".buy")
    tab.wait_for_url("**/receipt")
    assert tab.locator("h1").inner_text() == "Thank you for shopping with us!"


def test_no_text_of_a_product_runs(opened: Callable[..., Any], hostile: GoalShop) -> None:
    with serving(Site(hostile, [hostile.source.goals[0].goal_id])) as where:
        tab = opened(f"{where}/")
        tab.fill("#q", "lamps <script>window.ran = 1</script>")
        tab.press("#q", "Enter")
        tab.wait_for_url("**/search?**")
        options = [f"fieldset button >> nth={number}" for number in range(3)]
        steps = [".card a", *options, "text=Features", "text=< Prev", ".buy"]
        for step in steps:
            with tab.expect_navigation():
                tab.click(step)
            assert tab.evaluate("window.ran") is None, step
            assert tab.evaluate("document.querySelectorAll('script, svg, body *[onerror], body *[onload]').length") == 0, step
        assert tab.url.endswith("/receipt")
        assert "<script>window.ran = 1</script>" in tab.inner_text(".bought")
        # The policy alone would do: a script that got in is refused.
        assert tab.complaints == []
        tab.evaluate("() => { const s = document.createElement('script'); s.textContent = 'window.ran = 1'; document.body.append(s); }")
        assert tab.evaluate("window.ran") is None
