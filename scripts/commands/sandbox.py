"""`homebody harness sandbox`: attack the sandboxes with the written corpus, and watch the host meanwhile."""

# The mark \b, which keeps click from rewrapping the examples, must be one character: these docstrings cannot be raw.
# ruff: noqa: D301

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import click

from homebody.scripts.console import Console
from homebody.scripts.json_file import check_target, write_json
from homebody.scripts.options import json_out
from homebody.scripts.terminal import escape

MOST_GROWTH_MIB = 200
"""How much the peak memory of this process may grow over one attack: a result or a message can be as large as the sandbox's own memory, and
crosses once."""
SLACK_S = 2.0
"""Seconds over its limit that an attack may take before it counts as not contained: the machine has other work."""


@dataclass(frozen=True)
class Attack:
    """A text that tries to do harm."""

    name: str
    kind: str
    """`code`, `template` or `program`."""
    tries: str
    source: str
    stopped: tuple[str, ...]
    """Kinds of failure, one of which must come out; empty if `harmless` must."""
    harmless: Any


@dataclass(frozen=True)
class Outcome:
    """What became of an attack."""

    name: str
    kind: str
    tries: str
    outcome: str
    ms: float
    """Milliseconds of the first run."""
    damage: tuple[str, ...]
    """What it did that it must not; empty if it was contained."""


def attacks() -> list[Attack]:
    """Return the corpus in the order of the files: code, templates, and the code once more as programs to be repaired."""
    found, programs = [], []
    for kind in ("code", "template"):
        text = (resources.files("homebody.assets") / "attacks" / f"{kind}.toml").read_text("utf-8")
        for item in tomllib.loads(text)["attack"]:
            source = _repeated(item["source"], item["repeat"]) if "repeat" in item else item["source"]
            harmless = item.get("harmless")
            found.append(Attack(item["name"], kind, item["tries"], source, tuple(item.get("stopped", ())), harmless))
            if kind == "code":  # the tests of `homebody/Repair-v0` call its function: what is stopped there is a failed test
                value = item.get("as_program", harmless)
                programs.append(Attack(f"program-{item['name']}", "program", item["tries"], source, ("Failed",), value))
    return [*found, *programs]


def _repeated(source: str, times: int) -> str:
    """Repeat what stands between two @."""
    return re.sub("@(.*?)@", lambda part: part[1] * times, source)


class Host:
    """This process as the prey: secrets laid out, and a look at their outcomes."""

    def __init__(self, folder: Path) -> None:
        from homebody.agents.processors.sample import SAMPLES

        self.folder, self.secret = folder, secrets.token_hex(16)
        self.file = folder / "canary.txt"
        self.file.write_text(self.secret, "utf-8")
        self.variable = "HOMEBODY_CANARY"
        os.environ[self.variable] = self.secret
        before_model = json.loads(json.dumps(asdict(SAMPLES["before_model"])))
        self.event = {**before_model, "canary_file": str(self.file), "canary_variable": self.variable, "folder": str(folder)}

    def attack(self, attack: Attack) -> Outcome:
        """Run an attack twice and see what it did."""
        event, memory, files = deepcopy(self.event), _peak_mib(), sorted(self.folder.iterdir())
        start = time.perf_counter()
        first = RUN[attack.kind](attack.source, self.event)
        seconds = time.perf_counter() - start
        damage = []
        if self.event != event:
            damage.append("changed the event")
        if self.file.read_text("utf-8") != self.secret or os.environ.get(self.variable) != self.secret:
            damage.append("changed the canary")
        if self.secret in json.dumps(first):
            damage.append("read the canary")
        if sorted(self.folder.iterdir()) != files:
            damage.append("left a file")
        if _peak_mib() - memory > MOST_GROWTH_MIB:
            damage.append("took the host's memory")
        if seconds > _limit_s(attack.kind) + SLACK_S:
            damage.append("took too long")
        kind, value = first
        if kind not in attack.stopped if kind else attack.harmless is None or value != attack.harmless:
            damage.append(f"came out as {kind or json.dumps(value)[:60]}")
        if not kind and RUN[attack.kind](attack.source, self.event) != first:
            damage.append("came out otherwise the second time")
        if RUN[attack.kind](*PROBE[attack.kind]) != ("", "fine"):
            damage.append("broke the sandbox")
        outcome = (f"{kind}: {value}" if kind == "Failed" else kind) or f"harmless: {json.dumps(value)}"
        return Outcome(attack.name, attack.kind, attack.tries, outcome, seconds * 1000, tuple(damage))


