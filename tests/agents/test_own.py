"""Processors of the user's own, by module:Class: what is imported when, what is refused, where they stand and what they do."""

import json
import pickle
import sys
from itertools import count

import pytest

from homebody.agents.episode import run_episode
from homebody.agents.harness.outline import changes, outline
from homebody.agents.harness.running import Harness
from homebody.agents.harness.spec import HarnessError, HarnessSpec, component
from homebody.agents.model_free import RandomPolicy
from homebody.agents.processors.base import Services

CLASS = """
from homebody.agents.processors import Processor

class Own(Processor):
    \"\"\"Says what it sees.\"\"\"

    hook = "before_model"
    dimension = "context"
    schema = {"word": {"type": "string", "default": "now", "description": "what it says"}}
    # more

    def process(self, event):
        return {"content": f"{event.content} {self.params['word']}"}
"""
NUMBERS = count()


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Write a module into the current folder, under a name that no other test has: `module(source)`; returns the name."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])

    def write(source=CLASS):
        name = f"own_module_{next(NUMBERS)}"
        (tmp_path / f"{name}.py").write_text(source)
        return name

    return write


def harness(components, **fields):
    return HarnessSpec.from_json({"format": 2, "name": "test", "components": components, **fields})


def refusal(spec):
    with pytest.raises(HarnessError) as caught:
        spec.check()
    (problem,) = caught.value.problems
    assert "\n" not in str(caught.value)
    return problem


# --- what is imported when


def test_only_checking_and_playing_import_the_module(module, yard):
    name = module("raise SystemExit(3)")
    use = f"{name}:Own"
    rule = {
        "name": "r", "when": {"signal": "stalled", "at_least": 1},
        "patch": [{"op": "add", "path": "/components/more", "value": component(use, {"x": [1]})}],
    }  # fmt: skip
    spec = harness({"own": component(use, {"any": 1}, after=["list"]), "list": component("show_candidates")}, adaptations=[rule])
    again = pickle.loads(pickle.dumps(HarnessSpec.from_json(json.loads(spec.dumps()))))
    assert (again, again.behaviour_hash, again.in_order()) == (spec, spec.behaviour_hash, ["list", "own"])
    edited = spec.patch([{"op": "add", "path": "/components/own/params/any", "value": 2}])
    assert edited.behaviour_hash != spec.behaviour_hash
    assert changes(spec, edited) == ["~ own: any 1 -> 2"]
    assert spec.diff(edited) == [{"op": "replace", "path": "/components/own/params/any", "value": 2}]
    assert changes(spec, spec.without("own"))[0] == f"- own ({use}) (your own)"
    assert [(dimension, [item.id for item in items]) for dimension, items in outline(spec)] == [
        ("context", ["list"]),
        ("your own", ["own"]),
    ]
    assert name not in sys.modules
    said = f"/components/own/use: processor {use}: module '{name}' cannot be imported: SystemExit: 3"
    assert refusal(spec) == said
    for at_work in (lambda: Harness(spec, Services()), lambda: run_episode(yard.Yard(), spec, RandomPolicy(), yard.task())):
        with pytest.raises(HarnessError) as caught:
            at_work()
        assert caught.value.problems == (said,)


def test_hash_is_of_the_document_alone(module):
    use = f"{module()}:Own"
    plain, said = harness({"own": component(use)}), harness({"own": component(use, {"word": "now"})})
    before = plain.behaviour_hash
    plain.check()
    # That `now` is the default stands in the class, which is not looked at.
    assert plain.behaviour_hash == before != said.behaviour_hash
    assert harness({"own": component(use, version=1)}).behaviour_hash == before
    assert harness({"own": component(use, version=2)}).behaviour_hash != before


# --- what is refused


