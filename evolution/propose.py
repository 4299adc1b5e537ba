"""Proposers: they read digests and write candidate edits. None of them sees a validation or test task.

`rules` needs no model: it looks up which levers of the processor library answer the failures that the digests show, and sets their
parameters from the lessons of training. `random` and `noop` are controls that pass through the same gate.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import resources
from typing import Any, Protocol

import numpy as np

from homebody.agents.patch import Patch, PatchError
from homebody.agents.processors import find
from homebody.agents.spec import HarnessSpec, entry
from homebody.evolution.digest import Digest, landscape
from homebody.evolution.learn import Lessons

ORDER = (
    "system_prompt", "examples", "history_window", "history_budget",
    "playbook", "visited", "loop_guard", "stall_guard", "requires", "step_budget",
    "where_prior", "command_prior", "seen_where", "goal_words", "shortlist",
    "decide", "show_menu", "prompt_template", "trace_detail", "repair", "notes", "recall", "steps_left",
    "trim_observation", "explain_refusal", "shaped_reward", "training_marks",
)  # fmt: skip
"""Where a new processor goes: what narrows the menu comes before what ranks it, what shows it comes last. All but `code`, which may stand
anywhere."""


@dataclass(frozen=True)
class Candidate:
    """A proposed edit with its manifest."""

    id: str
    dimension: str
    patch: Patch
    manifest: Mapping[str, Any]
    """`lever`, `evidence` (category -> failing training tasks), `predicted_impact` (`will_unlock`, `at_risk`: training tasks) and
    `attribution_signature` (the processor whose activations show that the edit is at work)."""

    def to_json(self) -> dict[str, Any]:
        """Return JSON-ready data."""
        return asdict(self)


@dataclass(frozen=True)
class Evidence:
    """All that a proposer may know."""

    round: int
    digests: Sequence[Digest]
    """Of the present harness on training tasks."""
    lessons: Lessons
    tried: frozenset[str]
    """Behaviour hashes that went through the gate before."""
    seed: int


class Proposer(Protocol):
    """Writes at most `k` candidate edits of a harness."""

    def __call__(self, spec: HarnessSpec, evidence: Evidence, k: int) -> list[Candidate]:
        """Propose."""
        ...


@dataclass(frozen=True)
class Lever:
    """One thing that the rules can do."""

    name: str
    answers: frozenset[str]
    """Failure categories against which it helps."""
    use: str
    """The processor at work."""
    build: Callable[[HarnessSpec, Lessons], Mapping[str, Mapping[str, Any]] | None]
    """Parameters by processor that the edit sets, or None where it does not apply."""


def rules(spec: HarnessSpec, evidence: Evidence, k: int) -> list[Candidate]:
    """Propose the levers that answer most of the failures, those first that answer more."""
    groups = landscape(evidence.digests)
    ranked = sorted(
        levers(), key=lambda lever: -sum(len(tasks) for category, tasks in groups.items() if category in lever.answers)
    )  # stable: the table's order breaks ties
    found: list[Candidate] = []
    seen = set(evidence.tried)
    for lever in ranked:
        shown = {category: tasks for category, tasks in groups.items() if category in lever.answers}
        settings = lever.build(spec, evidence.lessons) if shown else None
        if settings is None:
            continue
        patch = set_processors(spec, settings)
        try:
            behaviour = spec.patch(patch).behaviour_hash
        except PatchError:  # a rule of the harness brings in the same thing, for example
            continue
        if behaviour in seen:
            continue
        seen.add(behaviour)
        unlocks = sorted(task for tasks in shown.values() for task in tasks)
        manifest = {
            "lever": lever.name,
            "evidence": shown,
            "predicted_impact": {"will_unlock": unlocks, "at_risk": sorted(d.task_id for d in evidence.digests if d.won)},
            "attribution_signature": lever.use,
        }
        found.append(Candidate(f"r{evidence.round}c{len(found) + 1}", find(lever.use).dimension, patch, manifest))
        if len(found) == k:
            break
    return found


def noop(spec: HarnessSpec, evidence: Evidence, k: int) -> list[Candidate]:
    """Propose no change, k times: a control."""
    return [_control(f"r{evidence.round}c{number}", "noop", [], "", "control") for number in range(1, k + 1)]


def random(spec: HarnessSpec, evidence: Evidence, k: int) -> list[Candidate]:
    """Propose valid edits at random: add a processor, take one away, or draw a parameter anew. A control."""
    rng = np.random.Generator(np.random.PCG64([evidence.seed, evidence.round]))
    found: list[Candidate] = []
    for _ in range(100 * k):
        patch, use = _random_edit(spec, rng)
        try:
            edited = spec.patch(patch)
        except PatchError:
            continue
        dimension = next((item["dimension"] for item in edited.processors if item["use"] == use), "control")
        found.append(_control(f"r{evidence.round}c{len(found) + 1}", "random", patch, use, dimension))
        if len(found) == k:
            break
    return found


PROPOSERS: Mapping[str, Proposer] = {"rules": rules, "random": random, "noop": noop}


def set_processors(spec: HarnessSpec, settings: Mapping[str, Mapping[str, Any]]) -> Patch:
    """Return the patch that gives processors these parameters, adding those that are not there at their place in `ORDER`.

    The harness's own rules go on to mean the processors that they meant.
    """
    entries = [dict(item) for item in spec.processors]
    adaptations = spec.adaptations
    for use, params in settings.items():
        position = next((i for i, item in enumerate(entries) if item["use"] == use), None)
        if position is not None:
            entries[position] = {**entries[position], "params": {**entries[position]["params"], **params}}
            continue
        later = ORDER[ORDER.index(use) + 1 :]
        position = next((i for i, item in enumerate(entries) if item["use"] in later), len(entries))
        entries.insert(position, entry(use, params))
        adaptations = [{**rule, "patch": _make_room(rule["patch"], position)} for rule in adaptations]
    edited = {**spec.document, "processors": entries}
    return spec.diff(HarnessSpec(edited | ({"adaptations": adaptations} if adaptations else {})))


def _make_room(patch: Patch, place: int) -> Patch:
    """Return a rule's patch for a harness in which one more processor stands at `place`."""
    found = []
    for operation in patch:
        op, made = operation["op"], dict(operation)
        for key in ("from", "path"):
            parts = operation.get(key, "").split("/")  # "", "processors", number, what is within
            if len(parts) < 3 or not parts[2].isdecimal():
                continue
            number = int(parts[2])
            if number >= place:
                made[key] = "/".join([*parts[:2], str(number + 1), *parts[3:]])
            elif len(parts) == 3 and (op, key) in (("remove", "path"), ("move", "from")):
                place -= 1
            elif len(parts) == 3 and op in ("add", "copy", "move") and key == "path":
                place += 1
        found.append(made)
        if operation["path"] == "/processors":  # another list altogether
            return found + patch[len(found) :]
    return found


