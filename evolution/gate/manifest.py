"""The manifest of a candidate edit: complete, or an error that says all that is wrong with it.

The format is assets/schemas/manifest.json. Whether what a manifest says is true is the critic's business.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any

import jsonschema

from homebody.agents.errors import AgentError
from homebody.envs.core import did_you_mean
from homebody.envs.text import cut
from homebody.evolution.stored import StoredManifest


class ManifestError(AgentError):
    """A manifest that is not complete.

    Attributes:
        problems: all that is wrong, each as `path: what`.
    """

    def __init__(self, candidate: object, problems: tuple[str, ...]) -> None:
        whose = f"manifest of {candidate}" if isinstance(candidate, str) and candidate else "manifest"
        super().__init__(f"{whose}: {'; '.join(problems)}; see assets/schemas/manifest.json")
        self.problems = problems


@dataclass(frozen=True)
class Impact:
    """What an edit predicts of training tasks."""

    will_unlock: tuple[str, ...] = ()
    """Failing tasks that it is to solve."""
    will_stabilize: tuple[str, ...] = ()
    """Tasks that are solved at times, and are to be solved always."""
    at_risk: tuple[str, ...] = ()
    """Solved tasks that it may lose."""


@dataclass(frozen=True)
class Manifest:
    """What a candidate edit claims."""

    candidate_id: str
    bucket: str
    """The dimension of the harness that it touches."""
    operator: str
    """What is done, in a few words; equal words mean the same remedy."""
    hypothesis: str
    """Why this edit answers the evidence, in one sentence."""
    evidence: Mapping[str, tuple[str, ...]]
    """Failing training tasks by failure category."""
    predicted_impact: Impact
    attribution_signature: str
    """Id of the component whose activations show the edit at work; empty where an edit removes one."""
    control: bool = False
    """Whether it claims nothing and is there to be compared with."""

    def to_json(self) -> StoredManifest:
        """Return JSON-ready data, as assets/schemas/manifest.json has it."""
        impact = self.predicted_impact
        control: StoredManifest = {"control": True} if self.control else {}
        return {
            "candidate_id": self.candidate_id,
            "bucket": self.bucket,
            "operator": self.operator,
            "hypothesis": self.hypothesis,
            "evidence": {category: list(tasks) for category, tasks in self.evidence.items()},
            "predicted_impact": {
                "will_unlock": list(impact.will_unlock),
                "will_stabilize": list(impact.will_stabilize),
                "at_risk": list(impact.at_risk),
            },
            "attribution_signature": self.attribution_signature,
            **control,
        }


def check_manifest(manifest: Mapping[str, Any]) -> Manifest:
    """Return a manifest that keeps to its schema.

    Raises:
        ManifestError: it breaks it.
    """
    try:
        value = json.loads(json.dumps(manifest))  # tuples are lists to a schema
    except (TypeError, ValueError) as error:
        raise ManifestError(None, (f"/: {error}",)) from None
    errors = sorted(_validator().iter_errors(value), key=lambda error: list(map(str, error.absolute_path)))
    if errors:
        name = value.get("candidate_id") if isinstance(value, dict) else None
        raise ManifestError(name, tuple(line for error in errors for line in _lines(error)))
    tasks = {category: tuple(names) for category, names in value["evidence"].items()}
    impact = Impact(**{name: tuple(names) for name, names in value["predicted_impact"].items()})
    return Manifest(**{**value, "evidence": tasks, "predicted_impact": impact})


@lru_cache(maxsize=1)
def _validator() -> Any:
    text = (resources.files("homebody.assets") / "schemas" / "manifest.json").read_text("utf-8")
    return jsonschema.Draft202012Validator(json.loads(text))


def _lines(error: Any) -> Iterator[str]:
    """Say one schema error; of an unknown key also which ones are known."""
    where = "".join(f"/{part}" for part in error.absolute_path) or "/"
    if error.validator == "additionalProperties":
        known = error.schema["properties"]
        for key in sorted(set(error.instance) - set(known)):
            yield f"{where}: there is no {key[:60]!r} here{did_you_mean(key, known)}; known: {', '.join(known)}"
    elif error.validator == "minLength":
        yield f"{where}: it is empty; say it in a few words"
    else:
        yield f"{where}: {cut(error.message, 200)}"
