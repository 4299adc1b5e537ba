"""Marks of a thought, found by rendering a template: six templates in words of our own, one a behaviour."""

import pytest

from homebody.agents.errors import BadChatTemplateError, BadRequestError
from homebody.agents.models.backend import CUT
from homebody.agents.models.chat_template import ChatTemplate
from homebody.agents.models.generation import Thinking
from homebody.agents.models.thinking import find_marks, open_prompt, split_thought

TURNS = "{% for m in messages %}<{{ m.role }}>{{ m.content }}</{{ m.role }}>{% endfor %}{% if add_generation_prompt %}<assistant>"
CLOSED = "<think>\n\n</think>\n\n"
TEMPLATES = {
    "ends in an open thought": TURNS + "{% if enable_thinking is false %}" + CLOSED + "{% else %}<think>\n{% endif %}{% endif %}",
    "always ends in an open thought": TURNS + "<think>\n{% endif %}",
    "the model opens it": TURNS + "{% if enable_thinking is false %}" + CLOSED + "{% endif %}{% endif %}",
    "closed unless it is asked for": TURNS + "{% if enable_thinking %}<think>\n{% else %}" + CLOSED + "{% endif %}{% endif %}",
    "drops what was thought before": "{% for m in messages %}<{{ m.role }}>{{ m.content.split('</think>')[-1] }}</{{ m.role }}>{% endfor %}"
    "{% if add_generation_prompt %}<assistant><think>\n{% endif %}",
    "has words of its own": TURNS + "{% if thinking %}[THINK]{% else %}[THINK][/THINK]{% endif %}{% endif %}",
}
CHAT = [{"role": "user", "content": f"One.{CUT}menu"}]
LATER = [
    {"role": "user", "content": f"One.{CUT}"},
    {"role": "assistant", "content": "go", "thought": "hm, <b>"},
    {"role": "user", "content": f"Two.{CUT}menu"},
]


def template(name):
    return ChatTemplate(TEMPLATES[name], bos="", eos="", model="test")


def no_words(mark):
    return False


@pytest.mark.parametrize(
    ("name", "ends"),
    [
        ("ends in an open thought", ("open", "open", "closed")),
        ("always ends in an open thought", ("open", "open", "open")),
        ("the model opens it", ("none", "none", "closed")),
        ("closed unless it is asked for", ("closed", "open", "closed")),
        ("drops what was thought before", ("open", "open", "open")),
        ("has words of its own", ("closed", "open", "closed")),
    ],
)
def test_marks_are_found_by_rendering(name, ends):
    marks = find_marks(template(name), no_words)
    wanted = ("[THINK]", "[/THINK]") if "words" in name else ("<think>", "</think>")
    assert (marks.start, marks.end) == wanted
    assert tuple(marks.opens[mode] for mode in ("template", "on", "off")) == ends


def test_marks_of_the_vocabulary_count_where_the_template_shows_none():
    plain = ChatTemplate(TURNS + "{% endif %}", bos="", eos="", model="test")
    assert find_marks(plain, no_words) is None
    assert find_marks(plain, lambda mark: mark in ("[THINK]", "[/THINK]")).start == "[THINK]"
    assert find_marks(plain, lambda mark: mark == "[THINK]") is None


@pytest.mark.parametrize("name", TEMPLATES)
@pytest.mark.parametrize(("mode", "is_open"), [("on", True), ("off", False)])
def test_on_and_off_hold_for_every_template(name, mode, is_open):
    shown = template(name)
    marks = find_marks(shown, no_words)
    segments, found = open_prompt(shown, marks, CHAT, Thinking(mode))
    assert found == is_open
    text = "".join(segments).rstrip()
    assert text.endswith(marks.start if is_open else marks.end)
    assert text.count(marks.start) == 1


@pytest.mark.parametrize("name", TEMPLATES)
@pytest.mark.parametrize("mode", ["template", "on", "off"])
def test_prompts_only_grow_whatever_the_template_does_with_thoughts(name, mode):
    shown = template(name)
    marks = find_marks(shown, no_words)
    before, _ = open_prompt(shown, marks, CHAT, Thinking(mode))
    after, _ = open_prompt(shown, marks, LATER, Thinking(mode))
    assert before[0] == after[0]
    assert f"{marks.start}\nhm, <b>\n{marks.end}\n\ngo" in "".join(after)
    assert "menu" not in "".join(after[:-2])
    # What the template writes of a thought stands alone: what comes before it is the same when the reply follows.
    assert after[1].startswith("</user><assistant>")


@pytest.mark.parametrize(
    ("text", "thought", "answer"),
    [
        ("<think>\nOne.\n</think>\n\ngo", "\nOne.\n", "\n\ngo"),
        ("One.\n</think>\n\ngo", "One.\n", "\n\ngo"),
        (" <think>One", "One", ""),
        ("[THINK]One[/THINK]go", "One", "go"),
        ("go", "", "go"),
        ("a <think> later", "", "a <think> later"),
    ],
)
def test_a_thought_in_a_text_is_set_apart(text, thought, answer):
    assert split_thought(text) == (thought, answer)


EFFORT = "{% if effort is defined and effort not in ('low', 'high') %}{{ raise_exception('effort is low or high') }}{% endif %}"


def test_what_the_template_is_told_is_rendered_and_a_wrong_value_is_named():
    shown = ChatTemplate(EFFORT + "{{ effort }}" + TURNS + "{% endif %}", bos="", eos="", model="test")
    segments, _ = open_prompt(shown, None, CHAT, Thinking(template={"effort": "low"}))
    assert "".join(segments).startswith("low<user>")
    with pytest.raises(
        BadChatTemplateError, match=r"effort is low or high; the harness tells it {\"effort\": \"most\"}: tell it something else$"
    ):
        open_prompt(shown, None, CHAT, Thinking(template={"effort": "most"}))


@pytest.mark.parametrize("name", ["messages", "tools", "a b", "", "1a", "bos_token"])
def test_names_that_a_template_cannot_be_told_are_refused(name):
    with pytest.raises(BadRequestError, match="allowed: a name but messages, tools"):
        Thinking(template={name: 1})


@pytest.mark.parametrize("given", [{"start": "<t>"}, {"end": "<t>"}, {"template": {"a": [1]}}])
def test_half_a_pair_of_marks_and_other_values_are_refused(given):
    with pytest.raises(BadRequestError):
        Thinking(**given)
