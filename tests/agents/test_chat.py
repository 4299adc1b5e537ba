import pytest

from homebody.agents.errors import BadChatTemplateError, BadRequestError
from homebody.agents.models.backend import CUT
from homebody.agents.models.chat_template import render_plain, render_template

TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}<{{ m['role'] }}>{{ m['content'] | trim }}</s>\n{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)


def chat(*contents):
    roles = ["system", *["user", "assistant"] * len(contents)]
    return [{"role": role, "content": content} for role, content in zip(roles, contents, strict=False)]


def rendered(messages, template=TEMPLATE):
    return render_template(messages, template, bos="<s>", eos="</s>", model="test")


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
        ("{{ raise_exception('no system role') }}", "no system role"),
        ("{{ messages[0]['content'] + 1 }}", "TypeError"),
        ("{{ messages.append(1) }}", "SecurityError"),
        ("{{ strftime_now('%d') }}", "strftime_now"),  # A date would make results depend on the day.
    ],
)
def test_template_that_fails_is_named(template, said):
    with pytest.raises(BadChatTemplateError, match=rf"{said}.*; use another model file$"):
        rendered(chat("Be good."), template)
