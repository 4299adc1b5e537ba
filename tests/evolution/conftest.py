"""For the tests of this folder: a toy environment, hand-made episodes, and the smallest evolution that ships something."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium
import pytest
from gymnasium.spaces import Text

from homebody.agents.content_hash import digest
from homebody.agents.record import EpisodeRecord, StepRecord
from homebody.envs import EnvError, TaskSpec
from homebody.envs.household.env import ProceduralEnv
from homebody.envs.household.houses.houses import HouseSource
from homebody.evolution.config import EvolveConfig
from homebody.evolution.gate.stats import wilson
from homebody.evolution.loop import evolve
from homebody.evolution.store import Store

SHAFTS = ("shaft 1", "shaft 2", "shaft 3")
CRATE = "crate 1"
GOALS = {"bring": "bring a gem to a crate", "wash": "wash a gem for a crate", "press": "press it"}


class Quarry(gymnasium.Env[str, str]):
    """Three open shafts with a stone in each and a gem in one of them; a closed crate with a coin in it.

    `bring` wants the gem in the crate, `wash` wants it there wetted, `press` wants one press. Tasks are `SPLIT/TYPE-NUMBER`; the gem
    is in shaft 1 + NUMBER % 3. Of `numbers` tasks a type, a split has all.
    """

    observation_space = Text(1000)
    action_space = Text(100)
    played: list[str] = []  # noqa: RUF012 - for all instances: what was reset to, in order

    def __init__(self, types: Sequence[str] = ("bring",), numbers: int = 6) -> None:
        self.turn = 0

    @classmethod
    def task_source(cls, types: Sequence[str] = ("bring",), numbers: int = 6) -> "QuarrySource":
        return QuarrySource(types, numbers)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        assert options is not None
        self.task = options["task"]
        self.played.append(self.task)
        self.type, _, number = self.task.partition("/")[2].partition("-")
        self.at = {"gem 1": SHAFTS[int(number) % 3], "coin 1": CRATE, **{f"stone {n}": f"shaft {n}" for n in (1, 2, 3)}}
        self.here, self.open, self.wet, self.pressed, self.turn = "", False, False, False, 0
        return "You are in a quarry.", self.info()

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        self.turn += 1
        answer = self.act(action) if action in self.commands() else "No."
        info = self.info()
        return answer, float(info["won"]), info["won"], self.turn >= 30, info

    def act(self, action: str) -> str:
        verb, *words = action.split()
        if verb == "press":
            self.pressed = True
        elif verb == "go":
            self.here = " ".join(words[1:])
        elif verb == "open":
            self.open = True
        elif verb == "lift":
            self.at[" ".join(words[:2])] = ""
        elif verb == "wet":
            self.wet = self.wet or words[0] == "gem"
        elif verb == "drop":
            self.at[" ".join(words[:2])] = self.here
        if verb in ("go", "open"):
            return f"{self.here} is closed." if self.closed() else f"At {self.here}: " + ", ".join(["dust", *self.things(self.here)])
        return "Done."

    def closed(self) -> bool:
        return self.here == CRATE and not self.open

    def things(self, place: str) -> list[str]:
        return sorted(thing for thing, where in self.at.items() if where == place)

    def commands(self) -> list[str]:
        found = ["press"] if self.type == "press" else []
        found += [f"go to {place}" for place in (*SHAFTS, CRATE) if place != self.here]
        held = self.things("")
        if self.closed():
            found.append(f"open {CRATE}")
        elif self.here and not held:
            found += [f"lift {thing} from {self.here}" for thing in self.things(self.here)]
        elif self.here:
            found.append(f"drop {held[0]} at {self.here}")
        if held and self.type == "wash":
            found.append(f"wet {held[0]}")
        return sorted(found)

    def info(self) -> dict[str, Any]:
        done = {"bring": self.at["gem 1"] == CRATE, "wash": self.at["gem 1"] == CRATE and self.wet, "press": self.pressed}
        return {"goal": GOALS[self.type], "admissible_commands": self.commands(), "won": done[self.type], "task_id": self.task}


class QuarrySource:
    asked: list[str] = []  # noqa: RUF012 - for all instances: splits whose tasks were listed, in order

    def __init__(self, types: Sequence[str], numbers: int) -> None:
        self.types, self.numbers = types, numbers

    def tasks(self, split: str, n: int | None = None) -> list[TaskSpec]:
        self.asked.append(split)
        return [TaskSpec(f"{split}/{kind}-{number}", kind, split) for number in range(self.numbers) for kind in self.types][:n]


gymnasium.register("Quarry-v0", entry_point=Quarry)  # type: ignore[arg-type]  # its protocol wants a function of any keywords


@pytest.fixture
def quarry() -> type[Quarry]:
    """The toy environment, registered as `Quarry-v0`, with nothing noted yet."""
    Quarry.played.clear()
    QuarrySource.asked.clear()
    return Quarry


@pytest.fixture(scope="session")
def episode() -> Callable[..., EpisodeRecord]:
    """Make an episode; all fields have a value. A step of its trace is given by those fields that matter."""
    plain = {
        "step": 1, "admissible": 2, "offered": 2, "method": "generate", "response": "", "command": "", "accepted": True, "observation": "",
        "reward": 0.0, "usable": True,
    }  # fmt: skip

    def make(won: bool = False, **fields: Any) -> EpisodeRecord:
        values: dict[str, Any] = {
            "task_id": "train/a-0", "type": "a", "won": won, "steps": 3, "seed": 0, "attempt": 0, "behaviour_hash": "h", "policy": "d",
            "opening": "o", "goal": "bring a gem to a crate", "trace": [], "invalid_actions": 0, "activations": {}, "failures": [],
            "error": None,
        }  # fmt: skip
        values |= fields
        values["trace"] = tuple(StepRecord.from_json(plain | step) for step in values["trace"])
        return EpisodeRecord(**values)

    return make


@pytest.fixture(scope="session")
def small() -> Callable[..., EvolveConfig]:
    """Make the configuration of an evolution of a second, without a model: two rounds, and both ship an edit."""

    def make(**changes: Any) -> EvolveConfig:
        values: dict[str, Any] = {
            "env_id": "homebody/Household-v0", "env_kwargs": {"rooms": ["bathroom"]}, "model": "no-model", "harness": "household-act",
            "rounds": 2, "candidates": 3, "train_tasks": 4, "validation_tasks": 6, "growth": 1, "max_steps": 10, "exploration_steps": 6000,
        }  # fmt: skip
        return EvolveConfig(**(values | changes))

    return make


@dataclass(frozen=True)
class Run:
    """An evolution that was run to its end."""

    config: EvolveConfig
    run_dir: Path
    result: dict[str, Any]
    events: list[tuple[str, dict[str, Any]]]
    """What its progress was told."""
    resets: list[tuple[str, str]]
    """Each reset of the environment: the last progress event before it, and the task."""
    asked: list[str]
    """Splits whose tasks were listed."""


@pytest.fixture(scope="session")
def baseline(small: Callable[..., EvolveConfig], tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The small evolution, in this process with one worker, and all that the environment was asked."""
    events: list[tuple[str, dict[str, Any]]] = []
    resets: list[tuple[str, str]] = []
    asked: list[str] = []
    reset, listed = ProceduralEnv.reset, HouseSource.tasks

    def spied_reset(self: Any, *, seed: Any = None, options: Any = None) -> Any:
        observation, info = reset(self, seed=seed, options=options)
        resets.append((events[-1][0], info["task_id"]))
        return observation, info

    def spied_tasks(self: Any, split: str, n: int | None = None) -> Any:
        asked.append(split)
        return listed(self, split, n)

    run_dir = tmp_path_factory.mktemp("baseline")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ProceduralEnv, "reset", spied_reset)
        patch.setattr(HouseSource, "tasks", spied_tasks)
        result = evolve(small(), run_dir, progress=lambda kind, data: events.append((kind, dict(data))))
    return Run(small(), run_dir, result, events, resets, asked)


