"""The harness as data: what loads, what is refused and in which words, hashes, patches."""

import copy
import hashlib
import json
import math
from importlib import resources
from random import Random

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from homebody.agents.content_hash import canonical, digest
from homebody.agents.harness import schema
from homebody.agents.harness.hooks import DIMENSIONS, HOOKS
from homebody.agents.harness.library import REGISTRY, UnknownProcessorError, defaults, find, params_schema
from homebody.agents.harness.patch import PatchError, difference, invert, read_patch
from homebody.agents.harness.schema import problems
from homebody.agents.harness.spec import HarnessError, HarnessSpec, component, harness_names


def ids(*items):
    """Components with the ids a, b, c, ..."""
    return dict(zip("abcdefgh", items, strict=False))


def document(*items, **fields):
    return {"format": 2, "name": "test", "components": ids(*items), **fields}


def spec(*items, **fields):
    return HarnessSpec.from_json(document(*items, **fields))


def refusal(given_document, source="harness"):
    with pytest.raises(HarnessError) as caught:
        HarnessSpec.from_json(given_document, source)
    return str(caught.value)


# --- the table of processors and the schema


@pytest.mark.parametrize("name", sorted(REGISTRY))
def test_every_processor_is_declared_in_full(name):
    processor = REGISTRY[name]
    assert processor.name == name
    if processor.hook:
        assert processor.hook in HOOKS
        assert processor.dimension in DIMENSIONS
    assert processor.__doc__
    schema = params_schema(processor)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert all("description" in rule or "enum" in rule for rule in schema["properties"].values())
    for key, value in defaults(processor).items():
        jsonschema.validate(value, schema["properties"][key])


def test_schema_names_the_hooks_and_dimensions_of_the_code():
    schema = json.loads((resources.files("homebody.assets") / "schemas" / "harness.json").read_text("utf-8"))
    fields = schema["$defs"]["component"]["properties"]
    assert fields["hook"]["enum"] == list(HOOKS)
    assert fields["dimension"]["enum"] == list(DIMENSIONS)


def test_unknown_processor_is_answered_with_the_nearest_name_or_all():
    with pytest.raises(UnknownProcessorError, match=r"^no processor is called 'visted'; did you mean 'visited'\?$"):
        find("visted")
    with pytest.raises(
        UnknownProcessorError,
        match=rf"^no processor is called 'zzz'; there are {', '.join(sorted(REGISTRY))}; module:Class names your own$",
    ):
        find("zzz")


def test_component_is_made_of_a_name_parameters_and_more():
    assert component("loop_guard", after=["a"]) == {"use": "loop_guard", "params": {}, "after": ["a"]}
    params = {"turns": 3}
    made = component("history_window", params)
    assert made == {"use": "history_window", "params": {"turns": 3}}
    made["params"]["turns"] = 4
    assert params == {"turns": 3}


# --- loading


@pytest.mark.parametrize("name", harness_names())
def test_shipped_harness_loads_by_name_and_stands_as_it_would_be_written(name):
    loaded = HarnessSpec.load(name)
    assert loaded.name == name
    assert loaded.document.get("description")
    assert (resources.files("homebody.assets") / "harnesses" / f"{name}.json").read_text("utf-8") == loaded.dumps()


def test_file_loads_by_path(tmp_path):
    file = tmp_path / "mine.json"
    made = spec(component("system_prompt", {"text": "Gehe über „Los“."}), component("decide"), description="mine")
    file.write_text(made.dumps(), "utf-8")
    assert HarnessSpec.load(file) == HarnessSpec.load(str(file)) == made
    assert "über „Los“" in file.read_text("utf-8")


def test_document_is_copied():
    given_document = document(component("history_window", {"turns": 3}))
    made = HarnessSpec.from_json(given_document)
    given_document["components"]["a"]["params"]["turns"] = 9
    assert made.components["a"]["params"] == {"turns": 3}


def test_id_of_a_processor_is_the_first_in_alphabetical_order():
    prompt = component("system_prompt", {"text": "a"})
    made = HarnessSpec.from_json(document() | {"components": {"z": prompt, "m": component("decide"), "y": prompt}})
    assert [made.id_of(use) for use in ("system_prompt", "decide", "visited")] == ["y", "m", None]


