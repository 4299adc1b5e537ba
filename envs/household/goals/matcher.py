"""A reader of goals said in other words that needs no model: words, stems and letter trigrams, learned from the training wordings.

Two softmax regressions are fitted by the process that first asks. One tells the kind of goal from the words of the sentence; one tells
what each name in it is for (the thing, the place, or neither) from the words around it. Names of training goals are known. Any other word
that no training wording has is taken for a name: the known names most alike, by words and trigrams, say what it may mean. What then
remains open is decided by what every agent may know: which things can be washed, heated and cooled, what fits where, what rooms have in
them, and which places the first observation lists.

The reader never sees a plain goal, nor a wording or a name that only the other splits have.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from homebody.envs.household.engine.problem import Goal, GoalKind
from homebody.envs.household.engine.vocabulary import fitting_rooms, object_flags, receptacle_kinds
from homebody.envs.household.goals.said import Name, Words, read_words

PLAIN: Final = {
    GoalKind.PLACE: "put a {} in {}.",
    GoalKind.LIGHT: "look at {} under the {}.",
    GoalKind.CLEAN: "put a clean {} in {}.",
    GoalKind.HEAT: "put a hot {} in {}.",
    GoalKind.COOL: "put a cool {} in {}.",
    GoalKind.TWO: "put two {} in {}.",
}
"""The plain sentence of each kind of goal that readings have: one of ALFWorld's own."""

_FLAG: Final = {GoalKind.CLEAN: "cleanable", GoalKind.HEAT: "heatable", GoalKind.COOL: "coolable"}
_TOOL: Final = {GoalKind.CLEAN: "SinkBasin", GoalKind.HEAT: "Microwave", GoalKind.COOL: "Fridge"}
LAMPS: Final = {"DeskLamp": 0.9, "FloorLamp": 0.1}
"""How often a goal names each lamp."""

_ODD: Final = 0.02
"""Chance, beside 1 for another, of what makes little sense: a place that is not there, a thing that does not fit in it."""
_SLIP: Final = 0.01
"""Chance that a known name means something else than it says."""
_NEAR: Final = 10.0
"""Weight of the likeness of two names (0 to 1) in the logarithm of the chance that they mean the same."""

_SURE: Final = 1.5
"""Weight of the words beside what makes sense, for the kind of goal: hidden words make the regression less sure than it may be."""

_VARIANTS: Final = 8
"""Training sentences made of each wording; of one that names what is not meant, which are few, three times as many."""
_NEW_NAMES: Final = 0.5
"""Share of the names in training sentences that are hidden, so that names never seen are found by their place in the sentence."""
_NEW_WORDS: Final = 0.3
"""Share of the rarer other words that are hidden, so that a sentence in words never seen is read by what else it has."""
_COMMON: Final = 0.04
"""Share of the training wordings from which on a word is common."""

_ROUNDS: Final = 60
_RATE: Final = 0.1
_RIDGES: Final = (4e-3, 1e-3)
"""Of the two regressions: steps, their size, and the pull of the weights to 0 for kinds and for roles. With the shares above chosen on
validation wordings, of which words were hidden."""

_THING, _PLACE, _NEW = "#thing", "#place", "#new"
_BEFORE: Final = {"a": "a", "the": "the", "in": "{at} the", "into": "{at}to the", "elsewhere": "{at} the"}
"""Words that a slot writes before its name."""
_ROLES: Final = ("object", "target", "neither")
_ROLE_OF_SLOT: Final = {
    **dict.fromkeys(("o", "s", "a", "the"), 0),
    **dict.fromkeys(("r", "in", "into", "lamp"), 1),
    **dict.fromkeys(("other", "elsewhere", "not_o"), 2),
}
_THINGS: Final = ("o", "s", "a", "the", "lamp", "not_o")
_TOKEN: Final = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?|[.,:;?!]")
_STOPS: Final = ".,:;?!"
_SLOT: Final = re.compile(r"\{(\w+)\}")
_LONGEST: Final = 6
"""Most words of a name."""


def read(sentence: str, present: Collection[str] = ()) -> Goal:
    """Return the likeliest meaning of a sentence.

    Args:
        sentence: The goal, in anybody's words.
        present: The types of the places in the house, in lower case; empty if nothing is known of them.
    """
    return _reader().read(sentence, frozenset(present))


