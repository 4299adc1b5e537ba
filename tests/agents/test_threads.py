"""Episodes in flight: as many as asked for, in order, with the records of one after another."""

import dataclasses
import json
import threading
import zlib
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import Any

import pytest

from homebody.agents import HarnessSpec, Job, RolloutConfig, Rollouts
from homebody.agents.errors import BadRequestError, ModelLostError
from homebody.agents.models import names
from homebody.agents.models.generation import Thinking
from homebody.agents.models.remote import http_client
from homebody.agents.models.scripted import Scripted
from homebody.agents.threads import Halt, Threads
from homebody.envs import tasks

HOUSEHOLD = "homebody/Household-v0"


@pytest.fixture
def jobs() -> Callable[..., list[Job]]:
    """Make jobs: as many training tasks of the houses."""

    def jobs(number: int, **settings: Any) -> list[Job]:
        spec = HarnessSpec.load("generic")
        return [Job(spec, task, **settings) for task in tasks(HOUSEHOLD, "train", number)]

    return jobs


def play(stub: Any, jobs: list[Job], concurrency: int, **settings: Any) -> list[Any]:
    config = RolloutConfig(HOUSEHOLD, stub.url, max_steps=3, concurrency=concurrency, **settings)
    with Rollouts(config) as rollouts:
        return list(rollouts.play(jobs))


def test_as_many_requests_wait_at_once_as_episodes_are_in_flight(serve: Any, jobs: Any) -> None:
    stub = serve()
    with Rollouts(RolloutConfig(HOUSEHOLD, stub.url, max_steps=2, concurrency=64)) as rollouts:
        (first,) = rollouts.play(jobs(1))  # It is asked then whether the model thinks.
        stub.gather = 64
        records = list(rollouts.play(jobs(96)))
    assert stub.most_busy == 64
    assert all(record.error is None and record.steps == 2 for record in (first, *records))


@pytest.mark.parametrize("attempt", [0, 1])
def test_records_are_those_of_one_after_another_in_the_same_order(serve: Any, jobs: Any, attempt: int) -> None:
    stub = serve()
    chat = stub.chat

    def various(body: dict[str, Any]) -> tuple[int, Any]:
        """Say something else to each prompt and seed."""
        text = body["messages"][-1]["content"]
        commands = [line.strip() for line in text.splitlines() if line.strip().startswith(("go to", "open", "take"))]
        status, found = chat(body)
        if commands:
            found["choices"][0]["message"]["content"] = commands[(len(text) + body["seed"]) % len(commands)]
        return status, found

    stub.chat = various
    alone = play(stub, jobs(10, attempt=attempt), 1)
    flying = play(stub, jobs(10, attempt=attempt), 6)
    assert [record.trace_hash for record in flying] == [record.trace_hash for record in alone]
    assert len({record.trace_hash for record in alone}) == 10
    assert [record.usage["calls"] for record in flying] == [record.usage["calls"] for record in alone]
    assert [record.usage["generated_tokens"] for record in flying] == [record.usage["generated_tokens"] for record in alone]


@pytest.mark.parametrize("env_id", ["homebody/WebShop-v0", "homebody/Household-v0"])
def test_code_templates_and_catalogues_are_shared_by_threads(serve: Any, env_id: str) -> None:
    stub = serve()
    seed = HarnessSpec.load("generic").document
    code = "def process(event):\n    return {'content': event['content'] + ' ' + str(len(event['candidates']))}"
    text = "{{ content }} {{ steps_left }} steps are left."
    more = {
        "code": {"use": "code", "hook": "before_model", "dimension": "control", "params": {}, "source": code},
        "text": {"use": "template", "hook": "before_model", "dimension": "context", "params": {"text": text}},
    }
    components = {name: item for name, item in seed["components"].items() if item["use"] != "show_candidates"}
    spec = HarnessSpec.from_json({**seed, "components": {**components, **more}}).check()
    chat = stub.chat

    def echo(body: dict[str, Any]) -> tuple[int, Any]:
        """Say what depends on all that the prompt holds."""
        status, found = chat(body)
        told = json.dumps(body["messages"])
        found["choices"][0]["message"]["content"] = f"command {zlib.crc32(told.encode())}"
        return status, found

    stub.chat = echo
    hashes = []
    for concurrency in (1, 6):
        config = RolloutConfig(env_id, stub.url, max_steps=3, concurrency=concurrency)
        with Rollouts(config) as rollouts:
            records = list(rollouts.play([Job(spec, task) for task in tasks(env_id, "train", 8)]))
        assert all(record.error is None and not record.failures for record in records)
        hashes.append([record.trace_hash for record in records])
    assert hashes[0] == hashes[1]
    assert len(set(hashes[0])) == 8


