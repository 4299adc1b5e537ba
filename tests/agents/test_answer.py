"""How a command is read from a reply, and how the components that say so set it."""

import pytest

from homebody.agents.answer import read_answer, tools_for
from homebody.agents.harness.grammar import gbnf
from homebody.agents.harness.hooks import Choice, Reading
from homebody.agents.model_policy import ModelPolicy
from homebody.agents.models.generation import AT_BUDGET, Generation, Reply, Thinking, ToolCall
from homebody.agents.models.scripted import Scripted
from homebody.agents.models.tool_call import find_tool_call, make_tool_call

REACT = "Thought: plates are in cabinets.\nAction: go to dock 1."


FORMS = ("erase", "read it", "set 2: {text}", "tell {text}")
SEVERAL = ("set 2: {text}", "tell {text}")


@pytest.mark.parametrize(
    ("reading", "text", "command"),
    [
        # The text goes on to the end, or to another command.
        (Reading("first"), "tell one\n  two\n\nthree\n", "tell one\n  two\n\nthree"),
        (Reading("first"), "set 2:   'a.'\nerase", "set 2:   'a.'"),
        (Reading("first"), "tell one\ntwo\nset 2: b", "tell one\ntwo"),
        (Reading("first"), "erase\ntell one", "erase"),
        # Its first line may stand below, and marks around the whole are no part of it.
        (Reading("first"), "tell\n  one\ntwo", "tell   one\ntwo"),
        (Reading("first"), "> `set 2: b`", "set 2: b"),
        (Reading("first"), "```text\ntell one\n```", "tell one\n```"),
        (Reading("last"), "I see.\ntell one\ntwo", "tell one\ntwo"),
        (Reading("last"), "tell one\ntwo\nread it.", "read it"),
        (Reading("last"), "tell one\nset 2: b\nc", "set 2: b\nc"),
        (Reading("last"), "I see.\nnothing", "nothing"),
        (Reading("after", "Action:"), "so\nAction: tell one\ntwo", "tell one\ntwo"),
        (Reading("after", "Action:"), "so\ntell one\ntwo", "tell one\ntwo"),
        (Reading("between", "<act>", "</act>"), "<act>tell one\ntwo</act> so", "tell one\ntwo"),
        (Reading("json"), '{"command": "tell one\\ntwo"}', "tell one\ntwo"),
        (Reading("json"), '{"command": "erase."}', "erase"),
        (Reading("json"), '{"command": "set 2: b."}', "set 2: b."),
        (Reading("tool"), 'act("tell one\\ntwo\'s")', "tell one\ntwo's"),
    ],
)
def test_a_command_of_several_lines_is_read_whole(reading, text, command):
    assert read_answer(Reply(text), reading, FORMS, SEVERAL) == command


def test_a_call_may_hold_several_lines():
    reply = Reply("", tool_call=ToolCall("act", {"command": "tell one\n  two"}))
    assert read_answer(reply, Reading("tool"), FORMS, SEVERAL) == "tell one\n  two"


@pytest.mark.parametrize(("slot_lines", "stop"), [((), ("\n",)), (("tell {text}",), ())])
def test_the_first_line_is_not_the_end_where_a_command_may_hold_several(slot_lines, stop, make, yard):
    event = yard.ask(("erase", "tell {text}"), slot_lines=slot_lines)
    assert make("answer", {"read": "first"}).process(event)["generation"].stop == stop


