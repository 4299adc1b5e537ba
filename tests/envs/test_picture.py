"""The picture of an episode: what the agent knows is shown, what it does not know is not, and environments render it."""

from __future__ import annotations

import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pygame
import pytest
from numpy.typing import NDArray

import homebody.envs
from homebody.envs.canvas import BLUE, INK, WHITE, Box, Canvas, CanvasSizeError, Color
from homebody.envs.core import EnvError, NotResetError, RenderModeError
from homebody.envs.household.engine.engine import TextGame
from homebody.envs.household.engine.game import compile_game
from homebody.envs.household.engine.problem import Goal, GoalKind, Problem
from homebody.envs.household.engine.vocabulary import receptacle_kinds, room_plans
from homebody.envs.household.env import AlfWorldEnv, ProceduralEnv
from homebody.envs.household.houses.houses import HouseSource
from homebody.envs.household.picture import LEAST_SIZE, HousePicture, art, icons
from homebody.envs.household.picture.art import Measures
from homebody.envs.household.picture.panel import Shown, draw_footer, draw_header, header_height
from homebody.envs.household.picture.seen import Seen
from homebody.envs.window import DisplayError

KITCHEN_TASK = "train/kitchen-clean-000123"


class Episode:
    """A game that is played and drawn."""

    def __init__(self, problem: Problem, size: tuple[int, int] = (960, 720)) -> None:
        self.play = TextGame(compile_game(problem))
        self.picture = HousePicture(self.play.game, size)
        self.picture.see(self.play.state, answer="Welcome")
        self.n_steps = 0

    def do(self, *commands: str) -> str:
        answer = ""
        for command in commands:
            self.n_steps += 1
            answer = self.play.step(command)
            self.picture.see(self.play.state, command, answer, self.n_steps, won=self.play.won)
        return answer

    def piece(self, name: str) -> NDArray[np.uint8]:
        """Return the part of the picture that shows a receptacle."""
        x, y, width, height = self.picture.plan.pieces[self.play.game.receptacles.index(name)].box
        return self.picture.frame()[y : y + height, x : x + width]


def moved(problem: Problem, thing: str, to: str) -> Problem:
    """Return the same house with one thing in another receptacle at the start."""
    things = tuple(replace(t, inside=(to,)) if t.id == thing else t for t in problem.things)
    assert things != problem.things
    return replace(problem, things=things)


APPLE, FRIDGE, MICROWAVE = "apple_bar__plus_00_bar_01", "fridge_bar__plus_00_bar_00", "microwave_bar__plus_00_bar_00"

# --- what is shown


def test_frame_is_an_array_of_the_size(kitchen: Problem) -> None:
    for size in ((960, 720), (1920, 1080), LEAST_SIZE):
        frame = Episode(kitchen, size).picture.frame()
        assert (frame.shape, frame.dtype) == ((size[1], size[0], 3), np.uint8)


@pytest.mark.parametrize("size", [(639, 480), (640, 479), "big", (960.0, 720)])
def test_too_small_a_picture_is_refused(kitchen: Problem, size: object) -> None:
    with pytest.raises(CanvasSizeError, match=r"from \(640, 480\)"):
        HousePicture(compile_game(kitchen), size)  # type: ignore[arg-type]


def test_what_lies_in_a_closed_place_does_not_show(kitchen: Problem) -> None:
    here, there = Episode(kitchen), Episode(moved(kitchen, APPLE, MICROWAVE))
    assert (here.picture.frame() == there.picture.frame()).all()
    for episode in (here, there):
        episode.do("go to fridge 1")
    assert (here.piece("fridge 1") == there.piece("fridge 1")).all()
    for episode in (here, there):
        episode.do("open fridge 1")
    assert (here.piece("fridge 1") != there.piece("fridge 1")).any()
    assert (here.piece("microwave 1") == there.piece("microwave 1")).all()


def test_what_was_seen_in_an_open_place_shows_from_afar_and_not_once_it_is_closed(kitchen: Problem) -> None:
    full, empty = Episode(kitchen), Episode(moved(kitchen, APPLE, MICROWAVE))
    for episode in (full, empty):
        episode.do("go to fridge 1", "open fridge 1", "go to desk 1")
    assert (full.piece("fridge 1") != empty.piece("fridge 1")).any()
    for episode in (full, empty):
        episode.do("go to fridge 1", "close fridge 1", "go to desk 1")
    assert (full.piece("fridge 1") == empty.piece("fridge 1")).all()


