"""Models that answer in six ways, under seven templates of our own: each cell plays the same command, and none plays a thought.

The models are fixed texts (see `fixed_text`). A prompt ends in `)`, in the line break of an open thought or in the gap after a closed one;
each text says what a model of its kind says there. Every thought, and every line that is no answer, names another command.
"""

from itertools import pairwise

import pytest

from homebody.agents.episode import run_episode
from homebody.agents.model_policy import ModelPolicy
from homebody.agents.models.generation import Generation, Reply, Thinking
from homebody.agents.models.prepare import describe

SHOWN = "{{ m.content }}"
HERMES = (
    '{% for c in m.tool_calls or [] %}<tool_call>{"name": "{{ c.function.name }}", "arguments": {{ c.function.arguments | tojson }}}'
    "</tool_call>{% endfor %}"
)
XML = (
    "{% for c in m.tool_calls or [] %}<tool_call>\n<function={{ c.function.name }}>\n{% for key, value in c.function.arguments | items %}"
    "<parameter={{ key }}>\n{{ value }}\n</parameter>\n{% endfor %}</function>\n</tool_call>{% endfor %}"
)
TOOLS = "{% if tools %}(tools){% for tool in tools %}{{ tool | tojson }}{% endfor %}(done){% endif %}"
CLOSED = "<think>\n\n</think>\n\n"


def template(end, shown=SHOWN, first=""):
    turns = f"{{% for m in messages %}}({{{{ m.role }}}}){shown}(done){{% endfor %}}"
    return f"{first}{turns}{{% if add_generation_prompt %}}(assistant){end}{{% endif %}}"


TEMPLATES = {
    "opens the thought": template("<think>\n"),
    "closes it empty": template(CLOSED),
    "no thinking": template(""),
    "takes enable_thinking": template(f"{{% if enable_thinking is false %}}{CLOSED}{{% else %}}<think>\n{{% endif %}}"),
    "refuses system": template("", first="{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}"),
    "tools as XML": template("", SHOWN + XML, TOOLS),
    "tools as Hermes": template("<think>\n", SHOWN + HERMES, TOOLS),
}
CALLS = {
    "JSON": '{"name": "act", "arguments": {"command": "wait"}}',
    "XML": "\n<function=act>\n<parameter=command>\nwait\n</parameter>\n</function>\n",
}
THOUGHT = "you see\nlook"
LAST = {"read": "last"}
MODELS = {
    # How its answer is read; what it says at each end of a prompt; tokens of its own.
    "thinks and answers": (LAST, (")wait<|end|>", f"\n{THOUGHT}</think>\n\nwait"), ("wait", "\nlook")),
    "thinks for ever": (LAST, (")<think>\nred\nlook cup\nlook", "\n\nwait<|end|>"), ("wait", "\nlook")),
    "opens the thought itself": (LAST, (f")<think>\n{THOUGHT}</think>\n\nwait<|end|>",), ("wait", "\nlook")),
    "calls a tool inside the thought": (
        {"read": "tool"},
        (f")<think>\n{THOUGHT}<tool_call>CALL</tool_call><|end|>", "\n\n<tool_call>"),
        ("CALL", "\nlook"),
    ),
    "answers in the second line": (LAST, (")look\nwait<|end|>", "\nlook", "\n\nlook"), ("\nwait",)),
    "Thought and Action": (
        {"read": "after", "mark": "Action:"},
        (")Thought: look\nAction: wait<|end|>", "\nThought:", "\n\nThought:"),
        ("Thought:", "\nAction:", " wait"),
    ),
}


@pytest.fixture
def says(fixed):
    """`says(model, name, architecture="llama")`: a model of `MODELS` with a template of `TEMPLATES`."""

    def says(model, name, architecture="llama"):
        _, texts, own = MODELS[model]
        call = CALLS["XML" if "XML" in name else "JSON"]
        words = [word.replace("CALL", call) for word in own]
        return fixed(TEMPLATES[name], *(text.replace("CALL", call) for text in texts), own=words, architecture=architecture)

    return says


def played(backend, harness, yard, answer, steps=3, **think):
    document = harness(
        ("system_prompt", {"text": "Act."}), ("answer", answer), ("think", {"budget": 12, "keep": 9, **think}), "show_candidates"
    )
    return run_episode(yard.Yard(), document, ModelPolicy(backend), yard.task("one"), max_steps=steps)


@pytest.mark.parametrize("name", TEMPLATES)
@pytest.mark.parametrize(("model", "architecture"), [*((model, "llama") for model in MODELS), ("calls a tool inside the thought", "jamba")])
def test_every_cell_plays_the_same_command(model, architecture, name, says, harness, yard):
    record = played(says(model, name, architecture), harness, yard, MODELS[model][0])
    assert (record.error, [step.command for step in record.trace]) == (None, ["wait"] * 3)
    assert [(step.readable, step.cut) for step in record.trace] == [(True, False)] * 3
    assert "look" not in [step.response.strip() for step in record.trace]
    ends_open = name in ("opens the thought", "takes enable_thinking", "tools as Hermes")
    thinks = ends_open or (name != "closes it empty" and model in list(MODELS)[1:4])
    assert ["look" in step.thought for step in record.trace] == [thinks] * 3


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_thought_without_end_is_cut_and_says_so(name, says, harness, yard):
    record = played(says("thinks for ever", name), harness, yard, LAST, 1, at_budget="fail")
    (step,) = record.trace
    closed = name == "closes it empty"
    assert (step.command, step.finish, step.cut) == (("wait", "stop", False) if closed else ("", "budget", True))