def test_missing_file_is_answered_with_the_names_that_ship(tmp_path):
    with pytest.raises(
        HarnessError,
        match=r"^no harness 'genric': cannot be read \(No such file or directory\); give the path of a JSON .* one of .*generic",
    ):
        HarnessSpec.load("genric")
    with pytest.raises(HarnessError, match=r"did you mean generic or"):
        HarnessSpec.load("genric")
    with pytest.raises(HarnessError, match="Is a directory"):
        HarnessSpec.load(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff\xfe", "mine.json is UTF-16, not UTF-8; `homebody harness show .*` prints a valid harness"),
        (b'{"name": "caf\xe9"}', "mine.json is not UTF-8: invalid continuation byte at byte 13; `homebody"),
        (b"{", r"mine.json is not JSON \(Expecting property name.*; `homebody harness show .*` prints a valid harness"),
        (b"[" * 100_000, "mine.json is JSON nested deeper than 100 levels"),
        (b'{"format": NaN}', "NaN is no number of JSON"),
        (b"5", "mine.json: /: 5 is not of type 'object'$"),
        (b'{"format": 2, "name": "x", "components": {"a": 1, "b": 2, "a": 3}}', "an object has the key 'a' twice"),
        (b'{"components": [{"params": {"turns": 1, "steps": 1, "turns": 2}}]}', "an object has the key 'turns' twice"),
    ],
)
def test_file_that_is_no_harness_is_named(tmp_path, content, message):
    file = tmp_path / "mine.json"
    file.write_bytes(content)
    with pytest.raises(HarnessError, match=message):
        HarnessSpec.load(file)