def test_an_open_place_hides_its_things_until_the_agent_comes(kitchen: Problem) -> None:
    here, there = Episode(kitchen), Episode(moved(kitchen, "spoon_bar__plus_00_bar_00", FRIDGE))
    assert (here.piece("countertop 1") == there.piece("countertop 1")).all()
    before = here.piece("countertop 1")
    for episode in (here, there):
        episode.do("go to countertop 1")
    assert (here.piece("countertop 1") != before).any()
    assert (here.piece("countertop 1") != there.piece("countertop 1")).any()


def test_every_state_of_a_thing_shows(kitchen: Problem) -> None:
    episode = Episode(kitchen)
    episode.do("go to countertop 1", "take apple 2 from countertop 1")
    seen = [episode.picture.frame()]
    steps = (
        ("go to microwave 1", "heat apple 2 with microwave 1"),
        ("go to fridge 1", "cool apple 2 with fridge 1"),
        ("go to sinkbasin 1", "clean apple 2 with sinkbasin 1"),
    )
    for there, change in steps:
        assert episode.do(there) != "Nothing happens."
        before = episode.picture.frame()
        assert episode.do(change) != "Nothing happens."
        seen.append(episode.picture.frame())
        hand = Box(360, 620, 130, 60)
        assert (before[hand.y : hand.bottom, hand.x : hand.right] != seen[-1][hand.y : hand.bottom, hand.x : hand.right]).any()


def test_a_lamp_that_is_on_shows(kitchen: Problem) -> None:
    episode = Episode(replace(kitchen, goal=Goal(GoalKind.LIGHT, "Apple", "DeskLamp"), task="look at apple under the desklamp."))
    episode.do("go to desk 1")
    before = episode.piece("desk 1")
    assert episode.do("use desklamp 1") == "You turn on the desklamp 1."
    assert (episode.piece("desk 1") != before).any()


def test_what_is_held_the_command_and_the_step_show(kitchen: Problem) -> None:
    episode = Episode(kitchen)
    episode.do("go to countertop 1")
    before = episode.picture.frame()
    episode.do("take apple 2 from countertop 1")
    after = episode.picture.frame()
    for box in (Box(870, 9, 80, 26), Box(14, 620, 330, 60), Box(360, 620, 130, 90), Box(510, 620, 440, 90)):
        assert (before[box.y : box.bottom, box.x : box.right] != after[box.y : box.bottom, box.x : box.right]).any(), box


def test_winning_shows(kitchen: Problem) -> None:
    colors = []
    for won in (False, True):
        episode = Episode(kitchen)
        episode.picture.see(episode.play.state, "look", "", 1, won=won)
        colors.append({tuple(pixel) for pixel in episode.picture.frame()[:50].reshape(-1, 3).tolist()})
    assert art.DONE not in colors[0]
    assert art.DONE in colors[1]


def test_target_is_marked_only_where_the_task_names_a_place(kitchen: Problem) -> None:
    lit = replace(kitchen, goal=Goal(GoalKind.LIGHT, "Apple", "DeskLamp"), task="look at apple under the desklamp.")
    for problem, is_marked in ((kitchen, True), (lit, False)):
        episode = Episode(problem)
        found = {name for name in episode.play.game.receptacles if (episode.piece(name) == art.TARGET).all(axis=2).any()}
        assert found == ({"cabinet 1", "cabinet 2"} if is_marked else set())


def test_same_episode_gives_the_same_pictures(kitchen: Problem) -> None:
    first, second = Episode(kitchen), Episode(kitchen)
    for command in ("go to fridge 1", "open fridge 1", "take apple 1 from fridge 1", "nonsense", "go to desk 1"):
        first.do(command)
        first.picture.frame()
        second.do(command)
    # Pictures in between leave no trace: only what changed is drawn anew, and it is all that changed.
    assert (first.picture.frame() == second.picture.frame()).all()


def test_forgetting_begins_again(kitchen: Problem) -> None:
    episode = Episode(kitchen)
    first = episode.picture.frame()
    episode.do("go to fridge 1", "open fridge 1")
    episode.picture.forget()
    episode.play.reset()
    episode.picture.see(episode.play.state, answer="Welcome")
    assert (episode.picture.frame() == first).all()


def test_the_state_is_copied(kitchen: Problem) -> None:
    episode = Episode(kitchen)
    episode.do("go to fridge 1", "open fridge 1")
    episode.play.step("take apple 1 from fridge 1")
    late = episode.picture.frame()
    same = Episode(kitchen)
    same.do("go to fridge 1", "open fridge 1")
    assert (late == same.picture.frame()).all()


