"""How fast the household is: our engine, the same rules in plain Python, and the real ALFWorld engine where there is one.

All play the same recorded commands of the same games, one after the other in one run, and must say the same. A time is the median over
repeats of every game; ours are of games played before, so with warm caches, unless the name says `cold`.
"""

from __future__ import annotations

import importlib.util
import json
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import click
import numpy as np
from numpy.typing import NDArray

from homebody.envs.core import NoTasksError
from homebody.envs.file import expand_path
from homebody.envs.household.alfworld.gamefile import GameFile, load_game_file
from homebody.envs.household.alfworld.games import AlfWorldSource
from homebody.envs.household.engine import rules
from homebody.envs.household.engine.batch import stack
from homebody.envs.household.engine.engine import TextGame
from homebody.envs.household.engine.game import Game, compile_game
from homebody.envs.household.env import AlfWorldEnv
from homebody.envs.household.export import export_houses
from homebody.envs.household.houses.houses import HouseSource
from homebody.envs.household.symbolic.symbolic import HouseholdSymbolicVectorEnv
from homebody.scripts.bench.plain_household import PlainGame
from homebody.scripts.bench.result import Measured, machine, result

PLAIN: Final = "plain Python simulator of the same rules"
_PASSES: Final = 20
"""How often a game's commands are played for one time of ours: a single pass is too short for the clock."""
_IDLE: Final = ("go to ", "examine ", "inventory", "look", "help")
_ROWS: Final = 1024
_BATCH_STEPS: Final = 60
_FIRST_STEP: Final = """
import time
started = time.perf_counter()
import gymnasium, homebody.envs
env = gymnasium.make("homebody/Household-v0")
env.reset(options={"task": "test/kitchen-clean-000000"})
env.step("look")
print(time.perf_counter() - started)
"""

Said = list[list[Any]]
Progress = Callable[[str], None]


class PeerError(click.UsageError):
    """The interpreter that was named does not run the real engine."""

    def __init__(self, python: str, problem: str) -> None:
        super().__init__(
            f"--peer-python {python!r} does not play: {problem}; give one that imports alfworld and textworld, or leave it out"
        )


@dataclass(frozen=True)
class Recording:
    """One game, and commands for it."""

    task_id: str
    path: Path
    file: GameFile
    game: Game
    commands: list[str]
    said: Said
    """What our engine said: observation, admissible commands, won; at the reset and after each command."""


def bench_household(
    data_dir: str | None, peer_python: str | None, *, games: int, steps: int, repeats: int, progress: Progress
) -> dict[str, Any]:
    """Measure everything.

    Args:
        data_dir: Folder of ALFWorld games; `None` for procedural houses, written as such games.
        peer_python: Interpreter with the real engine; `None` for this one, if it has it.
        games: How many games.
        steps: Recorded commands a game.
        repeats: Times of each game.
        progress: Told what is being measured.

    Returns:
        `machine`, `games` (what was played), `results` (`name`, `value`, `unit`, `peer`, `peer_value`, `ratio`, `repeats`; the ratio says
        how many times better ours is) and `differences` (where engines did not say the same; none of their times counts then).

    Raises:
        PeerError: `peer_python` does not run the real engine.
        EnvError: The folder has no games, or one of them cannot be read.
    """
    with TemporaryDirectory() as folder:
        root, what = (expand_path(data_dir), "games of ALFWorld") if data_dir is not None else (_export(Path(folder), games), "houses")
        recordings = [_record(root, task_id, steps) for task_id in _choose(root, games)]
        progress("the real engine")
        peer = _play_peer(peer_python, recordings)
        progress("text")
        results = list(_text(root, recordings, peer, repeats))
        progress("batch")
        results += _batch(recordings, repeats)
        results += _vector(root, recordings, repeats)
        progress("import")
        results.append(result("import_s", statistics.median(_first_step() for _ in range(repeats)), "s", repeats))
    return {
        "machine": machine(),
        "games": f"{len(recordings)} {what}, {steps} commands each",
        "results": results,
        "differences": [*_differences("the real engine", recordings, peer["said"] if peer else None), *_plain_differences(recordings)],
    }


def _export(out: Path, n: int) -> Path:
    source = HouseSource()
    for _ in export_houses(source, source.tasks("train", n), out):
        pass
    return out


def _choose(root: Path, n: int) -> list[str]:
    """Return the first games of the first split that has any."""
    source = AlfWorldSource(root)
    for split in ("train", "validation"):
        try:
            return [task.task_id for task in source.tasks(split)[:n]]
        except NoTasksError:
            continue
    return [task.task_id for task in source.tasks("test")[:n]]


