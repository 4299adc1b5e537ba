"""Other ways to score the same commands after the same prompt, for `homebody bench llm`."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from homebody.agents.errors import AgentError
from homebody.agents.models.llama import LlamaCpp
from homebody.agents.models.llama.engine import Engine
from homebody.agents.models.llama.sampling import Floats, log_probabilities


@dataclass(frozen=True)
class Batch:
    """What `Engine.decode` was given."""

    tokens: tuple[int, ...]
    positions: int | Sequence[int]
    sequences: int | Sequence[tuple[int, ...]]
    outputs: int

    @property
    def start(self) -> int:
        """The position of its first token."""
        return self.positions if isinstance(self.positions, int) else self.positions[0]

    @property
    def given(self) -> tuple[Any, Any, Any]:
        """Tokens, positions and sequences."""
        return self.tokens, self.positions, self.sequences


Event = Batch | int
"""A batch, or so many copies of the prompt that the batches after it use; 0 removes them."""

# Run by itself: it takes another copy of the model, with room for the logits of every token.
_ECHO: Final = """
import json, sys, time
from llama_cpp import Llama
given = json.load(sys.stdin)
model = Llama(given["path"], n_ctx=512, n_threads=1, n_threads_batch=1, logits_all=True, verbose=False)
end = model.tokenize(given["prompt"].encode(), add_bos=False, special=True)[-given["tokens"]:]
prompt = model.detokenize(end).decode(errors="ignore")
seconds = []
for candidate in given["candidates"]:
    started = time.perf_counter()
    done = model.create_completion(prompt + candidate, echo=True, logprobs=1, max_tokens=1, temperature=0.0)
    seconds.append((time.perf_counter() - started) / done["usage"]["total_tokens"])
print(json.dumps(seconds))
"""


@contextmanager
def recorded(engine: Engine) -> Iterator[list[Event]]:
    """Note the batches that an engine evaluates inside the block, and the copies of the prompt that it makes for them."""
    events: list[Event] = []
    decode, copies = engine.decode, engine.copies

    def noted_decode(tokens: Sequence[int], positions: Any, sequences: Any, *, outputs: int) -> Floats:
        events.append(Batch(tuple(tokens), positions, sequences, outputs))
        return decode(tokens, positions, sequences, outputs=outputs)

    @contextmanager
    def noted_copies(count: int) -> Iterator[None]:
        with copies(count):
            events.append(count)
            yield
            events.append(0)

    engine.decode, engine.copies = noted_decode, noted_copies  # type: ignore[method-assign]
    try:
        yield events
    finally:
        engine.decode, engine.copies = decode, copies  # type: ignore[method-assign]


def replay(backend: LlamaCpp, prompt: Sequence[str], events: Sequence[Event]) -> float:
    """Evaluate the batches of a play again, and nothing else.

    Args:
        backend: the same model; its cache is cleared at the end.
        prompt: segments of the first prompt of the play. Those before the first batch are evaluated first, and are not counted.
        events: as `recorded` noted them.

    Returns:
        Seconds inside llama_decode.

    Raises:
        AgentError: the model cannot go back to where a batch began.
    """
    engine, size = backend.engine, 0
    first = next(event.start for event in events if isinstance(event, Batch))
    lengths = [backend.count_tokens(prompt[:end]) if end else 0 for end in range(len(prompt) + 1)]
    if first not in lengths:
        raise AgentError(f"{backend.name}: the first batch begins at token {first}, which is not the end of a segment")
    if first:
        size = backend.read(prompt[: lengths.index(first)])[0]
    else:
        engine.clear()
    points: dict[int, NDArray[np.uint8]] = {}
    before = backend.usage.decode_seconds
    with ExitStack() as stack:
        for event in events:
            if not isinstance(event, Batch):
                stack.close()
                if event:
                    stack.enter_context(engine.copies(event))
                continue
            if event.sequences == 0:
                if event.start == 0:
                    engine.clear()
                elif event.start > size or (event.start < size and not engine.go_back(event.start, points.get(event.start))):
                    raise AgentError(f"{backend.name}: llama.cpp cannot go back from token {size} to {event.start}")
                size = event.start + len(event.tokens)
                if not engine.forgets:
                    points = {at: point for at, point in points.items() if at < event.start}
                    if event.start:
                        points[event.start] = engine.point()
            engine.decode(*event.given, outputs=event.outputs)
    seconds = backend.usage.decode_seconds - before
    backend.forget()
    return seconds


def score_by_loop(engine: Engine, start: int, row: Floats, texts: Sequence[str]) -> list[float]:
    """Score texts as a competent program does that knows no trees: one pass a text, each but its last token, and the same sums.

    Args:
        engine: with the prompt in sequence 0.
        start: tokens of the prompt.
        row: logits (n_vocab,) after it.
        texts: what may follow.
    """
    scratch = np.empty_like(row)
    scores = []
    for text in texts:
        tokens = engine.tokenize(text, False)
        logs = log_probabilities(row, tokens[:1], scratch)
        if len(tokens) > 1:
            with engine.copies(1):
                rows = engine.decode(tokens[:-1], start, 1, outputs=len(tokens) - 1)
                for after, token in zip(rows, tokens[1:], strict=True):
                    logs += log_probabilities(after, [token], scratch)
        scores.append(math.fsum(logs))
    return scores


def echo_seconds(path: str, prompt: str, candidates: Sequence[str], tokens: int) -> list[float]:
    """Return the seconds a token of llama-cpp-python's ``create_completion(prompt + candidate, echo=True, logprobs=1)``.

    Args:
        path: of the model file.
        prompt: its last tokens stand for all: each costs the same, most of it a sort of the vocabulary in Python.
        candidates: what follows the prompt, one call each.
        tokens: so many of the prompt's last ones are evaluated.
    """
    given = json.dumps({"path": path, "prompt": prompt, "candidates": list(candidates), "tokens": tokens})
    done = subprocess.run([sys.executable, "-P", "-c", _ECHO], input=given, capture_output=True, text=True, check=True)
    seconds: list[float] = json.loads(done.stdout)
    return seconds
