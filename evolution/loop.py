"""A run: exploration, rounds, and the final harness.

Deterministic given its configuration, a budget of minutes apart. Everything that was played is in the store under its content, so a killed
run that is started again plays only what is missing and ends with the same harness.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, cast

from homebody.agents.content_hash import digest
from homebody.agents.errors import FailedError
from homebody.agents.harness.seed import pick_document
from homebody.agents.harness.spec import HarnessSpec, harness_names
from homebody.agents.model_policy import ModelPolicy
from homebody.agents.models.backend import Backend
from homebody.agents.rollout import Rollouts
from homebody.envs import TaskSpec
from homebody.envs.file import write_file
from homebody.evolution.config import BUDGETS, HOW, ConfigError, EvolveConfig
from homebody.evolution.evidence.learn import TrainingStatistics, learn
from homebody.evolution.gate.candidate_evaluation import CandidateEvaluation
from homebody.evolution.gate.player import EndOfRunError, Player, Progress
from homebody.evolution.gate.proposal import Proposals
from homebody.evolution.proposers import find_proposer
from homebody.evolution.proposers.registry import find_entry
from homebody.evolution.round import Approve, Rounds
from homebody.evolution.store import RunError, Store, reading
from homebody.evolution.stored import StoredEnd

MEASURED = 2
"""Episodes of the seed from which the rate of a run is measured."""
EXPLORED_TASKS = 600
"""Most training tasks that exploration plays."""


def evolve(
    config: EvolveConfig,
    run_dir: str | Path,
    *,
    workers: int = 1,
    cluster: str | None = None,
    resume: bool = False,
    progress: Progress | None = None,
    approve: Approve | None = None,
) -> StoredEnd:
    """Evolve a harness on training tasks, gated on validation tasks. No test task is read, unless the protocol is the published one.

    Args:
        config: what to run.
        run_dir: where to keep it.
        workers: number of worker processes; the result does not depend on it, but for the time and the tokens served from a cache.
        cluster: address of a Ray cluster whose actors play instead.
        resume: go on with the run in `run_dir`. Budgets may be larger than before, or none.
        progress: told what happens.
        approve: a person at the gate, see `round.Approve`; the answers are kept, so a resumed run does not ask again.

    Returns:
        The result of `homebody evolve --json`; the final harness is also in `run_dir/final.json`. `policy` names who played. `stopped` is
        a key of `reports.summary.ENDINGS`. `shipped` says of the harness after each shipped edit what it does on validation tasks beside
        its twins, `kept` how many of these edits the final harness has, and `final` what it does there. `masked` is what
        `homebody.evolution.gate.twins.unmask` returns of it, None for the seed and without a model. `gate` says in which mode the
        gate worked, and `savings` is what `Player.savings` returns. The cost is counted over all processes of the run; `twins_s`, the
        seconds of twins, in this process.

    Raises:
        AgentError, EnvError: something in the configuration cannot be used; nothing was run.
        RunError: the directory holds another run, or none where one is resumed, or is in use.
        FailedError: the model does not answer any more, a worker died, or errors ended all episodes of the present harness. What was played
            is kept, and `resume` goes on; episodes that an error ended are played again.
    """
    config.check()
    if resume:
        _check_begun(run_dir)
    # A seed's bare name is kept as the document that it stands for.
    config = replace(config, harness=pick_document(config.harness, harness_names(), config.model).name)
    seed_spec = HarnessSpec.load(config.harness).check()
    train, validation = config.tasks("train"), config.tasks("validation")
    with ExitStack() as stack:
        if resume:
            stack.enter_context(reading(run_dir))
        # The models first: where there is no such model, no run directory is made.
        rollouts = stack.enter_context(Rollouts(config.rollout, workers, cluster))
        config = _with_objective(config, rollouts)
        backend = _backend(config, rollouts, stack)
        store = stack.enter_context(Store(run_dir))
        what = {key: value for key, value in asdict(config).items() if key not in HOW}
        start = {**what, "seed_hash": seed_spec.behaviour_hash, "policy": rollouts.policy.fingerprint}
        _claim(store, config, {**start, "approve": approve is not None}, resume)
        store.append_once("harness", {"document": seed_spec.document})
        player = Player(config, store, rollouts, progress or (lambda kind, data: None))
        store.append("progress", ["begin", {}])
        statistics = _learn(player, train[:EXPLORED_TASKS])
        proposals = Proposals(player, find_proposer(config.proposer), config.candidates, backend)
        rounds = Rounds(player, proposals, train, validation, statistics, seed_spec, approve)
        try:
            stopped = _measure(player, seed_spec, train, validation, workers) or _run(rounds, seed_spec, config)
        except FailedError as error:
            store.append("failed", {"message": str(error)})
            raise
        return _finish(rounds, seed_spec, stopped)


def _with_objective(config: EvolveConfig, rollouts: Rollouts) -> EvolveConfig:
    """Return the settings with the objective that they mean.

    Raises:
        ConfigError: the objective is a model, and none plays.
    """
    has_model = rollouts.policy.has_model
    if config.objective == "model" and not has_model:
        raise ConfigError(f"objective model measures what a model adds, and {config.model} is no model; give objective success, or a model")
    return replace(config, objective=config.objective or ("model" if has_model else "success"))


def _backend(config: EvolveConfig, rollouts: Rollouts, stack: ExitStack) -> Backend | None:
    """Return the model that the proposer may ask: its own, or the one that plays.

    Raises:
        ConfigError: it needs one and there is none.
        AgentError: there is no such model, or it cannot be loaded.
    """
    if config.proposer_model is not None:
        backend = config.load_proposer(config.proposer_model)
        stack.callback(backend.close)
        return backend
    if isinstance(rollouts.policy, ModelPolicy):
        return rollouts.policy.backend
    if find_entry(config.proposer).asks:
        raise ConfigError(f"proposer {config.proposer} asks a model, and {config.model} is none; name one with --proposer-model")
    return None


def _check_begun(run_dir: str | Path) -> None:
    """Check that there is a run to go on with, before anything is loaded or made.

    Raises:
        RunError: there is none.
    """
    with Store(run_dir, readonly=True) as store:
        if not store.events("start"):
            raise RunError(f"{store.run_dir} holds no evolution to go on with; leave --resume out to begin one")


def _claim(store: Store, config: EvolveConfig, start: dict[str, Any], resume: bool) -> None:
    """Make the store this run's, or check that it is; a budget that was raised is kept as a start of its own.

    Raises:
        RunError: it holds a run that is not to be resumed, one with other settings, or one that a budget ended and whose harnesses have
            played test tasks since: edits that come later would have come after the test.
    """
    known = store.events("start")
    if not known:
        store.append("start", start)
        return
    if not resume:
        raise RunError(f"{store.run_dir} already holds a run; add --resume to go on with it, or choose another --run-dir")
    before, now = _settings(known[-1]), _settings(start)
    differing = sorted(key for key in now if digest(before.get(key)) != digest(now[key]))
    # With less than it has spent, a run would end before rounds that its log holds.
    lowered = [name for name in differing if name in BUDGETS and _most(now[name]) < _most(before.get(name))]
    if wrong := lowered or [key for key in differing if key not in BUDGETS]:
        was = ", ".join(f"{key} was {before.get(key)!r} and is {now[key]!r}" for key in wrong)
        same = "a budget can only be raised; give the same or more" if lowered else "give the same"
        raise RunError(f"{store.run_dir} holds a run with other settings ({was}); {same}, or choose another --run-dir")
    ended = store.events("end")
    if ended and f"budget_{ended[-1]['stopped']}" in differing and config.protocol == "held-out" and _is_tested(store, config):
        raise RunError(
            f"{store.run_dir} holds a run that its budget of {ended[-1]['stopped']} ended, and its test tasks have been played since; "
            "with a larger one its evolution would go on after the test: give the same budgets, or choose another --run-dir"
        )
    if digest(known[-1]) != digest(start):
        store.append("start", start)


def _is_tested(store: Store, config: EvolveConfig) -> bool:
    test = {task.task_id for task in config.tasks("test")}
    return any(not test.isdisjoint(tasks) for _, tasks in store.evaluated())


def _settings(start: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a run is compared by: not where its files lie, which is elsewhere on another machine; the seed has a hash.

    Runs that name no protocol were held-out.
    """
    arguments = {key: value for key, value in start["env_kwargs"].items() if key != "data_dir"}
    return {"protocol": "held-out"} | {key: value for key, value in start.items() if key != "harness"} | {"env_kwargs": arguments}


