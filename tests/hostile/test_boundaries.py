"""Hostile inputs at every boundary: each is taken or refused by a named error; none crashes, hangs or gets out.

A slice runs with the other tests. `HOMEBODY_HOSTILE=200000 .venv/bin/pytest -s tests/hostile` runs so many cases over all boundaries,
and ends with a table of what became of them. SECURITY.md lists the boundaries.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sqlite3
import struct
import tempfile
import tomllib
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import click
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from homebody.agents.answer import read_answer
from homebody.agents.errors import AgentError
from homebody.agents.harness.hooks import READS, Reading
from homebody.agents.harness.spec import HarnessSpec, harness_names
from homebody.agents.models.chat_template import ChatTemplate
from homebody.agents.models.generation import Generation, Reply
from homebody.agents.models.gguf import read_header
from homebody.agents.models.remote.http_client import Address, find_error
from homebody.agents.models.remote.message import find_reason, read_message
from homebody.agents.models.thinking import split_thought
from homebody.agents.models.tool_call import CallReader, find_json_call, find_tool_call
from homebody.agents.sandbox import renderer
from homebody.envs import EnvError, interpreter
from homebody.envs.household.alfworld.download import _unpack
from homebody.envs.household.alfworld.gamefile import load_game_file
from homebody.envs.household.export import to_game_file
from homebody.envs.household.houses.houses import HouseSource
from homebody.envs.repair.programs import ProgramSource
from homebody.envs.repair.suite import Case, run_cases
from homebody.envs.text import parse_json
from homebody.envs.webshop.catalogue.catalogue import load_catalogue
from homebody.envs.webshop.catalogue.export import export_catalogue
from homebody.envs.webshop.catalogue.synthetic import synthetic
from homebody.envs.webshop.goals.goals import human_goals, load_prices
from homebody.envs.webshop.goals.shop import ShopConfig, open_shop
from homebody.envs.webshop.site.site import Site
from homebody.evolution.config import EvolveConfig
from homebody.evolution.controls.baselines import play_controls
from homebody.evolution.controls.evaluation import evaluate
from homebody.evolution.controls.rows import Plan
from homebody.evolution.loop import evolve

ALL = int(os.environ.get("HOMEBODY_HOSTILE", "2000"))
LIMIT_S = 60.0
"""Seconds after which a case counts as one that hangs: the slowest take a few, on a machine that has other work."""
SECRET = "canary-8c1f0a"
Json = Any


def damaged(corpus: list[bytes], seed: int) -> bytes:
    """Return a text of the corpus, changed at random in a few places; some stay whole."""
    dice = random.Random(seed)
    content = bytearray(dice.choice(corpus))
    for _ in range(dice.choice((0, 1, 1, 2, 5, 40))):
        at, kind = dice.randrange(len(content) + 1), dice.randrange(6)
        length = dice.choice((1, 1, 2, 8, 60))
        if kind == 0:
            del content[at : at + length]
        elif kind == 1:
            content[at:at] = dice.randbytes(length)
        elif kind == 2:
            content[at : at + length] = dice.randbytes(length)
        elif kind == 3:
            other = dice.choice(corpus)
            start = dice.randrange(len(other) + 1)
            content[at:at] = other[start : start + length * 4]
        elif kind == 4:
            content[at:at] = content[at : at + length] * dice.choice((1, 3, 200))
        elif dice.random() < 0.2:
            del content[at:]
    return bytes(content)


JUNK = [
    None, True, False, 0, -1, 1.5, 1e300, -1e300, 2**70, "", "a", "\0", "\ud800", "é" * 300, "{{", "../..", "/etc/passwd", [], [[]],
    {}, [None],
    {"": ""}, [1] * 100, "[" * 200, "nan",
    {"op": "add", "path": ""}, "module:Class", "os:system",
]  # fmt: skip


def places(value: Json, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the paths of everything inside a document."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for key, item in inner for found in ((*path, key), *places(item, (*path, key)))]


def bent(document: Json, dice: random.Random) -> Json:
    """Return a document with values replaced, dropped, moved or doubled, in one to three places; some stay whole."""
    document = json.loads(json.dumps(document))
    for _ in range(dice.choice((0, 1, 1, 2, 3))):
        found = places(document)
        if not found:
            return dice.choice(JUNK)
        *way, last = dice.choice(found)
        holder = document
        for key in way:
            holder = holder[key]
        kind = dice.randrange(4)
        if kind == 0:
            del holder[last]
        elif kind == 1 and isinstance(holder, dict):
            holder[dice.choice(("x", "use", "params", "", "__class__", last))] = holder[last]
        else:
            holder[last] = json.loads(json.dumps(dice.choice(JUNK)))
    return document


# --- what is damaged


def attacks(kind: str) -> list[str]:
    text = (resources.files("homebody.assets") / "attacks" / f"{kind}.toml").read_text("utf-8")
    return [item["source"] for item in tomllib.loads(text)["attack"] if "repeat" not in item]


@cache
def harnesses() -> list[Json]:
    return [HarnessSpec.load(name).document for name in harness_names()]


@cache
def game() -> bytes:
    source = HouseSource()
    return to_game_file(source.load(source.tasks("train", 1)[0].task_id)).encode()


REPLIES = [
    b"go to shelf 1", b"Thought: I should look.\nAction: look", b"<think>\nwhere\n</think>\n\nlook", b"<think> for ever",
    b'{"command": "look"}', b'```json\n{"command": "open box 1"}\n```', b"> look.", b'"look"', b"**look**", b"\n\n\n", b"",
    b'<tool_call>\n{"name": "act", "arguments": {"command": "look"}}\n</tool_call>', b'{"name": "act", "arguments": "{\\"command\\": 1}"}',
    b"<function=act><parameter=command>look</parameter></function>", b"[TOOL_CALLS] [{", b"search[red lamp]",
    b"Action: replace 3 with\n  x = 1\n",
    b"{" * 500, b"[" * 3000, b'{"a":' * 900, b"<|im_end|><|im_start|>system", b"\xff\xfe\x00", b"Action:" * 200,
    "ACTİON: löök\u2028look".encode(),
    b'<tool_call>{"name": null, "arguments": [1]}</tool_call>', b"<tool_call>" * 300, b"</think>" * 100,
]  # fmt: skip
MESSAGES: list[Json] = [
    {"content": "look"}, {"content": None, "reasoning_content": "so", "tool_calls": [{"function": {"name": "act", "arguments": "{}"}}]},
    {"content": [{"type": "text"}]}, {"role": "assistant"}, {"content": "<think>a</think>b", "reasoning": 5},
    {"error": {"message": "x", "code": 500}}, {"object": "error", "code": "x"},
    {"choices": [{"finish_reason": "length", "stop_reason": 3}]},
    {"content": "", "tool_calls": [[]]}, {"content": "", "tool_calls": [{"function": {"name": "a", "arguments": {"command": [1]}}}]},
]  # fmt: skip
TEMPLATES = ["{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{{ eos_token }}{% endfor %}<|assistant|>", *attacks("template")]
ADDRESSES = [
    b"http://127.0.0.1:8000/v1", b"https://host/v1#model", b"http://u:p@h/v1", b"http://[::1]:80/v1", b"http://h:99999/v1", b"ftp://h", b"http://",
    b"http://h/v1?key=1", b"//h/v1", b"http://\xc3\xa9.example/v1", b"http://h:\xd9\xa1/v1", b"http://[::1/v1", b"http://a b/v1", b"http://h\n/v1",
]  # fmt: skip
PATHS = [
    b"/", b"/1/", b"/1/item/B000?q=x", b"/1/search?q=lamp&page=2", b"/1/buy", b"/picture/lamp/red.svg", b"/picture/../../x.svg",
    b"/1/receipt",
    b"/1/item/%00?pick=%ff", b"/shop.css", b"/1/item/x?" + b"a=1&" * 300, b"//",
    b"/1/search?q=" + b"%5B" * 400, b"/-1/", b"/1/item/../../..",
]  # fmt: skip
PROGRAMS = ["def f(a):\n    return a + 1\n", *attacks("code")]


def gguf() -> list[bytes]:
    """Heads by the format's description: text, list, number and flag, and two tensors."""

    def text(value: str) -> bytes:
        return struct.pack("<Q", len(value)) + value.encode()

    pairs = text("general.architecture") + struct.pack("<I", 8) + text("toy")
    pairs += (
        text("toy.block_count")
        + struct.pack("<II", 4, 3)
        + text("tokenizer.ggml.tokens")
        + struct.pack("<IIQ", 9, 8, 2)
        + text("a")
        + text("b")
    )
    pairs += text("x.flag") + struct.pack("<I?", 7, True) + text("x.number") + struct.pack("<If", 6, 1.5)
    tensors = text("t") + struct.pack("<I2QIQ", 2, 32, 2, 2, 0) + text("u") + struct.pack("<IQIQ", 1, 4, 0, 64)
    head = b"GGUF" + struct.pack("<IQQ", 3, 2, 5) + pairs + tensors
    deep = b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + text("d") + struct.pack("<I", 9) + struct.pack("<IQ", 9, 1) * 400
    many = b"GGUF" + struct.pack("<IQQ", 3, 2**63, 2**63)
    return [head + bytes(-len(head) % 32 + 80), deep, many, b"GGUF", b""]


