"""What every environment family shares: task specifications, task sources, and named errors.

Knows nothing of Gymnasium, of models, or of any one family.
"""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Final, Protocol, runtime_checkable

SPLITS: Final = ("train", "validation", "test")
"""The three splits of every task family, by their canonical names."""

FINAL: Final = "final"
"""A fourth split, held out as the test is, of families that can make one. No command lists it but `homebody reproduce --final`, which opens
it once a release: what was tuned until the test came out well has not seen it."""
HELD_OUT: Final = ("test", FINAL)
"""Splits that show what no training task does."""

RENDER_MODES: Final = ("human", "rgb_array")
"""In a window; and as arrays, from `render`."""


class _RaisedAgain(type):
    """Lets `TYPE(error)` return an error of the type that it is given.

    Gymnasium's `AsyncVectorEnv` raises so what another process has raised.
    """

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        if len(args) == 1 and isinstance(args[0], cls):
            return args[0]
        return super().__call__(*args, **kwargs)


class EnvError(Exception, metaclass=_RaisedAgain):
    """Base of all named errors of this layer; its text says what, what was got, what is allowed, and what to do."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the text: the parameters of a constructor are not kept."""
        return _restored, (type(self), self.args, vars(self))


class UnknownSplitError(EnvError):
    """A split was named that the task source does not have."""

    def __init__(self, split: object, allowed: Iterable[str]) -> None:
        allowed = list(allowed)
        super().__init__(f"unknown split {split!r}{did_you_mean(split, allowed)}; choose one of: {', '.join(allowed)}")


class UnknownTaskError(EnvError):
    """A task id was given that the task source does not have."""

    def __init__(self, task_id: object, known: Iterable[str], where: str) -> None:
        known = list(known)
        super().__init__(
            f"unknown task {task_id!r} in {where}{did_you_mean(task_id, known)}; "
            f"it has {len(known)} known tasks: list them with homebody.envs.tasks(env_id, split)"
        )


class NoTasksError(EnvError):
    """A split exists but holds no task."""

    def __init__(self, split: str, where: str, remedy: str) -> None:
        super().__init__(f"split {split!r} has no tasks in {where}; {remedy}")


class TaskCountError(EnvError):
    """A number of tasks was asked for that is not a positive integer, or is more than the split has."""

    def __init__(self, n: object, split: str, available: int | None = None) -> None:
        allowed = "a whole number of at least 1" if available is None else f"at most {available}"
        super().__init__(f"{n!r} tasks of split {split!r} were asked for; give {allowed}, or none for all")


class TaskSpecError(EnvError):
    """A JSON value is not a task specification."""


class UnknownEnvError(EnvError):
    """No environment is registered under this id."""

    def __init__(self, env_id: object, known: Iterable[str]) -> None:
        known = list(known)
        super().__init__(f"unknown environment {env_id!r}{did_you_mean(env_id, known)}; homebody has: {', '.join(known)}")


class BadEnvError(EnvError):
    """An environment that cannot be made as asked."""

    def __init__(self, env_id: str, kwargs: Mapping[str, Any], reason: object) -> None:
        super().__init__(f"environment {env_id!r} cannot be made with {dict(kwargs)}: {reason}; check --env and --data-dir")


class NoTaskSourceError(EnvError):
    """A registered environment does not say which tasks it has."""

    def __init__(self, env_id: str, reason: str) -> None:
        super().__init__(f"no task source for {env_id!r}: {reason}; give its class a classmethod `task_source(**make_kwargs)`")


class ResetOptionError(EnvError):
    """`reset` got an option that it does not know."""

    def __init__(self, option: object, known: Sequence[str] = ("task",)) -> None:
        allowed = "the only option is 'task', a task id" if len(known) == 1 else f"choose of: {', '.join(known)}"
        super().__init__(f"unknown reset option {option!r}{did_you_mean(option, known)}; {allowed}")


class OptionsError(EnvError):
    """What `reset` got as its options are none."""

    def __init__(self, options: object, known: Sequence[str]) -> None:
        super().__init__(f"options={options!r} is not possible; give a mapping, as {{{known[0]!r}: ...}}, or None")