@pytest.mark.parametrize(
    ("use", "hint"),
    [
        ("mine", "there are "), ("mine:", "there are "), (":Own", "there are "), ("a:b:c", "there are "), ("a b:C", "there are "),
        ("../a:C", "there are "), ("a.:C", "there are "), ("loop_gaurd", "did you mean 'loop_guard'?"),
    ],
)  # fmt: skip
def test_what_is_neither_a_name_nor_module_and_class_is_refused_at_loading(use, hint):
    with pytest.raises(HarnessError) as caught:
        harness({"own": component(use)})
    assert str(caught.value).startswith(f"harness: /components/own/use: no processor is called {use!r}; {hint}")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("class Own", "class Owner", "/use: processor {}:Own: module {} has no class 'Own'; did you mean Owner?"),
        (CLASS, "", "/use: processor {}:Own: module {} has no class 'Own'; its processors: none"),
        (CLASS, "import tomorrow", "/use: processor {}:Own: module {} needs tomorrow, which is not installed; install it"),
        ("class Own", "clas Own", "/use: processor {}:Own: module '{}' cannot be imported: SyntaxError: "),
        ("class Own", "1 / 0\nclass Own", "/use: processor {}:Own: module '{}' cannot be imported: ZeroDivisionError: division by zero"),
        (
            "Own(Processor)",
            "Own",
            "/use: processor {}:Own: Own is no Processor; make it a subclass of homebody.agents.processors.Processor",
        ),
        (CLASS, "Own = 5", "/use: processor {}:Own: Own is no Processor; make it "),
        ("def process", "def proces", "/use: processor {}:Own: it lacks process; write that method"),
        ('"before_model"', '"before_modle"', "/use: processor {}:Own: its hook is 'before_modle'; it must be one of task_start, "),
        ('hook = "before_model"', "", "/use: processor {}:Own: its hook is None; it must be one of task_start, "),
        ('"context"', '["context"]', "/use: processor {}:Own: its dimension is ['context']; it must be one of model, "),
        ("# more", 'after = "decide"', "/use: processor {}:Own: its after is 'decide'; give a tuple of names"),
        ("# more", "before = (1,)", "/use: processor {}:Own: its before is (1,); give a tuple of names"),
        ("# more", 'version = "2"', "/use: processor {}:Own: its version is '2'; give a whole number from 1"),
        ("# more", "max_failures = 0", "/use: processor {}:Own: its max_failures is 0; give a whole number from 1"),
        ('"type": "string"', '"type": "text"', "/use: processor {}:Own: its schema is no JSON Schema: 'text' is not valid under any"),
        ("schema = {", "schema = []\n    other = {", "/use: processor {}:Own: its schema is []; give a dict of JSON Schemas by parameter"),
        ("# more", "version = 2", "/version: {}:Own is version 2, the document is of version 1; set it anew"),
        ("# more", 'group = "candidates"', ": a second component of group 'candidates', beside /components/list; keep one"),
        (
            "# more",
            "def __init__(self, params, services):\n        services.score('a', ['b'])",
            ": {}:Own cannot be made: TypeError: 'NoneType' object is not callable",
        ),
        ("# more", "check_entry = lambda entry: ['/params/word: too short']", "/params/word: too short"),
    ],
)
def test_class_that_cannot_be_used_is_one_line_when_the_harness_is_checked(module, old, new, said):
    assert old in CLASS
    name = module(CLASS.replace(old, new))
    spec = harness({"list": component("show_candidates"), "own": component(f"{name}:Own")})
    assert refusal(spec).startswith("/components/own" + said.replace("{}", name))


def test_module_that_is_not_there_is_one_line(module):
    module()
    assert refusal(harness({"own": component("no.where:Own")})) == (
        "/components/own/use: processor no.where:Own: there is no module 'no.where'; install it, or run where no.where.py lies"
    )


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"params": {"wrd": "x"}}, "/params/wrd: there is no 'wrd' here; did you mean word?; known: word"),
        ({"params": {"word": 5}}, "/params/word: 5 is not of type 'string'"),
        ({"hook": "before_model"}, "/hook: {}:Own belongs to hook 'before_model' and dimension 'context', as its class says; take it out"),
        ({"after": ["start"]}, "/after/0: start is asked at task_start and own at before_model; order holds within a hook: take it out"),
        ({"after": ["list"]}, "/after: components wait for each other: list after own, own after list; take one of them out"),
    ],
)
def test_component_is_held_to_its_class_when_the_harness_is_checked(module, given, said):
    name = module(CLASS.replace("# more", 'before = ("show_candidates",)'))
    components = {"own": component(f"{name}:Own") | given, "list": component("show_candidates")}
    spec = harness(components | {"start": component("system_prompt", {"text": "x"})})
    assert refusal(spec) == "/components/own" + said.replace("{}", name)


