"""Models that think, each in its own way: the thought is never a command, and what was cut says so.

The models are fixed texts (see `fixed_text`): whatever they are shown, they say what follows the prompt's last token.
"""

from dataclasses import replace
from itertools import pairwise

import pytest

from homebody.agents.answer import tools_for
from homebody.agents.episode import run_episode
from homebody.agents.harness.hooks import Reading
from homebody.agents.model_policy import ModelPolicy
from homebody.agents.models.generation import Generation, Thinking, ToolCall
from homebody.agents.models.gguf import read_header
from homebody.agents.models.llama import LlamaCpp
from homebody.agents.rollout import Job, RolloutConfig, Rollouts
from homebody.envs import tasks

CHAT = [{"role": "user", "content": "you see a box."}]
TURNS = "{% for m in messages %}({{ m.role }}){{ m.content }}(done){% endfor %}"
START = "{% if add_generation_prompt %}(assistant)"
CLOSED = "<think>\n\n</think>\n\n"
OPENS = f"{TURNS}{START}{{% if enable_thinking is false %}}{CLOSED}{{% else %}}<think>\n{{% endif %}}{{% endif %}}"
ALWAYS = f"{TURNS}{START}<think>\n{{% endif %}}"
ITSELF = f"{TURNS}{START}{{% if enable_thinking is false %}}{CLOSED}{{% endif %}}{{% endif %}}"
WHERE_ASKED = f"{TURNS}{START}{{% if enable_thinking %}}<think>\n{{% else %}}{CLOSED}{{% endif %}}{{% endif %}}"
PLAIN = f"{TURNS}{START}{{% endif %}}"
CALL = '{"name": "act", "arguments": {"command": "wait"}}'

MODELS = {
    # Template, what it says (the first token of each text stands at the end of a prompt), and tokens of its own.
    "thinks and answers": (OPENS, ("\nyou see the box</think>\n\nwait<|end|>",), ("wait",)),
    "knows no switch": (ALWAYS, ("\nyou see the box</think>\n\nwait<|end|>",), ("wait",)),
    "opens the thought itself": (ITSELF, (")<think>\nyou see the box</think>\n\nwait<|end|>",), ("wait",)),
    "thinks for ever": (OPENS, ("\nred cup red cup", "\n\nwait<|end|>"), ("wait",)),
    "calls a tool inside the thought": (OPENS, (f"\nyou see the box<tool_call>{CALL}</tool_call>",), (CALL,)),
    "does not think": (PLAIN, (")wait<|end|>",), ("wait",)),
}
MARKS = ("<think>", "</think>", "\n\n")
ARCHITECTURES = ("llama", "jamba")


@pytest.fixture
def says(fixed):
    """`says(name, architecture)`: one of `MODELS`."""

    def says(name, architecture="llama"):
        template, texts, own = MODELS[name]
        return fixed(template, *texts, own=own, architecture=architecture)

    return says


def thinks(**settings):
    return Generation(tokens=24, stop=("\n",), thinking=Thinking(**{"budget": 40, **settings}))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("name", MODELS)
def test_every_model_plays_the_same_command(name, architecture, says, harness, yard):
    policy = ModelPolicy(says(name, architecture))
    record = run_episode(yard.Yard(), harness(("think", {"budget": 20}), "show_candidates"), policy, yard.task("one"), max_steps=3)
    assert (record.error, [step.command for step in record.trace]) == (None, ["wait"] * 3)
    for step in record.trace:
        assert step.readable
        assert not step.cut
        assert "wait" not in step.thought
    thought = record.trace[-1].thought
    if name == "thinks for ever":
        assert thought.startswith("red cup red cup")
        assert thought.endswith(Thinking().sentence)
    else:
        assert thought == ("" if name == "does not think" else "you see the box")


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_thought_without_end_fails_where_the_harness_says_so(architecture, says, harness, yard):
    policy = ModelPolicy(says("thinks for ever", architecture))
    think = ("think", {"budget": 20, "at_budget": "fail"})
    (step,) = run_episode(yard.Yard(), harness(think), policy, yard.task("one"), max_steps=1).trace
    assert (step.response, step.command, step.finish, step.cut, step.readable) == ("", "", "budget", True, False)
    assert step.thought.startswith("red cup red cup")


