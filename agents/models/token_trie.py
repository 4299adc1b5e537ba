"""Token trees: many continuations of one prefix, evaluated with every common beginning only once.

Knows tokens as numbers; nothing of models. The log-probability of a token comes from the logits of the token before it, so a
continuation's last token is never evaluated: the nodes of a tree are the proper, non-empty beginnings of the continuations.
"""

from collections.abc import Collection
from dataclasses import dataclass

Path = tuple[int, ...]
"""Tokens from the prefix's end to a node."""


@dataclass(frozen=True)
class Node:
    """One token to evaluate."""

    path: Path
    """Tokens from the prefix's end to this one, which is the last; its position is the prefix's length + len(path) - 1."""
    sequences: tuple[int, ...]
    """Sequences that run through this node: ids from 1 on, ascending."""


def branches(continuations: Collection[Path]) -> dict[Path, list[int]]:
    """Return, for each beginning (the empty one included), the tokens that follow it in some continuation, ascending."""
    following: dict[Path, set[int]] = {}
    for tokens in continuations:
        for depth, token in enumerate(tokens):
            following.setdefault(tokens[:depth], set()).add(token)
    return {path: sorted(tokens) for path, tokens in sorted(following.items())}


def plant(continuations: Collection[Path], *, max_sequences: int, max_nodes: int, shares_nodes: bool = True) -> list[list[Node]]:
    """Return the trees whose nodes are the proper, non-empty beginnings of the continuations.

    The result depends on the set of continuations only. A node that two trees share is in both.

    Args:
        continuations: token tuples; repeats and empty ones are fine.
        max_sequences: most leaves of a tree, at least 1.
        max_nodes: most nodes of a tree; a single continuation longer than this gets a tree of its own all the same.
        shares_nodes: whether a node may belong to several sequences; if not, each sequence has nodes of its own.

    Returns:
        Trees, each a list of nodes in depth-first order: a node comes after its parent, and all nodes of a sequence in order.
    """
    paths = sorted({tokens[:-1] for tokens in continuations if len(tokens) > 1})
    # In sorted order a path that begins another begins its neighbour: what is left are the leaves.
    leaves = [path for path, after in zip(paths, [*paths[1:], ()], strict=False) if after[: len(path)] != path]
    trees: list[list[Path]] = []
    size = 0
    for leaf in leaves:
        new = len(leaf) - (_shared(trees[-1][-1], leaf) if trees and shares_nodes else 0)
        if not trees or len(trees[-1]) == max_sequences or size + new > max_nodes:
            trees.append([])
            size, new = 0, len(leaf)
        trees[-1].append(leaf)
        size += new
    if shares_nodes:
        return [_nodes(tree) for tree in trees]
    return [[node for number, leaf in enumerate(tree, start=1) for node in _chain(leaf, number)] for tree in trees]


def _nodes(leaves: list[Path]) -> list[Node]:
    through: dict[Path, list[int]] = {}
    for sequence, leaf in enumerate(leaves, start=1):
        for depth in range(1, len(leaf) + 1):
            through.setdefault(leaf[:depth], []).append(sequence)
    return [Node(path, tuple(sequences)) for path, sequences in through.items()]


def _chain(leaf: Path, sequence: int) -> list[Node]:
    return [Node(leaf[:depth], (sequence,)) for depth in range(1, len(leaf) + 1)]


def _shared(a: Path, b: Path) -> int:
    count = 0
    for x, y in zip(a, b, strict=False):
        if x != y:
            break
        count += 1
    return count
