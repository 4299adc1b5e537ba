"""Processors as Python text: a pure function of one event, run in the sandbox at any hook.

Knows how an event becomes JSON and how an answer becomes changes again. What may run and how long is the business of `sandbox`; which
field may change at which hook, of `harness`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, fields, replace
from typing import TYPE_CHECKING, Any

from homebody.agents.errors import AgentError, BadRequestError
from homebody.agents.harness.hooks import (
    FIELDS,
    HOOK_OF_EVENT,
    ONE_LINE,
    READ_ONLY,
    Changes,
    Choice,
    CurrentSubgoal,
    Event,
    Intercept,
    Interrupt,
    Outcome,
    Reading,
    Turn,
)
from homebody.agents.models.backend import CUT
from homebody.agents.models.generation import Generation, Thinking
from homebody.agents.processors.base import Processor, Services, register
from homebody.agents.processors.operator import AIMLESS, EditOperator, added, method_of
from homebody.agents.processors.parameter import integer
from homebody.agents.processors.sample import SAMPLES
from homebody.envs import interpreter
from homebody.envs.text import cut

if TYPE_CHECKING:
    from homebody.agents.harness.spec import HarnessSpec


class CodeError(AgentError):
    """The text of a code processor failed, or answered with something that is no outcome."""


POINT_AT = """def process(event):
    commands = [set(command.lower().split()) for command in event["candidates"]]
    named = []
    for word in event["goal"].lower().replace(",", " ").replace(".", " ").split():
        share = sum(word in words for words in commands)
        if 0 < 2 * share <= len(commands):
            named += [place for place, words in enumerate(commands) if word in words and place not in named]
    if not named:
        return None
    lines = [event["candidates"][place] for place in sorted(named)[:8]]
    cut = "" if event["params"]["values"]["cut"] in event["content"] else event["params"]["values"]["cut"]
    return {"content": event["content"] + cut + "\\n\\nThese name what the goal names:\\n" + "\\n".join(lines)}
"""
"""Points at the commands that hold a word of the goal, one that at most half of the commands hold, for this step only."""


def point_at(spec: HarnessSpec) -> list[dict[str, Any]] | None:
    """Return the patch that adds `POINT_AT` behind the list of commands."""
    listed = spec.id_of("show_candidates")
    component = {"use": "code", "hook": "before_model", "dimension": "context", "params": {"values": {"cut": CUT}}, "source": POINT_AT}
    return added(spec, "point_at", component | ({"after": [listed]} if listed else {}))


@register
class Code(Processor):
    """Runs `process(event)` of the entry's own Python text in a sandbox. Helps where no processor of the library does what is needed.

    The event is a dict of all fields of the hook's event, with `params`, the entry's own parameters. The answer is None; a dict of changed
    fields (the whole event will do: what is equal to what was given is no change); {"intercept": {...}}; or {"interrupt": "reason"}. What
    the function prints goes to the notes in the trace. It keeps nothing between calls.
    """

    name = "code"
    hook = ""
    dimension = ""
    group = None
    schema = {
        "max_failures": integer("failures until it is switched off", default=3, least=1, most=1000),
        "values": {"type": "object", "default": {}, "description": "what the text reads as event['params']['values']"},
    }

    operators = (
        EditOperator(
            "point at what the goal names",
            "A model that is shown which commands name what the goal names need not compare them all.",
            AIMLESS | {"final_step_missing"},
            lambda spec, found: point_at(spec) if method_of(spec) != "rank" else None,
        ),
    )

    def __init__(self, params: Mapping[str, Any], services: Services) -> None:
        super().__init__(params, services)
        self.max_failures = params["max_failures"]
        self._source = ""

    @classmethod
    def from_entry(cls, entry: Mapping[str, Any], services: Services) -> Processor:
        """Make the processor with the component's text."""
        made = super().from_entry(entry, services)
        assert isinstance(made, Code)
        made._source = entry["source"]
        return made

    @classmethod
    def check_entry(cls, entry: Mapping[str, Any]) -> list[str]:
        """Run the text once on a sample event of its hook: it must not fail, and must answer with an outcome that the hook allows."""
        event = SAMPLES[entry["hook"]]
        try:
            outcome = cls.from_entry(entry, Services()).process(event)
        except CodeError as error:
            return [f"/source: on a sample event: {error}"]
        if isinstance(outcome, Interrupt):
            return []
        changes = outcome.changes if isinstance(outcome, Intercept) else outcome or {}
        if forbidden := sorted(set(changes) - event.CHANGES):
            allowed = ", ".join(sorted(event.CHANGES)) or "nothing"
            return [f"/source: on a sample event: it changed {', '.join(forbidden)} at {entry['hook']}, which lets it change {allowed}"]
        try:
            replace(event, **changes)
        except ValueError as error:
            return [f"/source: on a sample event: {error}"]
        return []

    def process(self, event: Event) -> Outcome:
        """Call the function.

        Raises:
            CodeError: the call failed, or the answer has a wrong shape.
        """
        hook = HOOK_OF_EVENT[type(event)]
        given = {**asdict(event), "params": dict(self.params)}
        result = interpreter.run(self._source, given)
        if not result.ok:
            raise CodeError(f"code at {hook}: {result.problem}")
        if result.log:
            self.notes["printed"] = result.log
        return _outcome(result.value, given, hook)


