"""`homebody harness`, and environments of the user's own, at the command line."""

import json
from pathlib import Path
from typing import Any

import pytest

from homebody.agents.harness.library import REGISTRY
from homebody.agents.harness.outline import changes, does, short
from homebody.agents.harness.spec import HarnessSpec, component
from homebody.evolution.store import Store

LAMP = Path(__file__).parents[1].joinpath("lamp.py").read_text("utf-8")

RULE = {
    "name": "unstuck",
    "when": {"signal": "stalled", "at_least": 1},
    "patch": [{"op": "add", "path": "/components/loop_guard", "value": component("loop_guard", {"repeats": 1})}],
}


def document(*items: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"format": 2, "name": "mine", "components": {item["use"]: item for item in items}, **fields}


@pytest.fixture
def write(tmp_path: Path) -> Any:
    """Write a harness to a file: `write(name, *components, **fields)`; returns its path."""

    def write(name: str, *items: dict[str, Any], **fields: Any) -> Path:
        path = tmp_path / name
        path.write_text(json.dumps(document(*items, **fields)))
        return path

    return write


FAILING_CODE = component("code", hook="before_model", dimension="control", source="def process(event):\n    return 1 / 0\n")
FAILING_TEMPLATE = component("template", {"text": "{{ candidates[0].name }}"}, hook="before_model", dimension="context")
ADDED = [{"op": "add", "path": "/components/code", "value": FAILING_CODE}]
RUNS = {
    "code": (document(component("decide"), FAILING_CODE), "/components/code/source: on a sample event: "),
    "a template": (document(component("decide"), FAILING_TEMPLATE), "/components/template/params/text: on a sample event: "),
    "code of a rule": (
        document(component("decide"), adaptations=[{**RULE, "patch": ADDED}]),
        "/adaptations/0/patch: it leads to /components/code/source: on a sample event: ",
    ),
    "code of a variant": (
        document(component("decide"), variants=[{"name": "v", "route": {"words": {"far": 1.0}, "bias": 0.0}, "patch": ADDED}]),
        "/variants/0/patch: it leads to /components/code/source: on a sample event: ",
    ),
}
"""Harnesses with something of their own that fails as soon as it is run."""


@pytest.mark.parametrize("name", RUNS)
def test_what_only_reads_a_harness_runs_nothing_of_it(homebody: Any, tmp_path: Path, name: str) -> None:
    content, told = RUNS[name]
    path = tmp_path / "h.json"
    path.write_text(json.dumps(content))
    for reading in (("show", path), ("diff", path, "generic-act"), ("diff", "generic-act", path)):
        assert homebody("harness", *reading).code == 0, reading
    # Whoever checks it, or is to play it, runs it, fenced in.
    (tmp_path / "patch.json").write_text('[{"op": "replace", "path": "/name", "value": "new"}]')
    flat = ("--policy", "no-model", "--max-steps", 1)
    for running in (
        ("harness", "check", path),
        ("harness", "patch", path, tmp_path / "patch.json", "--out", tmp_path / "new.json"),
        ("run", "--harness", path, *flat),
        ("evaluate", "--harness", path, *flat, "--tasks", 1),
        ("evolve", "--harness", path, "--model", "no-model", "--run-dir", tmp_path / "run"),
    ):
        answer = homebody(*running)
        assert (answer.code, answer.out) == (2, "")
        assert told in answer.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["h.json", "patch.json"]