# --- what is wrong with a document, and where


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 3}, "harness: /format: 2 was expected"),
        # A document of format 1 gets one line, whatever else is in it.
        (
            {"format": 1, "processors": [], "colour": 1},
            "harness: /format: 1 was a list of processors, and nothing converts it; this is format 2, with `components` by id: `homebody ",
        ),
        ({"name": "Not A Name"}, "harness: /name: 'Not A Name' does not match '^[a-z0-9][a-z0-9._-]*$'"),
        ({"components": []}, "harness: /components: [] is not of type 'object'"),
        (
            {"colour": 1, "componets": {}},
            "harness: /colour: there is no 'colour' here; known: format, name, description, origin, components, adaptations, variants; "
            "/componets: there is no 'componets' here; did you mean components?; known: ",
        ),
        ({"a/b~": 1}, "harness: /a~1b~0: there is no 'a/b~' here; known: "),
        ({"components": ids({})}, "harness: /components/a: 'use' is a required property; /components/a: 'params' is a required property"),
        (
            {"components": ids(component("decide") | {"hook": "noon"})},
            f"harness: /components/a/hook: 'noon' is not one of {', '.join(HOOKS)}",
        ),
        (
            {"components": ids(component("decide") | {"hook": "before_modle", "dimension": "contrl"})},
            f"harness: /components/a/dimension: 'contrl' is not one of {', '.join(DIMENSIONS)}; did you mean control or context?; "
            f"/components/a/hook: 'before_modle' is not one of {', '.join(HOOKS)}; did you mean before_model or ",
        ),
        (
            {"components": ids(component("decide") | {"use": "deside"})},
            "harness: /components/a/use: no processor is called 'deside'; did you mean 'decide'?",
        ),
        (
            {"components": ids(component("loop_guard"), component("decide") | {"hook": "step_start"})},
            "harness: /components/b/hook: decide belongs to hook 'before_model' and dimension 'control', as its class says; take",
        ),
        (
            {"components": ids(component("decide") | {"dimension": "tools"})},
            "harness: /components/a/dimension: decide belongs to hook 'before_model' and dimension 'control', as its class says; take it",
        ),
        (
            {"components": ids(component("decide"), component("visited"), component("decide", {"method": "rank"}))},
            "harness: /components/c: a second component of group 'decide', beside /components/a; keep one",
        ),
        ({"components": ids(component("system_prompt"))}, "harness: /components/a/params: 'text' is a required property"),
        (
            {"components": ids(component("history_window", {"turn": 3}))},
            "harness: /components/a/params/turn: there is no 'turn' here; did you mean turns?; known: turns",
        ),
        (
            {"components": ids(component("history_window", {"turns": -1}))},
            "harness: /components/a/params/turns: -1 is less than the minimum of 0",
        ),
        # An integral float would pass JSON Schema and break the slice that it is for.
        (
            {"components": ids(component("history_window", {"turns": 5.0}))},
            "harness: /components/a/params/turns: 5.0 is not of type 'integer'",
        ),
        (
            {"components": ids(component("location_prior", {"given": "A {place} for a {thing}."}))},
            r"harness: /components/a/params/given: 'A {place} for a {thing}.' does not match '\\{thing\\}.*\\{place\\}'",
        ),
        (
            {
                "components": ids(
                    component("learned_plan", {"plans": [{"goal": "rest", "steps": [{"action": "lift #", "args": ["cr=ate=a"]}]}]})
                )
            },
            "harness: /components/a/params/plans/0/steps/0/args/0: 'cr=ate=a' does not match ",
        ),
        (
            {"components": ids(component("location_memory", {"hits": {"crate": {"shed": 0.5}}}))},
            "harness: /components/a/params/hits/crate/shed: 0.5 is not of type 'integer'",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_place(change, message):
    assert refusal(document() | change).startswith(message)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_number_that_json_lacks_is_refused(value):
    assert refusal(document(component("location_prior", {"weight": value}))) == "harness: /: a number is NaN or infinite; give a finite one"


def test_half_a_surrogate_pair_is_refused():
    text = refusal(document(component("system_prompt", {"text": "\ud800"})))
    assert text == "harness: /: a text holds half a surrogate pair; leave it out"


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_file_with_a_mark_and_half_a_surrogate_pair_is_loaded(tmp_path, mark):
    file = tmp_path / "mine.json"
    file.write_bytes(mark + json.dumps(document(component("system_prompt", {"text": "a \ud800 caf\u00e9"}))).encode())
    assert HarnessSpec.load(file).components["a"]["params"]["text"] == "a \ufffd caf\u00e9"


def test_all_problems_are_listed_at_once():
    broken = document(
        component("decide") | {"hook": "step_end", "dimension": "model"},
        component("visited") | {"use": "vizited"},
        component("loop_guard", {"repeats": 0}),
    )
    assert refusal(broken, "mine.json") == (
        "mine.json: /components/a/hook: decide belongs to hook 'before_model' and dimension 'control', as its class says; take it out; "
        "/components/a/dimension: decide belongs to hook 'before_model' and dimension 'control', as its class says; take it out; "
        "/components/b/use: no processor is called 'vizited'; did you mean 'visited'?; "
        "/components/c/params/repeats: 0 is less than the minimum of 1"
    )


def test_many_problems_are_all_listed():
    with pytest.raises(HarnessError) as caught:
        HarnessSpec.from_json(document(*(component("decide") | {"use": "zzz"} for _ in range(7))))
    assert [line.partition(":")[0] for line in caught.value.problems] == [f"/components/{name}/use" for name in "abcdefg"]
    assert str(caught.value) == "harness: " + "; ".join(caught.value.problems)


def test_components_are_checked_even_where_the_document_breaks_the_schema():
    message = refusal(document(5, {"use": 5}, component("loop_guard", {"repeats": 0}), component("visited") | {"params": 5}, colour=1))
    for line in (
        "/components/a: 5 is not of type 'object'",
        "/components/b/use: 5 is not of type 'string'",
        "/components/c/params/repeats: 0 is less than the minimum of 1",
        "/components/d/params: 5 is not of type 'object'",
        "/colour: there is no 'colour' here",
    ):
        assert message.count(line) == 1


ODD = ["", "a b", "a/b", "a~b", "a.b", "ä", "a\n", "a" * 65, "-" * 65, "\u0000"]
GOOD = ["a", "A-1_b", "0", "_", "--", "a" * 64]


@pytest.mark.parametrize("name", ODD)
def test_id_of_other_characters_is_refused_wherever_it_stands(name):
    refused = refusal(document() | {"components": {name: component("decide")}})
    assert refused.startswith("harness: /components/")
    assert "does not match '^[A-Za-z0-9_-]{1,64}$'" in refused
    refused = refusal(document(component("decide", after=[name])))
    assert refused.startswith("harness: /components/a/after/0: ")


@pytest.mark.parametrize("name", GOOD)
def test_id_of_letters_digits_and_dashes_is_taken(name):
    made = HarnessSpec.from_json(document() | {"components": {name: component("decide"), "x": component("visited", after=[name])}})
    assert made.patch([{"op": "add", "path": f"/components/{name}/params/method", "value": "rank"}]).components[name]["params"]


# --- order


@pytest.fixture
def chain(add_processor, monkeypatch):
    """Components of three processors: `second` follows `first` and one that is not there, `third` goes ahead of `second`."""
    made = [add_processor(name, "before_model", lambda event: None) for name in ("first", "second", "third")]
    monkeypatch.setattr(REGISTRY["second"], "after", ("absent", "first"))
    monkeypatch.setattr(REGISTRY["third"], "before", ("second",))
    return made


def order(**components):
    return HarnessSpec.from_json(document() | {"components": components}).in_order()


def test_order_is_that_of_hooks_then_of_classes_then_of_ids(chain):
    first, second, third = chain
    assert order(a=second, b=first, c=third) == order(c=third, a=second, b=first) == ["b", "c", "a"]
    assert order(z=component("system_prompt", {"text": "x"}), a=component("decide"), m=component("history_window")) == ["z", "m", "a"]
    assert order(b=component("decide"), a=component("visited"), c=component("loop_guard")) == ["a", "b", "c"]


def test_after_of_a_component_decides_where_classes_do_not(chain):
    first, second, third = chain
    assert order(a=first | {"after": ["c"]}, b=second, c=third) == ["c", "a", "b"]
    assert order(b=component("decide"), a=component("visited", after=["b"])) == ["b", "a"]
    # What is not held waits for nothing: z comes as soon as it may, and a, b follow.
    assert order(a=component("decide", after=["z"]), b=component("visited"), z=component("learned_plan")) == ["z", "a", "b"]


def test_order_does_not_depend_on_that_of_the_document():
    rng = Random(5)
    items = [(f"c{n}", component("code", hook=rng.choice(HOOKS), dimension="control", source="x")) for n in range(12)]
    items += [("m", component("decide")), ("k", component("show_candidates", after=["m"])), ("l", component("learned_plan", after=["m"]))]
    expected = order(**dict(items))
    for _ in range(20):
        rng.shuffle(items)
        assert order(**dict(items)) == expected


@pytest.mark.parametrize(
    ("components", "message"),
    [
        ({"a": component("decide", after=["b"])}, "/components/a/after/0: there is no component 'b'"),
        (
            {"aaa": component("decide", after=["aab"]), "aabb": component("visited")},
            "/components/aaa/after/0: there is no component 'aab'; did you mean aabb or aaa?",
        ),
        ({"a": component("decide", after=["a"])}, "/components/a/after/0: a component cannot follow itself; take it out"),
        (
            {"a": component("decide", after=["b", "b"]), "b": component("visited")},
            "/components/a/after: ['b', 'b'] has non-unique elements",
        ),
        (
            {"a": component("decide", after=["b"]), "b": component("history_window")},
            "/components/a/after/0: b is asked at step_start and a at before_model; order holds within a hook: take it out",
        ),
        (
            {"a": component("decide", after=["b"]), "b": component("visited", after=["a"])},
            "/components/a/after: components wait for each other: a after b, b after a; take one of them out",
        ),
        # Also where the class is one side of it, and where others wait behind the cycle.
        (
            {"0": component("loop_guard", after=["m"]), "m": component("learned_plan", after=["v"]), "v": component("visited")},
            "/components/m/after: components wait for each other: m after v, v after m; take one of them out",
        ),
        ({"a": component("decide", after="b")}, "/components/a/after: 'b' is not of type 'array'"),
        ({"a": component("decide", after=[1])}, "/components/a/after/0: 1 is not of type 'string'"),
        ({"a": component("decide", after=[{"b": 1}])}, "/components/a/after/0: {'b': 1} is not of type 'string'"),
    ],
)
def test_order_that_cannot_be_is_refused_with_its_place(components, message):
    assert refusal(document() | {"components": components}) == f"harness: {message}"


def test_classes_that_wait_for_each_other_are_named(add_processor, monkeypatch):
    made = {name: add_processor(name, "step_end", lambda event: None) for name in ("one", "two", "three")}
    for name, after in (("one", "two"), ("two", "three"), ("three", "one")):
        monkeypatch.setattr(REGISTRY[name], "after", (after,))
    assert refusal(document() | {"components": made}) == (
        "harness: /components/one: components wait for each other: one after two, two after three, three after one; take one of them out"
    )


def test_processor_may_have_more_to_say_of_its_entry(add_processor, monkeypatch):
    made = add_processor("probe", "before_model", lambda event: None)
    monkeypatch.setattr(REGISTRY["probe"], "check_entry", lambda entry: [f"bad {entry['use']}", "/params/x: worse"])
    loaded = HarnessSpec.from_json(document(component("decide"), made))
    with pytest.raises(HarnessError) as caught:
        loaded.check()
    assert str(caught.value) == f"harness {loaded.name}: /components/b: bad probe; /components/b/params/x: worse"
    assert refusal(document(made | {"params": {"x": 1}})) == "harness: /components/a/params/x: there is no 'x' here; known: "


def test_a_source_belongs_to_code_and_to_nothing_else():
    assert (
        refusal(document(component("decide", source="x")))
        == "harness: /components/a/source: only the processor 'code' takes a source; remove it"
    )
    assert "/components/a: 'source' is a required property" in refusal(document({**component("decide"), "use": "code"}))


# --- adaptations


RULE = {
    "name": "rule",
    "when": {"signal": "stalled", "at_least": 3},
    "patch": [{"op": "add", "path": "/components/guard", "value": component("loop_guard")}],
}


def test_rules_are_part_of_the_harness():
    made = spec(component("decide"), adaptations=[RULE])
    assert made.adaptations == [RULE]
    assert spec(component("decide")).adaptations == []
    assert made.without_adaptations() == spec(component("decide"))
    assert made.without_adaptations().adaptations == []


@pytest.mark.parametrize(
    "when",
    [
        {"signal": "stalled", "at_least": 1},
        {"signal": "refused", "at_least": 2, "of_last": 3},
        {"signal": "repeated", "at_least": 2},
        {"signal": "unusable", "at_least": 1},
        {"signal": "steps_left", "at_most": 5},
        {"signal": "phase_steps", "phase": "search", "at_least": 4},
    ],
)
def test_every_signal_has_its_conditions(when):
    made = spec(component("decide"), adaptations=[RULE | {"when": when}])
    assert made.behaviour_hash != spec(component("decide"), adaptations=[RULE]).behaviour_hash
    for key in set(when) - {"signal"}:
        left = {name: value for name, value in when.items() if name != key}
        assert refusal(document(adaptations=[RULE | {"when": left}])) == f"harness: /adaptations/0/when: '{key}' is a required property"
    message = refusal(document(adaptations=[RULE | {"when": when | {"att_least": 1}}]))
    assert message.startswith("harness: /adaptations/0/when/att_least: there is no 'att_least' here")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"when": {"signal": "staled", "at_least": 1}},
            "/adaptations/0/when/signal: 'staled' is not one of stalled, refused, repeated, unusable, ",
        ),
        ({"when": {"signal": "stalled", "at_least": 0}}, "/adaptations/0/when/at_least: 0 is less than the minimum of 1"),
        ({"most": 4}, "/adaptations/0/most: 4 is greater than the maximum of 3"),
        ({"patch": []}, "/adaptations/0/patch: [] should be non-empty"),
        ({"patch": [{"op": "grow", "path": "/components/a"}]}, "/adaptations/0/patch/0/op: 'grow' is not one of add, remove, "),
        ({"patch": [{"op": "remove", "path": "/adaptations/0"}]}, "/adaptations/0/patch/0/path: '/adaptations/0' does not match "),
        ({"patch": [{"op": "replace", "path": "", "value": {}}]}, "/adaptations/0/patch/0/path: '' does not match "),
        (
            {"patch": [{"op": "copy", "from": "/adaptations", "path": "/components/a"}]},
            "/adaptations/0/patch/0/from: '/adaptations' does not match ",
        ),
        (
            {"patch": [{"op": "remove", "path": "/components/z"}]},
            "/adaptations/0/patch: it does not apply: operation 0, remove /components/z: ",
        ),
        ({"patch": [{"op": "add", "path": "/components/b"}]}, "/adaptations/0/patch: it does not apply: operation 0, add /components/b: "),
        (
            {"patch": [{"op": "add", "path": "/components/b", "value": component("decide")}]},
            "/adaptations/0/patch: it leads to /components/b: a second component of group 'decide', beside /components/a; keep one",
        ),
        (
            {"patch": [{"op": "replace", "path": "/components/a/params", "value": {"method": "rnk", "x": 1}}]},
            "/adaptations/0/patch: it leads to /components/a/params/x: there is no 'x' here; known: ",
        ),
        ({"patch": [{"op": "replace", "path": "/components/a/params", "value": {}}]}, "/adaptations/0/patch: it changes nothing"),
        # A rule that may be applied twice has to apply twice.
        (
            {"most": 2, "patch": [{"op": "move", "from": "/components/a", "path": "/components/b"}]},
            "/adaptations/0/patch: it does not apply: operation 0, move /components/b: ",
        ),
        ({"colour": 1}, "/adaptations/0/colour: there is no 'colour' here; known: name, when, patch, most"),
    ],
)
def test_rule_that_cannot_work_is_refused_at_load(change, message):
    assert refusal(document(component("decide"), adaptations=[RULE | change])).startswith(f"harness: {message}")


