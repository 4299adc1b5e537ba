"""llama.cpp in this process: the only package that imports ``llama_cpp``.

Works on the low-level batch interface, because what a decision costs is decided there:

- The prompt stays in the key-value cache, segment by segment; see `homebody.agents.models.llama.prompt`, which also says what makes
  results equal to the bit.
- Generated tokens and scored continuations are evaluated in other sequences, copied from that of the prompt (no data moves: cells are
  shared), and removed afterwards: they leave no trace in later results.
- Continuations are scored as token trees (`homebody.agents.models.token_trie`) in as few batches as possible.

What is equal to the bit, on one machine with one file and the same settings: every result, whatever was asked before, in any process, in
any order of the continuations. What is only near: the score of a continuation among different others, since the batch has another shape
then, and results with another ``n_batch``, thread count or machine.

Recurrent and hybrid models cannot drop the end of a sequence: for them copies of the recurrent state are kept. Results mean the same.

No tokenizer adds a leading space here (some would, to every piece of text given to them): a segment or continuation is what it says.
"""

import importlib.metadata
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from homebody.agents.errors import BadRequestError, ContextOverflowError
from homebody.agents.models.backend import TOKENIZED, Closing, Message, Prompt, Refuses, Segments, Tool, parts
from homebody.agents.models.chat_template import ChatTemplate, render_plain
from homebody.agents.models.generation import Generation, Reply, Thinking
from homebody.agents.models.gguf import read_header
from homebody.agents.models.llama.engine import N_OUTPUTS, Engine
from homebody.agents.models.llama.prompt import Piece, PromptMemory
from homebody.agents.models.llama.run import Run
from homebody.agents.models.llama.sampling import Floats, Grammar, log_probabilities, open_grammar, open_sampler, schema_grammar
from homebody.agents.models.llama.weights import check_file, quantization, requantize
from homebody.agents.models.llama.writing import Signs, Writer, control_texts, make_signs
from homebody.agents.models.thinking import Marks, find_marks, marks_for, may_think, open_prompt
from homebody.agents.models.token_trie import branches, plant
from homebody.agents.models.tool_call import END, START, CallReader, in_words

__all__ = ["LlamaCpp", "requantize"]

MOST_THREADS = 512
"""GGML_MAX_N_THREADS of ggml.h: at more llama.cpp ends the process."""

OnText = Callable[[str, list[int], list[int], list[float]], None]
"""Takes the text of a reply, the tokens of its prompt, those of the reply (its thought and what ended it included), and the
log-probability of each of the latter: natural logs of the softmax at temperature 1, whatever sampling or grammar chose it."""
NO_THOUGHT = Thinking("off")


@dataclass(frozen=True)
class _Place:
    """Where an answer begins."""

    segments: Segments
    """Of the prompt."""
    tokens: tuple[int, ...]
    """Of the thought, as they were generated."""


