"""What a decision of a language model costs: our engine inside real episodes, and other ways to evaluate the same tokens.

The episodes are of 15 steps. In some the harness scores every admissible command; others are a chat that only grows, in which the
model writes a line of thought and an action. The peers get the same prompts and the same commands in the same run. Times are wall
times of one thread: they mean little on a busy machine.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from homebody.agents import AgentError, EpisodeRecord, HarnessSpec, Job, RolloutConfig, Rollouts, run_episode
from homebody.agents.harness.hooks import BeforeModel
from homebody.agents.model_policy import ModelPolicy
from homebody.agents.models.backend import Message, Segments, Usage
from homebody.agents.models.llama import LlamaCpp
from homebody.agents.models.names import load, resolve
from homebody.agents.policy import Decision
from homebody.envs import TaskSpec, tasks
from homebody.scripts.bench import peer_llm
from homebody.scripts.bench.result import Measured, result

MAX_STEPS: Final = 15
EPISODES: Final = 3
"""Measured episodes; one more is played before them."""
EVERY: Final = 5
"""Of the decisions, every so many are given to the loop as well."""
PARALLEL: Final = 4
"""Episodes of a round for the workers; each worker has played one before the first round, and plays none twice."""
ROUNDS: Final = 3
ECHO_TOKENS: Final = 48
REPLY_TOKENS: Final = 48
"""Most tokens of a reply of a chat: a short line and a command."""
FORM: Final = "Write one short line that begins with Thought:, and below it one line that begins with Action: and ends in one command."

STAGES: Final = 8
"""How often `bench_llm` tells of its progress, for each model."""

LOOP: Final = "one pass a candidate, prompt kept in the cache"
LIMIT: Final = "llama_decode alone, batches of the same sizes at the same positions"
ECHO: Final = "create_completion(prompt + candidate, echo=True, logprobs=1)"

Progress = Callable[[str], None]


class ModelRow(Measured):
    """What was measured of one model."""

    model: str
    """Its name or path."""


@dataclass
class Step:
    """One decision."""

    segments: Segments
    candidates: tuple[str, ...]
    seconds: float
    """Of the whole decision: the chat rendered, its length checked, the prompt's new tokens and the commands or the reply evaluated."""
    cached_tokens: int
    """Of its prompt, served from the cache."""


@dataclass
class Play:
    """One episode."""

    usage: Usage
    """What it used; its `decode_seconds` are part of `seconds`."""
    steps: list[Step] = field(default_factory=list)
    events: list[peer_llm.Event] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """Of all decisions."""
        return sum(step.seconds for step in self.steps)

    @property
    def tokens(self) -> int:
        """Evaluated in all."""
        return sum(len(event.tokens) for event in self.events if isinstance(event, peer_llm.Batch))


class TimedPolicy(ModelPolicy):
    """Notes each decision in `steps`, the time of the checks before it included."""

    def __init__(self, backend: LlamaCpp) -> None:
        super().__init__(backend)
        self.steps: list[Step] = []
        self._checked = 0.0

    def fits(self, event: BeforeModel, messages: Sequence[Message]) -> bool:
        """Take the time."""
        started = time.perf_counter()
        fits = super().fits(event, messages)
        self._checked += time.perf_counter() - started
        return fits

    def decide(self, event: BeforeModel, messages: Sequence[Message]) -> Decision:
        """Take the time, and note it."""
        cached, started = self.usage.cached_tokens, time.perf_counter()
        decision = super().decide(event, messages)
        seconds = time.perf_counter() - started + self._checked
        self._checked = 0.0
        assert isinstance(self.backend, LlamaCpp)
        self.steps.append(Step(self.backend.segments(messages), event.candidates, seconds, self.usage.cached_tokens - cached))
        return decision


