from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homebody.agents.record import EpisodeRecord
from homebody.evolution.config import MODES
from homebody.evolution.gate.rule import Verdict, choose_mode, compare, differing, refuse, stop_early

Episode = Callable[..., EpisodeRecord]


def played(episode: Episode, outcomes: str, activations: dict[str, int] | None = None) -> list[EpisodeRecord]:
    """One episode for each letter: + won, - lost; the tasks are called 0, 1, ..."""
    return [episode(letter == "+", task_id=str(n), activations=activations or {}) for n, letter in enumerate(outcomes)]


# A sign test by hand: of one coin 1/2 is a head, of four coins 1/16 four, of three 1/8 three; of six coins (1 + 6) / 64 are at least
# five heads, of seven (1 + 7) / 128 at least six, of four (1 + 4) / 16 at least three.
TABLE = [
    ("--++", "--++", dict.fromkeys(MODES, "no gain: 0 tasks won, 0 lost")),
    ("--++", "+-+-", dict.fromkeys(MODES, "no gain: 1 tasks won, 1 lost")),
    ("--++", "----", dict.fromkeys(MODES, "no gain: 0 tasks won, 2 lost")),
    ("--++", "+-++", {"noise-aware": "no more than chance: 1 tasks won, 0 lost, p = 0.500"}),
    ("---++", "+++++", {"noise-aware": "no more than chance: 3 tasks won, 0 lost, p = 0.125"}),
    ("----", "++++", {}),
    (
        "---+",
        "+++-",
        {
            "no-regression": "regression: 3 tasks won, 1 lost",
            "sign-test": "regression not outweighed: 3 tasks won, 1 lost, p = 0.312",
            "noise-aware": "regression not outweighed: 3 tasks won, 1 lost, p = 0.312",
        },
    ),
    (
        "-----+",
        "+++++-",
        {
            "no-regression": "regression: 5 tasks won, 1 lost",
            "sign-test": "regression not outweighed: 5 tasks won, 1 lost, p = 0.109",
            "noise-aware": "regression not outweighed: 5 tasks won, 1 lost, p = 0.109",
        },
    ),
    ("------+", "++++++-", {"no-regression": "regression: 6 tasks won, 1 lost"}),
    ("-" * 20 + "+", "+" * 20 + "-", {"no-regression": "regression: 20 tasks won, 1 lost"}),
]


@pytest.mark.parametrize(("before", "after", "refused"), TABLE)
@pytest.mark.parametrize("mode", MODES)
def test_the_truth_table_of_the_gate(episode: Episode, mode: str, before: str, after: str, refused: dict[str, str]) -> None:
    verdict = compare(played(episode, before), played(episode, after), "", mode)
    assert verdict.accepted == (mode not in refused)
    assert verdict.won == tuple(str(n) for n, pair in enumerate(zip(before, after, strict=True)) if pair == ("-", "+"))
    assert verdict.lost == tuple(str(n) for n, pair in enumerate(zip(before, after, strict=True)) if pair == ("+", "-"))
    assert verdict.net == after.count("+") - before.count("+")
    if not verdict.accepted:
        assert verdict.reason == refused[mode] == verdict.checks[-1][1]
    at_work = played(episode, after, {"decide": 0, "learned_plan": 2})
    assert compare(played(episode, before), at_work, "learned_plan", mode).accepted == verdict.accepted


def test_what_an_accepted_edit_is_told(episode: Episode) -> None:
    six = compare(played(episode, "------+"), played(episode, "++++++-"), "", "sign-test")
    assert six.reason == "6 tasks won, 1 lost, p = 0.062"
    assert six.checks == (("rollouts", "6 tasks won, 1 lost"), ("activation", "passed"), ("gain", "passed"), ("seesaw", "passed"))
    assert compare(played(episode, "-"), played(episode, "+"), "", "sign-test").reason == "1 tasks won, 0 lost"
    assert compare(played(episode, "----"), played(episode, "++++"), "", "noise-aware").reason == "4 tasks won, 0 lost, p = 0.062"


def test_an_edit_that_was_never_at_work_is_refused_whatever_it_won(episode: Episode) -> None:
    after = played(episode, "+++", {"playbook_two": 2, "decide": 1})
    verdict = compare(played(episode, "---"), after, "learned_plan", "sign-test")
    assert (verdict.accepted, verdict.reason, verdict.activations) == (
        False,
        "never at work: learned_plan changed nothing in 3 episodes",
        0,
    )
    assert [name for name, _ in verdict.checks] == ["rollouts", "activation"]
    one = compare(played(episode, "---"), [*after[:2], episode(True, activations={"learned_plan": 5})], "learned_plan", "sign-test")
    assert (one.accepted, one.activations) == (True, 5)


