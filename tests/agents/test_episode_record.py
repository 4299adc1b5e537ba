"""What is kept of an episode, as data: JSON both ways, its two hashes, and who decided, counted."""

import dataclasses
import hashlib
import json
from importlib import resources

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homebody.agents.record import DECIDED_BY, EpisodeRecord, Question, StepRecord, decisions

STEP = StepRecord(1, 6, 5, "generate", "Wait.", "wait", accepted=True, observation="You wait.", reward=0.25, usable=True)
RECORD = EpisodeRecord(
    task_id="train/one", type="one", won=True, steps=2, seed=3, attempt=0, behaviour_hash="b", policy="p", opening="A yard.", goal="g",
    trace=(STEP, dataclasses.replace(STEP, step=2, command="fly", observation="No.", accepted=False)), invalid_actions=1,
    activations={"0:x": 1}, failures=[], error=None,
)  # fmt: skip

# --- any record

TEXT = st.text(max_size=8)
FLOAT = st.floats(allow_nan=False, allow_infinity=False)
SCORES = st.lists(st.tuples(TEXT, FLOAT), max_size=5).map(tuple)
JSON = st.dictionaries(TEXT, st.one_of(TEXT, FLOAT, st.booleans(), st.none(), st.lists(TEXT, max_size=2)), max_size=2)
CHANGE = st.fixed_dictionaries(
    {"by": TEXT, "hook": TEXT, "outcome": TEXT, "fields": st.dictionaries(TEXT, st.lists(TEXT, max_size=2), max_size=2)}
)
QUESTIONS = st.one_of(
    st.builds(Question, TEXT, SCORES.filter(bool)),
    st.builds(Question, TEXT, st.just(()), TEXT, TEXT, st.none() | TEXT, st.integers(0, 99), TEXT),
    st.builds(Question, TEXT, error=TEXT.filter(bool)),
)
STEPS = st.builds(
    StepRecord,
    step=st.integers(1, 99),
    admissible=st.integers(0, 99),
    offered=st.integers(0, 99),
    reward=FLOAT,
    response=TEXT,
    command=TEXT,
    observation=TEXT,
    decided_by=st.sampled_from(DECIDED_BY),
    twin=st.none() | TEXT,
    readable=st.none() | st.booleans(),
    cut=st.none() | st.booleans(),
    scores=SCORES,
    questions=st.lists(QUESTIONS, max_size=2).map(tuple),
    subgoal=st.none() | st.fixed_dictionaries({"phase": TEXT, "wanted": TEXT}),
    variant=st.none() | TEXT,
    adapted=st.none() | JSON,
    changed=st.lists(CHANGE, max_size=2).map(tuple),
    notes=st.dictionaries(TEXT, JSON, max_size=2),
)
RECORDS = st.builds(
    EpisodeRecord,
    trace=st.lists(STEPS, max_size=3).map(tuple),
    activations=st.dictionaries(TEXT, st.integers(), max_size=2),
    failures=st.lists(st.dictionaries(TEXT, TEXT, max_size=2), max_size=2),
    error=st.none() | st.dictionaries(TEXT, TEXT, max_size=2),
    changed=st.lists(CHANGE, max_size=2),
    notes=st.dictionaries(TEXT, JSON, max_size=2),
    adaptations=st.lists(JSON, max_size=2),
    usage=st.dictionaries(TEXT, FLOAT, max_size=2),
    variant=st.none() | TEXT,
    strict=st.none() | st.booleans(),
    reading=st.none() | TEXT,
    questions=st.none() | st.lists(QUESTIONS, min_size=1, max_size=2).map(tuple),
    interrupted=st.none() | TEXT,
)


@given(STEPS)
def test_a_step_reads_back(step):
    assert StepRecord.from_json(json.loads(json.dumps(step.to_json()))) == step