def test_rules_have_names_of_their_own():
    rules = [RULE, RULE | {"name": "other"}, RULE]
    assert (
        refusal(document(adaptations=rules))
        == "harness: /adaptations/2/name: 'rule' is the name of /adaptations/0 too; give each rule its own"
    )


def test_rules_are_not_judged_by_a_harness_that_is_broken():
    assert refusal(document(component("decide", {"method": "rnk"}), adaptations=[RULE])).count(";") == refusal(
        document(component("decide", {"method": "rnk"}))
    ).count(";")


def test_long_values_are_cut_in_messages():
    message = refusal(document(name="X" * 5000))
    assert len(message) < 250
    assert message.endswith("...")


# --- canonical JSON and hashes


def test_canonical_json_has_one_text():
    assert canonical({"b": [1, 2.5, None, True], "a": "é\n"}) == '{"a":"é\\n","b":[1,2.5,null,true]}'
    assert digest({"b": 1, "a": "é"}) == hashlib.sha256('{"a":"é","b":1}'.encode()).hexdigest()
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical(math.nan)


def sha(text):
    return hashlib.sha256(text.encode()).hexdigest()


def test_behaviour_hash_is_that_of_names_versions_and_parameters_that_are_not_the_default(monkeypatch):
    made = spec(
        component("history_window", {"turns": 20}), component("system_prompt", {"text": "Go."}), component("loop_guard", {"repeats": 3})
    )
    text = (
        '{"components":{"a":{"params":{},"use":"history_window","version":1},"b":{"params":{"text":"Go."},"use":"system_prompt","version":1},'
        '"c":{"params":{"repeats":3},"use":"loop_guard","version":1}}}'
    )
    assert made.behaviour_hash == sha(text)
    monkeypatch.setattr(REGISTRY["history_window"], "version", 2)
    assert made.behaviour_hash == sha(text.replace('window","version":1', 'window","version":2'))


