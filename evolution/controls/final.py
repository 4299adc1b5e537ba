"""The final split: played once a release, with harnesses that were finished before, so that nothing was tuned until it came out well."""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import version
from typing import Any

from homebody.envs import EnvError
from homebody.envs.core import FINAL
from homebody.evolution.controls.baselines import OnEpisode, play_controls
from homebody.evolution.controls.benchmark import BenchmarkError
from homebody.evolution.controls.provenance import note
from homebody.evolution.controls.reproduce import Combination
from homebody.evolution.controls.results import shipped_results
from homebody.evolution.controls.rows import FIXED, Plan
from homebody.evolution.controls.table import called
from homebody.evolution.reports.lineage import read_lineage
from homebody.evolution.store import RunError, Store


def play_final(combination: Combination, tasks: int | None, workers: int, on_episode: OnEpisode | None = None) -> Combination:
    """Play the final split of a combination whose test was played; what was played of it is not played again.

    Args:
        combination: in the held-out protocol, with a run that has ended.
        tasks: the first so many; None takes as many as the benchmark has in its test.
        workers: number of worker processes.
        on_episode: called after each episode.

    Returns:
        The combination as it is tested there.

    Raises:
        BenchmarkError: its environment has no final split.
        RunError: its test was not played, or this release opened its final split with another harness.
    """
    one = combination.benchmark
    if combination.protocol != "held-out":
        raise BenchmarkError(f"the {combination.protocol} protocol holds nothing out; leave --protocol out with --final")
    try:
        most = len(combination.tasks(FINAL, tasks or one.tasks))
    except EnvError as error:
        raise BenchmarkError(f"benchmark {one.name} has no final split: {error}") from None
    final_hash = read_lineage(combination.run_dir).end["final_hash"]
    with Store(combination.run_dir, readonly=True) as store:
        if not any(item["run"]["split"] == "test" for item in store.events("controls")):
            raise RunError(f"{combination.run_dir} has no row on test tasks yet; give the same command without --final first")
        opened = [item for item in store.events("opened") if item["version"] == version("homebody")]
    now = {"version": version("homebody"), "final_hash": final_hash}
    for before in (*opened, *_opened_before(combination)):
        if before != now:
            raise RunError(
                f"the final split of {combination.name} was opened for homebody {now['version']} with harness {before['final_hash'][:12]}, "
                f"and this is {final_hash[:12]}; it is opened once a release: wait for the next"
            )
    if not opened:
        with Store(combination.run_dir) as store:
            store.append("opened", now)
    note(combination.run_dir)
    play_controls(combination.run_dir, Plan(FINAL, most, only=FIXED), workers=workers, on_episode=on_episode)
    return replace(combination, split=FINAL)


def _opened_before(combination: Combination) -> list[dict[str, Any]]:
    """Return with which harness our own table has opened the final split for this release."""
    found = []
    for row, one in shipped_results().pairs():
        is_same = (row["model"], row["benchmark"], row["split"]) == (called(combination.model), combination.benchmark.name, FINAL)
        is_same = is_same and row["repeat"] == combination.repeat and one["objective"] == (combination.objective or one["objective"])
        is_same = is_same and row.get("harness_of") == (combination.harness_of and called(combination.harness_of))
        made = {item["version"] for item in one["manifest"]["played_with"]}
        if is_same and version("homebody") in made:
            found.append({"version": version("homebody"), "final_hash": one["manifest"]["behaviour_hash"]["evolved"]})
    return found
