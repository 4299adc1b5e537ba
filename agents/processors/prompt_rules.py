"""Rules for a system prompt, written from what failed on training tasks: the environment's own words, and those of the harness.

Each function returns lines, a heading first, or none where there is nothing to say. They know no environment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from homebody.agents.processors.operator import Findings
from homebody.envs.text import cut, one_line

if TYPE_CHECKING:
    from homebody.agents.harness.spec import HarnessSpec

MOST_LINES = 4
"""Lines under a heading, at most."""
MOST_ACTIONS = 8
MOST_SAID = 100
"""Characters of an answer, a goal or a command that a line quotes."""


def refusal_rules(found: Findings) -> list[str]:
    """Return a line for each command that was refused most, with the environment's own answer; commands of one action share a line."""
    lines: dict[tuple[str, str], str] = {}
    for refusal in found.refusals:
        said = _short(refusal.answer)
        key = (found.naming.template(refusal.command)[0], said)
        if refusal.command.strip() and key not in lines:
            lines[key] = f'- {_short(refusal.command)}: "{said}"'
    return _headed("Commands that were refused, and why:", list(lines.values())[:MOST_LINES])


def form_rules(found: Findings) -> list[str]:
    """Return a line for each action schema that was accepted, by a command of that action."""
    return _headed("Commands look like these:", [f"- {_short(command)}" for command in list(found.actions.values())[:MOST_ACTIONS]])


def step_rules(found: Findings) -> list[str]:
    """Return how goals were reached: of each sequence of action schemas one success, the most frequent sequences first."""
    kinds: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
    for success in (*found.own, *found.bank):
        kinds.setdefault(tuple(found.naming.template(step["command"])[0] for step in success["steps"]), []).append(success)
    ranked = sorted(kinds.items(), key=lambda item: (-len(item[1]), len(item[0]), item[0]))
    lines = [f"- {_short(some[0]['goal'])}: {_steps(some[0]['steps'])}" for _, some in ranked[:MOST_LINES]]
    return _headed("Goals were reached so:", lines)


def answer_rules(spec: HarnessSpec) -> list[str]:
    """Return the form of an answer as the harness reads it."""
    read, mark = spec.param("answer", "read") or "first", str(spec.param("answer", "mark") or "")
    if read == "after":
        return [f"Answer with at most one sentence, then a line that begins with {mark} and holds one command, nothing after it."]
    if read in ("first", "last"):
        return ["Answer with one command in one line: no explanation, no marks, no numbering."]
    return []


def repeat_rules(found: Findings) -> list[str]:
    """Return that what was answered once is answered alike again, with the commands that were repeated most."""
    lines = [f"- {_short(command)}" for command in found.repeated[:MOST_LINES]]
    return _headed("A command that changed nothing changes nothing the second time: give another one. Repeated in vain were:", lines)


def _headed(head: str, lines: Sequence[str]) -> list[str]:
    return [head, *lines] if lines else []


def _steps(steps: Sequence[Mapping[str, Any]]) -> str:
    commands = [_short(step["command"]) for step in steps]
    return "; ".join(commands if len(commands) <= 8 else [*commands[:7], "...", commands[-1]])


def _short(text: str) -> str:
    return cut(one_line(text[: MOST_SAID + 1]).strip(), MOST_SAID)
