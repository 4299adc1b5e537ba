"""The catalogue of the shop without files: believable products from a seed, from a handful to millions.

Promises: the same number and seed give the same product in every process, and a larger catalogue begins with the smaller one. Products
come in lines of `LINE`: the members of a line answer the same search nearly alike, and differ in brand, price and options, and in
attributes of which mostly the list of features alone tells. So a shopper has to open and check. Knows nothing of goals, search or pages.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from homebody.envs.core import EnvError
from homebody.envs.webshop.catalogue.catalogue import Product
from homebody.envs.webshop.catalogue.vocabulary import Attribute, Kind, vocabulary

LINE: Final = 6
"""Products of one line."""
MOST_PRODUCTS: Final = 10_000_000

_WORDS: Final = 96
"""Random numbers that one product may use."""
_ROWS: Final = LINE + 1
"""Rows of random numbers of a line: its own first, then one a member."""
_CHUNK: Final = 512
"""Lines whose random numbers are drawn at once."""
_KEPT: Final = 2048
"""Lines that stay in memory."""
_TOLD: Final = 20
"""Of 100 products, those that tell one more attribute in their title or first feature."""
_ACRONYMS: Final = frozenset({"usb", "uv", "spf", "hd", "hdmi", "gmo", "bpa"})
_SMALL: Final = frozenset({"a", "and", "the", "to", "without"})
_ALPHABET: Final = "0123456789ABCDEFGHJKLMNPQRSTUVWX"
_BITS: Final = 40
_MASK: Final = (1 << _BITS) - 1
_FACTOR: Final = 0x9E3779B97F | 1
_UNFACTOR: Final = pow(_FACTOR, -1, 1 << _BITS)

T = TypeVar("T")


class CatalogueSizeError(EnvError):
    """A catalogue of a size or with a seed that it cannot have."""

    def __init__(self, what: str, value: object, allowed: str) -> None:
        super().__init__(f"a catalogue with {what}={value!r} is not possible; give {allowed}")


def synthetic(n: int, seed: int = 0) -> SyntheticCatalogue:
    """Return a catalogue.

    Args:
        n: Number of products, 1 to `MOST_PRODUCTS`.
        seed: Any whole number from 0 to 2^63 - 1.

    Raises:
        CatalogueSizeError: The number or the seed is not possible.
    """
    for what, value, low, high in (("n", n, 1, MOST_PRODUCTS), ("seed", seed, 0, 2**63 - 1)):
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise CatalogueSizeError(what, value, f"a whole number from {low} to {high}")
    return SyntheticCatalogue(n, seed)


class SyntheticCatalogue(Sequence[Product]):
    """Products that are made when they are asked for; see `synthetic`.

    To iterate makes them all, one line after the other, and keeps none: a million pass through without being in memory at once.
    """

    def __init__(self, n: int, seed: int) -> None:
        self._n, self._seed = n, seed
        self._line = lru_cache(maxsize=_KEPT)(self._make_line)

    def __len__(self) -> int:
        return self._n

    @overload
    def __getitem__(self, index: int) -> Product: ...
    @overload
    def __getitem__(self, index: slice) -> list[Product]: ...
    def __getitem__(self, index: int | slice) -> Product | list[Product]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(self._n))]
        place = index + self._n if index < 0 else index
        if not 0 <= place < self._n:
            raise IndexError(f"product {index} of {self._n}")
        return self._line(place // LINE)[place % LINE]

    def __iter__(self) -> Iterator[Product]:
        n_lines = -(-self._n // LINE)
        left = self._n
        for first in range(0, n_lines, _CHUNK):
            count = min(_CHUNK, n_lines - first)
            rows = _random_rows(self._seed, first, count).tolist()
            for number in range(count):
                members = _members(rows[number * _ROWS : (number + 1) * _ROWS], (first + number) * LINE, self._seed)
                yield from members[:left]
                left -= LINE

    def index_of(self, asin: str) -> int | None:
        """Return the place of a product by its id; None if there is none."""
        place = _place_of(asin, self._seed)
        return place if place is not None and place < self._n else None

    def __reduce__(self) -> tuple[type[SyntheticCatalogue], tuple[int, int]]:
        return SyntheticCatalogue, (self._n, self._seed)

    def _make_line(self, number: int) -> list[Product]:
        return _members(_random_rows(self._seed, number, 1).tolist(), number * LINE, self._seed)


class _Draw:
    """Hands out one row of random numbers."""

    __slots__ = ("_at", "_row")

    def __init__(self, row: list[int]) -> None:
        self._row, self._at = row, 0

    def below(self, n: int) -> int:
        """Return a number from 0 to n - 1."""
        self._at += 1
        return self._row[self._at - 1] % n

    def pick(self, of: Sequence[T]) -> T:
        """Return one of them."""
        return of[self.below(len(of))]

    def chance(self, percent: int) -> bool:
        """Return True in so many cases of 100."""
        return self.below(100) < percent

    def some(self, of: Sequence[T], n: int) -> list[T]:
        """Return n of them (all, if there are fewer), in any order."""
        rest = list(of)
        return [rest.pop(self.below(len(rest))) for _ in range(min(n, len(rest)))]

    def some_in_order(self, of: Sequence[T], n: int) -> tuple[T, ...]:
        """Return n of them (all, if there are fewer), in their own order."""
        places = sorted(self.some(range(len(of)), n))
        return tuple(of[place] for place in places)


@dataclass(frozen=True, slots=True)
class _Line:
    """What the members of a line share."""

    kind: Kind
    core: list[Attribute]
    """Attributes that all members have, and show at once."""
    pool: list[Attribute]
    """Attributes of which each member has two."""
    values: list[tuple[str, tuple[str, ...]]]
    """Option groups with the values that the members choose from."""
    price: float
    suits: str


def _members(rows: list[list[int]], first: int, seed: int) -> list[Product]:
    line = _line(_Draw(rows[0]))
    return [_product(line, _Draw(row), _asin(first + place, seed)) for place, row in enumerate(rows[1:])]


def _line(draw: _Draw) -> _Line:
    kind = draw.pick(vocabulary().kinds)
    own = draw.some(kind.own, 3)
    shared = draw.some(kind.shared, 5)
    low, high = kind.prices
    # Cheap things are more common than dear ones.
    price = low + (high - low) * (draw.below(1000) / 1000) ** 1.7
    values = [(group, draw.some_in_order(all_, 4)) for group, all_ in kind.options[: 2 + draw.chance(15)]]
    return _Line(kind, [own[0], shared[0]], [*own[1:], *shared[1 : 5 - len(own[1:])]], values, price, draw.pick(kind.suits))


def _product(line: _Line, draw: _Draw, asin: str) -> Product:
    kind = line.kind
    extra = draw.some(line.pool, 2)
    # One of the two may be told at once; the other is only told in the list of features.
    told = [*line.core, *(extra[:1] if draw.chance(_TOLD) else [])]
    late = [attribute for attribute in extra if attribute not in told]
    brand, name, material = draw.pick(vocabulary().brands), _name(kind, draw), draw.pick(kind.materials)
    spoken = draw.some(told, len(told))
    in_title, rest = spoken[:2], spoken[2:]
    wanted = draw.some(line.core, 1 + draw.chance(80)) + draw.some(extra, 1 + draw.chance(85))
    options = _options(line, draw)
    bullets = [rest[0].sentence if rest else draw.pick(in_title).sentence]
    bullets += draw.some([*(attribute.sentence for attribute in late), *draw.some(kind.service, 2)], 4)
    return Product(
        asin=asin,
        name=_title(brand, name, material, in_title, line.suits, draw),
        category=kind.department,
        query=kind.query,
        product_category=kind.path,
        description=f"{kind.about} {_closing(brand, material, name, draw)}",
        bullets=tuple(bullets),
        attributes=tuple(attribute.name for attribute in [*line.core, *extra]),
        options=options,
        prices=_prices(line.price, draw),
        instruction=_instruction(kind.query, wanted),
        instruction_attributes=tuple(attribute.name for attribute in wanted),
    )


def _name(kind: Kind, draw: _Draw) -> str:
    return kind.name if draw.chance(60) else draw.pick(kind.names)


def _title(brand: str, name: str, material: str, told: list[Attribute], suits: str, draw: _Draw) -> str:
    """Return a title as sellers write them: everything at once."""
    what = _headline(f"{material} {name}")
    plain = [_headline(attribute.name) for attribute in told if attribute.use == "plain"]
    after = [_headline(attribute.name) for attribute in told if attribute.use != "plain"]
    having = " and ".join(_headline(attribute.name) for attribute in told if attribute.use == "with")
    meant = [_headline(attribute.name) for attribute in told if attribute.use == "for"]
    suits = _headline(suits)
    layout = draw.below(4)
    if layout == 0:
        parts = [f"{brand} {' '.join(plain)} {what}", f"with {having}" if having else "", f"for {' and '.join([*meant, suits])}"]
    elif layout == 1:
        parts = [f"{brand} {what}", *after, *plain, f"for {suits}"]
    elif layout == 2:
        parts = [f"{what} by {brand}", *plain, *after, f"Great for {suits}"]
    else:
        parts = [f"{' '.join(plain)} {what}", " and ".join(after), f"for {suits}, {brand}"]
    text = (", " if layout else " ").join(part.strip(" ,") for part in parts if part.strip(" ,"))
    return " ".join(text.split())


def _headline(text: str) -> str:
    """Return a text as in a title: acronyms in capitals, small words small."""
    return " ".join(word.upper() if word in _ACRONYMS else word if word in _SMALL else word.capitalize() for word in text.split())


def _closing(brand: str, material: str, name: str, draw: _Draw) -> str:
    forms = (
        "Made by {brand} with {material}.",
        "Made with {material} by {brand}, and that shows.",
        "From {brand}, where the {material} is still chosen by hand.",
        "From the small workshop of {brand}: {material} {name} and nothing else.",
    )
    return draw.pick(forms).format(brand=brand, name=name, material=material)


def _options(line: _Line, draw: _Draw) -> dict[str, tuple[str, ...]]:
    # At most twelve or so combinations, since each is a goal.
    most = (4, 4, 2) if len(line.values) < 3 else (3, 3, 2)
    return {group: draw.some_in_order(values, 2 + draw.below(most[n] - 1)) for n, (group, values) in enumerate(line.values)}


def _prices(base: float, draw: _Draw) -> tuple[float, ...]:
    price = base * (0.7 + draw.below(900) / 1000)
    low = _ending(price, draw)
    return (low, _ending(price * 1.3 + 2, draw)) if draw.chance(9) else (low,)


def _ending(price: float, draw: _Draw) -> float:
    return int(price) + draw.pick((0.99, 0.49, 0.95, 0.25))


def _instruction(query: str, wanted: list[Attribute]) -> str:
    by_use = {use: ", ".join(attribute.name for attribute in wanted if attribute.use == use) for use in ("plain", "with", "for")}
    text = f"Find me {by_use['plain']} {query}".replace("  ", " ")
    return text + "".join(f" {use} {by_use[use]}" for use in ("with", "for") if by_use[use])


def _random_rows(seed: int, first: int, count: int) -> NDArray[np.uint64]:
    """Return random numbers below 2^31 for some lines: shape (count * `_ROWS`, `_WORDS`).

    Each depends on the seed, the line and its own place alone: SplitMix64's mixing function (Steele, Lea and Flood, 2014) over counters.
    """
    start = np.uint64((seed * 0xD1342543DE82EF95 + first * _ROWS * _WORDS) & (2**64 - 1))
    with np.errstate(over="ignore"):
        value = (start + np.arange(count * _ROWS * _WORDS, dtype=np.uint64)) * np.uint64(0x9E3779B97F4A7C15)
        value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: NDArray[np.uint64] = (value ^ (value >> np.uint64(31))) >> np.uint64(33)
    return mixed.reshape(count * _ROWS, _WORDS)


def _asin(place: int, seed: int) -> str:
    """Return the id of a place: scattered, so that search, which breaks ties by id, favours no place in a line."""
    value = place
    for _ in range(2):
        value = (value * _FACTOR + seed) & _MASK
        value ^= value >> (_BITS // 2)
    return "HB" + "".join(_ALPHABET[value >> shift & 31] for shift in range(_BITS - 5, -1, -5))


def _place_of(asin: str, seed: int) -> int | None:
    if len(asin) != 2 + _BITS // 5 or not asin.startswith("HB") or any(letter not in _ALPHABET for letter in asin[2:]):
        return None
    value = 0
    for letter in asin[2:]:
        value = value << 5 | _ALPHABET.index(letter)
    for _ in range(2):
        value ^= value >> (_BITS // 2)
        value = (value - seed) * _UNFACTOR & _MASK
    return value