def test_rules_are_part_of_the_hash_if_there_are_any_but_their_names_are_not():
    rule = RULE | {"patch": [{"op": "remove", "path": "/components/a"}]}
    made = HarnessSpec(document(component("decide"), adaptations=[rule | {"name": "x"}]))
    text = (
        '{"adaptations":[{"most":1,"patch":[{"op":"remove","path":"/components/a"}],"when":{"at_least":3,"signal":"stalled"}}],'
        '"components":{"a":{"params":{},"use":"decide","version":1}}}'
    )
    assert made.behaviour_hash == sha(text)
    assert HarnessSpec(document(component("decide"), adaptations=[rule | {"most": 1}])).behaviour_hash == sha(text)
    assert spec(component("decide"), adaptations=[]).behaviour_hash == spec(component("decide")).behaviour_hash


def test_later_version_of_a_processor_that_a_rule_brings_in_changes_the_hash(monkeypatch):
    rule = RULE | {"patch": [{"op": "add", "path": "/components/guard", "value": component("loop_guard")}]}
    made, plain = spec(component("decide"), adaptations=[rule]), spec(component("decide"))
    before = made.behaviour_hash, plain.behaviour_hash
    monkeypatch.setattr(REGISTRY["loop_guard"], "version", 2)
    assert made.behaviour_hash != before[0]
    assert plain.behaviour_hash == before[1]


