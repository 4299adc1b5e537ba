"""Rules of the code base that no linter knows: where domain words may stand, who imports what is heavy, what no file may contain."""

import ast
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("agents", "assets", "envs", "evolution", "scripts")

# --- no domain words in agents/ and evolution/: what an evolved harness knows of a domain it must have learned

# What the class names of assets/household leave out: rooms, kinds of things, tasks and worlds.
# A phrase counts however it is joined (`living room`, `living_room`, `LivingRoom`, `livingroom`).
PHRASES = """
house, household, room, kitchen, bedroom, bathroom, living room, furniture, appliance, receptacle, lamp, counter top, shelves, knives, dish,
heat, alfworld, alfred, textworld, pick and place, pick two, mini wob, web shop, shopping, buy now, add to cart, browser, web page, pddl,
footstool, glass bottle, painting hanger, paper towel, toilet paper roll,
shop, shopper, price, purchase, buy, buyer, cart, catalogue, catalog, brand, retail, asin, amazon, first result
"""
# Domain words with another, ordinary sense that agents and evolution need; in this very form, so not the plural.
ALLOWED = {
    "fork": "a change that helps some tasks and hurts others forks a variant",
    "room": "what a context window has left",
    "safe": "safe to call, safe to load",
    "watch": "the command that shows an episode",
    "window": "the part of a text that a model sees",
}


def words(text: str) -> list[str]:
    """Split at everything but letters, and inside an identifier where its words meet; lower case."""
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", text)]


