"""The search of the expert as compiled functions: A* over the nodes and spots of `abstraction`, which says what those are.

Each step of the search is something done at one spot, counted together with the `go to` and the `open` right before it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from homebody.envs.household.compiled import kernel
from homebody.envs.household.engine.command import Verb
from homebody.envs.household.engine.layout import HELD, PLACE, Head, ObjectSet, ReceptacleSet, Words
from homebody.envs.household.engine.problem import GoalKind
from homebody.envs.household.engine.rules import accepts, copy, drop, has, number, of_objects, of_receptacles, put, write
from homebody.envs.household.expert.abstraction import (
    READY,
    Numbers,
    choose_objects,
    choose_spots,
    first_node,
    holders_at,
    is_tool,
    opened_at,
    target_set,
)

# Plain integers for the compiled functions, as in `rules.py`.
_R_WORDS, _GOAL, _PLACE_OF = int(Head.R_WORDS), int(Head.GOAL), int(Head.PLACE_OF)
_OPENABLE = int(ReceptacleSet.OPENABLE)
_PICKUPABLE, _GOAL_OBJECT, _GOAL_LAMP = int(ObjectSet.PICKUPABLE), int(ObjectSet.GOAL_OBJECT), int(ObjectSet.GOAL_LAMP)
_GO, _OPEN, _TAKE, _MOVE, _CLEAN, _USE = (int(v) for v in (Verb.GO, Verb.OPEN, Verb.TAKE, Verb.MOVE, Verb.CLEAN, Verb.USE))
_LIGHT, _CLEAN_GOAL, _TWO = int(GoalKind.LIGHT), int(GoalKind.CLEAN), int(GoalKind.TWO)
_COST, _PARENT, _SPOT, _OPTION = range(4)  # the columns of an edge: the commands from the start, and how the node was reached
_NONE = np.uint64(0)


@kernel
def find_plan(world: Words, state: Words, max_nodes: int) -> tuple[bool, NDArray[np.int16]]:
    """Search for a shortest list of commands from a state to the goal.

    Args:
        world: The world.
        state: Its state; it is only read.
        max_nodes: How many nodes may be met before the search gives up.

    Returns:
        Whether there is a plan, and its commands (verb, a, b) as rows: shape (length, 3).
    """
    objects = choose_objects(world, state)
    start = first_node(world, state, objects)
    targets = target_set(world)
    spots = choose_spots(world, start, objects, targets)
    n_options = 2 * len(objects) + 2
    most = max_nodes + len(spots) * n_options
    # Memory that is never touched costs nothing: these are large for the rare long search.
    nodes, edges = np.empty((most, len(start)), np.uint64), np.empty((most, 4), np.int64)
    table = np.zeros(_table_size(most), np.int64)
    heap = np.empty((2, 256), np.int64)
    node, following = np.empty_like(start), np.empty_like(start)
    copy(start, nodes[0])
    edges[0, _COST], edges[0, _PARENT] = 0, -1
    table[_slot(table, nodes, start)] = 1
    n, n_pushed, n_heap = 1, 1, _push(heap, 0, 0, 0)
    while n_heap > 0 and n < max_nodes:
        current = heap[1, 0]
        n_heap = _pop(heap, n_heap)
        copy(nodes[current], node)
        if _is_goal(world, node, objects, spots, targets):
            return True, _commands(world, nodes, edges, objects, current)
        for s in range(len(spots)):
            for option in range(n_options):
                more = _follow(world, node, objects, spots[s], option, following)
                if more == 0:
                    continue
                cost = edges[current, _COST] + more
                slot = _slot(table, nodes, following)
                known = table[slot] - 1
                if known < 0:
                    known = n
                    copy(following, nodes[n])
                    n += 1
                    table[slot] = n
                elif edges[known, _COST] <= cost:
                    continue
                edges[known, _COST], edges[known, _PARENT] = cost, current
                edges[known, _SPOT], edges[known, _OPTION] = spots[s], option
                if n_heap == heap.shape[1]:
                    heap = _larger(heap)
                # A node is queued again when a cheaper way to it is found; the entry left behind does no harm.
                n_heap = _push(heap, n_heap, (cost + _bound(world, following, objects, spots, targets) << 32) + n_pushed, known)
                n_pushed += 1
    return False, np.empty((0, 3), np.int16)


@kernel
def _is_goal(world: Words, node: Words, objects: Numbers, spots: Numbers, targets: Words) -> bool:
    goal = number(world, _GOAL)
    if goal != _LIGHT:
        return _delivered(world, node, objects, targets) >= (2 if goal == _TWO else 1)
    held = number(node, HELD) - 1
    if held < 0 or not has(world, of_objects(world, _GOAL_OBJECT), objects[held]):
        return False
    for i in range(len(objects)):
        if has(world, of_objects(world, _GOAL_LAMP), objects[i]) and has(node, READY, i):
            for r in spots:
                if world[number(world, _PLACE_OF) + r] == node[PLACE] and has(node, holders_at(world, objects, i), r):
                    return True
    return False


@kernel
def _delivered(world: Words, node: Words, objects: Numbers, targets: Words) -> int:
    """Return the most objects in the state asked for that one target holds, up to two."""
    most = 0
    for w in range(number(world, _R_WORDS)):
        once = twice = _NONE
        for i in range(len(objects)):
            if has(world, of_objects(world, _GOAL_OBJECT), objects[i]) and has(node, READY, i):
                there = node[holders_at(world, objects, i) + w] & targets[w]
                twice |= once & there
                once |= there
        most = max(most, 2 if twice != _NONE else 1 if once != _NONE else 0)
    return most


@kernel
def _bound(world: Words, node: Words, objects: Numbers, spots: Numbers, targets: Words) -> int:
    """Return a lower bound on the commands still needed."""
    goal, held = number(world, _GOAL), number(node, HELD) - 1
    holds_it = held >= 0 and has(world, of_objects(world, _GOAL_OBJECT), objects[held])
    if goal == _LIGHT:
        if _is_goal(world, node, objects, spots, targets):
            return 0
        lit = False
        for i in range(len(objects)):
            lit |= has(node, READY, i)
        return (0 if lit else 1) + (0 if holds_it else 1 if held < 0 else 2)
    missing = (2 if goal == _TWO else 1) - _delivered(world, node, objects, targets)
    if missing <= 0:
        return 0
    bound, ready = 2 * missing + (0 if held < 0 else -1 if holds_it else 1), False
    for i in range(len(objects)):
        ready |= has(node, READY, i)
    if not ready:
        bound += 1
    for r in spots:
        if world[number(world, _PLACE_OF) + r] == node[PLACE] and has(targets, 0, r):
            return bound
    return bound + 1


@kernel
def _follow(world: Words, node: Words, objects: Numbers, r: int, option: int, out_node: Words) -> int:
    """Write the node after something done at a spot, and return how many commands that takes; 0 if it cannot be done.

    The options are for k objects: to take object `option` (below k), to put down what is held (k), to use the tool on it (k + 1), and to
    switch on the lamp `option - k - 2` or, if it is on, to go there.
    """
    k, held = len(objects), number(node, HELD) - 1
    place = world[number(world, _PLACE_OF) + r]
    go = 0 if place == node[PLACE] else 1
    if option < k:
        if held >= 0 or not has(node, holders_at(world, objects, option), r):
            return 0
        if not has(world, of_objects(world, _PICKUPABLE), objects[option]):
            return 0
    elif option == k:
        if held < 0 or not accepts(world, r, objects[held]):
            return 0
    elif option == k + 1:
        is_wanted = held >= 0 and has(world, of_objects(world, _GOAL_OBJECT), objects[held])
        if not is_wanted or has(node, READY, held) or not is_tool(world, r):
            return 0
    else:
        lamp = option - k - 2
        if not has(world, of_objects(world, _GOAL_LAMP), objects[lamp]) or not has(node, holders_at(world, objects, lamp), r):
            return 0
        if go == 0 and has(node, READY, lamp):
            return 0
    copy(node, out_node)
    out_node[PLACE] = place
    if option > k:
        done = held if option == k + 1 else option - k - 2
        more = 0 if has(node, READY, done) else 1
        put(out_node, READY, done)
        return go + more
    closed = has(world, of_receptacles(world, _OPENABLE), r) and not has(node, opened_at(objects), r)
    if closed:
        put(out_node, opened_at(objects), r)
    if option < k:
        drop(out_node, holders_at(world, objects, option), r)
        out_node[HELD] = np.uint64(option + 1)
    else:
        put(out_node, holders_at(world, objects, held), r)
        out_node[HELD] = _NONE
    return go + closed + 1


@kernel
def _commands(world: Words, nodes: Words, edges: Numbers, objects: Numbers, last: int) -> NDArray[np.int16]:
    """Return the commands along the edges that lead to a node."""
    k = len(objects)
    codes = np.empty((edges[last, _COST], 3), np.int16)
    while edges[last, _PARENT] >= 0:
        node, r, option = nodes[edges[last, _PARENT]], edges[last, _SPOT], edges[last, _OPTION]
        held = number(node, HELD) - 1
        n = edges[edges[last, _PARENT], _COST]
        if world[number(world, _PLACE_OF) + r] != node[PLACE]:
            n = write(codes, n, _GO, r, -1)
        if option <= k and has(world, of_receptacles(world, _OPENABLE), r) and not has(node, opened_at(objects), r):
            n = write(codes, n, _OPEN, r, -1)
        if option < k:
            write(codes, n, _TAKE, objects[option], r)
        elif option == k:
            write(codes, n, _MOVE, objects[held], r)
        elif option == k + 1:
            write(codes, n, _CLEAN + number(world, _GOAL) - _CLEAN_GOAL, objects[held], r)
        elif n < edges[last, _COST]:
            write(codes, n, _USE, objects[option - k - 2], -1)
        last = edges[last, _PARENT]
    return codes


@kernel
def _table_size(most: int) -> int:
    """Return a power of two of at least twice as many slots as there may be nodes."""
    size = 64
    while size < 2 * most:
        size *= 2
    return size


@kernel
def _slot(table: Numbers, nodes: Words, node: Words) -> int:
    """Return the slot of a hash table where a node stands, or where it would: a slot holds a node's number plus one, or 0."""
    mixed = np.uint64(len(node))
    for w in range(len(node)):
        mixed = (mixed ^ node[w]) * np.uint64(0x9E3779B97F4A7C15)
        mixed ^= mixed >> np.uint64(29)
    slot = int(np.int64(mixed & np.uint64(len(table) - 1)))
    while table[slot] != 0:
        other, same = table[slot] - 1, True
        for w in range(len(node)):
            same &= nodes[other, w] == node[w]
        if same:
            return slot
        slot = (slot + 1) & (len(table) - 1)
    return slot


