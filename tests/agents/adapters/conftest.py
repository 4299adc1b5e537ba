"""For the tests of the adapters."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def players() -> ModuleType:
    """The module of the tasks that a script wins."""
    spec = importlib.util.spec_from_file_location("players", Path(__file__).with_name("players.py"))
    assert spec is not None
    assert spec.loader is not None
    sys.modules["players"] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