def strings(value: object) -> Iterator[str]:
    """Yield every string of a JSON value, keys included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)
    elif isinstance(value, dict):
        yield from value
        for item in value.values():
            yield from strings(item)


def class_names() -> set[str]:
    """Return the names of the object and receptacle types (CamelCase) in the assets of the household."""
    files = (ROOT / "assets" / "household").glob("*.json")
    found = {string for file in files for string in strings(json.loads(file.read_text(encoding="utf-8")))}
    return {string for string in found if re.fullmatch(r"CD|TVStand|([A-Z][a-z]+)+", string)}


def vocabulary() -> set[tuple[str, ...]]:
    """Return the domain words and phrases, each as its words; a plural by `s` is found without being listed."""
    phrases = {tuple(words(name)) for name in (*PHRASES.split(","), *class_names())}
    return phrases | {("".join(phrase),) for phrase in phrases}


def domain_words(text: str, vocabulary: set[tuple[str, ...]]) -> set[str]:
    found = set()
    longest = max(map(len, vocabulary))
    tokens = words(text)
    for start in range(len(tokens)):
        for length in range(1, longest + 1):
            phrase = tuple(tokens[start : start + length])
            singular = (*phrase[:-1], phrase[-1].removesuffix("s"))
            if phrase in vocabulary or singular in vocabulary:
                found.add(" ".join(phrase))
    # Capitals cut a name wherever its author set them: ALFWorld, AlfWorld and alfworld are one.
    runs = {run for run in re.findall("[A-Za-z]+", text) if {(run.lower(),), (run.lower().removesuffix("s"),)} & vocabulary}
    return (found | {" ".join(words(run)) for run in runs}) - ALLOWED.keys()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("def cool_the_mugs(fridgeDoor): ...", {"mugs", "fridge"}),
        ("LivingRoom living_room livingroom", {"living room", "livingroom"}),
        ('"go to coffeetable 1"  # or AlarmClock', {"coffeetable", "alarm clock"}),
        ("ALFWorld's games, AlfWorld-v0, MiniWoB", {"alf world", "mini wo b"}),
        (
            "WebShopEnv: shop.index, priceTag, add_to_cart, the first_result",
            {"web shop", "shop", "price", "add to cart", "cart", "first result"},
        ),
        ("homebody: a template, some pancakes, headroom, mugging, safe, a history window", set()),
        ("a product of two sizes, the colours of a page, options, a search, priceless, workshop, cartesian", set()),
    ],
)
def test_domain_words_are_found_as_whole_words(text: str, found: set[str]) -> None:
    assert domain_words(text, vocabulary()) == found


def test_class_names_are_found_in_the_assets() -> None:
    names = class_names()
    assert {"Fridge", "Mug", "SinkBasin", "DeskLamp", "CD", "TVStand"} <= names
    assert len(names) > 90


@pytest.mark.parametrize("folder", ["agents", "evolution"])
def test_no_domain_words_outside_the_environments(folder: str) -> None:
    known = vocabulary()
    lines = [
        (file, number, domain_words(line, known))
        for file in sorted((ROOT / folder).rglob("*.py"))
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1)
    ]
    hits = [f"{file.relative_to(ROOT).as_posix()}:{number}: {', '.join(sorted(found))}" for file, number, found in lines if found]
    assert "\n".join(hits) == ""


# --- one importer for each heavy or optional dependency


def imported(module: Path) -> set[str]:
    """Return the top-level names of everything that a module imports, at its top or inside a function."""
    names = set()
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names


PACKAGES_AROUND_ONE = {Path("agents/models/llama")}
"""Packages that are there for one dependency: they count as one importer."""


IMPORTERS = {
    "datasets": "agents/adapters/verifiers.py",
    "gepa": "evolution/proposers/gepa.py",
    "inspect_ai": "agents/adapters/inspect.py",
    "llama_cpp": "agents/models/llama",
    "matplotlib": "evolution/reports/figure.py",
    "minijinja": "agents/sandbox/renderer_engine.py",
    "miniwob": "scripts/bench/miniwob.py",
    "playwright": "envs/browser.py",
    "pydantic_monty": "envs/interpreter.py",
    "pygame": "envs/canvas.py",
    "rapidfuzz": "envs/webshop/goals/reward.py",
    "uniseg": "envs/webshop/search/analyzer.py",
    "verifiers": "agents/adapters/verifiers.py",
}
"""Who imports what is heavy or optional."""


@pytest.mark.parametrize("dependency", IMPORTERS)
def test_heavy_dependency_has_one_importer(dependency: str) -> None:
    modules = (path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py")))
    importers = {path.relative_to(ROOT) for path in modules if dependency in imported(path)}
    places = {path.parent if path.parent in PACKAGES_AROUND_ONE else path for path in importers}
    assert places == {Path(IMPORTERS[dependency])}, importers


# --- one writer of files

WRITES = re.compile(
    r"\bos\.(replace|rename|link)\(|\.(write_text|write_bytes)\(|\.rename\(|\.replace\(\w+\)"
    r"|\bopen\([^)]*[\"'][wax]b?\+?[\"']|NamedTemporaryFile|mkstemp|expanduser"
)
"""How a file is written, moved or found by hand; what homebody.envs.file does for all."""
WRITERS = {
    "envs/file.py": "the one writer",
    "envs/download.py": "a download goes on where it broke off",
    "envs/household/compiled.py": "a stamp that says which machine code is stale",
    "envs/household/export.py": "a folder of two files, which appears with both in it",
    "envs/household/alfworld/download.py": "an archive unpacked into a folder, which appears whole",
    "scripts/commands/sandbox.py": "a file that attacks are to leave alone",
    "scripts/terminal.py": "a closed stream is opened to nowhere",
}
"""Who writes files otherwise, and why."""
INTO_PARTS = {
    "agents/models/packaged.py": 'with target.open("wb") as out:',
    "envs/canvas.py": 'with replacing(path) as part, part.open("wb") as file:',
    "envs/webshop/catalogue/export.py": 'part.write_text(json.dumps(content, ensure_ascii=False), "utf-8")',
    "evolution/reports/export.py": 'part.open("w", encoding="utf-8") as file:',
}
"""Who fills what `replacing` yields by hand."""


def lines_where(is_wanted: Callable[[str, str], object]) -> list[str]:
    """Lines of our modules by what is asked of their file's name and their text."""
    return [
        f"{name}:{number}: {line.strip()}"
        for folder in FOLDERS
        for file in sorted((ROOT / folder).rglob("*.py"))
        for name in [file.relative_to(ROOT).as_posix()]
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1)
        if is_wanted(name, line)
    ]


def test_files_are_written_in_one_place() -> None:
    def writes(name: str, line: str) -> object:
        return name not in WRITERS and WRITES.search(line.replace(INTO_PARTS.get(name, "\0"), ""))

    assert lines_where(writes) == []
    assert all((ROOT / name).is_file() for name in (*WRITERS, *INTO_PARTS))


# --- one reader of files from outside