def archives() -> list[bytes]:
    """Zip files: a good one, and ones that try to get out."""
    found = []
    for names in (
        {"json_2.1.1/train/a/game.tw-pddl": b"{}"},
        {"json_2.1.1/../../outside": b"x"},
        {"/outside": b"x", "json_2.1.1/a": b"y"},
        {"json_2.1.1/a": b"x", "json_2.1.1/a/b": b"y"},
        {"json_2.1.1\\..\\outside": b"x"},
        {"json_2.1.1/a": bytes(100_000)},
    ):
        with tempfile.TemporaryFile() as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
                for name, content in names.items():
                    archive.writestr(name, content)
            file.seek(0)
            found.append(file.read())
    return found


# --- the boundaries: each takes a case and returns, or raises a named error


def take_reply(case: bytes, folder: Path) -> None:
    text = case.decode("utf-8", "replace")
    thought, answer = split_thought(text)
    calls = [find_tool_call(text), find_json_call(text), CallReader(offered=True).find(text)]
    for read in READS:
        reading = Reading(read, "Action:", "\n", "command")
        for call in {None: None, **{repr(call): call for call in calls}}.values():
            reply = Reply(answer, thought, call)
            assert isinstance(read_answer(reply, reading, ["look", "search[{text}]", "replace {text}"], ["replace {text}"]), str)


