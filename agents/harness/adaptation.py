"""Adaptation in the midst of an episode: rules of the harness that patch it when they see a signal in its own trace.

A rule is data in the harness document: `when` a signal is seen, its `patch` holds for the rest of the episode. Signals are read from the
trace alone, so that whoever reads the record sees why a rule was applied. Knows no environment and no model.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from homebody.agents.harness.running import Harness
from homebody.agents.harness.spec import HarnessSpec
from homebody.agents.record import StepRecord

MOST = 3
"""Adaptations in one episode, of all rules together."""

Steps = Sequence[StepRecord]
"""A signal is given the steps of a trace without the calls of the harness's own tools."""


class Adaptation:
    """The rules of one harness in one episode.

    Args:
        spec: the harness.
        harness: the same at work.
    """

    def __init__(self, spec: HarnessSpec, harness: Harness) -> None:
        self.applied: list[dict[str, Any]] = []
        """What was applied: `step`, `rule`, `signal`, `patch`, and `behaviour_hash` of the harness from there on, its rules left out."""
        self.spec, self._harness, self._rules = spec.without_adaptations(), harness, spec.adaptations
        self._left = {rule["name"]: rule.get("most", 1) for rule in self._rules}
        self._since = dict.fromkeys(self._left, 0)

    def look(self, opening: str, trace: Steps, steps_left: int) -> dict[str, Any] | None:
        """Apply the first rule that holds after the last step, if any.

        A patch that cannot be applied is noted as a failure, and nothing changes.

        Args:
            opening: the first observation.
            trace: the episode so far.
            steps_left: steps that remain.

        Returns:
            What was applied, as in `applied`, or None.
        """
        rule = self._due(opening, trace, steps_left) if len(self.applied) < MOST else None
        if rule is None:
            return None
        try:
            spec = self.spec.patch(rule["patch"])
            self._harness.adapt(spec)
        except Exception as error:
            self._harness.failures.append({"boundary": f"adaptation {rule['name']}", "kind": type(error).__name__, "message": str(error)})
            return None
        self.spec = spec
        adapted = {"step": trace[-1].step, "rule": rule["name"], "signal": rule["when"]["signal"], "patch": rule["patch"]}
        self.applied.append(adapted | {"behaviour_hash": spec.behaviour_hash})
        return self.applied[-1]

    def _due(self, opening: str, trace: Steps, steps_left: int) -> dict[str, Any] | None:
        steps = [step for step in trace if not step.tool]
        for rule in self._rules:
            name, when = rule["name"], rule["when"]
            if self._left[name] and SIGNALS[when["signal"]](when, steps, self._since[name], opening, steps_left):
                self._left[name] -= 1
                self._since[name] = len(steps)
                return rule
        return None


def _stalled(when: Mapping[str, Any], steps: Steps, since: int, opening: str, steps_left: int) -> bool:
    seen, run = {opening}, 0
    for number, step in enumerate(steps):
        run = run + 1 if step.observation in seen and number >= since else 0
        seen.add(step.observation)
    return run >= int(when["at_least"])


def _refused(when: Mapping[str, Any], steps: Steps, since: int, opening: str, steps_left: int) -> bool:
    return sum(not step.accepted for step in steps[since:][-when["of_last"] :]) >= int(when["at_least"])


def _repeated(when: Mapping[str, Any], steps: Steps, since: int, opening: str, steps_left: int) -> bool:
    answers = Counter((step.command, step.observation) for step in steps[since:])
    return max(answers.values(), default=0) >= int(when["at_least"])


def _unusable(when: Mapping[str, Any], steps: Steps, since: int, opening: str, steps_left: int) -> bool:
    return sum(not step.usable for step in steps[since:]) >= int(when["at_least"])


def _steps_left(when: Mapping[str, Any], steps: Steps, since: int, opening: str, steps_left: int) -> bool:
    return steps_left <= int(when["at_most"])


def _phase_steps(when: Mapping[str, Any], steps: Steps, since: int, opening: str, steps_left: int) -> bool:
    phases = [step.subgoal["phase"] for step in steps[since:] if step.subgoal]
    return phases.count(when["phase"]) >= int(when["at_least"])


def _plan_over(when: Mapping[str, Any], steps: Steps, since: int, opening: str, steps_left: int) -> bool:
    last = steps[since:][-when["at_least"] :]
    return len(last) == when["at_least"] and all(any(notes.get("plan_over") for notes in step.notes.values()) for step in last)


SIGNALS: dict[str, Callable[[Mapping[str, Any], Steps, int, str, int], bool]] = {
    "stalled": _stalled,
    "refused": _refused,
    "repeated": _repeated,
    "unusable": _unusable,
    "steps_left": _steps_left,
    "phase_steps": _phase_steps,
    "plan_over": _plan_over,
}
"""Whether a signal is seen: given its conditions, the steps, the number of those before the rule was last applied, the first observation
and the steps that remain. What each means stands in assets/schemas/harness.json."""
