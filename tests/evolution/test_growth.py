"""How many tasks a round plays: more while too few of them fail, within the settings and the tasks that there are."""

from types import SimpleNamespace
from typing import Any

import pytest

from homebody.evolution.round import FEW, Rounds


class Player:
    """Plays tasks that are numbers; those in `failing` are lost."""

    def __init__(self, growth: int, failing: set[int]) -> None:
        self.config = SimpleNamespace(growth=growth, train_tasks=4, validation_tasks=4)
        self.failing = failing
        self.played: list[list[int]] = []

    def play(self, spec: Any, tasks: list[int], who: str, part: str, done: int = 0, total: int = 0) -> list[Any]:
        assert (who, part) == ("round 3", "training")
        assert not total or total == done + len(tasks)
        self.played.append(list(tasks))
        return [SimpleNamespace(outcome=task not in self.failing, error=None) for task in tasks]


@pytest.mark.parametrize(
    ("growth", "failing", "expected"),
    [
        (8, set(range(FEW)), [[0, 1, 2, 3], [4, 5, 6, 7]]),
        (8, set(range(4, 4 + FEW)), [[0, 1, 2, 3], [4, 5, 6, 7], [*range(8, 16)]]),
        (8, set(), [[0, 1, 2, 3], [4, 5, 6, 7], [*range(8, 16)], [*range(16, 20)]]),
        (3, set(), [[0, 1, 2, 3], [4, 5, 6, 7], [*range(8, 12)]]),
        (1, set(), [[0, 1, 2, 3]]),
    ],
)
def test_a_set_is_doubled_while_few_of_its_tasks_fail(growth, failing, expected):
    player = Player(growth, failing)
    pool = list(range(20))
    rounds = Rounds(
        player,
        None,
        pool,
        pool,
        None,
        SimpleNamespace(behaviour_hash="", without_variants=lambda: SimpleNamespace(behaviour_hash="")),
        None,
    )
    records = rounds._play_enough(None, rounds.train, pool, 4, 3, "training")
    assert player.played == expected
    assert len(records) == sum(map(len, expected))


def test_what_was_enlarged_stays_so():
    player = Player(8, {0, 1, 2, 3, 4})
    rounds = Rounds(
        player,
        None,
        list(range(20)),
        [],
        None,
        SimpleNamespace(behaviour_hash="", without_variants=lambda: SimpleNamespace(behaviour_hash="")),
        None,
    )
    assert len(rounds._play_enough(None, list(range(16)), list(range(20)), 4, 3, "training")) == 16