def test_it_draws_into_a_part_of_a_larger_canvas(kitchen: Problem) -> None:
    episode = Episode(kitchen, LEAST_SIZE)
    large = Canvas(900, 700, BLUE)
    episode.picture.draw(large.part(Box(100, 50, *LEAST_SIZE)))
    array = large.to_array()
    assert (array[50:530, 100:740] == episode.picture.frame()).all()
    array[50:530, 100:740] = BLUE
    assert (array == BLUE).all()


def test_names_are_found_by_pixel(kitchen: Problem) -> None:
    picture = Episode(kitchen).picture
    for name, piece in zip(picture.game.receptacles, picture.plan.pieces, strict=True):
        assert picture.at(*piece.box.center) == name
    assert picture.at(3, 3) == ""
    assert picture.at(*picture.plan.middle) == ""


def test_the_fullest_houses_are_drawn_in_the_smallest_picture() -> None:
    source = HouseSource(rooms=["home"], size=2.0, clutter=2.0)
    play = TextGame(compile_game(source.load("test/home-cool-000004")))
    picture = HousePicture(play.game, LEAST_SIZE)
    picture.see(play.state)
    for step, name in enumerate(play.game.receptacles, 1):
        picture.see(play.state, f"go to {name}", play.step(f"go to {name}"), step)
        picture.frame()


# --- walking


def test_the_agent_walks_and_finds_at_the_end(kitchen: Problem) -> None:
    episode = Episode(kitchen)
    unseen = episode.piece("countertop 1")
    episode.do("go to countertop 1")
    frames = list(episode.picture.frames(6))
    assert len(frames) == 6
    assert len({frame.tobytes() for frame in frames}) == 6
    x, y, width, height = episode.picture.plan.pieces[episode.play.game.receptacles.index("countertop 1")].box
    shown = [frame[y : y + height, x : x + width] for frame in frames]
    assert all((piece == unseen).all() for piece in shown[:-1])
    assert (shown[-1] != unseen).any()
    assert (frames[-1] == episode.picture.frame()).all()


def test_without_a_move_there_is_one_frame(kitchen: Problem) -> None:
    episode = Episode(kitchen)
    episode.do("inventory")
    assert len(list(episode.picture.frames(6))) == 1


def test_a_walk_that_is_cut_off_leaves_the_agent_on_its_way(kitchen: Problem) -> None:
    episode = Episode(kitchen)
    episode.do("go to desk 1")
    walk = episode.picture.walk(4)
    next(walk)
    underway = episode.picture.frame()
    episode.do("look")
    assert (episode.picture.frame() != underway).any()


# --- what the agent has seen


def seen_after(problem: Problem, *commands: str) -> tuple[set[str], set[str], str | None]:
    play = TextGame(compile_game(problem))
    seen = Seen(play.game)
    seen.look(play.state, "", play.reset())
    for command in commands:
        answer = play.step(command)
        seen.look(play.state, command, answer)
    names = play.game.receptacles
    return {names[r] for r in seen.inside}, {names[r] for r in seen.visited}, None if seen.at is None else names[seen.at]


def test_nothing_is_seen_at_the_start(kitchen: Problem) -> None:
    assert seen_after(kitchen) == (set(), set(), None)
    # Not even where it starts at a place: the first observation names it and no more.
    assert seen_after(replace(kitchen, agent_location="loc_bar_6_bar_0")) == (set(), {"desk 1"}, "desk 1")


def test_seen_is_what_was_answered(kitchen: Problem) -> None:
    assert seen_after(kitchen, "go to fridge 1") == (set(), {"fridge 1"}, "fridge 1")
    assert seen_after(kitchen, "go to fridge 1", "open fridge 1") == ({"fridge 1"}, {"fridge 1"}, "fridge 1")
    assert seen_after(kitchen, "go to desk 1", "go to fridge 1") == ({"desk 1"}, {"desk 1", "fridge 1"}, "fridge 1")


def test_of_two_places_at_one_spot_only_the_named_one_is_seen(kitchen: Problem) -> None:
    # Cabinet 2 is open from the start (ids sort against the numbers), and both are used from one spot.
    play = TextGame(compile_game(kitchen))
    opened = next(name for name in ("cabinet 1", "cabinet 2") if "is open" in TextGame(play.game).step(f"go to {name}"))
    closed = ({"cabinet 1", "cabinet 2"} - {opened}).pop()
    assert seen_after(kitchen, f"go to {closed}") == (set(), {closed}, closed)
    assert seen_after(kitchen, f"go to {closed}", f"examine {opened}") == ({opened}, {opened, closed}, opened)


