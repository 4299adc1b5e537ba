"""JSON Patches: the examples of RFC 6902, inverses, and what is refused."""

import copy

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from homebody.agents.harness.patch import PatchError, apply, difference, invert

# RFC 6902, appendix A: number, document, patch, result.
RFC = [
    ("A.1", {"foo": "bar"}, [{"op": "add", "path": "/baz", "value": "qux"}], {"baz": "qux", "foo": "bar"}),
    ("A.2", {"foo": ["bar", "baz"]}, [{"op": "add", "path": "/foo/1", "value": "qux"}], {"foo": ["bar", "qux", "baz"]}),
    ("A.3", {"baz": "qux", "foo": "bar"}, [{"op": "remove", "path": "/baz"}], {"foo": "bar"}),
    ("A.4", {"foo": ["bar", "qux", "baz"]}, [{"op": "remove", "path": "/foo/1"}], {"foo": ["bar", "baz"]}),
    ("A.5", {"baz": "qux", "foo": "bar"}, [{"op": "replace", "path": "/baz", "value": "boo"}], {"baz": "boo", "foo": "bar"}),
    (
        "A.6",
        {"foo": {"bar": "baz", "waldo": "fred"}, "qux": {"corge": "grault"}},
        [{"op": "move", "from": "/foo/waldo", "path": "/qux/thud"}],
        {"foo": {"bar": "baz"}, "qux": {"corge": "grault", "thud": "fred"}},
    ),
    (
        "A.7",
        {"foo": ["all", "grass", "cows", "eat"]},
        [{"op": "move", "from": "/foo/1", "path": "/foo/3"}],
        {"foo": ["all", "cows", "eat", "grass"]},
    ),
    (
        "A.8",
        {"baz": "qux", "foo": ["a", 2, "c"]},
        [{"op": "test", "path": "/baz", "value": "qux"}, {"op": "test", "path": "/foo/1", "value": 2}],
        {"baz": "qux", "foo": ["a", 2, "c"]},
    ),
    ("A.10", {"foo": "bar"}, [{"op": "add", "path": "/child", "value": {"grandchild": {}}}], {"foo": "bar", "child": {"grandchild": {}}}),
    ("A.14", {"/": 9, "~1": 10}, [{"op": "test", "path": "/~01", "value": 10}], {"/": 9, "~1": 10}),
    ("A.16", {"foo": ["bar"]}, [{"op": "add", "path": "/foo/-", "value": ["abc", "def"]}], {"foo": ["bar", ["abc", "def"]]}),
]


@pytest.mark.parametrize(("document", "patch", "result"), [pytest.param(*case[1:], id=case[0]) for case in RFC])
def test_examples_of_the_rfc(document, patch, result):
    before = copy.deepcopy(document)
    assert apply(document, patch) == result
    assert document == before
    assert apply(result, invert(document, patch)) == document
    assert apply(document, difference(document, result)) == result


@pytest.mark.parametrize(
    ("document", "patch", "message"),
    [
        # A.9, A.12, A.13, A.15 of the RFC
        ({"baz": "qux"}, [{"op": "test", "path": "/baz", "value": "bar"}], "operation 0, test /baz: "),
        ({"foo": "bar"}, [{"op": "add", "path": "/baz/bat", "value": "qux"}], "operation 0, add /baz/bat: "),
        ({"~1": 10}, [{"op": "test", "path": "/~01", "value": "10"}], "operation 0, test /~01: "),
        ({"a": 1}, [{"op": "remove", "path": "/a"}, {"op": "remove", "path": "/a"}], "operation 1, remove /a: "),
        ({"a": 1}, [{"op": "grow", "path": "/a"}], "operation 0, grow /a: Unknown operation 'grow'"),
        ({"a": 1}, [{"path": "/a"}], "operation 0, None /a: "),
        ({"a": 1}, [{"op": "add", "path": 5, "value": 1}], "operation 0, add 5: "),
        ({"a": 1}, [5], "operation 0, 5: "),
        ({"a": 1}, 5, "a patch is a list of operations, not 5"),
        ({"a": 1}, {"op": "remove"}, "a patch is a list of operations, not {'op': 'remove'}"),
        ({"a": 1}, [{"op": "add", "path": "/b", "value": {1}}], "no JSON: "),
        ({"a": {"b": 1}}, [{"op": "move", "from": "/a", "path": "/a/b"}], "operation 0, move /a/b: "),
    ],
)
def test_patch_that_does_not_apply_is_refused_with_its_operation(document, patch, message):
    before = copy.deepcopy(document)
    with pytest.raises(PatchError) as caught:
        apply(document, patch)
    assert str(caught.value).startswith(message)
    assert document == before
    with pytest.raises(PatchError):
        invert(document, patch)


