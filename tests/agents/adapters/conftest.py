"""For the tests of the adapters."""

from collections.abc import Callable
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def players(load_module: Callable[[str], ModuleType]) -> ModuleType:
    """The module of the tasks that a script wins."""
    return load_module("agents/adapters/players.py")
