"""llama.cpp in this process: the only importer of ``llama_cpp``.

Works on the low-level batch interface, because what a decision costs is decided there:

- The prompt lives in sequence 0 of the key-value cache. A new prompt keeps the longest common beginning of *segments*.
- A segment is always tokenized on its own and evaluated as its own batches, in chunks of ``n_batch`` tokens from its start. The
  kernels round differently for batches of different shapes (0.5 in a log-probability was seen on Q4_0), so this is what makes results
  equal to the bit whether a prompt was evaluated at once or over many calls, here or in another process.
- Generated tokens and scored continuations are evaluated in other sequences, copied from sequence 0 (no data moves: cells are shared),
  and removed afterwards: they leave no trace in later results.
- Continuations are scored as token trees (`homebody.agents.tree`) in as few batches as possible.

Models with recurrent memory cannot forget a tail: for them the prompt is evaluated again from its start when its end changes, and
one continuation is scored at a time. Results mean the same.

No tokenizer adds a leading space here (some would, to every piece of text given to them): a segment or continuation is what it says.
"""

import ctypes
import hashlib
import importlib.metadata
import math
import os
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Any

import llama_cpp
import numpy as np
from numpy.typing import NDArray

from homebody.agents.backend import Message, Segments, Usage
from homebody.agents.chat import render_plain, render_template
from homebody.agents.errors import (
    BackendClosedError,
    BadGrammarError,
    BadModelFileError,
    BadRequestError,
    ContextOverflowError,
    DecodeError,
)
from homebody.agents.tree import branches, plant

Floats = NDArray[np.float32]

_N_OUTPUTS = 128
"""Most rows of logits of one batch: 128 rows of Gemma's 262,144 words are 134 MB, as many as n_batch would be 537 MB."""
_N_SEQUENCES = 64
_ERROR_LEVEL = 4  # GGML_LOG_LEVEL_ERROR of ggml.h; the numbers in llama-cpp-python's own _logger.py are out of date.

_errors: list[str] = []


@llama_cpp.llama_log_callback
def _on_log(level: int, text: bytes, _: object) -> None:
    if level == _ERROR_LEVEL:
        _errors.append(text.decode("utf-8", "replace").strip())


llama_cpp.llama_log_set(_on_log, ctypes.c_void_p(0))
llama_cpp.llama_backend_init()