def take_message(case: int, folder: Path) -> None:
    dice = random.Random(case)
    body = bent(dice.choice(MESSAGES), dice)
    find_error(body)
    find_reason(body)
    if isinstance(body, dict):
        reply = read_message(body, dice.choice(JUNK), Generation(tokens=8), CallReader(offered=True), may_think=dice.random() < 0.5)
        assert isinstance(reply.text, str)
        assert isinstance(reply.thought, str)


def take_address(case: bytes, folder: Path) -> None:
    Address.parse(case.decode("utf-8", "surrogateescape"))


def take_harness_text(case: bytes, folder: Path) -> None:
    (folder / "h.json").write_bytes(case)
    HarnessSpec.load(folder / "h.json")


def take_harness(case: int, folder: Path) -> None:
    dice = random.Random(case)
    spec = HarnessSpec.from_json(bent(dice.choice(harnesses()), dice))
    assert HarnessSpec.from_json(json.loads(spec.dumps())).behaviour_hash == spec.behaviour_hash


def take_patch(case: int, folder: Path) -> None:
    dice = random.Random(case)
    document = dice.choice(harnesses())
    paths = ["", *("/" + "/".join(str(key).replace("~", "~0").replace("/", "~1") for key in path) for path in places(document))]
    ops = ("add", "remove", "replace", "move", "copy", "test", "x")
    patch = [
        {"op": dice.choice(ops), "path": dice.choice(paths), "from": dice.choice(paths), "value": dice.choice(JUNK)}
        for _ in range(dice.randint(1, 3))
    ]
    HarnessSpec.from_json(document).patch(bent(patch, dice))


