"""The shop's search engine: products in, the best of them for a query out.

Promises the order that Lucene 9 gives through Anserini: BM25 over one text a product, 32-bit scores, ties by product id. Keeps no product,
only ids and arrays: 8 bytes for each different word of each product. Knows nothing of goals or of pages.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from homebody.envs.core import EnvError
from homebody.envs.webshop.catalogue.catalogue import Product, as_product
from homebody.envs.webshop.search.analyzer import pieces, tokens_of
from homebody.envs.webshop.search.postings import make_postings, search_postings

CACHED_QUERIES: Final = 4096
"""Queries whose results an index keeps: the last ones."""
_CACHED_PIECES: Final = 1 << 20
"""Different pieces of text whose terms are kept; what is rarer than these is looked at anew."""


class ResultCountError(EnvError):
    """A number of results was asked for that is none."""

    def __init__(self, k: object) -> None:
        super().__init__(f"{k!r} results were asked for; give a whole number of at least 1, as 50")


class SearchIndex:
    """An index over a catalogue; it does not change."""

    def __init__(self, products: Iterable[Product | Mapping[str, Any]]) -> None:
        """Index the products, one after the other: they may come from a generator.

        Raises:
            CatalogueError: A mapping among them is no product of upstream's.
        """
        tokens, ends, ids, numbers = array("i"), array("q"), list[str](), _Numbers()
        for product in map(as_product, products):
            ids.append(product.asin)
            tokens.extend(chain.from_iterable(map(numbers.__getitem__, pieces(text_of(product)))))
            ends.append(len(tokens))
        self._ids, self._numbers = ids, numbers
        self._ranks = np.empty(len(ids), np.int32)
        self._ranks[sorted(range(len(ids)), key=ids.__getitem__)] = np.arange(len(ids))
        self._postings = make_postings(np.asarray(tokens, np.int32), np.asarray(ends, np.int64), len(numbers.terms))
        numbers.complete = True
        self._results: dict[tuple[str, int], tuple[tuple[str, ...], NDArray[np.float64]]] = {}

    def search(self, query: str, k: int = 50) -> list[tuple[str, float]]:
        """Return the ids of the best products and their scores, best first.

        A product is found if any word of the query is in its text.

        Args:
            query: Any text.
            k: How many products, at most.

        Returns:
            Pairs of product id and score, above 0 and rounded to 4 decimals.

        Raises:
            ResultCountError: `k` is no whole number of at least 1.
        """
        documents, scores = self._search(query, k)
        return list(zip(documents, scores.round(4).tolist(), strict=True))

    def ids(self, query: str, k: int = 50) -> tuple[str, ...]:
        """Return the ids of the best products, best first, as `search` does."""
        return self._search(query, k)[0]

    def _search(self, query: str, k: int) -> tuple[tuple[str, ...], NDArray[np.float64]]:
        if isinstance(k, bool) or not isinstance(k, int) or k < 1:
            raise ResultCountError(k)
        found = self._results.pop((query, k), None)
        if found is None:
            terms = np.array([number for piece in pieces(query) for number in self._numbers[piece]], np.int64)
            room = min(k, len(self._ids))
            scores, documents = np.empty(room), np.empty(room, np.int32)
            n = search_postings(terms, self._postings, self._ranks, scores, documents)
            found = tuple(map(self._ids.__getitem__, documents[:n].tolist())), scores[:n]
            if len(self._results) >= CACHED_QUERIES:
                self._results.pop(next(iter(self._results)), None)  # another thread may have been faster
        self._results[query, k] = found
        return found


def text_of(product: Product) -> str:
    """Return what is indexed of a product: title, description, the first feature and the options, lower-case."""
    options = ", and ".join(f"{group}: {', '.join(values)}" for group, values in product.options.items())
    return " ".join((product.name, product.description, product.bullets[0] if product.bullets else "", options)).lower()


class _Numbers(dict[str, tuple[int, ...]]):
    """Pieces of text and the numbers of their terms."""

    def __init__(self) -> None:
        super().__init__()
        self.terms: dict[str, int] = {}
        self.complete = False
        """Whether a new term is left out, as in a query, and no longer gets the next number."""

    def __missing__(self, piece: str) -> tuple[int, ...]:
        if len(self) >= _CACHED_PIECES:
            self.clear()
        terms, tokens = self.terms, tokens_of(piece)
        if self.complete:
            found = tuple(terms[token] for token in tokens if token in terms)
        else:
            found = tuple(terms.setdefault(token, len(terms)) for token in tokens)
        self[piece] = found
        return found
