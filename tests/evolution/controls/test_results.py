"""Rows from several machines in one table: what is refused, what is drawn again, and what they say together."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from homebody.envs import EnvError
from homebody.evolution.controls.claims import mean_claim, protocol_claims, size_claim
from homebody.evolution.controls.page import write_results
from homebody.evolution.controls.pictures import draw_by_benchmark, draw_by_size, draw_curves, draw_kinds
from homebody.evolution.controls.results import Results, ResultsError, build_report, dump_report, merge, read_results, shipped_results

MADE = {"version": "0.1.0", "commit": None, "machine": {"processor": "A", "cores": 2, "system": "s", "python": "3"}}


def record(
    model: str = "small 100M", seed: str = "0000", evolved: str = "1100", benchmark: str = "quarry", **changes: Any
) -> tuple[dict[str, Any], dict[str, Any]]:
    """A row and its combination, of four tasks."""
    points = (evolved.count("1") - seed.count("1")) / len(seed)
    split = changes.get("split", "test")
    shares = {"seed": seed.count("1") / len(seed), "evolved": evolved.count("1") / len(evolved)}
    gain = {"points": points, "ci95": [points, points], "n": len(seed)}
    numbers = {"n": len(seed), "seed_n": len(seed), "max_steps": 8, "attempts": 1}
    size = {"100M": 1e8, "300M": 3e8, "1B": 1e9}.get(model.rpartition(" ")[2])
    row = {
        "model": model, "family": model.partition(" ")[0], "parameters": size, "benchmark": benchmark, "protocol": "held-out", "repeat": 1,
        "objective": "model", "split": split, **numbers, **shares, "seed_style": "free", "seed_unreadable": None, "twins": {"echo": 0.0},
        "best_twin": "echo", "no_skills": None, "matcher": None, "gain": gain, "why": None, "model_value": gain, "model_share": 0.5,
        "tokens": 7, "model_sha256": f"sha of {model}",
    } | changes  # fmt: skip
    figures = {"ci95": [0.0, 1.0], "n": len(seed), "attempts": 1, "steps_mean": 3.0, "policy": model, "model_value": {**gain, "n": 4}}
    told: dict[str, Any] = {
        "errors": 0, "model_share": 0.5, "model_share_won": 0.5, "cut": 0.0, "repaired": 0, "unreadable": None, "twins": row["twins"],
        "best_twin": "echo", "decided_by": {"model": 2, "agreed": 0, "reading": 0, "harness": 2, "fallback": 0},
    }  # fmt: skip
    named = {"seed": "seed", "final": "evolved"}
    rows = [{"row": key, "label": key, **figures, **told, "success": shares[name]} for key, name in named.items()]
    played = {"env": "Quarry-v0", "env_args": {}, "model": model, "split": split, "max_steps": 8, "episodes": 9, "tokens": 7}
    controls = {"run": played, "rows": rows, "skipped": {}, "gain": {**gain, "headroom_closed": None}, "gain_at_k": None,
                "attribution": None, "audit": []}  # fmt: skip
    side = {"n": 4, "errors": 0, "success": 0.5, "ci95": [0.1, 0.9]}
    edit = {"id": "r1c1", "round": 1, "dimension": "memory", "operator": "remember", "hypothesis": "", "evidence": {}, "signature": "",
            "verdict": "accepted", "reason": "", "came": "shipped", "predicted": 2, "at_risk": 0, "unlocked": 1, "broken": 0,
            "gain": 0.5, "twin_gain": None}  # fmt: skip
    return row, {
        "model": model, "benchmark": benchmark, "protocol": row["protocol"], "repeat": row["repeat"], "about": "a quarry",
        "run": f"{model}-{benchmark}", "policy": {"policy": "model", "model": model}, "objective": row["objective"],
        "seed": {"style": "free", "tried": [], "asked": {"tasks": ["v"]}}, "controls": controls,
        "outcomes": {"tasks": [f"t{n}" for n in range(len(seed))], "seed": seed, "evolved": evolved},
        "manifest": {"played_with": [MADE], "env": "Quarry-v0", "env_args": {}, "max_steps": 8, "protocol": row["protocol"], "seed": 0,
                     "sampling": {}, "behaviour_hash": {"seed": "a" * 64, "evolved": "b" * 64}, "changes": []},
        "rounds": [{"round": 1, "train": side, "validation": side, "failures": {}, "shipped": "r1c1", "candidates": []}],
        "operators": [{"operator": "remember", "dimensions": ["memory"], "tried": 1, "accepted": 1, "shipped": 1, "predicted": 2,
                       "unlocked": 1}],
        "candidates": [edit], "cost": {"episodes": 9, "exploration_steps": 0, "wall_s": 1.0},
    }  # fmt: skip


def results(*records: tuple[dict[str, Any], dict[str, Any]], source: str = "here") -> Results:
    return Results(source, [row for row, _ in records], [one for _, one in records])


def report(*records: tuple[dict[str, Any], dict[str, Any]]) -> dict[str, Any]:
    found = results(*records)
    return build_report(found.rows, found.combinations, False)


def test_rows_of_several_sources_are_one_table_by_benchmark() -> None:
    mine = results(record(), record(benchmark="other"))
    theirs = results(record("big 1B"), record(), source="there")
    rows = merge([mine, theirs]).rows
    assert [(row["benchmark"], row["model"]) for row in rows] == [("quarry", "small 100M"), ("quarry", "big 1B"), ("other", "small 100M")]


def test_the_same_row_of_two_sources_may_have_other_tokens_and_another_machine() -> None:
    row, one = record(tokens=9)
    one["manifest"]["played_with"] = []
    assert merge([results(record()), results((row, one))]).rows[0]["tokens"] == 7


def changed(where: str, value: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """A record with one value of its manifest or its row replaced."""
    row, one = copy.deepcopy(record())
    holder = row if where in row else one["manifest"]
    holder[where] = value
    return row, one


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (record(evolved="1110"), "both have small 100M on quarry .* and differ in evolved, gain, model_value, outcomes"),
        (record(evolved="1010"), "differ in outcomes; leave one of them out"),
        (changed("behaviour_hash", {"seed": "a", "evolved": "c"}), "differ in behaviour_hash"),
        (changed("max_steps", 9), r"differ|benchmark quarry is not the same"),
        (
            changed("env_args", {"types": ["wash"]}),
            r"quarry is not the same in all results: env_args is \{\} in here and \{'types'",
        ),
        (changed("env", "Other-v0"), "env is 'Quarry-v0' in here and 'Other-v0' in there; make tables of their own"),
        (
            changed("model_sha256", "another"),
            "small 100M is not the same in all results: model_sha256 is 'sha of small 100M' in here",
        ),
    ],
)
def test_rows_that_do_not_belong_together_are_refused(other: Any, said: str) -> None:
    with pytest.raises(ResultsError, match=said) as refused:
        merge([results(record()), results(other, source="there")])
    assert "\n" not in str(refused.value)


def test_a_file_gives_back_what_was_written_and_draws_the_same(tmp_path: Path) -> None:
    first = report(record(), record("big 1B", evolved="1000"))
    write_results(first, tmp_path / "one")
    found = read_results(tmp_path / "one")
    again = build_report(found.rows, found.combinations, found.quick)
    assert again == first
    write_results(again, tmp_path / "two")
    names = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*.*"))
    assert len(names) > 20
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes(), name


def test_a_row_is_a_line_of_the_file() -> None:
    text = dump_report(report(record(), record("big 1B")))
    assert json.loads(text) == report(record(), record("big 1B"))
    assert len(text.splitlines()) == 2 + 6 + 2 * (2 + 2)


def test_the_table_that_ships_can_be_drawn(tmp_path: Path) -> None:
    shipped = shipped_results()
    found = merge([shipped])
    again = build_report(found.rows, found.combinations, found.quick)
    names = {path.name for path in write_results(again, tmp_path)}
    assert {"results.json", "results.md", "results.html", "results.png", "results.svg"} <= names
    assert read_results(tmp_path).rows == list(shipped.rows)


def broken(change: Callable[[dict[str, Any]], Any]) -> str:
    content = report(record())
    change(content)
    return json.dumps(content)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is not JSON"),
        ("[]", "holds no results of format 1: at the whole"),
        (broken(lambda content: content.update(format=2)), "holds no results of format 1: at format"),
        (broken(lambda content: content["rows"][0].pop("twins")), "at rows/0, 'twins' is a required property"),
        (broken(lambda content: content["rows"][0].update(evolved=90)), "at rows/0/evolved, 90 is greater than the maximum of 1"),
        (broken(lambda content: content["combinations"].clear()), "holds 1 rows and 0 combinations"),
        (
            broken(lambda content: content["combinations"][0]["outcomes"].update(seed="01")),
            "outcomes of small 100M on quarry need a letter",
        ),
        (broken(lambda content: content["combinations"][0]["controls"].pop("gain")), "at combinations/0/controls, 'gain' is a required"),
        (broken(lambda content: content["combinations"][0]["manifest"].pop("changes")), "at combinations/0/manifest, 'changes'"),
    ],
)
def test_a_file_that_is_none_says_what_is_wrong(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "results.json"
    path.write_text(text)
    with pytest.raises((ResultsError, EnvError), match=said) as refused:
        read_results(path)
    assert "\n" not in str(refused.value)


def test_a_file_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(EnvError, match=r"results\.json: cannot be read \(No such file or directory\); check the path"):
        read_results(tmp_path)


def test_a_null_gain_counts_nothing_in_the_mean_and_repeats_share_a_weight() -> None:
    null = record("big 1B", evolved="1111", gain=None, why="no")
    # 0.5 for the small model, whose repeats solve 1 and 3 of 4 tasks; nothing for the large one.
    found = report(record(evolved="1000"), record(evolved="1110", repeat=2), null)["mean_gain"]
    assert (found["points"], found["n"]) == (pytest.approx(0.25), 2)
    # What stands apart: the published protocol, the final split, and what was evolved for success.
    apart = [
        record(evolved="1111", **{key: value}) for key, value in (("protocol", "published"), ("split", "final"), ("objective", "success"))
    ]
    assert mean_claim(*zip(*[record(evolved="1000"), *apart], strict=True))["points"] == pytest.approx(0.25)
    assert mean_claim([], []) == {"points": 0.0, "ci95": [0.0, 0.0], "n": 0}


def test_smaller_models_are_compared_with_larger_ones_on_each_benchmark() -> None:
    more = [record(evolved="1111"), record("middle 300M", evolved="0000"), record("big 1B", evolved="0000")]
    found = size_claim(*zip(*more, strict=True))
    assert found is not None
    assert (found["points"], found["ci95"]) == (1.0, [1.0, 1.0])
    assert found["sentence"] == (
        "Smaller models gain more here: smaller half minus larger half +100.0 points (+100.0 to +100.0), mean of quarry."
    )
    less = size_claim(*zip(record(evolved="0000"), record("big 1B", evolved="1111"), strict=True))
    assert less is not None
    assert less["sentence"].startswith("Larger models gain more here: smaller half minus larger half -100.0 points")
    open_ = size_claim(*zip(record(evolved="1100"), record("big 1B", evolved="0011"), strict=True))
    assert open_ is not None
    assert open_["sentence"].startswith(
        "Whether smaller models gain more is not decided here: smaller half minus larger half +0.0 points (-"
    )
    assert size_claim(*zip(record(), record("unsized"), strict=True)) is None


def test_how_much_of_a_gain_is_the_protocol_has_an_interval() -> None:
    assert report(record())["protocol"] == []
    pair = [record(evolved="1000"), record(evolved="1111", protocol="published", objective="success")]
    (claim,) = protocol_claims(*zip(*pair, strict=True))
    assert (claim["published"], claim["held_out"], claim["points"]) == (1.0, 0.25, 0.75)
    # One task of four changed alike: a resample has it 0 to 4 times.
    assert claim["ci95"][0] < 0.75 <= claim["ci95"][1] <= 1.0
    assert claim["sentence"].startswith(
        "small 100M on quarry: +100.0 points by the published protocol, +25.0 held out: the protocol is +75.0"
    )
    others = [record("big 1B"), record("big 1B", protocol="published", objective="success")]
    *_, mean = protocol_claims(*zip(*pair, *others, strict=True))
    assert (mean["model"], mean["points"]) == (None, pytest.approx(0.375))


def test_a_line_joins_models_of_one_family_on_one_benchmark_alone() -> None:
    rows = [record("a 100M"), record("a 1B"), record("b 300M"), record("b 1B", benchmark="other")]
    figure = draw_by_size(report(*rows))
    assert figure is not None
    lines = [line for line in figure.axes[0].lines if line.get_linestyle() == "-" and len(line.get_xdata()) == 2]
    joined = [line for line in lines if len(set(line.get_xdata())) == 2 and line.get_linewidth() == 1.4]
    assert len(joined) == 1
    labels = {line.get_label() for line in figure.axes[0].lines}
    assert {"a", "b", "quarry", "other"} <= labels


def test_pictures_without_data_are_not_drawn() -> None:
    nothing = report()
    assert [draw(nothing) for draw in (draw_by_benchmark, draw_by_size, draw_curves, draw_kinds)] == [None] * 4


def test_a_row_says_of_how_many_tasks_its_gain_is_and_what_its_marks_mean() -> None:
    gain = {"points": 0.5, "ci95": [0.5, 0.5], "n": 2}
    figure = draw_by_benchmark(report(record(gain=gain), record("big 1B", gain=None), record("mid 300M", protocol="published")))
    assert figure is not None
    left, right = figure.axes
    # From the bottom.
    assert [label.get_text() for label in left.get_yticklabels()] == [
        "quarry, published protocol\nmid 300M, n = 4", "quarry\nbig 1B, n = 4", "quarry\nsmall 100M, n = 4 (gain: 2)"
    ]  # fmt: skip
    notes = left.get_xlabel().split("\n")
    assert notes == ["points (line: 95% interval)", "hollow: the gain is null", "orange: published protocol"]
    assert right.get_xlabel() == "points (line: 95% interval)"


def test_results_without_those_of_others_keep_their_other_rows() -> None:
    ours = results(record(evolved="1000"), record("big 1B"))
    left = ours.without(results(record()))
    assert [row["model"] for row, _ in left.pairs()] == ["big 1B"]
    assert [*left.without(results()).pairs()] == [*left.pairs()]


def test_kinds_of_edits_are_counted_by_model() -> None:
    row, one = record()
    one["candidates"] = [{**one["candidates"][0], "came": came} for came in ("shipped", "rejected", "rejected")]
    figure = draw_kinds(report((row, one), record("big 1B")))
    assert figure is not None
    assert {text.get_text() for text in figure.axes[0].texts} == {"1 of 3", "1 of 1"}


def borrowed(model: str, evolved: str = "1111", **changes: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """A record of a model in the harness that evolved for another."""
    row, one = record(model, evolved=evolved, harness_of="small 100M", **changes)
    return row, {**one, "harness_of": "small 100M", "rounds": [], "candidates": [], "operators": []}


@pytest.mark.parametrize("model", ["big 1B", "small 300M", "small 100M"])
def test_a_row_in_the_harness_of_another_model_stands_beside_those_that_evolved_and_counts_in_no_claim(model: str) -> None:
    own = [record("small 100M", evolved="1000"), record("small 300M", evolved="0000"), record("small 100M", protocol="published")]
    both = merge([results(*own), results(borrowed(model))])
    assert len(both.rows) == 4
    alone, beside = report(*own), build_report(both.rows, both.combinations, False)
    for claim in ("mean_gain", "size", "protocol"):
        assert beside[claim] == alone[claim]


def test_two_tables_that_differ_in_a_borrowed_row_say_which() -> None:
    with pytest.raises(ResultsError, match=r"both have big 1B on quarry \(.*, in the harness of small 100M\) and differ in"):
        merge([results(borrowed("big 1B")), results(borrowed("big 1B", "1110"), source="there")])


def test_a_mark_in_the_harness_of_another_model_is_hollow_and_no_line_joins_it() -> None:
    figure = draw_by_size(report(record("small 100M"), record("small 300M"), borrowed("small 1B")))
    assert figure is not None
    axes = figure.axes[0]
    (line,) = [item for item in axes.lines if item.get_linestyle() == "-" and item.get_linewidth() == 1.4]
    assert list(line.get_xdata()) == [1e8, 3e8]
    marks = {item.get_xdata()[0]: item for item in axes.lines if item.get_marker() == "o" and len(item.get_xdata()) == 1}
    assert marks[1e9].get_markerfacecolor() != marks[1e8].get_markerfacecolor()
    assert marks[1e9].get_markeredgecolor() == marks[1e8].get_markerfacecolor()
    assert "harness of another model" in [text.get_text() for text in figure.legends[0].get_texts()]
    kinds = draw_kinds(report(record("small 100M"), borrowed("small 1B")))
    assert kinds is not None
    assert "small 1B" not in [label.get_text() for label in kinds.axes[0].get_xticklabels()]