def test_later_operations_do_not_reach_into_the_patch():
    patch = [{"op": "add", "path": "/a", "value": []}, {"op": "add", "path": "/a/-", "value": 1}]
    given_patch = copy.deepcopy(patch)
    assert apply({}, patch) == {"a": [1]}
    assert patch == given_patch


def test_long_values_are_cut_in_refusals():
    with pytest.raises(PatchError) as caught:
        apply({"a": "x" * 5000}, [{"op": "remove", "path": "/a/b"}])
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("document", "patch", "inverse"),
    [
        ({"a": [1]}, [{"op": "add", "path": "/a/-", "value": 2}], [{"op": "remove", "path": "/a/1"}]),
        ({"a": 1}, [{"op": "add", "path": "/a", "value": 2}], [{"op": "replace", "path": "/a", "value": 1}]),
        (
            {"a": [[1]]},
            [{"op": "move", "from": "/a/0/0", "path": "/a/0"}],
            [{"op": "remove", "path": "/a/0"}, {"op": "add", "path": "/a/0/0", "value": 1}],
        ),
        (
            {"a": {"b": 1}},
            [{"op": "move", "from": "/a/b", "path": "/a"}],
            [{"op": "replace", "path": "/a", "value": {}}, {"op": "add", "path": "/a/b", "value": 1}],
        ),
        ({"a": 1}, [{"op": "replace", "path": "", "value": 5}], [{"op": "replace", "path": "", "value": {"a": 1}}]),
        (
            {"a": 1, "b": 2},
            [{"op": "move", "from": "/a", "path": "/b"}],
            [{"op": "replace", "path": "/b", "value": 2}, {"op": "add", "path": "/a", "value": 1}],
        ),
        (
            {"a": [1, 2, 3]},
            [{"op": "move", "from": "/a/0", "path": "/a/-"}],
            [{"op": "remove", "path": "/a/2"}, {"op": "add", "path": "/a/0", "value": 1}],
        ),
        ({"a": [1]}, [{"op": "copy", "from": "/a/0", "path": "/a/0"}], [{"op": "remove", "path": "/a/0"}]),
        ({"a": 1}, [{"op": "test", "path": "/a", "value": 1}], []),
    ],
)
def test_inverse_of_an_operation(document, patch, inverse):
    assert invert(document, patch) == inverse
    assert apply(apply(document, patch), inverse) == document


KEYS = st.sampled_from(["a", "b", "", "0", "a/b", "~", "-"])
DOCUMENTS = st.recursive(
    st.sampled_from([None, True, 1, 1.5, "x"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=12,
)


def pointers(document, prefix=""):
    inner = document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    for key, value in inner:
        path = f"{prefix}/{str(key).replace('~', '~0').replace('/', '~1')}"
        yield path
        yield from pointers(value, path)


@settings(deadline=None, max_examples=200)
@given(DOCUMENTS, st.data())
def test_inverse_takes_any_patch_back(document, data):
    patch, now = [], document
    for _ in range(data.draw(st.integers(1, 4))):
        places = st.sampled_from(["", *pointers(now)])
        path = data.draw(places) + data.draw(st.sampled_from(["", "", "/-", "/a", "/0"]))
        operation = {"op": data.draw(st.sampled_from(["add", "remove", "replace", "move", "copy"])), "path": path}
        if operation["op"] in ("move", "copy"):
            operation["from"] = data.draw(places)
        elif operation["op"] != "remove":
            operation["value"] = data.draw(DOCUMENTS)
        try:
            now = apply(now, [operation])
        except PatchError:
            continue
        patch.append(operation)
    assume(patch)
    assert apply(document, patch) == now
    assert apply(now, invert(document, patch)) == document


@settings(deadline=None)
@given(DOCUMENTS, DOCUMENTS)
def test_difference_leads_from_one_to_the_other(one, other):
    assert apply(one, difference(one, other)) == other
    assert difference(one, one) == []