def levers() -> list[Lever]:
    """Return the table of levers: what the model knows is asked before what training showed is remembered."""
    sentences = json.loads((resources.files("homebody.assets") / "prompts" / "where.json").read_text("utf-8"))
    searching = frozenset({"searching"})
    stuck = frozenset({"unusable_answers", "loop", "goal_untouched", "ceiling"})
    return [
        Lever("playbook", stuck, "playbook", _playbook),
        Lever("choose by score", frozenset({"unusable_answers", "loop"}), "decide", lambda spec, _: {"decide": {"method": "score"}}),
        Lever("guard against loops", frozenset({"loop", "unusable_answers"}), "loop_guard", lambda spec, _: {"loop_guard": {}}),
        Lever("do not look twice", searching | {"loop"}, "visited", _visited),
        *(
            Lever(f"ask where things are ({number})", searching, "where_prior", _where_prior(sentence))
            for number, sentence in enumerate(sentences, 1)
        ),
        Lever("remember where things were", searching, "seen_where", _seen_where),
        Lever("trust the prior more", searching, "seen_where", _scale("seen_where", "pseudo", 4.0)),
        Lever("trust the prior less", searching, "seen_where", _scale("seen_where", "pseudo", 0.25)),
        Lever("trust the model more", searching, "where_prior", _scale("where_prior", "weight", 2.0)),
        Lever("trust the model less", searching, "where_prior", _scale("where_prior", "weight", 0.5)),
        Lever("short history", frozenset({"unusable_answers", "loop"}), "history_window", lambda spec, _: {"history_window": {"turns": 4}}),
    ]


