"""Which mutants of the reference functions are tasks: the table assets/repair/mutants.json, and how it is made.

A mutant is left out that is equal to the function on its inputs, differs on one of them alone, or
does not end soon. That is measured once, here, so that the tasks are the same on every machine.

    python -m homebody.envs.repair.selection > assets/repair/mutants.json
"""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from importlib import resources
from random import Random
from typing import Final

from homebody.envs.repair.functions import Function, functions
from homebody.envs.repair.inputs import draw_arguments
from homebody.envs.repair.mutations import Mutant, mutants
from homebody.envs.repair.suite import Case, run_cases

POOL: Final = 40
"""Inputs of a function from which its tests are taken, at most; a function of few possible inputs has fewer."""
SOON_S: Final = 0.05
"""Seconds within which a mutant runs on all inputs; a fifth of what the tests of a task may take."""
_TRIES: Final = 400


@lru_cache(maxsize=256)
def pool(name: str) -> tuple[Case, ...]:
    """Return the inputs of a function, no two alike, with what the function returns."""
    function, dice = functions()[name], Random(name)
    drawn: dict[str, Case] = {}
    for _ in range(_TRIES):
        arguments = tuple(draw_arguments(function.inputs, dice))
        drawn.setdefault(repr(arguments), Case(name, arguments, None))
        if len(drawn) == POOL:
            break
    outcome = run_cases(function.text, tuple(drawn.values()))
    broken = next((result for result in outcome.results if result.error), None)
    if broken is not None:
        raise ValueError(f"{broken.case.call} of assets/repair: {broken.error}")
    return tuple(Case(name, result.case.arguments, result.value) for result in outcome.results)


@lru_cache(maxsize=256)
def selected(name: str) -> tuple[Mutant, ...]:
    """Return the mutants of a function that are tasks, in the order of the tasks: its operators take turns."""
    made = mutants(functions()[name].text)
    return tuple(made[number] for number in _table()[name]["mutants"])


def select(function: Function) -> list[int]:
    """Return the numbers of the mutants that are tasks, of all that `mutants` makes, in the order of the tasks."""
    cases, made = pool(function.name), mutants(function.text)
    by_kind: dict[str, list[int]] = {}
    for number, mutant in enumerate(made):
        outcome = run_cases(mutant.text, cases, seconds=SOON_S)
        if not outcome.problem and len(outcome.failed) >= 2:
            by_kind.setdefault(mutant.kind, []).append(number)
    dice = Random(f"{function.name} order")
    queues = [by_kind[kind] for kind in sorted(by_kind)]
    dice.shuffle(queues)
    for queue in queues:
        dice.shuffle(queue)
    return [queue[turn] for turn in range(max(map(len, queues))) for queue in queues if turn < len(queue)]


def digest(function: Function) -> str:
    """Return a hash of what the selection depends on: the function and all its mutants."""
    texts = [function.inputs, function.text, *(mutant.text for mutant in mutants(function.text))]
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]


@lru_cache(maxsize=1)
def _table() -> dict[str, dict[str, list[int]]]:
    table: dict[str, dict[str, list[int]]] = json.loads((resources.files("homebody.assets") / "repair" / "mutants.json").read_text("utf-8"))
    return table


def _main() -> None:
    rows = ({"of": digest(function), "mutants": select(function)} for function in functions().values())
    lines = (f'"{name}": {json.dumps(row)}' for name, row in zip(functions(), rows, strict=True))
    print("{\n" + ",\n".join(lines) + "\n}")


if __name__ == "__main__":
    _main()
