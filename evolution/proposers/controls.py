"""Proposers that claim nothing and pass through the same gate: no change at all, and valid edits at random."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np

from homebody.agents.harness.library import REGISTRY, find
from homebody.agents.harness.order import dimension_of
from homebody.agents.harness.patch import Patch, PatchError
from homebody.agents.harness.spec import HarnessError, HarnessSpec
from homebody.evolution.proposers.candidate import Candidate, Evidence, make_manifest
from homebody.evolution.proposers.edit import set_params, set_processors, take_out, target

DRAWS = 100
"""Random edits drawn for each one asked for, before the proposer gives up finding valid ones."""


def noop(spec: HarnessSpec, evidence: Evidence, k: int) -> list[Candidate]:
    """Propose no change, k times: a control."""
    return [_control(evidence, number, "noop", [], "", "control") for number in range(1, k + 1)]


def random(spec: HarnessSpec, evidence: Evidence, k: int) -> list[Candidate]:
    """Propose valid edits at random, none that was tried: add a processor, take one away, or draw parameters anew. A control."""
    # Another answer than the first, where one is asked for.
    rng = np.random.Generator(np.random.PCG64([evidence.seed, evidence.round, *([1] if evidence.objections else [])]))
    drawn = islice(_new_edits(spec, {spec.behaviour_hash, *evidence.tried}, rng, DRAWS * k), k)
    return [_control(evidence, number, "random", patch, name, dimension) for number, (patch, name, dimension) in enumerate(drawn, 1)]


def _control(evidence: Evidence, number: int, operator: str, patch: Patch, signature: str, dimension: str) -> Candidate:
    name = f"r{evidence.round}c{number}"
    manifest = make_manifest(name, dimension, operator, "A control claims nothing.", evidence, (), signature)
    impact: dict[str, list[str]] = {key: [] for key in manifest["predicted_impact"]}
    return Candidate(name, dimension, patch, {**manifest, "predicted_impact": impact, "control": True})


def _new_edits(spec: HarnessSpec, seen: set[str], rng: np.random.Generator, draws: int) -> Iterator[tuple[Patch, str, str]]:
    """Draw edits; those that lead to a valid harness whose behaviour was not seen come out, and count as seen from then on.

    Yields:
        The patch, the id of the component at work afterwards, and the dimension that it touches.
    """
    for _ in range(draws):
        try:
            patch, name = _draw_edit(spec, rng)
            edited = spec.patch(patch)
        except (HarnessError, PatchError):
            continue
        if edited.behaviour_hash not in seen:
            seen.add(edited.behaviour_hash)
            yield patch, name, dimension_of(edited.components[name], find(edited.components[name]["use"])) if name else "control"


def _draw_edit(spec: HarnessSpec, rng: np.random.Generator) -> tuple[Patch, str]:
    """Draw an edit; returns it and the id of the component at work afterwards, none after a removal."""
    present = sorted(spec.components)
    kind = rng.choice(["add", "remove", "change"]) if present else "add"
    if kind == "add":
        used = {item["use"] for item in spec.components.values()}
        # The text of code is nobody's to draw.
        use = str(rng.choice(sorted(REGISTRY.keys() - used - {"code"}) or sorted(used)))
        return set_processors(spec, {use: _draw_params(use, rng)}), target(spec, use)
    name = present[int(rng.integers(len(present)))]
    if kind == "remove":
        return take_out(spec, name), ""
    return set_params(spec, name, _draw_params(spec.components[name]["use"], rng)), name


def _draw_params(use: str, rng: np.random.Generator) -> dict[str, Any]:
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
            params[name] = _draw_number(rule, rng)
    return params


def _draw_number(rule: dict[str, Any], rng: np.random.Generator) -> float:
    """Draw the default times a power of 2, within the bounds; no power moves a default of 0, so there the power itself is drawn."""
    scale = 2.0 ** int(rng.integers(-3, 4))
    drawn = rule["default"] * scale if rule["default"] else scale
    return float(min(max(drawn, rule.get("minimum", drawn)), rule.get("maximum", drawn)))