class LlamaCpp(Closing):
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
        BadChatTemplateError: its chat template cannot render a chat.
        BadRequestError: a setting is out of range.
    """

    def __init__(
        self, path: Path | str, *, name: str, n_ctx: int = 4096, n_threads: int = 1, gpu_layers: int = 0, n_batch: int = 512
    ) -> None:
        for what, value in (("n_ctx", n_ctx), ("n_batch", n_batch)):
            if value < 1:
                raise BadRequestError(what, value, "an integer of at least 1")
        if not 1 <= n_threads <= MOST_THREADS:
            raise BadRequestError("n_threads", n_threads, f"1 to {MOST_THREADS}")
        if gpu_layers < -1:
            raise BadRequestError("gpu_layers", gpu_layers, "a number of layers, or -1 for all")
        super().__init__(name)
        self.has_grammar = True
        self.on_text: OnText | None = None
        """Called with what each `chat` wrote, token by token; None, as it is at first, saves the time."""
        self._is_on_gpu = gpu_layers != 0
        sha256 = check_file(path)
        engine = Engine(path, name=name, n_ctx=n_ctx, n_threads=n_threads, gpu_layers=gpu_layers, n_batch=n_batch, usage=self.usage)
        self.engine = engine
        """What lies below; for measurements. Whoever changes sequence 0 of it spoils later results."""
        self.prompts = PromptMemory(engine)
        """What it remembers of prompts; for measurements, too."""
        self._scratch = np.empty(engine.n_vocab, np.float32)
        self._tokens = lru_cache(maxsize=TOKENIZED)(engine.tokenize)
        try:
            self._template = self._own_template()
            self._marks = self._own_marks()
            form = self._template.tool_form if self._template else None
            named = (self._marks.start, self._marks.end, self._marks.gap) if self._marks else ()
            self._texts = control_texts(engine, (START, END, *named, *((form.start,) if form else ())))
            self._recommended = read_header(Path(path)).sampling
        except BaseException:
            engine.close()
            raise
        self.n_ctx = engine.n_ctx
        self.fingerprint = {
            "engine": f"llama-cpp-python {importlib.metadata.version('llama-cpp-python')}",
            "model": engine.metadata("general.name"),
            "architecture": engine.metadata("general.architecture"),
            "quantization": quantization(engine.metadata("general.file_type")),
            "sha256": sha256,
            "n_ctx": str(engine.n_ctx),
            "n_batch": str(engine.n_batch),
            "n_threads": str(n_threads),
            "gpu_layers": str(gpu_layers),
            "flash_attention": engine.flash_attention,
        }

    def chat(self, prompt: Prompt, generation: Generation, tools: Sequence[Tool] = ()) -> Reply:
        """Return the reply; the model's own end marks end it too."""
        return self.chat_unless(lambda _: None, prompt, generation, tools, others=0)

    def chat_unless(self, refuses: Refuses, prompt: Prompt, generation: Generation, tools: Sequence[Tool] = (), *, others: int) -> Reply:
        """Return the first reply that is not refused; where the temperature is above 0 there is one alone."""
        self._check_open()
        generation = generation.sampled(self._recommended)
        grammar = schema_grammar(generation.schema) if generation.schema is not None else generation.grammar
        started = time.perf_counter()
        with open_grammar(self.engine.vocab, grammar) as rule:
            reply = self._write(prompt, generation, tools, rule, refuses, others)
        self._count(started)
        return reply

    def thinks(self, thinking: Thinking) -> bool:
        """Tell whether a reply may begin with a thought."""
        return self._template is not None and may_think(self._template, self._marks, thinking)

    def segments(self, messages: Sequence[Message], thinking: Thinking = NO_THOUGHT, tools: Sequence[Tool] = ()) -> Segments:
        """Render by the model's chat template, or as a plain transcript where it has none."""
        self._check_open()
        return self._opened(messages, thinking, tools)[0]

    def count_tokens(self, prompt: Prompt, tools: Sequence[Tool] = ()) -> int:
        """Return the number of tokens, the mark of the beginning included where the model wants one."""
        return len(self.tokens(prompt, tools=tools))

    def score(self, prompt: Prompt, continuations: Sequence[str], reply: Reply | None = None) -> list[float]:
        """Return the log-probability of each continuation; special tokens in their texts count as plain text."""
        self._check_open()
        started = time.perf_counter()
        paths = [self._tokens(text, False) for text in continuations]
        start, row = self._enter(self._pieces_before(prompt, reply), max((len(path) for path in paths), default=0))
        following = branches(paths)
        logs: dict[tuple[int, ...], float] = {}

        def keep(path: tuple[int, ...], row: Floats) -> None:
            nexts = following[path]
            for token, value in zip(nexts, log_probabilities(row, nexts, self._scratch), strict=True):
                logs.setdefault((*path, token), value)

        if () in following:
            keep((), row)
        engine = self.engine
        most = {"max_sequences": engine.n_sequences - 1, "max_nodes": max(1, min(engine.n_batch, self.n_ctx - start))}
        trees = plant(paths, **most, shares_nodes=engine.shares_tokens)
        size = min(N_OUTPUTS, engine.n_batch)
        for tree in trees:
            with engine.copies(max(node.sequences[-1] for node in tree)):
                for nodes in (tree[at : at + size] for at in range(0, len(tree), size)):
                    rows = engine.decode(
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

    def tokens(self, prompt: Prompt, reply: Reply | None = None, tools: Sequence[Tool] = ()) -> list[int]:
        """Return the tokens of a prompt, as they are evaluated; with a reply those of its thought, too."""
        self._check_open()
        return [token for _, tokens in self._pieces_before(prompt, reply, tools) for token in tokens]

    def spell(self, continuation: str) -> list[int]:
        """Return the tokens of a text that follows a prompt."""
        self._check_open()
        return list(self._tokens(continuation, False))

    def trace(self, prompt: Prompt, continuation: str, reply: Reply | None = None) -> tuple[list[int], list[float]]:
        """Return the tokens of a continuation and the log-probability of each after the prompt and those before it.

        Raises:
            ContextOverflowError: they do not fit.
        """
        tokens = self.spell(continuation)
        self._check_open()
        start, row = self._enter(self._pieces_before(prompt, reply), len(tokens))
        logs: list[float] = []
        with self.engine.copies(1):
            for number, token in enumerate(tokens):
                logs += log_probabilities(row, [token], self._scratch)
                if number + 1 < len(tokens):
                    row = self.engine.decode([token], start + number, 1, outputs=1)[0]
        return tokens, logs

    def read(self, prompt: Prompt, room: int = 0) -> tuple[int, Floats]:
        """Bring a prompt into the model's memory, where so many tokens may follow it.

        Returns:
            Its length in tokens, and the logits (n_vocab,) after its last token.

        Raises:
            ContextOverflowError: they do not fit.
            BadRequestError: the prompt is empty.
        """
        self._check_open()
        return self._enter(self._pieces_before(prompt, None), room)

    def forget(self) -> None:
        """Forget every prompt: what comes next is evaluated from its start."""
        self._check_open()
        self.prompts.clear()
        self.prompts = PromptMemory(self.engine)

    def _free(self) -> None:
        self.engine.close()

    def _write(
        self,
        prompt: Prompt,
        generation: Generation,
        tools: Sequence[Tool],
        rule: Grammar | None,
        refuses: Refuses,
        others: int,
    ) -> Reply:
        segments, messages = parts(prompt)
        is_open, signs = False, None
        if messages:
            segments, is_open = self._opened(messages, generation.thinking, tools)
            signs = self._signs(generation.thinking)
        room = generation.tokens
        if signs is not None and (is_open or self.thinks(generation.thinking)):
            closing = signs.marks.closing(f" {generation.thinking.sentence}")
            room += generation.thinking.budget + len(signs.start) + len(self._tokens(closing, True))
        pieces = self._pieces(segments)
        start, row = self._enter(pieces, room)
        sampling = open_sampler(generation, self.engine.n_vocab, is_on_gpu=self._is_on_gpu)
        with self.engine.copies(1), sampling as sampler:
            is_branching = others > 0 and generation.temperature == 0.0
            run = Run(self.engine, start, row, sampler, self._scratch if self.on_text else None, is_branching=is_branching)
            calls = CallReader(self._template.tool_form if self._template else None, offered=bool(tools))
            named = filter(None, (generation.thinking.start, generation.thinking.end))
            texts = self._texts | control_texts(self.engine, named)
            writer = Writer(self.engine, signs, run, generation, rule, calls, texts)
            reply = writer.write(is_open=is_open)
            written, logs = run.tokens, run.logs
            if is_branching and (other := writer.others(refuses, reply, others)) is not None and other is not reply:
                reply, written, logs = other, run.tokens, run.logs
        self.usage.generated_tokens += writer.chosen
        if self.on_text:
            self.on_text(reply.text, [token for _, tokens in pieces for token in tokens], written, logs)
        if writer.before is None:
            return reply
        return replace(reply, place=_Place(segments, tuple(written[: writer.before])))

    def _opened(self, messages: Sequence[Message], thinking: Thinking, tools: Sequence[Tool]) -> tuple[Segments, bool]:
        """Return the prompt of a chat, and whether it ends in an open thought."""
        if self._template is None:
            return render_plain(in_words(messages, tools)), False
        return open_prompt(self._template, self._marks, messages, thinking, tools)

    def _pieces_before(self, prompt: Prompt, reply: Reply | None, tools: Sequence[Tool] = ()) -> list[Piece]:
        """Return the pieces of a prompt before an answer without a thought, or after the thought of a reply."""
        if reply is not None and isinstance(reply.place, _Place):
            pieces = self._pieces(reply.place.segments)
            thought = reply.place.tokens
            # The name of the piece tells apart thoughts of other tokens and the same text.
            return [*pieces, (f"{thought}", thought)] if thought else pieces
        segments, messages = parts(prompt)
        return self._pieces(self.segments(messages, tools=tools) if messages else segments)

    def _enter(self, pieces: Sequence[Piece], room: int) -> tuple[int, Floats]:
        total = sum(len(tokens) for _, tokens in pieces)
        if total == 0:
            raise BadRequestError("the prompt", "", "a text of at least one token")
        if total + room > self.n_ctx:
            raise ContextOverflowError(total + room, self.n_ctx)
        cached, row = self.prompts.enter(pieces)
        self.usage.prompt_tokens += total
        self.usage.cached_tokens += cached
        return total, row

    def _pieces(self, segments: Sequence[str]) -> list[Piece]:
        """Return text and tokens of each segment that is not empty, the mark of the beginning in the first one."""
        pieces = [(text, self._tokens(text, True)) for text in segments if text]
        if self.engine.bos:
            text, tokens = pieces[0] if pieces else ("", ())
            pieces[:1] = [(text, self.engine.bos + tokens)]
        return pieces

    def _signs(self, thinking: Thinking) -> Signs | None:
        marks = marks_for(self._marks, thinking) if self._template else None
        return make_signs(self.engine, marks) if marks else None

    def _own_marks(self) -> Marks | None:
        has = lambda mark: len(self.engine.tokenize(mark, True)) == 1  # noqa: E731
        return find_marks(self._template, has) if self._template else None

    def _own_template(self) -> ChatTemplate | None:
        source = self.engine.template()
        if source is None:
            return None
        bos, eos = self.engine.marks()
        return ChatTemplate(source, bos=bos, eos=eos, model=self.name)