def _outcome(answer: Any, given: dict[str, Any], hook: str) -> Outcome:
    if answer is None:
        return None
    if not isinstance(answer, dict):
        raise CodeError(
            f"code at {hook} answered with {cut(repr(answer), 80)}; give a dict of changed fields, intercept, interrupt or None"
        )
    if ending := {"intercept", "interrupt"} & answer.keys():
        if hook in READ_ONLY:
            raise CodeError(f"code at {hook} answered with {sorted(ending)[0]}; this hook is read-only: answer with None")
        if len(answer) > 1:
            raise CodeError(f"code at {hook} answered with {', '.join(sorted(answer))}; {sorted(ending)[0]} must stand alone")
    if "interrupt" in answer:
        if not isinstance(answer["interrupt"], str) or not answer["interrupt"]:
            raise CodeError(f"code at {hook} gave {cut(repr(answer['interrupt']), 80)} as interrupt; give the reason, a text")
        return Interrupt(answer["interrupt"])
    if "intercept" in answer:
        if not isinstance(answer["intercept"], dict):
            raise CodeError(f"code at {hook} gave {cut(repr(answer['intercept']), 80)} as intercept; give a dict of changed fields")
        return Intercept(_changes(answer["intercept"], given, hook))
    return _changes(answer, given, hook)


def _changes(answer: dict[str, Any], given: dict[str, Any], hook: str) -> Changes:
    """Return the fields that differ from those given, in the types of the event; unknown ones as they are, for the harness to stop."""
    # What was given holds tuples where the answer holds lists.
    known = _plain(given)
    changed = {key: value for key, value in answer.items() if key not in known or known[key] != value}
    return {field: _typed(field, value, hook) if field in FIELDS else value for field, value in changed.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list | tuple) else value


def _typed(field: str, value: Any, hook: str) -> Any:
    words, fits = FIELDS[field]
    try:
        typed = _READERS[field](value) if field in _READERS else value
        if fits(typed):
            return typed
    except (TypeError, ValueError, KeyError, OverflowError, BadRequestError):
        pass
    raise CodeError(f"code at {hook} set {field} to {cut(repr(value), 80)}; it must be {_JSON_WORDS.get(field, words)}")


def _list(value: Any) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise TypeError
    return tuple(value)


def _record(kind: Callable[..., Any], value: Any) -> Any:
    """Make a dataclass of a JSON object whose members have the types of the sample's."""
    made = kind(**value)
    sample = _SAMPLE_RECORDS[kind]
    for item in fields(sample):
        found, wanted = getattr(made, item.name), type(getattr(sample, item.name))
        if wanted is type(None):
            wanted = _OPTIONAL[item.name]
            if found is None:
                continue
        if type(found) is not wanted and not (wanted is float and type(found) is int):
            raise TypeError
    return made


def _generation(value: Any) -> Generation:
    given = dict(value)
    given["thinking"] = _record(Thinking, given["thinking"])
    given["stop"] = _list(given["stop"])
    generation: Generation = _record(Generation, given)
    if not all(isinstance(stop, str) for stop in generation.stop):
        raise TypeError
    return generation


_SAMPLE_RECORDS: dict[Callable[..., Any], Any] = {
    Turn: Turn("", ""),
    CurrentSubgoal: CurrentSubgoal("", ""),
    Choice: Choice(),
    Reading: Reading(),
    Thinking: Thinking(),
    Generation: ONE_LINE,
}
_OPTIONAL: dict[str, type] = {"grammar": str, "schema": dict}
"""Types of members that may be None."""
_READERS: dict[str, Callable[[Any], Any]] = {
    "history": lambda value: tuple(_record(Turn, turn) for turn in _list(value)),
    "candidates": _list,
    "tools": _list,
    # A bool is no number here, and an integer may be too large for a float.
    "prior": lambda value: tuple(float(item) if type(item) in (int, float) else item for item in _list(value)),
    "subgoal": lambda value: None if value is None else _record(CurrentSubgoal, value),
    "choice": lambda value: _record(Choice, value),
    "reading": lambda value: _record(Reading, value),
    "generation": _generation,
}
_JSON_WORDS = {
    "history": "a list of {command, observation, reply, thought, text, is_summary}",
    "candidates": "a list of texts",
    "tools": "a list of texts",
    "prior": "a list of finite numbers",
    "subgoal": "{phase, wanted} or None",
    "choice": "an object as in the event",
    "reading": "an object as in the event",
    "generation": "an object as in the event",
}
"""How the function sees a field whose type JSON does not have."""
