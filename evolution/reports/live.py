"""How far a running evolution is: the events of its progress, folded into one state that any view can show.

It knows nothing of views. The terminal feeds it while it runs; everybody else reads the same events from the store.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal, TypedDict, cast

from homebody.evolution.config import RoundCost
from homebody.evolution.gate.stats import success_rate
from homebody.evolution.reports import worth
from homebody.evolution.store import Store, reads_run
from homebody.evolution.stored import StoredRound

Part = Literal["train", "validation"]
PARTS: Final[tuple[Part, ...]] = ("train", "validation")
RECENT = 50
"""Episodes over which speeds are taken."""


class LivePart(TypedDict):
    """What a round has played of its training or validation tasks."""

    n: int
    errors: int
    ci95: list[float] | None
    won: int


class LiveWorth(TypedDict):
    """What a model is worth on validation, in words."""

    share: str
    """Of the decisions, the model's."""
    twin: str
    """The best one."""
    value: str


class LiveRound(TypedDict):
    """A round, as far as it is."""

    round: int
    train: LivePart | None
    validation: LivePart | None
    worth: LiveWorth | None
    """None before it is known, and without a model."""
    shipped: str
    """The operator of the edit that was shipped, or empty."""


class LiveCandidate(TypedDict):
    """A candidate, as far as it was played."""

    id: str
    round: int
    dimension: str
    operator: str
    wins: int
    losses: int
    compared: int
    of: int
    """Validation tasks that it is to be compared on."""
    verdict: str
    reason: str


class LiveSeries(TypedDict):
    """What is being played."""

    what: str
    who: str
    part: str
    done: int
    total: int


class Nothing(TypedDict):
    """Nothing is being played."""


class LiveState(TypedDict):
    """The state of a run, JSON-ready."""

    phase: str
    model: str
    env: str
    round: int
    of_rounds: int
    rounds: list[LiveRound]
    candidates: list[LiveCandidate]
    current: LiveSeries | Nothing
    episodes: int
    """Of this process, as `tokens`."""
    tokens: int
    episodes_per_s: float | None
    """Of the last episodes; None where nothing was played, as `tokens_per_s` is."""
    tokens_per_s: float | None
    left: int
    """Most episodes that can follow if the sets of tasks stay as they are."""
    left_s: float | None
    """Seconds for them at the present speed."""
    may_grow: bool
    """Whether these sets may still grow."""
    elapsed_s: float
    last: float | None
    """Seconds since 1970."""


_PARTS: Final[Mapping[str, Part]] = {"training": "train", "validation": "validation"}


