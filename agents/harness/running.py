"""A harness at work: the processors of a spec, alive for one episode, and the contract that holds them.

A processor that breaks the contract or raises is noted and skipped at that event, and switched off when it fails too often: it never
takes the episode down. Knows nothing of environments and policies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, TypeVar

from homebody.agents.content_hash import canonical, digest
from homebody.agents.errors import AgentError, is_lost
from homebody.agents.harness.hooks import FIELDS, HOOK_OF_EVENT, HOOKS, READ_ONLY, Changes, Event, Intercept, Interrupt, StepEnd
from homebody.agents.harness.patch import pointer
from homebody.agents.harness.spec import HarnessError, HarnessSpec
from homebody.agents.processors.base import Processor, Services
from homebody.agents.skills.names import naming_of
from homebody.envs.text import JsonError, clean, cut, one_line, parse_json

E = TypeVar("E", bound=Event)


class ContractError(AgentError):
    """A processor answered with something that its hook does not allow."""


@dataclass(eq=False)
class _Member:
    """A processor in its place."""

    id: str
    """Of its component."""
    content: str
    """Canonical JSON of the component."""
    processor: Processor
    failures: int = 0

    @property
    def is_on(self) -> bool:
        return self.failures < self.processor.max_failures


class Harness:
    """The processors of one episode, in order."""

    def __init__(self, spec: HarnessSpec, services: Services) -> None:
        self._services = replace(services, naming=naming_of(spec.components))
        self._steps: list[StepEnd] = []
        self._changed: list[dict[str, Any]] = []
        self._notes: dict[str, dict[str, Any]] = {}
        self.activations: dict[str, int] = {}
        """How often each processor changed something, ended something or left a note.

        By the id of its component; zeros are included.
        """
        self.failures: list[dict[str, str]] = []
        """What went wrong inside processors: `boundary`, `kind`, `message`."""
        self.interrupted: str | None = None
        """The reason that a processor gave for the end of the episode."""
        self._line_up([self._make(name, spec.components[name], processor) for name, processor in spec.processors().items()])

    def run(self, event: E) -> E:
        """Let every processor of the event's hook answer, in order, and return the event after all changes.

        Once a processor has interrupted the episode, events pass untouched; the read-only hooks are still told.
        """
        hook = HOOK_OF_EVENT[type(event)]
        if self.interrupted is not None and hook not in READ_ONLY:
            return event
        for member in self._at[hook]:
            if not member.is_on:
                continue
            try:
                event, is_last = self._ask(member, hook, event)
            except Exception as error:
                self._note_failure(member, hook, error)
                continue
            if is_last:
                break
        return event

    def observe(self, step: StepEnd) -> None:
        """Show a finished step to every processor."""
        self._steps.append(step)
        for member in self._members:
            self._show(member, step)

    def offers(self) -> tuple[str, ...]:
        """Return the commands that processors would answer themselves, in order, without repeats."""
        found: dict[str, None] = {}
        for member in self._at["before_tool"]:
            if member.is_on:
                try:
                    found.update(dict.fromkeys(member.processor.offers()))
                except Exception as error:
                    self._note_failure(member, "before_model", error)
        return tuple(found)

    def collect(self) -> dict[str, Any]:
        """Return what processors did since the last call.

        Returns:
            `changed`: a list of {"by": id, "hook", "outcome": change, intercept or interrupt, "fields":
            {field: [hash before, hash after]}}; and `notes`, by id, where there are any.
        """
        collected: dict[str, Any] = {"changed": self._changed} | ({"notes": self._notes} if self._notes else {})
        self._changed, self._notes = [], {}
        return collected

    def adapt(self, spec: HarnessSpec) -> None:
        """Go on with another harness.

        Components that stay as they are keep their memory; new ones are shown all steps so far.

        Raises:
            Exception: a new processor cannot be made; the harness is as before.
        """
        old = {member.id: member for member in self._members}
        self._services = replace(self._services, naming=naming_of(spec.components))
        members, fresh = list[_Member](), list[_Member]()
        for name, processor in spec.processors().items():
            component, kept = spec.components[name], old.get(name)
            if kept is None or kept.content != _content(component):
                kept = self._make(name, component, processor)
                fresh.append(kept)
            members.append(kept)
        self._line_up(members)
        for member in fresh:
            for step in self._steps:
                self._show(member, step)

    def _make(self, name: str, component: dict[str, Any], processor: type[Processor]) -> _Member:
        try:
            return _Member(name, _content(component), processor.from_entry(component, self._services))
        except Exception as error:
            if component["use"] == processor.name:
                raise
            fault = f"{component['use']} cannot be made: {type(error).__name__}: {one_line(str(error))}"
            raise HarnessError("harness", [f"{pointer('components', name)}: {fault}"]) from error

    def _line_up(self, members: Sequence[_Member]) -> None:
        self._members = members
        self._at = {hook: [member for member in members if member.processor.hook == hook] for hook in HOOKS}
        for member in members:
            self.activations.setdefault(member.id, 0)

    def _ask(self, member: _Member, hook: str, event: E) -> tuple[E, bool]:
        """Ask one processor; returns the event and whether the processors after it are passed over."""
        processor = member.processor
        processor.notes = {}
        outcome = processor.process(event)
        name = f"{member.id} at {hook}"
        if hook in READ_ONLY and isinstance(outcome, Intercept | Interrupt):
            raise ContractError(f"{name} answered with an {type(outcome).__name__}; this hook is read-only: answer with None")
        if isinstance(outcome, Interrupt):
            if not isinstance(outcome.reason, str) or not outcome.reason:
                raise ContractError(f"{name} interrupted with reason {outcome.reason!r}; give a text")
            changes: Changes = {}
        else:
            changes = _allowed(outcome.changes if isinstance(outcome, Intercept) else outcome, event, member.id, hook)
        try:
            changed = replace(event, **changes) if changes else event
        except ValueError as error:
            raise ContractError(f"{name}: {error}") from None
        fields = {field: [_hash(getattr(event, field)), _hash(value)] for field, value in sorted(changes.items())}
        self._keep_notes(member, name)
        kind = "interrupt" if isinstance(outcome, Interrupt) else "intercept" if isinstance(outcome, Intercept) else "change"
        if fields or kind != "change":
            self._changed.append({"by": member.id, "hook": hook, "outcome": kind, "fields": fields})
        if fields or kind != "change" or processor.notes:
            self.activations[member.id] += 1
        if isinstance(outcome, Interrupt):
            self.interrupted = outcome.reason
        return changed, kind != "change"

    def _show(self, member: _Member, step: StepEnd) -> None:
        if not member.is_on:
            return
        member.processor.notes = {}
        try:
            member.processor.observe(step)
            self._keep_notes(member, f"{member.id} at step_end")
        except Exception as error:
            self._note_failure(member, "step_end", error)

    def _keep_notes(self, member: _Member, name: str) -> None:
        notes = member.processor.notes
        if not notes:
            return
        try:
            kept = parse_json(canonical(dict(notes)), name)
        except (TypeError, ValueError, RecursionError, JsonError) as error:
            raise ContractError(f"{name} left notes that are no JSON object: {error}") from None
        self._notes.setdefault(member.id, {}).update(kept)

    def _note_failure(self, member: _Member, hook: str, error: Exception) -> None:
        if is_lost(error):
            raise error
        boundary = f"{member.id} at {hook}"
        self.failures.append({"boundary": boundary, "kind": type(error).__name__, "message": clean(str(error))})
        member.failures += 1
        if not member.is_on:
            message = f"{member.failures} failures; {member.id} is off for the rest of the episode"
            self.failures.append({"boundary": boundary, "kind": "SwitchedOff", "message": message})


def _content(component: dict[str, Any]) -> str:
    """Return what a component is, its place in the order aside."""
    return canonical({key: value for key, value in component.items() if key != "after"})


def _allowed(changes: object, event: Event, name: str, hook: str) -> Changes:
    """Return the changes that change something, or raise if one of them is not allowed."""
    if changes is None:
        return {}
    if not isinstance(changes, dict):
        raise ContractError(
            f"{name} at {hook} answered with a {type(changes).__name__}; give a dict of changed fields, Intercept, Interrupt or None"
        )
    if forbidden := sorted(set(changes) - event.CHANGES):
        allowed = ", ".join(sorted(event.CHANGES)) or "nothing"
        raise ContractError(f"{name} changed {', '.join(forbidden)} at {hook}, which lets it change {allowed}")
    for field, value in changes.items():
        words, fits = FIELDS[field]
        if not fits(value):
            raise ContractError(f"{name} at {hook} set {field} to {cut(repr(value), 80)}; it must be {words}")
    return {field: value for field, value in changes.items() if value != getattr(event, field)}


def _hash(value: object) -> str:
    return digest(value, default=asdict)[:12]
