"""What a plan of the expert may use, as compiled functions: the objects that matter, and one receptacle of those that serve alike.

A plan only needs a few kinds of steps: take an object of the goal, put down what is held, use a tool on it, switch on a lamp, deliver.
Each is done at one receptacle, a spot; and places that offer the same are interchangeable, so one stands for all. What remains is small.

A node of the search is a row of uint64 words: place; held; the objects that are ready (in the state that the goal asks for, or switched
on); the open receptacles; and for each object the receptacles that hold it. Its objects are the ones that matter, by their position in
`objects`; `held` is one more than such a position, 0 for none.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from homebody.envs.household.compiled import kernel
from homebody.envs.household.engine.layout import HELD, OPENED, PLACE, Head, ObjectSet, ReceptacleSet, Status, Words
from homebody.envs.household.engine.problem import GoalKind
from homebody.envs.household.engine.rules import accepts, contents, has, number, of_objects, of_receptacles, put, status

Numbers = NDArray[np.int64]

READY = 2
"""Where the set of the objects that are ready begins in a node."""

# Plain integers for the compiled functions, as in `rules.py`.
_N_RECEPTACLES, _N_OBJECTS, _N_PLACES = int(Head.N_RECEPTACLES), int(Head.N_OBJECTS), int(Head.N_PLACES)
_R_WORDS, _GOAL, _N_TARGETS = int(Head.R_WORDS), int(Head.GOAL), int(Head.N_TARGETS)
_FIRST, _MEMBERS, _TARGETS = int(Head.FIRST), int(Head.MEMBERS), int(Head.TARGETS)
_OPENABLE, _CLEANS = int(ReceptacleSet.OPENABLE), int(ReceptacleSet.CLEANS)
_PICKUPABLE, _GOAL_OBJECT, _GOAL_LAMP = int(ObjectSet.PICKUPABLE), int(ObjectSet.GOAL_OBJECT), int(ObjectSet.GOAL_LAMP)
_CLEAN_STATUS, _TOGGLED = int(Status.CLEAN), int(Status.TOGGLED)
_LIGHT, _CLEAN_GOAL, _COOL_GOAL, _TWO = (int(g) for g in (GoalKind.LIGHT, GoalKind.CLEAN, GoalKind.COOL, GoalKind.TWO))
_HOLDS = 3  # the column of an offer that tells whether there is anything


@kernel
def choose_objects(world: Words, state: Words) -> Numbers:
    """Return the objects that matter: what is held, and what the goal names, if it lies in a receptacle."""
    objects, n = np.empty(number(world, _N_OBJECTS), np.int64), 0
    for o in range(number(world, _N_OBJECTS)):
        matters = o == number(state, HELD) - 1
        if has(world, of_objects(world, _GOAL_OBJECT), o) or has(world, of_objects(world, _GOAL_LAMP), o):
            for r in range(number(world, _N_RECEPTACLES)):
                matters |= has(state, contents(world, r), o)
        if matters:
            objects[n] = o
            n += 1
    return objects[:n]


@kernel
def opened_at(objects: Numbers) -> int:
    """Return where the set of open receptacles begins in a node."""
    return READY + (len(objects) + 63) // 64


@kernel
def holders_at(world: Words, objects: Numbers, i: int) -> int:
    """Return where the set of the receptacles that hold object `i` begins in a node."""
    return opened_at(objects) + (i + 1) * number(world, _R_WORDS)


@kernel
def first_node(world: Words, state: Words, objects: Numbers) -> Words:
    """Return the node of a state."""
    r_words, goal = number(world, _R_WORDS), number(world, _GOAL)
    node = np.zeros(holders_at(world, objects, len(objects)), np.uint64)
    node[PLACE] = state[PLACE]
    for w in range(r_words):
        node[opened_at(objects) + w] = state[OPENED + w]
    for i in range(len(objects)):
        o = objects[i]
        if o == number(state, HELD) - 1:
            node[HELD] = np.uint64(i + 1)
        for r in range(number(world, _N_RECEPTACLES)):
            if has(state, contents(world, r), o):
                put(node, holders_at(world, objects, i), r)
        if goal == _LIGHT:
            ready = has(world, of_objects(world, _GOAL_LAMP), o) and has(state, status(world, _TOGGLED), o)
        else:
            ready = has(world, of_objects(world, _GOAL_OBJECT), o)
            if _CLEAN_GOAL <= goal <= _COOL_GOAL:
                ready = ready and has(state, status(world, _CLEAN_STATUS + goal - _CLEAN_GOAL), o)
        if ready:
            put(node, READY, i)
    return node


@kernel
def target_set(world: Words) -> Words:
    """Return the receptacles to deliver to, as a set."""
    targets = np.zeros(number(world, _R_WORDS), np.uint64)
    for i in range(number(world, _N_TARGETS)):
        put(targets, 0, number(world, number(world, _TARGETS) + i))
    return targets


@kernel
def is_tool(world: Words, r: int) -> bool:
    """Tell whether a receptacle cleans, heats or cools as the goal asks."""
    goal = number(world, _GOAL)
    return _CLEAN_GOAL <= goal <= _COOL_GOAL and has(world, of_receptacles(world, _CLEANS + goal - _CLEAN_GOAL), r)


@kernel
def _offer(world: Words, node: Words, objects: Numbers, targets: Words, r: int, out_offer: Numbers) -> None:
    """Describe what a receptacle offers, so that those which serve a plan alike are described alike.

    Args:
        world: The world.
        node: The first node.
        objects: The objects that matter.
        targets: The receptacles to deliver to.
        r: The receptacle.
        out_offer: Shape (20 + 2 * len(objects),): whether it is closed; whether it is a target, a tool, or holds anything; how many
            objects of each of 16 kinds it holds; which objects like no other it holds; which it accepts.
    """
    k = len(objects)
    for i in range(len(out_offer)):
        out_offer[i] = 0
    out_offer[0] = has(world, of_receptacles(world, _OPENABLE), r) and not has(node, opened_at(objects), r)
    out_offer[1], out_offer[2] = has(targets, 0, r), is_tool(world, r)
    for i in range(k):
        out_offer[20 + k + i] = accepts(world, r, objects[i])
        if has(node, holders_at(world, objects, i), r):
            out_offer[_HOLDS] = 1
            # Held and yet inside, or inside two receptacles: such an object is like no other.
            n_holders = 0
            for other in range(number(world, _N_RECEPTACLES)):
                n_holders += has(node, holders_at(world, objects, i), other)
            if n_holders > 1 or number(node, HELD) == i + 1:
                out_offer[20 + i] = 1
            else:
                kind = 8 * has(node, READY, i)
                for row, weight in ((_GOAL_OBJECT, 1), (_GOAL_LAMP, 2), (_PICKUPABLE, 4)):
                    kind += weight * has(world, of_objects(world, row), objects[i])
                out_offer[4 + kind] += 1


@kernel
def choose_spots(world: Words, node: Words, objects: Numbers, targets: Words) -> Numbers:
    """Keep one of the receptacles and places that offer the same; two, where they hold objects of which the goal wants two."""
    n_receptacles, n_places, k = number(world, _N_RECEPTACLES), number(world, _N_PLACES), len(objects)
    spots, n = np.empty(n_receptacles, np.int64), 0
    offers = np.empty((n_receptacles + 1, 20 + 2 * k), np.int64)
    # The kinds of offers of all places so far, place after place, sorted within each; `ends[q]` is where the q-th ends.
    kinds, n_kinds = np.empty(n_receptacles, np.int64), 0
    ends, distinct = np.zeros(n_places + 1, np.int64), 0
    first, members = number(world, _FIRST), number(world, _MEMBERS)
    for q in range(n_places):
        # The place where the agent is comes first.
        place = number(node, PLACE) if q == 0 else q - (q <= number(node, PLACE))
        begin, n_before, holds = n_kinds, n, False
        for m in range(number(world, first + place), number(world, first + place + 1)):
            r = number(world, members + m)
            _offer(world, node, objects, targets, r, offers[distinct])
            kind = _find(offers, distinct)
            distinct = max(distinct, kind + 1)
            again = _count(kinds, begin, n_kinds, kind) > 0
            if not _is_useful(offers[kind]) or (again and offers[kind, _HOLDS] == 0):
                continue
            holds |= offers[kind, _HOLDS] == 1
            spots[n] = r
            n += 1
            _insert(kinds, begin, n_kinds, kind)
            n_kinds += 1
        ends[q + 1] = n_kinds
        if _times_before(kinds, ends, q) >= (2 if number(world, _GOAL) == _TWO and holds else 1):
            n = n_before
    return spots[:n]


@kernel
def _is_useful(offer: Numbers) -> bool:
    useful = False
    for i in range(1, len(offer)):
        useful |= offer[i] != 0
    return useful


@kernel
def _count(kinds: Numbers, begin: int, end: int, kind: int) -> int:
    n = 0
    for i in range(begin, end):
        n += kinds[i] == kind
    return n


@kernel
def _insert(kinds: Numbers, begin: int, end: int, kind: int) -> None:
    """Insert into the sorted numbers from `begin` to `end`."""
    i = end
    while i > begin and kinds[i - 1] > kind:
        kinds[i] = kinds[i - 1]
        i -= 1
    kinds[i] = kind


@kernel
def _find(offers: Numbers, last: int) -> int:
    """Return the first row that equals row `last`."""
    for row in range(last):
        same = True
        for i in range(offers.shape[1]):
            same &= offers[row, i] == offers[last, i]
        if same:
            return row
    return last


@kernel
def _times_before(kinds: Numbers, ends: Numbers, q: int) -> int:
    """Return how many of the places before the q-th have the same kinds as it has."""
    n, length = 0, ends[q + 1] - ends[q]
    for p in range(q):
        same = ends[p + 1] - ends[p] == length
        for i in range(length if same else 0):
            same &= kinds[ends[p] + i] == kinds[ends[q] + i]
        n += same
    return n
