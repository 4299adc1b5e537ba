"""What a model may write: slots and their fillings, and the grammar of candidates."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homebody.agents.harness.grammar import MOST_SLOT_CHARACTERS, filling, gbnf, matches
from homebody.agents.models.generation import Generation


@pytest.mark.parametrize(
    ("form", "command", "expected"),
    [
        ("wait", "wait", ""),
        ("wait", "waits", None),
        ("note {text}", "note the crate is here", "the crate is here"),
        ("note {text}", "note   two  spaces ", "two  spaces"),
        ("note {text}", "note ", None),
        ("note {text}", "note", None),
        ("note {text}", "notes of mine", None),
        ("ask[{text}]", "ask[a [b]]", "a [b]"),
        ("ask[{text}]", "ask[]", None),
        ("ask[{text}]", "ask[a", None),
        ("aa{text}aa", "aaa", None),
    ],
)
def test_filling_is_what_stands_in_the_slot(form, command, expected):
    assert filling(form, command) == expected


@given(st.text(), st.text(), st.text().filter(str.strip))
def test_filling_finds_what_was_filled_in(before, after, text):
    form = before + "{text}" + after
    if form.count("{text}") == 1:
        assert filling(form, before + text + after) == text.strip()


def test_grammar_lists_the_commands_once_each():
    assert gbnf(("wait", "walk to dock 1", "wait")) == 'root ::= "wait" | "walk to dock 1"'


def test_grammar_has_a_line_of_text_in_a_slot():
    line = r"[^\x00-\x20\x7F] [^\x00-\x1F\x7F]{0," + str(MOST_SLOT_CHARACTERS - 1) + "}"
    assert gbnf(("note {text}", "ask[{text}]")) == f'root ::= "note " {line} | "ask[" {line} "]"'


def test_grammar_has_lines_of_text_in_a_slot_for_several():
    lines = r"[^\x00-\x20\x7F] [^\x00-\x09\x0B-\x1F\x7F]*"
    assert gbnf(("wait", "note {text}"), slot_lines=("note {text}",)) == f'root ::= "wait" | "note " {lines}'


@given(st.text(min_size=1).filter(lambda text: "{text}" not in text))
def test_grammar_quotes_every_character(command):
    literal = gbnf((command,)).removeprefix("root ::= ")
    assert literal[0] == literal[-1] == '"'
    assert not re.search(r'(?<!\\)["\x00-\x1f]', literal[1:-1])
    # The one escape in it is a byte in hex: turned back, the command is there again.
    assert re.sub(r"\\x([0-9A-F]{2})", lambda found: chr(int(found[1], 16)), literal[1:-1]) == command


@pytest.mark.model
def test_llama_cpp_reads_the_grammar(smollm2):
    command = 'say "a\\b"\tß'
    prompt = smollm2.segments([{"role": "user", "content": "Say something."}])
    assert smollm2.chat(prompt, Generation(tokens=30, grammar=gbnf((command,)))).text == command
    assert filling("say ({text})", smollm2.chat(prompt, Generation(tokens=30, grammar=gbnf(("say ({text})",)))).text + ")") is not None


def test_a_command_matches_the_forms_it_is_one_of():
    forms = ("wait", "ask[{text}]")
    assert matches("wait", forms)
    assert matches("ask[the way]", forms)
    assert not matches("ask[]", forms)
    assert not matches("walk", forms)
    assert not matches("wait", ())


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_line_of_free_text_may_stand_before_the_mark(seed, smollm2):
    grammar = gbnf(("look", "take box 1"), "Do:", 30)
    prompt = [{"role": "user", "content": "Say something."}]
    reply = smollm2.chat(prompt, Generation(tokens=60, grammar=grammar, temperature=1.0, seed=seed))
    line, mark, command = reply.text.rpartition("\nDo: ")
    assert mark
    assert command in ("look", "take box 1")
    assert len(line) <= 30
    assert "\n" not in line
