"""A model in the harness that evolved for another: finds that harness, and begins the run that plays it. Evolves nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from homebody.agents.harness.spec import HarnessSpec
from homebody.agents.rollout import Rollouts
from homebody.envs.file import write_file
from homebody.evolution.config import HOW, EvolveConfig
from homebody.evolution.controls.claims import is_marked
from homebody.evolution.controls.reproduce import Combination
from homebody.evolution.controls.results import Results, ResultsError
from homebody.evolution.controls.seed import FILE, find_seed
from homebody.evolution.controls.table import called, changes_of
from homebody.evolution.reports.lineage import read_lineage
from homebody.evolution.store import RunError, Store, holds, reading


@dataclass(frozen=True)
class Evolved:
    """A harness that evolved for a model."""

    model: str
    """Its name in tables."""
    policy: Mapping[str, str]
    """Its fingerprint."""
    objective: str
    seed_hash: str
    """Behaviour hash of the seed that the evolution began with."""
    changes: Sequence[Mapping[str, Any]]
    """The edits that lead from there to the harness, as `homebody.evolution.controls.table.changes_of` returns them."""
    spec: HarnessSpec

    def to_json(self) -> dict[str, Any]:
        """Return JSON-ready data, the harness as `document` and `behaviour_hash`."""
        kept = {"model": self.model, "policy": dict(self.policy), "seed_hash": self.seed_hash, "changes": list(self.changes)}
        return {**kept, "document": self.spec.document, "behaviour_hash": self.spec.behaviour_hash}


def find_evolved(combination: Combination, tables: Sequence[Results]) -> Evolved:
    """Return the harness that a combination plays: of the other model's run beside its own, else of its row in a table.

    Args:
        combination: of which `harness_of` names that model.
        tables: results that were played elsewhere.

    Raises:
        RunError: there is no such run and no such row, or the run has not ended.
        ResultsError: the row's harness cannot be made again from its seed and its edits.
    """
    origin = combination.origin
    if holds(origin.run_dir, "end"):
        lineage = read_lineage(origin.run_dir)
        with reading(origin.run_dir), Store(origin.run_dir, readonly=True) as store:
            policy = store.events("start")[-1]["policy"]
        objective, changes = lineage.config.objective or "success", changes_of(lineage.edits)
        return Evolved(called(origin.model), policy, objective, lineage.seed.behaviour_hash, changes, lineage.final)
    for table in tables:
        for row, one in table.pairs():
            if _is_row_of(row, origin):
                return _of_row(table.source, row, one, combination)
    command = f"homebody reproduce --models {origin.model} --benchmarks {origin.benchmark.name} --run-dir {origin.run_dir.parent}"
    if holds(origin.run_dir, "start"):
        raise RunError(f"the evolution of {origin.name} has not ended in {origin.run_dir}; finish it with {command}")
    raise RunError(
        f"no harness of {origin.name} is known: {origin.run_dir} holds no run, and no table of --merge "
        f"has its row; evolve one with {command}"
    )


def begin_transfer(combination: Combination, evolved: Evolved) -> None:
    """Begin the run that plays a model in another's harness, after its seed was chosen; what was begun before is left as it is.

    The run has an end from its beginning, so that `homebody.evolution.controls.baselines.play_controls` plays its rows.

    Raises:
        RunError: the two models are the same, or the run was begun with another harness.
    """
    run_dir, one = combination.run_dir, combination.benchmark
    harness_of = evolved.to_json()
    with Store(run_dir, readonly=True) as store:
        starts, ends = store.events("start"), store.events("end")
    with reading(run_dir):
        known = starts[-1]["harness_of"]["behaviour_hash"] if starts else evolved.spec.behaviour_hash
    if known != evolved.spec.behaviour_hash:
        raise RunError(
            f"{run_dir} was begun with harness {known[:12]} of {evolved.model}, and this is "
            f"{evolved.spec.behaviour_hash[:12]}; choose another --run-dir"
        )
    final = run_dir / "final.json"
    write_file(final, evolved.spec.dumps())
    if ends:
        return
    seed = HarnessSpec.load(run_dir / FILE)
    with Rollouts(combination.rollout) as rollouts:
        policy, name = rollouts.policy.fingerprint, rollouts.policy.name
    if policy.get("sha256") and policy.get("sha256") == evolved.policy.get("sha256"):
        raise RunError(
            f"{combination.model} and {evolved.model} are the same weights, so it plays in its own harness; leave it out of --models"
        )
    config = EvolveConfig(
        one.env,
        combination.model,
        str(run_dir / FILE),
        rounds=0,
        exploration_steps=0,
        max_steps=one.max_steps,
        objective=evolved.objective,
        seed=combination.repeat - 1,
        env_kwargs=combination.env_kwargs,
        gpu_layers=combination.gpu_layers,
        n_ctx=combination.n_ctx,
        n_threads=combination.n_threads,
    )
    what = {key: value for key, value in asdict(config).items() if key not in HOW}
    hashes = {"seed_hash": seed.behaviour_hash, "final_hash": evolved.spec.behaviour_hash}
    with Store(run_dir) as store:
        store.append_once("harness", {"document": seed.document})
        if not starts:
            store.append("start", {**what, "seed_hash": seed.behaviour_hash, "policy": policy, "harness_of": harness_of})
        store.append("end", {**hashes, "final_harness": str(final), "objective": evolved.objective, "policy": name, **_NOTHING})


_NOTHING: Mapping[str, Any] = {
    "rounds": [], "shipped": [], "final": None, "masked": None, "stopped": "harness of", "gate": "", "episodes": 0, "errors": 0,
    "savings": {}, "exploration_steps": 0, "tokens": 0, "prompt_tokens": 0, "cached_tokens": 0, "generated_tokens": 0, "twins_s": 0.0,
    "wall_s": 0.0,
}  # fmt: skip
"""What the end of a run says that has evolved nothing."""


def _is_row_of(row: Mapping[str, Any], origin: Combination) -> bool:
    """Tell whether a row is that of a combination on test tasks, evolved for the model and objective that it names."""
    wanted = (called(origin.model), origin.benchmark.name, "held-out", "test", origin.repeat)
    is_same = tuple(row[key] for key in ("model", "benchmark", "protocol", "split", "repeat")) == wanted
    is_meant = not is_marked(row) if origin.objective is None else row["objective"] == origin.objective
    return is_same and is_meant and not row.get("harness_of")


def _of_row(source: str, row: Mapping[str, Any], one: Mapping[str, Any], combination: Combination) -> Evolved:
    """Return the harness of a row: its seed, found by its behaviour, with the edits of its manifest.

    Raises:
        ResultsError: this version has no such seed, or what comes out is another harness.
    """
    hashes, changes = one["manifest"]["behaviour_hash"], one["manifest"]["changes"]
    seed = spec = find_seed(combination.benchmark.harness, hashes["seed"])
    for change in changes:
        spec = spec and spec.patch(change["patch"])
    if seed is None or spec is None or spec.behaviour_hash != hashes["evolved"]:
        raise ResultsError(
            f"{source}: the harness of {row['model']} on {row['benchmark']} ({hashes['evolved'][:12]}) "
            "cannot be made again by this version of homebody; use the version that made the row, or "
            "give the --run-dir of its run"
        )
    origin = {"model": one["policy"], "seed_hash": seed.behaviour_hash, "edits": [change["operator"] for change in changes]}
    document = {**spec.document, "name": f"{seed.name}-evolved", "origin": origin}
    return Evolved(row["model"], one["policy"], one["objective"], seed.behaviour_hash, changes, HarnessSpec.from_json(document))