def _record(root: Path, task_id: str, steps: int) -> Recording:
    """Play at random, and keep the commands: of those that change a thing as often as of all, most of which are to go somewhere."""
    dice = random.Random(task_id)
    path = root / task_id
    file = load_game_file(path)
    game = compile_game(file.problem)
    play = TextGame(game, file.logic)
    said, commands = [[play.reset(), play.admissible(), play.won]], []
    for _ in range(steps):
        offered = play.admissible()
        acts = [command for command in offered if not command.startswith(_IDLE)]
        commands.append(dice.choice(dice.choice((offered, acts or offered))))
        said.append([play.step(commands[-1]), play.admissible(), play.won])
    return Recording(task_id, path, file, game, commands, said)


def _play_peer(python: str | None, recordings: list[Recording]) -> dict[str, Any] | None:
    """Have the real engine play; None where there is none."""
    if python is None:
        if any(importlib.util.find_spec(name) is None for name in ("alfworld", "textworld")):
            return None
        python = sys.executable
    given = json.dumps([[str(recording.path.absolute()), recording.commands] for recording in recordings])
    script = Path(__file__).with_name("peer_household.py")
    one_thread = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
    try:
        done = subprocess.run(
            [python, "-P", str(script)], input=given, capture_output=True, text=True, env={**os.environ, **one_thread}, check=True
        )
        played: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    except subprocess.CalledProcessError as error:
        raise PeerError(python, (error.stderr.strip().splitlines() or ["it said nothing"])[-1]) from None
    except (OSError, ValueError, IndexError) as error:
        raise PeerError(python, str(error)) from None
    return played


def _text(root: Path, recordings: list[Recording], peer: dict[str, Any] | None, repeats: int) -> Iterable[Measured]:
    """Measure steps, resets and loading of the text engine; everything in turn for each game, so that a busy moment falls on all."""
    env = AlfWorldEnv(root)
    plays = [(r, TextGame(r.game, r.file.logic), PlainGame(r.file.problem, r.file.logic)) for r in recordings]
    times: dict[str, list[float]] = {}
    for recording, play, plain in plays * repeats:
        taken = {
            "text": _step_us(play, recording.commands, _PASSES),
            "plain": _step_us(plain, recording.commands, _PASSES),
            "cold": _step_us(_fresh(recording), recording.commands, 1),
            "env": _env_step_us(env, recording),
            "reset": _reset_us(env, recording.task_id),
            "parse": _load_us(recording.path),
        }
        for name, value in taken.items():
            times.setdefault(name, []).append(value)
    ours = {name: statistics.median(values) for name, values in times.items()}
    engine = f"ALFWorld ({peer['engine']})" if peer else None
    step_peer = statistics.median(peer["step_s"]) * 1e6 if peer else None
    load_peer = statistics.median(peer["load_s"]) * 1e6 if peer else None
    yield result("text_step_vs_alfworld", ours["text"], "us", repeats, engine, step_peer)
    yield result("text_step_cold_vs_alfworld", ours["cold"], "us", repeats, engine, step_peer)
    yield result("text_step_vs_python", ours["text"], "us", repeats, PLAIN, ours["plain"])
    yield result("env_step_vs_alfworld", ours["env"], "us", repeats, engine, step_peer)
    yield result("reset_vs_alfworld", ours["reset"], "us", repeats, engine, load_peer)
    yield result("cold_parse_vs_alfworld", ours["parse"], "us", repeats, engine, load_peer)


def _step_us(play: TextGame | PlainGame, commands: list[str], passes: int) -> float:
    """Return the mean time of a command with the list of admissible ones and the win test, in microseconds."""
    total = 0.0
    for _ in range(passes):
        play.reset()
        started = time.perf_counter()
        for command in commands:
            play.step(command)
            play.admissible()
            play.won  # noqa: B018  # the win test is part of what is timed
        total += time.perf_counter() - started
    return total / passes / len(commands) * 1e6


def _fresh(recording: Recording) -> TextGame:
    return TextGame(compile_game(recording.file.problem), recording.file.logic)


def _env_step_us(env: AlfWorldEnv, recording: Recording) -> float:
    total = 0.0
    for _ in range(_PASSES):
        env.reset(options={"task": recording.task_id})
        started = time.perf_counter()
        for command in recording.commands:
            env.step(command)
        total += time.perf_counter() - started
    return total / _PASSES / len(recording.commands) * 1e6


