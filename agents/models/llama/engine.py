"""A model and its context in llama.cpp: tokens, batches, sequences, and their state as bytes.

Sequence 0 holds the prompt. Knows nothing of segments and of what is cached; see `homebody.agents.models.llama.prompt` for that.

On a CPU flash attention is off: llama.cpp's is the slower one there for batches of a few dozen tokens, which an episode is made of. On
a GPU llama.cpp chooses.
"""

import ctypes
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import llama_cpp
import numpy as np
from numpy.typing import NDArray

from homebody.agents.errors import BadModelFileError, DecodeError
from homebody.agents.models.backend import Usage
from homebody.agents.models.gguf import N_STATES
from homebody.agents.models.llama.log import errors, reason, signals_held
from homebody.agents.models.llama.sampling import Floats
from homebody.agents.models.llama.weights import load_model

N_OUTPUTS = 128
"""Most rows of logits of one batch: 128 rows of Gemma's 262,144 words are 134 MB, as many as n_batch would be 537 MB."""
N_SEQUENCES = 64

State = tuple[NDArray[np.uint8], ...]
"""What a sequence holds, as bytes, in one part or several."""


class Engine:
    """An open model; `homebody.agents.models.llama.LlamaCpp` says what the arguments mean.

    Args:
        usage: its `decode_seconds` grow here.

    Raises:
        BadModelFileError: llama.cpp refuses the file, it is not a text generator, or there is no memory for its context.
    """

    def __init__(self, path: Path | str, *, name: str, n_ctx: int, n_threads: int, gpu_layers: int, n_batch: int, usage: Usage) -> None:
        self._name = name
        self._usage = usage
        self._model = load_model(path, gpu_layers)
        self.vocab = llama_cpp.llama_model_get_vocab(self._model)
        self.n_vocab: int = llama_cpp.llama_vocab_n_tokens(self.vocab)
        self.n_ctx: int = min(n_ctx, llama_cpp.llama_model_n_ctx_train(self._model))
        self.n_batch = min(n_batch, self.n_ctx)
        self.forgets = not (llama_cpp.llama_model_is_recurrent(self._model) or llama_cpp.llama_model_is_hybrid(self._model))
        """Whether the memory can forget the end of a sequence. A recurrent one cannot: it holds a state, not tokens."""
        self.shares_tokens = not llama_cpp.llama_model_is_recurrent(self._model)
        """Whether a token of a batch may belong to several sequences."""
        self._window: int = llama_cpp.llama_model_n_swa(self._model)
        self.saves = self.forgets or self._window == 0
        """Whether `state` and `point` bring back what a fresh evaluation would give, to the bit."""
        self.n_sequences = N_SEQUENCES if self.forgets else N_STATES
        self.flash_attention = "auto" if gpu_layers else "off"
        self._context = self._open(path, n_threads, gpu_layers)
        self._memory = llama_cpp.llama_get_memory(self._context)
        self._batch = _Batch(self.n_batch, self.n_sequences)
        adds_bos = llama_cpp.llama_vocab_get_add_bos(self.vocab)
        self.bos: tuple[int, ...] = (llama_cpp.llama_vocab_bos(self.vocab),) if adds_bos else ()
        """The mark of the beginning, where the model wants one."""

    def _open(self, path: Path | str, n_threads: int, gpu_layers: int) -> Any:
        params = llama_cpp.llama_context_default_params()
        params.n_ctx = self.n_ctx
        params.n_batch = params.n_ubatch = self.n_batch  # One batch is one computation: no second split with a shape of its own.
        params.n_seq_max = self.n_sequences
        params.n_outputs_max = N_OUTPUTS
        params.n_threads = params.n_threads_batch = n_threads
        params.kv_unified = True
        params.swa_full = True  # Else a sliding window forgets what a shorter prompt needs again.
        params.offload_kqv = params.op_offload = gpu_layers != 0
        attention = llama_cpp.LLAMA_FLASH_ATTN_TYPE_AUTO if gpu_layers else llama_cpp.LLAMA_FLASH_ATTN_TYPE_DISABLED
        params.flash_attn_type = attention
        params.no_perf = True
        errors.clear()
        context = None
        generates = llama_cpp.llama_model_has_decoder(self._model) and not llama_cpp.llama_model_has_encoder(self._model)
        if generates:
            with signals_held():
                context = llama_cpp.llama_init_from_model(self._model, params)
        if context is not None and llama_cpp.llama_get_memory(context) is None:
            llama_cpp.llama_free(context)
            generates, context = False, None
        if context is None:
            llama_cpp.llama_model_free(self._model)
            if not generates:
                raise BadModelFileError(path, "it is not a model that generates text", "give a decoder-only language model")
            raise BadModelFileError(path, f"llama.cpp cannot open a context: {reason()}", "load it with a smaller n_ctx")
        return context

    def decode(
        self,
        tokens: Sequence[int],
        positions: int | Sequence[int],
        sequences: int | Sequence[tuple[int, ...]],
        *,
        outputs: int,
    ) -> Floats:
        """Evaluate one batch.

        Args:
            tokens: ids, at most n_batch.
            positions: of each token, or of the first one of a run.
            sequences: those of each token, or the one of all.
            outputs: so many of the last tokens give logits, at most `N_OUTPUTS`.

        Returns:
            Logits (outputs, n_vocab): a view that the next batch overwrites.

        Raises:
            DecodeError: llama.cpp fails. What it left in the sequences is not known.
        """
        batch = self._batch.fill(tokens, positions, sequences, outputs)
        errors.clear()
        started = time.perf_counter()
        status = llama_cpp.llama_decode(self._context, batch)
        if status != 0:
            raise DecodeError(self._name, f"status {status}, {reason()}")
        logits = llama_cpp.llama_get_logits(self._context)  # A GPU may still be at work: this waits for it.
        self._usage.decode_seconds += time.perf_counter() - started
        if outputs == 0:
            return np.empty((0, self.n_vocab), np.float32)
        return np.ctypeslib.as_array(logits, shape=(outputs, self.n_vocab))

    @contextmanager
    def copies(self, count: int) -> Iterator[None]:
        """Make sequences 1 to count copies of sequence 0 (cells are shared, no data moves) and remove them at the end."""
        try:
            for sequence in range(1, count + 1):
                llama_cpp.llama_memory_seq_cp(self._memory, 0, sequence, -1, -1)
            yield
        finally:
            for sequence in range(1, count + 1):
                llama_cpp.llama_memory_seq_rm(self._memory, sequence, -1, -1)

    def shorten(self, sequence: int, size: int) -> None:
        """Reduce a copy of sequence 0 to its first tokens, at least those of sequence 0; just to these where the model does not forget."""
        if self.forgets:
            llama_cpp.llama_memory_seq_rm(self._memory, sequence, size, -1)
        else:
            llama_cpp.llama_memory_seq_rm(self._memory, sequence, -1, -1)
            llama_cpp.llama_memory_seq_cp(self._memory, 0, sequence, -1, -1)

    def go_back(self, size: int, point: NDArray[np.uint8] | None = None) -> bool:
        """Reduce sequence 0 to its first tokens.

        Args:
            size: so many.
            point: what `point` returned when sequence 0 had that size; needed where the model does not forget.

        Returns:
            False if llama.cpp refuses; the content of sequence 0 is unknown then.
        """
        if point is not None:
            flags = llama_cpp.LLAMA_STATE_SEQ_FLAGS_PARTIAL_ONLY
            if llama_cpp.llama_state_seq_set_data_ext(self._context, _bytes(point), len(point), 0, flags) != len(point):
                return False
        return bool(llama_cpp.llama_memory_seq_rm(self._memory, 0, size, -1))

    def clear(self) -> None:
        """Empty every sequence."""
        llama_cpp.llama_memory_clear(self._memory, False)

    def point(self) -> NDArray[np.uint8]:
        """Return the recurrent state of sequence 0, without its keys and values, as bytes."""
        flags = llama_cpp.LLAMA_STATE_SEQ_FLAGS_PARTIAL_ONLY
        point = np.empty(llama_cpp.llama_state_seq_get_size_ext(self._context, 0, flags), np.uint8)
        llama_cpp.llama_state_seq_get_data_ext(self._context, _bytes(point), len(point), 0, flags)
        return point

    def state_size(self) -> int:
        """Return the number of bytes that `state` would give."""
        return sum(int(llama_cpp.llama_state_seq_get_size(self._context, sequence)) for sequence in self._sliding())

    def state(self) -> State:
        """Return what sequence 0 holds, as bytes."""
        parts = []
        for sequence in self._sliding():
            part = np.empty(llama_cpp.llama_state_seq_get_size(self._context, sequence), np.uint8)
            llama_cpp.llama_state_seq_get_data(self._context, _bytes(part), len(part), sequence)
            parts.append(part)
        return tuple(parts)

    def restore(self, state: State) -> bool:
        """Empty every sequence and fill sequence 0 with what `state` returned; False if llama.cpp refuses, and then all is empty."""
        self.clear()  # The state goes to the first cells, where a fresh evaluation would have put it: sums keep their order.
        sequence = 1 if self._window else 0
        for part in state:
            if llama_cpp.llama_state_seq_set_data(self._context, _bytes(part), len(part), sequence) != len(part):
                self.clear()
                return False
            if sequence:
                llama_cpp.llama_memory_seq_cp(self._memory, sequence, 0, -1, -1)
                llama_cpp.llama_memory_seq_rm(self._memory, sequence, -1, -1)
        return True

    def _sliding(self) -> Iterator[int]:
        """Yield sequences that together hold what sequence 0 holds.

        llama.cpp leaves out of a sequence's state the tokens that its end does not see through a sliding window. A shorter prompt
        needs them again, and the others would come back in other cells. So each window of tokens is a sequence while it is yielded.
        """
        if not self._window:
            yield 0
            return
        for start in range(0, llama_cpp.llama_memory_seq_pos_max(self._memory, 0) + 1, self._window):
            llama_cpp.llama_memory_seq_cp(self._memory, 0, 1, start, start + self._window)
            try:
                yield 1
            finally:
                llama_cpp.llama_memory_seq_rm(self._memory, 1, -1, -1)

    def tokenize(self, text: str, special: bool) -> tuple[int, ...]:
        """Return the tokens of a text; marks of the model, such as its end, are read as such only if `special`."""
        data = text.encode("utf-8", "replace")
        room = len(data) + 8
        tokens = (llama_cpp.llama_token * room)()
        count = llama_cpp.llama_tokenize(self.vocab, data, len(data), tokens, room, False, special)
        return tuple(tokens[:count])

    def piece(self, token: int) -> bytes:
        """Return the token's bytes; none for a special token."""
        room = 256
        buffer = ctypes.create_string_buffer(room)
        count = llama_cpp.llama_token_to_piece(self.vocab, token, buffer, room, 0, False)
        return buffer.raw[: max(count, 0)]

    def word(self, token: int) -> str:
        """Return the text that stands for a special token; empty if the model has none."""
        return llama_cpp.llama_vocab_get_text(self.vocab, token).decode("utf-8", "replace") if token >= 0 else ""

    def ends(self, token: int) -> bool:
        """Tell whether a token is one of the model's own marks of an end."""
        return bool(llama_cpp.llama_vocab_is_eog(self.vocab, token))

    def template(self) -> str | None:
        """Return the chat template of the metadata, or None."""
        template = llama_cpp.llama_model_chat_template(self._model, None)
        return template.decode("utf-8", "replace") if template else None

    def marks(self) -> tuple[str, str]:
        """Return the texts of the marks of beginning and end for a template; no beginning where the tokens get it anyway."""
        bos = "" if self.bos else self.word(llama_cpp.llama_vocab_bos(self.vocab))
        return bos, self.word(llama_cpp.llama_vocab_eos(self.vocab))

    def metadata(self, key: str) -> str:
        """Return a text of the file's metadata; empty if there is none of that key."""
        buffer = ctypes.create_string_buffer(512)
        llama_cpp.llama_model_meta_val_str(self._model, key.encode(), buffer, len(buffer))
        return buffer.value.decode("utf-8", "replace")

    def close(self) -> None:
        """Free the context and the model; to be called once."""
        llama_cpp.llama_free(self._context)
        llama_cpp.llama_model_free(self._model)


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

    def fill(self, tokens: Sequence[int], positions: int | Sequence[int], sequences: int | Sequence[tuple[int, ...]], outputs: int) -> Any:
        n = len(tokens)
        self._token[:n] = tokens
        self._position[:n] = np.arange(positions, positions + n) if isinstance(positions, int) else positions
        if isinstance(sequences, int):
            self._count[:n] = 1
            self._sequence[:n, 0] = sequences
        else:
            for index, ids in enumerate(sequences):
                self._count[index] = len(ids)
                self._sequence[index, : len(ids)] = ids
        self._output[:n] = 0
        self._output[n - outputs : n] = 1
        self._batch.n_tokens = n
        return self._batch


def _bytes(array: NDArray[np.uint8]) -> Any:
    return array.ctypes.data_as(ctypes.POINTER(ctypes.c_uint8))
