"""What the event log of a run proves: which tasks were played, who saw them, and that the final harness is the seed with the shipped edits.

Trusts the log and the environment's list of tasks, and nothing else. A check that finds nothing wrong is a finding, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

from homebody.agents.errors import AgentError
from homebody.agents.model_free import MODEL_FREE
from homebody.envs import SPLITS, TaskSpec
from homebody.envs import tasks as list_tasks
from homebody.envs.file import UserPath
from homebody.evolution.reports.lineage import Lineage, read_lineage
from homebody.evolution.store import Store

PRIVILEGED = ("expert",)
"""Policies that know more than an agent is shown."""
READ_BY_PROPOSERS = ("training", "smoke run", "without")
"""How the purposes of episodes begin for which only training tasks will do."""
MASKED_LEVEL = 0.05
"""Largest p-value at which a twin in a model's clothes does better than the twin as it is; five wins without a loss have 0.03."""
BEGUN = 400
"""Test tasks whose goals are looked for in the final harness, at least, those that were played first: to begin a task may take long."""
SHOWN = 3
"""Culprits that a finding names."""


class WrittenFinding(TypedDict):
    """A `Finding` as results hold it."""

    check: str
    ok: bool
    sentence: str


@dataclass(frozen=True)
class Finding:
    """The outcome of one check."""

    check: str
    ok: bool
    sentence: str
    """What was looked at, or what is wrong."""

    def to_json(self) -> WrittenFinding:
        """Return JSON-ready data."""
        return {"check": self.check, "ok": self.ok, "sentence": self.sentence}


@dataclass(frozen=True)
class _Log:
    """The part of a store that the checks read."""

    lineage: Lineage
    start: Mapping[str, Any]
    statistics: tuple[str, ...]
    """Ids of the tasks that exploration played."""
    series: list[Mapping[str, Any]]
    """What the evolution played, by purpose."""
    twins: frozenset[str]
    """Tasks that twins of the evolution's harnesses played."""
    shown: Any
    """All that proposers were given and wrote: digests, landscapes, edits, critiques, manifests."""
    records: Mapping[str, Mapping[str, Any]]
    """Episodes by key."""
    evaluated: frozenset[str]
    """Keys of the episodes that evaluations asked for."""
    began: Mapping[str, float]
    """When each split was first evaluated."""
    last_round: float
    ids: Mapping[str, frozenset[str]]
    """Task ids by split."""


def audit(run_dir: UserPath, data_dir: UserPath | None = None) -> list[Finding]:
    """Check a run that has ended.

    Args:
        run_dir: the run.
        data_dir: where the files of its environment lie now, if elsewhere than in the run.

    Returns:
        One finding a check: `training`, `unseen`, `exploration`, `policy`, `order`, `replay`, `literals`, `masks`; `policy`, `replay` and
        `masks` alone where the published protocol evolves on test tasks by design.

    Raises:
        RunError: there is no run, or it has not ended.
        EnvError: the environment's tasks cannot be listed.
    """
    log = _read(run_dir, data_dir)
    checks = {
        "training": _training,
        "unseen": _unseen,
        "exploration": _exploration,
        "policy": _policy,
        "order": _order,
        "replay": _replay,
        "literals": _literals,
        "masks": _masks,
    }
    if log.lineage.config.protocol == "published":
        checks = {name: check for name, check in checks.items() if name in ("policy", "replay", "masks")}
    found = []
    for name, check in checks.items():
        said, wrong = check(log)
        culprits = list(wrong)
        rest = f" and {len(culprits) - SHOWN} more" if len(culprits) > SHOWN else ""
        found.append(Finding(name, not culprits, "; ".join(culprits[:SHOWN]) + rest if culprits else said))
    return found


def _read(run_dir: UserPath, data_dir: UserPath | None) -> _Log:
    lineage = read_lineage(run_dir, data_dir)
    with Store(run_dir, readonly=True) as store:
        start = store.events("start")[0]
        rounds = store.timed("round")
        evaluations = store.timed("evaluation")
        announced = store.timed("evaluating")
        statistics = (store.events("statistics") or [{"tasks": []}])[0]
        manifests = [edit["manifest"] for _, item in rounds for edit in item["candidates"]]
        began: dict[str, float] = {}
        ids = _ids(lineage)
        for when, played in store.evaluated():
            for split in {split for split, known in ids.items() if known & set(played)}:
                began.setdefault(split, when)
        return _Log(
            lineage=lineage,
            start=start,
            statistics=tuple(statistics["tasks"]),
            series=[data for kind, data in store.events("progress") if kind == "series"],
            twins=frozenset(record["task_id"] for item in store.events("twins") for record in item["episodes"]),
            shown=[store.events("digests"), store.events("landscape"), store.events("proposal"), store.events("critique"), manifests],
            records=store.episodes(),
            evaluated=frozenset(key for _, item in (*announced, *evaluations) for key in item.get("keys", ())),
            began=began,
            last_round=max((when for when, _ in rounds), default=0.0),
            ids=ids,
        )


def _ids(lineage: Lineage) -> dict[str, frozenset[str]]:
    config = lineage.config
    return {split: frozenset(task.task_id for task in list_tasks(config.env_id, split, None, **config.env_kwargs)) for split in SPLITS}


Outcome = tuple[str, Iterable[str]]
"""What was looked at, and what is wrong."""


