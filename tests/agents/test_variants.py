"""Variants of a harness: which goal goes where, what plays then, what is recorded, and what is refused at loading."""

import json

import pytest

from homebody.agents.episode import run_episode
from homebody.agents.harness.patch import PatchError
from homebody.agents.harness.spec import HarnessError, HarnessSpec, component, route_score
from homebody.agents.model_free import NoModelPolicy
from homebody.agents.record import EpisodeRecord

GUARD = [{"op": "add", "path": "/components/guard", "value": component("loop_guard", {"repeats": 1})}]
RULE = {
    "name": "late",
    "when": {"signal": "steps_left", "at_most": 2},
    "patch": [{"op": "add", "path": "/components/words", "value": component("goal_words")}],
}


def variant(name="tarred", words=None, bias=-1.0, patch=None):
    return {"name": name, "route": {"words": {"tarred": 2.0} if words is None else words, "bias": bias}, "patch": patch or GUARD}


def document(*variants, components=None, adaptations=()):
    made = {"format": 2, "name": "test", "components": components or {}}
    return made | ({"variants": list(variants)} if variants else {}) | ({"adaptations": list(adaptations)} if adaptations else {})


def load(*variants, **parts):
    return HarnessSpec.from_json(document(*variants, **parts))


def chosen(spec, goal):
    found = spec.route(goal)
    return found and found["name"]


# --- routing


def test_a_route_adds_the_weights_of_the_goals_words_each_once():
    route = {"words": {"tarred": 2.0, "crate": -0.5, "put-up": 1.0}, "bias": -0.25}
    assert route_score(route, "Put a TARRED crate, a tarred one, on a dock.") == 1.25
    assert route_score(route, "put-up") == 0.75
    assert route_score(route, "wait") == -0.25


def test_the_highest_score_above_zero_wins_and_of_equals_the_first():
    spec = load(variant("a", {"tarred": 2.0}), variant("b", {"tarred": 2.0, "two": 3.0}), variant("c", {"two": 1.0, "odd": 9.0}))
    assert chosen(spec, "put a tarred crate on a dock") == "a"
    assert chosen(spec, "put two tarred crate on a dock") == "b"
    assert chosen(spec, "put two crate on a dock") == "b"
    assert chosen(spec, "put a crate on a dock") is None  # an unknown kind of goal: all score -1
    assert chosen(load(variant("d", {"crate": 1.0}, bias=-1.0)), "put a crate on a dock") is None  # nought is not above 0
    assert chosen(load(), "put a tarred crate on a dock") is None


# --- what plays


@pytest.fixture
def play(yard):
    def play(spec, task, **settings):
        return run_episode(yard.Yard(), spec, NoModelPolicy(), yard.task(task), **{"max_steps": 4, **settings})

    return play


def test_the_variant_plays_the_whole_episode_and_is_recorded(play):
    spec = load(variant())
    record = play(spec, "tar")
    alone = play(spec.variant(spec.variants[0]), "tar")
    assert record.error is None
    assert record.variant == "tarred"
    assert [step.command for step in record.trace] == [step.command for step in alone.trace]
    assert all(step.variant == "tarred" for step in record.trace)
    assert record.activations == alone.activations
    assert record.behaviour_hash == spec.behaviour_hash
    content = json.loads(json.dumps(record.to_json()))
    assert content["variant"] == "tarred"
    assert EpisodeRecord.from_json(content) == record


def test_other_goals_are_played_as_if_there_were_no_variant(play):
    spec = load(variant())
    record, alone = play(spec, "one"), play(spec.without_variants(), "one")
    assert record.variant is None
    assert "variant" not in record.to_json()
    assert "variant" not in record.trace[0].to_json()
    assert record.trace == alone.trace
    assert record.activations == alone.activations == {}
    # A record that was kept before there were variants is read as one without.
    assert EpisodeRecord.from_json(json.loads(json.dumps(alone.to_json()))) == alone


def test_rules_of_the_harness_hold_in_its_variants(play):
    spec = load(variant(), adaptations=[RULE])
    (applied,) = play(spec, "tar").adaptations
    assert (applied["rule"], applied["step"]) == ("late", 2)
    expected = spec.variant(spec.variants[0]).without_adaptations().patch(RULE["patch"])
    assert applied["behaviour_hash"] == expected.behaviour_hash
    (at_home,) = play(spec, "one").adaptations
    assert at_home["behaviour_hash"] == spec.without_variants().without_adaptations().patch(RULE["patch"]).behaviour_hash


