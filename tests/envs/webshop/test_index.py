"""The search engine against what Lucene was recorded to answer, and against the formula of BM25 worked out document by document."""

from __future__ import annotations

import json
import math
import pickle
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homebody.envs.webshop.catalogue.catalogue import CatalogueError, Product
from homebody.envs.webshop.search.index import CACHED_QUERIES, ResultCountError, SearchIndex, text_of
from homebody.envs.webshop.search.postings import lossy_length, make_postings, search_postings

DATA = Path(__file__).resolve().parents[3].parent / "shared" / "data" / "webshop"


def product(asin: str, name: str, **fields: object) -> Product:
    given = {"category": "", "query": "", "product_category": "", "description": "", "bullets": ()} | fields
    return Product(asin, name, **given)  # type: ignore[arg-type]


def bm25(query: list[int], documents: list[list[int]]) -> list[float]:
    """Scores by the formula: k1 0.9, b 0.4, lossy length of the document over the exact mean, no factor k1 + 1."""
    mean = sum(map(len, documents)) / len(documents)
    holds = Counter(term for document in documents for term in set(document))
    scores = []
    for document in documents:
        norm = 0.9 * (0.6 + 0.4 * lossy_length(len(document)) / mean)
        idf = {term: math.log(1 + (len(documents) - holds[term] + 0.5) / (holds[term] + 0.5)) for term in query}
        scores.append(sum(idf[term] * document.count(term) / (document.count(term) + norm) for term in query))
    return scores


def search(query: list[int], documents: list[list[int]], n_terms: int, k: int) -> list[tuple[int, float]]:
    tokens = np.array([term for document in documents for term in document], np.int32)
    postings = make_postings(tokens, np.cumsum([len(document) for document in documents]), n_terms)
    scores, found = np.empty(k), np.empty(k, np.int32)
    n = search_postings(np.array(query, np.int64), postings, np.arange(len(documents), dtype=np.int32), scores, found)
    return list(zip(found[:n].tolist(), scores[:n].tolist(), strict=True))


def check_against_formula(query: list[int], documents: list[list[int]], n_terms: int, k: int) -> None:
    found, expected = search(query, documents, n_terms, k), bm25(query, documents)
    assert len(found) == min(k, sum(score > 0 for score in expected))
    for number, score in found:
        assert score == pytest.approx(expected[number], rel=1e-5)
    assert found == sorted(found, key=lambda pair: (-pair[1], pair[0])), "best first, ties by rank"
    rest = set(range(len(documents))) - {number for number, _ in found}
    if found and len(found) == k:
        assert all(expected[number] <= found[-1][1] * (1 + 1e-5) for number in rest)


@pytest.mark.parametrize(
    ("length", "kept"), [(0, 0), (39, 39), (40, 40), (41, 40), (55, 54), (59, 56), (87, 84), (88, 88), (95, 88), (1000, 984)]
)
def test_lengths_lose_digits_as_in_lucene(length, kept):
    assert lossy_length(length) == kept


@given(
    st.lists(st.lists(st.integers(0, 5), max_size=8), min_size=1, max_size=30),
    st.lists(st.integers(0, 5), max_size=6),
    st.integers(1, 12),
)
@settings(deadline=None)
def test_scores_are_those_of_the_formula(documents, query, k):
    if any(documents):
        check_against_formula(query, documents, 6, k)


@pytest.mark.parametrize("seed", range(3))
def test_what_is_skipped_among_many_documents_is_not_among_the_best(seed):
    """Enough documents for several windows, with words so common that their lists are skipped."""
    random = np.random.default_rng(seed)
    chances = np.array([0.9, 0.7, 0.5, 0.2, 0.05, 0.01, 0.003, 0.001])
    documents = [
        np.flatnonzero(row < chances).tolist() * (1 + n % 2) + [8] * (n % 7) for n, row in enumerate(random.random((9000, len(chances))))
    ]
    check_against_formula([0, 1, 2, 3, 4, 5, 6, 7], documents, 9, 10)
    check_against_formula([0, 0, 4, 6], documents, 9, 3)


def test_title_description_first_feature_and_options_are_indexed():
    lamp = product(
        "B1", "Brass Lamp", description="Shines.", bullets=("Tall", "Unbreakable"), options={"color": ("red", "blue"), "size": ("s",)}
    )
    assert text_of(lamp) == "brass lamp shines. tall color: red, blue, and size: s"
    index = SearchIndex([lamp])
    assert [bool(index.search(word)) for word in ("Lamps", "shine", "tall", "blue", "unbreakable", "", "zzz")] == [True] * 4 + [False] * 3


def test_ties_are_broken_by_id():
    index = SearchIndex(product(asin, "Plain candle") for asin in ("B3", "B1", "B2"))
    assert [asin for asin, _ in index.search("candle")] == ["B1", "B2", "B3"]
    assert [asin for asin, _ in index.search("candle", 2)] == ["B1", "B2"]


def test_an_empty_shop_finds_nothing():
    assert SearchIndex([]).search("chair") == []
    assert SearchIndex([product("B1", "the of")]).search("the") == []


def test_results_are_kept_and_belong_to_the_caller():
    index = SearchIndex([product("B1", "candle")])
    index.search("candle").clear()
    assert len(index.search("candle")) == 1
    for number in range(CACHED_QUERIES):
        index.search(f"candle {number}")
    assert len(index.search("candle")) == 1
    assert pickle.loads(pickle.dumps(index)).search("candles") == index.search("candle")


@pytest.mark.parametrize("k", [0, -1, True, 2.5, "10"])
def test_a_number_of_results_that_is_none_is_named(k):
    with pytest.raises(ResultCountError, match=r"results were asked for; give a whole number of at least 1"):
        SearchIndex([]).search("x", k)


def test_what_is_no_product_is_named():
    with pytest.raises(CatalogueError, match="'asin'"):
        SearchIndex([{"name": "chair"}])


@pytest.fixture(scope="module")
def recorded():
    if not DATA.is_dir():
        pytest.skip("WebShop's data is not beside this repository (../shared/data/webshop)")
    index = SearchIndex(json.loads((DATA / "items_shuffle_1000.json").read_text("utf-8")))
    cases = [json.loads(line) for line in (DATA / "lucene_oracle_1k.jsonl").read_text("utf-8").splitlines()]
    return [(case, index.search(case["query"])) for case in cases]


def test_results_are_those_that_lucene_was_recorded_to_give(recorded):
    assert [case["query"] for case, found in recorded if [asin for asin, _ in found] != [asin for asin, _ in case["hits"]]] == []


def test_scores_are_those_that_lucene_was_recorded_to_give(recorded):
    """To 4 decimals; among ties, the recording takes a millionth off for each further one."""
    for case, found in recorded:
        for (_, ours), (_, theirs) in zip(found, case["hits"], strict=True):
            assert ours == pytest.approx(theirs, abs=1e-5)
