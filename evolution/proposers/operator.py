"""What an operator is, and how its conditions read a harness. Knows no operator."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from homebody.agents.harness.spec import HarnessSpec
from homebody.agents.processors import find
from homebody.evolution.evidence.learn import Lessons

Settings = Mapping[str, Mapping[str, Any]]
"""Parameters by processor, as `homebody.evolution.proposers.edit.set_processors` takes them."""
Build = Callable[[HarnessSpec, Lessons], Settings | None]

WRITING = ("generate", "grammar", "vote")
"""Methods by which a model writes its command."""


@dataclass(frozen=True)
class EditOperator:
    """One thing that the rules can do."""

    name: str
    why: str
    """One sentence: why it should help against what it answers."""
    answers: frozenset[str]
    """Failure categories against which it helps; see `homebody.evolution.evidence.digest.CATEGORIES`."""
    use: str
    """The processor at work."""
    build: Build
    """What the edit sets, or None where it does not apply."""


def method_of(spec: HarnessSpec) -> str:
    """Return the method by which a harness decides."""
    method = param_of(spec, "decide", "method")
    return "generate" if method is None else str(method)


def param_of(spec: HarnessSpec, use: str, param: str) -> Any:
    """Return a parameter of a harness's processor, its default where the entry does not say; None without that processor."""
    name = spec.id_of(use)
    if name is None:
        return None
    return spec.components[name]["params"].get(param, find(use).schema[param].get("default"))
