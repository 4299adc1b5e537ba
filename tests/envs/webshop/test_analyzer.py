"""Tokens: Porter's own examples, Unicode's rules, and what Lucene was recorded to say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homebody.envs.webshop.search.analyzer import LONGEST_TOKEN, STOP_WORDS, analyze
from homebody.envs.webshop.search.porter import stem

DATA = Path(__file__).resolve().parents[3].parent / "shared" / "data" / "webshop"
PLAIN = "aZé9_0.:;,'\u2019\u2018\uff07-/\"(\u2605\u2122\u201c\u2026\u00b7\uff1a\uff0c\u00bdµ"

PORTER_1980 = """
caresses caress|ponies poni|ties ti|cats cat|feed feed|agreed agre|plastered plaster|bled bled|motoring motor|sing sing|conflated conflat
troubled troubl|sized size|hopping hop|tanned tan|falling fall|hissing hiss|fizzed fizz|failing fail|filing file|happy happi|sky sky
relational relat|conditional condit|rational ration|valenci valenc|hesitanci hesit|digitizer digit|conformabli conform|radicalli radic
differentli differ|vileli vile|analogousli analog|vietnamization vietnam|predication predic|operator oper|feudalism feudal
decisiveness decis|hopefulness hope|callousness callous|formaliti formal|sensitiviti sensit|sensibiliti sensibl|triplicate triplic
formative form|formalize formal|electriciti electr|electrical electr|hopeful hope|goodness good|revival reviv|allowance allow
inference infer|airliner airlin|gyroscopic gyroscop|adjustable adjust|defensible defens|irritant irrit|replacement replac
adjustment adjust|dependent depend|adoption adopt|homologou homolog|communism commun|activate activ|angulariti angular
homologous homolog|effective effect|bowdlerize bowdler|probate probat|rate rate|cease ceas|controll control|roll roll
"""
"""Words and stems of the article's own tables, the later steps applied to the results of the earlier ones."""


@pytest.mark.parametrize("pair", [pair.split() for line in PORTER_1980.split("\n") for pair in line.split("|") if pair])
def test_stems_are_those_of_porters_article(pair):
    word, expected = pair
    assert stem(word) == expected


@pytest.mark.parametrize(("word", "expected"), [("technology", "technolog"), ("us", "us"), ("as", "as"), ("gyyed", "gy"), ("y", "y")])
def test_stems_follow_the_authors_later_version(word, expected):
    assert stem(word) == expected  # logi to log; nothing shorter than three letters; a double consonant may be a y


ENDINGS = [
    "s", "es", "ies", "sses", "ed", "eed", "ing", "ational", "tional", "izer", "bli", "logi", "fulness", "iviti", "icate", "ative",
    "alize", "ical", "ness", "ement", "ment", "ion", "ous", "y", "e", "ll",
]  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.text("abceilmnorstuyz", max_size=7), st.lists(st.sampled_from(ENDINGS), max_size=2))
def test_stems_are_those_of_nltk(start, endings):
    nltk = pytest.importorskip("nltk.stem.porter", reason="nltk, which is there to compare with, is not installed: pip install nltk")
    word = start + "".join(endings)
    assert stem(word) == nltk.PorterStemmer(mode="MARTIN_EXTENSIONS").stem(word)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Men's T-Shirts & Tanks", ["men", "t", "shirt", "tank"]),
        ("the woman\u2019s 3.5oz cup", ["woman", "3.5oz", "cup"]),
        ("DON'T stop", ["don't", "stop"]),
        ("1,000 or 1;2 or 1.5", ["1,000", "1;2", "1.5"]),
        ("e.g. 100% cotton", ["e.g", "100", "cotton"]),
        ("upper:heel snake_case _ __", ["upper:heel", "snake_cas"]),
        ("black|white a/b", ["black", "white", "b"]),
        ("caf\u00e9 \u0130stanbul \u03a3\u0391\u03a3", ["caf\u00e9", "istanbul", "\u03c3\u03b1\u03c3"]),
        ("\u2605new\u2605 sale\u2122", ["\u2605", "new", "\u2605", "sale", "\u2122"]),
        ("\U0001f44d\U0001f3fd \U0001f1fa\U0001f1f8", ["\U0001f44d\U0001f3fd", "\U0001f1fa\U0001f1f8"]),
        ("1\ufe0f\u20e3 #\ufe0f\u20e3", ["1\ufe0f\u20e3", "#\ufe0f\u20e3"]),
        ("\U0001f1fa", []),
        ("\u6f22\u5b57 \u30ab\u30ca \u3042", ["\u6f22", "\u5b57", "\u30ab\u30ca", "\u3042"]),
        ("x\u00b2 \u00bd 10\u202f000", ["x", "10\u202f000"]),
        ("", []),
    ],
)  # fmt: skip
def test_words_follow_unicode(text, tokens):
    assert analyze(text) == tokens


def test_stop_words_go_whatever_their_case():
    assert len(STOP_WORDS) == 33
    assert analyze(" ".join(STOP_WORDS).upper()) == []


def test_a_word_without_end_is_cut():
    assert analyze("x" * (2 * LONGEST_TOKEN + 3)) == ["x" * LONGEST_TOKEN] * 2 + ["xxx"]


@given(st.text(PLAIN))
def test_the_fast_way_agrees_with_all_of_unicode(text):
    """An ideograph joins nothing, and a piece that has one is cut by the library that knows all scripts."""
    assert analyze(text + "\u6f22") == [*analyze(text), "\u6f22"]


@given(st.text())
def test_no_text_breaks_it(text):
    assert all(token and not token.isspace() for token in analyze(text))


@pytest.mark.skipif(not DATA.is_dir(), reason="WebShop's data is not beside this repository (../shared/data/webshop)")
def test_tokens_are_those_that_lucene_was_recorded_to_give():
    cases = [json.loads(line) for line in (DATA / "lucene_analyzer_oracle.jsonl").read_text("utf-8").splitlines()]
    assert [case["text"] for case in cases if analyze(case["text"]) != case["tokens"]] == []
