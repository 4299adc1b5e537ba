"""The inverted index as arrays, and the compiled functions that fill and read it.

Promises the scores that Lucene 9 gives with BM25: a document's length is kept in one byte, so it loses digits, and every term of a sum is a
32-bit float. Knows documents and terms by their numbers only; all that it compiles, and the constants in it, is in this file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from homebody.envs.compiled import code_folders, compiler

K1: Final = 0.9
"""How fast repeats of a term stop counting: Anserini's default, as `B`."""
B: Final = 0.4
"""How much a document's length counts, from 0 to 1."""
_WINDOW: Final = 4096
"""Documents whose sums are made at once: as many as fit into a processor's first cache."""
_SLACK: Final = 1e-6
"""Share of a score by which 32-bit rounding may raise a sum; what is dropped early is worse by more."""

kernel = compiler(code_folders("webshop", [Path(__file__)]))


class Postings(NamedTuple):
    """For each term the documents that hold it, and what it adds to their scores."""

    starts: NDArray[np.int64]
    """Where a term's part of the next two arrays begins; shape (n_terms + 1,)."""
    documents: NDArray[np.int32]
    """Documents of the first term, ascending, then of the second, and so on; shape (n_postings,)."""
    impacts: NDArray[np.float32]
    """What the term adds to the score of that document, above 0; shape (n_postings,)."""
    bounds: NDArray[np.float32]
    """The greatest impact of each term; shape (n_terms,)."""


def make_postings(tokens: NDArray[np.int32], ends: NDArray[np.int64], n_terms: int) -> Postings:
    """Index documents.

    Args:
        tokens: Terms of the first document in their order, then of the second, and so on, from 0 to `n_terms` - 1; shape (n_tokens,).
        ends: Where each document ends in `tokens`; shape (n_documents,).
        n_terms: How many terms there are.
    """
    lengths = np.diff(ends, prepend=0)
    mean = np.float32(max(1, len(tokens)) / max(1, len(ends)))
    lossy = np.array([lossy_length(n) for n in range(int(lengths.max(initial=0)) + 1)], np.float32)[lengths]
    factors = np.float32(1) / (np.float32(K1) * (np.float32(1 - B) + np.float32(B) * lossy / mean))
    found = _document_frequencies(tokens, ends, n_terms)
    idf = np.log(1 + (len(ends) - found + 0.5) / (found + 0.5)).astype(np.float32)
    starts = np.concatenate(([0], np.cumsum(found)))
    return Postings(starts, *_fill(tokens, ends, starts, idf, factors))


def lossy_length(n: int) -> int:
    """Return what Lucene keeps of a document's length, `SmallFloat.intToByte4`: exact to 40, then the 4 leading bits of n - 24."""
    if n < 40:
        return n
    shift = (n - 24).bit_length() - 4
    return ((n - 24) >> shift << shift) + 24


@kernel
def _document_frequencies(tokens: NDArray[np.int32], ends: NDArray[np.int64], n_terms: int) -> Any:
    """Return how many documents hold each term; shape (n_terms,), int64."""
    found = np.zeros(n_terms, np.int64)
    last = np.full(n_terms, -1, np.int32)
    begin = 0
    for document in range(len(ends)):
        for position in range(begin, ends[document]):
            term = tokens[position]
            if last[term] != document:
                last[term] = document
                found[term] += 1
        begin = ends[document]
    return found


@kernel
def _fill(
    tokens: NDArray[np.int32], ends: NDArray[np.int64], starts: NDArray[np.int64], idf: NDArray[np.float32], factors: NDArray[np.float32]
) -> Any:
    """Return the documents, impacts and bounds of `Postings`."""
    documents = np.empty(starts[-1], np.int32)
    impacts = np.zeros(starts[-1], np.float32)
    ends_of_terms = starts[:-1].copy()
    begin = 0
    for document in range(len(ends)):
        for position in range(begin, ends[document]):
            term = tokens[position]
            slot = ends_of_terms[term] - 1
            if slot < starts[term] or documents[slot] != document:
                slot += 1
                documents[slot] = document
                ends_of_terms[term] = slot + 1
            impacts[slot] += np.float32(1)  # how often, for now
        begin = ends[document]
    bounds = np.zeros(len(idf), np.float32)
    for term in range(len(idf)):
        for slot in range(starts[term], starts[term + 1]):
            impacts[slot] = idf[term] - idf[term] / (np.float32(1) + impacts[slot] * factors[documents[slot]])
            bounds[term] = max(bounds[term], impacts[slot])
    return documents, impacts, bounds


