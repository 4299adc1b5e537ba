"""What a model is asked: the landscape, the present harness and what is on offer, in a text that fits a small context.

The question has levels of brevity. The first says all, with two failed episodes, what the model wrote in them, and what each processor is
for; the last gives names alone. Of processors only those are told that are in the harness or have an operator against one of the failures.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from homebody.agents.harness.library import find
from homebody.agents.harness.spec import HarnessSpec
from homebody.agents.models.backend import CUT, Message
from homebody.agents.record import StepRecord
from homebody.envs.interpreter import one_line
from homebody.envs.text import cut
from homebody.evolution.evidence.digest import CATEGORIES
from homebody.evolution.evidence.landscape import TriedEdit
from homebody.evolution.proposers.answer import Offer, bounds
from homebody.evolution.proposers.candidate import Evidence
from homebody.evolution.proposers.rules import Option

LEVELS = 4
"""0 says all; 1 leaves out the second failed episode and what processors are for; 2 also their parameters, the solved tasks and what
operators are for; 3 also the other failed episode, what was tried, the processors and the forms of an edit."""
TRIED = 6
"""Edits of earlier rounds that are told, the latest ones."""
STEPS = 4
"""Last steps of a failed episode that are quoted."""
MOST_TOLD = 16
"""Processors that are told, at most; the others may be set all the same."""
ROLE = (
    "You improve the harness of an agent. A harness is a set of processors around a language model that does tasks by writing commands. "
    "You answer with one JSON object and nothing else."
)
FORMS = (
    "Write one edit that answers one of the failures: a JSON object with answers (the failure's name), why (a sentence of your own) and "
    'edit, which is {"apply": an edit that is ready}, {"set": a processor, "params": an object}, {"remove": one of the harness}, '
    '{"prompt": advice that is added to the system prompt}, {"rewrite": a text of the harness, "text": a better one with the same blanks}, '
    '{"example": the number of a solved task, "thoughts": one for each of its commands}, '
    'or {"hook": a hook, "code": the lines of a Python function body of event}.'
)

SHORT_FORM = "Write one edit that answers one of the failures: a JSON object with answers (the failure's name), why (a sentence) and edit."
"""Where there is no room for more: a grammar keeps the model to the forms."""


def question(spec: HarnessSpec, evidence: Evidence, offer: Offer, refused: Sequence[str], level: int) -> list[Message]:
    """Write the chat that asks for one edit.

    Args:
        spec: the present harness.
        evidence: what is known of its failures.
        offer: what may be chosen from.
        refused: what was proposed in this round already and is not wanted again, in words; it stands behind all the rest, so that the
            questions of a round share their beginning.
        level: of brevity, 0 to `LEVELS` - 1.
    """
    parts = [_failures(evidence)]
    parts += islice(_failed_episodes(evidence), (2, 1, 1, 0)[level])
    parts.append("The harness now:\n" + "\n".join(f"- {_component(name, spec.components[name])}" for name in spec.in_order()))
    if level < 3 and evidence.landscape.tried:
        parts.append("Tried before:\n" + "\n".join(_tried(edit) for edit in evidence.landscape.tried[-TRIED:]))
    if offer.options:
        ready = [_ready(option, level) for option in offer.options.values()]
        parts.append("Edits that are ready, the most promising first:\n" + "\n".join(ready))
    if offer.solved and level < 2:
        parts.append("Solved tasks:\n" + "\n".join(f"- {number}: {_solved(success)}" for number, success in offer.solved.items()))
    if level < 3:
        parts.append("Processors that you may set:\n" + "\n".join(_offer(use, level) for use in _relevant(spec, evidence, offer)))
    parts.append(FORMS if level < 3 else SHORT_FORM)
    last = f"{CUT}\n\nNot again:\n" + "\n".join(f"- {line}" for line in refused) if refused else ""
    return [{"role": "system", "content": ROLE}, {"role": "user", "content": "\n\n".join(parts) + last}]


def _failures(evidence: Evidence) -> str:
    won = sum(digest.won for digest in evidence.digests)
    errors = len(evidence.landscape.failures.get("error", ()))
    ended = f" and {errors} ended by an error" if errors else ""
    lines = [f"Of {len(evidence.digests)} training tasks {won} were solved{ended}. Failures:"]
    lines += [f"- {category} ({len(tasks)}): {CATEGORIES.get(category, '')}" for category, tasks in evidence.landscape.failures.items()]
    return "\n".join(lines)


def _failed_episodes(evidence: Evidence) -> Iterator[str]:
    """Yield the ends of episodes, the first that failed for each reason, the most frequent first, where traces are given."""
    records = {record.task_id: record for record in evidence.episodes}
    for category, tasks in evidence.landscape.failures.items():
        for record in islice((records[task] for task in tasks if task in records), 1):
            steps = [describe_step(step, 80, 160) for step in record.trace[-STEPS:]]
            yield "\n".join([f"The end of one that failed ({category}), with the goal: {_cut(record.goal, 160)}", *steps])


def describe_step(step: StepRecord, command: int, observation: int) -> str:
    """Return a step in so many characters: what the model wrote, where that is more than the command; the command, the answer."""
    wrote = step.response.strip()
    lines = [f"It wrote: {_cut(wrote, observation)}"] if wrote and wrote != step.command else []
    return "\n".join(
        [*lines, f"> {_cut(step.command, command)}{'' if step.accepted else ' (refused)'}", _cut(step.observation, observation)]
    )


def _ready(option: Option, level: int) -> str:
    why = "" if level > 1 else f": {option.operator.why}"
    proof = f" What it brings has won {option.proof:.0%} of training tasks." if option.proof else ""
    return f"- {option.operator.name}{why}{proof}"


def _solved(success: Mapping[str, Any]) -> str:
    return f"{_cut(success['goal'], 100)}: {_cut('; '.join(step['command'] for step in success['steps']), 240)}"


def _relevant(spec: HarnessSpec, evidence: Evidence, offer: Offer) -> list[str]:
    """Return the processors to be told: those in the harness, then those with an operator against a failure."""
    there = {item["use"] for item in spec.components.values()}
    failed = set(evidence.landscape.failures)
    useful = [use for use in offer.processors if use not in there and any(failed & one.answers for one in find(use).operators)]
    return [*(use for use in offer.processors if use in there), *useful][:MOST_TOLD]


def _component(name: str, item: Mapping[str, Any]) -> str:
    values = [f"{key}={_cut(str(value), 60)}" for key, value in item["params"].items()]
    return " ".join([name if name == item["use"] else f"{name} ({item['use']})", *values])


def _tried(edit: TriedEdit) -> str:
    return f"- {_cut(edit['operator'], 80)}: {edit['verdict']}"


def _offer(use: str, level: int) -> str:
    if level > 1:
        return f"- {use}"
    values = ", ".join(f"{name}: {_values(rule)}" for name, rule in find(use).schema.items() if rule.get("type") not in ("array", "object"))
    purpose = "" if level > 0 else " " + (find(use).__doc__ or "").partition("\n")[0]
    return f"- {use}({values}){purpose}"


def _values(rule: Mapping[str, Any]) -> str:
    """Say which values a parameter takes, and its default."""
    if "enum" in rule:
        return "|".join(map(str, rule["enum"]))
    given = bounds(rule)
    low, high = given.get("minimum", given.get("exclusiveMinimum")), given.get("maximum", given.get("exclusiveMaximum"))
    span = {(True, True): "", (False, True): f" from {low}", (True, False): f" to {high}", (False, False): f" {low} to {high}"}
    return f"{rule['type']}{span[low is None, high is None]}" + (f" = {_cut(str(rule['default']), 40)}" if "default" in rule else "")


def _cut(text: str, most: int) -> str:
    return cut(one_line(text[: most + 1]), most)