def bench_llm(models: Sequence[str], data_dir: str | None, *, progress: Progress) -> list[ModelRow]:
    """Measure models.

    Args:
        models: names or paths of GGUF models; see `homebody.agents.models.names.resolve`.
        data_dir: folder of ALFWorld games; None plays procedural houses.
        progress: told what is being measured.

    Returns:
        Rows as `homebody.scripts.bench.result.result` makes them, with the `model`.

    Raises:
        AgentError: a model cannot be loaded, or an episode failed.
        EnvError: the folder has no games.
    """
    env_id, kwargs = ("homebody/Household-v0", {}) if data_dir is None else ("homebody/AlfWorld-v0", {"data_dir": data_dir})
    alone = 1 + EPISODES
    chosen = tasks(env_id, "validation", alone + 2 + ROUNDS * PARALLEL, **kwargs)
    rows: list[ModelRow] = []
    for model in models:
        progress(f"{model}: episodes")
        path = resolve(model)  # Refuses addresses.
        config = RolloutConfig(env_id, model, MAX_STEPS, kwargs)
        with load(model) as backend:
            assert isinstance(backend, LlamaCpp)
            plays = _play(config, backend, chosen[:alone], scoring_harness())[1:]
            found = [*_inside(backend, plays, progress), *_by_loop(backend, plays, progress)]
            decision_ms = found[-1]["value"]
            first = plays[0].steps[0]
            prompt_tokens = backend.count_tokens(first.segments)
            progress(f"{model}: chats")
            found += _in_chats(backend, _play(config, backend, chosen[:alone], chat_harness())[1:], progress)
        found += [
            _by_echo(str(path), first, prompt_tokens, decision_ms, progress),
            _by_workers(config, chosen[alone:], progress),
        ]
        rows += [_of(model, row) for row in found]
    return rows


def _of(model: str, row: Measured) -> ModelRow:
    """Return a row with its model, which stands after the name."""
    return {
        "name": row["name"], "model": model, "value": row["value"], "unit": row["unit"],
        "peer": row["peer"], "peer_value": row["peer_value"], "ratio": row["ratio"], "repeats": row["repeats"],
    }  # fmt: skip


def scoring_harness() -> HarnessSpec:
    """Return the seed harness of the house without candidates in the prompt: the model scores every admissible command."""
    seed = HarnessSpec.load("household-act").document
    kept = {name: item for name, item in seed["components"].items() if item["use"] in ("system_prompt", "history_window")}
    decide = {"use": "decide", "params": {"method": "score", "normalize": "sum"}}
    return HarnessSpec.from_json({**seed, "name": "scoring", "components": {**kept, "decide": decide}})


def chat_harness() -> HarnessSpec:
    """Return the seed harness of the house as a chat that only grows: all turns stay, with what the model wrote."""
    seed = HarnessSpec.load("household").document
    kept = {name: item for name, item in seed["components"].items() if item["use"] == "system_prompt"}
    components = kept | {
        "turns": {"use": "history_window", "params": {"turns": MAX_STEPS}},
        "list": {"use": "show_candidates", "params": {"footer": FORM}},
        "answer": {"use": "answer", "params": {"read": "after", "mark": "Action:", "tokens": REPLY_TOKENS}},
        "thinking": {"use": "think", "params": {"mode": "off"}},
    }
    return HarnessSpec.from_json({**seed, "name": "chat", "components": components})


def _play(config: RolloutConfig, backend: LlamaCpp, chosen: Sequence[TaskSpec], spec: HarnessSpec) -> list[Play]:
    env, policy = config.make_env(), TimedPolicy(backend)
    plays = []
    for task in chosen:
        policy.steps.clear()
        with peer_llm.recorded(backend.engine) as events:
            record = run_episode(env, spec, policy, task, max_steps=config.max_steps)
        _check(record)
        plays.append(Play(Usage(**record.usage), policy.steps[:], events))  # type: ignore[arg-type]
    env.close()
    return plays


def _inside(backend: LlamaCpp, plays: Sequence[Play], progress: Progress) -> Iterator[Measured]:
    """Compare the episodes with llama.cpp alone on the same batches."""
    yield _against_limit("tokens_vs_limit", backend, plays, progress)
    yield result(
        "cached_fraction", statistics.median(play.usage.cached_tokens / play.usage.prompt_tokens for play in plays), "", len(plays)
    )
    yield result("overhead_fraction", statistics.median(1 - play.usage.decode_seconds / play.seconds for play in plays), "", len(plays))


