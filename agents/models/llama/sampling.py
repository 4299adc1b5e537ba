"""From logits to a token: log-probabilities, sampling, grammars.

Sums run in a fixed order, so equal logits give equal numbers. Knows nothing of prompts and caches.
"""

import ctypes
import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import llama_cpp
import numpy as np
from llama_cpp.llama_grammar import json_schema_to_gbnf
from numpy.typing import NDArray

from homebody.agents.errors import BadGrammarError, BadSchemaError
from homebody.agents.models.generation import Generation
from homebody.agents.models.llama.log import captured_stderr, errors, reason

Floats = NDArray[np.float32]
WORD = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)])
"""llama_token_data of llama.h."""


def log_probabilities(row: Floats, tokens: Iterable[int], scratch: Floats) -> list[float]:
    """Return the natural logs of the softmax of logits at some tokens.

    The sum runs in float64: the error is below 1e-6 over 262,144 words.

    Args:
        row: logits (n_vocab,); left as they are.
        tokens: ids.
        scratch: overwritten; (n_vocab,).
    """
    top = row.max()
    np.subtract(row, top, out=scratch)
    np.exp(scratch, out=scratch)
    total = float(top) + math.log(scratch.sum(dtype=np.float64))
    return [min(0.0, float(row[token]) - total) for token in tokens]


