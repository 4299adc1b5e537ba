"""Which styles a seed harness has, and which of them is the seed of a gain."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from homebody.agents.harness import spec as spec_module
from homebody.agents.harness.spec import HarnessSpec
from homebody.agents.models import names
from homebody.agents.models.backend import Prompt, Tool
from homebody.agents.models.generation import Generation, Reply
from homebody.agents.models.kind import ModelKind
from homebody.agents.models.scripted import Scripted
from homebody.agents.processors.operator import method_of
from homebody.agents.rollout import RolloutConfig
from homebody.envs import tasks as list_tasks
from homebody.evolution.config import EvolveConfig
from homebody.evolution.controls import seed as module
from homebody.evolution.controls.benchmark import benchmarks
from homebody.evolution.controls.seed import FILE, choose_seed, seed_styles
from homebody.evolution.gate.player import EpisodesFailedError
from homebody.evolution.loop import evolve
from homebody.evolution.store import RunError, Store

PRESS = {"types": ["press"], "numbers": 3}
"""Tasks of the quarry that one command solves: `press`, the last on offer."""


def choose(run_dir: Path, model: str, on_record: Any = None, tasks: int = 3, minutes: float | None = None) -> dict[str, Any]:
    rollout = RolloutConfig("Quarry-v0", model, 3, PRESS)
    chosen = list_tasks("Quarry-v0", "validation", tasks, **PRESS)
    return choose_seed(run_dir, seed_styles("generic"), rollout, chosen, 1, on_record, minutes)


def tried(found: dict[str, Any]) -> dict[str, tuple[float | None, float | None]]:
    return {item["style"]: (item["success"], item["unreadable"]) for item in found["tried"]}


class Player(Scripted):
    """Writes what `answer` makes of whether it is held by a grammar, and scores as given."""

    def __init__(self, answer: Callable[[bool], str], scores: Any = None) -> None:
        super().__init__(scores=scores, name="player")
        self._answer = answer

    def chat(self, prompt: Prompt, generation: Generation, tools: Sequence[Tool] = ()) -> Reply:
        self.enqueue(self._answer(generation.grammar is not None))
        return super().chat(prompt, generation, tools)


@pytest.fixture
def played_by(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Let a model be what it is told; returns its name."""

    def be(answer: Callable[[bool], str], scores: Any = None) -> str:
        monkeypatch.setattr(names, "load", lambda name, **settings: Player(answer, scores))
        return "player"

    return be


def test_a_document_has_the_styles_of_its_answers() -> None:
    found = seed_styles("household")
    assert [style.name for style in found][:3] == ["act-free", "act-grammar", "act-score"]
    assert [method_of(style.spec) for style in found][:3] == ["generate", "grammar", "score"]
    assert found[0].spec.document == HarnessSpec.load("household").document
    assert [style.spec.name for style in found][1:3] == ["household-act-grammar", "household-act-score"]


@pytest.mark.parametrize("name", sorted({one.harness for one in benchmarks().values()}))
def test_the_styles_of_every_seed_are_valid_and_differ(name: str) -> None:
    found = seed_styles(name)
    assert len({style.spec.behaviour_hash for style in found}) == len({style.name for style in found}) == len(found) >= 3
    assert all(HarnessSpec.from_json(style.spec.document) for style in found)


def test_a_model_is_tried_with_the_documents_that_fit_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("homebody.agents.harness.seed.kind_of", lambda model: ModelKind(True, True, None))
    found = [style.name for style in seed_styles("generic", "m")]
    held = [f"{style}-{how}" for style in ("act", "react", "think") for how in ("free", "grammar", "score")]
    # A command that is the argument of a call has no grammar.
    assert found == [*held, "tool-free"]
    monkeypatch.setattr("homebody.agents.harness.seed.kind_of", lambda model: ModelKind(False, False, None))
    assert [style.name for style in seed_styles("generic", "m")] == ["act-free", "act-grammar", "act-score"]


