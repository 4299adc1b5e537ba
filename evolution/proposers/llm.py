"""The proposer that asks a language model for edits.

The model reads a short text about the failures (`question`) and writes one edit under a JSON Schema (`answer`). Whatever it writes is
either a valid candidate or a candidate with a `problem`, kept for the record and refused before anything is played: a small model can
waste a place in a round and nothing else. Decoding is greedy and bounded in tokens, so a local model's proposals are repeatable; a server
that keeps to no schema is asked without one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from homebody.agents.errors import BadSchemaError, RemoteCannotError, RemoteRefusedError
from homebody.agents.harness.spec import HarnessSpec
from homebody.agents.models.backend import Backend, Message
from homebody.agents.models.generation import Generation, Thinking
from homebody.evolution.proposers.answer import AnswerError, answer_schema, make_offer, read_answer, shown
from homebody.evolution.proposers.candidate import Candidate, Evidence, ProposerError, make_manifest
from homebody.evolution.proposers.question import LEVELS, question

ANSWER_TOKENS = 400
"""Most tokens of an answer: what the schema lets a model write at most, in tokens of three characters."""
PROMPT_TOKENS = 2048
"""Most tokens of a question; a smaller context leaves it less."""

REFUSAL_CHARACTERS = 160
"""Most characters in which an earlier edit of the round, or what was no edit, is told."""


def propose(spec: HarnessSpec, evidence: Evidence, k: int) -> list[Candidate]:
    """Ask for `k` edits, or for as many as the critic objects to, one after the other, each told what was proposed before it.

    Raises:
        ProposerError: there is no model to ask, or its context is too small for the shortest question.
        RemoteError: the model is on a server that does not answer.
    """
    if evidence.backend is None:
        raise ProposerError("the proposer llm asks a model, and there is none; name one with --proposer-model")
    if not evidence.landscape.failures:
        return []
    found: list[Candidate] = []
    tried = {*evidence.tried}
    for _ in range(len(evidence.objections) or k):
        earlier = [*evidence.proposed, *found]
        found.append(_ask(evidence.backend, spec, evidence, f"r{evidence.round}c{len(earlier) + 1}", earlier, tried))
    return found


def _ask(
    backend: Backend,
    spec: HarnessSpec,
    evidence: Evidence,
    name: str,
    earlier: Sequence[Candidate],
    tried: set[str],
) -> Candidate:
    """Ask for one edit; `tried` grows by the behaviour that it leads to."""
    barred = {candidate.manifest["attribution_signature"] for candidate in earlier if not candidate.problem}
    offer = make_offer(spec, evidence)
    schema = answer_schema(spec, offer, list(evidence.landscape.failures), barred)
    refused = [_refusal(candidate, evidence.objections.get(candidate.id, ())) for candidate in earlier]
    messages = _fitting(backend, [question(spec, evidence, offer, refused, level) for level in range(LEVELS)])
    answer = _generate(backend, messages, schema, evidence.seed)
    try:
        edit = read_answer(answer, schema, spec, offer, tried)
    except AnswerError as error:
        manifest = make_manifest(name, "control", "no edit", "What the model wrote is no edit.", evidence, (), "")
        return Candidate(name, "control", [], manifest, problem=f"{error}; it wrote {shown(answer)}")
    tried.add(spec.patch(edit.patch).behaviour_hash)
    manifest = make_manifest(name, edit.dimension, edit.operator, edit.why, evidence, (edit.answers,), edit.signature)
    return Candidate(name, edit.dimension, edit.patch, manifest)


def _refusal(candidate: Candidate, objections: Sequence[str]) -> str:
    what = candidate.problem or f"{candidate.manifest['operator']}: {'; '.join(objections) or 'already proposed'}"
    return what[:REFUSAL_CHARACTERS]


def _fitting(backend: Backend, questions: list[list[Message]]) -> list[Message]:
    """Return the first question that leaves room for an answer."""
    room = min(PROMPT_TOKENS, backend.n_ctx - ANSWER_TOKENS)
    for messages in questions:
        needed = backend.count_tokens(messages)
        if needed <= room:
            return messages
    raise ProposerError(
        f"the shortest question has {needed} tokens, and {backend.name} with a context of {backend.n_ctx} has room for {room}; "
        "name a model with a larger context with --proposer-model"
    )


def _generate(backend: Backend, messages: list[Message], schema: dict[str, Any], seed: int) -> str:
    free = Generation(ANSWER_TOKENS, seed=seed, thinking=Thinking("off"))
    try:
        return backend.chat(messages, replace(free, schema=schema)).text
    except (BadSchemaError, RemoteCannotError, RemoteRefusedError):
        return backend.chat(messages, free).text