def test_what_rules_and_variants_bring_in_is_checked_with_its_place(module):
    patch = [{"op": "add", "path": "/components/own", "value": component(f"{module()}:Own", {"word": 1})}]
    rule = {"name": "r", "when": {"signal": "stalled", "at_least": 1}, "patch": patch}
    variant = {"name": "v", "route": {"words": {"a": 1.0}, "bias": 0.0}, "patch": patch}
    for part, item in (("adaptations", rule), ("variants", variant)):
        said = refusal(harness({"decide": component("decide")}, **{part: [item]}))
        assert said == f"/{part}/0/patch: it leads to /components/own/params/word: 1 is not of type 'string'"


@pytest.mark.parametrize(("use", "member"), [("decide", {"version": 1}), ("code", {"version": 2})])
def test_processor_of_the_library_takes_no_version(use, member):
    made = component(use, **member) | ({"hook": "step_end", "dimension": "control", "source": "x"} if use == "code" else {})
    with pytest.raises(HarnessError, match="/components/a/version: only module:Class, a class of your own, takes a version; take it out"):
        harness({"a": made})


# --- order and play


def test_class_says_where_it_is_asked(module):
    name = module(CLASS.replace("# more", 'before = ("show_candidates",)\n    after = ("decide",)'))
    spec = harness({"z": component(f"{name}:Own"), "a": component("show_candidates"), "m": component("decide")})
    assert list(spec.check().processors()) == ["m", "z", "a"]


def test_classes_of_ones_own_name_each_other_by_module_and_class(module):
    first = module()
    second = module(CLASS.replace("# more", f'after = ("{first}:Own",)'))
    assert list(harness({"a": component(f"{second}:Own"), "b": component(f"{first}:Own")}).check().processors()) == ["b", "a"]


def test_subclass_of_a_library_class_stands_in_its_place(module):
    source = "from homebody.agents.processors.control import LoopGuard\n\nclass Own(LoopGuard):\n    version = 3\n"
    use = f"{module(source)}:Own"
    components = {"z": component(use, {"repeats": 4}, version=3), "a": component("show_candidates"), "b": component("action_prior")}
    spec = harness(components)
    assert list(spec.check().processors()) == ["z", "a", "b"]  # as `loop_guard` would
    twice = harness(components | {"g": component("loop_guard")})
    assert refusal(twice) == "/components/g: a second component of group 'loop_guard', beside /components/z; keep one"


def test_it_works_like_any_other(module, yard):
    source = CLASS.replace("# more", "def observe(self, step):\n        self.notes['seen'] = step.command\n")
    spec = harness({"mine": component(f"{module(source)}:Own", {"word": "Hurry."})})
    records = [run_episode(yard.Yard(), spec, RandomPolicy(), yard.task(), max_steps=3) for _ in range(2)]
    assert records[0].trace_hash == records[1].trace_hash
    assert (records[0].error, records[0].failures, records[0].activations) == (None, [], {"mine": 3})
    assert [step.notes["mine"]["seen"] for step in records[0].trace] == [step.command for step in records[0].trace]
    assert records[0].trace[0].changed[0]["by"] == "mine"


def test_it_may_fail_and_is_switched_off(module, yard):
    spec = harness({"mine": component(f"{module(CLASS.replace('return {', 'return 1 / 0, {'))}:Own")})
    record = run_episode(yard.Yard(), spec, RandomPolicy(), yard.task(), max_steps=4)
    assert record.error is None
    assert [failure["boundary"] for failure in record.failures] == ["mine at before_model"] * 4
    assert [failure["kind"] for failure in record.failures] == ["ZeroDivisionError"] * 3 + ["SwitchedOff"]