def _run_code(source: str, event: Any) -> tuple[str, Any]:
    """Return the kind of failure, if any, and all that came out."""
    from homebody.envs import interpreter

    result = interpreter.run(source, event)
    return result.kind, result.value if result.ok else [result.message, result.log]


def _run_template(source: str, event: Any) -> tuple[str, Any]:
    from homebody.agents.sandbox import renderer

    try:
        return "", renderer.render(source, event)
    except renderer.PromptTemplateError as error:
        return error.kind, str(error)


def _run_program(source: str, event: Any) -> tuple[str, Any]:
    from homebody.envs.repair.suite import Case, run_cases

    (result,) = run_cases(source, [Case("process", (event,), None)]).results
    return ("Failed", result.error) if result.error else ("", result.value)


RUN: dict[str, Callable[[str, Any], tuple[str, Any]]] = {"code": _run_code, "template": _run_template, "program": _run_program}
PROBE: dict[str, tuple[str, Any]] = {
    "code": ("def process(event):\n    return event", "fine"),
    "template": ("{{ word }}", {"word": "fine"}),
    "program": ("def process(event):\n    return event", "fine"),
}


def _limit_s(kind: str) -> float:
    from homebody.agents.sandbox import renderer
    from homebody.envs import interpreter

    return interpreter.DEFAULT_LIMITS.seconds + interpreter.GRACE_S if kind != "template" else renderer.SECONDS


def _peak_mib() -> float:
    """Return the most memory that this process ever had, in MiB; 0 where there is no telling."""
    try:
        import resource
    except ImportError:
        return 0.0
    scale = 1 if os.uname().sysname == "Darwin" else 1024  # bytes there, KiB elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale / (1 << 20)


@contextlib.contextmanager
def host() -> Iterator[Host]:
    """Lay out the secrets in a folder of their own, which is the current one meanwhile; clear them away at the end."""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        prey = Host(Path(folder))
        try:
            for kind in RUN:  # workers start now, so that no attack pays for that
                RUN[kind](*PROBE[kind])
            yield prey
        finally:
            os.environ.pop(prey.variable, None)


@click.command("sandbox", short_help="Attack the sandboxes of code and templates.")
@json_out
def harness_sandbox(json_path: str | None) -> None:
    """Run every attack of the corpus (assets/attacks) on the sandboxes, and print the outcome.

    Code is tried as a code processor and as a program to be repaired; templates as prompt templates.

    The host is watched: a file and an environment variable with a secret, the event, the current folder, memory and time. Exit code 1 if an
    attack was not contained.

    \b
    Example:
      homebody harness sandbox --json outcomes.json
    """
    from rich.table import Table

    check_target(json_path)
    target = None if json_path is None else str(Path(json_path).absolute())
    corpus = attacks()
    with host() as prey, Console().progress("attacking") as advance:
        found = []
        for attack in corpus:
            found.append(prey.attack(attack))
            advance(len(found), len(corpus), attack.name)
    table = Table("attack", "tries to", "outcome", "ms", "contained", box=None, pad_edge=False)
    for item in found:
        contained = f"NO: {', '.join(item.damage)}" if item.damage else "yes"
        table.add_row(*map(escape, (item.name, item.tries, item.outcome, f"{item.ms:.1f}", contained)))
    console = Console()
    if not console.out.is_terminal:
        console.out.width = 200  # a row is a line
    console.out.print(table)
    escaped = sum(bool(item.damage) for item in found)
    console.out.print(f"{len(found) - escaped} of {len(found)} contained, the longest in {max(item.ms for item in found):.0f} ms")
    write_json(target, [asdict(item) for item in found])
    if escaped:
        raise click.exceptions.Exit(1)
