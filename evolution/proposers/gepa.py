"""GEPA's reflection (Agrawal et al. 2025, package gepa) as a proposer: it rewrites the texts of a harness.

GEPA sees a harness as its texts by name: those parameters that the class of a processor calls `texts`.
For each candidate its round-robin selector takes the next text, and its reflection writes a new one
from the present text and what went wrong on training tasks. Rollouts and the choice among candidates
are not GEPA's: its candidates pass through the same gate as all others.

The only importer of gepa, which the extra `gepa` installs. It needs neither network nor litellm here: the model is `Evidence.backend`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from homebody.agents.harness.library import find
from homebody.agents.harness.order import dimension_of
from homebody.agents.harness.patch import Patch, PatchError
from homebody.agents.harness.spec import HarnessSpec
from homebody.agents.models.backend import Backend
from homebody.agents.models.generation import Generation, Thinking
from homebody.agents.record import StepRecord
from homebody.envs.interpreter import one_line
from homebody.evolution.evidence.digest import CATEGORIES
from homebody.evolution.proposers.candidate import Candidate, Evidence, ProposerError, make_manifest
from homebody.evolution.proposers.edit import set_params, texts_of
from homebody.evolution.proposers.question import describe_step

try:
    from gepa.proposer.reflective_mutation.reflection_lm import StatelessReflectionLM
    from gepa.strategies.component_selector import RoundRobinReflectionComponentSelector
except ImportError as error:
    raise ProposerError(f'the proposer gepa needs a package that is missing ({error}); run: pip install "homebody[gepa]"') from None

REFLECTION = """An assistant does tasks by commands. One text of its setup, {name}, is:
```
<curr_param>
```
What happened on tasks that it failed:
<side_info>
Write a better text to take its place, as short as this one and general: name nothing of a single task.{keep} Give it within ``` blocks."""
"""GEPA's prompt for a new text, short enough for a context of 2,048 tokens."""
TEXT_TOKENS = 300
"""Most tokens of a new text."""
TEXT_CHARACTERS = 1200
MOST_TASKS = 3
"""Failed tasks that are told in one reflection."""
MOST_STEPS = 4


class ReflectionError(Exception):
    """A reflection that gave no text to use; the message is the reason, in one line."""


class _TooLongError(Exception):
    """A prompt that does not fit the context."""


def propose(spec: HarnessSpec, evidence: Evidence, k: int) -> list[Candidate]:
    """Rewrite one text a candidate; where the critic objects to one, the next text takes its place.

    Raises:
        ProposerError: there is no model to reflect.
    """
    if evidence.backend is None:
        raise ProposerError("the proposer gepa asks a model, and there is none; name one with --proposer-model")
    texts = texts_of(spec)
    if not texts or not evidence.landscape.failures:
        return []
    select = RoundRobinReflectionComponentSelector()
    # The selector goes on from where it stopped: each earlier round asked it k times, and so did the first asking before a revision.
    state: Any = SimpleNamespace(
        named_predictor_id_to_update_next_for_program_candidate=[((evidence.round - 1) * k + len(evidence.proposed)) % len(texts)],
        list_of_named_predictors=list(texts),
    )
    wanted = min(len(evidence.objections) or k, len(texts) - len(evidence.proposed))
    components = [select(state, [], [], 0, texts)[0] for _ in range(wanted)]
    return [
        _rewrite(evidence.backend, spec, evidence, f"r{evidence.round}c{number}", component, texts)
        for number, component in enumerate(components, 1 + len(evidence.proposed))
    ]


def _rewrite(backend: Backend, spec: HarnessSpec, evidence: Evidence, name: str, component: str, texts: Mapping[str, str]) -> Candidate:
    item, _, param = component.partition(".")
    patch: Patch = []
    problem = ""
    try:
        text = _reflect(backend, evidence, component, texts)
        patch = set_params(spec, item, {param: text})
        if spec.patch(patch).behaviour_hash in {spec.behaviour_hash, *evidence.tried}:
            raise ReflectionError("leads to a behaviour that was tried before")
    except (ReflectionError, PatchError) as error:
        patch, problem = [], f"rewrite {component}: {one_line(str(error))}"
    dimension = dimension_of(spec.components[item], find(spec.components[item]["use"]))
    why = "GEPA's reflection on tasks that failed wrote this text in the place of the present one."
    manifest = make_manifest(name, dimension, f"rewrite {component}", why, evidence, tuple(evidence.landscape.failures), item)
    return Candidate(name, dimension, patch, manifest, problem)


def _reflect(backend: Backend, evidence: Evidence, component: str, texts: Mapping[str, str]) -> str:
    """Let GEPA write a new text, told of as many failed tasks as the context has room for.

    Raises:
        ReflectionError: the context has room for none, or what came is no text of a fair length.
    """
    template = REFLECTION.replace("{name}", component).replace("{keep}", _keep(texts[component]))
    told = _failed_tasks(evidence)
    reflection = StatelessReflectionLM(lambda prompt: _answer(backend, prompt, evidence.seed), template)
    while told:
        try:
            proposal, _ = reflection.reflect(dict(texts), {component: told}, [component])
        except _TooLongError:
            told.pop()
            continue
        text = proposal.new_texts[component]
        if not 0 < len(text) <= TEXT_CHARACTERS:
            raise ReflectionError(f"a text of {len(text)} characters; 1 to {TEXT_CHARACTERS} are allowed")
        return text
    raise ReflectionError(f"one failed task does not fit the {backend.n_ctx} tokens of {backend.name}; name a model with a larger context")


def _keep(text: str) -> str:
    """Tell the model to keep the blanks of a text that has some."""
    blanks = list(dict.fromkeys(re.findall(r"\{[a-z_]+\}", text)))
    return f" Keep {' and '.join(blanks)} in it, in this order." if blanks else ""


def _failed_tasks(evidence: Evidence) -> list[dict[str, str]]:
    """Return what GEPA's reflection is told, in its terms: inputs, outputs and feedback, of the most frequent failures first."""
    names = [task for tasks in evidence.landscape.failures.values() for task in tasks][:MOST_TASKS]
    records = {record.task_id: record for record in evidence.episodes}
    told = []
    for digest in sorted(
        (digest for digest in evidence.digests if digest.task_id in names), key=lambda digest: names.index(digest.task_id)
    ):
        record = records.get(digest.task_id)
        steps = _steps(record.trace) if record else f"{digest.steps} steps"
        told.append(
            {
                "Inputs": one_line(record.goal) if record else digest.type,
                "Generated Outputs": steps,
                "Feedback": CATEGORIES.get(digest.category, digest.category),
            }
        )
    return told


def _steps(trace: Sequence[StepRecord]) -> str:
    return "\n".join(describe_step(step, 80, 120) for step in trace[-MOST_STEPS:])


def _answer(backend: Backend, prompt: Any, seed: int) -> str:
    """Answer GEPA's prompt, a text wherever no pictures are told of."""
    messages = [{"role": "user", "content": prompt}]
    generation = Generation(TEXT_TOKENS, seed=seed, thinking=Thinking("off"))
    if backend.count_tokens(messages) + TEXT_TOKENS > backend.n_ctx:
        raise _TooLongError
    return backend.chat(messages, generation).text
