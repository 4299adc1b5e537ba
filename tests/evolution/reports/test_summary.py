import shutil
from pathlib import Path
from typing import Any

import pytest

from homebody.agents.harness.spec import HarnessSpec
from homebody.agents.models import names
from homebody.agents.models.scripted import Scripted
from homebody.agents.rollout import RolloutConfig
from homebody.evolution.controls.evaluation import evaluate
from homebody.evolution.gate.stats import paired_gain
from homebody.evolution.reports.page import build_page
from homebody.evolution.reports.summary import latest, markdown, read_run, round_lines, table
from homebody.evolution.store import RunError, Store

START = {"env_id": "Quarry-v0", "model": "m"}
END = {"seed_hash": "s", "final_hash": "f"}
EMPTY = {"statistics": None, "rounds": [], "failed": None, "noise": None, "hit_rates": {}}


def evaluation(behaviour: str, policy: str, won: str, split: str = "test", max_steps: int = 15) -> dict[str, Any]:
    share = won.count("+") / len(won)
    return {
        "split": split, "max_steps": max_steps, "harness": behaviour, "policy": policy, "behaviour_hash": behaviour, "n": len(won),
        "success": share, "ci95": [share / 2, (1 + share) / 2], "steps_mean": 8.25, "prompt_tokens": 70, "generated_tokens": 3,
        "trace_hash": won, "won": {f"t{n}": letter == "+" for n, letter in enumerate(won)},
    }  # fmt: skip


def rows(found: dict[str, list[dict[str, Any]]], split: str = "test, 15 steps") -> dict[str, Any]:
    return {row["row"]: row for row in found[split]}


def test_the_table_lines_up_the_harnesses_and_the_controls() -> None:
    evaluations = [
        evaluation("s", "m", "+---"), evaluation("f", "random", "+++-"), evaluation("f", "expert", "++++"), evaluation("f", "m", "++--"),
        evaluation("f", "no-model", "--++"), evaluation("other", "m", "++++"), evaluation("s", "random", "----"),
    ]  # fmt: skip
    found = table(START, END, evaluations)
    assert list(found) == ["test, 15 steps"]
    shown = rows(found)
    assert {name: row.get("success") for name, row in shown.items() if name != "gain"} == {
        "seed harness": 0.25, "seed, twin random": 0.0, "evolved harness": 0.5, "evolved, twin no-model": 0.5, "evolved, twin random": 0.75,
        "expert (privileged)": 1.0,
    }  # fmt: skip
    assert next(iter(shown)) == "seed harness"
    # One more task of four, of which three were not solved; the interval pairs the tasks.
    gain = shown["gain"]
    assert (gain["n"], gain["gain"], gain["headroom_closed"]) == (4, 0.25, pytest.approx(1 / 3))
    assert gain["ci95"] == list(paired_gain([True, False, False, False], [True, True, False, False])[1:])


def test_reward_and_exact_success_stand_beside_the_success_where_there_are_any() -> None:
    grades = {"reward_mean": 0.625, "success_strict": 0.25, "ci95_strict": [0.046, 0.699]}
    evaluations = [evaluation("s", "m", "+---"), evaluation("f", "m", "++--") | grades]
    shown = rows(table(START, END, evaluations))
    assert {key: shown["evolved harness"][key] for key in grades} == grades
    assert not grades.keys() & shown["seed harness"].keys()
    run = {**EMPTY, "start": {"env_id": "e", "model": "m"}, "end": END, "evaluations": evaluations}
    text = markdown({**run, "table": table(START, END, evaluations)})
    assert "| 50.0% (25.0 to 75.0); mean reward 0.625, exact 25.0% (4.6 to 69.9) |" in text
    assert text.count("mean reward") == 1


def test_the_latest_evaluation_counts_and_splits_and_step_limits_stand_apart() -> None:
    evaluations = [evaluation("s", "m", "----"), evaluation("s", "m", "+---"), evaluation("s", "m", "++", "validation")]
    evaluations += [evaluation("s", "m", "+++-", max_steps=50)]
    found = table(START, END, evaluations)
    assert {split: [row["success"] for row in rows] for split, rows in found.items()} == {
        "test, 15 steps": [0.25], "validation, 15 steps": [1.0], "test, 50 steps": [0.75],
    }  # fmt: skip


