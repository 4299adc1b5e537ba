"""Damaged game files: each loads and can be played, or is refused by a named error of one line; none hangs.

A slice runs with the other tests. `HOMEBODY_FUZZ=20000 .venv/bin/pytest -s tests/envs/test_gamefile_fuzz.py` runs more, and ends with a
table of what became of them. The files damaged are our own, procedural houses, and real games where they are beside the repository.
"""

from __future__ import annotations

import json
import os
import random
import re
import signal
import string
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from homebody.envs.household.alfworld.errors import GameFileError
from homebody.envs.household.alfworld.gamefile import load_game_file
from homebody.envs.household.engine.engine import TextGame
from homebody.envs.household.engine.game import compile_game
from homebody.envs.household.engine.problem import Problem
from homebody.envs.household.env import CHARSET, HouseholdEnv
from homebody.envs.household.export import to_game_file
from homebody.envs.household.houses.houses import HouseSource
from homebody.envs.text import clean

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "alfworld"
CASES = int(os.environ.get("HOMEBODY_FUZZ", "500"))
LIMIT_S = 5.0
"""CPU time after which a file counts as one that hangs; the slowest take a good half of a second."""
STEPS = 20

Json = dict[str, Any]
Damage = Callable[[random.Random, Json], bytes]


def dump(data: object) -> bytes:
    return json.dumps(data).encode()


# --- damage to the bytes


def truncate(dice: random.Random, data: Json) -> bytes:
    content = dump(data)
    return content[: dice.randrange(len(content))]


def flip_bytes(dice: random.Random, data: Json) -> bytes:
    content = bytearray(dump(data))
    for _ in range(dice.choice((1, 1, 3, 20, 200))):
        content[dice.randrange(len(content))] = dice.randrange(256)
    return bytes(content)


def other_encoding(dice: random.Random, data: Json) -> bytes:
    return dump(data).decode().encode(dice.choice(("utf-16", "utf-32", "utf-8-sig", "utf-16-le")))


