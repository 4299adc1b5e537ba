"""The harness as data: what loads, what is refused and in which words, hashes, patches."""

import copy
import hashlib
import json
import math
from importlib import resources

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homebody.agents.hooks import DIMENSIONS, HOOKS
from homebody.agents.processors import REGISTRY, UnknownProcessorError, defaults, find, params_schema
from homebody.agents.spec import (
    HarnessError,
    HarnessSpec,
    PatchError,
    canonical,
    digest,
    entry,
    harness_names,
    read_patch,
)


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
    fields = schema["properties"]["processors"]["items"]["properties"]
    assert fields["hook"]["enum"] == list(HOOKS)
    assert fields["dimension"]["enum"] == list(DIMENSIONS)


def test_unknown_processor_is_answered_with_the_nearest_name_or_all():
    with pytest.raises(UnknownProcessorError, match=r"^no processor is called 'visted'; did you mean 'visited'\?$"):
        find("visted")
    with pytest.raises(UnknownProcessorError, match=r"^no processor is called 'zzz'; there are decide, history_window, loop_guard, "):
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
    with pytest.raises(HarnessError, match=r"^no harness 'genric': No such file or directory; give the path of a JSON .* one of .*generic"):
        HarnessSpec.load("genric")
    with pytest.raises(HarnessError, match="Is a directory"):
        HarnessSpec.load(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff\xfe", "not UTF-8 text; give the path"),
        (b"{", r"mine.json: not JSON \(Expecting property name.*; `homebody harness show .*` prints a valid harness"),
        (b"[" * 100_000, r"mine.json: not JSON \("),
        (b"5", "mine.json: /: 5 is not of type 'object'$"),
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
        ({"colour": 1}, "harness: /: Additional properties are not allowed ('colour' was unexpected)"),
        ({"processors": [{}]}, "harness: /processors/0: 'use' is a required property; /processors/0: 'hook' is a required property; "),
        ({"processors": [entry("decide") | {"hook": "noon"}]}, "harness: /processors/0/hook: 'noon' is not one of ['task_start', "),
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
            "harness: /processors/0/params: Additional properties are not allowed ('turn' was unexpected)",
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
            {"processors": [entry("where_prior", {"given": "A {place} for a {thing}."})]},
            r"harness: /processors/0/params/given: 'A {place} for a {thing}.' does not match '\\{thing\\}.*\\{place\\}'",
        ),
        (
            {"processors": [entry("playbook", {"frames": [{"goal": "rest", "steps": [{"form": "lift #", "args": ["Crate=a"]}]}]})]},
            "harness: /processors/0/params/frames/0/steps/0/args/0: 'Crate=a' does not match ",
        ),
        (
            {"processors": [entry("seen_where", {"hits": {"crate": {"shed": 0.5}}})]},
            "harness: /processors/0/params/hits/crate/shed: 0.5 is not of type 'integer'",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_place(change, message):
    assert refusal(document() | change).startswith(message)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_number_that_json_lacks_is_refused(value):
    assert refusal(document(entry("where_prior", {"weight": value}))) == "harness: /: Out of range float values are not JSON compliant"


def test_half_a_surrogate_pair_is_refused():
    assert "surrogates not allowed" in refusal(document(entry("system_prompt", {"text": "\ud800"})))


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


def test_many_problems_are_counted():
    message = refusal(document(*(entry("decide") | {"use": "zzz"} for _ in range(7))))
    assert message.count("no processor is called") == 5
    assert message.endswith("; and 2 more")


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


def test_behaviour_hash_is_that_of_names_versions_and_parameters(monkeypatch):
    made = spec(entry("history_window"), entry("system_prompt", {"text": "Go."}))
    text = '[{"params":{"turns":20},"use":"history_window","version":1},{"params":{"text":"Go."},"use":"system_prompt","version":1}]'
    assert made.behaviour_hash == hashlib.sha256(text.encode()).hexdigest()
    monkeypatch.setattr(REGISTRY["history_window"], "version", 2)
    assert made.behaviour_hash == hashlib.sha256(text.replace('window","version":1', 'window","version":2').encode()).hexdigest()


def test_what_is_for_people_or_default_does_not_change_the_hash():
    plain = spec(entry("decide"), entry("loop_guard"))
    assert spec(entry("decide", {"normalize": "mean", "method": "generate"}), entry("loop_guard", {"repeats": 2})) != plain
    same = [
        spec(entry("decide", {"normalize": "mean", "method": "generate"}), entry("loop_guard", {"repeats": 2})),
        spec(entry("decide"), entry("loop_guard"), name="other", description="words", origin={"seed": 1}),
    ]
    assert {made.behaviour_hash for made in same} == {plain.behaviour_hash}


OTHER_PARAMS = {
    "decide": {"method": "rank", "normalize": "sum"},
    "history_window": {"turns": 21},
    "loop_guard": {"repeats": 3},
    "playbook": {
        "frames": [{"goal": "rest", "steps": [{"form": "wait", "args": []}]}],
        "explore": ["walk to #"],
        "finish_looks": False,
    },
    "seen_where": {
        "hits": {"crate": {"shed": 1}},
        "looks": {"shed": 2},
        "cost": {"shed": 1.5},
        "finishing": ["unlock #"],
        "pseudo": 3.0,
    },
    "show_menu": {"header": "You can:", "footer": "Choose.", "separator": ", "},
    "system_prompt": {"text": "Go on."},
    "visited": {"forms": ["walk to #"]},
    "where_prior": {"given": "A {thing} is at the {place}.", "base": "Here is the {place}.", "weight": 2.0},
}


@pytest.mark.parametrize(("use", "key"), [(use, key) for use in sorted(REGISTRY) for key in REGISTRY[use].schema])
def test_every_parameter_changes_the_hash(use, key):
    before = {"text": "Go."} if use == "system_prompt" else {}
    assert spec(entry(use, before)).behaviour_hash != spec(entry(use, before | {key: OTHER_PARAMS[use][key]})).behaviour_hash


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
        (None, "^cannot read the patch .*patch.json: .*No such file.*; a patch is a JSON list of RFC 6902 operations$"),
        (b"{", "cannot read the patch .*patch.json: Expecting property name"),
        (b"\xff", "cannot read the patch .*patch.json: 'utf-8'"),
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


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
FORMS = st.lists(st.sampled_from(["walk to #", "unlock #", "wait", "a/b~c #"]), max_size=3)
COUNTS = st.dictionaries(st.sampled_from(["dock", "shed", "vat", "a/b", "~"]), st.integers(1, 9), max_size=4)
STEPS = st.builds(
    lambda form, args: {"form": form, "args": args},
    st.sampled_from(["lift # off #", "drop # on #", "wait"]),
    st.lists(st.sampled_from(["{0}=a", "*=b", "{1}=c", "vat=d"]), max_size=3),
)
FRAMES = st.lists(st.builds(lambda goal, steps: {"goal": goal, "steps": steps}, TEXT, st.lists(STEPS, min_size=1, max_size=3)), max_size=2)
PARAMS = {
    "system_prompt": {"text": TEXT},
    "history_window": {"turns": st.integers(0, 1000)},
    "show_menu": {"header": TEXT, "footer": TEXT, "separator": TEXT},
    "decide": {"method": st.sampled_from(["generate", "score", "rank"]), "normalize": st.sampled_from(["sum", "mean"])},
    "loop_guard": {"repeats": st.integers(1, 20)},
    "visited": {"forms": FORMS},
    "playbook": {"frames": FRAMES, "explore": FORMS, "finish_looks": st.booleans()},
    "seen_where": {"hits": st.dictionaries(TEXT, COUNTS, max_size=3), "looks": COUNTS, "finishing": FORMS, "pseudo": st.floats(0.01, 100)},
    "where_prior": {"weight": st.floats(0.01, 100)},
}


@st.composite
def specs(draw):
    uses = draw(st.permutations(sorted(PARAMS)))[: draw(st.integers(0, len(PARAMS)))]
    uses += draw(st.lists(st.just("system_prompt"), max_size=2))
    entries = []
    for use in uses:
        given_params = PARAMS[use] if use == "system_prompt" else draw(st.sets(st.sampled_from(sorted(PARAMS[use]))))
        entries.append(entry(use, {key: draw(PARAMS[use][key]) for key in sorted(given_params)}))
    fields = {"description": draw(TEXT)} if draw(st.booleans()) else {}
    return spec(*entries, name=draw(st.sampled_from(["one", "two"])), **fields)


@settings(deadline=None)
@given(specs(), specs())
def test_difference_is_a_patch_and_the_other_difference_undoes_it(one, other):
    patch = json.loads(json.dumps(one.diff(other)))
    there = one.patch(patch)
    assert there == other
    assert there.behaviour_hash == other.behaviour_hash
    assert there.patch(other.diff(one)) == one
    assert one.diff(one) == []


@settings(deadline=None)
@given(specs())
def test_text_of_a_spec_reads_back(one):
    again = HarnessSpec.from_json(json.loads(one.dumps()))
    assert again == one
    assert again.behaviour_hash == one.behaviour_hash
    assert again.dumps() == one.dumps()