@pytest.mark.parametrize("name", ["thinks and answers", "opens the thought itself"])
def test_a_budget_of_nothing_closes_the_thought_at_once(name, says):
    backend = says(name)
    assert backend.chat(CHAT, thinks(budget=0)).thought == ""
    failed = backend.chat(CHAT, thinks(budget=2, at_budget="fail"))
    assert (failed.finish, failed.text, failed.place) == ("budget", "", None)
    assert failed.thought in ("you", "you see")  # The line break after the mark is a token of the thought, too.


@pytest.mark.parametrize("tokens", [0, 24])
@pytest.mark.parametrize("n_batch", [3, 512])
def test_log_probabilities_change_no_batch(says, monkeypatch, tokens, n_batch):
    """What is wanted of a reply besides its text must not change its last bits: the same batches, and the same rows of logits."""
    backend, batches, heard = says("thinks for ever"), [], []
    backend.engine.n_batch = n_batch
    decode = backend.engine.decode
    monkeypatch.setattr(
        backend.engine, "decode", lambda *given, outputs: batches.append((*given, outputs)) or decode(*given, outputs=outputs)
    )
    generation = replace(thinks(budget=5), tokens=tokens)
    backend.chat(CHAT, generation)
    plain = batches[:]
    batches.clear()
    backend.on_text = lambda *given: heard.append(given)
    backend.forget()
    backend.chat(CHAT, generation)
    assert batches[: len(plain)] == plain
    assert max(len(batch[0]) for batch in plain[1:]) > 2  # The end of the thought, as one group.
    ((_, _, written, logs),) = heard
    assert len(written) == len(logs)
    assert all(value <= 0.0 for value in logs)


NATIVE = (
    "{% for tool in tools or [] %}can: {{ tool | tojson }} {% endfor %}{% for m in messages %}({{ m.role }}){{ m.content }}"
    '{% for c in m.tool_calls or [] %}<tool_call>{"name": "{{ c.function.name }}", "arguments": {{ c.function.arguments | tojson }}}'
    "</tool_call>{% endfor %}(done){% endfor %}{% if add_generation_prompt %}(assistant){% endif %}"
)


@pytest.mark.parametrize(("template", "shown"), [(NATIVE, "can: {"), (PLAIN, "You may call these functions")])
def test_tools_are_shown_by_the_template_or_said_in_words(template, shown, fixed, yard):
    backend = fixed(template, f")<tool_call>{CALL}</tool_call>", own=(CALL,))
    prompts = []
    backend.on_text = lambda text, prompt, tokens, logs: prompts.append(b"".join(map(backend.engine.piece, prompt)).decode())
    tools = tools_for(yard.ask(("wait",), reading=Reading("tool")))
    assert backend.chat(CHAT, Generation(), tools).tool_call == ToolCall("act", {"command": "wait"})
    backend.chat(CHAT, Generation())
    assert [shown in prompt for prompt in prompts] == [True, False]


def test_a_call_in_a_thought_ends_it_and_is_data(says):
    reply = says("calls a tool inside the thought").chat(CHAT, thinks())
    assert (reply.thought, reply.finish) == ("you see the box", "tool")
    assert reply.tool_call == ToolCall("act", {"command": "wait"})


@pytest.mark.parametrize("name", ["thinks and answers", "knows no switch", "opens the thought itself", "does not think"])
def test_off_asks_for_no_thought(name, says):
    backend = says(name)
    reply = backend.chat(CHAT, thinks(mode="off"))
    assert reply.thought == ""
    assert "box" not in reply.text
    assert not backend.thinks(Thinking("off"))