def not_utf8(dice: random.Random, data: Json) -> bytes:
    content = dump(data)
    at = dice.randrange(len(content))
    return content[:at] + dice.choice((b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\x80" * 9)) + content[at:]


def garbage(dice: random.Random, data: Json) -> bytes:
    return dice.choice((b"", b"null", b"[]", b"0", b'"game"', b"{}", b"{" * 10**6, b"[" * 10**6, b"\0" * 4096, dice.randbytes(4096)))


def twice(dice: random.Random, data: Json) -> bytes:
    return dump(data) + dice.choice((b"\n", b",", b" ", b"")) + dump(data)


def absurd_json(dice: random.Random, data: Json) -> bytes:
    """Add a key whose value is beyond what readers expect."""
    value = dice.choice(
        ("NaN", "-Infinity", "1e999", "9" * 5000, "[" * 9000 + "]" * 9000, '"' + "x" * 10**6 + '"', "1" * 4000, '"\\ud800"')
    )
    content = dump(data).decode()
    return f"{content[:-1]}, {json.dumps(dice.choice(['extra', 'solvable', 'walkthrough']))}: {value}}}".encode()


# --- damage to the object


def drop_key(dice: random.Random, data: Json) -> bytes:
    """Drop a key without which there is no game."""
    key = dice.choice(("pddl_problem", "grammar"))
    return dump({k: v for k, v in data.items() if k != key})


def swap_type(dice: random.Random, data: Json) -> bytes:
    """Give a needed key a value of another type."""
    key = dice.choice(("pddl_problem", "grammar"))
    return dump({**data, key: dice.choice((None, 3, 2.5, True, [], {}, [data[key]], {"text": data[key]}, float("nan")))})


def other_values(dice: random.Random, data: Json) -> bytes:
    key = dice.choice(("walkthrough", "solvable", "pddl_domain", "more"))
    return dump(
        {**data, key: dice.choice((None, 3, True, "x", [], {}, ["look", 3], [[]], [None], ["\ud800"], ["go"] * 10**5, float("nan")))}
    )


def swap_texts(dice: random.Random, data: Json) -> bytes:
    return dump({**data, "pddl_problem": data["grammar"], "grammar": data["pddl_problem"]})


# --- damage to the grammar


def no_task(dice: random.Random, data: Json) -> bytes:
    return dump({**data, "grammar": data["grammar"].replace("Your task is to", dice.choice(("", "Your task was to", "your task is to")))})


def odd_task(dice: random.Random, data: Json) -> bytes:
    """Write a task sentence that nobody can read."""
    text = dice.choice(("", " ", "\x07", "\0", "a" * 10**6, "\\u0000", "\\ud800", "\t", "\x7f", "\u202e", "\\n"))
    return dump({**data, "grammar": re.sub(r"Your task is to: [^\"]*", lambda _: "Your task is to: " + text, data["grammar"])})


def foreign_task(dice: random.Random, data: Json) -> bytes:
    """Write a task sentence with letters, signs and halves of signs that ALFWorld's have not."""
    text = dice.choice(
        ("caf\u00e9", "the cook\u2019s \u201cmug\u201d", "a\x7f", "\u628a\u676f\u5b50", "a\\ud83d", "\u202eb", "a\\nb", "\U0001f9f9")
    )
    return dump({**data, "grammar": re.sub(r"Your task is to: [^\"]*", lambda _: "Your task is to: " + text, data["grammar"])})


def many_tasks(dice: random.Random, data: Json) -> bytes:
    extra = dice.choice(('"Your task is to: do this." ', "Your task is to: ")) * dice.choice((1, 30, 10**5))
    return dump({**data, "grammar": dice.choice((extra + data["grammar"], data["grammar"] + extra))})


def no_logic(dice: random.Random, data: Json) -> bytes:
    grammar = re.sub(r"(move \{o\} to|put \{o\} in/on) \{r\}", dice.choice(("put {o} on {r}", "", "x")), data["grammar"])
    return dump({**data, "grammar": grammar})


def both_logics(dice: random.Random, data: Json) -> bytes:
    return dump({**data, "grammar": data["grammar"] + ' "move {o} to {r}" "put {o} in/on {r}"'})


# --- damage to the problem


def problem(change: Callable[[random.Random, str], str]) -> Damage:
    """Make a damage to the whole file of one to the PDDL text."""

    def damage(dice: random.Random, data: Json) -> bytes:
        return dump({**data, "pddl_problem": change(dice, data["pddl_problem"])})

    damage.__name__ = change.__name__
    return damage


def tokens(text: str) -> list[str]:
    return re.findall(r"[()]|[^\s()]+", re.sub(r";.*", "", text))


def section(text: str, name: str) -> tuple[int, int]:
    """Return where `(NAME ...)` begins and ends."""
    start = text.index(f"({name}")
    depth = 0
    for match in re.finditer(r"[()]", text[start:]):
        depth += 1 if match[0] == "(" else -1
        if depth == 0:
            return start, start + match.end()
    raise AssertionError(name)


def facts(text: str) -> list[str]:
    start, end = section(text, ":init")
    return re.findall(r"\((?!:init)[^()]*\)", text[start:end])


def cut_text(dice: random.Random, text: str) -> str:
    return text[: dice.randrange(len(text))]


def drop_section(dice: random.Random, text: str) -> str:
    """Drop a section without which there is no game."""
    start, end = section(text, dice.choice((":objects", ":init", ":goal")))
    return text[:start] + text[end:]


def empty_section(dice: random.Random, text: str) -> str:
    """Empty a section without which there is no game."""
    name = dice.choice((":objects", ":init", ":goal"))
    start, end = section(text, name)
    return f"{text[:start]}({name}){text[end:]}"


def repeat_section(dice: random.Random, text: str) -> str:
    start, end = section(text, dice.choice((":objects", ":init", ":goal")))
    return text[:end] + text[start:end] + text[end:]


def edit_tokens(dice: random.Random, text: str) -> str:
    words = tokens(text)
    for _ in range(dice.choice((1, 1, 2, 10))):
        i, j = dice.randrange(len(words)), dice.randrange(len(words))
        kind = dice.randrange(4)
        if kind == 0:
            del words[i]
        elif kind == 1:
            words[i], words[j] = words[j], words[i]
        elif kind == 2:
            words.insert(i, words[j])
        else:
            words[i] = words[j]
    return " ".join(words)


def drop_facts(dice: random.Random, text: str) -> str:
    for fact in dice.sample(known := facts(text), min(len(known), dice.choice((1, 1, 5, 50)))):
        text = text.replace(fact, "", 1)
    return text


def repeat_facts(dice: random.Random, text: str) -> str:
    """State facts again: they hold once."""
    return text.replace("(:init", "(:init " + " ".join(dice.choices(facts(text), k=dice.choice((1, 20, 2000)))), 1)


def mix_facts(dice: random.Random, text: str) -> str:
    """Add facts with the arguments of others."""
    known = [fact.strip("()").split() for fact in facts(text)]
    new = []
    for _ in range(dice.choice((1, 5, 50))):
        (predicate, *arguments), other = dice.choice(known), dice.choice(known)
        same = [fact for fact in known if fact[0] == predicate]
        new.append(f"({predicate} {' '.join((*arguments[:-1], dice.choice((other, dice.choice(same)))[-1]))})")
    return text.replace("(:init", "(:init " + " ".join(new), 1)


def unknown_fact(dice: random.Random, text: str) -> str:
    name = dice.choice(("holds", "openabel", "flies", "(x)", "not", "=", "<", "\x01", "9" * 400, "a" * 10**6, "''", "?x", "-", ":init"))
    return text.replace("(:init", f"(:init ({name} {' '.join(dice.choices(tokens(text), k=dice.randrange(4)))})", 1)


def wrong_sort(dice: random.Random, text: str) -> str:
    start, end = section(text, ":objects")
    sorts = ("object", "receptacle", "location", "otype", "rtype", "agent", "thing", "", "-", "number")
    words = text[start:end].split("\n")
    at = dice.randrange(len(words))
    words[at] = re.sub(r"- \w+", f"- {dice.choice(sorts)}", words[at])
    return text[:start] + "\n".join(words) + text[end:]


def rename(dice: random.Random, text: str) -> str:
    """Give an id another name everywhere."""
    ids = sorted(set(re.findall(r"\b\w+_bar_\w+", text)))
    odd = [
        *("x", "x_bar_", "_bar_x", "look", "basin", "a" * 113 + "_bar_1", "A" * 300, "b" * 10**6, "1", "-1e999", "caf\u00e9", "\x00"),
        *("\x1b[31m", "a b", "(x)", "'", '"', "\\", "%s", "{r}", ";", "agent1", dice.choice(ids), dice.choice(ids).upper()),
    ]
    new = dice.choice(odd)
    return re.sub(rf"\b{dice.choice(ids)}\b", lambda _: new, text)


def odd_goal(dice: random.Random, text: str) -> str:
    """Ask for something that no game asks for."""
    start, end = section(text, ":goal")
    deep = dice.choice((100, 20_000))
    goal = dice.choice(
        [
            *("(and)", "(or)", "x", "()", "(exists)", "(exists (?x - object))", "(not)", "(forall (?x - object) (isHot ?x))", "(not (=))"),
            *("(exists (?o) (isHot ?o))", "(not (= a b))", "(and " * deep + ")" * deep, "(and " + "(isHot x) " * deep + ")"),
            "(exists (?a - object) " * deep + "(isHot ?a)" + ")" * deep,
            "(exists (" + " ".join(f"?v{i} - object" for i in range(deep)) + ") (isHot x))",
        ]
    )
    return f"{text[:start]}(:goal {goal}){text[end:]}"


def edit_goal(dice: random.Random, text: str) -> str:
    start, end = section(text, ":goal")
    return text[:start] + edit_tokens(dice, text[start:end]) + text[end:]


def nest(dice: random.Random, text: str) -> str:
    deep = dice.choice((1, 50, 10**5))
    at = dice.randrange(len(text))
    return text[:at] + dice.choice(("(" * deep, ")" * deep, "(" * deep + ")" * deep, "(and " * deep)) + text[at:]


def odd_characters(dice: random.Random, text: str) -> str:
    at = dice.randrange(len(text))
    return text[:at] + dice.choice("\0\x07\x1b\x7f\x85\u2028\ufeff\u00e9;'\"\\|#") * dice.choice((1, 1, 1000)) + text[at:]


def shout(dice: random.Random, text: str) -> str:
    """Change the case of letters: it has no meaning."""
    return text.upper() if dice.random() < 0.5 else "".join(c.upper() if dice.random() < 0.5 else c for c in text)


def crowd(dice: random.Random, text: str) -> str:
    """Declare and use very many things."""
    n, sort = dice.choice((20, 499, 600, 9000)), dice.choice(("receptacle", "object", "location", "rtype", "otype", "agent"))
    names = [f"crowd_bar_{i}" for i in range(n)]
    place = dice.choice(re.findall(r"\(atLocation \S+ (\S+)\)", text) or ["loc"])
    kinds = {kind: dice.choice(re.findall(rf"\({kind} \S+ (\S+)\)", text) or ["none"]) for kind in ("receptacleType", "objectType")}
    room = dice.choice(re.findall(r"\(receptacleType (\S+) ", text) or ["none"])
    uses = {
        "receptacle": f"(receptacleType {{0}} {kinds['receptacleType']}) (receptacleAtLocation {{0}} {place}) (openable {{0}})",
        "object": f"(objectType {{0}} {kinds['objectType']}) (inReceptacle {{0}} {room}) (pickupable {{0}}) (sliceable {{0}})",
        "location": "(examined {0})",
        "rtype": f"(canContain {{0}} {kinds['objectType']})",
        "otype": f"(canContain {kinds['receptacleType']} {{0}})",
        "agent": f"(atLocation {{0}} {place})",
    }
    text = text.replace("(:init", "(:init " + " ".join(uses[sort].format(name) for name in names), 1)
    return text.replace("(:objects", f"(:objects {' '.join(names)} - {sort} ", 1)


def no_agent(dice: random.Random, text: str) -> str:
    """Leave out where the agent is."""
    return re.sub(r"\(atLocation [^()]*\)", "", text)


def no_places(dice: random.Random, text: str) -> str:
    """Leave out where the receptacles are, or of what type they or the objects are."""
    return re.sub(rf"\({dice.choice(('receptacleAtLocation', 'receptacleType', 'objectType'))} [^()]*\)", "", text)


DAMAGES: Final[tuple[Damage, ...]] = (
    truncate, flip_bytes, other_encoding, not_utf8, garbage, twice, absurd_json, drop_key, swap_type, other_values, swap_texts,
    no_task, odd_task, foreign_task, many_tasks, no_logic, both_logics,
    *map(problem, (
        cut_text, drop_section, empty_section, repeat_section, edit_tokens, drop_facts, repeat_facts, mix_facts, unknown_fact, wrong_sort,
        rename, odd_goal, edit_goal, nest, odd_characters, shout, crowd, no_agent, no_places,
    )),
)  # fmt: skip
REFUSED: Final = {
    "truncate", "not_utf8", "garbage", "twice", "drop_key", "swap_type", "swap_texts", "no_task", "odd_task", "no_logic", "both_logics",
    "cut_text", "drop_section", "empty_section", "repeat_section", "odd_goal", "no_agent", "no_places",
}  # fmt: skip
"""What must not pass: something that a game needs is gone, or is there twice with nothing to choose by."""
HARMLESS: Final = {"repeat_facts", "shout", "foreign_task"}
"""What changes nothing, or only the words of the task."""


@pytest.fixture(scope="module")
def table() -> Iterator[Counter[tuple[str, str]]]:
    """Count what became of the files; printed at the end."""
    outcomes: Counter[tuple[str, str]] = Counter()
    yield outcomes
    print(f"\n{sum(outcomes.values())} damaged files")
    for outcome, n in Counter(outcome for _, outcome in outcomes.elements()).most_common():
        print(f"{n:7} {outcome}")
    print(
        "played, of each kind of damage:",
        {d.__name__: outcomes[d.__name__, "loaded and played"] for d in DAMAGES if d.__name__ not in REFUSED},
    )


@pytest.fixture(scope="module")
def sources(random_problem: Callable[..., Problem], kitchen: Problem) -> list[Json]:
    """The whole files: small ones of our own, a few houses, and about as many real ones where there are any; the rules of both versions."""
    houses = HouseSource()
    problems = [kitchen, *(random_problem(random.Random(seed), 6, 8) for seed in range(12))]
    problems += [houses.load(task.task_id) for task in houses.tasks("train", 6)]
    files: list[Json] = [json.loads(to_game_file(problem)) for problem in problems]
    for data in files[::2]:
        data["grammar"] = data["grammar"].replace("move {o} to {r}", "put {o} in/on {r}")
    return files + [json.loads(path.read_bytes()) for path in sorted(DATA.rglob("game.tw-pddl"))[:: 41 if CASES > 1000 else 138]]


@contextmanager
def time_limit() -> Iterator[None]:
    """Fail where the process works longer than `LIMIT_S`; waiting for the machine does not count."""

    def stop(*_: object) -> None:
        raise TimeoutError(f"hangs: no answer after {LIMIT_S} s of work")

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, LIMIT_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def outcome_of(path: Path, dice: random.Random) -> str:
    """Load and play a file; return what happened, or let an error through that no file may cause."""
    refusal = None
    try:
        file = load_game_file(path)
    except GameFileError as error:
        refusal = error
    if refusal is not None:
        message = str(refusal)
        assert message.startswith(f"{path}: ")
        assert message.isprintable()
        assert len(message) < len(str(path)) + 800
        return type(refusal).__name__
    play = TextGame(compile_game(file.problem), file.logic)
    observations = [play.reset()]
    for _ in range(STEPS):
        menu = play.admissible()
        assert menu == sorted(set(menu))
        observations.append(play.step(dice.choice(menu) if dice.random() < 0.9 else "".join(dice.choices(string.printable, k=9))))
        assert play.reward in (0.0, 1.0)
    for text in observations:
        assert len(text) <= HouseholdEnv.max_observation
        assert set(text) <= {*CHARSET, *file.problem.task}
        assert text == clean(text)
    return "loaded and played"


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_damaged_files_load_or_are_refused(damage: Damage, sources: list[Json], table: Counter[tuple[str, str]], tmp_path: Path) -> None:
    path = tmp_path / "game.tw-pddl"
    slowest = 0.0
    for number in range(-(-CASES // len(DAMAGES))):
        dice = random.Random(f"{damage.__name__}/{number}")
        path.write_bytes(damage(dice, dice.choice(sources)))
        started = time.process_time()
        try:
            with time_limit():
                outcome = outcome_of(path, dice)
        except Exception as error:
            raise AssertionError(f"{damage.__name__}, number {number}: {type(error).__name__}: {str(error)[:300]}") from error
        slowest = max(slowest, time.process_time() - started)
        table[damage.__name__, outcome] += 1
        if damage.__name__ in REFUSED:
            assert outcome != "loaded and played", (damage.__name__, number)
        if damage.__name__ in HARMLESS:
            assert outcome == "loaded and played", (damage.__name__, number, outcome)
    print(f"{damage.__name__}: slowest {slowest:.2f} s")