def take_code(case: bytes, folder: Path) -> None:
    event = {"goal": "x", "canary_variable": "HOMEBODY_CANARY", "canary_file": str(folder / "secret")}
    result = interpreter.run(case.decode("utf-8", "replace"), event, interpreter.Limits(seconds=0.03, memory_bytes=16 << 20))
    assert SECRET not in repr(result)


def take_template(case: bytes, folder: Path) -> None:
    context = {"goal": "x", "observation": "y", "admissible": ["a", "b"], "canary": {"HOMEBODY_CANARY": str(folder / "secret")}}
    assert SECRET not in renderer.render(case.decode("utf-8", "replace"), context)


def take_chat_template(case: bytes, folder: Path) -> None:
    template = ChatTemplate(case.decode("utf-8", "replace"), bos="<s>", eos="</s>", model="m")
    assert SECRET not in "".join(template.render([{"role": "user", "content": "hello"}]))


def take_game(case: bytes, folder: Path) -> None:
    (folder / "game.tw-pddl").write_bytes(case)
    load_game_file(folder / "game.tw-pddl")


def _shop_files() -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as where:
        export_catalogue(synthetic(3, 0), Path(where))
        return {path.name: path.read_bytes() for path in Path(where).iterdir()}


shop_files = cache(_shop_files)


def take_catalogue(case: int, folder: Path) -> None:
    dice = random.Random(case)
    files = dict(shop_files())
    name = dice.choice(sorted(files))
    changed = damaged([files[name]], case) if dice.random() < 0.4 else json.dumps(bent(json.loads(files[name]), dice)).encode()
    for path, content in (files | {name: changed}).items():
        (folder / path).write_bytes(content)
    products = load_catalogue(folder)
    human_goals(products, next(folder.glob("*ins*"), folder / "none"), lambda product: 1.0, 0)


def take_prices(case: int, folder: Path) -> None:
    dice = random.Random(case)
    (folder / "prices").write_text(json.dumps(bent({"price_seed": 1, "prices": {"A": 1.5, "B": 2}}, dice)))
    load_prices(folder / "prices", 1)


def take_program(case: bytes, folder: Path) -> None:
    outcome = run_cases(case.decode("utf-8", "replace"), [Case("f", (1,), 2), Case("f", ([1],), None)], seconds=0.03)
    assert SECRET not in repr(outcome)


def take_program_folder(case: int, folder: Path) -> None:
    dice = random.Random(case)
    parts = {"python_programs/f.py": b"def f(a):\n    return a - 1\n", "correct_python_programs/f.py": b"def f(a):\n    return a + 1\n",
             "json_testcases/f.json": b"[[1], 2]\n[[3], 4]\n"}  # fmt: skip
    name = dice.choice(sorted(parts))
    parts[name] = damaged([parts[name], b"\xff\xfe", b"[[1], NaN]"], case)
    shutil.rmtree(folder / "set", ignore_errors=True)
    for path, content in parts.items():
        (folder / "set" / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / "set" / path).write_bytes(content)
    ProgramSource(folder / "set").tasks("test")


def take_gguf(case: bytes, folder: Path) -> None:
    (folder / "m.gguf").write_bytes(case)
    header = read_header(folder / "m.gguf")
    header.check_whole(folder / "m.gguf")
    assert header.memory_bytes(100) > 0


def take_archive(case: bytes, folder: Path) -> None:
    inner = folder / "in" / "games"
    shutil.rmtree(folder / "in", ignore_errors=True)
    inner.mkdir(parents=True)
    (folder / "in" / "a.zip").write_bytes(case)
    before = sorted(path.name for path in folder.iterdir())
    try:
        _unpack(folder / "in" / "a.zip", inner / "json_2.1.1")
    finally:
        assert sorted(path.name for path in folder.iterdir()) == before
        assert {path.name for path in (folder / "in").iterdir()} == {"a.zip", "games"}
        assert {path.name for path in inner.iterdir()} <= {"json_2.1.1"}


