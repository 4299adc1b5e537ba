"""Context and threads of a model, asked for or not, on tiny models of our own that were "trained" with 512 tokens."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from homebody.agents.errors import BadRequestError, GpuTooSmallError
from homebody.agents.models.generation import Generation
from homebody.agents.models.llama import device
from homebody.agents.models.names import load
from homebody.agents.rollout import RolloutConfig, Rollouts


@pytest.mark.parametrize(("asked", "given"), [(None, 512), (512, 512), (64, 64), (1, 1)])
def test_a_model_gets_the_context_that_is_asked_for(tiny_file: Callable[..., Path], asked: int | None, given: int) -> None:
    with load(str(tiny_file("llama")), n_ctx=asked) as backend:
        assert (backend.n_ctx, backend.fingerprint["n_ctx"], backend.fingerprint["n_threads"]) == (given, str(given), "1")


def test_a_model_of_a_long_context_gets_4096_tokens_unless_more_are_asked_for(tiny_file: Callable[..., Path]) -> None:
    path = str(tiny_file("llama", n_ctx=8192))
    for asked, given in ((None, 4096), (8192, 8192)):
        with load(path, n_ctx=asked) as backend:
            assert backend.fingerprint["n_ctx"] == str(given)


@pytest.mark.parametrize("architecture", ["llama", "mamba", "jamba"])
def test_threads_are_in_the_fingerprint(tiny_file: Callable[..., Path], architecture: str) -> None:
    with load(str(tiny_file(architecture)), n_threads=2) as backend:
        assert backend.fingerprint["n_threads"] == "2"
        assert isinstance(backend.chat(("A prompt.",), Generation(tokens=2)).text, str)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"n_ctx": 513}, r"the context of .*llama-512\.gguf is 513; allowed: 1 to 512, the tokens that it was trained with"),
        ({"n_ctx": 10**12}, "is 1000000000000; allowed: 1 to 512"),
        ({"n_ctx": 0}, "the context is 0; allowed: at least 1 token"),
        ({"n_threads": 0}, "n_threads is 0; allowed: 1 to 512"),
        ({"n_threads": 513}, "n_threads is 513; allowed: 1 to 512"),  # llama.cpp ends the process at this.
    ],
)
def test_what_cannot_be_given_is_named(tiny_file: Callable[..., Path], settings: dict[str, Any], said: str) -> None:
    with pytest.raises(BadRequestError, match=said):
        load(str(tiny_file("llama")), **settings)


def test_layers_on_a_gpu_need_one_and_room_for_all_processes(tiny_file: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(tiny_file("llama"))
    monkeypatch.setattr(device, "graphics_memory", lambda: None)
    with pytest.raises(BadRequestError, match="layers on the GPU is -1; allowed: 0 without a GPU that llama-cpp-python is built for"):
        load(path, gpu_layers=-1)
    monkeypatch.setattr(device, "graphics_memory", lambda: device.Memory(200_000_000, 300_000_000))
    with load(path, gpu_layers=-1, copies=3) as backend:  # Some 65 MB each.
        assert backend.fingerprint["gpu_layers"] == "-1"
    with pytest.raises(GpuTooSmallError, match="in each of 4 processes, and 200 MB are free; give fewer --workers, fewer --gpu-layers"):
        load(path, gpu_layers=-1, copies=4)
    config = RolloutConfig("homebody/Household-v0", path, 2, gpu_layers=-1)
    with pytest.raises(GpuTooSmallError, match="in each of 4 processes"):  # Three workers, and the process that asks them.
        Rollouts(config, 3)


def test_this_machine_tells_of_its_graphics_memory() -> None:
    memory = device.graphics_memory()
    assert memory is None or 0 <= memory.free <= memory.total