def _most(budget: float | None) -> float:
    return math.inf if budget is None else budget


def _learn(player: Player, tasks: Sequence[TaskSpec]) -> TrainingStatistics:
    """Return what exploration teaches, from the store if it was done before; for proposers that use no statistics nothing is explored."""
    config, store = player.config, player.store
    known = store.events("statistics")
    if known:
        return TrainingStatistics.from_json(known[0])
    if not find_entry(config.proposer).learns or not config.exploration_steps:
        return TrainingStatistics()
    player.tell("explore", {"steps": config.exploration_steps, "tasks": len(tasks)})
    env = player.rollouts.config.make_env()
    statistics = learn(env, tasks, config.exploration_steps, config.seed)
    env.close()
    store.append("statistics", statistics.to_json())
    return statistics


def expected_episodes(config: EvolveConfig, train: int, validation: int) -> tuple[int, int]:
    """Return the model episodes of a run, as long as its sets of tasks do not grow.

    Args:
        config: of the run.
        train: training tasks that there are.
        validation: validation tasks that there are.

    Returns:
        Those of the first round's harness alone, and those of all rounds where no candidate is dropped early; neither is beyond the budget.
    """
    training, judging = min(config.train_tasks, train), min(config.validation_tasks, validation)
    noise = min(config.noise_tasks, judging) if config.gate == "auto" else 0
    least = training + judging + noise
    # A candidate is tried on a training task before it is judged; what is shipped plays its training tasks in the next round.
    most = noise + config.rounds * (training + judging + config.candidates * (1 + judging))
    limit = most if config.budget_episodes is None else config.budget_episodes
    return min(least, limit), min(most, limit)


