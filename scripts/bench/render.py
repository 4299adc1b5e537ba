"""How fast pictures of the house are drawn: no window, one thread, the expert's walk through procedural houses."""

from __future__ import annotations

import statistics
import time
from typing import Final

from homebody.envs.household.engine.engine import TextGame
from homebody.envs.household.engine.game import compile_game
from homebody.envs.household.expert import expert
from homebody.envs.household.houses.houses import HouseSource
from homebody.envs.household.picture import HousePicture
from homebody.scripts.bench.result import Measured, result

FRAMES_PER_STEP: Final = 8
"""Pictures of one step, as a window shows them: the agent on its way."""


def bench_render(size: tuple[int, int], houses: int, repeats: int) -> list[Measured]:
    """Measure what it takes to draw and to hand out arrays.

    Args:
        size: Of the pictures, in pixels.
        houses: How many of the first training houses; every eighth is a home of three rooms.
        repeats: Times of each house.

    Returns:
        Rows: `frames` (a window's pictures, in frames/s), `step_frames` (one picture a step, as a video of steps has), `house_ms`
        (from a compiled game to its first picture).

    Raises:
        CanvasSizeError: The size is not possible.
    """
    source = HouseSource()
    walking, stepping, first = [], [], []
    for task in source.tasks("train", houses):
        play = TextGame(compile_game(source.load(task.task_id)))
        commands = [play.language.command(code) for code in expert.plan(play.game, play.state)]
        for _ in range(repeats):
            started = time.perf_counter()
            picture = HousePicture(play.game, size)
            picture.see(play.game.initial)
            picture.frame()
            first.append((time.perf_counter() - started) * 1e3)
            walking.append(_frames_per_second(play, picture, commands, FRAMES_PER_STEP))
            stepping.append(_frames_per_second(play, picture, commands, 1))
    return [
        result("frames", statistics.median(walking), "frames/s", repeats),
        result("step_frames", statistics.median(stepping), "frames/s", repeats),
        result("house_ms", statistics.median(first), "ms", repeats),
    ]


def _frames_per_second(play: TextGame, picture: HousePicture, commands: list[str], frames_per_step: int) -> float:
    play.reset()
    picture.forget()
    picture.see(play.state)
    n_frames = 0
    started = time.perf_counter()
    for step, command in enumerate(commands, 1):
        answer = play.step(command)
        picture.see(play.state, command, answer, step, won=play.won)
        n_frames += sum(1 for _ in picture.frames(frames_per_step))
    return n_frames / (time.perf_counter() - started)
