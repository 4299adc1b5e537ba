"""One edit as a model writes it: its JSON Schema, and how an answer becomes a patch or a plain reason why it does not.

An edit applies an edit operator, sets a processor of the library, takes one away, adds a sentence or two to the system prompt, writes a
text of the harness anew, shows a solved task of training with thoughts of the model's own, or adds a processor of its own code, which runs
in the sandbox. Everything in it is bounded. What training taught (commands, milestones, counts) is never written by a model: it comes from
the findings, as the processor's own operators set it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import jsonschema

from homebody.agents.harness.hooks import EVENT_OF_HOOK, READ_ONLY
from homebody.agents.harness.library import REGISTRY, find, known
from homebody.agents.harness.order import dimension_of, hook_of
from homebody.agents.harness.patch import Patch, PatchError, pointer
from homebody.agents.harness.spec import HarnessError, HarnessSpec
from homebody.agents.processors.examples import shown_bank
from homebody.agents.processors.operator import MOST_TEXT, Findings, method_of
from homebody.envs.interpreter import one_line
from homebody.envs.text import JsonError, parse_json
from homebody.evolution.proposers.candidate import Evidence
from homebody.evolution.proposers.edit import new_id, set_params, set_processors, take_out, target, texts_of
from homebody.evolution.proposers.findings import gather
from homebody.evolution.proposers.rules import Option, options

WHY_CHARACTERS = 160
LEAST_PROMPT, PROMPT_CHARACTERS = 20, 300
"""Characters of advice for the system prompt, at least and at most."""
TEXT_CHARACTERS = 120
"""Most characters of a parameter that is a text."""
LINE_CHARACTERS = 80
MOST_LINES = 12
"""Lines of code, at most, below `def process(event):`."""
MOST_OPTIONS, MOST_SOLVED = 12, 4
"""Edit operators and solved tasks that a model chooses from, at most."""
_BLANK = re.compile(r"\{[a-z_]+\}")
NARROW = 20
"""Width of a range of numbers, at most, that a model chooses from instead of writing a number."""
Offered = Mapping[str, Mapping[str, Any]]
"""What is set with a processor: parameters by processor."""
OWN_EDITS = ("system_prompt", "template", "code")
"""Processors that an edit of its own kind writes to, or that are too free for parameters."""


class AnswerError(Exception):
    """An answer that cannot be made an edit; the message is the reason, in one line."""


@dataclass(frozen=True)
class Edit:
    """An answer that was made a valid edit."""

    answers: str
    """The failure category that it is meant to mend."""
    why: str
    operator: str
    dimension: str
    signature: str
    patch: Patch


@dataclass(frozen=True)
class Offer:
    """What a model may choose from, for one harness."""

    processors: Mapping[str, Offered]
    """As `on_offer` returns them."""
    options: Mapping[str, Option]
    """Edit operators that apply, by name, those with most evidence for them first."""
    texts: Mapping[str, str]
    """Texts of the harness that may be written anew, by `id.parameter`."""
    solved: Mapping[str, Mapping[str, Any]]
    """Successes of training that may be shown with thoughts, by number from 1."""


def make_offer(spec: HarnessSpec, evidence: Evidence) -> Offer:
    """Return what a model may choose from."""
    found = gather(spec, evidence)
    first = {option.operator.name: option for option in islice(options(spec, evidence), MOST_OPTIONS)}
    solved: dict[tuple[str, ...], Mapping[str, Any]] = {}
    for success in sorted((*found.own, *found.bank), key=lambda success: len(success["steps"])):
        if len(success["steps"]) <= MOST_LINES:
            solved.setdefault(tuple(found.naming.template(step["command"])[0] for step in success["steps"]), success)
    shown = dict(zip(map(str, range(1, MOST_SOLVED + 1)), solved.values(), strict=False))
    return Offer(on_offer(spec, found), first, texts_of(spec), shown if method_of(spec) != "rank" else {})


def on_offer(spec: HarnessSpec, findings: Findings) -> dict[str, Offered]:
    """Return the processors that an edit may set, each with what is set besides the parameters that the edit gives.

    Those are the library's, and the user's own that are in the harness. A processor that needs what
    training taught is on offer only where an operator of its own sets it from the findings.
    """
    found: dict[str, Offered] = {}
    own = {item["use"] for item in spec.components.values() if known(item["use"]) is None}
    for use in sorted((set(REGISTRY) | own) - {*OWN_EDITS}):
        processor = find(use)
        if processor.is_recorder:
            continue
        # Lists and objects hold what training taught, but not where they say how the model is asked.
        taught = processor.dimension != "model" and any(rule.get("type") in ("array", "object") for rule in processor.schema.values())
        if not taught or use in own:
            found[use] = {}
            continue
        edits = (operator.build(spec, findings) for operator in processor.operators)
        first = next((edit for edit in edits if isinstance(edit, Mapping) and edit.get(use)), None)
        if first is not None:
            found[use] = {name: params for name, params in first.items() if params is not None}
    return found


def answer_schema(spec: HarnessSpec, offer: Offer, categories: Collection[str], barred: Collection[str] = ()) -> dict[str, Any]:
    """Return the JSON Schema of an answer.

    Args:
        spec: the present harness.
        offer: what may be chosen from.
        categories: the failure categories that there are, at least one.
        barred: ids of components that an earlier edit of the round has at work already: no edit may
            write to them again.
    """
    names = [name for name, option in offer.options.items() if option.signature not in barred]
    chosen = [_object(apply={"enum": names})] if names else []
    sets = [_object(set={"const": use}, params=_params_schema(use)) for use in offer.processors if target(spec, use) not in barred]
    removes = [_object(remove={"enum": spec.in_order()})] if spec.components else []
    hooks = [hook for hook in EVENT_OF_HOOK if hook not in READ_ONLY]
    lines = {"type": "array", "items": {"type": "string", "maxLength": LINE_CHARACTERS}, "minItems": 1, "maxItems": MOST_LINES}
    prompt = _object(prompt={"type": "string", "minLength": LEAST_PROMPT, "maxLength": PROMPT_CHARACTERS})
    code = _object(hook={"enum": hooks}, code=lines)
    texts = [name for name in offer.texts if name.partition(".")[0] not in barred]
    text = {"type": "string", "minLength": 1, "maxLength": PROMPT_CHARACTERS}
    rewrites = [_object(rewrite={"enum": texts}, text=text)] if texts else []
    thoughts = {"type": "array", "items": {"type": "string", "maxLength": LINE_CHARACTERS}, "minItems": 1, "maxItems": MOST_LINES}
    has_room = offer.solved and target(spec, "examples") not in barred
    examples = [_object(example={"enum": list(offer.solved)}, thoughts=thoughts)] if has_room else []
    free = [form for name, form in ((target(spec, "system_prompt"), prompt), (new_id(spec, "code"), code)) if name not in barred]
    return _object(
        answers={"enum": list(categories)},
        why={"type": "string", "minLength": 1, "maxLength": WHY_CHARACTERS},
        edit={"anyOf": [*chosen, *sets, *removes, *rewrites, *examples, *free]},
    )


def read_answer(text: str, schema: Mapping[str, Any], spec: HarnessSpec, offer: Offer, tried: Collection[str]) -> Edit:
    """Make an edit of what a model wrote.

    Args:
        text: the answer; what stands around its outermost braces is ignored.
        schema: what `answer_schema` gave.
        spec: the present harness.
        offer: what `make_offer` gave.
        tried: behaviour hashes that need not be tried again.

    Raises:
        AnswerError: it is no JSON, breaks the schema, leads to an invalid harness, or to a behaviour that was tried.
    """
    try:
        answer = parse_json(text[text.find("{") : text.rfind("}") + 1], "the answer")
    except JsonError as error:
        raise AnswerError(f"no JSON object: it {one_line(error.fault)}") from None
    wrong = jsonschema.exceptions.best_match(jsonschema.Draft202012Validator(schema).iter_errors(answer))
    if wrong is not None:
        where = "".join(f"/{part}" for part in wrong.absolute_path) or "/"
        raise AnswerError(f"not the form that was asked for, at {where}: {one_line(wrong.message)}")
    try:
        operator, signature, dimension, patch = _patch(answer["edit"], spec, offer)
        behaviour = spec.patch(patch).check().behaviour_hash
    except (PatchError, HarnessError) as error:
        raise AnswerError(one_line(str(error))) from None
    if behaviour == spec.behaviour_hash:
        raise AnswerError(f"{operator}: changes nothing")
    if behaviour in tried:
        raise AnswerError(f"{operator}: leads to a behaviour that was tried before")
    return Edit(answer["answers"], one_line(answer["why"]), operator, dimension, signature, patch)


def _patch(edit: Mapping[str, Any], spec: HarnessSpec, offer: Offer) -> tuple[str, str, str, Patch]:
    """Return operator, id of the component at work, dimension and patch of an edit by the schema.

    Raises:
        AnswerError: a text loses a blank, or the system prompt has no room.
    """
    if "apply" in edit:
        option = offer.options[edit["apply"]]
        return option.operator.name, option.signature, option.dimension, option.patch
    if "rewrite" in edit:
        return _rewritten(edit["rewrite"], edit["text"], spec, offer)
    if "example" in edit:
        return _with_thoughts(offer.solved[edit["example"]], edit["thoughts"], spec)
    if "set" in edit:
        use = edit["set"]
        settings = {**offer.processors[use], use: {**offer.processors[use].get(use, {}), **edit["params"]}}
        return f"set {use}", target(spec, use), find(use).dimension, set_processors(spec, settings)
    if "remove" in edit:
        name = edit["remove"]
        item = spec.components[name]
        return f"remove {name}", "", dimension_of(item, find(item["use"])), take_out(spec, name)
    if "prompt" in edit:
        said = spec.param("system_prompt", "text") or ""
        if len(said) + len(edit["prompt"]) > MOST_TEXT + PROMPT_CHARACTERS:
            raise AnswerError(f"the system prompt has {len(said)} characters and no room for more; write it anew with rewrite")
        added = set_processors(spec, {"system_prompt": {"text": f"{said}\n{edit['prompt']}".strip()}})
        return f"prompt: {one_line(edit['prompt'][:80])}", target(spec, "system_prompt"), "context", added
    source = "\n".join(["def process(event):", *(f"    {line}" for line in edit["code"])]) + "\n"
    code: dict[str, Any] = {"use": "code", "hook": edit["hook"], "dimension": "control", "params": {}, "source": source}
    # The last word: what it sees is what all others have made.
    others = [name for name, processor in spec.processors().items() if hook_of(spec.components[name], processor) == edit["hook"]]
    name = new_id(spec, "code")
    operator = f"code at {edit['hook']}: {one_line(' '.join(edit['code'])[:60])}"
    value = {**code, "after": others[-1:]} if others else code
    return operator, name, "control", [{"op": "add", "path": pointer("components", name), "value": value}]


def _rewritten(name: str, text: str, spec: HarnessSpec, offer: Offer) -> tuple[str, str, str, Patch]:
    """Return what puts a text in the place of the present one, which keeps its blanks."""
    item, _, param = name.partition(".")
    if lost := sorted(set(_BLANK.findall(offer.texts[name])) - set(_BLANK.findall(text))):
        raise AnswerError(f"rewrite {name}: the text lost {', '.join(lost)}; keep every blank")
    dimension = dimension_of(spec.components[item], find(spec.components[item]["use"]))
    return f"rewrite {name}", item, dimension, set_params(spec, item, {param: text})


def _with_thoughts(success: Mapping[str, Any], thoughts: Sequence[str], spec: HarnessSpec) -> tuple[str, str, str, Patch]:
    """Return what shows a success first, with thoughts before its commands; those beyond its steps are left out."""
    said = [one_line(thought).strip() for thought in thoughts]
    said += [""] * len(success["steps"])
    steps = [{**({"thought": thought} if thought else {}), **step} for thought, step in zip(said, success["steps"], strict=False)]
    settings = shown_bank(spec, [{**success, "steps": steps}])
    patch = set_processors(spec, settings) if settings else []
    return f"example with thoughts: {one_line(success['goal'][:60])}", target(spec, "examples"), "context", patch


def _params_schema(use: str) -> dict[str, Any]:
    """Return the schema of the parameters that a model may write: those of one value, texts bounded."""
    properties = {name: _writable(rule) for name, rule in find(use).schema.items() if rule.get("type") not in ("array", "object")}
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _writable(rule: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of one value; a narrow range as its values or, of fractions, eleven of them, since grammars know no bounds."""
    kind, low, high = rule.get("type"), rule.get("minimum"), rule.get("maximum")
    if kind == "string":
        return {"type": "string", "maxLength": TEXT_CHARACTERS}
    if low is None or high is None or high - low > NARROW:
        return bounds(rule)
    if kind == "integer":
        return {"enum": list(range(low, high + 1))}
    return {"enum": sorted({round(low + (high - low) * tenth / 10, 3) for tenth in range(11)})}


def bounds(rule: Mapping[str, Any]) -> dict[str, Any]:
    """Return of a parameter's schema what says which values it takes."""
    return {key: rule[key] for key in ("enum", "type", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum") if key in rule}


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def shown(answer: str) -> str:
    """Return the beginning of an answer, for the record of one that was no edit."""
    return json.dumps(one_line(answer[:120]), ensure_ascii=False)