def _edit(name: str, operator: str, verdict: str, reason: str) -> dict[str, Any]:
    impact = {"will_unlock": ["train/a-0"], "at_risk": ["train/a-1"]}
    manifest = {"operator": operator, "evidence": {"loop": ["train/a-0"]}, "predicted_impact": impact, "attribution_signature": "visited"}
    patch = [{"op": "add", "path": "/components/note", "value": {"note": operator}}]
    outcome = {"verdict": verdict, "reason": reason, "wins": 1, "losses": 0}
    return {"id": name, "dimension": "memory", "patch": patch, "manifest": manifest, **outcome}


@pytest.fixture(scope="session")
def told_run(episode: Callable[..., EpisodeRecord]) -> Callable[..., Path]:
    """Write a run of two rounds by hand, with evaluations of the seed and the evolved harness and of a control.

    Round 1 plays training `-+` and validation `--+`. Candidate r1c1 makes it `+-+` and is shipped; r1c2 is dropped after `--`, r1c3 was
    tried before. Round 2 plays training `+-`, and has its validation from r1c1. Each step's observation is `text`.
    """

    def write(run_dir: Path, text: str = "Dust.", name: str = "an operator") -> Path:
        def play(what: str, split: str, behaviour: str, outcomes: str) -> list[str]:
            keys = {}
            for number, mark in enumerate(outcomes):
                task = f"{split}/a-{number}"
                key = digest([behaviour, task])
                step = {
                    "step": 1, "admissible": 9, "offered": 3, "method": "rank", "subgoal": None, "scores": [], "response": f"say {text}",
                    "usable": mark == "+", "command": "lift gem 1 from shaft 1", "dropped_turns": 0, "accepted": mark == "+",
                    "observation": text, "reward": 0.0,
                    "changed": [{"by": "visited", "hook": "before_model", "outcome": "change", "fields": {"candidates": []}}],
                }  # fmt: skip
                usage = {"prompt_tokens": 10, "cached_tokens": 4, "generated_tokens": 1, "seconds": 0.5}
                record = episode(mark == "+", task_id=task, behaviour_hash=behaviour, trace=[step], opening=text, usage=usage)
                store.add_episode(key, record)
                keys[task] = [key, mark == "+"]
            who, _, part = what.partition(": ")
            told = {"what": what, "who": who, "part": part, "total": len(outcomes), "behaviour_hash": behaviour, "episodes": keys}
            if what:
                store.append("progress", ["series", told])
            return [key for key, _ in keys.values()]

        def rate(outcomes: str) -> dict[str, Any]:
            won = outcomes.count("+")
            return {"n": len(outcomes), "success": won / len(outcomes), "ci95": list(wilson(won, len(outcomes)))}

        def evaluation(harness: str, behaviour: str, policy: str, outcomes: str) -> None:
            keys = play("", "test", f"{behaviour} {policy}", outcomes)
            won = {f"test/a-{number}": mark == "+" for number, mark in enumerate(outcomes)}
            figures = {"steps_mean": 3.0, "prompt_tokens": 20, "generated_tokens": 2, "by_type": {"a": rate(outcomes)}, "trace_hash": "t"}
            where = {"env": "Quarry-v0", "split": "test", "max_steps": 15, "harness": harness, "behaviour_hash": behaviour}
            store.append("evaluation", {**where, **rate(outcomes), **figures, "policy": policy, "won": won, "keys": keys})

        edits = [
            _edit("r1c1", name, "accepted", "1 tasks won, 0 lost"),
            _edit("r1c2", name, "rejected", "dropped after 2 of 3 tasks: it can gain 0 tasks at most, and 1 are to be beaten"),
            _edit("r1c3", "another operator", "rejected", "novelty: this behaviour was tried before"),
        ]
        with Store(run_dir) as store:
            start = {"env_id": "Quarry-v0", "model": "m", "harness": name, "env_kwargs": {"deep": text}, "budget_episodes": None}
            store.append("start", {**start, "rounds": 2, "candidates": 3, "train_tasks": 2, "validation_tasks": 3})
            store.append("progress", ["begin", {}])
            store.append("statistics", {"steps": 500, "tasks": ["train/a-0"], "plans": [], "observations": {}})
            store.append("progress", ["round", {"round": 1, "behaviour_hash": "seed"}])
            play("round 1: training", "train", "seed", "-+")
            play("round 1: validation", "validation", "seed", "--+")
            for edit in edits:
                store.append("progress", ["candidate", edit])
            play("r1c1: smoke run", "train", "better", "+")
            play("r1c1: validation", "validation", "better", "+-+")
            play("r1c2: validation", "validation", "other", "--")
            first = {"round": 1, "behaviour_hash": "seed", "train": rate("-+"), "validation": rate("--+"), "failures": {"loop": 1}}
            store.append("round", {**first, "candidates": edits, "shipped": "r1c1"})
            store.append("progress", ["round", {"round": 2, "behaviour_hash": "better"}])
            play("round 2: training", "train", "better", "+-")
            play("round 2: validation", "validation", "better", "+-+")
            second = {"round": 2, "behaviour_hash": "better", "train": rate("+-"), "validation": rate("+-+"), "failures": {"searching": 1}}
            store.append("round", {**second, "candidates": [], "shipped": None})
            store.append("end", {"seed_hash": "seed", "final_hash": "better"})
            evaluation("s", "seed", "m", "--")
            evaluation("s-evolved", "better", "m", "+-")
            evaluation("s-evolved", "better", "expert", "++")
        return run_dir

    return write


@pytest.fixture(scope="session")
def quarry_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a real evolution on the toy environment, without a model, that ships one edit (`learned_plan`); not to be
    changed."""
    run_dir = tmp_path_factory.mktemp("quarry") / "run"
    config = EvolveConfig(
        "Quarry-v0", "no-model", "generic-act", env_kwargs={"types": ["bring", "wash"]}, rounds=3, candidates=2, train_tasks=6,
        validation_tasks=8, max_steps=8, exploration_steps=6000,
    )  # fmt: skip
    evolve(config, run_dir)
    return run_dir


@pytest.fixture
def torn(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], AbstractContextManager[None]]:
    """Let the game of one task be a torn file: `with torn(task_id):`."""
    load_game = ProceduralEnv.load_game

    @contextmanager
    def tear(broken: str) -> Iterator[None]:
        def damaged(self: Any, task_id: str) -> Any:
            if task_id == broken:
                raise EnvError("the file is torn")
            return load_game(self, task_id)

        with monkeypatch.context() as patch:
            patch.setattr(ProceduralEnv, "load_game", damaged)
            yield

    return tear