def test_a_run_whose_log_holds_code_is_read_without_running_it(homebody: Any, run_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Store(run_dir) as store:
        found = store.events("round")[-1]
        edit = {**found["candidates"][0], "patch": ADDED, "id": "r2c1"}
        store.append("round", {**found, "round": 2, "candidates": [edit], "shipped": "r2c1"})
        store.append("round", {**found, "round": 3, "candidates": [{**edit, "id": "r3c1"}], "shipped": None})

    def run(entry: object) -> list[str]:
        raise AssertionError("code of the run was run")

    monkeypatch.setattr(REGISTRY["code"], "check_entry", run)
    for reading in (("report", run_dir), ("report", run_dir, "--round", 3), ("watch", run_dir)):
        assert homebody(*reading).code == 0


def test_show_groups_processors_by_dimension_and_says_what_each_does(homebody: Any, write: Any) -> None:
    entries = (component("decide", {"method": "rank"}), component("system_prompt", {"text": "[bold]Go."}), component("step_budget"))
    out = homebody("harness", "show", write("h.json", *entries, adaptations=[RULE])).out
    context, control, rules = (out.index(f"\n{word}\n") for word in ("context", "control", "adaptations"))
    assert context < out.index("  system_prompt at task_start: Sets the system prompt.") < out.index("text [bold]Go.") < control
    assert control < out.index("  decide at before_model: Chooses how") < out.index("  step_budget at before_model: ") < rules
    assert "unstuck when stalled (at_least 1), 1 time at most" in out[rules:]
    assert '{"op": "add", "path": "/components/loop_guard"' in out[rules:]


def test_show_names_a_component_by_its_id_and_says_what_it_follows(homebody: Any, tmp_path: Path) -> None:
    path = tmp_path / "h.json"
    components = {"guard": component("loop_guard", after=["zz"]), "zz": component("decide"), "list": component("show_candidates")}
    path.write_text(json.dumps(document() | {"components": components}))
    lines = homebody("harness", "show", path).out.splitlines()
    shown = [line.split(" at ")[0].strip() for line in lines if " at before_model" in line]
    assert shown == ["list show_candidates", "zz decide", "guard loop_guard"]  # dimensions first, then the order in which they are asked
    assert "      after zz" in lines


def test_a_document_of_the_first_format_is_one_line_that_says_what_to_do(homebody: Any, tmp_path: Path) -> None:
    path = tmp_path / "old.json"
    old = {"use": "decide", "hook": "before_model", "dimension": "control", "params": {}}
    path.write_text(json.dumps({"format": 1, "name": "old", "processors": [old]}))
    for reading in (("check", path), ("show", path), ("diff", path, "generic-act")):
        answer = homebody("harness", *reading)
        assert (answer.code, answer.out, len(answer.err.splitlines())) == (2, "", 1)
        assert "/format: 1 was a list of processors, and nothing converts it; this is format 2, with `components` by id: " in answer.err
    example = answer.err[answer.err.index("`homebody harness show ") + 1 :].partition("`")[0].split()[1:]
    new = tmp_path / "new.json"
    assert homebody(*[str(new) if word == "FILE" else word for word in example]).code == 0
    assert HarnessSpec.load(new).document["format"] == 2


def test_show_prints_the_source_of_code(homebody: Any, write: Any) -> None:
    source = "def process(event):\n    return None"
    made = component("code", hook="after_tool", dimension="environment", source=source)
    out = homebody("harness", "show", write("h.json", made)).out
    assert "\nenvironment\n" in out
    assert f"source \n{source}" in out


def test_check_lists_all_problems_a_line_each(homebody: Any, write: Any) -> None:
    path = write("h.json", component("decide", {"method": "rnk"}), component("deside"), colour=1)
    answer = homebody("harness", "check", path)
    assert (answer.code, answer.out) == (2, "")
    assert [line.removeprefix(f"homebody: {path}: ").partition(":")[0] for line in answer.err.splitlines()] == [
        "/colour", "/components/decide/params/method", "/components/deside/use",
    ]  # fmt: skip
    assert "did you mean rank" in answer.err
    assert "did you mean 'decide'?" in answer.err


def test_diff_says_what_differs_and_prints_the_patch_alone(homebody: Any, write: Any) -> None:
    one = write("a.json", component("decide"), component("visited"))
    other = write("b.json", component("decide", {"method": "rank"}), component("loop_guard"))
    answer = homebody("harness", "diff", one, other)
    assert answer.err.splitlines() == [
        '~ decide: method (default) -> "rank"',
        "- visited (memory)",
        f"+ loop_guard (control, at before_model): {does('loop_guard')}",
    ]
    patch = json.loads(answer.out)
    assert HarnessSpec.load(one).patch(patch) == HarnessSpec.load(other)


@pytest.mark.parametrize(
    ("old", "new", "lines"),
    [
        (document(), document(), []),
        (document(), document(name="other", description="x"), ['~ name: "mine" -> "other"', '~ description: null -> "x"']),
        (document(component("decide"), component("visited")), document(component("visited"), component("decide")), []),
        (
            document(component("decide"), component("visited")),
            document(component("visited"), component("decide", {"method": "rank"}, after=["visited"])),
            ['~ decide: method (default) -> "rank"', '~ decide: after (default) -> ["visited"]'],
        ),
        (
            document() | {"components": {"a": component("decide"), "b": component("visited")}},
            document() | {"components": {"a": component("loop_guard", {"repeats": 3}), "c": component("visited")}},
            [
                "~ a: use decide -> loop_guard",
                "~ a: repeats (default) -> 3",
                "- b (visited) (memory)",
                f"+ c (visited) (memory, at before_model): {does('visited')}",
            ],
        ),
        (document(), document(adaptations=[RULE]), ["+ rule unstuck: when stalled (at_least 1), 1 time at most"]),
        (document(adaptations=[RULE]), document(adaptations=[]), ["- rule unstuck"]),
        (
            document(adaptations=[RULE]),
            document(adaptations=[RULE | {"most": 2}]),
            ["~ rule unstuck: when stalled (at_least 1), 2 times at most, 1 edits"],
        ),
        (
            document(component("code", hook="after_tool", dimension="tools", source="a")),
            document(component("code", hook="before_tool", dimension="tools", source="a")),
            ['~ code: hook "after_tool" -> "before_tool"'],
        ),
        (
            document(component("system_prompt", {"text": "x" * 99})),
            document(component("system_prompt", {"text": "y"})),
            [f'~ system_prompt: text "{"x" * 59} ... (101 characters) -> "y"'],
        ),
    ],
)
def test_changes_in_words(old: dict[str, Any], new: dict[str, Any], lines: list[str]) -> None:
    found = changes(HarnessSpec(old), HarnessSpec(new))
    assert [line for line in found if not line.startswith("~ code: dimension")] == lines


def test_values_are_cut_where_they_are_long() -> None:
    assert short({"a": "é"}) == '{"a": "é"}'
    assert short("x" * 2000) == '"' + "x" * 1499 + " ... (2002 characters)"


def test_nothing_is_written_where_one_of_two_files_cannot_be(homebody: Any, write: Any, tmp_path: Path) -> None:
    base, new, patch = write("a.json", component("decide")), tmp_path / "b.json", tmp_path / "patch.json"
    patch.write_text(json.dumps([{"op": "remove", "path": "/components/decide"}]))
    answer = homebody("harness", "patch", base, patch, "--out", new, "--undo", tmp_path / "gone" / "undo.json")
    assert answer.code == 2
    assert len(answer.err.splitlines()) == 1
    assert not new.exists()


def test_a_patch_can_be_taken_back(homebody: Any, write: Any, tmp_path: Path) -> None:
    base, new, undo = write("a.json", component("decide")), tmp_path / "b.json", tmp_path / "undo.json"
    patch = tmp_path / "patch.json"
    patch.write_text(json.dumps([{"op": "add", "path": "/components/visited", "value": component("visited")}]))
    assert homebody("harness", "patch", base, patch, "--out", new, "--undo", undo).code == 0
    assert homebody("harness", "patch", new, undo, "--out", tmp_path / "c.json").code == 0
    assert HarnessSpec.load(tmp_path / "c.json") == HarnessSpec.load(base)


def test_list_shows_every_processor_by_dimension(homebody: Any) -> None:
    out = homebody("harness", "list").out
    assert (
        out.index("location_prior before_model, model")
        < out.index("system_prompt task_start, context")
        < out.index("decide before_model, control")
    )
    assert "code any, any" in out


# --- an environment of the user's own


@pytest.fixture
def lamp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder, the current one, with a module of an environment in ten lines."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", list(__import__("sys").path))
    (tmp_path / "lamp_of_mine.py").write_text(LAMP)
    return tmp_path