@given(RECORDS)
def test_a_record_reads_back_with_its_hashes(record):
    again = EpisodeRecord.from_json(json.loads(json.dumps(record.to_json())))
    assert again == record
    assert (again.trace_hash, again.play_hash) == (record.trace_hash, record.play_hash)
    assert again.to_json() == record.to_json()


@given(STEPS, st.sampled_from([field.name for field in dataclasses.fields(StepRecord)]), STEPS)
def test_every_field_of_a_step_counts_in_the_trace_hash(step, name, other):
    changed = dataclasses.replace(step, **{name: getattr(other, name)})
    hashes = [dataclasses.replace(RECORD, trace=(one,)).trace_hash for one in (step, changed)]
    # As JSON writes them: -0.0 is not 0.0 there.
    assert (hashes[0] == hashes[1]) == (json.dumps(step.to_json(), sort_keys=True) == json.dumps(changed.to_json(), sort_keys=True))


def test_a_plain_step_is_written_in_few_words():
    assert STEP.to_json() == {
        "step": 1, "admissible": 6, "offered": 5, "method": "generate", "response": "Wait.", "command": "wait", "accepted": True,
        "observation": "You wait.", "reward": 0.25, "usable": True, "decided_by": "harness", "scores": [], "changed": [],
    }  # fmt: skip


def test_false_and_nought_are_no_defaults():
    """What is None as a rule says something as False."""
    content = dataclasses.replace(STEP, readable=False, cut=False, twin="").to_json()
    assert (content["readable"], content["cut"], content["twin"]) == (False, False, "")


@given(RECORDS)
def test_what_is_written_fits_the_schema(record):
    import jsonschema

    schema = json.loads((resources.files("homebody.assets") / "schemas" / "episode.json").read_text("utf-8"))
    steps = {**schema, "type": "array", "items": {"$ref": "#/$defs/entry"}, "properties": {}, "required": []}
    told = [step for step in record.to_json()["trace"] if "adapted" not in step and not any(":" in key for key in step.get("notes", {}))]
    jsonschema.Draft202012Validator(steps).validate(told)
    assert schema["$defs"]["entry"]["properties"]["decided_by"]["enum"] == list(DECIDED_BY)


# --- the play hash


def test_the_play_hash_is_that_of_what_happened():
    played = [["wait", "You wait.", 0.25], ["fly", "No.", 0.25]]
    text = '["train/one", "A yard.", [["wait", "You wait.", 0.25], ["fly", "No.", 0.25]], true]'
    assert json.loads(text)[2] == played
    assert RECORD.play_hash == hashlib.sha256(text.encode()).hexdigest()


SAME = {
    "type": "x", "steps": 9, "seed": 9, "attempt": 9, "behaviour_hash": "x", "policy": "x", "goal": "x", "invalid_actions": 9,
    "activations": {}, "failures": [{}], "error": {"kind": "x"}, "interrupted": "x", "changed": [{}], "notes": {"x": {}},
    "adaptations": [{}], "usage": {"x": 1.0}, "variant": "x", "strict": True,
    "reading": "x", "questions": (Question("x", reply="y"),),
}  # fmt: skip
SAME_STEP = {
    "step": 9, "admissible": 9, "offered": 9, "method": "rank", "response": "x", "accepted": False, "usable": False, "decided_by": "model",
    "twin": "x", "readable": True, "repaired": True, "cut": True, "scores": (("x", 1.0),), "questions": (Question("x", ()),),
    "subgoal": {"phase": "act", "wanted": "x"}, "dropped_turns": 9, "tool": True, "variant": "x", "adapted": {}, "changed": ({},),
    "notes": {"x": {}}, "thought": "x", "finish": "length", "retried": True,
}  # fmt: skip
OTHER = {"task_id": "x", "won": False, "opening": "x", "trace": ()}
OTHER_STEP = {"command": "x", "observation": "x", "reward": 9.0}


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(EpisodeRecord)])
def test_fields_of_a_record_in_the_play_hash(name):
    changed = dataclasses.replace(RECORD, **{name: {**SAME, **OTHER}[name]})
    assert (changed.play_hash == RECORD.play_hash) == (name in SAME)


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(StepRecord)])
def test_fields_of_a_step_in_the_play_hash(name):
    changed = dataclasses.replace(RECORD, trace=(dataclasses.replace(STEP, **{name: {**SAME_STEP, **OTHER_STEP}[name]}), RECORD.trace[1]))
    assert (changed.play_hash == RECORD.play_hash) == (name in SAME_STEP)