def test_a_new_parameter_with_a_default_leaves_old_hashes_as_they_are(monkeypatch):
    before = spec(component("loop_guard")).behaviour_hash
    monkeypatch.setitem(REGISTRY["loop_guard"].schema, "new", {"type": "integer", "default": 1})
    assert spec(component("loop_guard")).behaviour_hash == spec(component("loop_guard", {"new": 1})).behaviour_hash == before


@pytest.mark.parametrize(("default", "other"), [(1, True), (0, False), ([1], [True])])
def test_true_is_not_one(default, other, monkeypatch):
    monkeypatch.setitem(REGISTRY["loop_guard"].schema, "new", {"default": default})
    schema._params_validator.cache_clear()
    hashes = {spec(component("loop_guard", {"new": value})).behaviour_hash for value in (default, other)}
    schema._params_validator.cache_clear()
    assert len(hashes) == 2


def test_what_is_for_people_or_default_does_not_change_the_hash():
    plain = spec(component("decide"), component("loop_guard"))
    assert spec(component("decide", {"normalize": "mean", "method": "generate"}), component("loop_guard", {"repeats": 2})) != plain
    same = [
        spec(component("decide", {"normalize": "mean", "method": "generate"}), component("loop_guard", {"repeats": 2})),
        spec(component("decide"), component("loop_guard"), name="other", description="words", origin={"seed": 1}),
    ]
    assert {made.behaviour_hash for made in same} == {plain.behaviour_hash}