@kernel
def search_postings(
    terms: NDArray[np.int64],
    postings: Postings,
    ranks: NDArray[np.int32],
    out_scores: NDArray[np.float64],
    out_documents: NDArray[np.int32],
) -> int:
    """Find the documents with the highest sums of impacts, ties in the order of their ranks.

    Documents are gone through window by window. The higher the worst of the best so far, the more of the common words cannot by themselves
    lift a document among them: those words' long lists are then only looked up for documents that hold one of the other words.

    Args:
        terms: The query's terms in any order, repeats included; shape (n_query_terms,).
        postings: The index.
        ranks: Each document's place among ties; shape (n_documents,).
        out_scores: Room for the scores, 32-bit floats by value, greatest first; shape (k,).
        out_documents: Room for the documents; shape (k,).

    Returns:
        How many were found, at most k.
    """
    starts, documents, impacts, bounds = postings
    terms = terms[np.argsort(-bounds[terms], kind="mergesort")]
    places, ends = starts[terms], starts[terms + 1]
    rest = np.zeros(len(terms) + 1)  # what the terms from the i-th on can add at most
    for i in range(len(terms) - 1, -1, -1):
        rest[i] = rest[i + 1] + bounds[terms[i]]
    sums = np.zeros(min(_WINDOW, len(ranks)))
    n, least, n_leading = 0, 0.0, len(terms)
    for first in range(0, len(ranks), _WINDOW):
        end = min(first + _WINDOW, len(ranks))
        while n_leading and rest[n_leading - 1] < least:
            n_leading -= 1
        if not _add(documents, impacts, places, ends[:n_leading], first, end, sums):
            continue
        for document in range(first, end):
            score = sums[document - first]
            if score == 0 or score + rest[n_leading] < least:
                continue
            for i in range(n_leading, len(terms)):
                if score + rest[i] < least:
                    break
                places[i] = _seek(documents, places[i], ends[i], document)
                if places[i] < ends[i] and documents[places[i]] == document:
                    score += impacts[places[i]]
            n = _insert(document, np.float64(np.float32(score)), ranks, n, out_scores, out_documents)
            if n == len(out_scores):
                least = out_scores[n - 1] * (1 - _SLACK)
        sums[:] = 0
    return n


@kernel
def _add(
    documents: NDArray[np.int32],
    impacts: NDArray[np.float32],
    out_places: NDArray[np.int64],
    ends: NDArray[np.int64],
    first: int,
    end: int,
    out_sums: NDArray[np.float64],
) -> bool:
    """Add what the leading terms give to the documents from `first` to before `end`, and tell whether they give any."""
    found = False
    for i in range(len(ends)):
        place = out_places[i]
        while place < ends[i] and documents[place] < end:
            out_sums[documents[place] - first] += impacts[place]
            place += 1
        found = found or place > out_places[i]
        out_places[i] = place
    return found


@kernel
def _seek(documents: NDArray[np.int32], place: int, end: int, document: int) -> int:
    """Return the first place from `place` on, below `end`, whose document is not before this one; `end` if there is none."""
    stride = 1
    while place + stride < end and documents[place + stride] < document:
        place += stride
        stride *= 2
    high = min(place + stride, end)
    while place < high:
        middle = (place + high) // 2
        if documents[middle] < document:
            place = middle + 1
        else:
            high = middle
    return place


@kernel
def _insert(
    document: int, score: float, ranks: NDArray[np.int32], n: int, out_scores: NDArray[np.float64], out_documents: NDArray[np.int32]
) -> int:
    """Put a document where it belongs among the best `n`, if it does, and return how many there are then."""
    if n == len(out_scores):
        if score < out_scores[n - 1] or (score == out_scores[n - 1] and ranks[document] > ranks[out_documents[n - 1]]):
            return n
        n -= 1
    place = n
    while place and (
        score > out_scores[place - 1] or (score == out_scores[place - 1] and ranks[document] < ranks[out_documents[place - 1]])
    ):
        out_scores[place], out_documents[place] = out_scores[place - 1], out_documents[place - 1]
        place -= 1
    out_scores[place], out_documents[place] = score, document
    return n + 1
