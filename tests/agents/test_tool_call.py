"""Calls of tools: the form is found by rendering a template, the turns stand in it, and what a model writes is read back."""

import itertools
import json
import os
from pathlib import Path

import pytest

from homebody.agents.models.backend import CUT
from homebody.agents.models.chat_template import ChatTemplate, render_plain
from homebody.agents.models.generation import Thinking, ToolCall
from homebody.agents.models.thinking import find_marks, open_prompt
from homebody.agents.models.tool_call import PROBE_ASKED, PROBE_TOOL, CallReader, find_json_call, in_words, probe_chat

TOOLS = "{% if tools %}<tools>{% for tool in tools %}{{ tool | tojson }}{% endfor %}</tools>{% endif %}"
END = "{% if add_generation_prompt %}<assistant>{% endif %}"


def template(call, answer="{{ m.content }}", tools=TOOLS):
    """Return a template in words of our own that writes a call `c` and an answer so."""
    turn = f"{{{{ m.content }}}}{{% for c in m.tool_calls or [] %}}{call}{{% endfor %}}"
    shown = f"{{% if m.role == 'tool' %}}{answer}{{% else %}}{turn}{{% endif %}}"
    return f"{tools}{{% for m in messages %}}<{{{{ m.role }}}}>{shown}</end>{{% endfor %}}{END}"


ARGUMENTS = "{{ c.function.arguments | tojson }}"
PAIRS = "{% for k, v in c.function.arguments | items %}"
FORMS = {
    # The template; the mark that begins a call; what a model writes that calls `act` with `wait`.
    "Hermes JSON": (
        template('<tool_call>\n{"name": "{{ c.function.name }}", "arguments": ' + ARGUMENTS + "}\n</tool_call>"),
        "<tool_call>",
        '<tool_call>\n{"arguments": {"command": "wait"}, "name": "act"}\n</tool_call>',
    ),
    "bare JSON": (
        template('{"name": "{{ c.function.name }}", "parameters": ' + ARGUMENTS + "}"),
        "",
        '{"name": "act", "parameters": {"command": "wait"}}',
    ),
    "nested tags": (
        template(
            "<call>\n<function={{ c.function.name }}>" + PAIRS + "<parameter={{ k }}>\n{{ v }}\n</parameter>{% endfor %}</call>"
        ),
        "<call>",
        "<call><function=act> <parameter=command>wait</parameter></call>",
    ),
    "keys and values": (
        template(f"<|tool|>{{{{ c.function.name }}}}{PAIRS}<key>{{{{ k }}}}</key><value>{{{{ v }}}}</value>{{% endfor %}}<|/tool|>"),
        "<|tool|>",
        "<|tool|>act\n<key>command</key>\n<value>wait</value>",
    ),
    "quotes of its own": (
        template("<|tool>call:{{ c.function.name }}{{ '{' }}" + PAIRS + '{{ k }}:<|"|>{{ v }}<|"|>{% endfor %}}<tool|>'),
        "<|tool>",
        '<|tool>call:act{command:<|"|>wait<|"|>}<tool|>',
    ),
    "a channel": (
        template(" to=functions.{{ c.function.name }}<|channel|>commentary json<|message|>" + ARGUMENTS + "<|call|>"),
        "to=functions.",
        ' to=functions.act<|channel|>commentary json<|message|>{"command": "wait"}',
    ),
    "a program": (
        template(f"<|start|>[{{{{ c.function.name }}}}({PAIRS}{{{{ k }}}}='{{{{ v }}}}'{{% endfor %}})]<|stop|>"),
        "<|start|>",
        "<|start|>[act(command='wait')]",
    ),
    "ids, and arguments as a text": (
        template("[CALLS]{{ c.function.name }}[ID]{{ c.id }}[ARGS]{{ c.function.arguments + '' }}"),
        "[CALLS]",
        '[CALLS]act[ID]x81[ARGS]{"command": "wait"}',
    ),
}  # fmt: skip
NONE = {
    "shows no tool": template("", tools=""),
    "shows no call": template(""),
    "shows no answer": template(ARGUMENTS + "{{ c.function.name }}", answer=""),
    "refuses tools": "{% if tools %}{{ raise_exception('no tools') }}{% endif %}" + template("", tools=""),
    "wants users and assistants": "{% for m in messages %}{% if m.role == 'tool' %}{{ raise_exception('no') }}{% endif %}"
    "<{{ m.role }}>{{ m.content }}</end>{% endfor %}" + END,
}
TOOL = {
    "type": "function",
    "function": {
        "name": "act",
        "description": "Sends one command.",
        "parameters": {
            "type": "object",
            "properties": {"command": {"type": "string", "description": "the command"}},
            "required": ["command"],
        },
    },
}