@pytest.mark.parametrize(("use", "key"), [(use, key) for use in sorted(REGISTRY) for key in REGISTRY[use].schema])
def test_every_parameter_changes_the_hash(use, key, specs):
    rng = Random(use + key)
    made = specs.draw_entry(use, rng)
    made["params"].pop(key, None)
    drawn = {canonical(specs.param(use, key, rng)) for _ in range(8)}
    hashes = {HarnessSpec.from_json(document(made | {"params": made["params"] | {key: json.loads(text)}})).behaviour_hash for text in drawn}
    assert len(hashes) == len(drawn) > 1


def test_ids_and_what_they_follow_change_the_hash():
    one, other = component("decide"), component("visited")
    found = [spec(one, other), spec(other, one), spec(one | {"after": ["b"]}, other), spec(one, other | {"after": ["a"]})]
    assert len({made.behaviour_hash for made in found}) == 4
    text = '{"components":{"a":{"after":["b","c"],"params":{},"use":"decide","version":1},"b":PLAIN,"c":PLAIN2}}'
    text = text.replace("PLAIN2", '{"params":{},"use":"loop_guard","version":1}').replace(
        "PLAIN", '{"params":{},"use":"visited","version":1}'
    )
    for after in (["b", "c"], ["c", "b"]):
        assert spec(one | {"after": after}, other, component("loop_guard")).behaviour_hash == sha(text)
    assert spec(one | {"after": []}, other).behaviour_hash == spec(one, other).behaviour_hash


def test_what_code_says_of_itself_changes_the_hash():
    code = component("code", hook="step_end", dimension="control", source="def process(event):\n    return None")
    found = [code, code | {"hook": "task_end"}, code | {"dimension": "memory"}, code | {"source": code["source"] + "\n"}]
    assert len({spec(item).behaviour_hash for item in found}) == 4


# --- patches


def test_patch_gives_a_new_spec():
    made = spec(component("history_window", {"turns": 3}))
    value = component("loop_guard", {"repeats": 4})
    changed = made.patch(
        [
            {"op": "replace", "path": "/components/a/params/turns", "value": 5},
            {"op": "add", "path": "/components/b", "value": value},
        ]
    )
    value["params"]["repeats"] = 9
    assert changed == spec(component("history_window", {"turns": 5}), component("loop_guard", {"repeats": 4}))
    assert made == spec(component("history_window", {"turns": 3}))


@pytest.mark.parametrize(
    ("patch", "message"),
    [
        ([{"op": "remove", "path": "/components/z"}], "the patch does not apply to harness test: .*z.*; nothing was changed"),
        ([{"op": "grow", "path": "/name"}], "Unknown operation 'grow'"),
        ([{"op": "add", "path": "/name"}], "does not contain a 'value' member"),
        ([{"op": "add", "path": 5, "value": 1}], "Invalid 'path'"),
        ([{"op": "test", "path": "/name", "value": "other"}], "is not equal to tested value"),
        ([{"op": "move", "from": "/nowhere", "path": "/name"}], "nowhere"),
        ([5], "does not apply"),
        (5, "does not apply"),
        ([{"op": "replace", "path": "", "value": 5}], "^harness test after the patch: /: 5 is not of type 'object'; nothing was changed$"),
        (
            [
                {"op": "add", "path": "/components/b", "value": component("decide")},
                {"op": "add", "path": "/components/c", "value": component("decide")},
            ],
            "^harness test after the patch: /components/c: a second component of group 'decide', beside /components/b; keep one; nothing",
        ),
    ],
)
def test_bad_patch_is_refused_and_changes_nothing(patch, message):
    made = spec(component("loop_guard"))
    before = copy.deepcopy(made.document)
    with pytest.raises(PatchError, match=message):
        made.patch(patch)
    assert made.document == before


