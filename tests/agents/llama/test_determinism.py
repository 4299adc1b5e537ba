"""Decisions of whole episodes, made again: in a fresh process, with the commands in another order, and by two workers at once.

By default a tiny model decides 24 times, in episodes of 6 steps. The full check is of 200 decisions of a real model, in episodes of 15:

    HOMEBODY_MODEL=smollm2 HOMEBODY_DECISIONS=200 .venv/bin/pytest tests/agents/llama/test_determinism.py
"""

import json
import os
import subprocess
import sys

import pytest

SCRIPT = """
import json, random, sys
from homebody.agents import HarnessSpec, RolloutConfig, run_episode
from homebody.agents.harness.spec import component
from homebody.envs import tasks

given = json.load(sys.stdin)
config = RolloutConfig("homebody/Household-v0", given["model"], given["steps"])
spec = HarnessSpec.from_json({"format": 2, "name": "scoring", "components": {
    "prompt": component("system_prompt", {"text": "You act in a house. You read what you see; answer with one command."}),
    "decide": component("decide", {"method": "score", "normalize": "sum"}),
}})
policy, env, noted = config.make_policy(), config.make_env(), []
score = policy.backend.score

def score_in_some_order(prompt, continuations, reply):
    order = list(range(len(continuations)))
    if given["shuffled"]:
        random.Random(len(noted)).shuffle(order)
    values = dict(zip(order, score(prompt, [continuations[at] for at in order], reply), strict=True))
    scores = [values[at] for at in range(len(order))]
    noted.append([value.hex() for value in scores])
    return scores

policy.backend.score = score_in_some_order
played = {}
for task in [task for task in tasks("homebody/Household-v0", "validation", given["episodes"]) if task.task_id in given["tasks"]]:
    noted.clear()
    record = run_episode(env, spec, policy, task, max_steps=given["steps"])
    assert record.error is None, record.error
    played[task.task_id] = {"commands": [step.command for step in record.trace], "scores": noted[:], "hash": record.trace_hash}
print(json.dumps(played))
"""


def start(model, steps, episodes, tasks, shuffled):
    given = {"model": model, "steps": steps, "episodes": episodes, "tasks": tasks, "shuffled": shuffled}
    process = subprocess.Popen([sys.executable, "-P", "-c", SCRIPT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    process.stdin.write(json.dumps(given))
    process.stdin.close()
    return process


def finish(process):
    with process:
        assert process.stdout is not None
        output = process.stdout.read()
    assert process.returncode == 0
    return json.loads(output)


@pytest.mark.model
@pytest.mark.parametrize("architecture", ["llama", "qwen35"])
def test_decisions_are_equal_to_the_bit(tiny_file, architecture):
    from homebody.envs import tasks

    model = os.environ.get("HOMEBODY_MODEL") or str(tiny_file(architecture, n_ctx=8192))
    decisions = int(os.environ.get("HOMEBODY_DECISIONS", "24"))
    steps = min(15, decisions // 4)
    episodes = decisions // steps + 2  # Some may be won before their last step.
    names = [task.task_id for task in tasks("homebody/Household-v0", "validation", episodes)]
    alone = finish(start(model, steps, episodes, names, shuffled=False))
    workers = [start(model, steps, episodes, names[worker::2], shuffled=True) for worker in range(2)]
    together = {task: played for worker in workers for task, played in finish(worker).items()}
    assert together == alone
    assert sum(len(played["scores"]) for played in alone.values()) >= decisions