# --- the hash


def test_the_hash_covers_what_variants_do_and_not_their_names():
    plain, spec = load(), load(variant())
    assert spec.without_variants() == plain
    assert spec.behaviour_hash != plain.behaviour_hash
    assert load(variant("other")).behaviour_hash == spec.behaviour_hash
    assert load(variant(words={"tarred": 2})).behaviour_hash == spec.behaviour_hash  # 2 and 2.0 are one number
    others = [
        load(variant(words={"tarred": 2.5})),
        load(variant(words={"crate": 2.0})),
        load(variant(bias=-0.5)),
        load(variant(patch=[{"op": "add", "path": "/components/words", "value": component("goal_words")}])),
        load(variant(), variant("two", {"two": 2.0})),
        load(variant(), adaptations=[RULE]),
    ]
    assert len({item.behaviour_hash for item in [*others, spec, plain]}) == len(others) + 2


def test_with_variants_replaces_them():
    spec = load(variant("a"), components={"decide": component("decide")})
    assert spec.with_variants([variant("b")]).variants == [variant("b")]
    assert spec.with_variants([]) == spec.without_variants() == load(components={"decide": component("decide")})
    with pytest.raises(HarnessError, match="/variants/0/patch: it changes nothing"):
        spec.with_variants([variant(patch=[{"op": "test", "path": "/components/decide/use", "value": "decide"}])])


# --- what is refused


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (document() | {"variants": []}, "/variants: [] should be non-empty"),
        (document() | {"variants": {"a": 1}}, "/variants: {'a': 1} is not of type 'array'"),
        (document(variant("Two words")), "/variants/0/name: 'Two words' does not match"),
        (document(variant(words={})), "/variants/0/route/words: {} should be non-empty"),
        (document(variant(words={"tarred": "much"})), "/variants/0/route/words/tarred: 'much' is not of type 'number'"),
        (document(variant(words={"tarred": True})), "/variants/0/route/words/tarred: True is not of type 'number'"),
        (document(variant(words={"Tarred": 1})), "'Tarred' does not match"),
        (document(variant(words={"a b": 1})), "'a b' does not match"),
        (document(variant(bias=None)), "/variants/0/route/bias: None is not of type 'number'"),
        (document(variant(bias=float("nan"))), "/: a number is NaN or infinite; give a finite one"),
        (document({**variant(), "rout": 1}), "/variants/0/rout: there is no 'rout' here; did you mean route?"),
        (document({"name": "a", "patch": GUARD}), "/variants/0: 'route' is a required property"),
        (document(variant(patch=[{"op": "replace", "path": "/name", "value": "x"}])), "/variants/0/patch/0/path: '/name' does not match"),
        (document(variant(), variant()), "/variants/1/name: 'tarred' is the name of /variants/0 too; give each variant its own"),
        (
            document(variant(patch=[{"op": "remove", "path": "/components/gone"}])),
            "/variants/0/patch: it does not apply: operation 0, remove /components/gone",
        ),
        (
            document(variant(patch=[{"op": "add", "path": "/components/m", "value": component("magic")}])),
            "/variants/0/patch: it leads to /components/m/use: no processor is called 'magic'",
        ),
        # A rule of the harness must fit its variants, too.
        (
            document(variant(), adaptations=[RULE | {"patch": [GUARD[0] | {"path": "/components/again"}]}]),
            "/variants/0/patch: it leads to /adaptations/0/patch: it leads to /components/again: a second component of group 'loop_guard'",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_place(made, told):
    with pytest.raises(HarnessError) as raised:
        HarnessSpec.from_json(made)
    assert told in str(raised.value)


def test_an_edit_that_breaks_a_variant_is_refused():
    spec = load(variant(patch=[{"op": "remove", "path": "/components/decide"}]), components={"decide": component("decide")})
    with pytest.raises(
        PatchError, match=r"/variants/0/patch: it does not apply: operation 0, remove /components/decide.*; nothing was changed"
    ):
        spec.patch([{"op": "remove", "path": "/components/decide"}])
