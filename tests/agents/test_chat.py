import time

import pytest

from homebody.agents.errors import BadChatTemplateError, BadRequestError
from homebody.agents.models import chat_template
from homebody.agents.models.backend import CUT
from homebody.agents.models.chat_template import ChatTemplate, render_plain
from homebody.agents.sandbox.process import Worker

TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}<{{ m['role'] }}>{{ m['content'] | trim }}</s>\n{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)


def chat(*contents):
    roles = ["system", *["user", "assistant"] * len(contents)]
    return [{"role": role, "content": content} for role, content in zip(roles, contents, strict=False)]


def rendered(messages, template=TEMPLATE):
    return ChatTemplate(template, bos="<s>", eos="</s>", model="test").render(messages)


def test_template_is_cut_at_ends_of_contents_and_at_cuts():
    assert rendered(chat("Be good.", f"A room.\n{CUT}look, go")) == (
        "<s><system>Be good.",
        "</s>\n<user>A room.\n",
        "look, go</s>\n<assistant>",
    )


@pytest.mark.parametrize("render", [rendered, render_plain])
@pytest.mark.parametrize("candidates", [f"{CUT}look, go", CUT, ""])
def test_history_without_its_candidates_shares_all_before_it(render, candidates):
    before = render(chat("Be good.", f"A room.\n{candidates}"))
    after = render(chat("Be good.", "A room.\n", "look", f"You see a box.\n{candidates}"))
    assert before[:2] == after[:2]
    assert "look, go" not in "".join(after[:2])
    assert CUT not in "".join((*before, *after))


@pytest.mark.parametrize("render", [rendered, render_plain])
@pytest.mark.parametrize("mark", [CUT, ""])
def test_a_step_is_one_segment_and_shares_all_of_the_prompt_before(render, mark):
    steps = [chat("Be good.", *turns) for turns in (("A room." + mark,), ("A room." + mark, "look", "A box." + mark))]
    before, after = map(render, steps)
    assert after[: len(before)] == before
    assert len(after) == len(before) + 2
    assert after[-2].startswith("look")
    assert after[-2].endswith("A box.")


def test_plain_transcript():
    messages = chat("Be good.", "A room.", "look", f"You see a box.{CUT} Choose.")
    assert render_plain(messages) == ("Be good.", "\n\nA room.", "\n>", "look\nYou see a box.", " Choose.\n>")
    assert "".join(render_plain(messages[1:2])) == "A room.\n>"


def test_mark_avoids_characters_in_use():
    assert "".join(render_plain(chat("\ue000\ue001"))) == "\ue000\ue001\n>"


def test_no_message_is_refused():
    for render in (rendered, render_plain):
        with pytest.raises(BadRequestError, match="at least one message"):
            render([])


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{% for m in messages %}", "TemplateSyntaxError"),
        ("{{ raise_exception('no\\nroom') }}", "no room"),
        ("{{ messages[0]['content'] + 1 }}", "TypeError"),
        ("{{ ''.__class__.__mro__ }}", "SecurityError"),
        ("{% include 'file' %}", "no loader"),
        ("{{ now() }}", "now"),
    ],
)
def test_template_that_cannot_render_is_named_when_it_is_made(template, said):
    with pytest.raises(BadChatTemplateError, match=rf"^the chat template of test cannot .*{said}.*; use another model file$"):
        ChatTemplate(template, bos="", eos="", model="test")


def test_template_that_refuses_some_chat_is_named_when_it_does():
    template = ChatTemplate("{% if messages | length > 4 %}{{ raise_exception('too many') }}{% endif %}ok Answer briefly.", bos="", eos="",
                            model="test")  # fmt: skip
    assert template.render(chat("Be good.")) == ("ok Answer briefly.",)
    with pytest.raises(BadChatTemplateError, match="TemplateError: too many"):
        template.render(chat("Be good.", "a", "b", "c", "d"))


# --- what the renderers of Hugging Face and llama.cpp offer

