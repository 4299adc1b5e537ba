"""The descent of a run's final harness: its seed, the edits that were shipped, and every harness in between, from the event log.

Knows nothing of how an edit was found or judged. The one place that replays shipped patches.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from homebody.agents.harness.patch import Patch, PatchError
from homebody.agents.harness.spec import HarnessSpec
from homebody.envs.file import UserPath, expand_path
from homebody.evolution.config import EvolveConfig
from homebody.evolution.store import RunError, Store, reads_run


@dataclass(frozen=True)
class Edit:
    """An edit that was shipped."""

    id: str
    round: int
    operator: str
    dimension: str
    patch: Patch
    before: HarnessSpec
    after: HarnessSpec

    @property
    def label(self) -> str:
        """Its id and operator, for people."""
        return f"{self.id} {self.operator}"


@dataclass(frozen=True)
class Lineage:
    """A run that has ended, with its harnesses."""

    run_dir: Path
    config: EvolveConfig
    end: Mapping[str, Any]
    """The result, as `evolve` returned it."""
    seed: HarnessSpec
    edits: tuple[Edit, ...]
    """Those that the final harness has, in the order of shipping."""
    candidates: Mapping[str, HarnessSpec]
    """Every harness that the run made, by behaviour hash: rejected ones, too, as far as their patches apply."""
    harness_of: str | None = None
    """The model for which the final harness evolved, in another run; None: it evolved in this one."""
    given: HarnessSpec | None = None
    """The final harness where it evolved in another run."""

    @property
    def replayed(self) -> HarnessSpec:
        """The seed with the patches of these edits, or the harness that was given."""
        if self.given is not None:
            return self.given
        return self.edits[-1].after if self.edits else self.seed

    @property
    def final(self) -> HarnessSpec:
        """The final harness under the name that the run gave it.

        Raises:
            RunError: the file in the run directory is another harness than the log gives.
        """
        path = self.run_dir / "final.json"
        spec = HarnessSpec.load(path)
        if spec.behaviour_hash != self.replayed.behaviour_hash:
            raise RunError(
                f"{path} is not the harness that the run's log ends with ({spec.behaviour_hash[:12]}, the log: "
                f"{self.replayed.behaviour_hash[:12]}); put the run's own file back: evolve --resume writes it"
            )
        return spec


@reads_run
def read_lineage(run_dir: UserPath, data_dir: UserPath | None = None) -> Lineage:
    """Read a run that has ended.

    Args:
        run_dir: the run.
        data_dir: where the files of its environment lie now, if elsewhere than in the run.

    Raises:
        RunError: there is no run, it has not ended, or its seed harness is not known any more.
    """
    with Store(run_dir, readonly=True) as store:
        start = next(reversed(store.events("start")), None)
        ends, rounds, documents = store.events("end"), store.events("round"), store.events("harness")
    if start is None:
        raise RunError(f"{run_dir} holds evaluations and no evolution; give the --run-dir of an evolve")
    if not ends:
        raise RunError(f"the evolution in {run_dir} has not ended; finish it with homebody evolve --resume")
    names = {field.name for field in fields(EvolveConfig)}
    # Runs that name no objective were for success alone.
    config = EvolveConfig(**{"objective": "success"} | {key: value for key, value in start.items() if key in names})
    if data_dir is not None:
        config = replace(config, env_kwargs={**config.env_kwargs, "data_dir": str(expand_path(data_dir))})
    seed = HarnessSpec.from_json(documents[0]["document"]) if documents else HarnessSpec.load(config.harness)
    if seed.behaviour_hash != start["seed_hash"]:
        raise RunError(
            f"{run_dir} began with harness {config.harness} of behaviour {start['seed_hash'][:12]}, which is {seed.behaviour_hash[:12]} "
            "now; use the version of homebody that made the run, or evolve again"
        )
    edits, made = _replay(run_dir, seed, rounds)
    found = Lineage(expand_path(run_dir), config, ends[-1], seed, tuple(edits[: ends[-1].get("kept")]), made)
    if origin := start.get("harness_of"):
        given = HarnessSpec.from_json(origin["document"])
        return replace(found, harness_of=origin["model"], given=given, candidates={**made, given.behaviour_hash: given})
    return found


def replay(seed: HarnessSpec, rounds: Iterable[Mapping[str, Any]]) -> Iterator[tuple[Mapping[str, Any], HarnessSpec]]:
    """Yield the reports of a run's rounds, each with the harness that the round began with: the seed with what was shipped before.

    Args:
        seed: the seed harness.
        rounds: reports of all rounds, as the store has them.

    Raises:
        PatchError, HarnessError: a shipped edit does not apply in this order.
    """
    spec = seed
    for item in rounds:
        yield item, spec
        for candidate in item["candidates"]:
            if candidate["id"] == item["shipped"]:
                spec = spec.patch(candidate["patch"])


def _replay(run_dir: UserPath, seed: HarnessSpec, rounds: list[dict[str, Any]]) -> tuple[list[Edit], dict[str, HarnessSpec]]:
    edits: list[Edit] = []
    made = {seed.behaviour_hash: seed}
    shipped = ""
    try:
        for item, before in replay(seed, rounds):
            shipped = item["shipped"] or ""
            for candidate in item["candidates"]:
                try:
                    edited = before.patch(candidate["patch"])
                except PatchError:
                    continue
                made[edited.behaviour_hash] = edited
                if candidate["id"] == shipped:
                    operator = candidate["manifest"]["operator"]
                    edits.append(Edit(candidate["id"], item["round"], operator, candidate["dimension"], candidate["patch"], before, edited))
    except PatchError as error:
        raise RunError(f"{run_dir}: shipped edit {shipped} does not apply in the log's order: {error}") from None
    return edits, made