# --- who decided, counted


def step(decided_by="harness", **fields):
    return dataclasses.replace(STEP, decided_by=decided_by, **fields)


def record(*steps, won=False, **fields):
    return dataclasses.replace(RECORD, trace=steps, won=won, **fields)


def test_shares_by_hand():
    won = record(step("model"), step("agreed"), step("reading"), step("harness"), won=True)
    lost = record(step("model"), *[step("harness")] * 3, step("fallback", readable=False), step("fallback", readable=False, repaired=True))
    won = dataclasses.replace(won, trace=(dataclasses.replace(won.trace[0], retried=True), *won.trace[1:]))
    found = decisions([won, lost])
    assert found.counts == {"model": 2, "agreed": 1, "reading": 1, "harness": 4, "fallback": 2}
    assert (found.steps, found.model_share, found.model_share_won, found.repaired) == (10, 0.4, 0.75, 1)
    assert found.to_json() == {
        "model_share": 0.4, "model_share_won": 0.75, "unreadable": 1.0, "cut": None, "repaired": 1, "retried": 1,
        "decided_by": {"model": 2, "agreed": 1, "reading": 1, "harness": 4, "fallback": 2},
    }  # fmt: skip
    assert (won.model_share, lost.model_share) == (0.75, 1 / 6)


def test_what_there_is_none_of_has_no_share():
    nothing = decisions([])
    assert (nothing.steps, nothing.model_share, nothing.model_share_won, nothing.unreadable, nothing.cut) == (0, None, None, None, None)
    assert set(nothing.counts) == set(DECIDED_BY)
    # No episode was won; replies were constrained, or there were none.
    lost = decisions([record(step("model"), step("model", cut=False))])
    assert (lost.model_share, lost.model_share_won, lost.unreadable, lost.cut) == (1.0, None, None, 0.0)
    assert record().model_share is None


def test_unreadable_counts_free_replies_and_cut_counts_all_that_were_written():
    free = [step("model", readable=True, cut=False), step("fallback", readable=False, cut=True), step("harness", readable=True, cut=False)]
    constrained = [step("model", cut=True), step("model", cut=False)]
    found = decisions([record(*free, *constrained, step("model"))])
    assert (found.unreadable, found.cut) == (1 / 3, 2 / 5)


def test_a_first_reply_counts_though_a_later_one_was_taken():
    """Of a vote the first reply is unreadable, and the command is the model's."""
    found = decisions([record(step("model", readable=False, cut=True))])
    assert (found.unreadable, found.cut, found.model_share) == (1.0, 1.0, 1.0)


def test_calls_of_tools_are_no_steps_but_their_replies_count():
    found = decisions([record(step("model", tool=True, readable=False, cut=True), step("harness", readable=True, cut=False))])
    assert (found.steps, found.model_share, found.unreadable, found.cut) == (1, 0.0, 0.5, 0.5)


def test_an_episode_that_an_error_ended_counts_as_far_as_it_came():
    broken = record(step("model"), error={"boundary": "step", "kind": "E", "message": "m"})
    assert decisions([broken, record(step())]).model_share == 0.5


def test_a_margin_is_that_of_the_chosen_above_the_next():
    assert step(scores=(("a", 2.0), ("b", 0.5), ("c", 0.0))).margin == 1.5
    assert step(scores=(("a", 1.0), ("b", 3.0))).margin == -2.0  # sampled
    assert step(scores=(("a", 2.0),)).margin is None
    assert step().margin is None
