"""Replays: what a replay holds, where episodes come from, the player's keys and buttons, the window, and an episode watched live."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import gymnasium
import pytest

from homebody.agents import EpisodeRecord, RolloutConfig
from homebody.agents.episode import HELD_BACK, ModelCall
from homebody.agents.models.backend import Usage
from homebody.agents.record import Question, StepRecord
from homebody.envs import EnvError
from homebody.envs.canvas import Canvas
from homebody.envs.window import Event, Window
from homebody.evolution.store import Store
from homebody.scripts.commands.watch import watch as watch_command
from homebody.scripts.group import cli
from homebody.scripts.view.layout import LEAST, LEAST_TWO, Layout
from homebody.scripts.view.live import watch_live
from homebody.scripts.view.player import BUTTONS, SPEEDS, Player, open_window, watch
from homebody.scripts.view.replay import Replay, ReplayError
from homebody.scripts.view.scene import TextScene
from homebody.scripts.view.source import Stored, read_file

Command = Callable[..., Any]
Shows = Callable[..., list[Canvas]]
ESCAPE = Event("key", key="escape")


@pytest.fixture(autouse=True)
def command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(cli.commands, "watch", watch_command)


@pytest.fixture(scope="module")
def yard(load_module: Callable[[str], ModuleType]) -> ModuleType:
    """A text environment that is no house; loading it registers `Yard-v0`."""
    return load_module("agents/yard.py")


@pytest.fixture(scope="module")
def record(make_record: Callable[..., EpisodeRecord]) -> EpisodeRecord:
    """An episode that is won."""
    made = make_record("expert", 15)
    assert made.won
    return made


def reel_of(record: EpisodeRecord) -> Replay:
    return Replay.of(record, RolloutConfig("homebody/Household-v0", "random").make_env(), "seed")


def entry(step: int, command: str, observation: str = "", *, accepted: bool = True, **rest: Any) -> StepRecord:
    return StepRecord(step, 1, 1, "generate", command, command, accepted, observation, 0.0, True, **rest)


# --- a replay


def test_a_reel_plays_the_episode_again(record: EpisodeRecord) -> None:
    replay = reel_of(record)
    assert replay.differs == ""
    assert [moment.observation for moment in replay.moments] == [record.opening, *(step.observation for step in record.trace)]
    assert [moment.won for moment in replay.moments] == [False] * record.steps + [True]
    states = [moment.view for moment in replay.moments]
    assert all(state is not None for state in states)
    # A winning plan has no step that changes nothing.
    assert all(a is not None and (a != b).any() for a, b in pairwise(states))
    assert replay.end is not None
    assert replay.end.words == f"won in {record.steps} steps"
    assert (replay.goal, replay.last) == (record.goal, record.steps)


def test_a_reel_says_what_is_not_as_recorded(record: EpisodeRecord) -> None:
    trace = tuple(replace(step, observation="It rains.") if step.step == 2 else step for step in record.trace)
    replay = reel_of(replace(record, trace=trace))
    assert replay.differs == "the answer at step 2"
    assert replay.moments[2].observation == "It rains."
    assert reel_of(replace(record, opening="A cave.")).differs == "the first observation"


def test_what_was_not_sent_is_not_sent_again(yard: ModuleType) -> None:
    env = yard.Yard()
    replay = Replay(env, "one", 0, "seed", "random")
    replay.add(entry(1, "recall dock 1", "You remember nothing.", tool=True))
    replay.add(entry(1, "walk to dock 1", HELD_BACK, accepted=False))
    replay.add(entry(2, "walk to dock 2", "You walk to dock 2. You see nothing."))
    assert env.sent == ["walk to dock 2"]
    assert replay.differs == ""
    assert [moment.view for moment in replay.moments] == [None] * 4


def test_an_environment_that_fails_is_a_difference(yard: ModuleType) -> None:
    replay = Replay(yard.Yard(raises_at=1), "one", 0, "seed", "random")
    replay.add(entry(1, "wait", "You wait."))
    replay.add(entry(2, "wait", "You wait."))
    assert replay.differs == "step 1 (RuntimeError: the yard is flooded)"
    assert replay.last == 2


def test_an_environment_that_cannot_begin_again(yard: ModuleType) -> None:
    with pytest.raises(ReplayError, match=r"task 'one' cannot be played again: .* RuntimeError: the yard is flooded; check --env"):
        Replay(yard.Yard(raises_at=0), "one", 0, "seed", "random")


def test_an_environment_that_speaks_no_text(homebody: Command, make_record: Callable[..., EpisodeRecord], tmp_path: Path) -> None:
    symbolic = gymnasium.make("homebody/HouseholdSymbolic-v0")
    _, info = symbolic.reset(seed=0)
    content = Stored(make_record(), "seed").to_json() | {
        "task_id": info["task_id"],
        "env": "homebody/HouseholdSymbolic-v0",
        "model_calls": [],
    }
    (tmp_path / "a.json").write_text(json.dumps(content), "utf-8")
    answer = homebody("watch", tmp_path / "a.json", "--record", tmp_path / "a.png")
    assert answer.code == 2
    assert "its observations are a Dict, not a Text" in answer.error
    with pytest.raises(ReplayError, match="its observation is no text but a dict"):
        Replay(symbolic, info["task_id"], 0, "seed", "random")


@pytest.mark.parametrize(
    ("entries", "failure"),
    [
        ([("walk to dock 1", "a", True), ("fly", "b", False), ("wait", "c", True)], 2),
        ([("wait", "a", True), ("wait", "b", True), ("wait", "a", True), ("fly", "c", False)], 3),
        ([("wait", "a", True), ("wait", "b", True)], 2),
        ([], 0),
    ],
    ids=["refused", "looping", "end", "nothing"],
)
def test_the_first_failure(yard: ModuleType, entries: list[tuple[str, str, bool]], failure: int) -> None:
    replay = Replay(yard.Yard(), "one", 0, "seed", "random")
    for step, (command, observation, accepted) in enumerate(entries, 1):
        replay.add(entry(step, command, observation, accepted=accepted))
    assert replay.failure == failure


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"won": False, "steps": 1}, "not won in 1 step"),
        ({"won": False, "interrupted": "stalled"}, "ended: stalled"),
        ({"won": True, "steps": 4, "interrupted": "enough"}, "won in 4 steps"),
        ({"error": {"boundary": "step", "kind": "OSError", "message": "disk full"}}, "failed: OSError at step"),
    ],
)
def test_how_it_ended(record: EpisodeRecord, fields: dict[str, Any], words: str) -> None:
    replay = reel_of(replace(record, trace=(), **fields))
    assert replay.end is not None
    assert replay.end.words == words


# --- where episodes come from


def test_a_file_that_run_wrote_comes_back(homebody: Command, tmp_path: Path) -> None:
    homebody("run", "--policy", "random", "--max-steps", 2, "--json", tmp_path / "a.json")
    stored = read_file(str(tmp_path / "a.json"))
    assert stored.to_json() == json.loads((tmp_path / "a.json").read_text("utf-8"))
    assert [model_call is not None and model_call.usage == Usage() for model_call in stored.model_calls] == [True, True]
    assert stored.replay().differs == ""


def test_who_decided_comes_back_from_a_file(record: EpisodeRecord, tmp_path: Path) -> None:
    asked = Question("Where is a crate?", ((" shed.", -1.5), (" dock.", -2.25)))
    first, second, *rest = record.trace
    trace = (
        replace(first, decided_by="model", twin="look", questions=(asked,), readable=True, cut=False),
        replace(second, decided_by="fallback", repaired=True, readable=False, cut=True),
        *rest,
    )
    told = replace(record, trace=trace)
    (tmp_path / "a.json").write_text(json.dumps(Stored(told, "seed").to_json()), "utf-8")
    assert read_file(str(tmp_path / "a.json")).record == told


def test_an_episode_of_another_environment(yard: ModuleType, record: EpisodeRecord, tmp_path: Path) -> None:
    told = replace(record, task_id="one", opening=yard.Yard().reset()[0], trace=(entry(1, "wait", "You wait."),), steps=1)
    (tmp_path / "a.json").write_text(json.dumps(Stored(told, "seed", "Yard-v0").to_json()), "utf-8")
    replay = read_file(str(tmp_path / "a.json")).replay()
    assert (replay.differs, replay.last) == ("", 1)
    # A task of one environment in another one: the error of that one.
    with pytest.raises(EnvError, match="'one'"):
        read_file(str(tmp_path / "a.json")).replay("homebody/Household-v0")
    # Where the file does not say, it is asked for.
    bare = {key: value for key, value in json.loads((tmp_path / "a.json").read_text("utf-8")).items() if key != "env"}
    (tmp_path / "b.json").write_text(json.dumps(bare), "utf-8")
    assert read_file(str(tmp_path / "b.json")).replay("Yard-v0").differs == ""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, r".*a\.json cannot be read \(No such file or directory\); give what `homebody run --json` wrote, or a run directory"),
        ("{", r".*a\.json is not JSON \(Expecting property name.*; give what `homebody run --json` wrote, or a run directory"),
        ("[1]", r".*a\.json holds no episode that can be shown; give what this version's `homebody run --json` wrote"),
        ('{"episodes": []}', r".*a\.json holds no episode that can be shown"),
    ],
)
def test_a_file_that_is_no_episode(homebody: Command, tmp_path: Path, text: str | None, said: str) -> None:
    if text is not None:
        (tmp_path / "a.json").write_text(text, "utf-8")
    answer = homebody("watch", tmp_path / "a.json")
    assert answer.code == 2
    assert re.match(said, answer.error)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"trace": [{"step": 1}]}, "holds no episode that can be shown"),
        ({"trace": {}}, "holds no episode that can be shown"),
        ({"model_calls": [{"messages": 1}]}, "holds no episode that can be shown"),
        ({"model_calls": [{"messages": [], "usage": {}}]}, "holds no episode that can be shown"),
        ({"model_calls": ["x"]}, "holds no episode that can be shown"),
        ({"steps": "two"}, "holds no episode that can be shown"),
        ({"error": "broken"}, "holds no episode that can be shown"),
        ({"policy": ["no-model"]}, "holds no episode that can be shown"),
        ({"changed": [{"hook": "task_start"}]}, "holds no episode that can be shown"),
        ({"usage": {"coins": 3}}, "holds no episode that can be shown"),
        ({"env_kwargs": ["holdout"]}, "holds no episode that can be shown"),
        ({"usage": {"seconds": float("inf")}}, "is not JSON \\(Infinity is no number of JSON\\)"),
        ({"reward": 10**400}, "is not JSON \\(a whole number has 401 digits\\)"),
        ({"model_calls": [None]}, r"holds 1 model_calls for \d+ entries; write it again with homebody run --json"),
    ],
)
def test_a_file_that_was_changed(record: EpisodeRecord, tmp_path: Path, change: dict[str, Any], said: str) -> None:
    content = Stored(record, "seed").to_json() | change
    (tmp_path / "a.json").write_text(json.dumps(content), "utf-8")
    with pytest.raises(click.UsageError, match=said):
        read_file(str(tmp_path / "a.json"))


def test_a_file_with_a_mark_and_with_half_a_pair(record: EpisodeRecord, tmp_path: Path) -> None:
    content = json.dumps(Stored(record, "seed").to_json() | {"goal": "half a pair: \ud800"})
    (tmp_path / "a.json").write_text(f"\ufeff{content}", "utf-8")
    assert read_file(str(tmp_path / "a.json")).record.goal == "half a pair: \ufffd"
    (tmp_path / "a.json").write_text(content, "utf-16")
    with pytest.raises(click.UsageError, match=r"a\.json is UTF-16, not UTF-8; give what"):
        read_file(str(tmp_path / "a.json"))


@pytest.mark.parametrize(
    "change",
    [
        {"command": None}, {"observation": ["You", "see"]}, {"response": 3}, {"scores": [["look"]]}, {"scores": [["look", "high"]]},
        {"subgoal": {"phase": "act"}}, {"decided_by": "chance"}, {"decided_by": None}, {"twin": 3}, {"cut": "yes"}, {"readable": 1},
        {"questions": [{"prompt": "Where?"}]}, {"questions": [{"prompt": "Where?", "answers": [["here"]]}]},
        {"questions": [{"prompt": "Where?", "answers": []}]}, {"usable": None},
        {"notes": {"detail": 5}}, {"adapted": {"rule": "retry"}}, {"step": "1"},
    ],
)  # fmt: skip
def test_an_entry_that_was_changed(homebody: Command, record: EpisodeRecord, tmp_path: Path, change: dict[str, Any]) -> None:
    content = Stored(record, "seed").to_json()
    content["trace"] = [content["trace"][0] | change, *content["trace"][1:]]
    (tmp_path / "a.json").write_text(json.dumps(content), "utf-8")
    answer = homebody("watch", tmp_path / "a.json", "--record", tmp_path / "a.png")
    assert answer.code == 2
    assert "holds no episode that can be shown" in answer.error


def test_an_episode_of_a_run_that_was_changed(homebody: Command, record: EpisodeRecord, tmp_path: Path) -> None:
    with Store(tmp_path / "run") as store:
        store.add_episode("good", record)
        store.add_episode("bad", replace(record, trace=(replace(record.trace[0], decided_by="chance"),)))
    assert homebody("watch", tmp_path / "run").code == 0
    assert homebody("watch", tmp_path / "run", "--episode", 1, "--record", tmp_path / "a.png").code == 0
    assert "holds no episode that can be shown" in homebody("watch", tmp_path / "run", "--episode", 2).error


def test_a_run_lists_its_episodes(homebody: Command, loaded: Command, run_dir: Path, tmp_path: Path) -> None:
    answer = homebody("watch", run_dir, "--json", tmp_path / "list.json")
    assert (answer.code, answer.err) == (0, "")
    head, *lines = answer.out.splitlines()
    assert head.split() == ["episode", "task", "harness", "policy", "won", "steps", "by_model"]
    with Store(run_dir, readonly=True) as store:
        kept = list(store.episodes().values())
    assert [line.split()[:2] for line in lines] == [[str(number), item["task_id"]] for number, item in enumerate(kept, 1)]
    assert lines[0].split()[2:] == ["seed", "no-model", "no", "3", "-"]
    assert loaded(tmp_path / "list.json")[0] == {
        "episode": 1, "task": kept[0]["task_id"], "harness": "seed", "policy": "no-model", "won": "no", "steps": 3,
        "by_model": "-",
    }  # fmt: skip


def test_the_list_says_how_many_steps_the_model_decided(homebody: Command, record: EpisodeRecord, tmp_path: Path) -> None:
    first, second, *rest = record.trace
    steps = [replace(first, decided_by="model", twin="look"), replace(second, decided_by="reading", twin="look")]
    with Store(tmp_path / "run") as store:
        store.add_episode("a", replace(record, trace=(*steps, *(replace(step, twin=step.command) for step in rest))))
        store.add_episode("b", record)
    _, *lines = homebody("watch", tmp_path / "run").out.splitlines()
    assert [line.split()[-2:] for line in lines] == [[str(record.steps), "2"], [str(record.steps), "-"]]


def test_an_episode_of_a_run_by_number_and_by_task(
    homebody: Command, loaded: Command, run_dir: Path, tmp_path: Path, no_display: None
) -> None:
    out = ("--size", "960x600", "--record", tmp_path / "a.png", "--json", tmp_path / "a.json")
    assert homebody("watch", run_dir, "--episode", 2, *out).code == 0
    task_id = loaded(tmp_path / "a.json")["task_id"]
    assert homebody("watch", run_dir, "--episode", task_id, *out).code == 0
    assert loaded(tmp_path / "a.json")["task_id"] == task_id
    assert homebody("watch", tmp_path / "a.json", "--beside", run_dir, *out).code == 0
    assert homebody("watch", run_dir, "--episode", 2, "--beside", 2, *out).code == 0
    assert (tmp_path / "a.png").stat().st_size > 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--episode", 0), r"--episode is 0 and .* holds episodes 1 to \d+; without --episode they are listed"),
        (("--episode", "test/none"), "no episode of .* plays the task 'test/none'; without --episode they are listed"),
        (("--episode", 1, "--beside", 2), "--beside plays .* and not .*; give two episodes of one task"),
        (("--episode", 1, "--beside", "none.json"), r"none\.json cannot be read \(No such file or directory\)"),
        (("--record", "a.gif"), r"--record is of one episode, and .* is a run; give --episode N, without it they are listed"),
        (("--beside", 1), "--beside is of one episode"),
        (("--size", "320x300"), "--size is of one episode"),
        (("--episode", 1, "--data-dir", "x"), "--data-dir is 'x' and homebody/Household-v0 reads no files"),
        (("--episode", 1, "--env", "Nothing-v0"), "environment 'Nothing-v0' cannot be made"),
    ],
)
def test_what_a_run_has_not(homebody: Command, run_dir: Path, options: Sequence[object], said: str) -> None:
    answer = homebody("watch", run_dir, *options)
    assert answer.code == 2
    assert re.match(said, answer.error)


def test_a_file_holds_one_episode(homebody: Command, record: EpisodeRecord, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(Stored(record, "seed").to_json()), "utf-8")
    answer = homebody("watch", tmp_path / "a.json", "--episode", 1)
    assert (answer.code, "which holds one episode; leave it out" in answer.error) == (2, True)


def test_runs_without_an_episode_and_folders_without_a_run(homebody: Command, tmp_path: Path) -> None:
    Store(tmp_path / "run").close()
    assert homebody("watch", tmp_path / "run").error.endswith("holds no episode yet; wait for the first, or give another run")
    (tmp_path / "none").mkdir()
    assert "holds no run" in homebody("watch", tmp_path / "none").error


def test_a_difference_is_told(homebody: Command, record: EpisodeRecord, tmp_path: Path) -> None:
    content = Stored(replace(record, opening="A cave."), "seed").to_json()
    (tmp_path / "a.json").write_text(json.dumps(content), "utf-8")
    answer = homebody("watch", tmp_path / "a.json", "--record", tmp_path / "a.png")
    assert answer.code == 0
    assert answer.error == "seed: the first observation is not as recorded; give the right environment and data by --env and --data-dir"


# --- the player


@pytest.fixture
def player(record: EpisodeRecord) -> Player:
    made = Player(Layout([reel_of(record)], LEAST, has_buttons=True))
    made.tick(0.0)
    return made


def key(name: str, text: str = "") -> Event:
    return Event("key", key=name, text=text)


def button(player: Player, label: str) -> Event:
    box = next(box for box, (name, _, _) in player._buttons() if name == label)
    return Event("click", x=box.center[0], y=box.center[1])


def test_it_plays_by_itself_to_the_end_and_stops(player: Player) -> None:
    seen, now = [player.layout.at], 0.0
    while player.is_playing:
        now += 10.0
        player.tick(now)
        if player.layout.at != seen[-1]:
            seen.append(player.layout.at)
    assert seen == list(range(1, player.layout.last + 1))
    player.handle(key("space"))
    assert (player.is_playing, player.layout.at) == (True, 0)


def test_twice_as_fast_takes_half_the_time(record: EpisodeRecord) -> None:
    def time(*events: Event) -> float:
        player, now = Player(Layout([reel_of(record)], LEAST, has_buttons=True)), 0.0
        for event in events:
            player.handle(event)
        player.tick(now)
        while player.is_playing:
            now += 0.5
            player.tick(now)
        return now

    usual = time()
    assert time(key("+", "+")) == pytest.approx(usual / 2, rel=0.05)
    assert time(key("-", "-")) == pytest.approx(usual * 2, rel=0.05)


@pytest.mark.parametrize("by", ["key", "button"])
def test_keys_and_buttons(player: Player, by: str) -> None:
    def do(label: str) -> None:
        name = next(key for name, key, _ in BUTTONS if name == label)
        named = {"Esc": "escape"}.get(name, name.lower())
        player.handle(key(named, named if len(named) == 1 else "") if by == "key" else button(player, label))

    last = player.layout.last
    do("End")
    assert (player.layout.at, player.is_playing) == (last, False)
    do("Back")
    assert player.layout.at == last - 1
    do("Next")
    assert player.layout.at == last
    do("Next")
    assert player.layout.at == last
    do("Start")
    assert player.layout.at == 0
    do("Back")
    assert player.layout.at == 0
    do("Failure")
    assert player.layout.at == last  # this episode has none
    for _ in SPEEDS:
        do("Faster")
    assert player.speed == max(SPEEDS)
    for _ in SPEEDS:
        do("Slower")
    assert player.speed == min(SPEEDS)
    do("Close")
    assert player.is_closed


def test_a_click_on_the_line_of_steps_goes_there(player: Player) -> None:
    track = player.layout._track
    player.handle(Event("click", x=track.right, y=track.center[1]))
    assert player.layout.at == player.layout.last
    player.handle(Event("click", x=track.x, y=track.center[1]))
    assert player.layout.at == 0
    player.handle(Event("click", x=5, y=5))
    player.handle(Event("move", x=5, y=5))
    player.handle(key("x", "x"))
    assert (player.layout.at, player.is_closed) == (0, False)


def test_the_failure_of_either_of_two(yard: ModuleType, record: EpisodeRecord) -> None:
    replays = [Replay(yard.Yard(), "one", 0, title, "random") for title in ("seed", "evolved")]
    for step in (1, 2, 3):
        replays[0].add(entry(step, "fly", "Nothing moves.", accepted=step != 2))
        replays[1].add(entry(step, f"walk to dock {step}", "You walk."))
    player = Player(Layout(replays, LEAST_TWO, has_buttons=True))
    player.handle(key("f", "f"))
    assert player.layout.at == 2
    assert all(isinstance(scene, TextScene) for scene in player.layout.scenes)
    assert player.draw().width == 960


# --- the window


def test_the_window_shows_and_closes(homebody: Command, shows: Shows, record: EpisodeRecord, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(Stored(record, "seed").to_json()), "utf-8")
    shown = shows([], [key("end")], [], [ESCAPE])
    answer = homebody("watch", tmp_path / "a.json", "--size", "960x600")
    assert (answer.code, answer.err) == (0, "")
    assert len(shown) >= 2
    first, last = shown[0].to_array(), shown[-1].to_array()
    assert first.shape == last.shape == (600, 960, 3)
    assert (first != last).any()


def test_a_person_closes_the_window(shows: Shows, player: Player) -> None:
    shown = shows([], [])
    window = open_window(LEAST, "test", "")
    watch(player, window)
    assert not window.is_open
    assert len(shown) >= 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("run", "--policy", "no-model", "--watch"), "leave --watch out, or give --record FILE.gif"),
        (("watch", "FILE"), "record it instead: --record FILE.gif"),
    ],
)
@pytest.mark.parametrize(
    ("variables", "problem"),
    [
        (
            {},
            "no window can be opened: there is no display (neither DISPLAY nor WAYLAND_DISPLAY is set); ",
        ),
        (
            {"DISPLAY": "nonsense"},
            "no window can be opened: no display answers at DISPLAY=nonsense; ",
        ),
        (
            {"SDL_VIDEODRIVER": "dummy"},
            "SDL_VIDEODRIVER is 'dummy', which shows nothing; unset it, or ",
        ),
    ],
)
def test_no_display(
    homebody: Command,
    no_display: None,
    monkeypatch: pytest.MonkeyPatch,
    record: EpisodeRecord,
    tmp_path: Path,
    arguments: Sequence[str],
    said: str,
    variables: dict[str, str],
    problem: str,
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "a.json").write_text(json.dumps(Stored(record, "seed").to_json()), "utf-8")
    answer = homebody(*(tmp_path / "a.json" if argument == "FILE" else argument for argument in arguments))
    assert (answer.code, answer.out) == (2, "")
    assert answer.error == f"{problem}{said}"


# --- live


def test_run_is_watched_and_goes_on_when_the_window_is_closed(
    homebody: Command, loaded: Command, shows: Shows, tmp_path: Path, record: EpisodeRecord
) -> None:
    shows([])
    answer = homebody("run", "--policy", "expert", "--watch", "--json", tmp_path / "a.json")
    assert (answer.code, answer.err) == (0, "")
    assert loaded(tmp_path / "a.json")["trace_hash"] == record.trace_hash
    assert f"won in {record.steps} steps" in answer.out


def live(record: EpisodeRecord) -> Layout:
    return Layout(
        [Replay(RolloutConfig("homebody/Household-v0", "random").make_env(), record.task_id, 0, "seed", "expert")], LEAST, has_buttons=True
    )


def telling(record: EpisodeRecord) -> Callable[..., EpisodeRecord]:
    def play(on_step: Callable[[Any], None], on_decision: Callable[[ModelCall], None]) -> EpisodeRecord:
        for step in record.trace:
            on_decision(ModelCall((), Usage()))
            on_step(step)
        return record

    return play


def test_a_live_reel_grows_until_the_end(shows: Shows, record: EpisodeRecord, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = shows()
    layout = live(record)
    monkeypatch.setattr(Window, "events", lambda self: [ESCAPE] if layout.replays[0].end else [])
    told: list[Any] = []
    model_calls: list[ModelCall | None] = []
    assert watch_live(telling(record), layout, open_window(LEAST, "test", ""), told.append, model_calls) is record
    (replay,) = layout.replays
    assert (replay.last, replay.differs, tuple(told)) == (record.steps, "", record.trace)
    assert replay.end is not None
    assert replay.end.won
    assert model_calls == [ModelCall((), Usage())] * record.steps
    assert all(moment.model_call is not None for moment in replay.moments[1:])
    assert shown


def test_an_error_of_the_live_episode_is_raised(shows: Shows, record: EpisodeRecord, monkeypatch: pytest.MonkeyPatch) -> None:
    def play(on_step: object, on_decision: object) -> EpisodeRecord:
        raise OSError("disk full")

    shows()
    monkeypatch.setattr(Window, "events", lambda self: [])
    with pytest.raises(OSError, match="disk full"):
        watch_live(play, live(record), open_window(LEAST, "test", ""), lambda entry: None, [])


def test_an_interrupt_ends_the_live_episode_at_its_next_step(shows: Shows, record: EpisodeRecord, monkeypatch: pytest.MonkeyPatch) -> None:
    def steps() -> Iterator[Any]:
        while True:
            yield from record.trace

    def play(on_step: Callable[[Any], None], on_decision: object) -> EpisodeRecord:
        for step in steps():
            on_step(step)
        raise AssertionError

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    shows([])
    monkeypatch.setattr("homebody.scripts.view.live.watch", interrupted)
    with pytest.raises(KeyboardInterrupt):
        watch_live(play, live(record), open_window(LEAST, "test", ""), lambda entry: None, [])