class LlamaCpp:
    """A GGUF model as a `Backend`; see there for the methods. A context manager: leaving it closes the model.

    Args:
        path: the GGUF file.
        name: what the user calls it.
        n_ctx: tokens of context; the model's training length if that is less.
        n_threads: threads of one evaluation. Two threads on two busy cores are slower than one.
        gpu_layers: layers on the GPU, -1 for all; needs a llama-cpp-python built for it.
        n_batch: most tokens of one batch. Changes the last bits of results.

    Raises:
        BadModelFileError: the file is missing, not GGUF, truncated, or not a text generator.
        BadRequestError: a setting is out of range.
    """

    def __init__(
        self, path: Path | str, *, name: str, n_ctx: int = 4096, n_threads: int = 1, gpu_layers: int = 0, n_batch: int = 512
    ) -> None:
        for what, value in (("n_ctx", n_ctx), ("n_threads", n_threads), ("n_batch", n_batch)):
            if value < 1:
                raise BadRequestError(what, value, "an integer of at least 1")
        if gpu_layers < -1:
            raise BadRequestError("gpu_layers", gpu_layers, "a number of layers, or -1 for all")
        self.name = name
        self.usage = Usage()
        self._closed = False
        sha256 = _check_file(path)
        self._model = _load(path, gpu_layers)
        self._vocab = llama_cpp.llama_model_get_vocab(self._model)
        self.n_ctx = min(n_ctx, llama_cpp.llama_model_n_ctx_train(self._model))
        self._n_batch = min(n_batch, self.n_ctx)
        self._flat = bool(llama_cpp.llama_model_is_recurrent(self._model) or llama_cpp.llama_model_is_hybrid(self._model))
        self._context = self._open(path, n_threads, gpu_layers)
        self._memory = llama_cpp.llama_get_memory(self._context)
        self._n_vocab: int = llama_cpp.llama_vocab_n_tokens(self._vocab)
        self._batch = _Batch(self._n_batch, _N_SEQUENCES)
        adds_bos = llama_cpp.llama_vocab_get_add_bos(self._vocab)
        self._bos: tuple[int, ...] = (llama_cpp.llama_vocab_bos(self._vocab),) if adds_bos else ()
        self._tokens = lru_cache(maxsize=8192)(self._tokenize)
        template = llama_cpp.llama_model_chat_template(self._model, None)
        self._template = template.decode("utf-8", "replace") if template else None
        self._held: list[tuple[str, int]] = []
        """Text and number of tokens of each segment in sequence 0."""
        self._last: Floats | None = None
        """Logits (n_vocab,) after the last held segment, where they were kept."""
        self.fingerprint = {
            "engine": f"llama-cpp-python {importlib.metadata.version('llama-cpp-python')}",
            "model": self._metadata("general.name"),
            "architecture": self._metadata("general.architecture"),
            "quantization": _quantization(self._metadata("general.file_type")),
            "sha256": sha256,
            "n_ctx": str(self.n_ctx),
            "n_batch": str(self._n_batch),
            "n_threads": str(n_threads),
            "gpu_layers": str(gpu_layers),
        }

    def segments(self, messages: Sequence[Message]) -> Segments:
        """Render by the model's chat template, or as a plain transcript where it has none."""
        self._check_open()
        if self._template is None:
            return render_plain(messages)
        bos = "" if self._bos else self._word(llama_cpp.llama_vocab_bos(self._vocab))
        eos = self._word(llama_cpp.llama_vocab_eos(self._vocab))
        return render_template(messages, self._template, bos=bos, eos=eos, model=self.name)

    def count_tokens(self, segments: Sequence[str]) -> int:
        """Return the number of tokens, the mark of the beginning included where the model wants one."""
        self._check_open()
        return sum(len(tokens) for _, tokens in self._pieces(segments))

    def generate(
        self,
        segments: Sequence[str],
        *,
        max_tokens: int,
        stop: Sequence[str] = (),
        grammar: str | None = None,
        temperature: float = 0.0,
        seed: int = 0,
    ) -> str:
        """Return the text that follows; the model's own end marks end it too."""
        self._check_open()
        if max_tokens < 1:
            raise BadRequestError("max_tokens", max_tokens, "an integer of at least 1")
        if not temperature >= 0.0:
            raise BadRequestError("temperature", temperature, "a number of at least 0")
        started = time.perf_counter()
        with _grammar(self._vocab, self._n_vocab, grammar) as rule:
            start, row = self._prefix(segments, max_tokens)
            choice = _Choice(temperature, seed)
            text = b""
            ends = [mark.encode() for mark in stop if mark]
            with self._copies(1):
                for count in range(max_tokens):
                    token = choice(row) if rule is None else rule.choose(row, choice)
                    self.usage.generated_tokens += 1
                    if llama_cpp.llama_vocab_is_eog(self._vocab, token):
                        break
                    text += self._piece(token)
                    found = [at for at in (text.find(end) for end in ends) if at >= 0]
                    if found:
                        text = text[: min(found)]
                        break
                    if count + 1 < max_tokens:
                        row = self._decode([token], start + count, [(1,)], outputs=1)[0]
        self._count(started)
        return text.decode("utf-8", "replace")

    def score(self, segments: Sequence[str], continuations: Sequence[str]) -> list[float]:
        """Return the log-probability of each continuation; special tokens in their texts count as plain text."""
        self._check_open()
        started = time.perf_counter()
        paths = [self._tokens(text, False) for text in continuations]
        start, row = self._prefix(segments, max((len(path) for path in paths), default=0))
        following = branches(paths)
        logs: dict[tuple[int, ...], float] = {}

        def keep(path: tuple[int, ...], row: Floats) -> None:
            nexts = following[path]
            for token, value in zip(nexts, _log_probabilities(row, nexts), strict=True):
                logs.setdefault((*path, token), value)

        if () in following:
            keep((), row)
        trees = plant(paths, max_sequences=1 if self._flat else _N_SEQUENCES - 1, max_nodes=max(1, min(self._n_batch, self.n_ctx - start)))
        size = min(_N_OUTPUTS, self._n_batch)
        for tree in trees:
            with self._copies(max(node.sequences[-1] for node in tree)):
                for nodes in (tree[at : at + size] for at in range(0, len(tree), size)):
                    rows = self._decode(
                        [node.path[-1] for node in nodes],
                        [start + len(node.path) - 1 for node in nodes],
                        [node.sequences for node in nodes],
                        outputs=len(nodes),
                    )
                    for node, row in zip(nodes, rows, strict=True):
                        keep(node.path, row)
            self.usage.scored_tokens += len(tree)
        self._count(started)
        return [math.fsum(logs[path[:end]] for end in range(1, len(path) + 1)) for path in paths]

    def close(self) -> None:
        """Free the model and its context."""
        if not self._closed:
            self._closed = True
            llama_cpp.llama_free(self._context)
            llama_cpp.llama_model_free(self._model)

    def __enter__(self) -> "LlamaCpp":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _open(self, path: Path | str, n_threads: int, gpu_layers: int) -> Any:
        params = llama_cpp.llama_context_default_params()
        params.n_ctx = self.n_ctx
        params.n_batch = params.n_ubatch = self._n_batch  # One batch is one computation: no second split with a shape of its own.
        params.n_seq_max = 2 if self._flat else _N_SEQUENCES  # A recurrent model pays for every sequence that there may be.
        params.n_outputs_max = _N_OUTPUTS
        params.n_threads = params.n_threads_batch = n_threads
        params.kv_unified = True
        params.swa_full = True  # Else a sliding window forgets what a shorter prompt needs again.
        params.offload_kqv = params.op_offload = gpu_layers != 0
        params.no_perf = True
        _errors.clear()
        context = None
        generates = llama_cpp.llama_model_has_decoder(self._model) and not llama_cpp.llama_model_has_encoder(self._model)
        if generates:
            context = llama_cpp.llama_init_from_model(self._model, params)
        if context is not None and llama_cpp.llama_get_memory(context) is None:
            llama_cpp.llama_free(context)
            generates, context = False, None
        if context is None:
            llama_cpp.llama_model_free(self._model)
            if not generates:
                raise BadModelFileError(path, "it is not a model that generates text", "give a decoder-only language model")
            raise BadModelFileError(path, f"llama.cpp cannot open a context: {_reason()}", "load it with a smaller n_ctx")
        return context

    def _prefix(self, segments: Sequence[str], room: int) -> tuple[int, Floats]:
        """Bring the prompt into sequence 0.

        Returns:
            Its length in tokens, and the logits (n_vocab,) after its last token.
        """
        pieces = self._pieces(segments)
        total = sum(len(tokens) for _, tokens in pieces)
        if total == 0:
            raise BadRequestError("the prompt", "", "a text of at least one token")
        if total + room > self.n_ctx:
            raise ContextOverflowError(total + room, self.n_ctx)
        shared = 0
        while shared < min(len(pieces), len(self._held)) and pieces[shared][0] == self._held[shared][0]:
            shared += 1
        if shared == len(pieces) and (shared < len(self._held) or self._last is None):
            shared -= 1  # The logits after it are gone: evaluate the last segment again, as the same batches.
        if not self._keep(shared):
            shared = 0
        start = sum(count for _, count in self._held)
        self.usage.prompt_tokens += total
        self.usage.cached_tokens += start
        for index, (text, tokens) in enumerate(pieces[shared:], start=shared + 1):
            self._last = None
            for at in range(0, len(tokens), self._n_batch):
                chunk = tokens[at : at + self._n_batch]
                ends = index == len(pieces) and at + len(chunk) == len(tokens)
                rows = self._decode(chunk, start + at, [(0,)] * len(chunk), outputs=int(ends))
                if ends:
                    self._last = rows[0].copy()
            self._held.append((text, len(tokens)))
            start += len(tokens)
        assert self._last is not None
        return total, self._last

    def _keep(self, count: int) -> bool:
        """Reduce sequence 0 to its first segments; False if all had to go because the memory cannot forget a tail."""
        if count < len(self._held):
            self._last = None
        del self._held[count:]
        # Called when nothing seems to be beyond, too: a batch that failed half-way may have left something.
        if llama_cpp.llama_memory_seq_rm(self._memory, 0, sum(size for _, size in self._held), -1):
            return True
        self._held.clear()
        self._last = None
        llama_cpp.llama_memory_clear(self._memory, False)
        return False

    @contextmanager
    def _copies(self, count: int) -> Iterator[None]:
        """Make sequences 1 to count copies of sequence 0 and remove them at the end."""
        try:
            for sequence in range(1, count + 1):
                llama_cpp.llama_memory_seq_cp(self._memory, 0, sequence, -1, -1)
            yield
        finally:
            for sequence in range(1, count + 1):
                llama_cpp.llama_memory_seq_rm(self._memory, sequence, -1, -1)

    def _decode(
        self, tokens: Sequence[int], positions: int | Sequence[int], sequences: Sequence[tuple[int, ...]], *, outputs: int
    ) -> Floats:
        """Evaluate one batch.

        Args:
            tokens: token ids.
            positions: of each token, or of the first one of a run.
            sequences: that each token belongs to.
            outputs: so many of the last tokens give logits.

        Returns:
            Logits (outputs, n_vocab): a view that the next batch overwrites.
        """
        _errors.clear()
        status = llama_cpp.llama_decode(self._context, self._batch.fill(tokens, positions, sequences, outputs))
        if status != 0:
            raise DecodeError(self.name, f"status {status}, {_reason()}")
        if outputs == 0:
            return np.empty((0, self._n_vocab), np.float32)
        return np.ctypeslib.as_array(llama_cpp.llama_get_logits(self._context), shape=(outputs, self._n_vocab))

    def _pieces(self, segments: Sequence[str]) -> list[tuple[str, tuple[int, ...]]]:
        """Return text and tokens of each segment that is not empty, the mark of the beginning in the first one."""
        pieces = [(text, self._tokens(text, True)) for text in segments if text]
        if self._bos:
            text, tokens = pieces[0] if pieces else ("", ())
            pieces[:1] = [(text, self._bos + tokens)]
        return pieces

    def _tokenize(self, text: str, special: bool) -> tuple[int, ...]:
        data = text.encode("utf-8", "replace")
        room = len(data) + 8
        tokens = (llama_cpp.llama_token * room)()
        count = llama_cpp.llama_tokenize(self._vocab, data, len(data), tokens, room, False, special)
        return tuple(tokens[:count])

    def _piece(self, token: int) -> bytes:
        """Return the token's bytes; none for a special token."""
        room = 256
        buffer = ctypes.create_string_buffer(room)
        count = llama_cpp.llama_token_to_piece(self._vocab, token, buffer, room, 0, False)
        return buffer.raw[: max(count, 0)]

    def _word(self, token: int) -> str:
        """Return the text that stands for a special token; empty if the model has none."""
        return llama_cpp.llama_vocab_get_text(self._vocab, token).decode("utf-8", "replace") if token >= 0 else ""

    def _metadata(self, key: str) -> str:
        buffer = ctypes.create_string_buffer(512)
        llama_cpp.llama_model_meta_val_str(self._model, key.encode(), buffer, len(buffer))
        return buffer.value.decode("utf-8", "replace")

    def _count(self, started: float) -> None:
        self.usage.calls += 1
        self.usage.seconds += time.perf_counter() - started

    def _check_open(self) -> None:
        if self._closed:
            raise BackendClosedError(self.name)


