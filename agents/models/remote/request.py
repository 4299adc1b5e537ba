"""Fields of a request: what a server of some kind is sent of a `Generation`."""

from __future__ import annotations

from homebody.agents.errors import RemoteCannotError
from homebody.agents.models.generation import PENALTIES, Generation, Thinking
from homebody.agents.models.remote.provider import Body, Provider
from homebody.agents.models.thinking import told


class RequestFields:
    """Writes the fields of requests to one server.

    Args:
        provider: its kind.
        shown: its address, as messages show it.
    """

    def __init__(self, provider: Provider, shown: str) -> None:
        self._provider = provider
        self._shown = shown

    def settings(self, generation: Generation) -> Body:
        """Return the length, the stop strings and the sampling of a request; the maker's sampling is what a server does unasked.

        Raises:
            RemoteCannotError: the server does not sample so.
        """
        body: Body = {"max_tokens": generation.tokens, "seed": generation.seed}
        if ends := [mark for mark in generation.stop if mark]:
            body["stop"] = ends[:4]  # OpenAI's own service takes no more; the text is cut here in any case.
        if generation.maker:
            return body
        neutral = self._provider.neutral
        body |= {**neutral, "temperature": generation.temperature, "top_p": generation.top_p}
        body |= {name: value for name in PENALTIES if (value := getattr(generation, name))}
        own = {"top_k": generation.top_k, "min_p": generation.min_p}
        wanted = {name: value for name, value in own.items() if value}
        if generation.repetition_penalty != 1.0:
            wanted[self._provider.repetition] = generation.repetition_penalty
        if missing := ", ".join(name for name in wanted if name not in neutral):
            raise RemoteCannotError(self._shown, f"sample by {missing}", "leave it out, or use llama-server or vLLM")
        return body | wanted

    def constraint(self, generation: Generation, *, is_chat: bool) -> Body:
        """Return what holds a text to the grammar or the JSON Schema of its generation; empty where it has neither.

        Raises:
            RemoteCannotError: the server cannot hold a text to it.
        """
        grammar, schema = generation.grammar, generation.schema
        if grammar is not None:
            if self._provider.grammar is None:
                remedy = "choose a harness without a grammar, or llama-server or vLLM"
                raise RemoteCannotError(self._shown, "hold a text to a grammar", remedy)
            return self._provider.grammar(grammar)
        if schema is not None:
            fields = self._provider.chat_schema if is_chat else self._provider.schema
            if fields is None:
                raise RemoteCannotError(self._shown, "hold this text to a JSON Schema", "use llama-server or vLLM")
            return fields(schema)
        return {}

    def thinking(self, thinking: Thinking) -> Body:
        """Return what tells a server whether to think, and to tell thought and answer apart.

        Raises:
            RemoteCannotError: the harness names variables of the template, and the server takes none.
        """
        variables = told(thinking)
        if not self._provider.switches:
            if thinking.template:
                what = f"tell its chat template {', '.join(thinking.template)}"
                raise RemoteCannotError(self._shown, what, "leave it out, or use llama-server or vLLM")
            variables = {}
        return {**self._provider.thought, **({"chat_template_kwargs": variables} if variables else {})}
