"""Episodes that are played once: those of a run directory come from its store, the others are played and kept there."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from homebody.agents.mask import ALONE
from homebody.agents.record import EpisodeRecord
from homebody.agents.rollout import Job, Rollouts
from homebody.evolution.store import Store, episode_key

OnRecord = Callable[[int, int, EpisodeRecord], None]
"""Told after each episode that is played: number done, number of all, the record."""


def play_once(
    rollouts: Rollouts, jobs: Sequence[Job], store: Store | None = None, on_record: OnRecord | None = None
) -> dict[str, EpisodeRecord]:
    """Return the episodes of some jobs by their key, in the order of the jobs.

    Args:
        rollouts: who plays.
        jobs: what to play, no two of them alike.
        store: where episodes are kept; None plays all of them and keeps none.
        on_record: told after each episode that was not in the store.
    """
    keys = [_key(rollouts, job) for job in jobs]
    known = {key: record for key in keys if store and (record := store.episode(key))}
    missing = [(key, job) for key, job in zip(keys, jobs, strict=True) if key not in known]
    if store and missing:
        # Said before it is played: the log accounts for episodes of an evaluation that is stopped, too.
        store.append("evaluating", {"tasks": [job.task.task_id for _, job in missing], "keys": [key for key, _ in missing]})

    n_missing = len(missing)

    def keep(number: int, record: EpisodeRecord) -> None:
        if store:
            store.add_ahead(missing[number][0], record)

    found: dict[str, EpisodeRecord] = {}
    played = rollouts.play([job for _, job in missing], on_ahead=keep)
    for key in keys:
        if key in known:
            found[key] = known[key]
            if store:
                store.settle(key)
            continue
        found[key] = record = next(played)
        if store:
            store.add_episode(key, record)
        if on_record:
            n_missing -= 1
            on_record(len(jobs) - n_missing, len(jobs), record)
    return found


def _key(rollouts: Rollouts, job: Job) -> str:
    stage = rollouts.stage
    fingerprint = rollouts.policy.fingerprint if job.policy is None else ALONE[job.policy]().fingerprint
    args = (job.spec.behaviour_hash, job.task, fingerprint, stage.max_steps, job.seed, job.attempt)
    return episode_key(*args, env_args=stage.env_args, twin=job.twin)
