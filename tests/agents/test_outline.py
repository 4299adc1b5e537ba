"""What differs between two harnesses, in words; the command that prints it is tested in tests/scripts."""

from homebody.agents.harness.outline import changes
from homebody.agents.harness.spec import HarnessSpec, component

BASE = HarnessSpec.from_json({"format": 2, "name": "toy", "components": {"loop_guard": component("loop_guard")}})
WINDOW = [{"op": "add", "path": "/components/window", "value": component("history_window", {"turns": 4})}]


def variant(name: str, **words: float) -> dict[str, object]:
    return {"name": name, "route": {"words": words, "bias": -1.0}, "patch": WINDOW}


def test_a_processor_that_comes_is_named_with_what_it_is_given() -> None:
    lines = changes(BASE, BASE.patch(WINDOW))
    assert lines[0].startswith("+ window (history_window) (context, at step_start): ")
    assert lines[1:] == ["+ window: turns 4"]
    assert changes(BASE.patch(WINDOW), BASE) == ["- window (history_window) (context)"]


def test_variants_come_change_and_go() -> None:
    one = BASE.with_variants([variant("v1", wash=1.5, gem=0.5, press=2.0)])
    other = BASE.with_variants([variant("v1", wash=1.0), variant("v2", **{word: 1.0 for word in "abcdef"})])
    assert changes(BASE, one) == ["+ variant v1: 1 edits, for goals with words like press, wash, gem"]
    assert changes(one, other) == [
        "~ variant v1: 1 edits, for goals with words like wash",
        "+ variant v2: 1 edits, for goals with words like a, b, c, d, e",
    ]
    assert changes(one, BASE) == ["- variant v1"]
    assert changes(one, one) == []