def _measure(player: Player, spec: HarnessSpec, train: Sequence[TaskSpec], validation: Sequence[TaskSpec], workers: int) -> str:
    """Tell what the run will take, at the rate of its first episodes, which are played anyway.

    A run without a model takes seconds, so nothing is measured there. An episode that an error ended
    says nothing of the others. The seed is the slowest harness of most runs.

    Returns:
        Why the run ended, where a budget is spent already; else nothing.
    """
    config = player.config
    if not player.rollouts.policy.has_model:
        return ""
    try:
        records = player.play(spec, train[: min(MEASURED, config.train_tasks)], "the run", "first episodes")
    except EndOfRunError as end:
        return end.why
    if any(record.error is not None for record in records):
        return ""
    least, most = expected_episodes(config, len(train), len(validation))
    tokens = sum(record.usage.get(name, 0) for record in records for name in ("prompt_tokens", "generated_tokens")) / len(records)
    seconds = sum(record.usage.get("seconds", 0) for record in records) / len(records) / max(workers, config.concurrency)
    player.tell(
        "estimate",
        {
            "measured": len(records),
            "episodes": [least, most],
            "tokens": [round(least * tokens), round(most * tokens)],
            "minutes": [round(least * seconds / 60, 2), round(most * seconds / 60, 2)],
            "may_grow": config.growth > 1,
        },
    )
    return ""