class UnknownParameterError(EnvError):
    """An environment was made with a parameter that it does not have."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        super().__init__(f"unknown parameter {name!r}; choose among: {', '.join(known)}{did_you_mean(name, known)}")


class MaxStepsError(EnvError):
    """The step limit is no positive integer."""

    def __init__(self, max_steps: object) -> None:
        super().__init__(f"max_steps={max_steps!r} is not possible; give a whole number of at least 1")


class RenderModeError(EnvError):
    """A picture is asked for in a way that there is none."""

    def __init__(self, mode: object) -> None:
        modes = ", ".join(map(repr, RENDER_MODES))
        super().__init__(
            f"render_mode={mode!r} draws nothing; make the environment with one of: {modes}; None is for play without pictures"
        )


class NotResetError(EnvError):
    """The environment was used before its first reset."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} was used before reset; call reset() first, with options={{'task': ID}} to choose the task")


class SnapshotError(EnvError):
    """A snapshot cannot be restored."""

    def __init__(self, what: str, same: str = "tasks") -> None:
        super().__init__(f"this snapshot cannot be restored: {what}; give one from snapshot() of an environment with the same {same}")


@dataclass(frozen=True)
class TaskSpec:
    """One task, as data."""

    task_id: str
    """What `reset(options={"task": task_id})` takes; unique within its family."""
    type: str
    """The kind of task, for figures by type."""
    split: str
    """One of `SPLITS`."""

    @property
    def hash(self) -> str:
        """SHA-256 of the canonical JSON: 64 hexadecimal digits."""
        text = json.dumps(self.to_json(), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def to_json(self) -> dict[str, str]:
        """Return the fields as a JSON object."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> TaskSpec:
        """Make a specification from `to_json`'s result.

        Raises:
            TaskSpecError: A key is missing, unknown, or no string.
        """
        names = [field.name for field in fields(cls)]
        if not isinstance(value, Mapping) or sorted(value) != sorted(names) or not all(isinstance(v, str) for v in value.values()):
            raise TaskSpecError(f"not a task: {value!r}; give an object with exactly the strings {', '.join(names)}")
        return cls(**value)


@runtime_checkable
class TaskSource(Protocol):
    """What every family offers besides the Gymnasium environment."""

    def tasks(self, split: str, n: int | None = None) -> list[TaskSpec]:
        """Return the first `n` tasks of a split (all, if `None`), in an order that never changes and is a fair sample of the types."""
        ...


def check_options(options: object, known: Sequence[str] = ("task",)) -> Mapping[str, Any]:
    """Return the options of a reset; no options where they are `None`.

    Raises:
        OptionsError: They are no mapping.
        ResetOptionError: One of them is unknown.
    """
    if options is None:
        return {}
    if not isinstance(options, Mapping):
        raise OptionsError(options, known)
    for option in options:
        if option not in known:
            raise ResetOptionError(option, known)
    return options


def _restored(kind: type[EnvError], args: tuple[Any, ...], state: dict[str, Any]) -> EnvError:
    """Return an error from its pickle."""
    error = kind.__new__(kind, *args)
    vars(error).update(state)
    return error


def did_you_mean(name: object, known: Iterable[str]) -> str:
    """Return `; did you mean X?` with the nearest known names, or nothing if none is near."""
    near = difflib.get_close_matches(str(name), list(known), n=3, cutoff=0.6)
    return f"; did you mean {' or '.join(near)}?" if near else ""


def take_tasks(tasks: list[TaskSpec], split: str, n: int | None) -> list[TaskSpec]:
    """Return the first `n` tasks, or all if `n` is `None`.

    Raises:
        TaskCountError: `n` is no positive integer, or more than there are.
    """
    if n is None:
        return tasks
    if isinstance(n, bool) or not isinstance(n, int) or n < 1:
        raise TaskCountError(n, split)
    if n > len(tasks):
        raise TaskCountError(n, split, len(tasks))
    return tasks[:n]