class _Batch:
    """A llama_batch over arrays of ours, filled anew for each evaluation."""

    def __init__(self, n_tokens: int, n_sequences: int) -> None:
        self._token = np.zeros(n_tokens, np.int32)
        self._position = np.zeros(n_tokens, np.int32)
        self._count = np.zeros(n_tokens, np.int32)
        self._sequence = np.zeros((n_tokens, n_sequences), np.int32)
        self._output = np.zeros(n_tokens, np.int8)
        step = self._sequence.strides[0]
        self._rows = (self._sequence.ctypes.data + step * np.arange(n_tokens)).astype(np.uintp)  # int32_t ** of C
        batch = llama_cpp.llama_batch()
        kinds: dict[str, Any] = {field[0]: field[1] for field in batch._fields_}
        arrays: dict[str, NDArray[Any]] = {
            "token": self._token,
            "pos": self._position,
            "n_seq_id": self._count,
            "seq_id": self._rows,
            "logits": self._output,
        }
        for name, array in arrays.items():
            setattr(batch, name, ctypes.cast(array.ctypes.data, kinds[name]))
        self._batch = batch

    def fill(self, tokens: Sequence[int], positions: int | Sequence[int], sequences: Sequence[tuple[int, ...]], outputs: int) -> Any:
        n = len(tokens)
        self._token[:n] = tokens
        self._position[:n] = np.arange(positions, positions + n) if isinstance(positions, int) else positions
        for index, ids in enumerate(sequences):
            self._count[index] = len(ids)
            self._sequence[index, : len(ids)] = ids
        self._output[:n] = 0
        self._output[n - outputs : n] = 1
        self._batch.n_tokens = n
        return self._batch