def test_a_refused_command_shows_nothing(kitchen: Problem) -> None:
    assert seen_after(kitchen, "open fridge 1") == (set(), set(), None)
    assert seen_after(kitchen, "go to desk 1", "examine fridge 1") == ({"desk 1"}, {"desk 1"}, "desk 1")


def test_where_the_command_is_not_known_all_that_is_open_here_counts(kitchen: Problem) -> None:
    play = TextGame(compile_game(kitchen))
    seen = Seen(play.game)
    seen.look(play.state, "", "")
    play.step("go to cabinet 1")
    seen.look(play.state, "", "")
    opened = {name for name in ("cabinet 1", "cabinet 2") if "is open" in TextGame(play.game).step(f"go to {name}")}
    assert {play.game.receptacles[r] for r in seen.inside} == opened


# --- drawings


def test_every_type_has_a_drawing_of_its_own() -> None:
    furniture, things = icons.drawn_types()
    assert set(receptacle_kinds()) <= furniture
    assert {type_ for plan in room_plans().values() for type_ in plan.objects} <= things


def test_every_type_of_alfworld_has_a_drawing_of_its_own(alfworld: Path) -> None:
    furniture, things = icons.drawn_types()
    source = AlfWorldEnv(alfworld).source
    for task in source.tasks("test"):
        game = AlfWorldEnv.task_source(data_dir=alfworld).load(task.task_id).game
        assert set(game.receptacle_types) <= furniture
        assert set(game.object_types) <= things


def drawn(canvas: Canvas) -> bool:
    ground = Canvas(canvas.width, canvas.height, WHITE)
    ground.paste(canvas)
    return bool((ground.to_array() != 255).any())


def test_every_drawing_draws_and_holds_its_things() -> None:
    for type_ in [*icons.drawn_types()[0], "Unheard"]:
        for width, height in ((96, 54), (200, 54), (60, 20)):
            assert all(drawn(icons.furniture(type_, closed, width, height)) for closed in (True, False)), type_
            box = icons.items_box(type_, width, height)
            assert Box(0, 0, width, height).holds(box), type_
            assert box.width >= 10, type_
    for type_ in [*icons.drawn_types()[1], "Unheard"]:
        assert drawn(icons.icon(type_, 16)), type_


@pytest.mark.parametrize("type_", ["Cabinet", "Drawer", "Fridge", "Microwave", "Safe"])
def test_a_shut_door_looks_shut(type_: str) -> None:
    pictures = []
    for closed in (True, False):
        ground = Canvas(96, 54)
        ground.paste(icons.furniture(type_, closed, 96, 54))
        pictures.append(ground.to_array())
    assert (pictures[0] != pictures[1]).any()


# --- reading it


def luminance(color: Color) -> float:
    """Relative luminance as WCAG 2 defines it."""
    parts = [value / 255 / 12.92 if value / 255 <= 0.04045 else ((value / 255 + 0.055) / 1.055) ** 2.4 for value in color]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def contrast(a: Color, b: Color) -> float:
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


def test_text_stands_out_from_its_ground() -> None:
    pairs = [(INK, ground) for floor in art.FLOORS.values() for ground in floor]
    pairs += [(INK, art.CARD), (art.QUIET, art.CARD), (art.QUIET, art.PAPER), (INK, art.PAPER)]
    pairs += [(WHITE, art.TARGET), (WHITE, art.DONE), (WHITE, art.WALL_COLOR)]
    assert min(contrast(text, ground) for text, ground in pairs) >= 4.5


def test_text_is_never_too_small() -> None:
    assert [Measures(0.5).text(14), Measures(1).text(14), Measures(1.5).text(14)] == [12, 14, 21]
    assert [Measures(0.01).px(5), Measures(2).px(5)] == [1, 10]