def call(command, number=0):
    function = {"name": "act", "arguments": {"command": command}}
    return {"id": f"call{number:05d}", "type": "function", "function": function}


def chat(*commands, said=""):
    """The chat of an episode that acts by a tool."""
    found = [{"role": "system", "content": "Be good."}, {"role": "user", "content": f"A room.{CUT}"}]
    for number, command in enumerate(commands):
        found.append({"role": "assistant", "content": said, "tool_calls": [call(command, number)]})
        found.append({"role": "tool", "content": f"Seen {number}.{CUT}", "tool_call_id": f"call{number:05d}", "name": "act"})
    return found


def made(source):
    return ChatTemplate(source, bos="", eos="", model="test")


@pytest.mark.parametrize("name", FORMS)
def test_a_form_is_found_by_rendering_and_calls_are_read_in_it(name):
    source, start, written = FORMS[name]
    form = made(source).tool_form
    assert form.start == start
    assert form.as_text == ("as a text" in name)
    reader = CallReader(form, offered=True)
    found = reader.find(f"I see. {written}")
    assert (found, found.before.strip()) == (ToolCall("act", {"command": "wait"}), "I see.")
    assert reader.find(written.partition("wait")[0] + "wai") is None
    assert reader.find("wait") is None


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("said", ["", "I see."])
def test_turns_stand_in_the_form_and_prompts_only_grow(name, said):
    shown = made(FORMS[name][0])
    prompts = ["".join(shown.render(chat(*["wait", "it's", 'say "so"'][:count], said=said), tools=[TOOL])) for count in range(4)]
    for before, after in itertools.pairwise(prompts):
        assert after.startswith(before)
    assert prompts[-1].count(f"<tools>{json.dumps(TOOL)}</tools>") == 1
    turns = prompts[-1].split("<assistant>")[1:4]
    reader = CallReader(shown.tool_form, offered=True)
    assert [dict(reader.find(turn).arguments) for turn in turns[:1]] == [{"command": "wait"}]
    assert all(turn.startswith(said) for turn in turns)
    assert [f"<tool>Seen {number}.</end>" in prompts[-1] for number in range(3)] == [True] * 3
    assert CUT not in prompts[-1]


@pytest.mark.parametrize("name", NONE)
def test_a_template_without_a_place_for_tools_is_told_in_words(name):
    shown = made(NONE[name])
    assert shown.tool_form is None
    text = "".join(shown.render(chat("wait", said="I see."), tools=[TOOL]))
    assert text.startswith("<system>Be good.\n\nYou may call these functions:\n")
    assert '<assistant>I see.\n{"name": "act", "arguments": {"command": "wait"}}</end><user>Seen 0.</end>' in text
    assert "You may" not in "".join(shown.render(chat("wait")))


def test_a_transcript_says_calls_in_words():
    text = "".join(render_plain(chat("wait")))
    assert text == 'Be good.\n\nA room.\n>{"name": "act", "arguments": {"command": "wait"}}\nSeen 0.\n>'
    assert in_words([{"role": "user", "content": "So."}], [TOOL])[0]["role"] == "system"


REASONS = (
    "{% set ns = namespace(last=-1) %}"
    "{% for m in messages %}{% if m.role == 'user' %}{% set ns.last = loop.index0 %}{% endif %}{% endfor %}"
    + TOOLS
    + "{% for m in messages %}<{{ m.role }}>"
    + "{% if m.role == 'assistant' and loop.index0 > ns.last %}<think>\n{{ m.reasoning_content or '' }}\n</think>\n\n{% endif %}"
    + "{{ m.content }}{% for c in m.tool_calls or [] %}"
    + '<tool_call>{"name": "{{ c.function.name }}", "arguments": {{ c.function.arguments | tojson }}}</tool_call>{% endfor %}'
    + "</end>{% endfor %}{% if add_generation_prompt %}<assistant><think>\n{% endif %}"
)