def test_patch_file_is_read(tmp_path):
    file = tmp_path / "patch.json"
    file.write_text('[{"op": "remove", "path": "/components/a"}]')
    assert read_patch(file) == [{"op": "remove", "path": "/components/a"}]
    assert read_patch(str(file)) == read_patch(file)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "^the patch .*patch.json cannot be read .No such file.*; a patch is a JSON list of RFC 6902 operations$"),
        (b"{", "the patch .*patch.json is not JSON .Expecting property name"),
        (b"\xff", "the patch .*patch.json is not UTF-8: invalid start byte at byte 0; a patch is"),
        (b'[{"op": "remove", "path": "/a", "path": "/b"}]', "the patch .* is not JSON .an object has the key 'path' twice"),
        (b'{"op": "remove"}', "patch.json is no JSON Patch: it must be a list of objects with op, path"),
        (b"[5]", "patch.json is no JSON Patch"),
        (b'[{"path": "/name"}]', "patch.json is no JSON Patch"),
    ],
)
def test_bad_patch_file_is_named(tmp_path, content, message):
    file = tmp_path / "patch.json"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(PatchError, match=message):
        read_patch(file)


def test_difference_names_ids_and_whole_parameters():
    window = component("history_window", {"turns": 3})
    plan = component("learned_plan", {"plans": [{"goal": "a", "steps": [{"action": "x", "args": []}]}], "explore": ["y"]})
    old = spec(window, plan, description="mine")
    new = spec(window | {"params": {"turns": 4}}, component("decide", after=["c"]), component("visited"), name="other")
    assert old.diff(new) == [
        {"op": "replace", "path": "/components/a/params/turns", "value": 4},
        {"op": "add", "path": "/components/b/after", "value": ["c"]},
        {"op": "remove", "path": "/components/b/params/explore"},
        {"op": "remove", "path": "/components/b/params/plans"},
        {"op": "replace", "path": "/components/b/use", "value": "decide"},
        {"op": "add", "path": "/components/c", "value": component("visited")},
        {"op": "remove", "path": "/description"},
        {"op": "replace", "path": "/name", "value": "other"},
    ]
    longer = spec(window, plan | {"params": {"plans": plan["params"]["plans"] * 2, "explore": ["y"]}}, description="mine")
    (operation,) = old.diff(longer)
    assert operation["path"] == "/components/b/params/plans"


@pytest.mark.parametrize(("one", "other"), [(1, True), (1, 1.0), ([0], [False]), ({"a": 0}, {"a": 0.0})])
def test_difference_knows_what_python_takes_for_equal(one, other):
    assert difference({"x": one}, {"x": other}, 1) == [{"op": "replace", "path": "/x", "value": other}]
    assert difference({"x": one}, {"x": one}, 1) == []


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.randoms(use_true_random=False), st.randoms(use_true_random=False))
def test_difference_is_a_patch_and_the_other_difference_undoes_it(specs, one, other):
    one, other = (HarnessSpec.from_json(specs.document(rng)) for rng in (one, other))
    patch = json.loads(json.dumps(one.diff(other)))
    there = one.patch(patch)
    assert there == other
    assert there.behaviour_hash == other.behaviour_hash
    assert there.patch(other.diff(one)) == one
    assert there.patch(invert(one.document, patch)) == one
    assert one.diff(one) == []


TAKEN = "messages, tools, add_generation_prompt, bos_token, eos_token are taken"


@pytest.mark.parametrize(
    ("params", "line"),
    [
        ({"template": {"messages": 1}}, f"/components/a/params/template/messages: 'messages' is not a name; {TAKEN}"),
        ({"template": {"a b": 1}}, f"/components/a/params/template/a b: 'a b' is not a name; {TAKEN}"),
        ({"template": {"effort": ["low"]}}, "/components/a/params/template/effort: ['low'] is not of type 'string', 'number', 'boolean'"),
        ({"marks": {"start": "<t>"}}, "/components/a/params/marks: 'end' is a dependency of 'start'"),
        ({"marks": {"start": "", "end": "x"}}, "/components/a/params/marks/start: '' should be non-empty"),
        ({"marks": {"begin": "x"}}, "/components/a/params/marks/begin: there is no 'begin' here; known: start, end"),
    ],
)  # fmt: skip
def test_what_a_template_is_told_and_marks_are_checked(params, line):
    assert problems(document({"use": "think", "params": params})) == [line]
    good = {"template": {"enable_thinking": False, "effort": "low", "most": 1.5}, "marks": {"start": "<t>", "end": "</t>"}}
    assert problems(document({"use": "think", "params": good})) == []
