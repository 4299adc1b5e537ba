"""What a model is asked: the landscape, the present harness and what is on offer, in a text that fits a small context.

The question has levels of brevity. The first says all, with a failed episode and what each processor is for; the last gives names alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from homebody.agents.harness.spec import HarnessSpec
from homebody.agents.models.backend import CUT, Message
from homebody.agents.processors import find
from homebody.envs.interpreter import one_line
from homebody.evolution.evidence.digest import CATEGORIES
from homebody.evolution.proposers.answer import bounds
from homebody.evolution.proposers.candidate import Evidence

LEVELS = 4
"""0 says all; 1 leaves out the failed episode; 2 also what processors are for; 3 also parameters and what was tried."""
TRIED = 6
"""Edits of earlier rounds that are told, the latest ones."""
STEPS = 4
"""Last steps of the failed episode that are quoted."""
ROLE = (
    "You improve the harness of an agent. A harness is a set of processors around a language model that does tasks by writing commands. "
    "You answer with one JSON object and nothing else."
)
FORMS = (
    "Write one edit that answers one of the failures: a JSON object with answers (the failure's name), why (a sentence of your own) and "
    'edit, which is {"set": a processor, "params": an object}, {"remove": one of the harness}, {"prompt": advice that is added to '
    'the system prompt}, or {"hook": a hook, "code": the lines of a Python function body of event}.'
)


def question(spec: HarnessSpec, evidence: Evidence, offered: Sequence[str], refused: Sequence[str], level: int) -> list[Message]:
    """Write the chat that asks for one edit.

    Args:
        spec: the present harness.
        evidence: what is known of its failures.
        offered: processors that may be set.
        refused: what was proposed in this round already and is not wanted again, in words; it stands behind all the rest, so that the
            questions of a round share their beginning.
        level: of brevity, 0 to `LEVELS` - 1.
    """
    parts = [_failures(evidence)]
    if level < 1:
        parts += _failed_episode(evidence)
    parts.append("The harness now:\n" + "\n".join(f"- {_component(name, spec.components[name])}" for name in spec.in_order()))
    if level < 3 and evidence.landscape.tried:
        parts.append("Tried before:\n" + "\n".join(_tried(edit) for edit in evidence.landscape.tried[-TRIED:]))
    parts.append("Processors that you may set:\n" + "\n".join(_offer(use, level) for use in offered))
    parts.append(FORMS)
    last = f"{CUT}\n\nNot again:\n" + "\n".join(f"- {line}" for line in refused) if refused else ""
    return [{"role": "system", "content": ROLE}, {"role": "user", "content": "\n\n".join(parts) + last}]


def _failures(evidence: Evidence) -> str:
    won = sum(digest.won for digest in evidence.digests)
    errors = len(evidence.landscape.failures.get("error", ()))
    ended = f" and {errors} ended by an error" if errors else ""
    lines = [f"Of {len(evidence.digests)} training tasks {won} were solved{ended}. Failures:"]
    lines += [f"- {category} ({len(tasks)}): {CATEGORIES.get(category, '')}" for category, tasks in evidence.landscape.failures.items()]
    return "\n".join(lines)


def _failed_episode(evidence: Evidence) -> Iterator[str]:
    """Yield the end of the first episode that failed for the most frequent reason, where traces are given."""
    first = next(iter(evidence.landscape.failures.values()))[0]
    for record in evidence.episodes:
        if record.task_id == first:
            steps = [f"> {_cut(step.command, 80)}\n{_cut(step.observation, 160)}" for step in record.trace[-STEPS:]]
            yield "\n".join([f"The end of one that failed, with the goal: {_cut(record.goal, 160)}", *steps])
            return


def _component(name: str, item: Mapping[str, Any]) -> str:
    values = [f"{key}={_cut(str(value), 60)}" for key, value in item["params"].items()]
    return " ".join([name if name == item["use"] else f"{name} ({item['use']})", *values])


def _tried(edit: Mapping[str, Any]) -> str:
    return f"- {_cut(edit['operator'], 80)}: {edit['verdict']}"


def _offer(use: str, level: int) -> str:
    if level > 2:
        return f"- {use}"
    values = ", ".join(f"{name}: {_values(rule)}" for name, rule in find(use).schema.items() if rule.get("type") not in ("array", "object"))
    purpose = "" if level > 1 else " " + (find(use).__doc__ or "").partition("\n")[0]
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
    line = one_line(text[: most + 1])
    return line if len(line) <= most else f"{line[: most - 3]}..."
