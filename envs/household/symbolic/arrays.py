"""A batch of houses being played as arrays: what an agent that needs no text sees and does. Knows spaces, and no environment.

The same games under the same compiled rules as the text environments. An agent sees what an agent in the text would have seen: what is in
a receptacle only once it has stood before it while it was open; only that a thing is clean, hot, cool or sliced it sees at once, where
the text says so when the thing is examined in the hand. `text` and `command` say in ALFWorld's words what happened, when asked.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple
from zlib import crc32

import numpy as np
from gymnasium.spaces import Box, Dict
from numpy.typing import NDArray

from homebody.envs.core import EnvError, MaxStepsError, UnknownParameterError, UnknownTaskError, did_you_mean
from homebody.envs.household.alfworld.games import AlfWorldSource
from homebody.envs.household.engine import rules
from homebody.envs.household.engine.batch import stack
from homebody.envs.household.engine.command import encode
from homebody.envs.household.engine.game import Game, compile_game
from homebody.envs.household.engine.language import NOTHING_HAPPENS, Language, language_of
from homebody.envs.household.engine.layout import Head, ReceptacleSet, Status, Words, members, unpack
from homebody.envs.household.engine.problem import GoalKind
from homebody.envs.household.engine.vocabulary import object_flags, receptacle_kinds
from homebody.envs.household.expert import expert
from homebody.envs.household.houses.houses import HouseSource
from homebody.envs.household.symbolic.visibility import observe_batch

OBJECT_TYPES: Final = tuple(sorted(object_flags()))
"""The types of objects; arrays name a type by its position here."""
RECEPTACLE_TYPES: Final = tuple(sorted(receptacle_kinds()))
"""The types of receptacles, likewise."""

PARAMETERS: Final = ("data_dir", "split", "n_tasks", "tasks", "max_steps")
"""The parameters of both environments besides those of `HouseSource`."""

Arrays = dict[str, NDArray[Any]]


class TypeNameError(EnvError):
    """A game has a type of thing that has no number."""

    def __init__(self, task_id: str, type_: str, known: Sequence[str]) -> None:
        super().__init__(f"{task_id} has the type {type_!r}{did_you_mean(type_, known)}, which has no number here; leave this task out")


class ActionsError(EnvError):
    """What was given to `step` is not one whole number a house."""

    def __init__(self, got: object, n: int) -> None:
        what = f"an array of shape {got.shape} and type {got.dtype}" if isinstance(got, np.ndarray) else repr(got)
        wanted = "a whole number" if n == 1 else f"{n} whole numbers, one a house"
        super().__init__(f"got {what} for the action; give {wanted}: those of info['action_mask'] are admissible")


class BatchOptionError(EnvError):
    """An argument of the constructor or of `reset` has a value that it cannot have."""

    def __init__(self, name: str, got: object, allowed: str) -> None:
        super().__init__(f"{name}={got!r} is not possible; give {allowed}")


@dataclass(frozen=True)
class Snapshot:
    """Where a batch of houses stood; for `restore` of an environment with the same tasks."""

    arrays: dict[str, NDArray[Any]]
    """Copies of all that changes, by name."""
    generators: tuple[dict[str, Any], ...]
    """States of the generators that draw tasks, one a house."""
    games: int
    """CRC-32 of the worlds of the games: tells other tasks, and houses that were changed since."""


class Play(NamedTuple):
    """One house of a batch, as a text game shows itself."""

    game: Game
    state: Words
    """As the game alone has it: in a batch with larger games its sets are wider."""
    won: bool


class Houses:
    """A batch of houses being played: the arrays behind both environments.

    Args:
        data_dir: A folder of ALFWorld's games; `None` makes houses.
        split: The split that tasks are taken from.
        n_tasks: How many tasks of the split are made ready; at least 1, `None` for all.
        tasks: The ids of the tasks, instead of the first `n_tasks` of the split.
        max_steps: Steps after which an episode is truncated; at least 1.
        house: Parameters of `HouseSource`.
        n: How many houses are played at once.

    Raises:
        MaxStepsError: `max_steps` is no positive integer.
        UnknownParameterError: `house` has a parameter that houses do not have.
        BatchOptionError: `data_dir` and parameters of houses are given together, or `tasks` is empty.
        TypeNameError: A game has a type of thing that has no number.
        EnvError: The source refuses something.
    """

    def __init__(
        self,
        data_dir: str | os.PathLike[str] | None,
        split: str,
        n_tasks: int | None,
        tasks: Sequence[str] | None,
        max_steps: int,
        house: dict[str, Any],
        n: int,
    ) -> None:
        if isinstance(max_steps, bool) or not isinstance(max_steps, int) or max_steps < 1:
            raise MaxStepsError(max_steps)
        if tasks is not None and (isinstance(tasks, str) or not tasks):
            raise BatchOptionError("tasks", tasks, "a list of at least one task id, or None for the first of the split")
        source = task_source(data_dir, **house)
        self.task_ids = tuple(tasks) if tasks is not None else tuple(spec.task_id for spec in source.tasks(split, n_tasks))
        self._number_of = {task_id: number for number, task_id in enumerate(self.task_ids)}
        self.games = [_load(source, task_id) for task_id in self.task_ids]
        self.max_steps = max_steps
        self.stack = stack(self.games)
        self.n_receptacles, self.n_objects = (64 * int(self.stack.worlds[0, head]) for head in (Head.R_WORDS, Head.O_WORDS))
        self.n_actions = 64 * self.stack.mask_words
        self._games_crc = crc32(self.stack.worlds.tobytes())
        self._fixed = self._fixed_arrays()
        self.game_of = np.zeros(n, np.int64)
        self.states = np.zeros((n, self.stack.initials.shape[1]), np.uint64)
        self.seen = np.zeros((n, self.n_receptacles // 64), np.uint64)
        self.masks = np.zeros((n, self.stack.mask_words), np.uint64)
        self.won = np.zeros(n, bool)
        self.accepted = np.ones(n, bool)
        self.codes = np.full((n, 3), -1, np.int16)
        """The last action of each house as a command."""
        self.steps = np.zeros(n, np.int64)

    def space(self) -> Dict:
        """Return the space of one house's observation."""
        kinds, types = len(GoalKind) - 1, max(len(OBJECT_TYPES), len(RECEPTACLE_TYPES)) - 1
        receptacles, objects = (self.n_receptacles,), (self.n_objects,)
        most = max(self.n_receptacles, self.n_objects)
        return Dict(
            {
                "goal": Box(np.zeros(3, np.int16), np.array([kinds, types, types], np.int16), dtype=np.int16),
                "agent": Box(-1, most, (2,), np.int16),
                "receptacle_type": Box(-1, types, receptacles, np.int16),
                "receptacle_place": Box(-1, most, receptacles, np.int16),
                "openable": Box(0, 1, receptacles, np.int8),
                "opened": Box(0, 1, receptacles, np.int8),
                "seen": Box(0, 1, receptacles, np.int8),
                "object_type": Box(-1, types, objects, np.int16),
                "object_in": Box(-1, most, objects, np.int16),
                "object_status": Box(0, 2 ** len(Status) - 1, objects, np.uint8),
            }
        )

    def start(
        self,
        chosen: NDArray[np.bool_],
        generators: Sequence[np.random.Generator],
        tasks: Sequence[str] | None = None,
    ) -> None:
        """Start the chosen houses again.

        Args:
            chosen: Which; shape (n,).
            generators: One a house: it draws the task.
            tasks: The task of each house, instead of drawn ones.

        Raises:
            BatchOptionError: There are not as many tasks as houses.
            UnknownTaskError: A task is not among those that were made ready.
        """
        if tasks is None:
            n = len(self.games)
            self.game_of[chosen] = [generators[i].integers(n) for i in np.flatnonzero(chosen).tolist()]
        else:
            if isinstance(tasks, str) or not isinstance(tasks, Sequence) or len(tasks) != len(self.game_of):
                raise BatchOptionError("tasks", tasks, f"a list of {len(self.game_of)} task ids, one a house")
            for task_id in tasks:
                if not isinstance(task_id, str) or task_id not in self._number_of:
                    raise UnknownTaskError(task_id, self.task_ids, "the tasks that this environment was made with")
            self.game_of[chosen] = np.array([self._number_of[task_id] for task_id in tasks])[chosen]
        rules.reset_batch(self.stack.worlds, self.stack.initials, self.game_of, chosen, self.states, self.masks)
        self.seen[chosen], self.won[chosen], self.accepted[chosen] = 0, False, True
        self.codes[chosen], self.steps[chosen] = -1, 0

    def step(self, actions: object) -> None:
        """Do one action in each house; what is not admissible changes nothing but the count of steps.

        Raises:
            ActionsError: `actions` is not one whole number a house.
        """
        given = np.asarray(actions)
        if given.shape != self.steps.shape or not np.issubdtype(given.dtype, np.integer):
            raise ActionsError(actions, len(self.steps))
        given = np.ascontiguousarray(given, np.int64)
        rules.decode_batch(self.stack.worlds, self.game_of, self.states, given, self.codes)
        rules.step_batch(self.stack.worlds, self.game_of, self.states, given, self.accepted, self.won, self.masks)
        self.steps += 1

    def observe(self) -> Arrays:
        """Return what each agent knows: arrays of shape (n, ...), the caller's own."""
        n = len(self.game_of)
        changing: Arrays = {
            "agent": np.empty((n, 2), np.int16),
            "opened": np.empty((n, self.n_receptacles), np.int8),
            "seen": np.empty((n, self.n_receptacles), np.int8),
            "object_type": np.empty((n, self.n_objects), np.int16),
            "object_in": np.empty((n, self.n_objects), np.int16),
            "object_status": np.empty((n, self.n_objects), np.uint8),
        }
        observe_batch(self.stack.worlds, self.game_of, self.states, self._fixed["object_type"], self.seen, *changing.values())
        fixed = {name: self._fixed[name].take(self.game_of, axis=0) for name in ("goal", "receptacle_type", "receptacle_place", "openable")}
        return {**fixed, **changing}

    def action_masks(self) -> NDArray[np.int8]:
        """Return 1 for each admissible action, shape (n, n_actions)."""
        return np.unpackbits(self.masks.view(np.uint8), axis=-1, bitorder="little").view(np.int8)

    def command(self, action: int, i: int) -> str:
        """Return the text of an action in house `i` as it stands now; empty if it is not admissible."""
        if not 0 <= action < self.n_actions:
            return ""
        world, state = self.stack.worlds[self.game_of[i]], self.states[i]
        code = rules.decode(world, state, action)
        return self._language(i).command(code) if rules.is_admissible(world, state, *code) else ""

    def last_command(self, i: int) -> str:
        """Return the text of the last action of house `i`; empty if it was not admissible."""
        verb, a, b = self.codes[i].tolist()
        return self._language(i).command((verb, a, b)) if self.steps[i] and self.accepted[i] else ""

    def text(self, i: int) -> str:
        """Return what the text engine says to the last action of house `i`; the opening before the first. Always the current logic."""
        if not self.steps[i]:
            return self._language(i).intro
        verb, a, b = self.codes[i].tolist()
        return self._language(i).tell(self.play(i).state, (verb, a, b)) if self.accepted[i] else NOTHING_HAPPENS

    def play(self, i: int) -> Play:
        """Return house `i` as it stands now."""
        game = self.games[self.game_of[i]]
        wide = unpack(self.stack.worlds[self.game_of[i]], self.states[i])[1]
        own = game.view(game.initial)
        parts = [table[:, : part.shape[1]].ravel() for table, part in zip(wide, own, strict=True)]
        return Play(game, np.concatenate(parts), bool(self.won[i]))

    def expert(self, i: int) -> list[int]:
        """Return the actions of a shortest plan in house `i`.

        Raises:
            NoPlanError: The goal cannot be reached.
        """
        game, state, _ = self.play(i)
        return [encode(self.stack.worlds[self.game_of[i]], code) for code in expert.plan(game, state)]

    def snapshot(self, generators: Sequence[np.random.Generator]) -> Snapshot:
        """Return a copy of where everything stands."""
        arrays = {name: getattr(self, name).copy() for name in _CHANGING}
        states = tuple(dict(generator.bit_generator.state) for generator in generators)
        return Snapshot(arrays, states, self._games_crc)

    def restore(self, snapshot: Snapshot, generators: Sequence[np.random.Generator]) -> None:
        """Go back to a snapshot.

        Raises:
            BatchOptionError: It is none, or belongs to an environment of another size or with other tasks.
        """
        # The compiled rules do not look whether an index is in an array: a row of another game would read beyond it.
        forms = {name: (getattr(self, name).shape, getattr(self, name).dtype) for name in _CHANGING}
        if (
            not isinstance(snapshot, Snapshot)
            or snapshot.games != self._games_crc
            or {name: (array.shape, array.dtype) for name, array in snapshot.arrays.items()} != forms
        ):
            raise BatchOptionError(
                "snapshot", type(snapshot).__name__, "what snapshot() of an environment made with the same tasks returned"
            )
        for name, array in snapshot.arrays.items():
            getattr(self, name)[:] = array
        for generator, state in zip(generators, snapshot.generators, strict=True):
            generator.bit_generator.state = state

    def _fixed_arrays(self) -> Arrays:
        """Return what never changes in a game, by game: shapes (n_games, ...)."""
        n = len(self.games)
        goal = np.zeros((n, 3), np.int16)
        receptacle_type, place = (np.full((n, self.n_receptacles), -1, np.int16) for _ in range(2))
        openable = np.zeros((n, self.n_receptacles), np.int8)
        object_type = np.full((n, self.n_objects), -1, np.int16)
        for g, (game, task_id) in enumerate(zip(self.games, self.task_ids, strict=True)):
            targets = OBJECT_TYPES if game.goal.kind == GoalKind.LIGHT else RECEPTACLE_TYPES
            goal[g] = game.goal.kind, _number(game.goal.object, OBJECT_TYPES, task_id), _number(game.goal.target, targets, task_id)
            receptacle_type[g, : len(game.receptacles)] = [_number(t, RECEPTACLE_TYPES, task_id) for t in game.receptacle_types]
            object_type[g, : len(game.objects)] = [_number(t, OBJECT_TYPES, task_id) for t in game.object_types]
            place[g, : len(game.receptacles)] = game.tables.place_of[:, 0]
            openable[g, members(game.tables.receptacle_sets[ReceptacleSet.OPENABLE])] = 1
        return {
            "goal": goal,
            "receptacle_type": receptacle_type,
            "receptacle_place": place,
            "openable": openable,
            "object_type": object_type,
        }

    def _language(self, i: int) -> Language:
        return language_of(self.games[self.game_of[i]], "current")