def _playbook(spec: HarnessSpec, lessons: Lessons) -> Mapping[str, Mapping[str, Any]] | None:
    if not lessons.frames:
        return None
    return {**_ranked_search(lessons), "playbook": {"frames": list(lessons.frames), "explore": list(lessons.explore)}}


def _visited(spec: HarnessSpec, lessons: Lessons) -> Mapping[str, Mapping[str, Any]] | None:
    return {"visited": {"forms": list(lessons.explore)}} if lessons.explore else None


def _seen_where(spec: HarnessSpec, lessons: Lessons) -> Mapping[str, Mapping[str, Any]] | None:
    if not lessons.looks:
        return None
    return {**_ranked_search(lessons), "seen_where": lessons.memory}


def _where_prior(sentence: Mapping[str, str]) -> Callable[[HarnessSpec, Lessons], Mapping[str, Mapping[str, Any]]]:
    return lambda spec, lessons: {**_ranked_search(lessons), "where_prior": sentence}


def _ranked_search(lessons: Lessons) -> dict[str, Mapping[str, Any]]:
    """What finds the way by what the harness knows: a ranking, and places that were looked at gone from the menu."""
    return {"decide": {"method": "rank"}, "visited": {"forms": list(lessons.explore)}}


def _scale(use: str, param: str, factor: float) -> Callable[[HarnessSpec, Lessons], Mapping[str, Mapping[str, Any]] | None]:
    def build(spec: HarnessSpec, lessons: Lessons) -> Mapping[str, Mapping[str, Any]] | None:
        value = _param(spec, use, param)
        return None if value is None else {use: {param: value * factor}}

    return build


def _param(spec: HarnessSpec, use: str, param: str) -> Any:
    position = spec.index(use)
    if position is None:
        return None
    return spec.processors[position]["params"].get(param, find(use).schema[param].get("default"))


def _control(name: str, lever: str, patch: Patch, use: str, dimension: str) -> Candidate:
    manifest = {"lever": lever, "evidence": {}, "predicted_impact": {"will_unlock": [], "at_risk": []}, "attribution_signature": use}
    return Candidate(name, dimension, patch, manifest)


def _random_edit(spec: HarnessSpec, rng: np.random.Generator) -> tuple[Patch, str]:
    """Draw an edit; returns it and the processor that is at work afterwards (none after a removal)."""
    present = [item["use"] for item in spec.processors]
    kind = rng.choice(["add", "remove", "change"]) if present else "add"
    if kind == "add":
        use = str(rng.choice(sorted(set(ORDER) - set(present)) or present))
        return set_processors(spec, {use: _draw(use, rng)}), use
    position = int(rng.integers(len(present)))
    if kind == "remove":
        return [{"op": "remove", "path": f"/processors/{position}"}], ""
    return set_processors(spec, {present[position]: _draw(present[position], rng)}), present[position]


def _draw(use: str, rng: np.random.Generator) -> dict[str, Any]:
    """Draw a value for each parameter that has a finite or bounded choice; the others keep theirs."""
    params: dict[str, Any] = {}
    for name, rule in sorted(find(use).schema.items()):
        if "enum" in rule:
            params[name] = rule["enum"][int(rng.integers(len(rule["enum"])))]
        elif rule.get("type") == "integer" and "maximum" in rule:
            params[name] = int(rng.integers(rule["minimum"], rule["maximum"] + 1))
        elif rule.get("type") == "boolean":
            params[name] = bool(rng.integers(2))
        elif rule.get("type") == "number":
            params[name] = float(rule["default"] * 2.0 ** rng.integers(-3, 4))
    return params