@pytest.mark.parametrize(
    ("reading", "text", "command"),
    [
        (Reading(), REACT, "Thought: plates are in cabinets"),
        (Reading("first"), "\n\n go to dock 1\nor not", "go to dock 1"),
        (Reading("last"), "I see.\ngo to dock 1\n\n", "go to dock 1"),
        (Reading("last"), "", ""),
        (Reading("after", "Action:"), REACT, "go to dock 1"),
        (Reading("after", "action:"), REACT, "go to dock 1"),
        (Reading("after", "Action:"), f"{REACT}\nAction:\n  wait\nand so on", "wait"),  # The last one, and the line below it.
        (Reading("after", "Action:"), "I see.\nwait", "wait"),  # Without the mark the last line.
        (Reading("after", "Action:"), "Thought: so\nAction:", ""),
        (Reading("between", "<act>", "</act>"), "so <act>look</act> no, <act> wait </act> yes", "wait"),
        (Reading("between", "<act>", "</act>"), "so <act>wait", "wait"),
        (Reading("between", "<act>", "</act>"), "so\nwait", "wait"),
        (Reading("json"), 'Here: {"command": "wait", "why": "so"} and', "wait"),
        (Reading("json", field="do"), '```\n{"command": "look", "do": "wait"}\n```', "wait"),
        (Reading("json"), '{"do": "wait"}', "wait"),  # The only text that there is.
        (Reading("json"), '{"command": 7}\nwait', "wait"),
        (Reading("json"), "{" * 5000 + "}", "{" * 5000 + "}"),
        (Reading("tool"), "I see.\nwait", "wait"),
    ],
)
def test_a_command_is_read_from_the_answer_alone(reading, text, command):
    assert read_answer(Reply(text, "Action: <act>look</act>"), reading) == command


@pytest.mark.parametrize("reading", [Reading(), Reading("after", "Action:"), Reading("tool", field="do")])
def test_a_call_of_a_tool_is_read_wherever_it_is_written(reading):
    assert read_answer(Reply("so", tool_call=ToolCall("act", {reading.field: "wait", "why": "so"})), reading) == "wait"
    assert read_answer(Reply("so", tool_call=ToolCall("act", {"n": 1})), reading) == ""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('so <tool_call>\n{"name": "act", "arguments": {"command": "wait"}}\n</tool_call>', ToolCall("act", {"command": "wait"})),
        ('<tool_call>{"name": "act", "arguments": "{\\"command\\": \\"wait\\"}"}</tool_call>', ToolCall("act", {"command": "wait"})),
        (
            "<tool_call>\n<function=act>\n<parameter=command>\nwait\n</parameter>\n</function>\n</tool_call>",
            ToolCall("act", {"command": "wait"}),
        ),
        ('<tool_call>{"name": "act"', None),
        ("<tool_call>[1]</tool_call>", None),
        ('{"name": "act"}', None),
        ("", None),
    ],
)  # fmt: skip
def test_calls_are_found_in_the_forms_that_models_write(text, expected):
    assert find_tool_call(text) == expected


@pytest.mark.parametrize("text", ["", "7", "null", '{"name": 7}', '{"name": "act", "arguments": [1]}', "[" * 10**5])
def test_what_is_no_call_is_none(text):
    assert make_tool_call(text) is None


@pytest.mark.parametrize(
    ("reply", "command"),
    [
        (Reply('So: {"name": "act", "arguments": {"command": "wait"}}.'), "wait"),
        (Reply('{"command": "wait"}'), "wait"),
        (Reply('I do act("go to dock 1") now.'), "go to dock 1"),
        (Reply("act(command='it\\'s')"), "it's"),
        (Reply("", 'Maybe {"name": "act", "arguments": {"command": "look"}} or {"name": "act", "arguments": {"command": "wait"}}'), "wait"),
        (Reply("wait", 'No {"name": "act", "arguments": {"command": "look"}}'), "wait"),  # What was answered counts.
        (Reply("", "I might look around."), ""),
        (Reply("", "wait"), ""),
        (Reply('{"name": "other", "arguments": {"command": "look"}}\nwait'), "wait"),
        (Reply("{" * 9000), "{" * 9000),
    ],
)  # fmt: skip
def test_a_missed_call_is_read(reply, command):
    assert read_answer(reply, Reading("tool")) == command


def test_a_tool_is_offered_where_calls_are_read(yard):
    assert tools_for(yard.ask(("wait",))) == ()
    (tool,) = tools_for(yard.ask(("wait",), reading=Reading("tool", field="do")))
    assert tool["function"]["parameters"]["required"] == ["do"]
    held = [Choice("grammar"), Choice("score"), Choice("vote", constrained=True)]
    assert [tools_for(yard.ask(("wait",), reading=Reading("tool"), choice=choice)) for choice in held] == [()] * 3