class _Choice:
    """Chooses a token by its logits: the first most probable one, or by chance."""

    def __init__(self, temperature: float, seed: int) -> None:
        self._temperature = temperature
        self._random = np.random.Generator(np.random.PCG64(seed))

    def __call__(self, row: Floats) -> int:
        if self._temperature == 0.0:
            return int(row.argmax())
        scaled = row.astype(np.float64)
        weights = np.cumsum(np.exp((scaled - scaled.max()) / self._temperature))
        return int(np.searchsorted(weights, self._random.random() * weights[-1], side="right"))


class _Grammar:
    """llama.cpp's grammar as a filter of tokens."""

    _WORD = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)])  # llama_token_data

    def __init__(self, sampler: Any, vocab: Any, n_vocab: int) -> None:
        self._sampler = sampler
        self._vocab = vocab
        self._ids = np.arange(n_vocab, dtype=np.int32)

    def choose(self, row: Floats, choice: _Choice) -> int:
        """Choose a token that the grammar allows, and move on by it.

        A full vocabulary takes milliseconds to filter, one token microseconds: so choose freely first, and only if that token is not
        allowed choose again among the allowed ones. The distribution is that of choosing among the allowed ones at once.
        """
        token = choice(row)
        if not np.isfinite(self._filter(self._ids[token : token + 1], row[token : token + 1])).all():
            allowed = self._filter(self._ids, row)
            if not np.isfinite(allowed).any():
                raise BadGrammarError("no token of the model's vocabulary can follow")
            token = choice(allowed)
        if not llama_cpp.llama_vocab_is_eog(self._vocab, token):
            llama_cpp.llama_sampler_accept(self._sampler, token)
        return token

    def _filter(self, ids: NDArray[np.int32], logits: Floats) -> Floats:
        words = np.zeros(len(ids), self._WORD)
        words["id"], words["logit"] = ids, logits
        data = ctypes.cast(words.ctypes.data, llama_cpp.llama_token_data_p)
        array = llama_cpp.llama_token_data_array(data=data, size=len(ids), selected=-1, sorted=False)
        llama_cpp.llama_sampler_apply(self._sampler, ctypes.byref(array))
        return words["logit"].copy()


