"""Where episodes to look at come from: files of `homebody run --json` and `homebody play --json`, and run directories."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from homebody.agents.episode import EpisodeRecord, Sight
from homebody.agents.rollout import Stage
from homebody.evolution.store import Store
from homebody.scripts.options import DEFAULT_ENV, env_kwargs
from homebody.scripts.view.reel import Reel

_ENTRY = {"step", "admissible", "offered", "method", "focus", "scores", "response", "command", "accepted", "observation"}
"""What an entry of a trace must have to be shown."""


@dataclass(frozen=True)
class Stored:
    """An episode that was kept, with what is needed to play it again."""

    record: EpisodeRecord
    title: str
    """The name of its harness."""
    env_id: str = DEFAULT_ENV
    env_kwargs: Mapping[str, Any] = field(default_factory=dict)
    sights: Sequence[Sight | None] = ()
    """One for each entry of the trace; empty where they were not kept."""

    def to_json(self) -> dict[str, Any]:
        """Return JSON-ready data: the record's, and the rest beside it."""
        rest = {"env": self.env_id, "env_kwargs": dict(self.env_kwargs), "harness": self.title}
        return {**self.record.to_json(), **rest, "sights": [sight and sight.to_json() for sight in self.sights]}

    def reel(self, env_id: str | None = None, data_dir: str | None = None) -> Reel:
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
        env = Stage(chosen, "random", max(1, self.record.steps), kwargs).make_env()
        return Reel.of(self.record, env, self.title, self.sights)


def read_file(path: str) -> Stored:
    """Read an episode from a file.

    Raises:
        click.UsageError: it cannot be read, or holds no episode.
    """
    try:
        content = json.loads(Path(path).read_text("utf-8"))
    except OSError as error:
        raise click.UsageError(f"cannot read {path}: {error.strerror}; give what `homebody run --json` wrote, or a run directory") from None
    except (ValueError, RecursionError):
        raise click.UsageError(f"{path} is not JSON; give what `homebody run --json` wrote, or a run directory") from None
    record = _record(content, path)
    try:
        sights = [Sight.from_json(sight) if sight else None for sight in content.get("sights", [])]
    except (TypeError, KeyError, AttributeError):
        raise click.UsageError(f"{path}: its sights cannot be read; write it again with this version of homebody") from None
    if sights and len(sights) != len(record.trace):
        raise click.UsageError(
            f"{path} holds {len(sights)} sights for {len(record.trace)} entries; write it again with homebody run --json"
        )
    title = str(content.get("harness") or record.behaviour_hash[:12])
    return Stored(record, title, str(content.get("env", DEFAULT_ENV)), dict(content.get("env_kwargs", {})), sights)


def read_run(run_dir: str) -> list[Stored]:
    """Read the episodes of a run, in the order in which they were kept.

    Raises:
        RunError: there is no run.
        click.UsageError: it holds no episode, or one that cannot be shown.
    """
    with Store(run_dir, readonly=True) as store:
        start = (store.events("start") or [{}])[0]
        end = (store.events("end") or [{}])[-1]
        evaluations = store.events("evaluation")
        episodes = list(store.episodes().values())
    names = {item["behaviour_hash"]: item["harness"] for item in evaluations}
    names |= {hash_: name for hash_, name in ((end.get("final_hash"), "evolved"), (start.get("seed_hash"), "seed")) if hash_}
    env_id = start.get("env_id") or next((item["env"] for item in evaluations), DEFAULT_ENV)
    kwargs = start.get("env_kwargs") or next((item["env_args"] for item in evaluations), {})
    records = [_record(episode, run_dir) for episode in episodes]
    if not records:
        raise click.UsageError(f"{run_dir} holds no episode yet; wait for the first, or give another run")
    return [Stored(record, names.get(record.behaviour_hash, record.behaviour_hash[:12]), env_id, kwargs) for record in records]


def choose(stored: Sequence[Stored], which: str, run_dir: str) -> Stored:
    """Return an episode of a run by its number, from 1, or the last one of a task by the task's id.

    Raises:
        click.UsageError: there is none.
    """
    if which.isdecimal():
        if 1 <= int(which) <= len(stored):
            return stored[int(which) - 1]
        raise click.UsageError(f"--episode is {which} and {run_dir} holds episodes 1 to {len(stored)}; without --episode they are listed")
    found = [item for item in stored if item.record.task_id == which]
    if not found:
        raise click.UsageError(f"no episode of {run_dir} plays the task {which!r}; without --episode they are listed")
    return found[-1]


def _record(content: object, source: str) -> EpisodeRecord:
    fields = EpisodeRecord.__dataclass_fields__.keys()
    if isinstance(content, dict) and content.keys() >= fields:
        trace = content["trace"]
        if isinstance(trace, list) and all(isinstance(entry, dict) and entry.keys() >= _ENTRY for entry in trace):
            return EpisodeRecord.from_json(content)
    raise click.UsageError(
        f"{source} holds no episode that can be shown; give what this version's `homebody run --json` wrote, or a run directory"
    )
