"""The reference functions and the table of their mutants."""

import ast
import difflib
import re
from collections import Counter

import pytest

from homebody.envs.repair.functions import FAMILIES, Function, functions, of_split
from homebody.envs.repair.inputs import draw_arguments
from homebody.envs.repair.mutations import mutants
from homebody.envs.repair.selection import _table, digest, pool, select, selected
from homebody.envs.repair.suite import run_cases


def test_there_are_ninety_functions_in_nine_families() -> None:
    assert len(functions()) == 90
    assert Counter(function.family for function in functions().values()) == dict.fromkeys(FAMILIES, 10)
    for function in functions().values():
        (tree,) = ast.parse(function.text).body
        assert isinstance(tree, ast.FunctionDef)
        assert tree.name == function.name
        assert ast.get_docstring(tree)


def test_every_function_belongs_to_one_split_and_every_family_has_all_three() -> None:
    for holdout, counts in (("function", (54, 18, 18)), ("family", (60, 10, 20))):
        split = {name: [f.name for f in of_split(name, holdout)] for name in ("train", "validation", "test")}
        assert tuple(map(len, split.values())) == counts
        assert set().union(*split.values()) == set(functions())
    assert {f.family for f in of_split("test", "function")} == set(FAMILIES)
    assert not {f.family for f in of_split("test", "family")} & {f.family for f in of_split("train", "family")}


def shape(function: Function) -> list[str]:
    """A function as its words, names of variables aside."""
    body = function.text.split('"""')[2]
    return [word if word in KEPT else "x" if word.isidentifier() else word for word in re.findall(r"\w+|[^\w\s]", body)]


KEPT = {"for", "while", "if", "elif", "else", "return", "in", "not", "and", "or", "range", "len", "break", "continue", "append", "sorted"}


def test_no_test_function_is_nearly_one_of_training() -> None:
    near = [
        (one.name, other.name)
        for one in of_split("test", "function")
        for other in functions().values()
        if other.split("function") != "test" and difflib.SequenceMatcher(None, shape(one), shape(other), autojunk=False).ratio() > 0.9
    ]
    assert near == []


@pytest.mark.parametrize("name", ["greatest_common_divisor", "is_leap_year", "shift_letters"])
def test_the_table_is_what_the_selection_makes(name: str) -> None:
    assert _table()[name]["mutants"] == select(functions()[name])


def test_the_table_was_made_of_these_functions() -> None:
    """Run `python -m homebody.envs.repair.selection > assets/repair/mutants.json` after a change."""
    assert [name for name, function in functions().items() if _table()[name]["of"] != digest(function)] == []
    assert list(_table()) == list(functions())


def test_a_hundred_mutants_fail_two_inputs_or_more_and_their_functions_none() -> None:
    for name in list(functions())[::9]:
        assert run_cases(functions()[name].text, pool(name)).passed
        for mutant in selected(name)[:10]:
            outcome = run_cases(mutant.text, pool(name))
            assert outcome.problem == ""
            assert len(outcome.failed) >= 2


def test_every_operator_makes_tasks() -> None:
    kinds = Counter(mutant.kind for name in functions() for mutant in selected(name))
    assert len(kinds) == 19
    assert sum(kinds.values()) > 4000
    # Early tasks of a function are of different kinds.
    assert all(len({mutant.kind for mutant in selected(name)[:5]}) >= 3 for name in functions())


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("greatest_common_divisor", (12, 18), 6),
        ("digital_root", (9999,), 9),
        ("to_base", (255, 16), "ff"),
        ("run_lengths", ("aab",), "a2b1"),
        ("shift_letters", ("xyZ.", 3), "abC."),
        ("spiral", ([[1, 2, 3], [4, 5, 6], [7, 8, 9]],), [1, 2, 3, 6, 9, 8, 7, 4, 5]),
        ("water_between", ([3, 0, 2, 0, 4],), 7),
        ("merge_intervals", ([[5, 6], [1, 3], [2, 4]],), [[1, 4], [5, 6]]),
        ("cheapest_first", ({"a": 5, "b": 2, "c": 4}, 7), ["b", "c"]),
        ("count_inversions", ([3, 1, 2],), 2),
        ("longest_increasing", ([3, 1, 2, 5, 4],), 3),
        ("edit_distance", ("cat", "cab"), 1),
        ("ways_to_pay", (5, [1, 2, 5]), 4),
        ("hanoi", (2, "a", "c", "b"), ["ab", "ac", "bc"]),
        ("evaluate", ("12+3-4",), 11),
        ("from_roman", ("XCIX",), 99),
        ("read_ranges", ("1-3,7",), [1, 2, 3, 7]),
        ("split_fields", ('a,"b,c"',), ["a", "b,c"]),
        ("simplify_path", ("/a/./b/../c",), "/a/c"),
        ("cheapest_way", ({"a": {"b": 9, "c": 1}, "b": {}, "c": {"b": 2}}, "a", "b"), 3),
        ("dependency_order", ({"a": ["b"], "b": []},), ["b", "a"]),
        ("is_leap_year", (1900,), False),
        ("weekday", (28, 11, 2026), 0),  # a Saturday
        ("minutes_between", ("23:50", "00:10"), 20),
        ("duration", (3725,), "1h 2m 5s"),
        ("add_days", (30, 12, 3), [2, 1]),
    ],
)
def test_functions_do_what_their_docstrings_say(name: str, arguments: tuple[object, ...], expected: object) -> None:
    space: dict[str, object] = {}
    exec(functions()[name].text, space)
    assert space[name](*arguments) == expected  # type: ignore[operator]


def test_unknown_kinds_of_inputs_are_named() -> None:
    from random import Random

    with pytest.raises(ValueError, match="there are no inputs 'colour'"):
        draw_arguments("colour(1)", Random(0))


def test_mutants_of_a_function_come_in_one_order() -> None:
    text = functions()["binary_search"].text
    assert mutants(text) == mutants(text)
