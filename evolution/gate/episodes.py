"""Episodes that are played once: those of a run directory come from its store, the others are played and kept there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from homebody.agents.mask import ALONE
from homebody.agents.record import EpisodeRecord
from homebody.agents.rollout import Job, Rollouts
from homebody.evolution.store import Store, episode_key

OnRecord = Callable[[int, int, EpisodeRecord], None]
"""Called after each episode that is played: number done, number of all, the record."""


def play_once(
    rollouts: Rollouts, jobs: Sequence[Job], store: Store | None = None, on_record: OnRecord | None = None
) -> dict[str, EpisodeRecord]:
    """Return the episodes of some jobs by their key, in the order of the jobs.

    Args:
        rollouts: who plays.
        jobs: what to play, no two of them alike.
        store: where episodes are kept; None plays all of them and keeps none.
        on_record: called after each episode that was not in the store.
    """
    asked = {job_key(rollouts, job): job for job in jobs}
    known = {key: record for key in asked if store and (record := store.episode(key))}
    missing = [key for key in asked if key not in known]
    if store and missing:
        # Said before it is played: the log accounts for episodes of an evaluation that is stopped, too.
        store.append("evaluating", {"tasks": [asked[key].task.task_id for key in missing], "keys": missing})
    found: dict[str, EpisodeRecord] = {}
    done = len(known)
    for key, record in zip(asked, take_or_play(rollouts, asked, known, store), strict=True):
        found[key] = record
        if key not in known:
            done += 1
            if on_record:
                on_record(done, len(jobs), record)
    return found


def take_or_play(
    rollouts: Rollouts, jobs: Mapping[str, Job], known: Mapping[str, EpisodeRecord], store: Store | None, *, tries: int = 1
) -> Iterator[EpisodeRecord]:
    """Yield the episodes of some jobs in their order: each from the store, or played and kept there.

    Args:
        rollouts: who plays.
        jobs: what is asked for, by the key of the episode.
        known: those episodes that the store has, by key.
        store: where episodes are kept, those that are finished ahead of their turn too; None keeps none.
        tries: how often an episode is played at most, as long as an error ends it; the last one counts.
    """
    missing = [key for key in jobs if key not in known]

    def keep(number: int, record: EpisodeRecord) -> None:
        if store:
            store.add_ahead(missing[number], record)

    played = rollouts.play([jobs[key] for key in missing], on_ahead=keep)
    for key, job in jobs.items():
        if key in known:
            if store:
                store.settle(key)
            yield known[key]
            continue
        record = next(played)
        for _ in range(tries - 1):
            if record.error is not None:
                record = next(rollouts.play([job]))
        if store:
            store.add_episode(key, record)
        yield record


def job_key(rollouts: Rollouts, job: Job, repeat: int = 0) -> str:
    """Return the key of the episode of a job, see `homebody.evolution.store.episode_key`."""
    config = rollouts.config
    fingerprint = rollouts.policy.fingerprint if job.policy is None else ALONE[job.policy]().fingerprint
    args = (job.spec.behaviour_hash, job.task, fingerprint, config.max_steps, job.seed, job.attempt)
    return episode_key(*args, env_args=config.env_args, repeat=repeat, twin=job.twin)


def describe_error(error: Mapping[str, str]) -> str:
    """Return what ended an episode or failed in it, in a clause: kind, boundary and message."""
    return f"{error['kind']} at {error['boundary']}: {error['message']}"
