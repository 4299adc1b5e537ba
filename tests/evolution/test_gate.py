from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homebody.agents.episode import EpisodeRecord
from homebody.evolution.gate import Verdict, compare, hopeless

Episode = Callable[..., EpisodeRecord]


def played(episode: Episode, outcomes: str, activations: dict[str, int] | None = None) -> list[EpisodeRecord]:
    """One episode for each letter: + won, - lost."""
    return [episode(letter == "+", activations=activations or {}) for letter in outcomes]


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [
        ("--++", "--++", Verdict(False, "no gain: 0 tasks won, 0 lost", 0, 0)),
        ("--++", "+-+-", Verdict(False, "no gain: 1 tasks won, 1 lost", 1, 1)),
        ("--++", "----", Verdict(False, "no gain: 0 tasks won, 2 lost", 0, 2)),
        ("--++", "+-++", Verdict(True, "1 tasks won, 0 lost", 1, 0)),
        ("--++", "++++", Verdict(True, "2 tasks won, 0 lost", 2, 0)),
        # With a loss the level is 0.1: of six coins (1 + 6) / 64 are at least five heads, of seven (1 + 7) / 128 at least six.
        ("---+", "+++-", Verdict(False, "regression not outweighed: 3 tasks won, 1 lost, p = 0.312", 3, 1)),
        ("-----+", "+++++-", Verdict(False, "regression not outweighed: 5 tasks won, 1 lost, p = 0.109", 5, 1)),
        ("------+", "++++++-", Verdict(True, "6 tasks won, 1 lost, p = 0.062", 6, 1)),
    ],
)
def test_the_truth_table_of_the_gate(episode: Episode, before: str, after: str, verdict: Verdict) -> None:
    assert compare(played(episode, before), played(episode, after), "") == verdict
    at_work = played(episode, after, {"0:decide": 0, "3:playbook": 2})
    assert compare(played(episode, before), at_work, "playbook") == verdict


def test_an_edit_that_was_never_at_work_is_refused_whatever_it_won(episode: Episode) -> None:
    after = played(episode, "+++", {"3:playbook_two": 2, "2:decide": 1})
    verdict = Verdict(False, "never at work: playbook changed nothing in 3 episodes", 3, 0)
    assert compare(played(episode, "---"), after, "playbook") == verdict
    one = [*after[:2], episode(True, activations={"3:playbook": 1})]
    assert compare(played(episode, "---"), one, "playbook").accepted


def test_pairs_must_be_complete(episode: Episode) -> None:
    with pytest.raises(ValueError, match="shorter"):
        compare(played(episode, "---"), played(episode, "--"), "")


@pytest.mark.parametrize(
    ("before", "after", "to_beat", "reason"),
    [
        ("--------", "----", 0, ""),  # four are left to win
        ("++++++++", "++++", 0, "dropped after 4 of 8 tasks: it can gain 0 tasks at most, and 0 are to be beaten"),
        ("----++++", "+++-", 3, "dropped after 4 of 8 tasks: it can gain 3 tasks at most, and 3 are to be beaten"),
        ("----++++", "+++-", 2, ""),
        ("+++++---", "+++-", 0, ""),  # one lost, three left to win
        ("++++++--", "++--", 0, "dropped after 4 of 8 tasks: it can gain 0 tasks at most, and 0 are to be beaten"),
        ("----", "----", 0, "dropped after 4 of 4 tasks: it can gain 0 tasks at most, and 0 are to be beaten"),
    ],
)
def test_hope_by_hand(episode: Episode, before: str, after: str, to_beat: int, reason: str) -> None:
    assert hopeless(played(episode, before), played(episode, after), to_beat) == reason


OUTCOMES = st.text("+-", min_size=1, max_size=24)


def can_be_shipped(verdict: Verdict, to_beat: int) -> bool:
    return verdict.accepted and verdict.wins - verdict.losses > to_beat


@given(st.integers(0, 6).flatmap(lambda to_beat: st.tuples(st.just(to_beat), OUTCOMES)), st.data())
def test_no_candidate_that_could_still_be_shipped_is_dropped(episode: Episode, start: tuple[int, str], data: st.DataObject) -> None:
    to_beat, before = start
    after = data.draw(st.text("+-", min_size=len(before), max_size=len(before)))
    cut = data.draw(st.integers(0, len(before)))
    old, new = played(episode, before), played(episode, after)
    if can_be_shipped(compare(old, new, ""), to_beat):
        assert hopeless(old, new[:cut], to_beat) == ""


@given(st.integers(0, 6), OUTCOMES, st.data())
def test_a_candidate_is_dropped_as_soon_as_winning_all_the_rest_is_not_enough(
    episode: Episode, to_beat: int, before: str, data: st.DataObject
) -> None:
    cut = data.draw(st.integers(0, len(before)))
    begun = data.draw(st.text("+-", min_size=cut, max_size=cut))
    best = begun + "+" * (len(before) - cut)
    gain = best.count("+") - before.count("+")
    assert bool(hopeless(played(episode, before), played(episode, begun), to_beat)) == (gain <= to_beat)