def test_the_gain_compares_the_tasks_that_both_have_played() -> None:
    found = table(START, END, [evaluation("s", "m", "+-"), evaluation("f", "m", "++++")])
    gain = rows(found)["gain"]
    assert (gain["n"], gain["gain"], gain["headroom_closed"]) == (2, 0.5, 1.0)


VALUE = {"points": 0.5, "ci95": [0.25, 0.75], "lower90": 0.3, "n": 4}
TWINS = {"twins": {"no-model": 0.0, "random": 0.0, "echo": 0.25, "executor": 0.0}, "best_twin": "echo", "model_share": 0.5, "cut": 0.0,
         "model_share_won": 0.5, "repaired": 0, "decided_by": {"model": 2, "harness": 2}, "unreadable": 0.0, "errors": 0}  # fmt: skip


def test_a_gain_of_a_model_stands_beside_its_best_twin_or_says_why_it_is_none() -> None:
    seed, final = {**evaluation("s", "m", "+---"), "unreadable": 0.0}, {**evaluation("f", "m", "+++-"), **TWINS, "model_value": VALUE}
    gain = rows(table(START, END, [seed, final]))["gain"]
    assert (gain["headline"], gain["gain"]) == ("25.0% to 75.0%, best twin echo 25.0%", 0.5)
    assert gain["sentence"].startswith("+50.0 points (")
    copied = {**final, "model_value": {**VALUE, "points": 0.0, "ci95": [0.0, 0.0]}}
    gain = rows(table(START, END, [seed, copied]))["gain"]
    assert gain["sentence"].startswith("no gain of the model's: without the model the harness solves as much")
    muttering = rows(table(START, END, [{**seed, "unreadable": 0.5}, final]))["gain"]
    assert muttering["sentence"].startswith("no gain of the model's: 50.0% of the seed's replies could not be read")
    assert rows(table(START, END, [seed, evaluation("f", "m", "+++-")]))["gain"]["sentence"] == "no gain of the model's: twins not played"
    # What a control of a run gains is no model's, and is told as it is.
    alone = [evaluation("s", "random", "+---"), evaluation("f", "random", "+++-")]
    assert rows(table({**START, "model": "random"}, END, alone))["gain"]["sentence"].startswith("+50.0 points")


def test_the_markdown_says_what_the_model_is_worth() -> None:
    evaluations = [evaluation("s", "m", "+---"), {**evaluation("f", "m", "+++-"), **TWINS, "model_value": VALUE}]
    run = {**EMPTY, "start": START, "end": END, "evaluations": evaluations}
    lines = markdown({**run, "table": table(START, END, evaluations)}).splitlines()
    assert "Seed harness: m 25.0%, twins not played: homebody controls plays them" in lines
    assert "Evolved harness: m 75.0%, best twin echo 25.0%: model_value +50.0 (+25.0 to +75.0)" in lines
    assert any(line.startswith("| evolved harness | 4 | 75.0% (37.5 to 87.5) | 50.0% | 0.0% | 0.0% | 8.2 |") for line in lines)


def test_no_gain_without_two_harnesses_and_no_share_of_no_headroom() -> None:
    assert "gain" not in rows(table(START, END, [evaluation("f", "m", "++")]))
    other = {**evaluation("f", "m", "++"), "won": {"u0": True, "u1": True}}
    assert "gain" not in rows(table(START, END, [evaluation("s", "m", "++"), other]))  # no task in common
    same = {"seed_hash": "s", "final_hash": "s"}
    assert "gain" not in rows(table(START, same, [evaluation("s", "m", "++")]))
    full = rows(table(START, END, [evaluation("s", "m", "++"), evaluation("f", "m", "+-")]))["gain"]
    assert (full["gain"], full["headroom_closed"]) == (-0.5, None)
    assert table(None, None, [evaluation("s", "m", "+")]) == {}


