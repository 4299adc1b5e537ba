"""A harness at work: the processors of a spec, alive for one episode, and the contract that holds them."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any, TypeVar

from homebody.agents.errors import AgentError
from homebody.agents.hooks import HOOK_OF_EVENT, Event, StepEnd
from homebody.agents.processors import defaults, find
from homebody.agents.processors.base import Processor, Score
from homebody.agents.spec import HarnessSpec

E = TypeVar("E", bound=Event)


class ContractError(AgentError):
    """A processor changed a field that its hook does not let it change."""


class Harness:
    """The processors of one episode, in order.

    A processor that fails is noted in `failures` and skipped at that event: it never takes the episode down.
    """

    def __init__(self, spec: HarnessSpec, score: Score | None) -> None:
        self._processors: list[tuple[int, Processor]] = []
        for position, entry in enumerate(spec.processors):
            processor = find(entry["use"])
            self._processors.append((position, processor(defaults(processor) | entry["params"], score)))
        self.activations: Counter[str] = Counter()
        """How often each processor changed something, by `position:name`."""
        self.failures: list[dict[str, str]] = []
        """What went wrong inside processors: `boundary`, `kind`, `message`."""

    def run(self, event: E) -> tuple[E, list[list[Any]]]:
        """Let every processor of the event's hook answer, in order.

        Returns:
            The event after all changes, and the list of changes as [processor, sorted field names].
        """
        hook: str = HOOK_OF_EVENT[type(event)]
        changed: list[list[Any]] = []
        for position, processor in self._processors:
            if processor.hook != hook:
                continue
            try:
                changes = processor.process(event)
                if changes and (forbidden := sorted(set(changes) - event.CHANGES)):
                    allowed = ", ".join(sorted(event.CHANGES)) or "nothing"
                    raise ContractError(f"{processor.name} changed {', '.join(forbidden)} at {hook}, which lets it change {allowed}")
                changes = {key: value for key, value in (changes or {}).items() if value != getattr(event, key)}
                event = replace(event, **changes)
            except Exception as error:
                self._note(f"{processor.name} at {hook}", error)
                continue
            if changes:
                self.activations[f"{position}:{processor.name}"] += 1
                changed.append([processor.name, sorted(changes)])
        return event, changed

    def observe(self, step: StepEnd) -> None:
        """Show a finished step to every processor."""
        for _, processor in self._processors:
            try:
                processor.observe(step)
            except Exception as error:
                self._note(f"{processor.name} at step_end", error)

    def _note(self, boundary: str, error: Exception) -> None:
        self.failures.append({"boundary": boundary, "kind": type(error).__name__, "message": str(error)})