def say_plainly(goal: Goal) -> str:
    """Return a goal as a plain sentence."""
    return PLAIN[goal.kind].format(goal.object.lower(), goal.target.lower())


@dataclass(frozen=True)
class _Item:
    """A word of a sentence, or a name in it."""

    symbol: str
    """The word; for names `#thing`, `#place` or `#new` (one never seen), with an `s` for many."""
    name: str = ""
    """The words of a name; empty for another word."""
    kind: str = ""
    """What a known name stands for."""
    said_of_it: str = ""
    """Words never seen before a known name."""
    role: int = 2
    """Index in `_ROLES`, in training sentences."""


@cache
def _reader() -> _Reader:
    return _Reader(read_words())


class _Reader:
    """What was learned from the training wordings and names.

    Args:
        words: The tables; only the parts for training are read.
    """

    def __init__(self, words: Words) -> None:
        texts = {kind: [wording.text for wording in words.wordings[kind, "train"]] for kind in GoalKind}
        told = [*words.before, *words.after, *(text for some in texts.values() for text in some)]
        self._common = {token for text in told for token in _tokens(_SLOT.sub(" ", text))} | {"in", "on", "into", "onto"}
        self._known = _known_names(words)
        self._things, self._places = _Likeness(words.things), _Likeness(words.places)
        self._at = [words.places[kind]["train"][0].at for kind in self._places.kinds]
        in_texts = Counter(token for some in texts.values() for text in some for token in set(_tokens(_SLOT.sub(" ", text))))
        rare = {token for token, count in in_texts.items() if token.isalpha() and count < _COMMON * sum(map(len, texts.values()))}
        made = [(kind, items) for kind, some in texts.items() for items in _examples(int(kind), some, words, sorted(self._common), rare)]
        self._kinds = _Regression([_kind_features(items) for _, items in made], [int(kind) for kind, _ in made], len(GoalKind), _RIDGES[0])
        names = [(_role_features(items, n), item.role) for _, items in made for n, item in enumerate(items) if item.name]
        self._roles = _Regression([row for row, _ in names], [role for _, role in names], len(_ROLES), _RIDGES[1])

    def read(self, sentence: str, present: frozenset[str]) -> Goal:
        """Return the likeliest goal: of the words, of what the names mean, and of what makes sense."""
        items = self._parse(sentence)
        names = [n for n, item in enumerate(items) if item.name]
        roles = np.array([self._roles.chances(_role_features(items, n)) for n in names]).reshape(-1, len(_ROLES))
        kinds = _SURE * np.log(self._kinds.chances(_kind_features(items)))
        thing = self._meant(items, names, roles[:, 0], self._things)
        place = self._meant(items, names, roles[:, 1], self._places)
        lamp = self._meant(items, names, roles[:, 1], self._things)
        best, found = -math.inf, Goal(GoalKind.PLACE, self._things.kinds[0], self._places.kinds[0])
        for kind in GoalKind:
            is_light = kind == GoalKind.LIGHT
            exact = kinds[kind] + _sense(kind, present) + thing[:, None] + (lamp if is_light else place)[None, :]
            total = np.round(exact, 9)  # Equals stay equal on every processor; the first in order is taken.
            o, t = (int(n) for n in np.unravel_index(np.argmax(total), total.shape))
            if total[o, t] > best:
                best, found = total[o, t], Goal(kind, self._things.kinds[o], (self._things if is_light else self._places).kinds[t])
        return found

    def _parse(self, sentence: str) -> list[_Item]:
        """Split a sentence into words and names."""
        tokens = _tokens(sentence)
        items: list[_Item] = []
        at = 0
        while at < len(tokens):
            for length in range(min(_LONGEST, len(tokens) - at), 0, -1):
                found = self._known.get(" ".join(tokens[at : at + length]))
                if found:
                    items.append(found)
                    break
            else:
                length = 1
                new = tokens[at] not in self._common and tokens[at].isalpha()
                items.append(_Item(_NEW, tokens[at]) if new else _Item(tokens[at]))
            at += length
        return _joined(items)

    def _meant(self, items: Sequence[_Item], names: Sequence[int], chances: NDArray[np.float64], words: _Likeness) -> NDArray[np.float64]:
        """Return the logarithm of the chance of each kind to be what the sentence names in a role.

        Args:
            items: The sentence.
            names: Where its names are.
            chances: Of each name to have the role.
            words: The names of all kinds that can have it.
        """
        total = np.full(len(words.kinds), _SLIP / len(words.kinds))
        for n, chance in zip(names, chances / max(chances.sum(), 1e-9) if len(names) else (), strict=True):
            item = items[n]
            if not item.kind:
                near = np.exp(_NEAR * words.likeness(item.name))
                if words is self._places and n >= 2:
                    before = [word for word in (items[n - 1].symbol, items[n - 2].symbol) if word[:2] in ("in", "on")]
                    near *= [1.0 if not before or before[0][:2] == at else _SLIP for at in self._at]
                total += chance * near / near.sum()
            elif item.kind in words.kinds:
                total[words.kinds.index(item.kind)] += chance
        chance_of: NDArray[np.float64] = np.log(total)
        return chance_of