@pytest.mark.parametrize("scale", [2 / 3, 1.0, 1.5])
def test_long_texts_and_many_things_stay_in_their_cards(scale: float) -> None:
    # Not a pixel outside the cards: the text is cut, with an ellipsis, where it would not fit.
    at = Measures(scale)
    width, height = at.px(960), at.px(128)
    thing = Shown("Mug", "a very long name of a thing 12", ("hot", "clean"), True)
    quiet, full = Canvas(width, height), Canvas(width, height)
    draw_footer(quiet, at, "", "", None, "Here", [])
    draw_footer(full, at, "word " * 60, "text " * 400, thing, "place " * 40, [thing] * 60)
    outside = (quiet.to_array() == art.PAPER).all(axis=2) & ~(quiet.to_array() == art.CARD).all(axis=2)
    edge = np.zeros_like(outside)
    edge[: at.px(8) - 1] = edge[-at.px(8) + 1 :] = edge[:, : at.px(8) - 1] = edge[:, -at.px(8) + 1 :] = True
    assert (full.to_array()[outside & edge] == art.PAPER).all()
    header = Canvas(width, header_height(at, "put " * 100, width))
    draw_header(header, at, "put " * 100, 12345, won=True, has_target=True)
    assert (header.to_array()[:, : at.px(14) - 2] == art.PAPER).all()


SAID = "If you have a minute: the children are asleep, so quietly put two tea kettles away in the sink basin, and do it with care, my {}."


@pytest.mark.parametrize(
    ("scale", "sentence", "lines"), [(2 / 3, SAID, 2), (1.0, SAID, 2), (2 / 3, f"{SAID} {SAID}", 3), (2 / 3, "put a {}.", 1)]
)
def test_a_sentence_that_somebody_said_is_shown_to_its_end(scale: float, sentence: str, lines: int) -> None:
    at = Measures(scale)
    width = at.px(960)

    def header(word: str) -> Canvas:
        goal = sentence.format(word, word)
        drawn = Canvas(width, header_height(at, goal, width))
        draw_header(drawn, at, goal, 7, won=True, has_target=True)
        return drawn

    one, other = header("dear"), header("door")
    assert (one.to_array() != other.to_array()).any()
    more = one.height - header_height(at, "put a mug in cabinet.", width)
    assert (lines - 1) * 8 <= more <= (lines - 1) * 20
    # The end of the sentence is what differs, where it is said once.
    rows = (one.to_array() != other.to_array()).any(axis=(1, 2)).nonzero()[0]
    assert rows.max() < one.height - at.px(20)


# --- environments


@pytest.fixture
def env() -> Any:
    env = gymnasium.make("homebody/Household-v0", render_mode="rgb_array", max_steps=10)
    env.reset(options={"task": KITCHEN_TASK})
    return env


def test_environments_name_their_modes(env: Any) -> None:
    assert env.metadata["render_modes"] == ["human", "rgb_array"]
    assert env.metadata["render_fps"] == 4
    assert env.render_mode == "rgb_array"


def test_environment_renders_its_episode(env: Any) -> None:
    first = env.render()
    assert (first.shape, first.dtype) == ((720, 960, 3), np.uint8)
    assert (env.render() == first).all()
    env.step(env.unwrapped.expert()[0])
    assert (env.render() != first).any()
    env.reset(options={"task": KITCHEN_TASK})
    assert (env.render() == first).all()


def test_junk_is_rendered_too(env: Any) -> None:
    for action in (None, 3, "go\0", "x" * 5000, "\ud800", "☃"):
        env.unwrapped.step(action)
        env.render()


def test_alfworld_renders_in_the_size_asked_for(data_dir: Path) -> None:
    env = AlfWorldEnv(data_dir, render_mode="rgb_array", render_size=(800, 600))
    task = env.source.tasks("train")[0].task_id
    env.reset(options={"task": task})
    frame = env.render()
    assert frame is not None
    assert frame.shape == (600, 800, 3)


def test_rendering_changes_no_episode() -> None:
    said = []
    for mode in (None, "rgb_array"):
        env = ProceduralEnv(render_mode=mode)
        said.append([env.reset(seed=5)])
        for _ in range(6):
            said[-1].append(env.step(env.scripted_policy()[0]))  # type: ignore[arg-type]
            if mode:
                env.render()
    assert said[0] == said[1]


def test_list_of_frames_as_a_video_takes_them() -> None:
    env = gymnasium.make("homebody/Household-v0", render_mode="rgb_array_list", max_steps=3)
    env.reset(options={"task": KITCHEN_TASK})
    for _ in range(3):
        env.step("look")
    frames: Any = env.render()
    assert len(frames) == 4
    assert all(frame.shape == (720, 960, 3) for frame in frames)