class Sampler:
    """Chooses tokens by their logits, as a `Generation` says.

    Args:
        generation: the steps, in the order that it gives.
    """

    def __init__(self, generation: Generation) -> None:
        self._of = generation
        self._random = np.random.Generator(np.random.PCG64(generation.seed))
        self._penalizes = (generation.presence_penalty, generation.frequency_penalty, generation.repetition_penalty) != (0.0, 0.0, 1.0)
        self._counts: Counter[int] = Counter()

    def note(self, token: int) -> None:
        """Count a token of the reply."""
        self._counts[token] += 1

    def recount(self, tokens: Iterable[int]) -> None:
        """Count these tokens of the reply, and no others."""
        self._counts = Counter(tokens)

    def weighed(self, row: Floats) -> Floats:
        """Return logits (n_vocab,) with the penalties."""
        return self._penalized(row) if self._penalizes and self._counts else row

    def __call__(self, row: Floats) -> int:
        """Return a token for logits (n_vocab,)."""
        row = self.weighed(row)
        if self._of.temperature == 0.0:
            return int(row.argmax())
        scaled = row.astype(np.float64)
        weights = self._kept(np.exp((scaled - scaled.max()) / self._of.temperature))
        sums = np.cumsum(weights)
        return int(np.searchsorted(sums, self._random.random() * sums[-1], side="right"))

    def _penalized(self, row: Floats) -> Floats:
        given = self._of
        tokens = np.array(sorted(self._counts))
        counts = np.array([self._counts[token] for token in tokens], np.float64)
        found = row[tokens].astype(np.float64)
        found = np.where(found > 0, found / given.repetition_penalty, found * given.repetition_penalty)
        row = row.copy()
        row[tokens] = found - given.presence_penalty - given.frequency_penalty * counts
        return row

    def _kept(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the weights (n_vocab,) with zeros for what top_k, top_p and min_p leave out; the token of lower number goes first."""
        given = self._of
        if 0 < given.top_k < len(weights) or given.top_p < 1.0:
            order = np.argsort(-weights, kind="stable")[: given.top_k or None]
            if given.top_p < 1.0:
                sums = np.cumsum(weights[order])
                order = order[: 1 + int(np.searchsorted(sums, given.top_p * sums[-1]))]
            kept = np.zeros_like(weights)
            kept[order] = weights[order]
            weights = kept
        return np.where(weights >= given.min_p * weights.max(), weights, 0.0) if given.min_p else weights


class ChainSampler(Sampler):
    """The same by llama.cpp's own chain, for models on a GPU.

    There a token takes a few milliseconds, and sorting 150,000 words in numpy as many. What it draws differs from `Sampler`; how often
    does not.

    Args:
        generation: of a temperature above 0.
        n_vocab: words of the model.
    """

    _MOST_COUNTED = 1 << 16
    """Tokens of a reply that penalties count."""

    def __init__(self, generation: Generation, n_vocab: int) -> None:
        super().__init__(generation)
        self._words = np.zeros(n_vocab, WORD)
        self._chain = llama_cpp.llama_sampler_chain_init(llama_cpp.llama_sampler_chain_default_params())
        given = generation
        penalties = (given.repetition_penalty, given.frequency_penalty, given.presence_penalty)
        for sampler in (
            llama_cpp.llama_sampler_init_penalties(n_vocab, self._MOST_COUNTED, *penalties),
            llama_cpp.llama_sampler_init_temp(given.temperature),
            llama_cpp.llama_sampler_init_top_k(given.top_k),
            llama_cpp.llama_sampler_init_top_p(given.top_p, 1),
            llama_cpp.llama_sampler_init_min_p(given.min_p, 1),
            llama_cpp.llama_sampler_init_dist(given.seed % (1 << 32)),
        ):
            llama_cpp.llama_sampler_chain_add(self._chain, sampler)

    def note(self, token: int) -> None:
        """Count a token of the reply."""
        llama_cpp.llama_sampler_accept(self._chain, token)

    def __call__(self, row: Floats) -> int:
        """Return a token for logits (n_vocab,)."""
        self._words["id"], self._words["logit"] = np.arange(len(row), dtype=np.int32), row
        array = token_array(self._words)
        llama_cpp.llama_sampler_apply(self._chain, ctypes.byref(array))
        return int(self._words["id"][array.selected])

    def close(self) -> None:
        """Free the chain."""
        llama_cpp.llama_sampler_free(self._chain)


@contextmanager
def open_sampler(generation: Generation, n_vocab: int, *, is_on_gpu: bool) -> Iterator[Sampler]:
    """Make the sampler of one reply."""
    if not is_on_gpu or generation.temperature == 0.0:
        yield Sampler(generation)
        return
    sampler = ChainSampler(generation, n_vocab)
    try:
        yield sampler
    finally:
        sampler.close()


def token_array(words: NDArray[Any]) -> Any:
    """Return llama.cpp's view of an array of `WORD`; nothing is copied."""
    data = ctypes.cast(words.ctypes.data, llama_cpp.llama_token_data_p)
    return llama_cpp.llama_token_data_array(data=data, size=len(words), selected=-1, sorted=False)


class Grammar:
    """llama.cpp's grammar as a filter of tokens."""

    def __init__(self, sampler: Any, vocab: Any) -> None:
        self._sampler = sampler
        self._vocab = vocab
        self._ids = np.arange(llama_cpp.llama_vocab_n_tokens(vocab), dtype=np.int32)

    def choose(self, row: Floats, choice: Sampler) -> int:
        """Choose a token that the grammar allows, and move on by it.

        A full vocabulary takes milliseconds to filter, one token microseconds: so choose freely first, and only if that token is not
        allowed choose again among the allowed ones. The distribution is that of choosing among the allowed ones at once.

        Raises:
            BadGrammarError: no token is allowed.
        """
        token = choice(row)
        if not np.isfinite(self._filter(self._ids[token : token + 1], row[token : token + 1])).all():
            allowed = self.allowed(row)
            if not np.isfinite(allowed).any():
                raise BadGrammarError("no token of the model's vocabulary can follow")
            token = choice(allowed)
        self.take(token)
        return token

    def restart(self, tokens: Iterable[int]) -> None:
        """Begin anew, after these tokens."""
        llama_cpp.llama_sampler_reset(self._sampler)
        for token in tokens:
            llama_cpp.llama_sampler_accept(self._sampler, token)

    def allowed(self, row: Floats) -> Floats:
        """Return logits (n_vocab,), -inf for a token that may not follow."""
        return self._filter(self._ids, row)

    def take(self, token: int) -> None:
        """Move on by a token that may follow."""
        if not llama_cpp.llama_vocab_is_eog(self._vocab, token):
            llama_cpp.llama_sampler_accept(self._sampler, token)

    def _filter(self, ids: NDArray[np.int32], logits: Floats) -> Floats:
        words = np.zeros(len(ids), WORD)
        words["id"], words["logit"] = ids, logits
        array = token_array(words)
        llama_cpp.llama_sampler_apply(self._sampler, ctypes.byref(array))
        return words["logit"].copy()


def schema_grammar(schema: Mapping[str, Any]) -> str:
    """Return the GBNF grammar of the JSON texts that a JSON Schema allows, by llama.cpp's own converter.

    Raises:
        BadSchemaError: the converter refuses the schema.
    """
    try:
        return str(json_schema_to_gbnf(json.dumps(schema)))
    except Exception as error:  # The converter has no error of its own: it asserts, and trips over what it does not expect.
        raise BadSchemaError(f"{type(error).__name__}: {error}".partition("\n")[0].removesuffix(": ")) from error


@contextmanager
def open_grammar(vocab: Any, text: str | None) -> Iterator[Grammar | None]:
    """Make a grammar for the time of one generation; None for None.

    Raises:
        BadGrammarError: the text does not parse.
    """
    if text is None:
        yield None
        return
    errors.clear()
    with captured_stderr() as printed:  # llama.cpp's grammar parser does not log its errors, it prints them.
        sampler = llama_cpp.llama_sampler_init_grammar(vocab, text.encode(), b"root") if text.strip() else None
    if not sampler:
        problem = "".join(printed).partition("\n")[0].removeprefix("parse: error parsing grammar: ").strip()
        raise BadGrammarError(problem or (reason() if text.strip() else "it is empty"))
    try:
        yield Grammar(sampler, vocab)
    finally:
        llama_cpp.llama_sampler_free(sampler)