def _tokens(text: str) -> list[str]:
    return _TOKEN.findall(text.lower())


def _known_names(words: Words) -> dict[str, _Item]:
    """Return the names that training goals have, and the game's own words, each as it stands in a sentence."""
    known: dict[str, _Item] = {}
    for symbol, table in ((_PLACE, words.places), (_THING, words.things)):
        for kind, row in table.items():
            own = " ".join(re.findall(r"[A-Z]+[a-z]*", kind)).lower()
            singles = [name.one.lower() for name in row["train"]] + [own, own.replace(" ", "")]
            for text in singles:
                known.setdefault(" ".join(_tokens(text)), _Item(symbol, text, kind))
            for text in [name.many.lower() for name in row["train"]] + [f"{own}s"]:
                known.setdefault(" ".join(_tokens(text)), _Item(f"{symbol}s", text, kind))
    return known


def _joined(items: Iterable[_Item]) -> list[_Item]:
    """Join words never seen with the names beside them, and around an `of`: the last one says what the whole is."""
    joined: list[_Item] = []
    for item in items:
        before = joined[-1] if joined else _Item("")
        if before.symbol == _NEW and item.name and item.symbol != _NEW:
            joined[-1] = replace(item, said_of_it=before.name, role=min(before.role, item.role))
        elif before.name and item.symbol == _NEW:
            joined[-1] = replace(item, name=f"{before.name} {item.name}", role=min(before.role, item.role))
        elif item.symbol == _NEW and before.symbol == "of" and len(joined) > 1 and joined[-2].symbol == _NEW:
            joined.pop()
            joined[-1] = replace(joined[-1], name=f"{joined[-1].name} of {item.name}")
        else:
            joined.append(item)
    return [replace(item, symbol=f"{_NEW}s") if item.symbol == _NEW and _is_many(item.name) else item for item in joined]


def _is_many(name: str) -> bool:
    head = name.partition(" of ")[0]
    return head.endswith("s") and not head.endswith("ss")


def _examples(seed: int, texts: Sequence[str], words: Words, common: Sequence[str], rare: Collection[str]) -> Iterator[list[_Item]]:
    """Yield sentences made of wordings, with the roles of their names; some names and words are hidden."""
    draw = np.random.Generator(np.random.PCG64([seed, 17]))
    for text in texts:
        is_negated = any(f"{{{slot}}}" in text for slot, role in _ROLE_OF_SLOT.items() if role == 2)
        for _ in range(_VARIANTS * (3 if is_negated else 1)):
            items = [_Item(token) for token in _tokens(words.before[int(draw.integers(len(words.before)))])]
            at = ("in", "on")[int(draw.integers(2))]
            for n, piece in enumerate(_SLOT.split(text)):
                if n % 2 == 0:
                    items += [_Item(token) for token in _tokens(piece)]
                    continue
                slot = piece.lower()
                items += [_Item(token) for token in _BEFORE.get(slot, "").format(at=at).split()]
                items += _hidden(slot, draw, common) if draw.random() < _NEW_NAMES else [_shown(slot)]
            items += [_Item(token) for token in _tokens(words.after[int(draw.integers(len(words.after)))])]
            yield _joined(_Item(_NEW, "x") if item.symbol in rare and draw.random() < _NEW_WORDS else item for item in items)


