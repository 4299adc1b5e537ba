"""Which proposers there are, and how one is found by its name or by `module:callable`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from homebody.agents.harness.spec import HarnessSpec
from homebody.envs.core import did_you_mean
from homebody.envs.interpreter import one_line
from homebody.envs.module import UserModuleError, import_module
from homebody.envs.text import cut
from homebody.evolution.proposers.candidate import Candidate, Evidence, Proposer, ProposerError


@dataclass(frozen=True)
class Entry:
    """One proposer of the table."""

    where: str
    """`module:callable`; imported when it is used, as some need packages that are not always installed."""
    learns: bool = False
    """Whether it reads the statistics of exploration."""
    asks: bool = False
    """Whether it needs a model."""


_HERE = "homebody.evolution.proposers"
PROPOSERS: Mapping[str, Entry] = {
    "rules": Entry(f"{_HERE}.rules:propose", learns=True),
    "llm": Entry(f"{_HERE}.llm:propose", learns=True, asks=True),
    "gepa": Entry(f"{_HERE}.gepa:propose", asks=True),
    "random": Entry(f"{_HERE}.controls:random"),
    "noop": Entry(f"{_HERE}.controls:noop"),
}
"""The proposers of homebody, by name."""


def find_entry(name: str) -> Entry:
    """Return a proposer's entry: of the table, or that of a user's `module:callable`, which may read the statistics.

    Raises:
        ProposerError: it is neither.
    """
    if name in PROPOSERS:
        return PROPOSERS[name]
    module, colon, attribute = name.partition(":")
    if not (module and colon and attribute):
        known = ", ".join(PROPOSERS)
        hint = did_you_mean(name, list(PROPOSERS))
        raise ProposerError(f"no proposer is called {name!r}; there are {known}, and module:callable names your own{hint}")
    return Entry(name, learns=True)


def find_proposer(name: str) -> Proposer:
    """Return a proposer by its name, or a user's by `module:callable`.

    Raises:
        ProposerError: there is none, or it cannot be imported or called.
    """
    found = _import(find_entry(name).where)
    return found if name in PROPOSERS else _Checked(name, found)


def _import(where: str) -> Any:
    module, _, attribute = where.partition(":")
    try:
        found = import_module(module, through=(ProposerError,))
    except UserModuleError as error:
        raise ProposerError(f"proposer {where}: {error}") from None
    proposer = getattr(found, attribute, None)
    if not callable(proposer):
        raise ProposerError(f"proposer {where}: {module} has no callable {attribute!r}; write one that takes (spec, evidence, k)")
    return proposer


@dataclass(frozen=True)
class _Checked:
    """A user's proposer, whose failures and answers are made one clear line."""

    name: str
    propose: Any

    def __call__(self, spec: HarnessSpec, evidence: Evidence, k: int) -> list[Candidate]:
        try:
            found = self.propose(spec, evidence, k)
        except ProposerError:
            raise
        except Exception as error:
            raise ProposerError(
                f"proposer {self.name} failed: {type(error).__name__}: {one_line(str(error))}; mend it and resume the run"
            ) from error
        if not isinstance(found, list | tuple) or not all(isinstance(item, Candidate) for item in found):
            raise ProposerError(f"proposer {self.name} returned {_short(found)}; it must return a list of Candidate")
        if len(found) > k:
            raise ProposerError(f"proposer {self.name} returned {len(found)} candidates; it was asked for {k} at most")
        names = [item.id for item in found]
        if len(set(names)) < len(names):
            raise ProposerError(f"proposer {self.name} returned candidates with the ids {', '.join(names)}; give each its own")
        for item in found:
            try:
                json.dumps(item.to_json(), allow_nan=False)
            except (TypeError, ValueError, RecursionError) as error:
                raise ProposerError(
                    f"proposer {self.name}: candidate {item.id} is no JSON: {one_line(str(error))}; give plain data"
                ) from None
        return list(found)


def _short(value: object) -> str:
    return cut(one_line(repr(value)), 80)