def test_on_opens_the_thought_where_the_template_does_not(fixed):
    backend = fixed(WHERE_ASKED, "\nyou see the box</think>\n\nwait<|end|>", own=("wait",))
    assert backend.chat(CHAT, thinks()).thought == ""
    assert not backend.thinks(Thinking())
    reply = backend.chat(CHAT, thinks(mode="on"))
    assert (reply.thought, reply.text) == ("you see the box", "wait")


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("name", ["thinks and answers", "opens the thought itself", "thinks for ever"])
def test_grammar_and_schema_hold_for_the_answer_alone(name, architecture, says):
    backend = says(name, architecture)
    grammar = Generation(tokens=9, grammar='root ::= "take cup" | "wait"', thinking=Thinking(budget=20))
    reply = backend.chat(CHAT, grammar)
    assert (reply.text, bool(reply.thought), reply.finish) == ("wait", True, "stop")
    schema = Generation(tokens=40, schema={"enum": ["wait"]}, thinking=Thinking(budget=20))
    reply = backend.chat(CHAT, schema)
    assert (reply.text, bool(reply.thought)) == ('"wait"', True)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("name", ["thinks and answers", "opens the thought itself", "thinks for ever"])
def test_scores_are_those_after_the_thought(name, architecture, says):
    backend = says(name, architecture)
    thought = backend.chat(CHAT, Generation(tokens=0, thinking=Thinking(budget=20)))
    assert (thought.text, bool(thought.thought)) == ("", True)
    after = dict(zip(("wait", "look"), backend.score(CHAT, ["wait", "look"], thought), strict=True))
    assert after["wait"] > after["look"] + 1.0
    # The thought's own tokens are gone on from: nothing of the prompt is evaluated twice.
    prompt, before = backend.count_tokens(CHAT), backend.usage.snapshot()
    backend.score(CHAT, ["wait", "look"], thought)
    used = backend.usage - before
    assert used.prompt_tokens == used.cached_tokens > prompt


def test_a_policy_that_scores_lets_the_model_think_first(says, harness, yard):
    policy = ModelPolicy(says("thinks and answers"))
    document = harness(("think", {"budget": 20}), ("decide", {"method": "score", "normalize": "sum"}))
    (step,) = run_episode(yard.Yard(), document, policy, yard.task("one"), max_steps=1).trace
    assert (step.command, step.thought) == ("wait", "you see the box")


@pytest.mark.parametrize(
    ("answer", "texts", "own"),
    [
        ({"read": "last"}, (")you see\nwait<|end|>",), ("wait",)),
        ({"read": "after", "mark": "Action:"}, (")Thought: you see the box\nAction: wait<|end|>",), ("Thought:", "Action:", "wait")),
        ({"read": "between", "mark": "<act>", "end": "</act>"}, (")you see<act>wait</act><|end|>",), ("wait", "<act>", "</act>")),
        ({"read": "json"}, (')you see{"command": "wait"}<|end|>',), ('{"command": "wait"}',)),
        ({"read": "tool"}, (f")<tool_call>{CALL}</tool_call>",), (CALL,)),
    ],
)  # fmt: skip
def test_an_answer_is_read_as_the_harness_says(answer, texts, own, fixed, harness, yard):
    policy = ModelPolicy(fixed(PLAIN, *texts, own=own))
    record = run_episode(yard.Yard(), harness(("answer", answer)), policy, yard.task("one"), max_steps=2)
    assert (record.error, [step.command for step in record.trace]) == (None, ["wait"] * 2)
    assert [step.cut for step in record.trace] == [False, False]


def test_an_answer_that_is_cut_says_so(fixed, harness, yard):
    policy = ModelPolicy(fixed(PLAIN, ")you see a red cup in the box on the"))
    (step,) = run_episode(yard.Yard(), harness(("answer", {"read": "last", "tokens": 4})), policy, yard.task("one"), max_steps=1).trace
    assert (step.finish, step.cut, step.response.split()) == ("length", True, ["you", "see", "a", "red"])


