"""What each mutation operator does to a program."""

import pytest

from homebody.envs.repair.mutations import OPERATORS, Mutant, both, mutants

PROGRAM = '''def f(items, n):
    """Say < and 1."""
    total = 0
    for i in range(1, n):
        if n <= i and items:
            continue
        total += items[i] % n
    if not items:
        return -1
    rest = sorted(items, reverse=True)[1:n]
    return g(total, rest)'''


def of(kind: str, program: str = PROGRAM) -> set[str]:
    """The lines that mutants of a kind have in the place of others, stripped."""
    return {" / ".join(line.strip() for line in mutant.lines) for mutant in mutants(program) if mutant.kind == kind}


@pytest.mark.parametrize(
    ("kind", "lines"),
    [
        ("boundary", {"if n < i and items:"}),
        ("direction", {"if n >= i and items:"}),
        ("off-by-one", {"total = 1", "for i in range(2, n):", "for i in range(0, n):", "return -2", "return -0",
                        "rest = sorted(items, reverse=True)[2:n]", "rest = sorted(items, reverse=True)[0:n]"}),
        ("missing-case", {""}),
        ("arithmetic", {"total += items[i] // n"}),
        ("update", {"total -= items[i] % n", "total = items[i] % n"}),
        ("boolean", {"if n <= i or items:"}),
        ("negation", {"if not (n <= i and items):", "if items:"}),
        ("index-shift", {"total += items[i - 1] % n", "total += items[i + 1] % n"}),
        ("range-bound", {"for i in range(1, n - 1):", "for i in range(1, n + 1):"}),
        ("loop-jump", {"break"}),
        ("wrong-return", {"return None"}),
        ("slice-bound", {"rest = sorted(items, reverse=True)[:n]", "rest = sorted(items, reverse=True)[1:]",
                         "rest = sorted(items, reverse=True)[1:n + 1]"}),
        ("wrong-call", {"rest = list(items, reverse=True)[1:n]", "rest = sorted(items)[1:n]"}),
        ("swapped", {"for i in range(n, 1):", "total += n % items[i]", "return g(rest, total)"}),
    ],
)  # fmt: skip
def test_operator_makes_these_changes_and_no_others(kind: str, lines: set[str]) -> None:
    assert of(kind) == lines


def test_a_variable_is_replaced_by_another_of_the_function_alone() -> None:
    found = of("wrong-variable")
    assert "return g(i, rest)" in found
    assert "return g(n, rest)" not in found  # of i, items, n, rest and total the neighbours alone, the last beside the first
    assert not any("= f" in line or "g =" in line for line in found)


def test_initial_values_and_early_returns() -> None:
    program = "def f(xs):\n    found, text = False, ''\n    best = xs\n    for x in xs:\n        best = x\n    return best"
    assert {"found, text = True, ''", 'found, text = False, " "', "best = 0"} <= of("initial-value", program)
    assert of("early-return", program) == {"return best"}


def test_the_docstring_and_all_else_stay_letter_by_letter() -> None:
    for mutant in mutants(PROGRAM):
        assert mutant.text.split("\n")[1] == '    """Say < and 1."""'
        lines = PROGRAM.split("\n")
        lines[mutant.first - 1 : max(mutant.last, mutant.first - 1)] = mutant.lines
        assert "\n".join(lines) == mutant.text != PROGRAM


def test_no_two_mutants_are_alike_and_all_kinds_are_known() -> None:
    found = mutants(PROGRAM)
    assert len({mutant.text for mutant in found}) == len(found)
    assert {mutant.kind for mutant in found} <= set(OPERATORS)
    assert len(OPERATORS) >= 12


def test_columns_count_bytes_and_positions_characters() -> None:
    assert of("boundary", "x = 'äöü' if a < b else 1") == {"x = 'äöü' if a <= b else 1"}


def test_two_changes_go_together_where_they_do_not_touch() -> None:
    program = "a = 1\nb = 2\nc = 3\nd = 4"
    one, other = (Mutant("", "", n, n, (f"{name} = 0",)) for n, name in ((1, "a"), (3, "c")))
    assert both(program, other, one) == "a = 0\nb = 2\nc = 0\nd = 4"
    assert both(program, one, Mutant("", "", 2, 2, ())) is None
    assert both(program, one, Mutant("", "", 3, 3, ())) == "a = 0\nb = 2\nd = 4"
    assert both(program, one, one) is None


def test_what_is_no_program_is_an_error() -> None:
    with pytest.raises(SyntaxError):
        mutants("def f(:")