@pytest.fixture(scope="session")
def reported(baseline: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the small run, with the final figures and the controls."""
    run_dir = tmp_path_factory.mktemp("reported") / "run"
    shutil.copytree(baseline.run_dir, run_dir)
    config = baseline.config
    final = str(run_dir / "final.json")
    for harness, policy in ((config.harness, "no-model"), (final, "no-model"), (final, "random"), (config.harness, "expert")):
        config = RolloutConfig(config.env_id, policy, config.max_steps, config.env_kwargs)
        evaluate(config, HarnessSpec.load(harness), "test", tasks=6, run_dir=run_dir)
    return run_dir


def test_a_run_is_read_from_its_store(reported: Path, baseline: Any) -> None:
    run = read_run(reported)
    assert run["start"]["model"] == "no-model"
    assert run["rounds"] == baseline.result["rounds"]
    assert run["end"]["final_hash"] == baseline.result["final_hash"]
    assert run["statistics"]["steps"] == baseline.result["exploration_steps"]
    assert len(run["evaluations"]) == 4
    assert all("won" not in item for item in run["evaluations"])
    shown = rows(run["table"], "test, 10 steps")
    assert list(shown) == [
        "seed harness", "evolved harness", "evolved, twin random", "expert (privileged)", "gain",
    ]  # fmt: skip
    assert shown["gain"]["gain"] == pytest.approx(shown["evolved harness"]["success"] - shown["seed harness"]["success"])


def test_the_markdown_of_a_run(reported: Path) -> None:
    run = read_run(reported)
    text = markdown(run)
    lines = text.splitlines()
    assert lines[0] == "# homebody/Household-v0, no-model"
    steps, played, plans = (run["statistics"][key] for key in ("steps", "tasks", "plans"))
    assert f"Exploration: {steps} environment steps on {played} training tasks, {plans} goal templates." in lines
    assert [line for line in lines if line.startswith("## ")] == [
        "## Round 1",
        "## Round 2",
        "## Gate and cost",
        "## Result: test, 10 steps",
    ]
    first = run["rounds"][0]
    assert f"Training {100 * first['train']['success']:.1f}% of 4, validation {100 * first['validation']['success']:.1f}% of 6." in lines
    assert sum("| accepted (shipped) |" in line for line in lines) == 2
    shown = rows(run["table"], "test, 10 steps")
    seed, gain = shown["seed harness"], shown["gain"]
    low, high = (100 * value for value in seed["ci95"])
    assert (
        f"| seed harness | 6 | {100 * seed['success']:.1f}% ({low:.1f} to {high:.1f}) | - | - | - | {seed['steps_mean']:.1f} | 0 | 0 |"
        in lines
    )
    final = f"{100 * shown['evolved harness']['success']:.1f}%"
    start = f"| **gain** | 6 | {100 * seed['success']:.1f}% to {final}: **{100 * gain['gain']:+.1f} points ("
    assert any(line.startswith(start) for line in lines)


def test_a_run_without_an_end(baseline: Any, tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        store.append("start", {"env_id": "Quarry-v0", "model": "no-model"})
    run = read_run(tmp_path)
    assert (run["end"], run["rounds"], run["statistics"], run["table"]) == (None, [], None, {})
    assert markdown(run) == "# Quarry-v0, no-model\n"
    with Store(tmp_path) as store:
        store.append("round", baseline.result["rounds"][0])
    assert "## Round 1" in markdown(read_run(tmp_path))


def test_a_run_of_evaluations_only(tmp_path: Path) -> None:
    config = RolloutConfig("homebody/Household-v0", "random", 3, {"rooms": ["bathroom"]})
    evaluate(config, HarnessSpec.load("household-act"), "validation", tasks=2, run_dir=tmp_path)
    run = read_run(tmp_path)
    assert (run["start"], run["table"]) == (None, {})
    # Wilson, 0 of 2: up to 3.8415 / (2 + 3.8415).
    assert markdown(run) == "# Evaluations\n\n- household-act, random, 2 tasks of validation, 3 steps: 0.0% (0.0 to 65.8)\n"


def test_an_evaluation_without_twins_says_what_plays_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "load", lambda name, **settings: Scripted(["look"] * 9, name="tiny"))
    config = RolloutConfig("homebody/Household-v0", "tiny", 3, {"rooms": ["bathroom"]})
    evaluate(config, HarnessSpec.load("household-act"), "validation", tasks=1, run_dir=tmp_path)
    lines = markdown(read_run(tmp_path)).splitlines()
    # `homebody controls` refuses a directory without an evolution.
    assert lines[2:4] == [
        "- household-act, tiny, 1 task of validation, 3 steps: 0.0% (0.0 to 79.3)",
        "  - tiny 0.0%, twins not played: homebody evaluate --twins plays them",
    ]
    assert "twins not played: homebody evaluate --twins plays them" in build_page(tmp_path)


def test_an_evaluation_without_twins_hides_none_with_twins() -> None:
    plain, fewer = evaluation("f", "m", "++-"), evaluation("f", "m", "+-")
    twinned = plain | {"twins": {"echo": 0.5}, "best_twin": "echo", "model_value": None, "model_value_why": "why"}
    assert latest([twinned, plain]) is twinned
    assert latest([plain, twinned]) is twinned
    assert latest([twinned, fewer]) is fewer  # other tasks: the twins are none of these
    assert latest([plain, fewer, evaluation("f", "m", "--")])["trace_hash"] == "--"
    (found,) = (row for row in table(START, END, [twinned, plain])["test, 15 steps"] if row["row"] == "evolved harness")
    assert found["best_twin"] == "echo"


def test_a_reason_cannot_break_the_table(baseline: Any) -> None:
    item = baseline.result["rounds"][0]
    edit = {**item["candidates"][0], "reason": "build: 'a|b'\nis odd"}
    run = {**EMPTY, "start": None, "end": None, "rounds": [{**item, "candidates": [edit]}], "table": {}, "evaluations": []}
    text = markdown(run)
    (line,) = [line for line in text.splitlines() if "is odd" in line]
    assert line.endswith("| build: 'a\\|b' is odd |")


def test_no_name_can_break_the_table(baseline: Any) -> None:
    item = baseline.result["rounds"][0]
    edit = {**item["candidates"][0], "id": "r1|c1", "dimension": "a|b"}
    edit["manifest"] = {**edit["manifest"], "operator": "this | that"}
    run = {**EMPTY, "start": None, "end": None, "rounds": [{**item, "candidates": [edit]}], "table": {}, "evaluations": []}
    (line,) = [line for line in markdown(run).splitlines() if "this" in line]
    assert line.startswith("| r1\\|c1 | a\\|b | this \\| that |")


END_OF_RUN = {
    **END, "episodes": 30, "tokens": 700, "prompt_tokens": 690, "cached_tokens": 500, "generated_tokens": 10, "exploration_steps": 99,
    "wall_s": 90.0, "stopped": "patience", "gate": "no-regression",
    "savings": {"everything": 100, "played": 30, "cached": 50, "stopped_early": 15, "refused": 5},
}  # fmt: skip


def test_what_a_run_cost_and_saved_is_said(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        store.append("start", START)
        store.append("noise", {"n": 4, "flips": 1, "differing": 2, "mode": "noise-aware"})
        store.append("landscape", {"round": 1, "hit_rates": {}})
        store.append("landscape", {"round": 2, "hit_rates": {"a | b": {"flipped": 2, "predicted": 5}}})
        store.append("end", END_OF_RUN)
    run = read_run(tmp_path)
    assert (run["noise"]["flips"], run["hit_rates"]["a | b"]) == (1, {"flipped": 2, "predicted": 5})
    assert markdown(run).splitlines()[2:] == [
        "## Gate and cost",
        "",
        "- Noise: of 4 validation tasks played twice with the same harness, 1 changed their outcome; the gate's mode is noise-aware.",
        "- Cost: 30 episodes, 700 tokens (10 generated, 500 of the prompts from cache), 99 exploration steps, 1.5 minutes; "
        "it ended by patience.",
        "- Saved: 30 episodes played of 100 that playing everything anew takes (50 cached, 5 refused, 15 stopped early).",
        "",
        "| operator | predicted training tasks solved |",
        "|---|---|",
        "| a \\| b | 2 of 5 |",
    ]


@pytest.mark.parametrize(("gate", "said"), [("no-regression", "no-regression"), ("", "never chosen")])
def test_a_gate_that_was_set_is_said(tmp_path: Path, gate: str, said: str) -> None:
    with Store(tmp_path) as store:
        store.append("start", START)
        store.append("end", {**END_OF_RUN, "gate": gate})
    assert f"- Gate: mode {said}, as it was set." in markdown(read_run(tmp_path)).splitlines()


def test_the_end_of_an_older_run_says_nothing_that_it_did_not_keep(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        store.append("start", START)
        store.append("end", {**END, "episodes": 3, "tokens": 0, "wall_s": 1.0})
    assert markdown(read_run(tmp_path)) == "# Quarry-v0, m\n"


def test_variants_are_named_and_those_that_went(baseline: Any) -> None:
    item = {**baseline.result["rounds"][0], "variants": ["r1c1v"], "retired": [{"name": "r0c1v", "reason": "it solves 1, the harness 2"}]}
    lines = round_lines(item)
    assert lines[-2:] == ["Variants: r1c1v.", "Retired: r0c1v, it solves 1, the harness 2."]


def test_no_run_to_read(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"holds no run \(no run.sqlite\)"):
        read_run(tmp_path)
