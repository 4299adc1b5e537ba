"""Tests of a program in the sandbox: values, errors, limits, and what programs may try."""

import time
from random import Random

import pytest

from homebody.envs.repair.functions import functions
from homebody.envs.repair.suite import MOST_PROGRAM, Case, run_cases, same, where_it_fails

CASES = (Case("f", (1, 2), 3), Case("f", (2, 2), 4))


@pytest.mark.parametrize(
    ("program", "values", "errors"),
    [
        ("def f(a, b):\n    return a + b", [3, 4], ["", ""]),
        ("f = lambda a, b: (a, {'b': [b]})", [[1, {"b": [2]}], [2, {"b": [2]}]], ["", ""]),
        ("def f(a, b):\n    return 1 / (2 - a)", [1.0, None], ["", "ZeroDivisionError: division by zero"]),
        ("def f(a, b):\n    return {a}", [None, None], ["TypeError: Object of type set is not JSON serializable"] * 2),
        ("def f(a, b):\n    return f(a, b)", [None, None], ["RecursionError: maximum recursion depth exceeded"] * 2),
        ("def f(a, b):\n    return float('nan')", [None, None], None),
        ("def g(a):\n    return a", [None, None], ["NameError: name 'f' is not defined"] * 2),
        ("def f(a, b):\n    print(a)\n    return 'x' * 30000", [None, None], ["the value is longer than 20000 characters"] * 2),
    ],
)
def test_each_test_has_a_value_or_an_error(program: str, values: list[object], errors: list[str] | None) -> None:
    outcome = run_cases(program, CASES)
    assert [result.value for result in outcome.results] == values
    told = [result.error for result in outcome.results]
    assert all(error.startswith("ValueError: ") for error in told) if errors is None else told == errors
    assert outcome.problem == ""


@pytest.mark.parametrize(
    ("program", "problem"),
    [
        ("def f(a, b)\n    return 1", "SyntaxError in line 1: Expected `:`, found newline"),
        ("", ""),
        ("def f(a, b):\n    while True: pass", "TimeoutError: it takes too long or too much memory"),
        ("x = []\nwhile True: x = [x, x, 'a' * 10000]", "TimeoutError: it takes too long or too much memory"),
        ("return 1", "it returns outside of a function"),
        ("import socket", "ModuleNotFoundError in line 1: No module named 'socket'"),
        ("def f(a, b):\n    return '''", None),
        ("x = " + "1" * MOST_PROGRAM, f"it is longer than {MOST_PROGRAM} characters"),
        ("(" * 5000, None),
        ("-" * 9000 + "1", None),
        ("\0\ud800\u202e", None),
    ],
)
def test_what_is_no_program_or_does_not_end_fails_all_tests(program: str, problem: str | None) -> None:
    outcome = run_cases(program, CASES)
    assert len(outcome.failed) == 2
    assert outcome.problem if problem is None else outcome.problem == problem
    assert all(result.error.isprintable() for result in outcome.results)


@pytest.mark.parametrize(
    "program",
    [
        "def process(event):\n    return [['', '3'], ['', '4']]",
        "json = None\nlen = type = str = lambda *a: 3\ndef f(a, b): return 3",
        "import json\njson.dumps = lambda value: '3'\ndef f(a, b): return 3",
        "class A:\n    def __eq__(self, other): return True\ndef f(a, b): return A()",
        "def f(a, b):\n    raise Exception('')",
    ],
)
def test_a_program_cannot_pass_without_the_right_values(program: str) -> None:
    assert run_cases(program, CASES).failed


def test_a_program_sees_no_expected_value() -> None:
    case = Case("f", (1,), 987654321)
    program = "def f(a):\n    return str(globals()) + str(locals())"
    assert "987654321" not in repr(run_cases(program, [case]).results[0].value)


def test_a_function_may_have_any_name() -> None:
    cases = [Case(name, (3,), 6) for name in ("process", "event", "json", "results")]
    for case in cases:
        assert run_cases(f"def {case.function}(n):\n    return n and 2 + {case.function}(n - 1)", [case]).passed


def test_one_test_leaves_nothing_for_the_next() -> None:
    cases = (Case("f", ([1],), [1, 0]), Case("f", ([1],), [1, 0]))
    assert run_cases("def f(x):\n    x.append(0)\n    return x", cases).passed
    assert cases[0].arguments == ([1],)


def test_where_it_fails_names_the_line() -> None:
    program = "def f(a, b):\n    c = a - b\n    return 1 / c"
    assert where_it_fails(program, CASES[1]) == "ZeroDivisionError in line 3: division by zero"
    assert where_it_fails(program, CASES[0]) == ""


@pytest.mark.parametrize(
    ("value", "expected", "is_same"),
    [
        (1, 1.0, True),
        (0.1 + 0.2, 0.3, True),
        (0.1, 0.2, False),
        ([1, [0.1 + 0.2]], [1, [0.3]], True),
        ([1], [1, 2], False),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, True),
        ({"a": 1}, {"b": 1}, False),
        ("1", 1, False),
        (None, 0, False),
        (10**400, 1.5, False),
        (10**400, 10**400, True),
        ("a", 1.5, False),
    ],
)
def test_values_are_compared_as_json(value: object, expected: object, is_same: bool) -> None:
    assert same(value, expected) is is_same


def damaged(dice: Random) -> str:
    """A program that has met with an accident, or never was one."""
    text = dice.choice(list(functions().values())).text
    how = dice.randrange(5)
    if how == 0:  # characters lost, doubled or replaced
        for _ in range(dice.randint(1, 6)):
            at = dice.randrange(len(text))
            text = text[:at] + dice.choice(("", text[at] * 2, chr(dice.randrange(1, 0x3000)))) + text[at + 1 :]
    elif how == 1:  # lines in another order
        lines = text.split("\n")
        dice.shuffle(lines)
        text = "\n".join(lines)
    elif how == 2:  # cut short
        text = text[: dice.randrange(len(text))]
    elif how == 3:  # words in another order
        words = text.split(" ")
        dice.shuffle(words)
        text = " ".join(words)
    else:
        text = "".join(dice.choice(("while ", "True", "def f", "(", ")", ":", "\n", " ", "[", "]", "*", "9", "'", '"', "f", ",", "\\", "{"))
                       for _ in range(dice.randint(0, 200)))  # fmt: skip
    return text


def test_a_thousand_damaged_programs_are_answers() -> None:
    dice = Random(19)
    slowest = 0.0
    for _ in range(1000):
        program, name = damaged(dice), dice.choice(list(functions()))
        started = time.perf_counter()
        outcome = run_cases(program, [Case(name, (3, 4), 5)], seconds=0.02)
        slowest = max(slowest, time.perf_counter() - started)
        assert len(outcome.results) == 1
        assert outcome.results[0].error.isprintable()
    assert slowest < 5
    assert run_cases("def f(a, b):\n    return a + b", CASES).passed
