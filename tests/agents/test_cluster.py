"""Episodes on a Ray cluster of several nodes on this machine: as in this process, also where a node is killed in mid-run."""

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from homebody.agents.cluster import ClusterError
from homebody.agents.rollout import RolloutConfig, Rollouts
from homebody.scripts.group import cli

HAS_RAY = importlib.util.find_spec("ray") is not None
needs_ray = pytest.mark.skipif(not HAS_RAY, reason='Ray is not installed: pip install "homebody[ray]"')
SCRIPT = """
import json, os, sys, time, warnings
warnings.simplefilter("ignore")
from ray.cluster_utils import Cluster as Nodes
from homebody.agents.harness.spec import HarnessSpec
from homebody.agents.rollout import Job, RolloutConfig, Rollouts
from homebody.envs import tasks

config = RolloutConfig("homebody/Household-v0", "random", max_steps=6)
spec = HarnessSpec.load("household-act")
jobs = [Job(spec, task, seed, policy=(None, "no-model", None)[seed]) for task in tasks(config.env_id, "train", 20) for seed in range(3)]
jobs += [Job(spec, task, 3) for task in tasks(config.env_id, "train", 60)]  # enough for calls of several
nodes = Nodes(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
victim = nodes.add_node(num_cpus=1)
nodes.add_node(num_cpus=1)
found = {}
with Rollouts(config) as rollouts:
    found["here"] = [record.trace_hash for record in rollouts.play(jobs)]
for name in ("whole", "killed"):
    with Rollouts(config, 2, nodes.address) as rollouts:
        hashes = []
        for record in rollouts.play(jobs):
            hashes.append(record.trace_hash)
            if name == "killed" and len(hashes) == 10:
                nodes.remove_node(victim, allow_graceful=False)
        found[name] = hashes
nodes.shutdown()
print(json.dumps(found))
"""


@needs_ray
def test_records_are_those_of_this_process_also_where_a_node_is_killed(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(SCRIPT)
    done = subprocess.run([sys.executable, "-P", str(tmp_path / "main.py")], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert len(found["here"]) == 120
    assert found["whole"] == found["here"]
    assert found["killed"] == found["here"]


@pytest.mark.parametrize("address", ["127.0.0.1:1", "[::1]:1", "no-such-host.invalid:6379", "127.0.0.1:99999"])
def test_an_address_where_nobody_listens_is_named_and_ray_is_not_asked(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setitem(sys.modules, "ray", ModuleType("ray"))  # one that cannot be asked for anything
    with pytest.raises(ClusterError, match=rf"--cluster is '{re.escape(address)}', where no Ray cluster answers"):
        Rollouts(RolloutConfig("homebody/Household-v0", "random"), 1, address)


@needs_ray
def test_an_address_where_no_cluster_is_is_named() -> None:
    with pytest.raises(ClusterError, match=r"--cluster is 'nonsense', where no Ray cluster answers"):
        Rollouts(RolloutConfig("homebody/Household-v0", "random"), 1, "nonsense")


def test_without_ray_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ClusterError, match=r'run: pip install "homebody\[ray\]"'):
        Rollouts(RolloutConfig("homebody/Household-v0", "random"), 2, "auto")


@pytest.mark.parametrize("name", ["evaluate", "evolve"])
def test_commands_take_a_cluster(name: str) -> None:
    assert "--cluster" in {option for parameter in cli.commands[name].params for option in parameter.opts}