@contextmanager
def _grammar(vocab: Any, n_vocab: int, text: str | None) -> Iterator[_Grammar | None]:
    if text is None:
        yield None
        return
    _errors.clear()
    with _captured_stderr() as printed:
        sampler = llama_cpp.llama_sampler_init_grammar(vocab, text.encode(), b"root") if text.strip() else None
    if not sampler:
        problem = "".join(printed).partition("\n")[0].removeprefix("parse: error parsing grammar: ").strip()
        raise BadGrammarError(problem or (_reason() if text.strip() else "it is empty"))
    try:
        yield _Grammar(sampler, vocab, n_vocab)
    finally:
        llama_cpp.llama_sampler_free(sampler)


@contextmanager
def _captured_stderr() -> Iterator[list[str]]:
    """Catch what C code prints: llama.cpp's grammar parser does not log its errors, it prints them."""
    printed: list[str] = []
    sys.stderr.flush()
    saved = os.dup(2)
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 2)
        try:
            yield printed
        finally:
            os.dup2(saved, 2)
            os.close(saved)
            file.seek(0)
            printed.append(file.read().decode("utf-8", "replace"))


def _log_probabilities(row: Floats, tokens: Iterable[int]) -> list[float]:
    """Return the natural logs of the softmax of row (n_vocab,) at some tokens. Sums in float64: the error is below 1e-6."""
    top = row.max()
    total = float(top) + math.log(np.exp(row - top).sum(dtype=np.float64))
    return [min(0.0, float(row[token]) - total) for token in tokens]