def _in_chats(backend: LlamaCpp, plays: Sequence[Play], progress: Progress) -> Iterator[Measured]:
    """Measure episodes in which the chat only grows."""
    yield result("chat_cached_fraction", statistics.median(_cached_again(backend, play) for play in plays), "", len(plays))
    yield _against_limit("chat_tokens_vs_limit", backend, plays, progress)


def _cached_again(backend: LlamaCpp, play: Play) -> float:
    """Return the share of the tokens that stood in the chat at the step before, its candidates apart, that the cache served."""
    known = served = 0
    for before, step in pairwise(play.steps):
        stood = backend.count_tokens(before.segments[:-1])  # The last segment has the candidates.
        known += stood
        served += min(stood, step.cached_tokens)
    return served / known if known else 0.0


def _against_limit(name: str, backend: LlamaCpp, plays: Sequence[Play], progress: Progress) -> Measured:
    """Compare whole decisions with llama.cpp alone on the same batches."""
    progress(f"{backend.name}: llama.cpp alone")
    limits = [1e6 * peer_llm.replay(backend, play.steps[0].segments, play.events) / play.tokens for play in plays]
    ours = [1e6 * play.seconds / play.tokens for play in plays]
    return result(name, statistics.median(ours), "us a token", len(plays), LIMIT, statistics.median(limits))


def _by_loop(backend: LlamaCpp, plays: Sequence[Play], progress: Progress) -> Iterator[Measured]:
    """Compare the scoring alone, the prompt evaluated before on both sides; and whole decisions, with the prompt's new tokens."""
    progress(f"{backend.name}: a loop")
    times = []
    for step in (step for play in plays for step in play.steps[::EVERY]):
        start, row = backend.read(step.segments)
        started = time.perf_counter()
        peer_llm.score_by_loop(backend.engine, start, row, step.candidates)
        loop = time.perf_counter() - started
        started = time.perf_counter()
        backend.score(step.segments, step.candidates)
        score = time.perf_counter() - started
        times.append((score, loop, step.seconds, step.seconds - score + loop))
    score, loop, whole, whole_loop = (1e3 * statistics.median(each) for each in zip(*times, strict=True))
    yield result("score_vs_loop", score, "ms a scoring", len(times), LOOP, loop)
    both = f"{LOOP}; the prompt's new tokens counted on both sides"
    yield result("decision_vs_loop", whole, "ms a decision", len(times), both, whole_loop)


def _by_echo(path: str, step: Step, prompt_tokens: int, decision_ms: float, progress: Progress) -> Measured:
    progress("echo")
    seconds = peer_llm.echo_seconds(path, "".join(step.segments), step.candidates[:2], ECHO_TOKENS)
    peer = (
        f"{ECHO}: two candidates after {ECHO_TOKENS} tokens, extrapolated by token and candidate to a prompt of {prompt_tokens} tokens "
        f"and {len(step.candidates)} candidates"
    )
    slow = 1e3 * statistics.median(seconds) * prompt_tokens * len(step.candidates)
    return result("score_vs_echo", decision_ms, "ms a decision", len(seconds), peer, slow)


def _by_workers(config: RolloutConfig, chosen: Sequence[TaskSpec], progress: Progress) -> Measured:
    """Compare rounds of new episodes, the same for one worker and for two. No worker has seen a prompt of theirs but the seed prompt."""
    spec = scoring_harness()
    jobs = [Job(spec, task) for task in chosen]
    medians = []
    for workers in (1, 2):
        progress(f"{workers} workers")
        seconds = []
        with Rollouts(config, workers) as rollouts:
            _check(*rollouts.play(jobs[:workers]))
            for start in range(2, len(jobs), PARALLEL):
                started = time.perf_counter()
                records = list(rollouts.play(jobs[start : start + PARALLEL]))
                seconds.append((time.perf_counter() - started) / len(records))
                _check(*records)
        medians.append(statistics.median(seconds))
    return result("two_workers_vs_one", medians[1], "s an episode", ROUNDS, "one worker", medians[0])


def _check(*records: EpisodeRecord) -> None:
    """Check that no episode failed: what is left of one costs less."""
    for record in records:
        if record.error:
            raise AgentError(f"{record.task_id} failed at {record.error['boundary']}: {record.error['kind']}: {record.error['message']}")
