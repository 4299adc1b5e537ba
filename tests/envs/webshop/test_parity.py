"""Parity in every clone: what Lucene, nltk, thefuzz and spaCy said of products of our own, which `parity_webshop.py` recorded.

Search, tokens, stems and likeness are the real programs' answers. WebShop itself is no package, so the rewards come from a second
reading of its formula, with thefuzz's likeness and spaCy's nouns; the recorder had it give all 513 rewards that were recorded from
upstream, which stand beside this repository (`test_reward.py` plays them where they are).
"""

import hashlib
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from homebody.envs.webshop.catalogue.catalogue import Product
from homebody.envs.webshop.catalogue.synthetic import synthetic
from homebody.envs.webshop.goals.nouns import title_nouns
from homebody.envs.webshop.goals.reward import likeness, reward
from homebody.envs.webshop.search.analyzer import analyze
from homebody.envs.webshop.search.index import SearchIndex
from homebody.envs.webshop.search.porter import stem

LINES = [json.loads(line) for line in Path(__file__).with_name("shop_answers.jsonl").read_text("utf-8").splitlines()]
HEAD = LINES[0]
AGAIN = "record again: tests/envs/webshop/parity_webshop.py says how"


def cases(key: str) -> list[dict[str, Any]]:
    return [line for line in LINES if key in line]


@pytest.fixture(scope="module")
def products() -> list[Product]:
    return list(synthetic(HEAD["products"]))


def test_tokens_are_lucenes() -> None:
    assert len(cases("tokens")) > 90
    assert [case["text"] for case in cases("tokens") if analyze(case["text"]) != case["tokens"]] == []


def test_results_and_scores_are_lucenes(products: list[Product]) -> None:
    """Scores to 4 decimals; Anserini takes a millionth off for each further one among ties."""
    index = SearchIndex(products)
    assert sum(bool(case["hits"]) for case in cases("hits")) > 40
    for case in cases("hits"):
        found = index.search(case["query"], 20)
        assert [asin for asin, _ in found] == [asin for asin, _ in case["hits"]], f"{case['query']!r}; {AGAIN}, if products have changed"
        assert [score for _, score in found] == pytest.approx([score for _, score in case["hits"]], abs=1.5e-4)


def test_stems_are_nltks() -> None:
    assert len(cases("stem")) == 200
    assert [case for case in cases("stem") if stem(case["word"]) != case["stem"]] == []


def test_likeness_is_thefuzzs() -> None:
    assert [case for case in cases("likeness") if likeness(*case["pair"]) != case["likeness"]] == []
    assert any(case["likeness"] == 100 for case in cases("likeness"))
    assert any(case["likeness"] < 50 for case in cases("likeness"))


def rate(case: dict[str, Any], products: list[Product], **nouns: list[str]) -> dict[str, Any]:
    (bought,) = [product for product in products if product.asin == case["bought"]]
    return reward(case["goal"], bought, case["options"], case["price"], **nouns)


def test_rewards_are_those_of_a_second_reading(products: list[Product]) -> None:
    rewards = Counter()
    for case in cases("bought"):
        parts = rate(case, products, goal_nouns=case["goal_nouns"], product_nouns=case["product_nouns"])
        names = ("reward", "r_type", "query_match", "category_match", "title_score", "r_price")
        assert {name: parts[name] for name in names} == {name: case[name] for name in names}, f"{case['goal']['name']}; {AGAIN}"
        rewards[case["reward"]] += 1
    assert len(rewards) > 10
    assert min(rewards) == 0
    assert max(rewards) == 1


def test_nouns_are_nearly_those_of_spacy(products: list[Product]) -> None:
    """Over the titles of the recorded purchases, word for word; in most of them the reward is the same with either."""
    titles = {case["goal"]["name"]: case["goal_nouns"] for case in cases("bought")}
    ours, theirs = (Counter((title, noun) for title in titles for noun in tell(title)) for tell in (title_nouns, titles.__getitem__))
    common = (ours & theirs).total()
    same = sum(rate(case, products)["reward"] == pytest.approx(case["reward"]) for case in cases("bought"))
    print(
        f"\nprecision {common / ours.total():.3f}, recall {common / theirs.total():.3f}; {same} of {len(cases('bought'))} rewards the same"
    )
    assert common / ours.total() > 0.9
    assert common / theirs.total() > 0.9
    assert same / len(cases("bought")) > 0.9


def test_the_recording_has_the_products_that_are_made_now(products: list[Product]) -> None:
    assert hashlib.sha256(repr(products).encode()).hexdigest() == HEAD["sha256"], AGAIN