@kernel
def _push(heap: Numbers, n: int, key: int, value: int) -> int:
    """Add to a heap of (keys, values), shape (2, capacity), and return its new length."""
    i = n
    while i > 0 and heap[0, (i - 1) >> 1] > key:
        heap[0, i], heap[1, i] = heap[0, (i - 1) >> 1], heap[1, (i - 1) >> 1]
        i = (i - 1) >> 1
    heap[0, i], heap[1, i] = key, value
    return n + 1


@kernel
def _larger(heap: Numbers) -> Numbers:
    larger = np.empty((2, 2 * heap.shape[1]), np.int64)
    for i in range(heap.shape[1]):
        larger[0, i], larger[1, i] = heap[0, i], heap[1, i]
    return larger


@kernel
def _pop(heap: Numbers, n: int) -> int:
    """Remove the first of a heap, and return its new length."""
    n -= 1
    key, value, i = heap[0, n], heap[1, n], 0
    while 2 * i + 1 < n:
        child = 2 * i + 1
        if child + 1 < n and heap[0, child + 1] < heap[0, child]:
            child += 1
        if heap[0, child] >= key:
            break
        heap[0, i], heap[1, i] = heap[0, child], heap[1, child]
        i = child
    heap[0, i], heap[1, i] = key, value
    return n