def _check_file(path: Path | str) -> str:
    """Return the file's SHA-256 if it begins as a GGUF file does."""
    try:
        with open(path, "rb") as file:
            magic = file.read(4)
            if magic != b"GGUF":
                raise BadModelFileError(path, f"is not a GGUF file (begins with {magic!r})")
            file.seek(0)
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise BadModelFileError(path, (error.strerror or str(error)).lower()) from error


def _load(path: Path | str, gpu_layers: int) -> Any:
    params = llama_cpp.llama_model_default_params()
    params.n_gpu_layers = gpu_layers
    overrides = (llama_cpp.llama_model_kv_override * 2)()  # The second one, empty, ends the list.
    overrides[0].key = b"tokenizer.ggml.add_space_prefix"
    overrides[0].tag = llama_cpp.LLAMA_KV_OVERRIDE_TYPE_BOOL
    value: Any = overrides[0].value
    value.val_bool = False
    params.kv_overrides = overrides
    _errors.clear()
    model = llama_cpp.llama_model_load_from_file(os.fsencode(path), params)
    if model is None:
        raise BadModelFileError(path, f"llama.cpp refuses it: {_reason()}")
    return model


def requantize(source: Path, target: Path) -> None:
    """Write a Q4_0 copy of a GGUF model, already quantized or not.

    llama.cpp repacks Q4_0 for the CPU at hand, as it does not with every type: prompts run faster.

    Raises:
        BadModelFileError: llama.cpp cannot read the source or write the target.
    """
    params = llama_cpp.llama_model_quantize_default_params()
    params.ftype = llama_cpp.LLAMA_FTYPE_MOSTLY_Q4_0
    params.allow_requantize = True
    params.nthread = 1
    _errors.clear()
    if llama_cpp.llama_model_quantize(os.fsencode(source), os.fsencode(target), ctypes.byref(params)) != 0:
        raise BadModelFileError(source, f"llama.cpp cannot re-quantize it: {_reason()}", "check the file, and the free disk space")


def _quantization(file_type: str) -> str:
    prefixes = ("LLAMA_FTYPE_MOSTLY_", "LLAMA_FTYPE_ALL_")
    names = {str(value): name for name, value in vars(llama_cpp).items() if name.startswith(prefixes)}
    return names.get(file_type, f"LLAMA_FTYPE_{file_type or 'UNKNOWN'}").removeprefix(prefixes[0]).removeprefix(prefixes[1])


def _reason() -> str:
    """Return the first error that llama.cpp logged: the ones after it say that loading failed."""
    return _errors[0] if _errors else "it gives no reason"
