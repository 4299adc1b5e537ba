from hypothesis import given
from hypothesis import strategies as st

from homebody.agents.models.token_trie import branches, plant

TOKENS = st.lists(st.integers(0, 3), max_size=5).map(tuple)
SETS = st.lists(TOKENS, max_size=12)


@given(SETS, st.integers(1, 4), st.integers(1, 10))
def test_trees_hold_every_proper_beginning_once_a_tree(paths, max_sequences, max_nodes):
    trees = plant(paths, max_sequences=max_sequences, max_nodes=max_nodes)
    wanted = {path[:end] for path in paths for end in range(1, len(path))}
    assert {node.path for tree in trees for node in tree} == wanted
    for tree in trees:
        nodes = {node.path: node for node in tree}
        assert len(nodes) == len(tree)
        sequences = {sequence for node in tree for sequence in node.sequences}
        assert sequences == set(range(1, len(sequences) + 1))
        assert len(sequences) <= max_sequences
        assert len(tree) <= max_nodes or len(sequences) == 1
        for sequence in sequences:  # Each sequence is one path, its nodes in order and none left out.
            along = [node.path for node in tree if sequence in node.sequences]
            assert along == [along[-1][: depth + 1] for depth in range(len(along))]


@given(SETS, st.randoms())
def test_order_and_repeats_do_not_matter(paths, random):
    other = paths + paths[:3]
    random.shuffle(other)
    assert plant(other, max_sequences=3, max_nodes=8) == plant(paths, max_sequences=3, max_nodes=8)
    assert list(branches(other).items()) == list(branches(paths).items())


def test_a_common_beginning_is_evaluated_once():
    [tree] = plant([(1, 2, 3), (1, 2, 4), (1, 5, 6), (7,)], max_sequences=63, max_nodes=512)
    assert [(node.path, node.sequences) for node in tree] == [((1,), (1, 2)), ((1, 2), (1,)), ((1, 5), (2,))]


def test_branches_name_what_follows():
    assert branches([(1, 2), (1, 3), (4,)]) == {(): [1, 4], (1,): [2, 3]}


@given(SETS, st.integers(1, 4))
def test_sequences_that_share_no_nodes_say_the_same(paths, max_sequences):
    trees = plant(paths, max_sequences=max_sequences, max_nodes=10, shares_nodes=False)
    wanted = {path[:end] for path in paths for end in range(1, len(path))}
    assert {node.path for tree in trees for node in tree} == wanted
    for tree in trees:
        sequences = [node.sequences for node in tree]
        assert sequences == sorted(sequences)
        assert {len(each) for each in sequences} == {1}
        for sequence in range(1, sequences[-1][0] + 1):
            along = [node.path for node in tree if node.sequences == (sequence,)]
            assert along == [along[-1][: depth + 1] for depth in range(len(along))]