READS = re.compile(r"\.read_text\(|\.read_bytes\(|json\.loads?\(|\bopen\([^)]*[\"']rb?[\"']|\.open\(\)")
"""How a file or a text of JSON is read by hand; what homebody.envs.text does for those from outside."""
OURS = re.compile(r"resources\.files|json\.loads\(json\.dumps\(")
"""A file that ships with homebody, and a copy of data."""
READERS = {
    "envs/text.py": "the one reader",
    "envs/canvas.py": "a font that ships",
    "envs/download.py": "the part of a download that is there, for its hash",
    "envs/file.py": "a whole file, poured into a pipe",
    "envs/compiled.py": "our own sources",
    "envs/household/export.py": "what an export wrote before",
    "envs/household/alfworld/gamefile.py": "a quoted sentence within a grammar",
    "envs/household/engine/vocabulary.py": "a table that ships",
    "envs/webshop/goals/nouns.py": "a list that ships",
    "agents/harness/schema.py": "a schema that ships",
    "agents/models/chat_template.py": "our own text of variables",
    "agents/models/fit.py": "figures of the system",
    "agents/models/gguf.py": "a file of weights",
    "agents/models/llama/weights.py": "a file of weights",
    "agents/models/packaged.py": "the bytes of a file of weights",
    "agents/models/remote/http_client.py": "a server's answer, whose numbers are checked where they are used",
    "envs/interpreter.py": "what came out of the sandbox, checked there",
    "agents/sandbox/process.py": "what our worker writes",
    "envs/interpreter_fork.py": "what our processes write to each other",
    "envs/repair/suite.py": "a value that came out of the sandbox, checked there",
    "agents/sandbox/process_worker.py": "what our main process writes",
    "agents/harness/spec.py": "copies of data, and harnesses that ship",
    "evolution/controls/provenance.py": "figures of the system",
    "evolution/gate/manifest.py": "a schema that ships",
    "evolution/store.py": "rows that we wrote",
    "scripts/bench/household.py": "what a peer prints",
    "scripts/bench/miniwob.py": "figures of the system",
    "scripts/bench/peer_household.py": "runs without homebody",
    "scripts/bench/peer_llm.py": "runs without homebody",
    "scripts/reference.py": "our own sources",
    "scripts/bench/soak.py": "figures of the system",
    "scripts/commands/sandbox.py": "a file that attacks are to leave alone",
}
"""Who reads otherwise, and why."""


def test_files_from_outside_are_read_in_one_place() -> None:
    def reads(name: str, line: str) -> object:
        return name not in READERS and READS.search(line) and not OURS.search(line)

    assert lines_where(reads) == []
    assert all((ROOT / name).is_file() and READS.search((ROOT / name).read_text("utf-8")) for name in READERS)


# --- what no file may contain


def project_files(folder: Path, ignored: list[str]) -> Iterator[Path]:
    """Yield the files below `folder` whose path holds no name that .gitignore lists."""
    for path in sorted(folder.iterdir()):
        if path.name == ".git" or any(path.match(pattern) for pattern in ignored):
            continue
        if path.is_dir():
            yield from project_files(path, ignored)
        else:
            yield path


def test_no_file_names_a_place_of_one_machine() -> None:
    # Text that stands for any path, as /path/to/x, is fine; so is a temporary folder in a test.
    place = re.compile(r"(?<![\w.)}$])/(?:work|root|home/\w+|Users/\w+)/|(?<![\w.)}$])/(?P<tmp>tmp)/")
    ignored = [line.rstrip("/") for line in (ROOT / ".gitignore").read_text(encoding="utf-8").split()]
    found = []
    for file in project_files(ROOT, ignored):
        try:
            text = file.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # an image or a font
        for hit in place.finditer(text):
            if not (hit["tmp"] and file.is_relative_to(ROOT / "tests")):
                found.append(f"{file.relative_to(ROOT).as_posix()}: {hit[0]}")
    assert "\n".join(found) == ""


def test_pre_commit_runs_the_commands_of_the_test_script() -> None:
    hooks = re.findall(r"entry: (.+)", (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    script = (ROOT / "scripts" / "test").read_text(encoding="utf-8")
    sections = re.findall(r'^section "[^"]+" (.+)$', script, flags=re.MULTILINE)
    assert [*hooks, '.venv/bin/pytest -n 2 --dist worksteal "$@"'] == sections