def _reset_us(env: AlfWorldEnv, task_id: str) -> float:
    env.reset(options={"task": task_id})
    started = time.perf_counter()
    for _ in range(_PASSES):
        env.reset(options={"task": task_id})
    return (time.perf_counter() - started) / _PASSES * 1e6


def _load_us(path: Path) -> float:
    """Return the time from a file to the first observation, nothing of it kept from before."""
    started = time.perf_counter()
    file = load_game_file(path)
    TextGame(compile_game(file.problem), file.logic).reset()
    return (time.perf_counter() - started) * 1e6


def _batch(recordings: list[Recording], repeats: int) -> Iterable[Measured]:
    """Measure steps of a batch, its rows spread over the games, by random admissible actions, which are chosen before."""
    games = stack([recording.game for recording in recordings])
    game_of = np.arange(_ROWS, dtype=np.int64) % len(recordings)
    states = np.zeros((_ROWS, games.initials.shape[1]), np.uint64)
    masks = np.zeros((_ROWS, games.mask_words), np.uint64)
    accepted, won, every = np.zeros(_ROWS, bool), np.zeros(_ROWS, bool), np.ones(_ROWS, bool)
    rng = np.random.default_rng(0)
    script: list[NDArray[np.int64]] = []
    rules.reset_batch(games.worlds, games.initials, game_of, every, states, masks)
    for _ in range(_BATCH_STEPS):
        script.append(_draw(np.unpackbits(masks.view(np.uint8), axis=-1, bitorder="little"), rng))
        rules.step_batch(games.worlds, game_of, states, script[-1], accepted, won, masks)
    speeds = []
    for _ in range(repeats):
        rules.reset_batch(games.worlds, games.initials, game_of, every, states, masks)
        started = time.perf_counter()
        for actions in script:
            rules.step_batch(games.worlds, game_of, states, actions, accepted, won, masks)
        speeds.append(_ROWS * _BATCH_STEPS / (time.perf_counter() - started))
    n_bytes = sum(array.nbytes for array in (game_of, states, masks, accepted, won, script[0]))
    yield result("symbolic_step", statistics.median(speeds), "steps/s", repeats)
    yield result("bytes_per_world", n_bytes / _ROWS, "bytes", 1)


def _vector(root: Path, recordings: list[Recording], repeats: int) -> Iterable[Measured]:
    """Measure whole steps of the vector environment, observations, masks and autoresets included, by random admissible actions."""
    env = HouseholdSymbolicVectorEnv(_ROWS, root, tasks=[recording.task_id for recording in recordings])
    _, infos = env.reset(seed=0)
    rng = np.random.default_rng(0)
    script: list[NDArray[np.int64]] = []
    for _ in range(_BATCH_STEPS):
        script.append(_draw(infos["action_mask"], rng))
        *_, infos = env.step(script[-1])
    speeds = []
    for _ in range(repeats):
        env.reset(seed=0)
        started = time.perf_counter()
        for actions in script:
            env.step(actions)
        speeds.append(_ROWS * _BATCH_STEPS / (time.perf_counter() - started))
    yield result("vector_step", statistics.median(speeds), "steps/s", repeats)
    yield result("vector_bytes_per_world", sum(array.nbytes for array in env.snapshot().arrays.values()) / _ROWS, "bytes", 1)


def _draw(bits: NDArray[Any], rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw one of the admissible actions of each row; there always is one, for looking is always possible."""
    drawn: NDArray[np.int64] = (bits * rng.random(bits.shape, np.float32)).argmax(axis=1).astype(np.int64)
    return drawn


def _first_step() -> float:
    """Return the seconds from the start of a script to its first step, in a fresh process that finds its compiled functions on disk."""
    done = subprocess.run([sys.executable, "-P", "-c", _FIRST_STEP], capture_output=True, text=True, check=True)
    return float(done.stdout)


def _differences(who: str, recordings: list[Recording], said: list[Said] | None) -> list[str]:
    """Say where another engine said something else."""
    return [
        f"{who} differs in {recording.task_id} at step {t}"
        for recording, theirs in zip(recordings, said or [recording.said for recording in recordings], strict=True)
        for t, (our, their) in enumerate(zip(recording.said, theirs, strict=True))
        if our != their
    ]


def _plain_differences(recordings: list[Recording]) -> list[str]:
    everything = []
    for recording in recordings:
        play = PlainGame(recording.file.problem, recording.file.logic)
        said = [[play.reset(), play.admissible(), play.won]]
        said += [[play.step(command), play.admissible(), play.won] for command in recording.commands]
        everything.append(said)
    return _differences("the plain simulator", recordings, everything)
