"""A page in text: what the browser found becomes lines, references and commands."""

from __future__ import annotations

from typing import Any

import pytest

from homebody.envs.miniwob.reading import Reading, read
from homebody.envs.miniwob.scripted import choose


def element(role: str, name: str, n: int = 0, **more: Any) -> dict[str, Any]:
    return {"role": role, "name": name, "states": [], "n": n, **more}


def page(*pieces: dict[str, Any], goal: str = "Do it.", actions: tuple[str, ...] = (), **state: Any) -> Reading:
    return read({"goal": goal, "pieces": list(pieces), "done": False, "reward": 0, "errors": [], **state}, actions)


def test_a_form() -> None:
    form = page(
        {"text": "Sign in"},
        {"text": "User name:"},
        element("textbox", "User name:", 0, value=""),
        element("checkbox", "Stay", 1, states=["checked"]),
        element("button", "OK", 2),
    )
    assert form.text == 'Do it.\nSign in\ntextbox User name = ""\ncheckbox Stay (checked)\nbutton OK'
    assert form.commands == [
        "click button OK",
        "click checkbox Stay",
        "click textbox User name",
        "type into textbox User name: {text}",
        "wait",
    ]


def test_elements_that_are_alike_are_numbered_and_one_without_a_name_is_its_role() -> None:
    assert list(page(element("button", "Go"), element("button", "Go"), element("textbox", "", value="")).elements) == [
        "button Go (1)", "button Go (2)", "textbox"
    ]  # fmt: skip
    assert list(page(element("textbox", "", value=""), element("textbox", "", value="")).elements) == ["textbox (1)", "textbox (2)"]
    assert list(page(element("item", "A"), element("item", "A"), element("item", "A (1)")).elements) == [
        "item A (1)", "item A (2)", "item A (1)'"
    ]  # fmt: skip


def test_names_are_one_line_without_what_a_command_is_made_of() -> None:
    (ref,) = page(element("link", "a {text}:\n b: c" + "x" * 200)).elements
    assert ref.startswith("link a (text) b cxxx")
    assert len(ref) == len("link ") + 120
    assert ref.endswith("...")


def test_icons_are_named_by_their_row() -> None:
    rows = page(element("item", "Ann", more=["Hello", "How are"]), element("icon", "star", of="Ann"), element("icon", "star", of="Bo"))
    assert rows.text == "Do it.\nitem Ann | Hello | How are\nicon star of Ann\nicon star of Bo"
    assert rows.commands == ["click icon star of Ann", "click icon star of Bo", "click item Ann", "wait"]


def test_lists_offer_their_options_and_long_values_show_both_ends() -> None:
    found = page(element("combobox", "Size", value="S", options=["S", "L", "L", ""]), element("textarea", "", value="a" * 400 + "end"))
    assert found.lines[1] == 'combobox Size = "S" [S, L, ]'
    assert found.lines[2] == f'textarea = "{"a" * 150} ... {"a" * 147}end"'
    assert "select L in combobox Size" in found.commands
    assert not any(command.startswith("select  in") for command in found.commands)


def test_what_is_disabled_or_read_only_is_not_offered() -> None:
    found = page(
        element("button", "Go", states=["disabled"]),
        element("textbox", "Day", value="", states=["read only"]),
        element("textarea", "", value="", states=["disabled", "scrolls"]),
        element("textbox", "Name", value="", states=["focused"]),
    )
    assert found.commands == [
        "click textbox Day", "click textbox Name", "press Enter", "scroll down in textarea", "scroll up in textarea",
        "type into textbox Name: {text}", "wait"
    ]  # fmt: skip


def test_actions_that_a_page_needs_besides() -> None:
    box, source = element("textbox", "", value=""), element("textarea", "", 1, value="x")
    assert {"copy textarea", "paste into textbox"} < set(page(box, source, actions=("clipboard",)).commands)
    assert "copy textarea" not in page(box, source).commands
    assert {"type: {text}", "press Enter"} < set(page(actions=("keys",)).commands)
    assert "highlight {text}" in page(actions=("highlight",)).commands
    dragged = page(element("item", "A", drag=True), element("item", "B"), actions=("drag",))
    assert [command for command in dragged.commands if command.startswith("drag")] == ["drag item A to item B"]


def test_a_task_that_is_over_offers_to_wait() -> None:
    over = page(element("button", "Go"), done=True, reward=0.5)
    assert (over.text, over.commands, over.reward) == ("The task is over.", ["wait"], 0.5)


def test_a_page_without_a_sentence_has_a_goal_all_the_same() -> None:
    assert page(goal=" \n ").goal == "Do the task on this page."
    assert page(goal=" Click\x00 on\n it ").goal.startswith("Click")


@pytest.mark.parametrize(
    ("goal", "pieces", "commands"),
    [
        (
            'Click on the "ok" button.',
            [element("button", "no"), element("button", "OK", 1)],
            ["click button OK", "click button no", "wait"],
        ),
        (
            'Enter the username "ann" and press Login.',
            [element("textbox", "Username", 0, value=""), element("button", "Login", 1)],
            ["type into textbox Username: ann", "click button Login", "click textbox Username", "wait"],
        ),
        (
            "Select b and c and click Submit.",
            [
                element("checkbox", "a"),
                element("checkbox", "b", 1),
                element("checkbox", "c", 2, states=["checked"]),
                element("button", "Submit"),
            ],
            ["click checkbox b", "click button Submit", "wait"],
        ),
        ("Select 7 with the slider.", [element("slider", "", 0, value="3")], ["set slider to 7", "wait"]),
        (
            "Select Mali from the list.",
            [element("combobox", "", 0, value="Peru", options=["Peru", "Mali"])],
            ["select Mali in combobox", "wait"],
        ),
        (
            "Find Bo.",
            [element("menuitem", "A", 0, states=["submenu"]), element("tab", "B", 1)],
            ["hover menuitem A", "click tab B", "wait"],
        ),
    ],
)
def test_the_scripted_policy_does_what_sentence_and_page_have_in_common(goal: str, pieces: list[Any], commands: list[str]) -> None:
    given: list[str] = []
    for _ in commands:
        given.append(choose(page(*pieces, goal=goal), given))
    assert given == commands