@pytest.mark.parametrize("keep", [0, 1, 3])
def test_the_chat_shows_replies_and_as_many_thoughts_as_wanted(keep, says, harness, yard):
    backend = says("thinks and answers")
    shown = []
    chat = backend.chat
    backend.chat = lambda prompt, generation, tools=(): shown.append(prompt) or chat(prompt, generation, tools)
    document = harness("answer", ("think", {"budget": 20, "keep": keep}))
    run_episode(yard.Yard(), document, ModelPolicy(backend), yard.task("one"), max_steps=4)
    replies = [message for message in shown[-1] if message["role"] == "assistant"]
    assert [message["content"] for message in replies] == ["wait"] * 3
    assert ["thought" in message for message in replies] == [number >= 3 - keep for number in range(3)]
    text = "".join(backend.segments(shown[-1]))
    assert text.count("<think>\nyou see the box\n</think>\n\nwait") == keep


@pytest.mark.parametrize("name", ["thinks and answers", "opens the thought itself"])
def test_a_prompt_only_grows(name, says, harness, yard):
    """Whatever the template does with thoughts: all of a prompt but its end is in the cache at the next step."""
    backend = says(name)
    calls = []
    chat = backend.chat

    def noting(prompt, generation, tools=()):
        before, reply = backend.usage.snapshot(), chat(prompt, generation, tools)
        calls.append((backend.count_tokens(prompt), (backend.usage - before).cached_tokens))
        return reply

    backend.chat = noting
    document = harness("answer", ("think", {"budget": 20, "keep": 1000}))
    run_episode(yard.Yard(), document, ModelPolicy(backend), yard.task("one"), max_steps=6)
    for (before, _), (_, cached) in pairwise(calls):
        assert cached >= before - 8


@pytest.fixture
def random_file(tiny_file):
    """The file of a model of random weights that thinks, of each architecture."""
    return lambda architecture: tiny_file(architecture, n_ctx=2048, template=OPENS, own=MARKS)


@pytest.mark.parametrize(("architecture", "read"), [*((name, "last") for name in ARCHITECTURES), ("jamba", "tool")])
def test_sampled_thoughts_are_the_same_bytes_with_any_number_of_workers(architecture, read, random_file, harness):
    document = harness(
        ("think", {"budget": 12, "keep": 2}),
        ("answer", {"tokens": 12, "read": read}),
        ("generation", {"temperature": 1.0, "top_k": 40, "top_p": 0.95, "presence_penalty": 1.5}),
    )
    config = RolloutConfig("homebody/Household-v0", str(random_file(architecture)), 3)
    jobs = [Job(document, task, seed) for task in tasks("homebody/Household-v0", "train", 2) for seed in (0, 1)]
    played = []
    for workers in (1, 2):
        with Rollouts(config, workers) as rollouts:
            played.append(list(rollouts.play(jobs)))
    one, two = ([record.trace_hash for record in records] for records in played)
    assert one == two  # Each worker is a process of its own.
    assert [record.error for record in played[0]] == [None] * 4
    thoughts = [step.thought for record in played[0] for step in record.trace]
    assert len(set(thoughts)) == len(thoughts) == 12  # Another seed, task or step draws another thought.


def test_the_makers_sampling_is_taken_where_it_is_asked_for(tiny_file):
    given = {"general.sampling.temp": 0.7, "general.sampling.top_k": 20, "general.sampling.top_p": 0.8, "general.sampling.min_p": 2.0}
    path = tiny_file("llama", n_ctx=128, metadata=given)
    assert read_header(path).sampling == pytest.approx({"temperature": 0.7, "top_k": 20, "top_p": 0.8})  # A min_p of 2 is none.
    with LlamaCpp(path, name="made") as backend:
        prompt = ("you see",)
        greedy = backend.chat(prompt, Generation(tokens=20))
        own = backend.chat(prompt, Generation(tokens=20, temperature=0.7, top_k=20, top_p=0.8, seed=4))
        # The file holds 32-bit numbers: 0.7 there is 0.699999988.
        assert backend.chat(prompt, Generation(tokens=20, maker=True, seed=4)) == own != greedy
    with LlamaCpp(tiny_file("llama", n_ctx=128), name="says nothing") as plain:
        assert plain.chat(prompt, Generation(tokens=20, maker=True)) == plain.chat(prompt, Generation(tokens=20))
