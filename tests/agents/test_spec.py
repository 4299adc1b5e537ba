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

from homebody.agents.harness import schema
from homebody.agents.harness.hooks import DIMENSIONS, HOOKS
from homebody.agents.harness.patch import PatchError, invert, read_patch
from homebody.agents.harness.spec import HarnessError, HarnessSpec, canonical, digest, entry, harness_names
from homebody.agents.processors import REGISTRY, UnknownProcessorError, defaults, find, params_schema


def document(*entries, **fields):
    return {"format": 1, "name": "test", "processors": list(entries), **fields}


def spec(*entries, **fields):
    return HarnessSpec.from_json(document(*entries, **fields))


def refusal(given_document, source="harness"):
    with pytest.raises(HarnessError) as caught:
        HarnessSpec.from_json(given_document, source)
    return str(caught.value)


# --- the table of processors and the schema


@pytest.mark.parametrize("name", sorted(REGISTRY))
def test_every_processor_is_declared_in_full(name):
    processor = REGISTRY[name]
    assert processor.name == name
    if name != "code":
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
    fields = schema["$defs"]["processor"]["properties"]
    assert fields["hook"]["enum"] == list(HOOKS)
    assert fields["dimension"]["enum"] == list(DIMENSIONS)


def test_unknown_processor_is_answered_with_the_nearest_name_or_all():
    with pytest.raises(UnknownProcessorError, match=r"^no processor is called 'visted'; did you mean 'visited'\?$"):
        find("visted")
    with pytest.raises(UnknownProcessorError, match=rf"^no processor is called 'zzz'; there are {', '.join(sorted(REGISTRY))}$"):
        find("zzz")


def test_entry_fills_in_hook_and_dimension():
    assert entry("loop_guard") == {"use": "loop_guard", "hook": "before_model", "dimension": "control", "params": {}}
    params = {"turns": 3}
    made = entry("history_window", params)
    assert made == {"use": "history_window", "hook": "step_start", "dimension": "context", "params": {"turns": 3}}
    made["params"]["turns"] = 4
    assert params == {"turns": 3}


# --- loading


@pytest.mark.parametrize("name", harness_names())
def test_shipped_harness_loads_by_name_and_stands_as_it_would_be_written(name):
    loaded = HarnessSpec.load(name)
    assert loaded.name == name
    assert loaded.document.get("description")
    assert (resources.files("homebody.assets") / "harnesses" / f"{name}.json").read_text("utf-8") == loaded.dumps()


def test_seed_harnesses_ship():
    assert {"generic", "household"} <= set(harness_names())


def test_file_loads_by_path(tmp_path):
    file = tmp_path / "mine.json"
    made = spec(entry("system_prompt", {"text": "Gehe über „Los“."}), entry("decide"), description="mine")
    file.write_text(made.dumps(), "utf-8")
    assert HarnessSpec.load(file) == HarnessSpec.load(str(file)) == made
    assert "über „Los“" in file.read_text("utf-8")


def test_document_is_copied():
    given_document = document(entry("history_window", {"turns": 3}))
    made = HarnessSpec.from_json(given_document)
    given_document["processors"][0]["params"]["turns"] = 9
    assert made.processors[0]["params"] == {"turns": 3}


def test_index_is_that_of_the_first():
    made = spec(entry("system_prompt", {"text": "a"}), entry("decide"), entry("system_prompt", {"text": "b"}))
    assert made.index("system_prompt") == 0
    assert made.index("decide") == 1
    assert made.index("visited") is None