_CHANGING: Final = ("game_of", "states", "seen", "masks", "won", "accepted", "codes", "steps")
"""The arrays of `Houses` that a step may change."""


def task_source(data_dir: str | os.PathLike[str] | None, **house: Any) -> AlfWorldSource | HouseSource:
    """Return where tasks come from: a folder of ALFWorld's games, or houses with these parameters.

    Raises:
        UnknownParameterError: There is no such parameter.
        BatchOptionError: Both are given.
        EnvError: The folder or a parameter is not usable.
    """
    known = tuple(name for name in inspect.signature(HouseSource).parameters if name != "goals")  # arrays hold no sentence
    for name in house:
        if name not in known:
            raise UnknownParameterError(name, (*PARAMETERS, *known))
    if data_dir is None:
        return HouseSource(**house)
    if house:
        raise BatchOptionError("data_dir", data_dir, f"None, or leave out {', '.join(sorted(house))}: they are parameters of made houses")
    return AlfWorldSource(data_dir)


def _load(source: AlfWorldSource | HouseSource, task_id: str) -> Game:
    return source.load(task_id).game if isinstance(source, AlfWorldSource) else compile_game(source.load(task_id))


def _number(type_: str, known: Sequence[str], task_id: str) -> int:
    if type_ not in known:
        raise TypeNameError(task_id, type_, known)
    return known.index(type_)