def _training(log: _Log) -> Outcome:
    """Whatever the evolution played is a task of train or validation."""
    either = log.ids["train"] | log.ids["validation"]
    played = [(series, task) for series in log.series for task in series["episodes"]]
    wrong = [
        f"{series['what']} played {task}"
        for series, task in played
        if task not in (log.ids["train"] if series["part"].startswith(READ_BY_PROPOSERS) else either)
    ]
    stray = [
        f"an episode of {record['task_id']} was played for no evaluation"
        for key, record in log.records.items()
        if key not in log.evaluated and record["task_id"] not in either
    ]
    wrong += [f"a twin played {task}" for task in sorted(log.twins - log.ids["validation"])]
    # A resumed run tells of its series again.
    count = len({(series["what"], task) for series, task in played})
    return f"{count} episodes of the evolution are of train and validation tasks, none of test", wrong + stray


def _unseen(log: _Log) -> Outcome:
    """No validation or test task stands in what a proposer was given or wrote."""
    hidden = (log.ids["validation"] | log.ids["test"]) - log.ids["train"]
    seen = {text for text in strings(log.shown) if text in hidden}
    return f"no task of {len(hidden)} in validation and test stands in what proposers read or wrote", [
        f"{task} was shown to the proposer" for task in sorted(seen)
    ]


def _exploration(log: _Log) -> Outcome:
    """Exploration played training tasks only."""
    wrong = [f"exploration played {task}" for task in log.statistics if task not in log.ids["train"]]
    return f"exploration played {len(log.statistics)} tasks, all of train" if log.statistics else "nothing was explored", wrong


def _policy(log: _Log) -> Outcome:
    """No privileged policy played in the evolution."""
    keys = {key for series in log.series for key, _ in series["episodes"].values()}
    names = {log.start["model"]} | {log.records[key]["policy"] for key in keys if key in log.records}
    kind = "a control" if log.start["model"] in MODEL_FREE else "a model"
    wrong = [f"{name} played in the evolution, and it is privileged" for name in sorted(names & set(PRIVILEGED))]
    return f"{log.start['model']}, {kind}, decided; it is shown what an agent is shown", wrong


def _order(log: _Log) -> Outcome:
    """Test tasks were first played after the last round."""
    began = log.began.get("test")
    if began is None:
        return "no test task was played yet", []
    wrong = ["test tasks were played before the evolution had ended"] if began < log.last_round else []
    return "test tasks were played after the last round only", wrong


def _replay(log: _Log) -> Outcome:
    """The seed with the shipped edits is the final harness."""
    lineage = log.lineage
    wrong = []
    if lineage.replayed.behaviour_hash != lineage.end["final_hash"]:
        wrong.append(f"seed and shipped edits make {lineage.replayed.behaviour_hash[:12]}, not {lineage.end['final_hash'][:12]}")
    try:
        lineage.final  # noqa: B018 - reading it compares the file with the log
    except AgentError as error:
        wrong.append(str(error))
    made = f"what evolved for {lineage.harness_of}" if lineage.harness_of else f"the seed with {len(lineage.edits)} shipped edits"
    return f"{made} is the final harness, {lineage.end['final_hash'][:12]}", wrong


def _literals(log: _Log) -> Outcome:
    """Neither the id nor the goal of a test task stands in the final harness; a goal that training tasks have as well is no secret."""
    config = log.lineage.config
    text = "\n".join(strings(log.lineage.replayed.document))
    test = list_tasks(config.env_id, "test", None, **config.env_kwargs)
    wrong = [f"the final harness holds the id {task.task_id}" for task in test if task.task_id in text]
    played = {record["task_id"] for record in log.records.values()}
    looked_at = sorted(test, key=lambda task: task.task_id not in played)[: max(BEGUN, sum(task.task_id in played for task in test))]
    held = {goal for goal in _goals(log, looked_at) if goal in text}
    if held:
        train = list_tasks(config.env_id, "train", None, **config.env_kwargs)
        likely = {*played, *log.statistics, *(task.task_id for task in train if task.task_id in text)}
        for goal in _goals(log, sorted(train, key=lambda task: task.task_id not in likely)):
            held.discard(goal)
            if not held:
                break
    wrong += [f"the final harness holds the goal {goal!r}" for goal in sorted(held)]
    goals = f"no goal of {'them' if len(looked_at) == len(test) else f'{len(looked_at)} of them'}"
    return f"no id of {len(test)} test tasks stands in the final harness, and {goals}", wrong


def _masks(log: _Log) -> Outcome:
    """The final harness does not play worse on purpose where it sees no model: a twin that looks like one does no better."""
    if log.lineage.harness_of:
        return f"the audit of the run in which the harness evolved for {log.lineage.harness_of} has looked at that", []
    found = log.lineage.end.get("masked")
    if found is None:
        return "the final harness has no model's part to be doubted", []
    tally = f"{found['best']} solves {found['won']} validation tasks that the best twin does not, and not {found['lost']} that it does"
    wrong = [f"the harness plays worse where it sees no model: {tally}, p = {found['p']:.2g}"] if found["p"] <= MASKED_LEVEL else []
    return f"twins that look like a model do no better: {tally}", wrong


def _goals(log: _Log, tasks: Sequence[TaskSpec]) -> Iterator[str]:
    """Yield the goals of tasks, first those of tasks that were played."""
    known = {record["task_id"]: record["goal"] for record in log.records.values()}
    yield from (known[task.task_id] for task in tasks if task.task_id in known)
    new = [task for task in tasks if task.task_id not in known]
    if not new:
        return
    env = log.lineage.config.rollout.make_env()
    try:
        for task in new:
            yield env.reset(seed=0, options={"task": task.task_id})[1]["goal"]
    finally:
        env.close()


def strings(value: Any) -> Iterator[str]:
    """Yield every text in JSON data, the keys of objects included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from map(str, value)
        for item in value.values():
            yield from strings(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from strings(item)
