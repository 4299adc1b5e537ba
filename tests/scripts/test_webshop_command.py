"""`homebody webshop`, and episodes of the shop in the viewers."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from homebody.envs.webshop.env import WebShopEnv
from homebody.envs.webshop.site.site import Site
from homebody.envs.window import Event
from homebody.scripts.commands.webshop import webshop
from homebody.scripts.group import cli
from homebody.scripts.view.human import StoppedError, ask_on_terminal, ended
from homebody.scripts.view.play import PlayLayout
from homebody.scripts.view.replay import Replay
from homebody.scripts.view.scene import PictureScene, TextScene, scene_of

Command = Callable[..., Any]
ENV = "homebody.envs.webshop.env:WebShopEnv"
MENU = ("click[back to search]", "search[{text}]")


@pytest.fixture(autouse=True)
def command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(cli.commands, "webshop", webshop)


# --- the command


def test_the_built_in_catalogue_is_measured(homebody: Command, tmp_path: Path) -> None:
    answer = homebody("webshop", "catalogue", "--tasks", 20, "--json", tmp_path / "f.json")
    found = json.loads((tmp_path / "f.json").read_text("utf-8"))
    assert (answer.code, answer.err) == (0, "")
    assert found["products"] == 1000
    assert found["attainable"] == found["top_50"] == 1.0
    assert 0 < found["first_result"] < 1
    assert "100.0%  can be bought with the full reward" in answer.out
    assert f"{100 * found['first_result']:.1f}%  are solved by buying the first result" in answer.out


def test_the_built_in_catalogue_as_upstreams_files(homebody: Command, tmp_path: Path) -> None:
    answer = homebody("webshop", "catalogue", "--catalogue-size", 60, "--tasks", 5, "--out", tmp_path / "files")
    assert answer.code == 0
    assert f"{tmp_path / 'files' / 'items_shuffle_1000.json'} written" in answer.out
    same = homebody("webshop", "catalogue", "--data-dir", tmp_path / "files", "--catalogue-size", 60, "--tasks", 5)
    assert same.code == 0
    assert same.out == "".join(answer.out.splitlines(keepends=True)[:-2])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("catalogue", "--out", "x", "--data-dir", "y"), "--out writes the built-in catalogue, and --data-dir is 'y'; give one of them"),
        (("catalogue", "--catalogue-size", "0"), "catalogue_size=0 is not possible"),
        (("catalogue", "--split", "tset"), "unknown split 'tset'; did you mean test?"),
        (("catalogue", "--tasks", "0"), "0 tasks of split 'test' were asked for"),
        (("serve", "--task", "none"), "unknown task 'none'"),
        (("serve", "--goals", "human"), "goals='human' is not possible"),
        (("serve", "--data-dir", "nowhere"), "nowhere: is not there; point data_dir"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_a_line(homebody: Command, options: tuple[str, ...], said: str) -> None:
    answer = homebody("webshop", *options)
    assert answer.code == 2
    assert said in answer.error


def test_the_website_is_served(homebody: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    served: list[tuple[Site, int]] = []

    def serve(site: Site, port: int, ready: Callable[[str], None]) -> None:
        served.append((site, port))
        ready("http://127.0.0.1:1234/")

    monkeypatch.setattr("homebody.envs.webshop.site.site.serve", serve)
    task = WebShopEnv.task_source().tasks("test", 1)[0].task_id
    answer = homebody("webshop", "serve", "--port", 0, "--task", task, "--hide-score")
    assert (answer.code, answer.out) == (0, "http://127.0.0.1:1234/ shows 1000 products; Ctrl-C ends it\n")
    (site, port), base = served[0], served[0][0].enter()
    assert port == 0
    visit = site.visit(base)
    assert visit is not None
    assert visit.goal.goal_id == task


# --- in the viewers


@pytest.fixture
def replay() -> Replay:
    env = WebShopEnv()
    return Replay(env, env.goal_shop.source.tasks("test", 1)[0].task_id, 0, "seed", "human")


def test_a_reel_of_the_shop_is_drawn(replay: Replay) -> None:
    scene = scene_of(replay, (640, 480))
    assert isinstance(scene, PictureScene)
    assert scene.is_picture
    assert isinstance(scene_of(replay, (320, 240)), TextScene)


def test_an_episode_is_recorded(homebody: Command, tmp_path: Path) -> None:
    where = tmp_path / "episode.json"
    assert homebody("run", "--env", ENV, "--harness", "generic-act", "--policy", "expert", "--split", "test", "--json", where).code == 0
    assert homebody("watch", where, "--record", tmp_path / "one.gif", "--size", "960x600").code == 0
    assert homebody("watch", where, "--beside", where, "--record", tmp_path / "two.png", "--size", "1280x900").code == 0
    assert (tmp_path / "one.gif").stat().st_size > 10_000


def test_a_person_searches_and_clicks_in_the_picture(replay: Replay) -> None:
    layout = PlayLayout(replay, (960, 720))
    layout.offer(["search[{text}]"], 20)
    layout.draw()
    spot = next((x, y) for x in range(0, 640, 8) for y in range(100, 720, 8) if layout.scene.named(x, y))
    assert layout.handle(Event("click", x=spot[0], y=spot[1])) is None
    assert layout.typed == "search["
    for letter in "lamp":
        layout.handle(Event("key", key=letter, text=letter))
    assert layout.handle(Event("key", key="return")) == "search[lamp]"
    layout.offer(["click[red]", "search[{text}]"], 19)
    layout.handle(Event("key", key="down"))
    layout.handle(Event("key", key="down"))
    assert layout.handle(Event("key", key="return")) is None
    assert layout.typed == "search["


@pytest.mark.parametrize(
    ("typed", "sent"),
    [
        ("search[red shoes", "search[red shoes]"),
        ("search[red shoes]", "search[red shoes]"),
        ("search[", "search["),
        ("click[back", "click[back"),
        ("fly", "fly"),
    ],
)
def test_the_end_of_a_command_need_not_be_typed(typed: str, sent: str) -> None:
    assert ended(typed, MENU) == sent


@pytest.mark.parametrize(
    ("lines", "sent"), [(["2", "red shoes"], "search[red shoes]"), (["search", "tea"], "search[tea]"), (["search[tea"], "search[tea]")]
)
def test_a_person_searches_on_a_terminal(monkeypatch: pytest.MonkeyPatch, lines: list[str], sent: str) -> None:
    assert ask(monkeypatch, lines) == sent


def test_a_person_stops_where_a_text_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StoppedError):
        ask(monkeypatch, ["2"])


def ask(monkeypatch: pytest.MonkeyPatch, lines: list[str]) -> str:
    monkeypatch.setattr("sys.stdin", io.StringIO("".join(f"{line}\n" for line in lines)))
    event: Any = SimpleNamespace(observation="a page", candidates=MENU, steps_left=3)
    return ask_on_terminal(event)