def test_thoughts_since_the_users_message_stand_where_the_template_has_them():
    shown = made(REASONS)
    assert shown.thought_key == "reasoning_content"
    marks = find_marks(shown, lambda mark: False)
    prompts = []
    for count in range(4):
        messages = [
            message | ({"thought": f"Hm {n}."} if message["role"] == "assistant" else {})
            for n, message in enumerate(chat(*["wait"] * count))
        ]
        segments, is_open = open_prompt(shown, marks, messages, Thinking(), [TOOL])
        assert is_open
        prompts.append("".join(segments))
    for before, after in itertools.pairwise(prompts):
        assert after.startswith(before)
    assert prompts[-1].count("<think>\nHm ") == 3


PAST = (
    "{% for m in messages %}<{{ m.role }}>{% if m.reasoning_content %}<<muse>>{{ m.reasoning_content }}<</muse>> {% endif %}"
    "{{ m.content }}</end>{% endfor %}"
)


def test_marks_are_found_by_a_past_thought():
    marks = find_marks(made(PAST + END), lambda mark: False)
    assert (marks.start, marks.end) == ("<<muse>>", "<</muse>>")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('so {"name": "act", "arguments": {"command": "wait"}} and {"a": 1}', ToolCall("act", {"command": "wait"})),
        ('{"a": 1} {"tool_name": "act", "parameters": {"command": "wait"}}', ToolCall("act", {"command": "wait"})),
        ('[{"name": "act", "arguments": {"command": "wait"}}]', ToolCall("act", {"command": "wait"})),
        ('{"name": "act"}', None),
        ("{" * 100_000, None),
        ('{"name": "act", "arguments": {"command": "wait"', None),
    ],
)
def test_json_calls_are_found_in_texts(text, found):
    assert find_json_call(text) == found


TEMPLATES = os.environ.get("HOMEBODY_TEMPLATES", "")


@pytest.mark.slow
@pytest.mark.skipif(not TEMPLATES, reason="HOMEBODY_TEMPLATES names no folder of .jinja files, such as models/templates of llama.cpp")
def test_templates_of_a_folder_render_every_chat_of_an_episode():
    """No template fails inside an episode: with and without a system text, thoughts, tools, at every length and in every mode."""
    paths = sorted(Path(TEMPLATES).glob("*.jinja"))
    assert paths
    problems, native = [], 0
    for path in paths:
        try:
            shown = ChatTemplate(path.read_text("utf-8"), bos="<s>", eos="</s>", model=path.stem)
            marks = find_marks(shown, lambda mark: False)
            for count in range(4):
                tools = chat(*["wait"] * count)
                plain = [{key: message[key] for key in ("role", "content")} for message in in_words(tools)]
                for messages in (tools, plain):
                    thought = [message | ({"thought": "Hm."} if message["role"] == "assistant" else {}) for message in messages]
                    for said in (messages, messages[1:], thought):
                        for mode in ("template", "on", "off"):
                            segments, _ = open_prompt(shown, marks, said, Thinking(mode), [TOOL] if messages is tools else [])
                            assert "A room." in "".join(segments)
                            assert f"Seen {count - 1}." in "".join(segments) or not count
            form = shown.tool_form
            if form:
                written = shown._try(probe_chat(form.as_text), [PROBE_TOOL]).rpartition(PROBE_ASKED)[2].partition("zqanswer")[0]
                assert CallReader(form, offered=True).find(written) == ToolCall("zqname", {"zqfield": "zqvalue"})
                native += 1
        except Exception as error:
            problems.append(f"{path.stem}: {type(error).__name__}: {str(error)[:200]}")
    print(f"{len(paths)} templates, {native} with a form of calls of their own")
    assert "\n".join(problems) == ""