def test_an_environment_of_ten_lines_runs_under_the_generic_harness(homebody: Any, lamp: Path, loaded: Any) -> None:
    code = [line for line in LAMP.splitlines() if line.strip()]
    assert len(code) <= 12  # ten lines of a class, and two imports
    env = ("--env", "lamp_of_mine:Lamp", "--harness", "generic-act", "--policy", "random")
    answer = homebody("run", *env, "--json", lamp / "r.json")
    assert answer.code == 0, answer.err
    assert loaded(lamp / "r.json")["task_id"] == "lamp"
    assert "\nlight the lamp\n" in answer.out
    answer = homebody("evaluate", *env, "--json", lamp / "e.json", "--max-steps", 9)
    assert answer.code == 0, answer.err
    result = loaded(lamp / "e.json")
    assert (result["n"], result["success"], result["adaptations"]) == (1, 1.0, {"episodes": 0, "total": 0})


@pytest.mark.parametrize(
    ("env_id", "message"),
    [
        ("nosuchmodule:Lamp", "there is no module 'nosuchmodule'"),
        ("lamp_of_mine:Lmap", "did you mean Lamp?"),
        ("lamp_of_mine:Text", "is no subclass of gymnasium.Env"),
        ("broken_of_mine:Lamp", "info['goal'] of reset(seed=0) is 'missing', not a str"),
    ],
)
def test_an_environment_that_cannot_be_used_is_one_line(homebody: Any, lamp: Path, env_id: str, message: str) -> None:
    (lamp / "broken_of_mine.py").write_text(LAMP.replace('"goal": "light the lamp", ', ""))
    for command in (("run",), ("evaluate", "--tasks", "1")):
        answer = homebody(*command, "--env", env_id, "--harness", "generic-act", "--policy", "random")
        assert answer.code == 2
        assert message in answer.error


