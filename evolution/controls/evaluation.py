"""Play a harness on a split and say how well it does, with an interval."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

from homebody.agents.content_hash import digest
from homebody.agents.harness.spec import HarnessSpec
from homebody.agents.model_free import TWINS
from homebody.agents.policy import Policy
from homebody.agents.record import EpisodeRecord
from homebody.agents.rollout import Job, RolloutConfig, Rollouts
from homebody.agents.twin import REFERENCE
from homebody.envs import TaskSpec
from homebody.envs import tasks as list_tasks
from homebody.evolution.gate.episodes import OnRecord, play_once
from homebody.evolution.gate.stats import pass_at_k, success_rate, wilson
from homebody.evolution.gate.twins import beside, play_twins, who_decided
from homebody.evolution.store import RunError, Store, reading
from homebody.evolution.stored import StoredResult

TWIN_TASKS = 40
"""Validation tasks on which the best twin is chosen, however few tasks are evaluated: on a handful a twin wins by luck."""


def evaluate(
    config: RolloutConfig,
    spec: HarnessSpec,
    split: str,
    *,
    tasks: int | None = None,
    attempts: int = 1,
    seed: int = 0,
    workers: int = 1,
    cluster: str | None = None,
    run_dir: str | Path | None = None,
    twins: bool = False,
    on_record: OnRecord | None = None,
) -> StoredResult:
    """Play the first `tasks` tasks of a split.

    Args:
        config: environment, policy and step limit.
        spec: the harness.
        split: `train`, `validation`, `test`, or another name that the environment knows.
        tasks: number of tasks; None plays all.
        attempts: tries at each task; the first is greedy, the others sample.
        seed: of the episodes.
        workers: number of worker processes; the result does not depend on it.
        cluster: address of a Ray cluster whose actors play instead; nor on that.
        run_dir: keeps episodes and result there, and plays only what is not there yet.
        twins: play the four twins too: on validation tasks, to choose the best of them, which the model's steps are then compared with;
            and on the same tasks as the model.
        on_record: told after each episode: number done, number of all, the record. Twins are counted by themselves.

    Returns:
        The result as DESIGN describes it for `homebody evaluate --json`.
    """
    started = time.monotonic()
    spec.check()
    chosen = list_tasks(config.env_id, split, tasks, **config.env_kwargs)
    held = _validation_tasks(config) if twins else []
    # The policy first: where there is no such model, no run directory is made.
    with Rollouts(config, workers, cluster) as rollouts, Store(run_dir) if run_dir is not None else nullcontext(None) as store:
        if store:
            _check_env_args(store, config)
        before = play_twins(rollouts, spec, held, seed, store=store, on_record=on_record) if twins else None
        twin = before.best if before and rollouts.policy.has_model else REFERENCE
        jobs = [Job(spec, task, seed, attempt, twin=twin) for task in chosen for attempt in range(attempts)]
        played = play_once(rollouts, jobs, store, on_record)
        result = _result(config, spec, split, played, rollouts.policy, attempts)
        after = play_twins(rollouts, spec, chosen, seed, store=store, on_record=on_record) if twins else None
        if before and after:
            told = beside(list(played.values())[::attempts], rollouts.policy, before, after).to_json()
            result = {**result, **told}
            result["twins_s"] = round(before.seconds + after.seconds, 2)
        result["wall_s"] = round(time.monotonic() - started, 2)
        if store:
            _keep(store, result, played)
        if store and after:
            each_s: StoredResult = {"wall_s": round(after.seconds / len(TWINS), 2)}
            for name, episodes in after.episodes.items():
                if name == rollouts.policy.name and attempts == 1:
                    continue  # Kept above.
                _keep(store, _result(config, spec, split, episodes, TWINS[name]()) | each_s, episodes)
    return result


def _result(
    config: RolloutConfig, spec: HarnessSpec, split: str, played: Mapping[str, EpisodeRecord], policy: Policy, attempts: int = 1
) -> StoredResult:
    """Return what was played, and how well."""
    where: StoredResult = {
        "env": config.env_id,
        "env_args": config.env_args,
        "split": split,
        "max_steps": config.max_steps,
        "harness": spec.name,
    }
    return {**where, **summarize(list(played.values()), attempts), "policy": policy.name, "fingerprint": policy.fingerprint}


def _keep(store: Store, result: StoredResult, played: Mapping[str, EpisodeRecord]) -> None:
    """Keep a result, with the outcome of each task."""
    figures = {key: value for key, value in result.items() if key != "episodes"}
    store.append("evaluation", {**figures, "won": _won(result), "keys": list(played)})


def _validation_tasks(config: RolloutConfig) -> Sequence[TaskSpec]:
    """Return the tasks on which the best twin is chosen."""
    return list_tasks(config.env_id, "validation", None, **config.env_kwargs)[:TWIN_TASKS]


def _check_env_args(store: Store, config: RolloutConfig) -> None:
    """One run has one environment: its tables would set side by side what cannot be compared."""
    with reading(store.run_dir):
        evolved = [replace(config, env_kwargs=start["env_kwargs"]).env_args for start in store.events("start")]
        evaluated = [item.get("env_args", {}) for item in store.events("evaluation")]
    for before in evolved + evaluated:
        if before != config.env_args:
            raise RunError(
                f"{store.run_dir} was made with the environment's arguments {before or 'none'}, and these are {config.env_args or 'none'}; "
                "give another --run-dir, or the same --env-arg"
            )


def summarize(records: Sequence[EpisodeRecord], attempts: int = 1) -> StoredResult:
    """Reduce episodes to figures. One that an error ended is no defeat: it is counted as an error, and in no figure of success.

    Args:
        records: the attempts at each task side by side, the greedy one first.
        attempts: number of records a task.

    Returns:
        Figures of the first attempts that were played to their end (`n` of them), who decided in the first attempts (see
        `homebody.agents.record.Decisions`; shares are None without a model), counters of all episodes (`errors` among them), and
        `episodes`. `success`, `ci95` and `steps_mean` are None where `n` is 0. Where the environment tells an exact success, whose
        reward then says more than `success`: `reward_mean`, `success_strict` and `ci95_strict`, by type too. `pass_at_k` is over the
        tasks whose attempts were all played to their end, and None without such a task.
    """
    first = records[::attempts]
    played = [record for record in first if record.error is None]
    result: StoredResult = {
        **success_rate(record.outcome for record in first).to_json(),
        "errors": sum(record.error is not None for record in records),
        **_grades(played),
        **who_decided(first).to_json(),
        "steps_mean": sum(record.steps for record in played) / len(played) if played else None,
        "invalid_actions": sum(record.invalid_actions for record in records),
        "prompt_tokens": _total(records, "prompt_tokens"),
        "cached_tokens": _total(records, "cached_tokens"),
        "generated_tokens": _total(records, "generated_tokens"),
        "decisions": sum(record.steps for record in records),
        "adaptations": {
            "episodes": sum(bool(record.adaptations) for record in records),
            "total": sum(len(record.adaptations) for record in records),
        },
        "behaviour_hash": first[0].behaviour_hash,
        "trace_hash": digest([record.trace_hash for record in records]),
        "by_type": _by_type(first),
        "episodes": [
            {key: getattr(record, key) for key in _EPISODE}
            | {"model_share": who_decided([record]).model_share}
            | ({"reward": record.reward, "strict": record.strict} if record.strict is not None else {})
            for record in records
        ],
    }
    if attempts > 1:
        tries = [records[start : start + attempts] for start in range(0, len(records), attempts)]
        wins = [sum(record.won for record in some) for some in tries if all(record.error is None for record in some)]
        result["pass_at_k"] = {
            str(k): sum(pass_at_k(attempts, c, k) for c in wins) / len(wins) if wins else None for k in range(1, attempts + 1)
        }
    return result


_EPISODE = ("task_id", "type", "won", "steps", "seed", "attempt", "trace_hash", "play_hash", "error")
"""What a result holds of each episode, besides its `model_share`."""


def outcome_of(record: EpisodeRecord) -> str:
    """Return how an episode ended, in a word."""
    return {True: "won", False: "lost", None: "error"}[record.outcome]


def _total(records: Iterable[EpisodeRecord], counter: str) -> int:
    return int(sum(record.usage.get(counter, 0) for record in records))


def _by_type(records: Sequence[EpisodeRecord]) -> dict[str, StoredResult]:
    types: dict[str, list[EpisodeRecord]] = {}
    for record in records:
        types.setdefault(record.type, []).append(record)
    return {
        name: {**success_rate(record.outcome for record in here).to_json(), **_grades([record for record in here if record.error is None])}
        for name, here in sorted(types.items())
    }


def _grades(records: Sequence[EpisodeRecord]) -> StoredResult:
    """Return mean reward and exact success of episodes played to their end; nothing where the environment does not tell."""
    if all(record.strict is None for record in records):
        return {}
    n, strict = len(records), sum(bool(record.strict) for record in records)
    return {
        "reward_mean": sum(record.reward for record in records) / n,
        "success_strict": strict / n,
        "ci95_strict": list(wilson(strict, n)),
    }


def _won(result: StoredResult) -> dict[str, bool]:
    """Return the outcome of the first attempts that were played to their end, by task."""
    return {episode["task_id"]: episode["won"] for episode in result["episodes"] if not episode["attempt"] and not episode["error"]}
