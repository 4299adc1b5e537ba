"""`homebody data alfworld`, against a server on loopback and folders of our own."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from homebody.envs.household.alfworld import data_check
from homebody.envs.household.export import to_game_file
from homebody.envs.household.houses.houses import HouseSource

Command = Callable[..., Any]


@pytest.fixture(scope="module")
def games() -> dict[str, str]:
    """Two games, by their paths."""
    source = HouseSource()
    names = {"train/kitchen-heat-000001": "train/pick_heat_then_place_in_recep-Own-None-Own-1/trial_T1", "test/bathroom-place-000000": ""}
    names["test/bathroom-place-000000"] = "valid_unseen/pick_and_place_simple-Own-None-Own-2/trial_T2"
    return {f"json_2.1.1/{path}/game.tw-pddl": to_game_file(source.load(task_id)) for task_id, path in names.items()}


@pytest.fixture
def url(http_server: Callable[..., Any], games: dict[str, str]) -> str:
    """Where an archive of the games is to be had."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        for name, text in games.items():
            file.writestr(name, text)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path != "/games.zip":
                self.send_error(404, "no such asset")
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(out.getvalue())))
            self.end_headers()
            self.wfile.write(out.getvalue())

    return f"http://127.0.0.1:{http_server(Handler).server_port}/games.zip"


@pytest.fixture
def as_released(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the release have just the games of these tests."""
    monkeypatch.setattr(data_check, "RELEASE", {"train": (0, 0, 0, 1, 0, 0), "valid_unseen": (1, 0, 0, 0, 0, 0)})


@pytest.mark.usefixtures("as_released")
def test_games_are_fetched_and_checked(homebody: Command, loaded: Command, url: str, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    answer = homebody("data", "alfworld", "--dir", folder, "--url", url, "--json", tmp_path / "r.json")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.splitlines()[:2] == ["train: 1 games", "  pick_and_place_simple: 0"]
    assert answer.out.splitlines()[-1] == f"{folder}: complete and sound; export ALFWORLD_DATA={folder}"
    result = loaded(tmp_path / "r.json")
    assert result["complete"] is True
    assert result["splits"]["train"]["by_type"]["pick_heat_then_place_in_recep"] == 1
    again = homebody("data", "alfworld", "--dir", folder, "--url", url)
    assert (again.code, again.out) == (2, "")
    assert "is there already; check it with --check" in again.error
    checked = homebody("data", "alfworld", "--dir", folder, "--check")
    assert (checked.code, checked.out) == (0, answer.out)


@pytest.mark.usefixtures("as_released")
def test_the_address_and_the_folder_may_stand_in_the_environment(
    homebody: Command, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOMEBODY_ALFWORLD_URL", url)
    monkeypatch.setenv("ALFWORLD_DATA", "my data")
    monkeypatch.chdir(tmp_path)
    answer = homebody("data", "alfworld")
    assert answer.code == 0
    assert answer.out.splitlines()[-1] == f"my data: complete and sound; export ALFWORLD_DATA='{tmp_path}/my data'"
    assert (tmp_path / "my data" / "json_2.1.1" / "train").is_dir()


def test_what_a_folder_lacks_and_what_is_wrong_is_said(homebody: Command, loaded: Command, games: dict[str, str], tmp_path: Path) -> None:
    for name, text in games.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True)
        path.write_text(text if "valid_unseen" in name else text[:-100])
    for number in range(25):
        path = tmp_path / f"json_2.1.1/valid_seen/pick_and_place_simple-Own-None-Own-2/trial_T{number}/game.tw-pddl"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps({**json.loads(games[next(iter(games))]), "solvable": False}))
    answer = homebody("data", "alfworld", "--check", "--dir", tmp_path, "--json", tmp_path / "r.json")
    assert (answer.code, answer.err) == (2, "")
    lines = answer.out.splitlines()
    assert "train: 0 games, 3553 of the release's 3553 missing" in lines
    assert "valid_seen: 0 games, 25 left out as ALFWorld does, 140 of the release's 140 missing" in lines
    assert "  pick_and_place_simple: 1, 23 missing" in lines
    assert any(line.startswith("unreadable: json_2.1.1/train/") and "is not JSON" in line for line in lines)
    assert sum(line.startswith("unsolvable, by its own word: json_2.1.1/valid_seen/") for line in lines) == 19
    assert "and 6 more; --json FILE writes them all" in lines
    assert lines[-1] == f"{tmp_path}: not complete: 1 at fault, 3826 missing"
    assert len(loaded(tmp_path / "r.json")["unsolvable"]) == 25


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--check", "--dir", "nowhere"), "no ALFWorld data: 'nowhere' is not a folder"),
        (("--sha256", "12"), "sha256 is '12'; give 64 hexadecimal digits"),
        (("--url", "games.zip"), "could not fetch games.zip: unknown url type"),
        (("--json", "nowhere/r.json"), "cannot write nowhere/r.json: there is no folder nowhere"),
    ],
)
def test_wrong_use_is_one_line(
    homebody: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ALFWORLD_DATA", str(tmp_path / "data"))
    answer = homebody("data", "alfworld", *arguments)
    assert (answer.code, answer.out) == (2, "")
    assert message in answer.error


def test_an_address_that_has_nothing_is_one_line(homebody: Command, url: str, tmp_path: Path) -> None:
    answer = homebody("data", "alfworld", "--dir", tmp_path, "--url", url.replace("games", "none"))
    assert (answer.code, answer.out) == (2, "")
    assert "no such asset" in answer.error
