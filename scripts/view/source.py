"""Where episodes to look at come from: files of `homebody run --json` and `homebody play --json`, and run directories."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any

import click
import jsonschema

from homebody.agents.episode import ModelCall
from homebody.agents.record import EpisodeRecord
from homebody.agents.rollout import RolloutConfig
from homebody.envs.text import UnreadableError, read_json
from homebody.evolution.store import Store, reads_run
from homebody.scripts.options import DEFAULT_ENV, env_kwargs
from homebody.scripts.view.replay import Replay


@dataclass(frozen=True)
class Stored:
    """An episode that was kept, with what is needed to play it again."""

    record: EpisodeRecord
    title: str
    """The name of its harness."""
    env_id: str = DEFAULT_ENV
    env_kwargs: Mapping[str, Any] = field(default_factory=dict)
    model_calls: Sequence[ModelCall | None] = ()
    """One for each entry of the trace; empty where they were not kept."""

    def to_json(self) -> dict[str, Any]:
        """Return JSON-ready data: the record's, and the rest beside it."""
        rest = {"env": self.env_id, "env_kwargs": dict(self.env_kwargs), "harness": self.title}
        return {**self.record.to_json(), **rest, "model_calls": [model_call and model_call.to_json() for model_call in self.model_calls]}

    def replay(self, env_id: str | None = None, data_dir: str | None = None) -> Replay:
        """Play it again.

        Args:
            env_id: another environment than the one that was kept.
            data_dir: another folder of game files.

        Raises:
            EnvError: the environment cannot be made, or has no such task.
            click.UsageError: a folder is given to an environment that reads none.
        """
        chosen = env_id or self.env_id
        kwargs = {**self.env_kwargs, **env_kwargs(chosen, data_dir)} if chosen == self.env_id else env_kwargs(chosen, data_dir)
        env = RolloutConfig(chosen, "random", max(1, self.record.steps), kwargs).make_env()
        return Replay.of(self.record, env, self.title, self.model_calls)


def read_file(path: str) -> Stored:
    """Read an episode from a file.

    Raises:
        click.UsageError: it cannot be read, or holds no episode.
    """
    try:
        content = read_json(path)
    except UnreadableError as error:
        raise click.UsageError(f"{path} {error.fault}; give what `homebody run --json` wrote, or a run directory") from None
    _check(content, path)
    record = EpisodeRecord.from_json(content)
    model_calls = [ModelCall.from_json(model_call) if model_call else None for model_call in content.get("model_calls", [])]
    if model_calls and len(model_calls) != len(record.trace):
        raise click.UsageError(
            f"{path} holds {len(model_calls)} model_calls for {len(record.trace)} entries; write it again with homebody run --json"
        )
    title = str(content.get("harness") or record.behaviour_hash[:12])
    return Stored(record, title, str(content.get("env", DEFAULT_ENV)), dict(content.get("env_kwargs", {})), model_calls)


@reads_run
def read_run(run_dir: str) -> list[Stored]:
    """Read the episodes of a run, in the order in which they were kept.

    Raises:
        RunError: there is no run.
        click.UsageError: it holds no episode, or one of another version.
    """
    with Store(run_dir, readonly=True) as store:
        start = (store.events("start") or [{}])[0]
        end = (store.events("end") or [{}])[-1]
        evaluations = store.events("evaluation")
        episodes = list(store.episodes().values())
    names = {item["behaviour_hash"]: item["harness"] for item in evaluations}
    names |= {hash_: name for hash_, name in ((end.get("final_hash"), "evolved"), (start.get("seed_hash"), "seed")) if hash_}
    env_id = start.get("env_id") or next((item["env"] for item in evaluations), DEFAULT_ENV)
    kwargs: Mapping[str, Any] = start.get("env_kwargs") or next((item.get("env_args", {}) for item in evaluations), {})
    try:
        records = [EpisodeRecord.from_json(episode) for episode in episodes]
    except (KeyError, TypeError):
        raise _unfit(run_dir) from None
    if not records:
        raise click.UsageError(f"{run_dir} holds no episode yet; wait for the first, or give another run")
    return [Stored(record, names.get(record.behaviour_hash, record.behaviour_hash[:12]), env_id, kwargs) for record in records]


def choose(stored: Sequence[Stored], which: str, run_dir: str) -> Stored:
    """Return an episode of a run by its number, from 1, or the last one of a task by the task's id.

    Raises:
        click.UsageError: there is none, or it cannot be shown.
    """
    if which.isdecimal():
        if not 1 <= int(which) <= len(stored):
            raise click.UsageError(
                f"--episode is {which} and {run_dir} holds episodes 1 to {len(stored)}; without --episode they are listed"
            )
        found = stored[int(which) - 1]
    else:
        of_task = [item for item in stored if item.record.task_id == which]
        if not of_task:
            raise click.UsageError(f"no episode of {run_dir} plays the task {which!r}; without --episode they are listed")
        found = of_task[-1]
    # Only the chosen one: a run holds thousands, and a check takes milliseconds.
    _check(found.record.to_json(), run_dir)
    return found


def _check(content: object, source: str) -> None:
    if not _validator().is_valid(content):
        raise _unfit(source)


def _unfit(source: str) -> click.UsageError:
    return click.UsageError(
        f"{source} holds no episode that can be shown; give what this version's `homebody run --json` wrote, or a run directory"
    )


@cache
def _validator() -> Any:
    return jsonschema.Draft202012Validator(json.loads((resources.files("homebody.assets") / "schemas" / "episode.json").read_text("utf-8")))
