"""How fast episodes in flight take the answers of a server.

Beside them: clients that do nothing else, and what the server could give. The server is a stand-in in
a process of its own, without a model; see `stand_in`.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from homebody.agents import AgentError, HarnessSpec, Job, RolloutConfig, Rollouts
from homebody.agents.models.remote.http_client import Address, HttpClient
from homebody.envs import tasks
from homebody.scripts.bench.result import Measured, result

ENV_ID: Final = "homebody/Household-v0"
MAX_STEPS: Final = 15
CLIENTS: Final = "as many clients that do nothing else"
SERVER: Final = "the server's own time"


def bench_server(concurrency: int, answer_ms: float, rounds: int) -> list[Measured]:
    """Measure.

    Args:
        concurrency: episodes in flight, at least 1.
        answer_ms: milliseconds that the server takes for an answer.
        rounds: episodes for each of them, at least 1; one more each is played before them.

    Returns:
        `ms_between_answers`, beside the server's own `answer_ms / concurrency`;
        `ms_between_answers_v_clients`, the same beside clients that ask as often and do nothing else;
        `cpu_ms_an_answer`, the processor time of this process for an answer: its inverse is the most
        that one process can take, whatever the server does.

    Raises:
        AgentError: an episode failed.
    """
    spec = HarnessSpec.load("household")
    jobs = [Job(spec, task) for task in tasks(ENV_ID, "train", concurrency * rounds)]
    with standing_in(answer_ms) as url:
        clients = _clients_ms(url, concurrency, rounds * MAX_STEPS)
        with Rollouts(RolloutConfig(ENV_ID, url, max_steps=MAX_STEPS, concurrency=concurrency)) as rollouts:
            list(rollouts.play(jobs[:concurrency]))
            started, cpu_s = time.perf_counter(), time.process_time()
            records = list(rollouts.play(jobs))
            wall_s, cpu_s = time.perf_counter() - started, time.process_time() - cpu_s
    if failed := next((record for record in records if record.error), None):
        raise AgentError(f"{failed.task_id} failed: {failed.error}")
    answers = sum(int(record.usage["calls"]) for record in records)
    own = 1e3 * wall_s / answers
    return [
        result("ms_between_answers", own, "ms an answer", answers, SERVER, answer_ms / concurrency),
        result("ms_between_answers_v_clients", own, "ms an answer", answers, CLIENTS, clients),
        result("cpu_ms_an_answer", 1e3 * cpu_s / answers, "ms an answer", answers),
    ]


@contextmanager
def standing_in(answer_ms: float) -> Iterator[str]:
    """Run the stand-in; yields its address."""
    command = [sys.executable, "-P", "-m", "homebody.scripts.bench.stand_in", str(answer_ms)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}/v1"
        finally:
            process.kill()


def _clients_ms(url: str, number: int, requests: int) -> float:
    """Return the milliseconds between answers to so many clients, each of which asks so often."""
    client = HttpClient(Address.parse(url))
    body = {"model": "toy", "messages": [{"role": "user", "content": "x" * 3000}], "max_tokens": 24}

    def ask() -> None:
        for _ in range(requests):
            client.post("/v1/chat/completions", body)

    threads = [threading.Thread(target=ask) for _ in range(number)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    client.close()
    return 1e3 * (time.perf_counter() - started) / (number * requests)