def _run(rounds: Rounds, spec: HarnessSpec, config: EvolveConfig) -> str:
    """Play the rounds; return why the run ended."""
    idle = 0
    while len(rounds.reports) < config.rounds:
        try:
            spec = rounds.play(spec)
        except EndOfRunError as end:
            return end.why
        candidates = rounds.reports[-1].candidates
        if not candidates:
            return "no proposals"
        # What is new has its turn, however often the gate refused what came before: the operators that answer the failures are few.
        idle = 0 if any(_was_played(candidate) for candidate in candidates) else idle + 1
        if idle >= config.patience:
            return "nothing new"
    return "rounds"


def _was_played(candidate: CandidateEvaluation) -> bool:
    """Tell whether a candidate was a new behaviour that came to its smoke run."""
    return any(check == "smoke run" for check, _ in candidate.verdict.checks)


def _finish(rounds: Rounds, seed_spec: HarnessSpec, stopped: str) -> StoredEnd:
    """Choose the final harness, write it, and return the result."""
    player, statistics = rounds.player, rounds.statistics
    kept, outcomes = rounds.choose()
    final = _named(rounds, seed_spec, kept) if kept else seed_spec
    path = player.store.run_dir / "final.json"
    write_file(path, final.dumps())
    last = outcomes[kept - 1] if kept else rounds.outcome(seed_spec)
    masked = rounds.unmask(rounds.shipped[kept - 1]) if kept else None
    content = {
        "seed_hash": seed_spec.behaviour_hash,
        "final_hash": final.behaviour_hash,
        "final_harness": str(path),
        "objective": player.config.objective,
        "rounds": [report.to_json() for report in rounds.reports],
        "shipped": [outcome.to_json() if outcome else None for outcome in outcomes],
        "kept": kept,
        "final": last.to_json() if last else None,
        "masked": masked.to_json() if masked else None,
        "policy": player.rollouts.policy.name,
        "stopped": stopped,
        "gate": rounds.mode,
        "episodes": len(player.keys),
        "errors": len(player.errors),
        "savings": player.savings(),
        "exploration_steps": statistics.steps,
        "tokens": player.tokens,
        **player.usage,
        "twins_s": round(player.twins_s, 1),
        "wall_s": round(player.wall_s, 1),
    }
    player.store.append("end", content)
    return cast(StoredEnd, content)


def _named(rounds: Rounds, seed_spec: HarnessSpec, kept: int) -> HarnessSpec:
    """Give the harness after so many shipped edits its name and say where it comes from; its behaviour stays."""
    config, model, statistics = rounds.player.config, rounds.player.rollouts.policy, rounds.statistics
    what = "for success alone" if config.objective == "success" else "for what the model adds"
    described = f"Evolved from {seed_spec.name} on {config.env_id} with {model.name}, {config.max_steps} steps a task, {what}."
    shipped = [report.operator for report in rounds.reports if report.shipped]
    origin: Mapping[str, Any] = {
        "objective": config.objective,
        "seed_harness": seed_spec.name,
        "seed_hash": seed_spec.behaviour_hash,
        "env": config.env_id,
        "model": dict(model.fingerprint),
        "proposer": config.proposer,
        "edits": shipped[:kept],
        "train_tasks": rounds.reports[-1].train.played,
        "validation_tasks": rounds.reports[-1].result.validation.played,
        "max_steps": config.max_steps,
        "explored_tasks": len(statistics.tasks),
        "exploration_steps": statistics.steps,
        "gate": rounds.mode,
        "isolation": config.isolation,
        "episodes": len(rounds.player.keys),
        "tokens": rounds.player.tokens,
        "seed": config.seed,
    }
    document, name = rounds.shipped[kept - 1].document, f"{seed_spec.name}-evolved"
    return HarnessSpec.from_json({**document, "name": name, "description": described, "origin": dict(origin)})
