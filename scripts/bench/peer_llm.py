"""Other ways to score the same commands after the same prompt, for `homebody bench llm`."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import numpy as np

from homebody.agents.models.backend import Usage
from homebody.agents.models.llama.engine import Engine
from homebody.agents.models.llama.sampling import Floats, log_probabilities

Batch = tuple[Sequence[int], int | Sequence[int], int | Sequence[tuple[int, ...]], int]
"""What `Engine.decode` was given: tokens, positions, sequences, outputs."""

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
def recorded(engine: Engine) -> Iterator[list[Batch]]:
    """Note the batches that an engine evaluates inside the block."""
    batches: list[Batch] = []
    decode = engine.decode

    def noted(tokens: Sequence[int], positions: Any, sequences: Any, *, outputs: int) -> Floats:
        batches.append((tuple(tokens), positions, sequences, outputs))
        return decode(tokens, positions, sequences, outputs=outputs)

    engine.decode = noted  # type: ignore[method-assign]
    try:
        yield batches
    finally:
        engine.decode = decode  # type: ignore[method-assign]


def replay(engine: Engine, usage: Usage, batches: Sequence[Batch]) -> float:
    """Evaluate the batches of a play again, and nothing else.

    Args:
        engine: of the same model.
        usage: its counters.
        batches: as `recorded` noted them; the first one begins a prompt at position 0, or continues one that is still held.

    Returns:
        Seconds inside llama_decode.
    """
    before = usage.decode_seconds
    for tokens, positions, sequences, outputs in batches:
        if isinstance(sequences, int):
            engine.truncate(positions if isinstance(positions, int) else positions[0])
            engine.decode(tokens, positions, sequences, outputs=outputs)
        else:
            with engine.copies(max(max(ids) for ids in sequences)):
                engine.decode(tokens, positions, sequences, outputs=outputs)
    return usage.decode_seconds - before


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
            rows = engine.decode(tokens[:-1], start, 0, outputs=len(tokens) - 1)
            for after, token in zip(rows, tokens[1:], strict=True):
                logs += log_probabilities(after, [token], scratch)
            engine.truncate(start)
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
