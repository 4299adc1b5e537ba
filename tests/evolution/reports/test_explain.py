"""One edit and one round, explained: of a real run, where everything is there, and of runs that kept less."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from homebody.evolution.reports.explain import card_markdown, cards, explain, few, round_markdown
from homebody.evolution.reports.history import read_history
from homebody.evolution.store import RunError, Store


def section(text: str, title: str) -> list[str]:
    """Return the lines under a heading."""
    lines = text.splitlines()
    first = lines.index(title) + 1
    last = next((number for number in range(first, len(lines)) if lines[number].startswith("#")), len(lines))
    return [line for line in lines[first:last] if line]


def test_a_shipped_edit_from_evidence_to_verdict(baseline: Any) -> None:
    card = explain(baseline.run_dir, 1, "1")
    round_1, round_2 = baseline.result["rounds"]
    assert (card["id"], card["came"], card["round"]) == ("r1c1", "shipped", 1)
    # The failures that the round counted are the evidence, and each task has the steps that its digest names.
    shown = {category: len(tasks) for category, tasks in card["shown"].items()}
    assert shown.items() <= round_1["failures"].items()
    assert all(item["steps"] and item["history"] == [] for tasks in card["shown"].values() for item in tasks)
    assert [name for name, _ in card["checks"]] == [
        "manifest", "build", "novelty", "smoke run", "rollouts", "activation", "gain", "seesaw",
    ]  # fmt: skip
    assert card["critique"] == [{"revision": 0, "accepted": True, "objections": [], "rank": 0}]
    assert card["activations"] > 0
    assert (len(card["gained"]), len(card["lost"])) == (card["wins"], card["losses"])
    gained = round(round_2["train"]["success"] * round_2["train"]["n"])
    assert len(card["unlocked"]) <= gained


def test_the_patch_is_told_in_words(baseline: Any) -> None:
    card = explain(baseline.run_dir, 1, "r1c1")
    added = {item["use"] for item in _values(card["patch"])}
    for use in added:
        assert any(line.startswith(f"+ {use} (") for line in card["changes"]), use
    # In round 2 the patch is read against the harness that round 1 shipped.
    assert all(line[0] in "+~-" for found in explain(baseline.run_dir, 2)["cards"] for line in found["changes"])


def _values(patch: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found = [operation.get("value") for operation in patch]
    return [value for value in found if isinstance(value, dict) and "use" in value]


def test_the_markdown_of_an_edit_fits_a_screen_and_says_it_all(baseline: Any) -> None:
    card = explain(baseline.run_dir, 1, "1")
    text = card_markdown(card)
    lines = text.splitlines()
    assert len(lines) <= 50
    assert lines[0] == f"# r1c1: {card['manifest']['operator']} ({card['dimension']})"
    assert f"**shipped**: {card['reason']}" in lines
    assert f"Hypothesis: {card['manifest']['hypothesis']}" in lines
    verdict = section(text, "## Verdict")
    assert verdict[0] == "- Critic: no objection"
    assert verdict[1:9] == [f"- Gate, {number}. {name}: {said}" for number, (name, said) in enumerate(card["checks"], 1)]
    assert verdict[-1].startswith("- Training, round 2: ")
    assert section(text, "## Patch") == [f"- {' '.join(line.split())}" for line in card["changes"]]


def test_the_markdown_of_a_round(baseline: Any) -> None:
    found = explain(baseline.run_dir, 1)
    text = round_markdown(found)
    assert text.startswith("# Round 1\n")
    kinds = {item["type"] for item in found["digests"].values()}
    (solved,) = [line for line in text.splitlines() if line.startswith("- Solved on training, by type: ")]
    assert all(kind in solved for kind in kinds)
    for card in found["cards"]:
        assert f"## {card['id']}: {card['manifest']['operator']}" in text
        assert card["manifest"]["hypothesis"] in text
    for category in found["failures"]:
        assert f"- {category.replace('_', ' ')} (" in text


def test_objections_and_second_answers_are_told(baseline: Any, tmp_path: Path) -> None:
    run_dir = shutil.copytree(baseline.run_dir, tmp_path / "run")
    with Store(run_dir) as store:
        again = {"candidate_id": "r1c1", "accepted": False, "objections": ["is | already there", "predicts\nnothing"], "rank": 1}
        store.append("critique", {"round": 1, "revision": 1, "critiques": [again]})
    text = card_markdown(explain(run_dir, 1, "1"))
    assert section(text, "## Verdict")[:2] == [
        "- Critic: no objection",
        "- Critic, second answer: is | already there; predicts nothing",
    ]


@pytest.mark.parametrize(
    ("number", "candidate", "said"),
    [
        (9, None, r"has no round 9; it has the rounds 1 to 2$"),
        (0, "1", r"has no round 0; it has the rounds 1 to 2$"),
        (1, "7", r"^round 1 of .* has no candidate 7; it has r1c1, r1c2, r1c3$"),
        (1, "r2c1", r"has no candidate r2c1; it has r1c1"),
    ],
)
def test_what_does_not_exist_is_said_with_what_does(baseline: Any, number: int, candidate: str | None, said: str) -> None:
    with pytest.raises(RunError, match=said):
        explain(baseline.run_dir, number, candidate)


def test_a_run_without_rounds_and_a_round_without_candidates(told_run: Callable[..., Path], tmp_path: Path) -> None:
    with Store(tmp_path / "empty") as store:
        store.append("start", {"env_id": "Quarry-v0", "model": "m"})
    with pytest.raises(RunError, match="has no round 1; no round of it has ended yet"):
        explain(tmp_path / "empty", 1)
    with pytest.raises(RunError, match="has no candidate 1; it has none"):
        explain(told_run(tmp_path / "told"), 2, "1")


def test_an_older_run_tells_what_it_kept(told_run: Callable[..., Path], tmp_path: Path) -> None:
    run_dir = told_run(tmp_path)
    card = explain(run_dir, 1, "1")
    assert card["shown"] == {"loop": [{"task": "train/a-0", "steps": [], "history": []}]}
    # Its seed is not known, so the patch is told as it stands.
    assert card["changes"] == ['add /components/note = {"note": "an operator"}']
    assert (card["critique"], card["checks"], card["activations"]) == ([], [], None)
    text = card_markdown(card)
    assert "Hypothesis: none was kept" in text
    assert "| loop | at least a third of the steps repeated a command with the same answer | 1: train/a-0 |" in text
    assert "- Shows in: visited\n" in text
    assert section(text, "## Verdict") == [
        "- Validation: 3 tasks played; won 1: validation/a-0; lost none",
        "- Training, round 2: 1 of 1 predicted tasks solved, 1 of 1 at risk lost",
    ]
    rejected = section(card_markdown(explain(run_dir, 1, "2")), "## Verdict")
    assert rejected == ["- Validation: 2 tasks played, 1 spared; won none; lost none", "- Training, round 2: not played with this edit"]
    assert "- Validation: 1 won, 0 lost" in card_markdown(explain(run_dir, 1, "3"))
    assert "Failures on training: loop 1." in round_markdown(explain(run_dir, 1))


def test_a_control_claims_nothing(told_run: Callable[..., Path], tmp_path: Path) -> None:
    card = {**explain(told_run(tmp_path), 1, "3"), "shown": {}, "changes": [], "wins": 0, "losses": 0}
    text = card_markdown(card)
    assert "Evidence: none; it claims nothing." in text
    assert section(text, "## Patch") == ["- nothing"]
    assert "- Validation: not played" in text


def test_a_category_that_is_not_known_any_more(told_run: Callable[..., Path], tmp_path: Path) -> None:
    run_dir = told_run(tmp_path)
    card = explain(run_dir, 1, "1")
    text = card_markdown({**card, "shown": {"tired": card["shown"]["loop"]}})
    assert "| tired | a category of an older version |" in text
    found = explain(run_dir, 1)
    assert "- tired (a category of an older version): none" in round_markdown({**found, "failures": {"tired": 1}})


def test_a_patch_that_does_not_fit_is_told_as_it_stands(baseline: Any, tmp_path: Path) -> None:
    run_dir = shutil.copytree(baseline.run_dir, tmp_path / "run")
    history = read_history(run_dir)
    history.run["rounds"][0]["candidates"][1]["patch"] = [{"op": "remove", "path": "/components/gone"}]
    assert cards(history)[1]["changes"] == ["remove /components/gone"]
    # From a shipped patch that does not fit on, the harness is not known.
    history.run["rounds"][0]["candidates"][0]["patch"] = [{"op": "remove", "path": "/components/lost"}]
    assert next(card["changes"] for card in cards(history) if card["round"] == 2)[0].startswith("add /components/")


def test_long_names_are_cut_and_what_was_not_played_was_not_at_work(told_run: Callable[..., Path], tmp_path: Path) -> None:
    card = {**explain(told_run(tmp_path), 1, "3"), "activations": 0, "at_risk": ["x" * 65, "y" * 64]}
    text = card_markdown(card)
    assert f"- At risk: 2: {'x' * 61}..., {'y' * 64}\n" in text
    assert "- Shows in: visited\n" in text


def test_few_names() -> None:
    assert few([]) == "none"
    assert few(["a", "b"]) == "2: a, b"
    assert few(["a", "b", "c"], 2) == "3: a, b and 1 more"