def test_missing_file_is_answered_with_the_names_that_ship(tmp_path):
    with pytest.raises(
        HarnessError,
        match=r"^no harness 'genric': cannot be read \(No such file or directory\); give the path of a JSON .* one of .*generic",
    ):
        HarnessSpec.load("genric")
    with pytest.raises(HarnessError, match=r"did you mean generic\?$"):
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
        (b'{"format": 1, "name": "x", "processors": [], "processors": []}', "an object has the key 'processors' twice"),
        (b'{"processors": [{"params": {"turns": 1, "steps": 1, "turns": 2}}]}', "an object has the key 'turns' twice"),
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
        ({"format": 2}, "harness: /format: 1 was expected"),
        ({"name": "Not A Name"}, "harness: /name: 'Not A Name' does not match '^[a-z0-9][a-z0-9._-]*$'"),
        ({"processors": 5}, "harness: /processors: 5 is not of type 'array'"),
        (
            {"colour": 1, "proccessors": []},
            "harness: /colour: there is no 'colour' here; known: format, name, description, origin, processors, adaptations, variants; "
            "/proccessors: there is no 'proccessors' here; did you mean processors?; known: ",
        ),
        ({"a/b~": 1}, "harness: /a~1b~0: there is no 'a/b~' here; known: "),
        ({"processors": [{}]}, "harness: /processors/0: 'use' is a required property; /processors/0: 'hook' is a required property; "),
        ({"processors": [entry("decide") | {"hook": "noon"}]}, f"harness: /processors/0/hook: 'noon' is not one of {', '.join(HOOKS)}"),
        (
            {"processors": [entry("decide") | {"hook": "before_modle", "dimension": "contrl"}]},
            f"harness: /processors/0/dimension: 'contrl' is not one of {', '.join(DIMENSIONS)}; did you mean control or context?; "
            f"/processors/0/hook: 'before_modle' is not one of {', '.join(HOOKS)}; did you mean before_model or ",
        ),
        (
            {"processors": [entry("decide") | {"use": "deside"}]},
            "harness: /processors/0/use: no processor is called 'deside'; did you mean 'decide'?",
        ),
        (
            {"processors": [entry("loop_guard"), entry("decide") | {"hook": "step_start"}]},
            "harness: /processors/1/hook: decide has 'before_model', not 'step_start'",
        ),
        (
            {"processors": [entry("decide") | {"dimension": "tools"}]},
            "harness: /processors/0/dimension: decide has 'control', not 'tools'",
        ),
        (
            {"processors": [entry("decide"), entry("visited"), entry("decide", {"method": "rank"})]},
            "harness: /processors/2: a second processor of group 'decide', beside /processors/0; keep one",
        ),
        ({"processors": [entry("system_prompt")]}, "harness: /processors/0/params: 'text' is a required property"),
        (
            {"processors": [entry("history_window", {"turn": 3})]},
            "harness: /processors/0/params/turn: there is no 'turn' here; did you mean turns?; known: turns",
        ),
        (
            {"processors": [entry("history_window", {"turns": -1})]},
            "harness: /processors/0/params/turns: -1 is less than the minimum of 0",
        ),
        # An integral float would pass JSON Schema and break the slice that it is for.
        (
            {"processors": [entry("history_window", {"turns": 5.0})]},
            "harness: /processors/0/params/turns: 5.0 is not of type 'integer'",
        ),
        (
            {"processors": [entry("location_prior", {"given": "A {place} for a {thing}."})]},
            r"harness: /processors/0/params/given: 'A {place} for a {thing}.' does not match '\\{thing\\}.*\\{place\\}'",
        ),
        (
            {"processors": [entry("learned_plan", {"frames": [{"goal": "rest", "steps": [{"form": "lift #", "args": ["Crate=a"]}]}]})]},
            "harness: /processors/0/params/frames/0/steps/0/args/0: 'Crate=a' does not match ",
        ),
        (
            {"processors": [entry("location_memory", {"hits": {"crate": {"shed": 0.5}}})]},
            "harness: /processors/0/params/hits/crate/shed: 0.5 is not of type 'integer'",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_place(change, message):
    assert refusal(document() | change).startswith(message)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_number_that_json_lacks_is_refused(value):
    assert refusal(document(entry("location_prior", {"weight": value}))) == "harness: /: a number is NaN or infinite; give a finite one"


def test_half_a_surrogate_pair_is_refused():
    text = refusal(document(entry("system_prompt", {"text": "\ud800"})))
    assert text == "harness: /: a text holds half a surrogate pair; leave it out"


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_file_with_a_mark_and_half_a_surrogate_pair_is_loaded(tmp_path, mark):
    file = tmp_path / "mine.json"
    file.write_bytes(mark + json.dumps(document(entry("system_prompt", {"text": "a \ud800 caf\u00e9"}))).encode())
    assert HarnessSpec.load(file).processors[0]["params"]["text"] == "a \ufffd caf\u00e9"


def test_all_problems_are_listed_at_once():
    broken = document(
        entry("decide") | {"hook": "step_end", "dimension": "model"},
        entry("visited") | {"use": "vizited"},
        entry("loop_guard", {"repeats": 0}),
    )
    assert refusal(broken, "mine.json") == (
        "mine.json: /processors/0/hook: decide has 'before_model', not 'step_end'; "
        "/processors/0/dimension: decide has 'control', not 'model'; "
        "/processors/1/use: no processor is called 'vizited'; did you mean 'visited'?; "
        "/processors/2/params/repeats: 0 is less than the minimum of 1"
    )


def test_many_problems_are_all_listed():
    with pytest.raises(HarnessError) as caught:
        HarnessSpec.from_json(document(*(entry("decide") | {"use": "zzz"} for _ in range(7))))
    assert [line.partition(":")[0] for line in caught.value.problems] == [f"/processors/{n}/use" for n in range(7)]
    assert str(caught.value) == "harness: " + "; ".join(caught.value.problems)


def test_processors_are_checked_even_where_the_document_breaks_the_schema():
    message = refusal(document(5, {"use": 5}, entry("loop_guard", {"repeats": 0}), entry("visited") | {"params": 5}, colour=1))
    for line in (
        "/processors/0: 5 is not of type 'object'",
        "/processors/1/use: 5 is not of type 'string'",
        "/processors/2/params/repeats: 0 is less than the minimum of 1",
        "/processors/3/params: 5 is not of type 'object'",
        "/colour: there is no 'colour' here",
    ):
        assert message.count(line) == 1


@pytest.fixture
def ordered(add_processor, monkeypatch):
    """Entries of two processors, the second of which must stand after the first and after one that is not there."""
    entries = [add_processor(name, "before_model", lambda event: None) for name in ("first", "second")]
    monkeypatch.setattr(REGISTRY["second"], "after", ("absent", "first"))
    return entries


def test_order_that_a_processor_asks_for_is_checked(ordered):
    first, second = ordered
    spec(first, second)
    spec(second)
    assert refusal(document(entry("decide"), second, first)) == (
        "harness: /processors/1: second must stand after first, which is at /processors/2; move it behind"
    )


def test_processor_may_have_more_to_say_of_its_entry(add_processor, monkeypatch):
    made = add_processor("probe", "before_model", lambda event: None)
    monkeypatch.setattr(REGISTRY["probe"], "check_entry", lambda entry: [f"bad {entry['use']}", "/params/x: worse"])
    loaded = HarnessSpec.from_json(document(entry("decide"), made))
    with pytest.raises(HarnessError) as caught:
        loaded.check()
    assert str(caught.value) == f"harness {loaded.name}: /processors/1: bad probe; /processors/1/params/x: worse"
    assert refusal(document(made | {"params": {"x": 1}})) == "harness: /processors/0/params/x: there is no 'x' here; known: "


def test_a_source_belongs_to_code_and_to_nothing_else():
    assert (
        refusal(document(entry("decide", source="x")))
        == "harness: /processors/0/source: only the processor 'code' takes a source; remove it"
    )
    assert "/processors/0: 'source' is a required property" in refusal(document({**entry("decide"), "use": "code"}))


# --- adaptations


RULE = {
    "name": "rule",
    "when": {"signal": "stalled", "at_least": 3},
    "patch": [{"op": "add", "path": "/processors/-", "value": entry("loop_guard")}],
}


def test_rules_are_part_of_the_harness():
    made = spec(entry("decide"), adaptations=[RULE])
    assert made.adaptations == [RULE]
    assert spec(entry("decide")).adaptations == []
    assert made.without_adaptations() == spec(entry("decide"))
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
    made = spec(entry("decide"), adaptations=[RULE | {"when": when}])
    assert made.behaviour_hash != spec(entry("decide"), adaptations=[RULE]).behaviour_hash
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
        ({"patch": [{"op": "grow", "path": "/processors/0"}]}, "/adaptations/0/patch/0/op: 'grow' is not one of add, remove, "),
        ({"patch": [{"op": "remove", "path": "/adaptations/0"}]}, "/adaptations/0/patch/0/path: '/adaptations/0' does not match "),
        ({"patch": [{"op": "replace", "path": "", "value": {}}]}, "/adaptations/0/patch/0/path: '' does not match "),
        (
            {"patch": [{"op": "copy", "from": "/adaptations", "path": "/processors/0"}]},
            "/adaptations/0/patch/0/from: '/adaptations' does not match ",
        ),
        (
            {"patch": [{"op": "remove", "path": "/processors/7"}]},
            "/adaptations/0/patch: it does not apply: operation 0, remove /processors/7: ",
        ),
        ({"patch": [{"op": "add", "path": "/processors/-"}]}, "/adaptations/0/patch: it does not apply: operation 0, add /processors/-: "),
        (
            {"patch": [{"op": "add", "path": "/processors/0", "value": entry("decide")}]},
            "/adaptations/0/patch: it leads to /processors/1: a second processor of group 'decide', beside /processors/0; keep one",
        ),
        (
            {"patch": [{"op": "replace", "path": "/processors/0/params", "value": {"method": "rnk", "x": 1}}]},
            "/adaptations/0/patch: it leads to /processors/0/params/x: there is no 'x' here; known: ",
        ),
        ({"patch": [{"op": "replace", "path": "/processors/0/params", "value": {}}]}, "/adaptations/0/patch: it changes nothing"),
        # A rule that may be applied twice has to apply twice.
        (
            {"most": 2},
            "/adaptations/0/patch: it leads to /processors/2: a second processor of group 'loop_guard', beside /processors/1; keep one",
        ),
        ({"colour": 1}, "/adaptations/0/colour: there is no 'colour' here; known: name, when, patch, most"),
    ],
)
def test_rule_that_cannot_work_is_refused_at_load(change, message):
    assert refusal(document(entry("decide"), adaptations=[RULE | change])).startswith(f"harness: {message}")