def _shown(slot: str) -> _Item:
    return _Item(f"{_THING if slot in _THINGS else _PLACE}{'s' if slot == 's' else ''}", "shown", role=_ROLE_OF_SLOT[slot])


def _hidden(slot: str, draw: np.random.Generator, common: Sequence[str]) -> list[_Item]:
    """Return a name as one that was never seen: a word or two, or with a word of another meaning before or after it."""
    role = _ROLE_OF_SLOT[slot]
    form = int(draw.integers(10))
    end = "s" if slot == "s" or draw.random() < 0.05 else ""
    new, other = _Item(_NEW, f"x{end}", role=role), _Item(common[int(draw.integers(len(common)))])
    if form < 7:
        return [new]
    if form < 8:
        return [new, _Item("of"), _Item(_NEW, "x", role=role)]
    return [other, new] if form < 9 else [new, other]


def _kind_features(items: Sequence[_Item]) -> list[str]:
    """Return words, their first four letters and trigrams, pairs of neighbours, which sorts of names there are, and how much is new."""
    symbols = [item.symbol for item in items]
    new = [item.name if item.symbol[:4] == _NEW else item.said_of_it for item in items if item.name]
    plain = [word for word in (*symbols, *" ".join(new).split()) if word.isalpha()]
    found = {"bias", *plain, *(f"{a} {b}" for a, b in pairwise(symbols)), *(f"^{word[:4]}" for word in plain)}
    found |= {part for word in plain if len(word) > 3 for part in _shape(word)} | {item.symbol for item in items if item.name}
    if any(item.name and item.symbol.endswith("s") for item in items):
        found.add("many")
    names, others = sum(symbol[:4] == _NEW for symbol in symbols), sum(bool(item.said_of_it) for item in items)
    return sorted(found | {f"new names {min(names, 3)}", f"new words {min(others, 2)}", f"new {min(names + others, 3)}"})


def _role_features(items: Sequence[_Item], at: int) -> list[str]:
    """Return the words around a name, alone and in rows, those before it in its clause, and its place among the names of the sentence."""
    rank, names = sum(1 for item in items[:at] if item.name), [item.symbol[:3] for item in items if item.name]
    symbol = items[at].symbol
    found = {"bias", symbol, f"names {' '.join(names)} {rank}", f"{symbol} nth {min(rank, 2)} of {min(len(names), 3)}"}
    # Other names as they are, and all names alike.
    for words in ([item.symbol for item in items], ["#" if item.name else item.symbol for item in items]):
        before, after = ["", "", "", *words[:at]], [*words[at + 1 :], "", "", ""]
        start = max((n + 1 for n, word in enumerate(before) if word and word in _STOPS), default=0)
        found |= {f"clause {word}" for word in before[start:]}
        for d in (1, 2, 3):
            found |= {f"-{d} {before[-d]}", f"+{d} {after[d - 1]}", f"< {before[-d]}", f"> {after[d - 1]}"}
        found |= {
            f"-2-1 {before[-2]} {before[-1]}",
            f"-3-2-1 {before[-3]} {before[-2]} {before[-1]}",
            f"+1+2 {after[0]} {after[1]}",
            f"-1+1 {before[-1]} {after[0]}",
            f"{symbol} -1 {before[-1]}",
        }
    return sorted(found)


class _Regression:
    """Softmax regression over named features, fitted by Adam on all examples at once; the same examples give the same weights."""

    def __init__(self, rows: Sequence[Sequence[str]], labels: Sequence[int], n_labels: int, ridge: float) -> None:
        counts = Counter(feature for row in rows for feature in row)
        self._index = {feature: n for n, feature in enumerate(sorted(feature for feature, count in counts.items() if count > 1))}
        ids = [[self._index[feature] for feature in row if feature in self._index] for row in rows]
        flat, starts = np.array([n for row in ids for n in row]), np.cumsum([0, *map(len, ids[:-1])])
        which = np.repeat(np.arange(len(rows)), [len(row) for row in ids])
        wanted = np.eye(n_labels)[np.array(labels)]
        self._weights: NDArray[np.float64] = np.zeros((len(self._index), n_labels))
        mean, square = np.zeros_like(self._weights), np.zeros_like(self._weights)
        for step in range(1, _ROUNDS + 1):
            error = (_softmax(np.add.reduceat(self._weights[flat], starts)) - wanted) / len(rows)
            pulls = [np.bincount(flat, error[which, c], len(self._index)) for c in range(n_labels)]
            slope = np.stack(pulls, axis=1) + ridge * self._weights
            mean, square = 0.9 * mean + 0.1 * slope, 0.99 * square + 0.01 * slope**2
            self._weights -= _RATE * (mean / (1 - 0.9**step)) / (np.sqrt(square / (1 - 0.99**step)) + 1e-9)

    def chances(self, row: Sequence[str]) -> NDArray[np.float64]:
        """Return the chance of each label."""
        found = [self._index[feature] for feature in row if feature in self._index]
        chances: NDArray[np.float64] = _softmax(self._weights[found].sum(axis=0)[None, :])[0]
        return chances