class Live:
    """The state of one run.

    Args:
        start: the run's settings, as `EvolveConfig` has them.
    """

    def __init__(self, start: Mapping[str, Any]) -> None:
        self.start = start
        self._clear()

    def _clear(self) -> None:
        self.phase = "starting"
        self.began: float | None = None
        self.last: float | None = None
        self.round = self.episodes = self.tokens = 0
        self.rounds: dict[int, LiveRound] = {}
        self.candidates: dict[str, LiveCandidate] = {}
        self.current: LiveSeries | None = None
        self._played: deque[tuple[float, int]] = deque(maxlen=RECENT)
        self._won: dict[str, dict[str, bool | None]] = {}  # outcome by task of each series, by its name

    def tell(self, when: float, kind: str, data: Mapping[str, Any]) -> None:
        """Take in an event.

        Args:
            when: seconds since 1970.
            kind: as in `player.Progress`; besides `begin` (a process starts or goes on with the run) and `end`.
            data: of the event.
        """
        if kind == "begin" or self.began is None:  # a resumed run tells its rounds again, from the store
            self._clear()
            self.began = when
        self.last = when
        match kind:
            case "explore":
                self.phase = "exploring without a model"
            case "round":
                self.round, self.current = data["round"], None
                self.rounds[self.round] = {"round": self.round, "train": None, "validation": None, "worth": None, "shipped": ""}
            case "candidate":
                self.candidates[data["id"]] = {
                    "id": data["id"], "round": self.round, "dimension": data["dimension"], "operator": data["manifest"]["operator"],
                    "wins": 0, "losses": 0, "compared": 0, "of": 0, "verdict": "", "reason": "",
                }  # fmt: skip
            case "play":
                self._play(when, data)
            case "series":
                self._won.setdefault(data["what"], {}).update({task: won for task, (_, won) in data["episodes"].items()})
                self._count(data["who"], data["part"])
            case "worth":
                self.rounds[data["round"]]["worth"] = _worth(cast(StoredRound, data))
            case "verdict":
                self.candidates[data["id"]] |= {"verdict": "accepted" if data["accepted"] else "rejected", "reason": data["reason"]}
            case "ship":
                self.rounds[self.round]["shipped"] = data["operator"]
            case "end":
                self.phase, self.current = "finished", None

    def state(self) -> LiveState:
        """Return the state as JSON-ready data."""
        speed = self._speed()
        left = self._left()
        return {
            "phase": self.phase,
            "model": self.start["model"],
            "env": self.start["env_id"],
            "round": self.round,
            "of_rounds": self.start["rounds"],
            "rounds": list(self.rounds.values()),
            "candidates": list(self.candidates.values()),
            "current": self.current or {},
            "episodes": self.episodes,
            "tokens": self.tokens,
            "episodes_per_s": speed and speed[0],
            "tokens_per_s": speed and speed[1],
            "left": left,
            "left_s": left / speed[0] if speed else None,
            "may_grow": self.phase != "finished" and any(self._size(part) < self._size(part, most=True) for part in PARTS),
            "elapsed_s": (self.last or 0.0) - (self.began or 0.0),
            "last": self.last,
        }

    def _play(self, when: float, data: Mapping[str, Any]) -> None:
        self.phase = "playing"
        self.current = {
            "what": data["what"], "who": data["who"], "part": data["part"], "done": data["done"], "total": data["total"],
        }  # fmt: skip
        if not self._played and "task" not in data:  # where the time of the first episode is counted from
            self._played.append((when, 0))
        if "task" in data:
            self.episodes += 1
            self.tokens += data["tokens"]
            self._played.append((when, data["tokens"]))
            self._won.setdefault(data["what"], {})[data["task"]] = data["won"]
            self._count(data["who"], data["part"])

    def _count(self, who: str, part: str) -> None:
        """Count what a series has brought so far: a round's success, or a candidate's wins and losses against it."""
        won = self._won.get(f"{who}: {part}", {})
        if who not in self.candidates:
            key = _PARTS.get(part)
            if key is None:  # the same once more, to see whether it comes again
                return
            found = success_rate(won.values())
            ci95 = list(found.ci95) if found.ci95 else None
            self.rounds[self.round][key] = {"n": found.n, "errors": found.errors, "ci95": ci95, "won": sum(map(bool, won.values()))}
        elif part == "validation":
            before = self._won.get(f"round {self.round}: validation", {})
            pairs = [(before[task], after) for task, after in won.items() if task in before]
            self.candidates[who] |= {
                "wins": sum(after is True and not old for old, after in pairs),
                "losses": sum(old is True and after is False for old, after in pairs),
                "compared": len(pairs),
                "of": len(before),
            }

    def _speed(self) -> tuple[float, float] | None:
        """Return episodes and tokens a second."""
        if len(self._played) < 2 or (span := self._played[-1][0] - self._played[0][0]) <= 0:
            return None
        rest = list(self._played)[1:]
        return len(rest) / span, sum(tokens for _, tokens in rest) / span

    def _left(self) -> int:
        """Return the most episodes that can follow if the sets of tasks stay as they are; known ones, drops and an early end save some."""
        if self.phase == "finished":
            return 0
        train, validation = map(self._size, PARTS)
        cost = RoundCost(train, validation, self.start["candidates"], self.start.get("isolation") == "variants")
        noise = min(self.start["noise_tasks"], validation) if self.start.get("gate") == "auto" and self.round <= 1 else 0
        later = (self.start["rounds"] - max(self.round, 1)) * cost.total
        judged = sum(item["round"] == self.round and not self._is_fork(item) for item in self.candidates.values())
        rest_of_round = max(0, cost.candidates - judged) * cost.candidate + cost.ship
        if not self.current:
            return int(later + train + validation + noise + rest_of_round)
        who, part, rest = self.current["who"], self.current["part"], self.current["total"] - self.current["done"]
        if who not in self.candidates:
            follows = {"training": validation + noise, "validation": noise}.get(part, 0)
            return int(later + rest + follows + rest_of_round)
        candidate = self.candidates[who]
        if part not in ("smoke run", "validation"):
            if candidate["verdict"] == "accepted":  # it is being shipped, and no other is tried
                return int(later + rest + (train if part == "training" else max(0, train - self.current["total"])))
            return int(later + rest + 1 + validation + rest_of_round)
        forkable = 0 if self._is_fork(candidate) else cost.fork
        if candidate["verdict"]:  # what was dropped is not played to the end
            may_fork = candidate["verdict"] == "rejected" and candidate["losses"]
            return int(later + (forkable if may_fork else 0) + rest_of_round)
        return int(later + rest + (validation if part == "smoke run" else 0) + forkable + rest_of_round)

    def _size(self, part: Part, most: bool = False) -> int:
        """Return how many training or validation tasks a round plays at present, or at most if there are as many."""
        at_first: int = self.start[f"{part}_tasks"]
        if most:
            return at_first * int(self.start.get("growth", 1))
        played = [found["n"] + found["errors"] for item in self.rounds.values() if (found := item[part])]
        return max([at_first, *played])

    def _is_fork(self, candidate: LiveCandidate) -> bool:
        """Tell whether a candidate is the variant of one that was judged before it, as `gate.checked` names them."""
        name = candidate["id"]
        return self.start.get("isolation") == "variants" and name.endswith("v") and name[:-1] in self.candidates


def _worth(report: StoredRound) -> LiveWorth | None:
    """Return what is shown of a model on validation: its share, its best twin, and what it is worth; None without a model."""
    if "twins" not in report:
        return None
    item = worth.of_round(report)
    return {"share": worth.percent(item["model_share"]), "twin": worth.best_twin(item), "value": worth.value(item)}


@reads_run
def read_live(run_dir: str | Path) -> LiveState | None:
    """Read the state of a run, ended or not; None where the directory holds only evaluations.

    Raises:
        RunError: there is no run.
    """
    with Store(run_dir, readonly=True) as store:
        start = store.events("start")
        if not start:
            return None
        events = [(when, kind, data) for when, (kind, data) in store.timed("progress")]
        events += [(when, "end", {}) for when, _ in store.timed("end")]
    live = Live(start[0])
    for event in sorted(events, key=lambda item: item[0]):
        live.tell(*event)
    return live.state()