def test_rules_have_names_of_their_own():
    rules = [RULE, RULE | {"name": "other"}, RULE]
    assert (
        refusal(document(adaptations=rules))
        == "harness: /adaptations/2/name: 'rule' is the name of /adaptations/0 too; give each rule its own"
    )


def test_rules_are_not_judged_by_a_harness_that_is_broken():
    assert refusal(document(entry("decide", {"method": "rnk"}), adaptations=[RULE])).count(";") == refusal(
        document(entry("decide", {"method": "rnk"}))
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
    made = spec(entry("history_window", {"turns": 20}), entry("system_prompt", {"text": "Go."}), entry("loop_guard", {"repeats": 3}))
    text = (
        '{"processors":[{"params":{},"use":"history_window","version":1},{"params":{"text":"Go."},"use":"system_prompt","version":1},'
        '{"params":{"repeats":3},"use":"loop_guard","version":1}]}'
    )
    assert made.behaviour_hash == sha(text)
    monkeypatch.setattr(REGISTRY["history_window"], "version", 2)
    assert made.behaviour_hash == sha(text.replace('window","version":1', 'window","version":2'))


def test_rules_are_part_of_the_hash_if_there_are_any_but_their_names_are_not():
    rule = RULE | {"patch": [{"op": "remove", "path": "/processors/0"}]}
    made = HarnessSpec(document(entry("decide"), adaptations=[rule | {"name": "x"}]))
    text = (
        '{"adaptations":[{"most":1,"patch":[{"op":"remove","path":"/processors/0"}],"when":{"at_least":3,"signal":"stalled"}}],'
        '"processors":[{"params":{},"use":"decide","version":1}]}'
    )
    assert made.behaviour_hash == sha(text)
    assert HarnessSpec(document(entry("decide"), adaptations=[rule | {"most": 1}])).behaviour_hash == sha(text)
    assert spec(entry("decide"), adaptations=[]).behaviour_hash == spec(entry("decide")).behaviour_hash


def test_later_version_of_a_processor_that_a_rule_brings_in_changes_the_hash(monkeypatch):
    rule = RULE | {"patch": [{"op": "add", "path": "/processors/-", "value": entry("loop_guard")}]}
    made, plain = spec(entry("decide"), adaptations=[rule]), spec(entry("decide"))
    before = made.behaviour_hash, plain.behaviour_hash
    monkeypatch.setattr(REGISTRY["loop_guard"], "version", 2)
    assert made.behaviour_hash != before[0]
    assert plain.behaviour_hash == before[1]


def test_a_new_parameter_with_a_default_leaves_old_hashes_as_they_are(monkeypatch):
    before = spec(entry("loop_guard")).behaviour_hash
    monkeypatch.setitem(REGISTRY["loop_guard"].schema, "new", {"type": "integer", "default": 1})
    assert spec(entry("loop_guard")).behaviour_hash == spec(entry("loop_guard", {"new": 1})).behaviour_hash == before


@pytest.mark.parametrize(("default", "other"), [(1, True), (0, False), ([1], [True])])
def test_true_is_not_one(default, other, monkeypatch):
    monkeypatch.setitem(REGISTRY["loop_guard"].schema, "new", {"default": default})
    schema._params_validator.cache_clear()
    hashes = {spec(entry("loop_guard", {"new": value})).behaviour_hash for value in (default, other)}
    schema._params_validator.cache_clear()
    assert len(hashes) == 2


def test_what_is_for_people_or_default_does_not_change_the_hash():
    plain = spec(entry("decide"), entry("loop_guard"))
    assert spec(entry("decide", {"normalize": "mean", "method": "generate"}), entry("loop_guard", {"repeats": 2})) != plain
    same = [
        spec(entry("decide", {"normalize": "mean", "method": "generate"}), entry("loop_guard", {"repeats": 2})),
        spec(entry("decide"), entry("loop_guard"), name="other", description="words", origin={"seed": 1}),
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


def test_order_of_processors_changes_the_hash():
    one, other = entry("visited"), entry("loop_guard")
    assert spec(one, other).behaviour_hash != spec(other, one).behaviour_hash


# --- patches


def test_patch_gives_a_new_spec():
    made = spec(entry("history_window", {"turns": 3}))
    value = entry("loop_guard", {"repeats": 4})
    changed = made.patch(
        [
            {"op": "replace", "path": "/processors/0/params/turns", "value": 5},
            {"op": "add", "path": "/processors/-", "value": value},
        ]
    )
    value["params"]["repeats"] = 9
    assert changed == spec(entry("history_window", {"turns": 5}), entry("loop_guard", {"repeats": 4}))
    assert made == spec(entry("history_window", {"turns": 3}))


@pytest.mark.parametrize(
    ("patch", "message"),
    [
        ([{"op": "remove", "path": "/processors/7"}], "the patch does not apply to harness test: .*7.*; nothing was changed"),
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
                {"op": "add", "path": "/processors/-", "value": entry("decide")},
                {"op": "add", "path": "/processors/0", "value": entry("decide")},
            ],
            "^harness test after the patch: /processors/2: a second processor of group 'decide', beside /processors/0; keep one; nothing",
        ),
    ],
)
def test_bad_patch_is_refused_and_changes_nothing(patch, message):
    made = spec(entry("loop_guard"))
    before = copy.deepcopy(made.document)
    with pytest.raises(PatchError, match=message):
        made.patch(patch)
    assert made.document == before


def test_patch_file_is_read(tmp_path):
    file = tmp_path / "patch.json"
    file.write_text('[{"op": "remove", "path": "/processors/0"}]')
    assert read_patch(file) == [{"op": "remove", "path": "/processors/0"}]
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
