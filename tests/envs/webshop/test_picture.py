"""Pages as pictures: what can be clicked is where it is drawn, everything fits, and the environment's render modes show it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from homebody.envs.canvas import Canvas, CanvasSizeError
from homebody.envs.core import RenderModeError
from homebody.envs.viewer import Viewer
from homebody.envs.webshop.env import WebShopEnv
from homebody.envs.webshop.goals.shop import GoalShop
from homebody.envs.webshop.pages.pages import Page, PageView, search_command
from homebody.envs.webshop.picture.picture import LEAST_SIZE, ShopPicture
from homebody.envs.window import Window

SIZES = [LEAST_SIZE, (640, 480), (640, 700), (960, 720), (1920, 1080)]


def pages(goal_shop: GoalShop, task: str) -> Iterator[tuple[Page, str]]:
    """Yield pages of every kind, each with the command that led there."""
    shop, goal = goal_shop.shop, goal_shop.source.goal(task)
    page = shop.home()
    yield page, ""
    command = search_command(goal.instruction)
    page = shop.follow(page, command)
    yield page, command
    yield shop.follow(page, "click[next >]"), "click[next >]"
    chosen = page.products[0]
    commands = [f"click[{chosen.asin.lower()}]", *(f"click[{values[0]}]" for values in chosen.options.values())]
    for command in [*commands, "click[features]", "click[< prev]", "click[description]", "click[< prev]", "click[buy now]"]:
        page = shop.follow(page, command)
        yield page, command


def draw(picture: ShopPicture, page: Page, said: str = "") -> Canvas:
    canvas = Canvas(*picture.size)
    picture.see(PageView(page, "Find me a lamp"), said)
    picture.draw(canvas)
    return canvas


def clickable(picture: ShopPicture) -> set[str]:
    """Return what can be clicked anywhere on the last drawing."""
    width, height = picture.size
    return {picture.at(x, y) for x in range(0, width, 10) for y in range(0, height, 10)} - {""}


@pytest.mark.parametrize("size", SIZES)
def test_every_page_can_be_drawn_and_clicked(goal_shop: GoalShop, tasks: list[str], size: tuple[int, int]) -> None:
    picture = ShopPicture(size)
    for page, said in pages(goal_shop, tasks[0]):
        draw(picture, page, said)
        found = clickable(picture)
        if page.kind == "home":
            assert found == {"search["}
        elif size[1] >= 480:
            assert found == set(page.commands), page.kind
        else:
            assert found <= set(page.commands)


def test_pages_look_different_and_the_same_page_the_same(goal_shop: GoalShop, tasks: list[str]) -> None:
    picture = ShopPicture((640, 480))
    drawn = [(page, draw(picture, page, said).to_array()) for page, said in pages(goal_shop, tasks[0])]
    again = [draw(picture, page, said).to_array() for page, said in pages(goal_shop, tasks[0])]
    assert all(np.array_equal(one, other) for (_, one), other in zip(drawn, again, strict=True))
    different = {page: array.tobytes() for page, array in drawn}
    assert len(set(different.values())) == len(different)


def test_what_was_clicked_last_is_marked(goal_shop: GoalShop, tasks: list[str]) -> None:
    picture = ShopPicture((640, 480))
    item = next(page for page, said in pages(goal_shop, tasks[0]) if page.kind == "item" and page.options)
    value = next(iter(item.options.values()))
    plain, marked = (draw(picture, item, said).to_array()[:440] for said in ("", f"click[{value}]"))
    changed = np.argwhere((plain != marked).any(axis=2))
    assert len(changed) > 0
    assert {picture.at(int(x), int(y)) for y, x in changed} == {f"click[{value}]"}


def test_what_does_not_fit_is_cut(goal_shop: GoalShop) -> None:
    long = replace(
        goal_shop.shop.products[0],
        name="A very long name " * 60,
        description="word " * 3000,
        bullets=("bullet " * 90,) * 30,
        options={f"group {n}": tuple(f"value {n} {m}" for m in range(60)) for n in range(8)} | {"wide": ("w" * 400, "short")},
    )
    empty = replace(long, name="", description="", bullets=(), options={})
    for size in SIZES[:3]:
        picture = ShopPicture(size)
        for product in (long, empty):
            for kind, section in (("item", ""), ("sub", "Features"), ("sub", "Description"), ("sub", "Reviews"), ("done", "")):
                chosen = {group: values[-1] for group, values in product.options.items()}
                draw(picture, Page(kind, "q" * 900, 1, product=product, section=section, options=chosen))  # type: ignore[arg-type]
                assert kind == "done" or {"click[buy now]", "click[< prev]"} & clickable(picture)
        draw(picture, Page("results", "nothing", 9))
        assert clickable(picture) == {"click[back to search]", "click[< prev]", "click[next >]"}


@pytest.mark.parametrize("size", [(479, 360), (480, 359), (9000, 700), "large"])
def test_a_size_that_cannot_be(size: object) -> None:
    with pytest.raises(CanvasSizeError):
        ShopPicture(size)  # type: ignore[arg-type]


# --- the render modes


def test_an_environment_draws_when_asked(tasks: list[str]) -> None:
    env = WebShopEnv(render_mode="rgb_array", render_size=(640, 480))
    env.reset(options={"task": tasks[0]})
    first = env.render()
    env.step("search[lamp]")
    second = env.render()
    assert first is not None
    assert second is not None
    assert first.shape == second.shape == (480, 640, 3)
    assert first.dtype == np.uint8
    assert not np.array_equal(first, second)
    env.close()


def test_a_window_shows_every_page_until_it_is_closed(tasks: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "SDL_VIDEODRIVER", "dummy")
    shown: list[Canvas] = []
    monkeypatch.setattr(Window, "show", lambda window, canvas: shown.append(canvas.copy()))
    monkeypatch.setattr(Window, "wait", lambda window, milliseconds: None)
    env = WebShopEnv(render_mode="human")
    env.reset(options={"task": tasks[0]})
    env.step("search[lamp]")
    assert env.render() is None
    assert len(shown) == 2
    assert not np.array_equal(shown[0].to_array(), shown[1].to_array())
    env.close()
    env.step("click[back to search]")
    assert len(shown) == 2


def test_nothing_is_shown_before_anything_is(goal_shop: GoalShop) -> None:
    viewer = Viewer("rgb_array", LEAST_SIZE, LEAST_SIZE, 2)
    assert viewer.frame() is None
    viewer.begin(ShopPicture(LEAST_SIZE), PageView(goal_shop.shop.home(), "Find me a lamp"), "")
    assert viewer.frame() is not None
    viewer.close()


def test_a_mode_that_there_is_not() -> None:
    with pytest.raises(RenderModeError, match="render_mode='ansi' draws nothing; make the environment with one of: 'human', 'rgb_array'"):
        WebShopEnv(render_mode="ansi")