def test_twins_are_played_beside_them(serve: Any, jobs: Any) -> None:
    stub = serve()
    mixed = [dataclasses.replace(job, policy=policy) for job in jobs(3) for policy in (None, "no-model", "random")]
    config = RolloutConfig(HOUSEHOLD, stub.url, max_steps=3, concurrency=4)
    with Rollouts(config) as rollouts:
        records = list(rollouts.play(mixed))
        asked = len(stub.chats())
        twins = list(rollouts.play([job for job in mixed if job.policy]))
    assert [record.policy for record in records] == [stub.url, "no-model", "random"] * 3
    assert [record.trace_hash for record in twins] == [record.trace_hash for record in records if record.policy != stub.url]
    assert len(stub.chats()) == asked


def test_an_episode_that_fails_does_not_stop_the_others(serve: Any, jobs: Any) -> None:
    stub = serve()
    wrong = dataclasses.replace(jobs(1)[0], task=dataclasses.replace(jobs(1)[0].task, task_id="nowhere"))
    records = play(stub, [*jobs(2), wrong, *jobs(2)], 4)
    assert [record.error is None for record in records] == [True, True, False, True, True]


def test_what_is_abandoned_ends_soon_and_the_threads_play_on(serve: Any, jobs: Any) -> None:
    stub = serve()
    with Rollouts(RolloutConfig(HOUSEHOLD, stub.url, max_steps=50, concurrency=4)) as rollouts:
        played = rollouts.play(jobs(40))
        next(played)
        played.close()
        before = len(stub.chats())
        records = list(rollouts.play(jobs(2)))
    assert all(record.error is None and record.steps == 50 for record in records)
    # Those that were in flight have asked once more at most.
    assert len(stub.chats()) <= before + 2 * 50 + 4


def test_a_server_that_is_gone_ends_the_play_and_what_was_finished_is_told(serve: Any, jobs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_client, "_FIRST_PAUSE_S", 0.001)
    stub, six = serve(), jobs(6)
    chat, submit, told = stub.chat, Threads.submit, dict[int, str]()
    env = RolloutConfig(HOUSEHOLD, "random").make_env()
    opening = env.reset(options={"task": six[0].task.task_id})[0].strip()
    futures: list[Future[Any]] = []

    def keep(threads: Any, job: Job, halt: threading.Event) -> Future[Any]:
        futures.append(submit(threads, job, halt))
        return futures[-1]

    def lose(body: dict[str, Any]) -> tuple[int, Any]:
        """The first task gets no answer until the others are played; then the server is gone."""
        if not any(opening in message["content"] for message in body["messages"]):
            return chat(body)
        wait(futures[1:], 20)
        return 500, {"error": {"message": "out of memory"}}

    monkeypatch.setattr(Threads, "submit", keep)
    with Rollouts(RolloutConfig(HOUSEHOLD, stub.url, max_steps=2, concurrency=6)) as rollouts:
        assert not rollouts.policy.backend.thinks(Thinking())
        stub.chat = lose
        with pytest.raises(ModelLostError, match=r"the model does not answer any more: .* out of memory"):
            list(rollouts.play(six, on_ahead=lambda number, record: told.update({number: record.task_id})))
    assert told == {number: job.task.task_id for number, job in enumerate(six) if number}


def test_a_model_in_this_process_plays_one_episode_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    backend = Scripted(["wait"], name="tiny")
    monkeypatch.setattr(names, "load", lambda name, **settings: backend)
    with pytest.raises(BadRequestError, match="--concurrency is 2; allowed: 1 with a model in this process; --workers"):
        Rollouts(RolloutConfig(HOUSEHOLD, "tiny", concurrency=2))
    with pytest.raises(BadRequestError, match="--workers is 2; allowed: 1 with --concurrency 3"):
        Rollouts(RolloutConfig(HOUSEHOLD, "tiny", concurrency=3), workers=2)


def test_a_policy_without_a_model_plays_one_episode_at_a_time(jobs: Any) -> None:
    config = RolloutConfig(HOUSEHOLD, "random", max_steps=2)
    with Rollouts(config) as one, Rollouts(dataclasses.replace(config, concurrency=9)) as nine:
        hashes = [[record.trace_hash for record in rollouts.play(jobs(3))] for rollouts in (one, nine)]
    assert hashes[0] == hashes[1]


# --- the pool of threads


class Desk:
    """A seat that waits for what it is told."""

    taken = 0
    closed = 0

    def __init__(self) -> None:
        type(self).taken += 1

    def play(self, job: Any, halt: threading.Event) -> Any:
        if job == "halt":
            halt.wait(10)
            raise Halt
        if isinstance(job, Exception):
            raise job
        return job

    def close(self) -> None:
        type(self).closed += 1


def test_threads_take_a_seat_each_and_leave_it() -> None:
    Desk.taken = Desk.closed = 0
    threads: Threads[Any, Any] = Threads(2, Desk)
    halt = threading.Event()
    waiting = [threads.submit("halt", halt) for _ in range(2)]
    late = threads.submit("late", halt)
    other = threads.submit("other", threading.Event())
    halt.set()
    assert other.result(10) == "other"
    assert [type(future.exception(10)) for future in waiting] == [Halt, Halt]
    assert late.cancelled()
    failed = threads.submit(ValueError("x"), threading.Event())
    assert isinstance(failed.exception(10), ValueError)
    threads.close()
    assert (Desk.taken, Desk.closed) == (2, 2)