@cache
def site() -> Site:
    goal_shop = open_shop(ShopConfig())
    found = Site(goal_shop, [task.task_id for task in goal_shop.source.tasks("test", 1)])
    found.enter()
    return found


def take_path(case: bytes, folder: Path) -> None:
    text = case.decode("latin-1")  # as the server of the standard library reads a line
    assert site().answer(text).status < 500
    assert site().answer("/1/buy", text).status < 500


RUN = EvolveConfig(
    "homebody/Household-v0", "no-model", "household", rounds=1, train_tasks=2, validation_tasks=2, max_steps=3, exploration_steps=0
)


@cache
def run() -> Path:
    """A small run that has ended."""
    folder = Path(tempfile.mkdtemp(prefix="homebody-hostile-"))
    evolve(RUN, folder)
    return folder


def damage_run(folder: Path, dice: random.Random) -> Path:
    """Copy the run, with bytes changed or rows bent."""
    path = folder / "run" / "run.sqlite"
    shutil.rmtree(path.parent, ignore_errors=True)
    shutil.copytree(run(), path.parent)
    if dice.random() < 0.1:
        content = bytearray(path.read_bytes())
        for _ in range(dice.choice((1, 20, 500))):
            content[dice.randrange(len(content))] = dice.randrange(256)
        path.write_bytes(content)
        return path.parent
    db = sqlite3.connect(path)
    with db:
        for _ in range(dice.choice((1, 1, 3))):
            table, key = dice.choice((("events", "id"), ("events", "id"), ("episodes", "key")))
            at, data = dice.choice(db.execute(f"SELECT {key}, data FROM {table}").fetchall())
            db.execute(f"UPDATE {table} SET data = ? WHERE {key} = ?", (json.dumps(bent(json.loads(data), dice)), at))
    db.close()
    return path.parent


def take_run(case: int, folder: Path) -> None:
    """Read a run of somebody else: of rows bent, or of bytes changed."""
    from homebody.evolution.reports.explain import explain
    from homebody.evolution.reports.lineage import read_lineage
    from homebody.evolution.reports.live import read_live
    from homebody.evolution.reports.page import build_page
    from homebody.evolution.reports.summary import markdown, read_run
    from homebody.evolution.store import reading
    from homebody.scripts.view import source

    dice = random.Random(case)
    run_dir = str(damage_run(folder, dice))
    reads: list[Callable[[], object]] = [
        lambda: markdown(read_run(run_dir)), lambda: build_page(run_dir) if dice.random() < 0.1 else None,
        lambda: read_live(run_dir), lambda: source.read_run(run_dir),
        lambda: read_lineage(run_dir), lambda: explain(run_dir, 1, None),
    ]  # fmt: skip
    with reading(run_dir):
        dice.choice(reads)()


def take_resumed(case: int, folder: Path) -> None:
    """Go on with a run of somebody else, of which some episodes and the end are missing."""
    dice = random.Random(case)
    run_dir = damage_run(folder, dice)
    with suppress(sqlite3.DatabaseError):
        db = sqlite3.connect(run_dir / "run.sqlite")
        with db:
            if dice.random() < 0.6:
                db.execute("DELETE FROM events WHERE kind IN ('round', 'end')")
            keys = [key for (key,) in db.execute("SELECT key FROM episodes ORDER BY key")]
            for key in dice.sample(keys, dice.randrange(len(keys))) if dice.random() < 0.5 else ():
                db.execute("DELETE FROM episodes WHERE key = ?", (key,))
    db.close()
    spec = HarnessSpec.load("household-act")
    goes_on: list[Callable[[], object]] = [
        lambda: evolve(RUN, run_dir, resume=True),
        lambda: evaluate(RUN.rollout, spec, "validation", tasks=2, run_dir=run_dir),
        lambda: play_controls(run_dir, Plan(only=("final", "seed"), tasks=1)),
    ]
    dice.choice(goes_on[:2] if dice.random() < 0.8 else goes_on)()