def test_pairs_must_be_complete(episode: Episode) -> None:
    with pytest.raises(ValueError, match="shorter"):
        compare(played(episode, "---"), played(episode, "--"), "", "sign-test")


def test_an_edit_that_fell_early() -> None:
    assert refuse("build", "no such place") == Verdict(False, "build: no such place", checks=(("build", "no such place"),))


@pytest.mark.parametrize(
    ("before", "after", "to_beat", "mode", "reason"),
    [
        ("--------", "----", 0, "sign-test", ""),  # four are left to win
        ("++++++++", "++++", 0, "sign-test", "it can gain 0 tasks at most, and 0 are to be beaten"),
        ("----++++", "+++-", 3, "sign-test", "it can gain 3 tasks at most, and 3 are to be beaten"),
        ("----++++", "+++-", 2, "sign-test", ""),
        ("+++++---", "+++-", 0, "sign-test", "1 lost, and the 3 that it can win at most do not outweigh that, p = 0.312"),
        ("+++++---", "+++-", 0, "no-regression", "1 lost, and none may be"),
        ("+-------", "-+++", 0, "sign-test", ""),  # seven wins would carry the loss
        ("-+++++++", "-+++", 0, "sign-test", "it can gain 0 tasks at most, and 0 are to be beaten"),
        ("+---++++", "++--", 0, "sign-test", ""),  # one win is enough where none is lost
        ("+---++++", "++--", 0, "noise-aware", "0 lost, and the 1 that it can win at most do not outweigh that, p = 0.500"),
        ("----", "----", 0, "sign-test", "it can gain 0 tasks at most, and 0 are to be beaten"),
    ],
)
def test_hope_by_hand(episode: Episode, before: str, after: str, to_beat: int, mode: str, reason: str) -> None:
    told = f"dropped after 4 of {len(before)} tasks: {reason}" if reason else ""
    assert stop_early(played(episode, before), played(episode, after), to_beat, mode) == told


OUTCOMES = st.text("+-", min_size=1, max_size=24)


def can_be_shipped(verdict: Verdict, to_beat: int) -> bool:
    return verdict.accepted and verdict.net > to_beat


@given(st.integers(0, 6), OUTCOMES, st.sampled_from(MODES), st.data())
def test_no_candidate_that_could_still_be_shipped_is_dropped(
    episode: Episode, to_beat: int, before: str, mode: str, data: st.DataObject
) -> None:
    after = data.draw(st.text("+-", min_size=len(before), max_size=len(before)))
    cut = data.draw(st.integers(0, len(before)))
    old, new = played(episode, before), played(episode, after)
    if can_be_shipped(compare(old, new, "", mode), to_beat):
        assert stop_early(old, new[:cut], to_beat, mode) == ""


@given(st.integers(0, 6), OUTCOMES, st.sampled_from(MODES), st.data())
def test_a_candidate_is_dropped_as_soon_as_winning_all_the_rest_is_not_enough(
    episode: Episode, to_beat: int, before: str, mode: str, data: st.DataObject
) -> None:
    cut = data.draw(st.integers(0, len(before)))
    begun = data.draw(st.text("+-", min_size=cut, max_size=cut))
    old, best = played(episode, before), played(episode, begun + "+" * (len(before) - cut))
    assert bool(stop_early(old, played(episode, begun), to_beat, mode)) != can_be_shipped(compare(old, best, "", mode), to_beat)


def with_commands(episode: Episode, *commands: str, won: bool = False) -> EpisodeRecord:
    return episode(won, trace=[{"command": command} for command in commands])


def test_the_mode_that_an_a_a_run_speaks_for(episode: Episode) -> None:
    first = [with_commands(episode, "look", "wait"), with_commands(episode, "look", won=True)]
    assert choose_mode(first, list(first)) == "sign-test"
    other = [with_commands(episode, "look", "look"), first[1]]  # no outcome flips, and yet the run did not repeat
    assert (differing(first, other), choose_mode(first, other)) == (1, "noise-aware")
    flipped = [first[0], with_commands(episode, "look", won=False)]
    assert (differing(first, flipped), choose_mode(first, flipped)) == (1, "noise-aware")