@pytest.mark.parametrize("name", [name for name in TEMPLATES if "tools" in name])
def test_tool_turns_stand_in_the_form_of_the_template_and_prompts_only_grow(name, says, harness, yard):
    backend = says("calls a tool inside the thought", name)
    prompts, calls = [], []
    backend.on_text = lambda text, prompt, tokens, logs: prompts.append(b"".join(map(backend.engine.piece, prompt)).decode())
    chat = backend.chat

    def noting(messages, generation, tools=()):
        before, reply = backend.usage.snapshot(), chat(messages, generation, tools)
        used = backend.usage - before
        calls.append((used.prompt_tokens, used.cached_tokens))
        return reply

    backend.chat = noting
    document = harness(("answer", {"read": "tool"}), ("think", {"budget": 12, "keep": 9}))
    run_episode(yard.Yard(), document, ModelPolicy(backend), yard.task("one"), max_steps=4)
    written = '"arguments": {"command": "wait"}}' if "Hermes" in name else "<parameter=command>\nwait\n</parameter>"
    assert [prompt.count(written) for prompt in prompts] == [0, 1, 2, 3]
    assert all(prompt.count("(tools)") == 1 and '"name": "act"' in prompt for prompt in prompts)
    assert prompts[-1].count("(tool)") == 3
    for (before, _), (_, cached) in pairwise(calls):
        assert cached >= before - 24


def test_a_list_of_commands_in_the_tool_costs_the_cache(says, harness, yard):
    """The tool's definition stands before all turns: where it lists what is on offer, a change of that changes all that follows."""
    shares = {}
    for listed in (False, True):
        backend = says("calls a tool inside the thought", "tools as XML")
        document = harness(("answer", {"read": "tool", "listed": listed}), *(() if listed else ("show_candidates",)))
        record = run_episode(yard.Yard(), document, ModelPolicy(backend), yard.task("one"), max_steps=4)
        assert [step.command for step in record.trace] == ["wait"] * 4
        shares[listed] = backend.usage.cached_tokens / backend.usage.prompt_tokens
    assert shares[False] > 0.4


def test_the_harness_may_name_the_marks_of_a_thought(fixed, harness, yard):
    backend = fixed(TEMPLATES["no thinking"], f")<t>{THOUGHT}</t>\n\nwait<|end|>", own=("wait", "\nlook", "<t>", "</t>"))
    marks = {"start": "<t>", "end": "</t>"}
    record = played(backend, harness, yard, LAST, marks=marks)
    assert [(step.command, step.thought) for step in record.trace] == [("wait", THOUGHT)] * 3
    assert not backend.thinks(Thinking("off", **marks))
    assert backend.thinks(Thinking(**marks))


@pytest.mark.parametrize(("told", "thinks"), [({}, True), ({"enable_thinking": False}, False), ({"enable_thinking": True}, True)])
def test_the_harness_tells_the_template_what_it_asks_for(told, thinks, says, harness, yard):
    backend = says("thinks and answers", "takes enable_thinking")
    record = played(backend, harness, yard, LAST, template=told)
    assert [(step.command, bool(step.thought)) for step in record.trace] == [("wait", thinks)] * 3
    assert backend.thinks(Thinking(template=told)) == thinks


PARTS = ("<|open|>think<|sep|>", "<|close|>think<|sep|>", "<|open|>response<|sep|>")
IN_PARTS = template(f"{{% if thinking is defined and not thinking %}}{PARTS[2]}{{% else %}}{PARTS[0]}{{% endif %}}")


@pytest.mark.parametrize("budget", [20, 3])
def test_an_answer_may_begin_with_a_mark_of_its_own(budget, fixed):
    backend = fixed(IN_PARTS, f"{PARTS[0]}{THOUGHT}{PARTS[1]}{PARTS[2]}wait<|end|>", own=("wait", "\nlook", *PARTS))
    chat = [{"role": "user", "content": "you see a box."}]
    for more in ({}, {"grammar": 'root ::= "wait" | "look"'}):
        reply = backend.chat(chat, Generation(tokens=9, thinking=Thinking(budget=budget), **more))
        assert (reply.text, reply.finish) == ("wait", "stop")
        assert "you" in reply.thought
        assert "<|" not in reply.thought
    assert backend.chat(chat, Generation(tokens=9, thinking=Thinking("off"))) == Reply("wait")


OPENED, WORDS = "<think> </think>: the template opens it", "in words: its chat template shows none"
SAMPLING = {"general.sampling.temp": 0.6, "general.sampling.top_k": 20}


@pytest.mark.parametrize(
    ("source", "own", "metadata", "expected"),
    [
        (TEMPLATES["takes enable_thinking"], (), SAMPLING,
         ("yes", f"{OPENED}, unless enable_thinking says otherwise", WORDS, "temperature 0.6, top_k 20")),
        (TEMPLATES["tools as Hermes"], (), {}, ("yes", OPENED, "a JSON object, after <tool_call>", "none said")),
        (TEMPLATES["tools as XML"], (), {}, ("yes", "no", "marks around name and values, after <tool_call>", "none said")),
        (TEMPLATES["no thinking"], ("[THINK]", "[/THINK]"), {}, ("yes", "[THINK] [/THINK]: the model may open it", WORDS, "none said")),
        ("", (), {}, ("no", "no", WORDS, "none said")),
    ],
)  # fmt: skip
def test_a_file_tells_how_its_model_is_asked(source, own, metadata, expected, tiny_file):
    found = describe(str(tiny_file("llama", template=source, own=own, metadata=metadata)))
    assert tuple(found[key] for key in ("chat_template", "thinking", "tools", "sampling")) == expected


def test_a_template_of_no_use_is_said(tiny_file):
    found = describe(str(tiny_file("llama", template="{% for m in messages %}")))
    assert found["chat_template"].startswith("of no use: the chat template of ")
    assert found["thinking"] == "no"