def take_json(case: bytes, folder: Path) -> None:
    parse_json(case.decode("utf-8", "surrogateescape"), "it")


# --- the table


SEEDS = st.integers(0, 2**48)


def texts(corpus: Callable[[], list[bytes]] | list[bytes] | list[str]) -> st.SearchStrategy[bytes]:
    """Damage to a corpus, and texts out of nothing."""

    def made(seed: int) -> bytes:
        found = corpus() if callable(corpus) else corpus
        return damaged([item.encode("utf-8", "surrogatepass") if isinstance(item, str) else item for item in found], seed)

    return st.one_of(
        st.integers(0, 2**48).map(made), st.integers(0, 2**48).map(made), st.binary(max_size=80), st.text(max_size=60).map(_coded)
    )


def _coded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


BOUNDARIES: dict[str, tuple[Callable[[Any, Path], None], st.SearchStrategy[Any], float]] = {
    "replies and tool calls": (take_reply, texts(REPLIES), 2),
    "messages of servers": (take_message, SEEDS, 2),
    "addresses": (take_address, texts(ADDRESSES), 1),
    "JSON": (take_json, texts([*REPLIES, b'{"a": [1, 2.5e3, "\\ud800"], "a": NaN}']), 1),
    "harness files": (take_harness_text, texts(lambda: [json.dumps(one).encode() for one in harnesses()]), 0.5),
    "harnesses": (take_harness, SEEDS, 0.2),
    "patches": (take_patch, SEEDS, 0.3),
    "code": (take_code, texts(PROGRAMS), 0.15),
    "templates": (take_template, texts(TEMPLATES), 0.15),
    "chat templates": (take_chat_template, texts(TEMPLATES), 0.03),
    "game files": (take_game, texts(lambda: [game()]), 0.05),
    "catalogues": (take_catalogue, SEEDS, 0.4),
    "prices": (take_prices, SEEDS, 0.5),
    "repair programs": (take_program, texts(PROGRAMS), 0.15),
    "folders of programs": (take_program_folder, SEEDS, 0.1),
    "GGUF heads": (take_gguf, texts(gguf), 2),
    "archives": (take_archive, texts(archives), 0.5),
    "paths and forms": (take_path, texts(PATHS), 1),
    "run folders": (take_run, SEEDS, 0.05),
    "run folders that go on": (take_resumed, SEEDS, 0.02),
}
"""What takes a case, how cases are drawn, and its weight in the budget."""
WEIGHTS = sum(weight for _, _, weight in BOUNDARIES.values())
OUTCOMES: Counter[tuple[str, str]] = Counter()


@pytest.fixture(scope="module", autouse=True)
def table() -> Iterator[None]:
    yield
    if "HOMEBODY_HOSTILE" in os.environ:
        print(f"\n{sum(OUTCOMES.values())} cases")
        for (name, outcome), count in sorted(OUTCOMES.items()):
            print(f"{name:24} {outcome:28} {count:8}")


@contextmanager
def time_limit() -> Iterator[None]:
    def late(*_: object) -> None:
        raise AssertionError("it hangs")

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, LIMIT_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("name", BOUNDARIES)
def test_hostile_input_is_taken_or_refused_by_name(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    take, cases, weight = BOUNDARIES[name]
    monkeypatch.setenv("HOMEBODY_CANARY", SECRET)
    (tmp_path / "secret").write_text(SECRET)
    many = max(10, round(ALL * weight / WEIGHTS))

    @settings(max_examples=many, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(cases)
    def play(case: Any) -> None:
        try:
            with time_limit():
                take(case, tmp_path)
        except (AgentError, EnvError, click.UsageError) as refusal:
            OUTCOMES[name, type(refusal).__name__] += 1
        else:
            OUTCOMES[name, "taken"] += 1

    play()
    assert (tmp_path / "secret").read_text() == SECRET
    assert os.environ["HOMEBODY_CANARY"] == SECRET
