"""Many episodes: same records in the order of the jobs, whatever the number of workers."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from homebody.agents.errors import BackendClosedError, ModelNotFoundError
from homebody.agents.harness.spec import HarnessSpec
from homebody.agents.model_free import ExpertPolicy, NoModelPolicy, RandomPolicy
from homebody.agents.model_policy import ModelPolicy
from homebody.agents.models import names
from homebody.agents.models.scripted import Scripted
from homebody.agents.pool import WorkerDiedError
from homebody.agents.rollout import Job, RolloutConfig, Rollouts
from homebody.envs import EnvError, tasks

HOUSEHOLD = "homebody/Household-v0"


@pytest.fixture
def scripted(monkeypatch):
    """Replace the models by a script; returns what they were asked to load, and the script."""
    asked, backend = [], Scripted(["wait"] * 99, name="tiny")

    def load(name, **settings):
        asked.append((name, settings))
        return backend

    monkeypatch.setattr(names, "load", load)
    return asked, backend


# --- the config


@pytest.mark.parametrize(("name", "kind"), [("random", RandomPolicy), ("no-model", NoModelPolicy), ("expert", ExpertPolicy)])
def test_stage_makes_the_controls(name, kind):
    assert type(RolloutConfig("Yard-v0", name).make_policy()) is kind


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, {"gpu_layers": 0, "n_ctx": None, "n_threads": 1, "timeout_s": None, "key_name": "", "copies": 1}),
        (
            {"gpu_layers": 9, "n_ctx": 77, "n_threads": 2, "timeout_s": 5.0},
            {"gpu_layers": 9, "n_ctx": 77, "n_threads": 2, "timeout_s": 5.0, "key_name": "", "copies": 1},
        ),
    ],
)
def test_stage_loads_a_model(settings, expected, scripted):
    asked, backend = scripted
    policy = RolloutConfig("Yard-v0", "tiny", **settings).make_policy()
    assert isinstance(policy, ModelPolicy)
    assert policy.backend is backend
    assert asked == [("tiny", expected)]


def test_unknown_model_is_refused():
    with pytest.raises(ModelNotFoundError, match="unknown model 'smolm2'; did you mean smollm2"):
        RolloutConfig("Yard-v0", "smolm2").make_policy()


def test_stage_gives_its_arguments_to_the_environment(yard):
    env = RolloutConfig("Yard-v0", "random", max_steps=3, env_kwargs={"radio": True}).make_env()
    assert isinstance(env.unwrapped, yard.Yard)
    assert env.unwrapped.radio


def test_stage_tells_environments_of_homebody_the_step_limit():
    env = RolloutConfig(HOUSEHOLD, "random", max_steps=2).make_env()
    _, info = env.reset(seed=0)
    ends = [env.step(info["admissible_commands"][0])[3] for _ in range(2)]
    env.close()
    assert ends == [False, True]


# --- one worker


def test_records_come_in_the_order_of_the_jobs(yard, harness):
    spec, other = harness(), harness("decide")
    jobs = [Job(spec, yard.task("two"), 5), Job(other, yard.task("one"), 3, attempt=2), Job(spec, yard.task("two"), 4)]
    seen = []
    with Rollouts(RolloutConfig("Yard-v0", "random", max_steps=2)) as rollouts:
        records = list(rollouts.play(jobs, on_step=seen.append))
    assert [(record.task_id, record.seed, record.attempt, record.steps) for record in records] == [
        ("two", 5, 0, 2),
        ("one", 3, 2, 2),
        ("two", 4, 0, 2),
    ]
    assert [record.behaviour_hash for record in records] == [spec.behaviour_hash, other.behaviour_hash, spec.behaviour_hash]
    assert seen == [step for record in records for step in record.trace]


def test_records_come_as_soon_as_they_are_done(yard, harness, scripted):
    with Rollouts(RolloutConfig("Yard-v0", "tiny", max_steps=2)) as rollouts:
        played = rollouts.play([Job(harness(), yard.task())] * 2)
        assert scripted[1].usage.calls == 0
        next(played)
        assert scripted[1].usage.calls == 2


def test_failed_episode_does_not_stop_the_next(yard, harness):
    with Rollouts(RolloutConfig("Yard-v0", "random", max_steps=2)) as rollouts:
        unknown = Job(harness(), yard.TaskSpec("none", "none", "train"))
        errors = [record.error for record in rollouts.play([unknown, Job(harness(), yard.task())])]
    assert errors[0]["kind"] == "CustomEnvError"
    assert "raised KeyError: 'none'; " in errors[0]["message"]
    assert errors[1] is None


def test_the_end_frees_model_and_environment(yard, harness, scripted):
    with Rollouts(RolloutConfig("Yard-v0", "tiny")) as rollouts:
        assert rollouts.policy.name == "tiny"
        env = rollouts._seat._env.unwrapped
    assert env.closed
    with pytest.raises(BackendClosedError):
        scripted[1].score(["a"], ["b"])


# --- worker processes


def test_number_of_workers_does_not_change_the_records():
    spec = HarnessSpec.load("generic-act")
    jobs = [Job(spec, task, seed) for task in tasks(HOUSEHOLD, "train", 3) for seed in (0, 1)]
    config = RolloutConfig(HOUSEHOLD, "random", max_steps=4)
    records = {}
    for workers in (1, 2):
        with Rollouts(config, workers) as rollouts:
            records[workers] = list(rollouts.play(jobs))
    assert [(record.task_id, record.seed) for record in records[2]] == [(job.task.task_id, job.seed) for job in jobs]
    assert [record.trace_hash for record in records[1]] == [record.trace_hash for record in records[2]]
    assert len({record.trace_hash for record in records[1]}) == 6
    assert all(record.error is None and record.steps == 4 for record in records[1])


@pytest.fixture
def importable_yard(yard, monkeypatch):
    """Let worker processes import the module of the yard: they inherit the search path."""
    monkeypatch.syspath_prepend(str(Path(yard.__file__).parent))
    return yard


def test_workers_play_an_environment_of_the_users_own(importable_yard, harness):
    jobs = [Job(harness("visited"), importable_yard.task(name)) for name in ("two", "one", "tar")]
    with Rollouts(RolloutConfig("yard:Yard-v0", "random", max_steps=3), workers=2) as rollouts:
        records = list(rollouts.play(jobs))
    assert [(record.task_id, record.steps, record.error) for record in records] == [("two", 3, None), ("one", 3, None), ("tar", 3, None)]


def test_killed_worker_is_an_error_that_says_what_to_do(importable_yard, harness):
    config = RolloutConfig("yard:Yard-v0", "random", max_steps=2, env_kwargs={"dies": True})
    with (
        Rollouts(config, workers=2) as rollouts,
        pytest.raises(WorkerDiedError, match=r"a worker process died \(killed, or out of memory\); .* run again with --resume, or with"),
    ):
        list(rollouts.play([Job(harness(), importable_yard.task())] * 3))


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="looks for processes in /proc")
def test_workers_end_with_their_main_process(tmp_path):
    script = tmp_path / "main.py"
    script.write_text(
        "from homebody.agents.rollout import Job, Rollouts, RolloutConfig\n"
        "from homebody.agents.harness.spec import HarnessSpec\n"
        "from homebody.envs import tasks\n"
        "if __name__ == '__main__':\n"
        "    jobs = [Job(HarnessSpec.load('generic'), task) for task in tasks('homebody/Household-v0', 'train', 500)]\n"
        "    with Rollouts(RolloutConfig('homebody/Household-v0', 'random'), workers=2) as rollouts:\n"
        "        for record in rollouts.play(jobs):\n"
        "            print(*rollouts._executor._pool._processes, flush=True)\n"
    )
    main = subprocess.Popen([sys.executable, "-P", str(script)], stdout=subprocess.PIPE, text=True)
    assert main.stdout is not None
    with main.stdout:
        workers = [int(pid) for pid in main.stdout.readline().split()]
        assert len(workers) == 2
        main.kill()
        main.wait()
    deadline = time.monotonic() + 20
    while any(Path(f"/proc/{pid}").exists() for pid in workers):
        assert time.monotonic() < deadline, "a worker outlived its main process"
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("config", "told"),
    [(RolloutConfig("Nowhere-v0", "no-model"), "Nowhere"), (RolloutConfig(HOUSEHOLD, "no-model", env_kwargs={"colour": "red"}), "colour")],
)
def test_environment_that_cannot_be_made_is_named(config, told):
    with pytest.raises(EnvError, match=told):
        config.make_env()