EACH = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}"


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{% generation %}{{ messages[0].content }}{% endgeneration %}", "Be good."),
        ("{% for m in messages %}{% if m.role == 'user' %}{% continue %}{% endif %}{{ m.content }}{% endfor %}", "Be good."),
        ("{{ messages[0].content }} {{ strftime_now('%d %b %Y') }}", "Be good. 26 Jul 2024"),
        ("{{ messages[0].content }}{{ {'a': '<b> & é \\'', 'c': [1]} | tojson }}", "Be good.{\"a\": \"<b> & é '\", \"c\": [1]}"),
        ("{{ messages[0].content }}{{ [1, {'b': 2, 'a': 1}] | tojson(indent=1, sort_keys=true) }}",
         'Be good.[\n 1,\n {\n  "a": 1,\n  "b": 2\n }\n]'),
        ("{{ messages[0].content }}{{ {'a': 'é'} | tojson(ensure_ascii=true, separators=(',', ':')) }}",
         'Be good.{"a":"\\u00e9"}'),
        ("{{ messages[0].content }}{% set ns = namespace(n=1) %}{% for _ in range(3) %}{% set ns.n = ns.n * 2 %}{% endfor %}{{ ns.n }}",
         "Be good.8"),
    ],
)  # fmt: skip
def test_what_a_template_may_use(template, expected):
    assert "".join(rendered(chat("Be good.", "A room."), template)) == expected


REFUSES = "{% if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}" + EACH
DROPS = "{% for m in messages if m.role != 'system' %}<{{ m.role }}>{{ m.content }}{% endfor %}"


@pytest.mark.parametrize("template", [REFUSES, DROPS], ids=["refused", "left out"])
def test_a_system_text_that_is_not_taken_begins_the_first_user_message(template):
    made = ChatTemplate(template, bos="", eos="", model="test")
    assert made.joins_system
    assert "".join(made.render(chat("Be good.", "A room.", "look", "A box."))) == "<user>Be good.\n\nA room.<assistant>look<user>A box."
    assert "".join(made.render(chat("Be good.", "A room.", "look", "A box.")[1:])) == "<user>A room.<assistant>look<user>A box."
    assert "".join(made.render(chat("Be good."))) == "<user>Be good."
    # The steps share what is before them, as ever.
    before, after = (made.render(chat("Be good.", *turns)) for turns in (("A room.",), ("A room.", "look", "A box.")))
    assert after[: len(before)] == before


def test_a_system_text_that_is_taken_stays():
    made = ChatTemplate(EACH, bos="", eos="", model="test")
    assert not made.joins_system
    assert "".join(made.render(chat("Be good.", "A room."))) == "<system>Be good.<user>A room."


# --- limits


def test_template_that_never_ends_is_stopped_and_the_next_one_renders(monkeypatch):
    monkeypatch.setattr(chat_template, "_worker", Worker(chat_template._worker.engine, 0.5, chat_template.MEMORY_BYTES))
    endless = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
    started = time.monotonic()
    with pytest.raises(BadChatTemplateError, match="it takes longer than 10 s or more than 512 MiB"):
        ChatTemplate(endless, bos="", eos="", model="test")
    assert time.monotonic() - started < 5
    assert "".join(rendered(chat("Be good."), EACH)) == "<system>Be good."


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{% set n = namespace(s='aaaaaaaaaaaaaaaa') %}{% for i in range(40) %}{% set n.s = n.s ~ n.s %}{% endfor %}{{ n.s }}",
         "MemoryError|it takes longer than 10 s or more than 512 MiB"),
        ("{{ 'x' * 5000000 }}", "TooLarge: the text is longer than 4194304 characters"),
        ("{% macro again() %}{{ again() }}{% endmacro %}{{ again() }}", "RecursionError"),
    ],
)  # fmt: skip
def test_template_over_its_limits_is_named(template, said):
    with pytest.raises(BadChatTemplateError, match=said):
        ChatTemplate(template, bos="", eos="", model="test")
    assert "".join(rendered(chat("Be good."), EACH)) == "<system>Be good."


def test_a_chat_is_rendered_once(monkeypatch):
    made = ChatTemplate(EACH, bos="", eos="", model="test")
    first = made.render(chat("Be good.", "A room."))
    monkeypatch.setattr(chat_template, "_worker", None)
    assert made.render(chat("Be good.", "A room.")) == first


def test_templates_take_turns_in_one_worker():
    made = [ChatTemplate(f"{EACH}{number}", bos="", eos="", model="test") for number in range(20)]
    for number, template in enumerate(made):
        assert template.render(chat(f"Text {number}."))[-1] == str(number)


def test_a_killed_worker_is_one_failed_rendering_that_says_so():
    made = ChatTemplate(EACH, bos="", eos="", model="test")
    chat_template._worker._process.kill()
    with pytest.raises(BadChatTemplateError, match="it takes longer"):
        made.render(chat("One."))
    assert "".join(made.render(chat("One."))) == "<system>One."


def test_texts_that_no_json_or_utf_8_has_come_back_as_they_were():
    text = "half \ud800, line\u2028, nul \x00, mark \ue000"
    assert "".join(rendered(chat(text), EACH)) == f"<system>{text}"
