"""A model on a real server: llama-cpp-python's own, on loopback, with SmolLM2."""

import dataclasses
import importlib.util
import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from homebody.agents import HarnessSpec, Job, RolloutConfig, Rollouts
from homebody.agents.errors import BadRequestError, ContextOverflowError, RemoteDownError
from homebody.agents.harness.spec import component
from homebody.agents.models.backend import CUT
from homebody.agents.models.generation import Generation
from homebody.agents.models.llama import LlamaCpp
from homebody.agents.models.remote import OpenAICompatible, provider
from homebody.envs import tasks

pytestmark = pytest.mark.model

MESSAGES = [{"role": "system", "content": "You play a game."}, {"role": "user", "content": f"You see a box and a key.{CUT}\nWhat next?"}]
N_CTX = 1024


@pytest.fixture(scope="module")
def server(smollm2_file: Path) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """Its address and process."""
    if not all(
        importlib.util.find_spec(module) for module in ("uvicorn", "fastapi", "sse_starlette", "starlette_context", "pydantic_settings")
    ):
        pytest.skip('the server of llama-cpp-python is not installed: pip install "homebody[dev]"')
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = {"model": smollm2_file, "model_alias": "smol", "host": "127.0.0.1", "port": port, "n_ctx": N_CTX, "n_threads": 1}
    options = [text for name, value in settings.items() for text in (f"--{name}", str(value))]
    command = [sys.executable, "-P", "-m", "llama_cpp.server", "--n_threads_batch", "1", *options]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        url = f"http://127.0.0.1:{port}/v1"
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                urllib.request.urlopen(f"{url}/models", timeout=5).close()
                break
            except urllib.error.URLError:
                time.sleep(0.1)
        yield url, process
        process.kill()


@pytest.fixture(scope="module")
def remote(server: tuple[str, "subprocess.Popen[bytes]"]) -> Iterator[OpenAICompatible]:
    with OpenAICompatible(server[0], n_ctx=N_CTX) as backend:
        yield backend


def test_says_what_it_is(remote):
    assert remote.fingerprint == {"engine": "llama-cpp-python 0.3.36 server", "model": "smol", "scoring": "forced", "n_ctx": str(N_CTX)}


def test_scores_are_those_of_the_model_in_this_process(remote, smollm2: LlamaCpp):
    prompt = ("The capital of France is",)
    continuations = [" Paris", " London", " a city", " Paris, of course"]
    there, here = remote.score(prompt, continuations), smollm2.score(prompt, continuations)
    # Batches of other shapes run other kernels, and what is in the server's cache decides on the shapes: sums differed by up to 0.6 here.
    assert there == pytest.approx(here, abs=1.0)
    assert there.index(max(there)) == here.index(max(here)) == 0
    assert remote.score(prompt, continuations[::-1]) == pytest.approx(there[::-1], abs=1.0)


def test_its_echo_is_found_out(remote, server, monkeypatch):
    echo = dataclasses.replace(provider.LLAMA_CPP_PYTHON, scoring=("echo",))
    monkeypatch.setattr(provider, "LLAMA_CPP_PYTHON", echo)
    with OpenAICompatible(server[0]) as backend:
        assert backend.fingerprint["scoring"] == "none"


def test_generates_what_the_model_in_this_process_does(remote, smollm2: LlamaCpp):
    there = remote.chat(MESSAGES, Generation(tokens=8)).text
    assert there.strip() == smollm2.chat(smollm2.segments(MESSAGES), Generation(tokens=8)).text.strip()
    assert remote.chat(MESSAGES, Generation(tokens=8, grammar='root ::= "open the box" | "look"')).text in ("open the box", "look")
    assert isinstance(json.loads(remote.chat(MESSAGES, Generation(tokens=40, schema={"type": "object", "properties": {}})).text), dict)


def test_counts_as_the_model_does(remote, smollm2: LlamaCpp):
    assert remote.count_tokens(("You see a box.", " Open it?")) == 1 + smollm2.count_tokens(("You see a box.", " Open it?"))


def test_a_context_smaller_than_assumed_is_an_overflow(server):
    with OpenAICompatible(server[0]) as backend:
        assert backend.n_ctx == provider.UNKNOWN_N_CTX
        with pytest.raises(ContextOverflowError, match=f"do not fit the context of {N_CTX}"):
            backend.chat((" word" * 1200,), Generation(tokens=4))


def test_a_model_that_it_does_not_have_is_named(server):
    with pytest.raises(BadRequestError, match="one of smol"):
        OpenAICompatible(server[0] + "#smoll")


def test_an_episode_is_played(server):
    prompt = component("system_prompt", {"text": "Answer with a command."})
    spec = HarnessSpec.from_json({"format": 2, "name": "short", "components": {"prompt": prompt}})
    (task,) = tasks("homebody/Household-v0", "validation", 1)
    with Rollouts(RolloutConfig("homebody/Household-v0", server[0], max_steps=2)) as rollouts:
        (record,) = rollouts.play([Job(spec, task)])
    assert (len(record.trace), record.error) == (2, None)
    assert record.usage["generated_tokens"] > 0


def test_a_server_that_dies_is_named(server):
    with OpenAICompatible(server[0], sleep=lambda seconds: None) as remote:
        server[1].kill()
        server[1].wait()
        with pytest.raises(RemoteDownError, match="check that it is running"):
            remote.chat(("The end",), Generation(tokens=2))