def _softmax(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    chances: NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
    return chances


class _Likeness:
    """How like a text is to the known names of each kind: words and letter trigrams, the rarer the weightier."""

    def __init__(self, table: Mapping[str, Mapping[str, tuple[Name, ...]]]) -> None:
        self.kinds = sorted(table)
        names = [(k, _shape(text)) for k, kind in enumerate(self.kinds) for text in _spellings(kind, table[kind]["train"])]
        self._kind_of = np.array([k for k, _ in names])
        count = Counter(part for _, shape in names for part in shape)
        self._index = {part: n for n, part in enumerate(sorted(count))}
        self._rarity = np.array([math.log(len(names) / count[part]) for part in self._index])
        self._rows = np.array([self._vector(shape) for _, shape in names])

    def likeness(self, text: str) -> NDArray[np.float64]:
        """Return the cosine of a text and the nearest name of each kind, from 0 to 1."""
        found = np.zeros(len(self.kinds))
        np.maximum.at(found, self._kind_of, self._rows @ self._vector(_shape(text)))
        return found

    def _vector(self, shape: Collection[str]) -> NDArray[np.float64]:
        known = [self._index[part] for part in shape if part in self._index]
        vector = np.zeros(len(self._index))
        vector[known] = self._rarity[known]
        # What no name has counts for length alone: a text of which a little is like is not alike.
        length = math.sqrt(float((vector**2).sum()) + (len(shape) - len(known)) * math.log(len(self._index)) ** 2 / 4)
        if length:
            vector /= length
        return vector


def _spellings(kind: str, names: Iterable[Name]) -> list[str]:
    own = " ".join(re.findall(r"[A-Z]+[a-z]*", kind))
    return [own, *(text for name in names for text in (name.one, name.many))]


def _shape(text: str) -> set[str]:
    """Return the words and the letter trigrams of a name."""
    found = set()
    for word in _tokens(text):
        edged = f"#{word}#"
        found |= {word, *(edged[at : at + 3] for at in range(len(edged) - 2))}
    return found


@cache
def _sense(kind: GoalKind, present: frozenset[str]) -> NDArray[np.float64]:
    """Return the logarithm of how likely a goal of this kind is for each thing and target, before anything is said.

    Args:
        kind: Kind of goal.
        present: As in `read`.
    """
    flags, places = object_flags(), receptacle_kinds()
    words = read_words()
    things = sorted(words.things)
    plans = fitting_rooms(present)
    fits = np.array([_FLAG.get(kind, "pickupable") in flags[thing] for thing in things])
    near = np.array([any(thing in plan.objects for plan in plans) for thing in things])
    chance = np.where(fits, 1.0, _ODD) * np.where(near, 1.0, _ODD)
    if kind == GoalKind.LIGHT:
        both = chance[:, None] * np.array([LAMPS.get(thing, _ODD**2) for thing in things])[None, :]
    else:
        targets = sorted(places)
        there = [not present or target.lower() in present for target in targets]
        apt = [target != _TOOL.get(kind) and not (kind == GoalKind.TWO and places[target].single) for target in targets]
        held = np.array([[thing in places[target].holds for target in targets] for thing in things])
        both = chance[:, None] * np.where(held, 1.0, _ODD) * (np.where(there, 1.0, _ODD**2) * np.where(apt, 1.0, _ODD))[None, :]
    # Where the tool of a kind of goal is missing, there is none of that kind.
    tool = _TOOL.get(kind, "").lower()
    lost = _ODD if tool and present and tool not in present else 1.0
    found: NDArray[np.float64] = np.log(lost * both / both.sum())
    return found