# --- adaptation


def test_adaptation_is_shown_counted_and_can_be_left_out(homebody: Any, lamp: Path, write: Any, loaded: Any) -> None:
    # The first command of the candidates wins at once; held back, it leaves `wait`, which shows nothing new.
    path = write("h.json", component("visited"), adaptations=[RULE])
    (lamp / "dark_of_mine.py").write_text(LAMP.replace('or action == "press"', "or False"))
    arguments = ("--env", "dark_of_mine:Lamp", "--policy", "no-model", "--harness", path, "--max-steps", 4)
    answer = homebody("run", *arguments, "--json", lamp / "r.json")
    assert "adapted by unstuck (stalled): 1 edits, behaviour " in answer.out
    assert "not won in 4 steps, adapted 1 times" in answer.out
    assert [item["rule"] for item in loaded(lamp / "r.json")["adaptations"]] == ["unstuck"]
    answer = homebody("evaluate", *arguments, "--json", lamp / "e.json")
    assert "1 of 1 episodes adapted, 1 times in all" in answer.out
    assert loaded(lamp / "e.json")["adaptations"] == {"episodes": 1, "total": 1}
    for command, name in (("run", "adaptations"), ("evaluate", "adaptations")):
        answer = homebody(command, *arguments, "--no-adaptation", "--json", lamp / "n.json")
        assert "adapted" not in answer.out
        assert loaded(lamp / "n.json")[name] in ([], {"episodes": 0, "total": 0})


def test_an_end_by_the_harness_is_shown(homebody: Any, lamp: Path, write: Any) -> None:
    source = 'def process(event):\n    return {"interrupt": "no light [wanted]"}'
    made = component("code", hook="before_tool", dimension="control", source=source)
    answer = homebody("run", "--env", "lamp_of_mine:Lamp", "--policy", "no-model", "--harness", write("h.json", made))
    assert "ended by the harness: no light [wanted]" in answer.out
    assert "not won in 0 steps" in answer.out