def test_a_tool_lists_what_is_on_offer_where_the_harness_says_so(yard):
    def listed(**given):
        (tool,) = tools_for(yard.ask(("wait", "look"), reading=Reading("tool", listed=True), **given))
        return tool["function"]["parameters"]["properties"]["command"].get("enum")

    assert listed() == ["wait", "look"]
    assert listed(tools=("read notes",)) == ["wait", "look", "read notes"]
    assert listed(tools=("note {text}",)) is None  # What may be any text is no list.


# --- the components


@pytest.mark.parametrize(
    ("params", "stop", "reading"),
    [
        ({}, ("\n",), Reading("first", "Action:", shown="reply")),
        ({"read": "after", "stop": ["\nObs"]}, ("\nObs",), Reading("after", "Action:", shown="reply")),
        (
            {"read": "between", "mark": "<a>", "end": "</a>", "shown": "command"},
            ("</a>",),
            Reading("between", "<a>", "</a>"),
        ),
    ],
)
def test_answer_sets_room_stops_and_reading(params, stop, reading, make, yard):
    changes = make("answer", params).process(yard.ask(("wait",), generation=Generation(temperature=0.5)))
    assert changes == {"generation": Generation(tokens=128, stop=stop, temperature=0.5), "reading": reading}


def test_generation_and_think_set_their_own_fields_alone(make, yard):
    event = yard.ask(("wait",), generation=Generation(tokens=7))
    sampling = {"temperature": 1, "top_k": 20, "top_p": 0.95, "min_p": 0.1, "presence_penalty": 1.5, "maker": True, "seed": 3}
    assert make("generation", sampling).process(event) == {"generation": Generation(tokens=7, **sampling)}
    thinking = Thinking("on", 9, "fail", "So.")
    changes = make("think", {"mode": "on", "budget": 9, "at_budget": "fail", "sentence": "So.", "keep": 2}).process(event)
    assert changes == {"generation": Generation(tokens=7, thinking=thinking), "thoughts": 2}
    assert AT_BUDGET == ("close", "fail")


def asked(yard, attempt=0, seed=0, task="one", **generation):
    backend = Scripted(["wait"] * 2)
    policy = ModelPolicy(backend)
    policy.begin(seed, attempt, None, task)
    for _ in range(2):
        policy.decide(yard.ask(("wait", "look"), generation=Generation(**generation)), [{"role": "user", "content": "A yard."}])
    return [(call.generation.temperature, call.generation.seed) for call in backend.calls]


def test_a_first_attempt_samples_where_the_harness_says_so(yard):
    runs = [asked(yard, temperature=0.6), asked(yard, temperature=0.6, seed=1), asked(yard, temperature=0.6, attempt=1)]
    runs.append(asked(yard, temperature=0.6, task="two"))
    assert {temperature for run in runs for temperature, _ in run} == {0.6}
    assert len({seed for run in runs for _, seed in run}) == 8
    assert asked(yard, temperature=0.6) == runs[0]
    assert {temperature for temperature, _ in asked(yard)} == {0.0}


@pytest.mark.parametrize(
    ("written", "command"),
    [("I see a dock.\nAction: look", "look"), ("So\nAction: lo", "look"), ("On and on", "wait"), ("\nAction: wait", "wait")],
)
def test_under_a_grammar_a_line_of_thought_stands_before_the_mark(written, command, yard):
    backend = Scripted([Reply(written)])
    policy = ModelPolicy(backend)
    event = yard.ask(("wait", "look"), choice=Choice("grammar"), reading=Reading("after", "Action:"), generation=Generation(tokens=20))
    decision = policy.decide(event, [{"role": "user", "content": "A yard."}])
    assert (decision.command, decision.response, decision.is_free) == (command, written, False)
    generation = backend.calls[0].generation
    assert generation.grammar == gbnf(("wait", "look"), "Action:", 40)
    assert generation.tokens == 1 + 4 + 40 + 7
