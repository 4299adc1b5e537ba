"""Nouns of titles: the rules, what a plugged-in tagger has to say, and how far both agree."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest

from homebody.envs.webshop.goals.nouns import TaggerError, colours, find_tagger, title_nouns

DATA = Path(__file__).resolve().parents[3].parent / "shared" / "data" / "webshop"


@pytest.mark.parametrize(
    ("title", "nouns"),
    [
        ("Men's T-Shirt with 2 Pockets", ["men", "t", "shirt", "pockets"]),
        ("Lamp for the Bedroom, 13.5oz (Pack of 3)", ["lamp", "bedroom", "pack"]),
        ("Table Lamp / table lamp", ["table", "lamp", "table", "lamp"]),
        ("Caf\u00e9 Cr\u00e8me 4K", ["caf\u00e9", "cr\u00e8me"]),
        ("100% for you", []),
    ],
)
def test_nouns_are_words_of_open_classes(title, nouns):
    assert find_tagger("rules")(title) == nouns


def test_colours_are_upstreams():
    assert len(colours()) == 102
    assert list(colours()) == sorted(colours())


@pytest.mark.parametrize("name", ["", "spacy", "nltk:en", None])
def test_an_unknown_tagger_is_named(name):
    with pytest.raises(TaggerError, match=r"there is none of this name; give 'rules', or 'spacy:'"):
        find_tagger(name)


def test_a_model_that_does_not_load_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "spacy", None)
    with pytest.raises(TaggerError, match=r"tagger 'spacy:en_core_web_sm': spaCy is not installed \(pip install spacy\)"):
        find_tagger("spacy:en_core_web_sm")

    def load(name: str) -> None:
        raise OSError(f"Can't find model {name!r}.\nAsk elsewhere.")

    monkeypatch.setitem(sys.modules, "spacy", SimpleNamespace(load=load))
    with pytest.raises(TaggerError, match=r"tagger 'spacy:none': it does not load \(Can't find model 'none'\.\); give 'rules'"):
        find_tagger("spacy:none")


def test_a_spacy_model_is_asked_for_nouns_and_names(monkeypatch):
    tokens = [SimpleNamespace(text=text, pos_=kind) for text, kind in (("Brass", "PROPN"), ("lamp", "NOUN"), ("tall", "ADJ"))]
    asked: list[str] = []

    def model(title: str) -> list[SimpleNamespace]:
        asked.append(title)
        return tokens

    monkeypatch.setitem(sys.modules, "spacy", SimpleNamespace(load=lambda name: {"some_model": model}[name]))
    tag = find_tagger("spacy:some_model")
    assert [tag("Brass lamp tall"), tag("Brass lamp tall")] == [["brass", "lamp"]] * 2
    assert asked == ["Brass lamp tall"]


@pytest.mark.skipif(not DATA.is_dir(), reason="WebShop's data is not beside this repository (../shared/data/webshop)")
def test_rules_agree_with_a_model():
    """Over upstream's 1,000 titles, word for word, beside the tags that spaCy's small English model gave."""
    common = ours = theirs = 0
    for line in (DATA / "title_nouns_en_core_web_sm.jsonl").read_text("utf-8").splitlines():
        record = json.loads(line)
        found = Counter(title_nouns(record["name"]))
        model = Counter(text.lower() for text, kind in record["tokens"] if kind in ("NOUN", "PROPN"))
        common, ours, theirs = common + (found & model).total(), ours + found.total(), theirs + model.total()
    print(f"\nprecision {common / ours:.3f}, recall {common / theirs:.3f} of {theirs} nouns")
    assert common / ours > 0.9
    assert common / theirs > 0.9
