"""What the harness costs besides the model: a step through the empty pipeline, a call of a code processor, a template."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from homebody.agents.harness.hooks import StepEnd
from homebody.agents.harness.running import Harness
from homebody.agents.harness.spec import HarnessSpec
from homebody.agents.processors.base import Services
from homebody.agents.processors.sample import SAMPLES
from homebody.scripts.bench.result import Measured, result

CODE = "def process(event):\n    return {'command': event['response'].strip('> \\n')}"
"""A small processor: it reads the command anew."""
TEMPLATE = "Goal: {{ goal }}. {{ steps_left }} steps are left.{% for command in candidates %}\n- {{ command }}{% endfor %}"


def bench_harness(repeats: int = 200) -> list[Measured]:
    """Measure; times are medians, each of one call.

    Args:
        repeats: calls of each kind, at least 1.

    Returns:
        `empty_pipeline_us` (the events of all eight hooks and the bookkeeping of a step, without a processor), `code_call_ms` (one
        processor at one event, the way to the sandbox's warm process and back included) and `template_us` (one prompt).
    """
    spec = HarnessSpec.from_json({"format": 2, "name": "empty", "components": {}})
    empty = Harness(spec, Services())
    ended = StepEnd(1, "look", True, "You see dock 1.", ("look",))
    code = _alone({"use": "code", "hook": "after_model", "dimension": "control", "params": {}, "source": CODE})
    template = _alone({"use": "template", "hook": "before_model", "dimension": "context", "params": {"text": TEMPLATE}})

    def step() -> None:
        for event in SAMPLES.values():
            empty.run(replace(event))  # an episode makes its events anew
        empty.observe(ended)
        empty.offers()
        empty.collect()

    return [
        result("empty_pipeline_us", 1e6 * _median(step, repeats), "us a step", repeats),
        result("code_call_ms", 1e3 * _median(lambda: code.run(SAMPLES["after_model"]), repeats), "ms a call", repeats),
        result("template_us", 1e6 * _median(lambda: template.run(SAMPLES["before_model"]), repeats), "us a prompt", repeats),
    ]


def _alone(item: dict[str, Any]) -> Harness:
    return Harness(HarnessSpec.from_json({"format": 2, "name": "one", "components": {"one": item}}), Services())


def _median(call: Callable[[], object], repeats: int) -> float:
    """Return the median seconds of a call; the first, which may start a process, is left out."""
    call()
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)