@pytest.mark.parametrize("env_id", ["homebody/Household-v0", "homebody/WebShop-v0"])
def test_gymnasium_records_a_video(env_id: str, tmp_path: Path) -> None:
    pytest.importorskip("moviepy", reason="Gymnasium writes videos with moviepy, of the extra dev, which is not installed")
    from imageio_ffmpeg import get_ffmpeg_exe

    env = gymnasium.make(env_id, render_mode="rgb_array", max_steps=3)
    recorded = gymnasium.wrappers.RecordVideo(env, str(tmp_path / "videos"), fps=2)
    _, info = recorded.reset(seed=0)
    truncated = False
    while not truncated:
        *_, truncated, info = recorded.step(info["admissible_commands"][0].replace("{text}", "lamp"))
    recorded.close()
    (video,) = (tmp_path / "videos").glob("*.mp4")
    command = [get_ffmpeg_exe(), "-v", "error", "-i", str(video), "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    pixels = np.frombuffer(subprocess.run(command, capture_output=True, check=True).stdout, np.uint8)
    frames = pixels.reshape(-1, 720, 960, 3)
    assert len(frames) == 4, "one of the reset, one a step"
    assert all(20 < frame.mean() < 250 and frame.std() > 10 for frame in frames), "something is drawn"


def test_pickle_and_snapshot_go_on_rendering(env: Any) -> None:
    plain = env.unwrapped
    plain.step("look")
    snapshot = plain.snapshot()
    for other in (pickle.loads(pickle.dumps(plain)), ProceduralEnv(render_mode="rgb_array")):
        other.restore(snapshot)
        assert other.render().shape == (720, 960, 3)


def test_render_needs_a_mode_and_a_reset() -> None:
    env = ProceduralEnv()
    env.reset(seed=0)
    with pytest.raises(RenderModeError, match="render_mode=None draws nothing; make the environment with one of: 'human', 'rgb_array'"):
        env.render()
    env.close()
    with pytest.raises(NotResetError):
        ProceduralEnv(render_mode="rgb_array").render()


@pytest.mark.parametrize(
    "arguments", [{"render_mode": "ascii"}, {"render_mode": "rgb_array", "render_size": (100, 100)}, {"render_mode": 3}]
)
def test_bad_render_arguments_are_named_errors(arguments: dict[str, Any]) -> None:
    with pytest.raises(EnvError):
        ProceduralEnv(**arguments)


def test_play_without_pictures_imports_no_drawing() -> None:
    code = """
import sys
import gymnasium, homebody.envs
env = gymnasium.make("homebody/Household-v0")
env.reset(options={"task": "train/kitchen-clean-000123"})
assert "pygame" not in sys.modules and "homebody.envs.canvas" not in sys.modules
"""
    subprocess.run([sys.executable, "-P", "-c", code], check=True)


# --- a window


@pytest.fixture
def in_window(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    env = ProceduralEnv(render_mode="human", render_size=LEAST_SIZE)
    env.reset(options={"task": KITCHEN_TASK})
    yield env
    env.close()


def test_window_shows_every_step(in_window: Any) -> None:
    def screen() -> bytes:
        return bytes(pygame.image.tobytes(pygame.display.get_surface(), "RGB"))

    assert in_window.render() is None
    assert pygame.display.get_surface().get_size() == LEAST_SIZE
    before = screen()
    in_window.step(in_window.expert()[0])
    assert screen() != before


def test_play_goes_on_without_a_window_that_was_closed(in_window: Any) -> None:
    plan = in_window.expert()
    in_window.step(plan[0])
    pygame.event.post(pygame.event.Event(pygame.QUIT))
    for command in plan[1:]:
        _, _, terminated, _, info = in_window.step(command)
    assert terminated
    assert info["won"]
    assert not pygame.display.get_init()
    in_window.reset(options={"task": KITCHEN_TASK})
    in_window.step("look")
    assert not pygame.display.get_init()


def test_no_display_is_a_named_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDL_VIDEODRIVER", "nonsense")
    env = homebody.envs.make("homebody/Household-v0", render_mode="human")
    with pytest.raises(DisplayError, match="rgb_array"):
        env.reset(options={"task": KITCHEN_TASK})


# --- every kind of task


@pytest.mark.parametrize("task", [task.task_id for task in HouseSource().tasks("validation", 12)])
def test_every_kind_of_task_is_drawn_to_its_end(task: str) -> None:
    env = ProceduralEnv(render_mode="rgb_array")
    env.reset(options={"task": task})
    for command in env.expert():
        env.step(command)
        assert env.render() is not None
    assert env.play.won
