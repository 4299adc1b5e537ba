"""A batch of houses being played as arrays: what an agent that needs no text sees and does. Knows spaces, and no environment.

The same games under the same compiled rules as the text environments. An agent sees what an agent in the text would have seen: what is in
a receptacle only once it has stood before it while it was open. `text` and `command` say in ALFWorld's words what happened, when asked.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from gymnasium.spaces import Box, Dict
from numpy.typing import NDArray

from homebody.envs.core import EnvError, UnknownTaskError, did_you_mean
from homebody.envs.household import expert, rules
from homebody.envs.household.alfworld import AlfWorldSource
from homebody.envs.household.batch import stack
from homebody.envs.household.command import encode
from homebody.envs.household.compiled import kernel
from homebody.envs.household.engine import TextGame
from homebody.envs.household.env import MaxStepsError
from homebody.envs.household.game import Game, compile_game
from homebody.envs.household.houses import HouseSource
from homebody.envs.household.layout import HELD, OPENED, PLACE, Head, ReceptacleSet, Words, members, unpack
from homebody.envs.household.problem import GoalKind
from homebody.envs.household.vocabulary import object_flags, receptacle_kinds

OBJECT_TYPES: Final = tuple(sorted(object_flags()))
"""The types of objects; arrays name a type by its position here."""
RECEPTACLE_TYPES: Final = tuple(sorted(receptacle_kinds()))
"""The types of receptacles, likewise."""

Arrays = dict[str, NDArray[Any]]

_R_WORDS, _O_WORDS, _N_RECEPTACLES, _N_OBJECTS = (int(h) for h in (Head.R_WORDS, Head.O_WORDS, Head.N_RECEPTACLES, Head.N_OBJECTS))
_HERE, _STATUS, _INSIDE = int(Head.HERE), int(Head.STATUS), int(Head.INSIDE)
_N_STATUS: Final = 5


class TypeNameError(EnvError):
    """A game has a type of thing that has no number."""

    def __init__(self, task_id: str, type_: str, known: Sequence[str]) -> None:
        super().__init__(f"{task_id} has the type {type_!r}{did_you_mean(type_, known)}, which has no number here; leave this task out")


class ActionsError(EnvError):
    """What was given to `step` is not one whole number a house."""

    def __init__(self, got: object, n: int) -> None:
        what = f"an array of shape {got.shape} and type {got.dtype}" if isinstance(got, np.ndarray) else repr(got)
        super().__init__(f"actions are {what}; give {n} whole numbers, one a house: those of info['action_mask'] are admissible")


class BatchOptionError(EnvError):
    """An argument of the constructor or of `reset` has a value that it cannot have."""

    def __init__(self, name: str, got: object, allowed: str) -> None:
        super().__init__(f"{name}={got!r} is not possible; give {allowed}")


@dataclass(frozen=True)
class Snapshot:
    """Where a batch of houses stood; for `restore` of an environment with the same tasks."""

    arrays: dict[str, NDArray[Any]]
    """Copies of all that changes, by name."""
    generator: dict[str, Any]
    """State of the generator that draws tasks."""


@kernel
def observe_batch(
    worlds: Words,
    game_of: NDArray[np.int64],
    states: Words,
    object_types: NDArray[np.int16],
    seen: Words,
    out_agent: NDArray[np.int16],
    out_opened: NDArray[np.int8],
    out_seen: NDArray[np.int8],
    out_type: NDArray[np.int16],
    out_in: NDArray[np.int16],
    out_status: NDArray[np.uint8],
) -> None:
    """Write what the agent of each house knows.

    Args:
        worlds: Shape (n_games, n_world_words), of a `Stack`.
        game_of: Shape (n,): the game of each house.
        states: Shape (n, n_state_words).
        object_types: Shape (n_games, 64 * o_words): the true types.
        seen: Shape (n, r_words): the receptacles that were looked into; those that the agent stands before now are added.
        out_agent: Shape (n, 2): its place, and the object in its hand or -1.
        out_opened: Shape (n, 64 * r_words): 1 for each open receptacle.
        out_seen: Shape (n, 64 * r_words): `seen` as ones and zeros.
        out_type: Shape (n, 64 * o_words): types of the objects that were seen, else -1.
        out_in: Shape (n, 64 * o_words): the first receptacle that was seen to hold the object, else -1.
        out_status: Shape (n, 64 * o_words): `Status` of the objects that were seen as bits, else 0.
    """
    for i in range(states.shape[0]):
        world, state, known = worlds[game_of[i]], states[i], seen[i]
        r_words, o_words = rules.number(world, _R_WORDS), rules.number(world, _O_WORDS)
        held = rules.number(state, HELD) - 1
        out_agent[i, 0], out_agent[i, 1] = rules.number(state, PLACE), held
        here = rules.number(world, _HERE) + rules.number(state, PLACE) * r_words
        out_type[i], out_in[i], out_status[i] = -1, -1, 0
        out_opened[i], out_seen[i] = 0, 0
        for r in range(rules.number(world, _N_RECEPTACLES) - 1, -1, -1):
            if rules.has(world, here, r) and rules.is_accessible(world, state, r):
                rules.put(known, 0, r)
            out_opened[i, r] = rules.has(state, OPENED, r)
            if not rules.has(known, 0, r):
                continue
            out_seen[i, r] = 1
            begin = rules.number(world, _INSIDE) + r * o_words
            for w in range(o_words):
                bits = state[begin + w]
                o = 64 * w
                while bits != np.uint64(0):
                    if bits & np.uint64(1) != np.uint64(0):
                        out_in[i, o] = r
                    bits >>= np.uint64(1)
                    o += 1
        begin = rules.number(world, _STATUS)
        for o in range(rules.number(world, _N_OBJECTS)):
            if out_in[i, o] >= 0 or o == held:
                out_type[i, o] = object_types[game_of[i], o]
                for s in range(_N_STATUS):
                    if rules.has(state, begin + s * o_words, o):
                        out_status[i, o] |= 1 << s


class Houses:
    """A batch of houses being played: the arrays behind both environments.

    Args:
        data_dir: A folder of ALFWorld's games; `None` makes houses.
        split: The split that tasks are taken from.
        n_tasks: How many tasks of the split are made ready; at least 1.
        tasks: The ids of the tasks, instead of the first `n_tasks` of the split.
        max_steps: Steps after which an episode is truncated; at least 1.
        house: Parameters of `HouseSource`.
        n: How many houses are played at once.

    Raises:
        MaxStepsError: `max_steps` is no positive integer.
        BatchOptionError: `data_dir` and parameters of houses are given together, or `tasks` is empty.
        TypeNameError: A game has a type of thing that has no number.
        EnvError: The source refuses something.
    """

    def __init__(
        self,
        data_dir: str | os.PathLike[str] | None,
        split: str,
        n_tasks: int,
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
        self.games = [_load(source, task_id) for task_id in self.task_ids]
        self.max_steps = max_steps
        self.stack = stack(self.games)
        self.n_receptacles, self.n_objects = (64 * int(self.stack.worlds[0, head]) for head in (Head.R_WORDS, Head.O_WORDS))
        self.n_actions = 64 * self.stack.mask_words
        self._fixed = self._fixed_arrays()
        self._texts: dict[int, TextGame] = {}
        self.game_of = np.zeros(n, np.int64)
        self.states = np.zeros((n, self.stack.initials.shape[1]), np.uint64)
        self.before = self.states.copy()
        self.seen = np.zeros((n, self.n_receptacles // 64), np.uint64)
        self.masks = np.zeros((n, self.stack.mask_words), np.uint64)
        self.won = np.zeros(n, bool)
        self.accepted = np.ones(n, bool)
        self.actions = np.full(n, -1, np.int64)
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
                "object_status": Box(0, 2**_N_STATUS - 1, objects, np.uint8),
            }
        )

    def start(self, chosen: NDArray[np.bool_], generator: np.random.Generator, tasks: Sequence[str] | None = None) -> None:
        """Start the chosen houses again, each with a task drawn by the generator or with its own of `tasks` (one a house).

        Raises:
            BatchOptionError: There are not as many tasks as houses.
            UnknownTaskError: A task is not among those that were made ready.
        """
        if tasks is None:
            self.game_of[chosen] = generator.integers(len(self.games), size=int(chosen.sum()))
        else:
            if isinstance(tasks, str) or len(tasks) != len(self.game_of):
                raise BatchOptionError("tasks", tasks, f"a list of {len(self.game_of)} task ids, one a house")
            for task_id in tasks:
                if task_id not in self.task_ids:
                    raise UnknownTaskError(task_id, self.task_ids, "the tasks that this environment was made with")
            self.game_of[chosen] = np.array([self.task_ids.index(task_id) for task_id in tasks])[chosen]
        rules.reset_batch(self.stack.worlds, self.stack.initials, self.game_of, chosen, self.states, self.masks)
        self.before[chosen] = self.states[chosen]
        self.seen[chosen], self.won[chosen], self.accepted[chosen] = 0, False, True
        self.actions[chosen], self.steps[chosen] = -1, 0

    def step(self, actions: object) -> None:
        """Do one action in each house; what is not admissible changes nothing but the count of steps.

        Raises:
            ActionsError: `actions` is not one whole number a house.
        """
        given = np.asarray(actions)
        if given.shape != self.actions.shape or not np.issubdtype(given.dtype, np.integer):
            raise ActionsError(actions, len(self.actions))
        self.actions[:] = given
        np.copyto(self.before, self.states)
        rules.step_batch(self.stack.worlds, self.game_of, self.states, self.actions, self.accepted, self.won, self.masks)
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
        fixed = {name: self._fixed[name][self.game_of] for name in ("goal", "receptacle_type", "receptacle_place", "openable")}
        return {**fixed, **changing}

    def action_masks(self) -> NDArray[np.int8]:
        """Return 1 for each admissible action, shape (n, n_actions)."""
        return np.unpackbits(self.masks.view(np.uint8), axis=-1, bitorder="little").view(np.int8)

    def command(self, action: int, i: int) -> str:
        """Return the text of an action in house `i` as it stands now; empty if it is not admissible."""
        world, state = self.stack.worlds[self.game_of[i]], self.states[i]
        code = rules.decode(world, state, action)
        return self._text_game(i).language.command(code) if rules.is_admissible(world, state, *code) else ""

    def text(self, i: int) -> str:
        """Return what the text engine says to the last action of house `i`; the opening before the first."""
        play, before = self._text_game(i), self.before[i]
        play.restore(self._narrow(i, before))
        if not self.steps[i]:
            return play.language.intro
        code = rules.decode(self.stack.worlds[self.game_of[i]], before, int(self.actions[i]))
        return play.step(play.language.command(code) if self.accepted[i] else "")

    def expert(self, i: int) -> list[int]:
        """Return the actions of a shortest plan in house `i`.

        Raises:
            NoPlanError: The goal cannot be reached.
        """
        game = self.games[self.game_of[i]]
        return [encode(self.stack.worlds[self.game_of[i]], code) for code in expert.plan(game, self._narrow(i, self.states[i]))]

    def snapshot(self, generator: np.random.Generator) -> Snapshot:
        """Return a copy of where everything stands."""
        return Snapshot({name: getattr(self, name).copy() for name in _CHANGING}, dict(generator.bit_generator.state))

    def restore(self, snapshot: Snapshot, generator: np.random.Generator) -> None:
        """Go back to a snapshot.

        Raises:
            BatchOptionError: It is none, or belongs to an environment of another size.
        """
        shapes = {name: getattr(self, name).shape for name in _CHANGING}
        if not isinstance(snapshot, Snapshot) or {name: array.shape for name, array in snapshot.arrays.items()} != shapes:
            raise BatchOptionError(
                "snapshot", type(snapshot).__name__, "what snapshot() of an environment made with the same tasks returned"
            )
        for name, array in snapshot.arrays.items():
            getattr(self, name)[:] = array
        generator.bit_generator.state = snapshot.generator

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

    def _text_game(self, i: int) -> TextGame:
        g = int(self.game_of[i])
        if g not in self._texts:
            self._texts[g] = TextGame(self.games[g])
        return self._texts[g]

    def _narrow(self, i: int, row: Words) -> Words:
        """Return a row as the game alone has it: in a batch with larger games its sets are wider."""
        game = self.games[self.game_of[i]]
        wide = unpack(self.stack.worlds[self.game_of[i]], row)[1]
        own = game.view(game.initial)
        return np.concatenate([table[:, : part.shape[1]].ravel() for table, part in zip(wide, own, strict=True)])

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_texts": {}}


_CHANGING: Final = ("game_of", "states", "before", "seen", "masks", "won", "accepted", "actions", "steps")
"""The arrays of `Houses` that a step may change."""


def task_source(data_dir: str | os.PathLike[str] | None, **house: Any) -> AlfWorldSource | HouseSource:
    """Return where tasks come from: a folder of ALFWorld's games, or houses with these parameters.

    Raises:
        BatchOptionError: Both are given.
        EnvError: The folder or a parameter is not usable.
    """
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
