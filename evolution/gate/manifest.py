"""The manifest of a candidate edit: complete, or an error that says all that is wrong with it.

The format is assets/schemas/manifest.json. Whether what a manifest says is true is the critic's business.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from importlib import resources
from typing import Any

import jsonschema

from homebody.agents.errors import AgentError
from homebody.envs.core import did_you_mean


class ManifestError(AgentError):
    """A manifest that is not complete.

    Attributes:
        problems: all that is wrong, each as `path: what`.
    """

    def __init__(self, candidate: object, problems: tuple[str, ...]) -> None:
        whose = f"manifest of {candidate}" if isinstance(candidate, str) and candidate else "manifest"
        super().__init__(f"{whose}: {'; '.join(problems)}; see assets/schemas/manifest.json")
        self.problems = problems


def check_manifest(manifest: Mapping[str, Any]) -> None:
    """Check a manifest against its schema.

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
        yield f"{where}: {error.message if len(error.message) <= 200 else error.message[:197] + '...'}"
