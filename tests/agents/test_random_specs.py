"""Many random harnesses and much random damage: what is valid runs, what is not is refused with a place, and nothing is half applied.

A slice of it runs with the other tests. All of it, with its counts: `HOMEBODY_SPECS=1000 pytest -s tests/agents/test_random_specs.py`.
"""

import json
import os
import re
from collections import Counter
from random import Random

import pytest

from homebody.agents.episode import run_episode
from homebody.agents.harness.patch import PatchError, apply, invert
from homebody.agents.harness.spec import HarnessError, HarnessSpec
from homebody.agents.model_free import RandomPolicy
from homebody.agents.model_policy import ModelPolicy
from homebody.agents.models.scripted import Scripted

VALID = int(os.environ.get("HOMEBODY_SPECS", "30"))
"""Number of valid harnesses; five times as many are damaged."""
PROBLEM = re.compile(r"/[^ ]*: .+", re.DOTALL)
REFUSAL = re.compile(
    r"(the patch does not apply to harness h\d+: operation \d, \S+ \S*: .+|harness h\d+ after the patch: /[^ ]*: .+); nothing was changed",
    re.DOTALL,
)


def attempt(make, given):
    """Return what comes of it and None, or None and the refusal."""
    try:
        return make(given), None
    except (HarnessError, PatchError) as error:
        return None, error


@pytest.fixture
def play(yard):
    """Play three steps: `play(spec, number)`, by a model whose replies are written beforehand, or at random."""

    def play(spec, number):
        replies = ["walk to shed 2", "unlock shed 2", "fly"] * 40
        policy = ModelPolicy(Scripted(replies)) if number % 2 else RandomPolicy()
        return run_episode(yard.Yard(), spec, policy, yard.task(), number, max_steps=3)

    return play


def test_valid_harnesses_load_print_read_back_and_play(specs, play):
    hashes, counts = set(), Counter()
    for number in range(VALID):
        document = specs.document(Random(number))
        spec = HarnessSpec.from_json(document).check()
        again = HarnessSpec.from_json(json.loads(spec.dumps()))
        assert (again, again.behaviour_hash, again.document) == (spec, spec.behaviour_hash, document)
        record = play(spec, number)
        assert record.error is None, (number, record.error)
        # A rule's patch is checked against the harness alone: where another rule has changed it before, the patch may fit no more.
        late = [failure for failure in record.failures if failure["boundary"].startswith("adaptation ") and failure["kind"] == "PatchError"]
        assert record.failures == late, (number, record.failures)
        assert record.activations.keys() >= document["components"].keys()
        assert play(again, number).trace_hash == record.trace_hash
        hashes.add(spec.behaviour_hash)
        counts.update(["episodes", *["adapted"] * len(record.adaptations), *["components"] * len(document["components"])])
    print(f"\n{VALID} valid harnesses, {len(hashes)} hashes, {dict(counts)}")
    assert len(hashes) > 0.8 * VALID  # the others are small, or differ in what is for people only


def test_damaged_harnesses_are_refused_with_a_place_or_run(specs, play):
    counts = Counter()
    for number in range(5 * VALID):
        rng = Random(f"damage {number}")
        document = specs.document(rng)
        spec, error = attempt(lambda given: HarnessSpec.from_json(given).check(), specs.damage(document, rng))
        if spec is None:
            assert error.problems
            assert all(PROBLEM.match(line) for line in error.problems), error.problems
        else:
            assert play(spec, number).error is None
        counts["accepted" if spec else "refused"] += 1
    print(f"\n{5 * VALID} damaged harnesses: {dict(counts)}")
    assert min(counts["refused"], counts["accepted"]) > VALID / 3


def test_patches_apply_whole_or_not_at_all_and_can_be_taken_back(specs, play):
    counts = Counter()
    for number in range(5 * VALID):
        rng = Random(f"patch {number}")
        document = specs.document(rng)
        spec, before = HarnessSpec.from_json(document), specs.plain(document)
        patch = specs.patch(document, rng)
        given = specs.plain(patch)
        patched, error = attempt(spec.patch, patch)
        if patched is None:
            assert REFUSAL.fullmatch(str(error)), error
        elif (told := attempt(lambda edited: edited.check(), patched)[1]) is not None:
            # What only an import or a run can tell.
            assert all(PROBLEM.match(line) for line in told.problems), told.problems
            patched = None
        else:
            assert patched.patch(invert(spec.document, patch)) == spec
            assert apply(spec.document, spec.diff(patched)) == patched.document
            assert play(patched, number).error is None
        assert (specs.plain(spec.document), specs.plain(patch)) == (before, given)
        counts["accepted" if patched else "refused"] += 1
    print(f"\n{5 * VALID} patches: {dict(counts)}")
    assert min(counts["refused"], counts["accepted"]) > VALID / 3
