"""Policies and models of the user's, named as `module:Class`."""

from __future__ import annotations

from typing import Any

from homebody.agents.errors import AgentError
from homebody.agents.model_policy import ModelPolicy
from homebody.agents.models.backend import Backend
from homebody.agents.policy import Policy
from homebody.envs.module import UserModuleError, import_module
from homebody.envs.text import one_line

POLICY = ("begin", "decide", "count_tokens")
"""Methods by which an object is taken for a policy."""
BACKEND = ("chat", "score", "count_tokens", "close")
"""Methods by which it is taken for a model."""


class OwnPolicyError(AgentError):
    """What `module:Class` names cannot be imported or made, or is neither a policy nor a model."""


def own_policy(name: str) -> Policy:
    """Make a policy of the user's: one that `module:Class` makes without arguments, or a model that it makes, which is asked.

    Raises:
        OwnPolicyError: there is no such class, it fails, or it is neither.
    """
    made = _make(name)
    if _has(made, POLICY):
        policy: Policy = made
        return policy
    if _has(made, BACKEND):
        return ModelPolicy(made)
    raise OwnPolicyError(
        f"policy {name}: it is no policy (it needs {', '.join(POLICY)}) and no model (it needs {', '.join(BACKEND)}); "
        "see homebody.agents.policy.Policy and homebody.agents.models.backend.Backend"
    )


def own_backend(name: str) -> Backend:
    """Make a model of the user's, which `module:Class` makes without arguments.

    Raises:
        OwnPolicyError: there is no such class, it fails, or it is no model.
    """
    made = _make(name)
    if not _has(made, BACKEND):
        raise OwnPolicyError(f"model {name}: it needs {', '.join(BACKEND)}; see homebody.agents.models.backend.Backend")
    backend: Backend = made
    return backend


def _make(name: str) -> Any:
    module_name, _, attribute = name.partition(":")
    try:
        found = getattr(import_module(module_name), attribute, None)
    except UserModuleError as error:
        raise OwnPolicyError(f"policy {name}: {error}") from None
    if not callable(found):
        raise OwnPolicyError(f"policy {name}: module {module_name} has no class {attribute!r}")
    try:
        return found()
    except (Exception, SystemExit) as error:
        raise OwnPolicyError(f"policy {name}: {type(error).__name__}: {one_line(str(error))}; it is made without arguments") from error


def _has(made: object, methods: tuple[str, ...]) -> bool:
    return all(callable(getattr(made, method, None)) for method in methods)