def test_documents_that_behave_alike_are_one_style(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = tmp_path / "harnesses"
    folder.mkdir()
    document = HarnessSpec.load("generic").document
    for style in ("act", "react"):
        (folder / f"generic-{style}.json").write_text(json.dumps(document | {"name": f"generic-{style}"}))
    monkeypatch.setattr(spec_module.resources, "files", lambda package: tmp_path)
    monkeypatch.setattr("homebody.agents.harness.seed.kind_of", lambda model: ModelKind(True, False, None))
    assert [style.name for style in seed_styles("generic", "m")] == ["act-free", "act-grammar", "act-score"]


def test_a_document_whose_answers_are_constrained_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    held = seed_styles("generic")[1].spec
    monkeypatch.setattr(module.HarnessSpec, "load", lambda name, model=None: held)
    (style,) = seed_styles("generic")
    assert (style.name, style.spec) == ("act-grammar", held)


@pytest.mark.parametrize(
    ("answer", "scores", "style"),
    [
        (lambda held: "press", None, "act-grammar"),  # all succeed: the first that leaves nothing to be read
        (lambda held: "go to shaft 1" if held else "press", None, "act-free"),
        (lambda held: "press" if held else "nothing", None, "act-grammar"),
        (lambda held: "go to shaft 1", lambda prompt, text: float(text == "press"), "act-score"),
        (
            lambda held: "go to shaft 1" if held else "nothing",
            lambda prompt, text: -float(text == "press"),
            "act-grammar",
        ),  # none succeeds: what can be read
    ],
)
def test_success_decides_then_what_can_be_read_then_the_constraint_then_the_order(
    quarry: Any, tmp_path: Path, played_by: Any, answer: Any, scores: Any, style: str
) -> None:
    found = choose(tmp_path, played_by(answer, scores))
    assert found["style"] == style
    assert (tmp_path / FILE).read_text("utf-8") == HarnessSpec(found["document"]).dumps()
    assert {style.name: style.spec for style in seed_styles("generic")}[style].behaviour_hash == (
        HarnessSpec.load(tmp_path / FILE).behaviour_hash
    )


def test_every_style_is_told_with_its_success_and_its_unreadable_replies(quarry: Any, tmp_path: Path, fixed: str) -> None:
    found = choose(tmp_path, fixed)
    assert set(quarry.played) == {f"validation/press-{number}" for number in range(3)}
    assert tried(found) == {"act-free": (0.0, 1.0), "act-grammar": (0.0, None), "act-score": (1.0, None)}
    assert found["style"] == "act-score"  # `press` is the shortest command


@pytest.mark.parametrize(("minutes", "styles"), [(1e-9, ["act-free"]), (60.0, ["act-free", "act-grammar", "act-score"])])
def test_where_the_time_is_short_no_further_style_is_begun(
    quarry: Any, tmp_path: Path, fixed: str, minutes: float, styles: list[str]
) -> None:
    told: list[tuple[int, int]] = []
    found = choose(tmp_path, fixed, lambda done, total, last: told.append((done, total)), minutes=minutes)
    assert [*tried(found)] == styles
    assert told == [(number, 9) for number in range(1, 3 * len(styles) + 1)]
    assert sorted(found["asked"]["styles"].values()) == ["act-free", "act-grammar", "act-score"]
    assert tried(found) == {style: tried(choose(tmp_path / "all", fixed))[style] for style in styles}


def test_what_was_chosen_is_not_played_again(quarry: Any, tmp_path: Path, fixed: str) -> None:
    first = choose(tmp_path, fixed)
    (tmp_path / FILE).unlink()
    quarry.played.clear()
    assert choose(tmp_path, fixed) == first
    assert quarry.played == []
    assert (tmp_path / FILE).is_file()
    # More tasks are another choice, for which only what is new is played.
    choose(tmp_path, fixed, tasks=1)
    assert quarry.played == []


def test_a_choice_for_which_the_time_did_not_suffice_goes_on_where_it_was(quarry: Any, tmp_path: Path, fixed: str) -> None:
    assert choose(tmp_path, fixed, minutes=1e-9)["style"] == "act-free"
    quarry.played.clear()
    assert choose(tmp_path, fixed, minutes=60.0) == choose(tmp_path / "all", fixed)
    assert len(quarry.played) == 2 * 3 + 3 * 3  # two styles, and all three in the other folder
    with Store(tmp_path) as store:
        store.append("start", {})
    assert choose(tmp_path, fixed, minutes=1e-9)["style"] == "act-score"  # of an evolution that has begun


def test_a_choice_that_is_not_as_we_write_it_is_named(quarry: Any, tmp_path: Path, fixed: str) -> None:
    with Store(tmp_path) as store:
        store.append("seed", {})
    with pytest.raises(RunError, match=r"run.sqlite is not as homebody writes it \(KeyError: 'document'\)"):
        choose(tmp_path, fixed)


def test_the_evolution_finds_the_episodes_of_its_seed(quarry: Any, tmp_path: Path, fixed: str) -> None:
    choose(tmp_path, fixed)
    quarry.played.clear()
    config = EvolveConfig(
        "Quarry-v0", fixed, str(tmp_path / FILE), env_kwargs=PRESS, rounds=1, candidates=1, train_tasks=2, validation_tasks=3,
        max_steps=3, growth=1, noise_tasks=1, exploration_steps=0, gate="no-regression", proposer="noop",
    )  # fmt: skip
    evolve(config, tmp_path)
    with Store(tmp_path, readonly=True) as store:
        (document,) = store.events("harness")
    assert document["document"]["name"] == "generic-act-score"
    twins = 4 * 3  # of the round, and no episode of the model
    assert sum(task.startswith("validation/") for task in quarry.played) <= 2 * twins
    # An evolution that has begun keeps its seed, whatever is asked.
    assert choose(tmp_path, fixed, tasks=1)["style"] == "act-score"


def test_errors_of_all_episodes_are_told(quarry: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "load", lambda name, **settings: Scripted(name="m", scores=lambda prompt, text: 1 / 0))
    with pytest.raises(EpisodesFailedError, match="styles of the seed harness: errors ended all 3 episodes; the first, validation/press-0"):
        choose(tmp_path, "m")
    assert not (tmp_path / FILE).exists()


def test_a_style_that_errors_end_is_not_chosen_and_is_tried_again(quarry: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = Player(lambda held: "nothing", lambda prompt, text: 1 / 0)
    monkeypatch.setattr(names, "load", lambda name, **settings: broken)
    found = choose(tmp_path, "player")
    assert {item["style"]: item["errors"] for item in found["tried"]} == {"act-free": 0, "act-grammar": 0, "act-score": 3}
    assert found["style"] == "act-grammar"
    monkeypatch.setattr(names, "load", lambda name, **settings: Player(lambda held: "nothing", lambda prompt, text: float(text == "press")))
    assert choose(tmp_path, "player")["style"] == "act-score"
