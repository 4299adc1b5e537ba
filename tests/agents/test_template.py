"""Prompt templates: rendering and checking in the worker process, and the processor that uses them."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homebody.agents.harness.hooks import AfterTool, TaskStart
from homebody.agents.harness.spec import HarnessError, HarnessSpec, component
from homebody.agents.models.backend import CUT
from homebody.agents.processors.base import Services
from homebody.agents.processors.template import VARIABLES, WRITES, Template
from homebody.agents.sandbox import renderer
from homebody.agents.sandbox.process import Worker
from homebody.agents.sandbox.renderer import PromptTemplateError, check, render

MENU = ("wait", "walk to dock 1")


def test_renders_blocks_on_lines_of_their_own_without_gaps() -> None:
    template = "You can:\n{% for command in candidates %}\n{{ loop.index }}. {{ command }}\n{% endfor %}\nChoose.\n"
    assert render(template, {"candidates": MENU}) == "You can:\n1. wait\n2. walk to dock 1\nChoose.\n"


@given(st.text())
@settings(max_examples=60, deadline=None)
def test_text_goes_through_as_it_is(text: str) -> None:
    assert render("{{ text }}", {"text": text}) == text


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{ candidates }} {{ subgoal }}", "['wait', 'walk'] {'phase': 'search', 'kinds': ['crate']}"),
        ("{{ candidates[0] }} {{ candidates[-1] }} {{ candidates[:1] }}", "wait walk ['wait']"),
        ("{{ candidates|tojson }} {{ subgoal|tojson }}", '["wait", "walk"] {"phase": "search", "kinds": ["crate"]}'),
        (
            "{{ candidates is sequence }} {{ subgoal is mapping }} {{ 'wait' in candidates }} {{ 'phase' in subgoal }}",
            "True True True True",
        ),
        ("{% for key, value in subgoal|items %}{{ key }}={{ value }};{% endfor %}", "phase=search;kinds=['crate'];"),
        ("{% for key, value in subgoal.items() %}{{ key }}={{ value }};{% endfor %}", "phase=search;kinds=['crate'];"),
        (
            "{{ subgoal.keys() }} {{ subgoal.get('gone', 3) }} {{ candidates.index('walk') }} {{ candidates.count('wait') }}",
            "['phase', 'kinds'] 3 1 1",
        ),
        (
            "{{ candidates|sort|join(', ') }} {{ candidates == ['wait', 'walk'] }} {{ candidates + ['go'] }}",
            "wait, walk True ['wait', 'walk', 'go']",
        ),
    ],
)
def test_lists_and_objects_can_be_read_in_every_way(template: str, text: str) -> None:
    assert render(template, {"candidates": ("wait", "walk"), "subgoal": {"phase": "search", "kinds": ["crate"]}}) == text


@pytest.mark.parametrize(
    "template",
    [
        "{{ candidates.append('fly') }}",
        "{{ candidates.clear() }}",
        "{{ subgoal.update({}) }}",
        "{{ subgoal.items()[0].clear() }}",
        "{{ subgoal.kinds.sort() }}",
    ],
)
def test_lists_and_objects_cannot_be_changed(template: str) -> None:
    with pytest.raises(PromptTemplateError, match=r"there is no '[a-z]+' here; there are") as caught:
        render(template, {"candidates": ["wait"], "subgoal": {"kinds": ["crate"]}})
    assert caught.value.kind == "AttributeError"


@pytest.mark.parametrize(
    "source",
    [
        "candidates.index",
        "subgoal.items",
        "subgoal.keys().count",
        "subgoal.items()[0].index",
        "range",
        "namespace(a=1)",
        "candidates|map('upper')",
    ],
)
def test_no_address_of_the_worker_stands_in_a_text(source: str) -> None:
    text = render(
        f"{{{{ {source} }}}} {{{{ [{source}] }}}} {{% for x in candidates %}}{{{{ loop }}}}{{% endfor %}}",
        {"candidates": ["a"], "subgoal": {"b": 1}},
    )
    assert "0x" not in text


@pytest.mark.parametrize(
    ("template", "context", "kind", "message"),
    [
        ("{{ gaol }}", {"goal": ""}, "UndefinedError", "template: UndefinedError in line 1: undefined value"),
        ("\n{{ goal.length }}", {"goal": ""}, "UndefinedError", "template: UndefinedError in line 2: undefined value"),
        ("{{ goal", {"goal": ""}, "SyntaxError", "template: SyntaxError in line 1: syntax error: unexpected end of input"),
        ("{{ candidates.index(1) }}", {"candidates": []}, "ValueError", "template: ValueError: 1 is not in list"),
        ("{% for a in range(9999) %}{{ a }}{% for b in range(9) %}{% endfor %}{% endfor %}", {}, "OutOfFuel", "engine ran out of fuel"),
        ("{{ 'x' * 70000 }}", {}, "TooLarge", "template: TooLarge: the text is longer than 65536 characters"),
        ("{{ goal }}", {"goal": float("nan")}, "NotJson", "template: NotJson: the template or its context: "),
        ("{{ goal }}", {"goal": "\ud800"}, "NotJson", "surrogates not allowed"),
        ("{{ goal }}", {"goal": {1, 2}}, "NotJson", "Object of type set"),
    ],
)
def test_what_does_not_render_is_a_named_error(template: str, context: dict[str, Any], kind: str, message: str) -> None:
    with pytest.raises(PromptTemplateError) as caught:
        render(template, context)
    assert caught.value.kind == kind
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_template_over_its_memory_or_time_is_stopped_and_the_next_one_renders() -> None:
    with pytest.raises(PromptTemplateError, match="takes longer than 250 ms or more than 512 MiB") as caught:
        render("{{ ('a' * 1000000)|replace('a', 'b' * 1000)|length }}", {})
    assert caught.value.kind == "Stopped"
    assert render("{{ 1 }}", {}) == "1"


def test_check_names_every_unknown_variable_and_what_there_is() -> None:
    assert check("{{ goal }}{% for x in candidates %}{{ x }}{{ loop.index }}{% endfor %}{{ range(2) }}", ["goal", "candidates"]) == []
    assert check("{{ gaol }}{{ debug() }}{% set mine = 1 %}{{ mine }}", ["candidates", "goal"]) == [
        "template: there is no variable 'debug'; there are candidates, goal",
        "template: there is no variable 'gaol'; there are candidates, goal",
    ]
    (problem,) = check(f"{{{{ {'x' * 8000} }}}}", ["goal"])
    assert len(problem) < 300
    (problem,) = check("{% if %}", ["goal"])
    assert problem.startswith("template: SyntaxError in line 1: ")


def workers(parent: int) -> list[int]:
    listing = subprocess.run(["ps", "-A", "-ww", "-o", "pid=,ppid=,args="], capture_output=True, text=True, check=True).stdout
    rows = (line.split(None, 2) for line in listing.splitlines())
    return [int(pid) for pid, ppid, args in rows if int(ppid) == parent and "renderer_engine.py" in args]


def test_killed_worker_is_one_failed_call() -> None:
    assert render("{{ 1 }}", {}) == "1"
    (worker,) = workers(os.getpid())
    os.kill(worker, 9)
    time.sleep(0.1)
    with pytest.raises(PromptTemplateError) as caught:
        render("{{ 2 }}", {})
    assert caught.value.kind == "Stopped"
    assert render("{{ 3 }}", {}) == "3"


def test_worker_that_does_not_start_is_a_named_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(renderer, "_worker", Worker(tmp_path / "gone.py", renderer.SECONDS, renderer.MEMORY_BYTES))
    with pytest.raises(PromptTemplateError, match="the worker process does not start; is minijinja installed"):
        render("{{ 1 }}", {})


def test_forked_process_has_a_worker_of_its_own() -> None:
    text = (
        "import os\nfrom homebody.agents.sandbox.renderer import render\n"
        "assert render('{{ 1 }}', {}) == '1'\n"
        "pid = os.fork()\n"
        "if pid:\n    os.waitpid(pid, 0)\n"
        "print(render('{{ 2 }}', {}), flush=True)\n"
    )
    done = subprocess.run([sys.executable, "-P", "-c", text], capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout.splitlines() == ["2", "2"]


def entry(source: str, hook: str = "before_model", **params: Any) -> dict[str, Any]:
    return component("template", {"text": source, **params}, hook=hook, dimension="context")


def template(source: str, hook: str = "before_model", **params: Any) -> Any:
    return Template.from_entry(entry(source, hook, **params), Services())


def test_text_stands_below_the_message_for_this_step_only(yard: Any) -> None:
    made = template("Goal: {{ goal }}. {{ steps_left }} steps left.\n")
    event = yard.ask(MENU, content="You wait.")
    assert made.process(event) == {"content": f"You wait.{CUT}\n\nGoal: {event.goal}. {event.steps_left} steps left."}
    event = yard.ask(MENU, content=f"You wait.{CUT} Hurry.")
    assert made.process(event)["content"].startswith(f"You wait.{CUT} Hurry.\n\nGoal: ")


def test_text_can_take_the_place_of_the_message(yard: Any) -> None:
    event = yard.ask(MENU, content=f"You wait.{CUT} Hurry.")
    assert template("[{{ content }}]", instead=True).process(event) == {"content": f"{CUT}[You wait. Hurry.]"}


def test_text_is_added_to_the_system_prompt() -> None:
    made = template("To {{ goal }}, begin with {{ candidates[0] }}.", "task_start")
    assert made.process(TaskStart("rest", "A yard.", MENU, "Act.")) == {"system_prompt": "Act.\n\nTo rest, begin with wait."}
    assert made.process(TaskStart("rest", "A yard.", MENU)) == {"system_prompt": "To rest, begin with wait."}
    alone = template("{{ observation }} {{ content }}", "task_start", instead=True)
    assert alone.process(TaskStart("rest", "A yard.", MENU, "Act.")) == {"system_prompt": "A yard. Act."}


def test_text_is_added_to_an_observation() -> None:
    made = template("{% if not accepted %}Not {{ command }}: {{ why }}.{% endif %}", "after_tool")
    assert made.process(AfterTool("fly", "Nothing.", False, "no wings", MENU)) == {"observation": "Nothing.\n\nNot fly: no wings."}
    assert made.process(AfterTool("wait", "You wait.", True, "", MENU)) is None


def test_templates_follow_what_they_add_to(yard: Any) -> None:
    components = {hook: entry("{{ content }}!", hook, instead=True) for hook in WRITES}
    components |= {"prompt": component("system_prompt", {"text": "Act."}), "trim": component("trim_observation", {"lines": 1})}
    spec = HarnessSpec.from_json({"format": 2, "name": "test", "components": components}).check()
    assert spec.in_order() == ["prompt", "task_start", "before_model", "trim", "after_tool"]


def test_empty_text_changes_nothing(yard: Any) -> None:
    assert template("\n{% if subgoal %}Find {{ subgoal.wanted }}.{% endif %}\n").process(yard.ask(MENU)) is None


def test_all_variables_can_be_used(yard: Any) -> None:
    event = yard.ask(MENU, subgoal=("search", "lever"), tools=("recall {text}",), steps_left=7)
    source = "|".join(f"{{{{ {name} }}}}" for name in VARIABLES["before_model"])
    text = template(source).process(event)["content"].partition(CUT)[2].strip()
    assert text.split("|")[-1] == "['recall {text}']"
    assert text.split("|")[-2] == "7"
    for hook, names in VARIABLES.items():
        assert Template.check_entry(entry("|".join(f"{{{{ {name} }}}}" for name in names), hook)) == []


@pytest.mark.parametrize(
    ("source", "hook", "words"),
    [
        ("{{ gaol }}", "before_model", "template: there is no variable 'gaol'; there are candidates, content, goal, observation, "),
        ("{{ steps_left }}", "task_start", "template: there is no variable 'steps_left'; there are candidates, content, goal, observation"),
        ("{{ goal }}", "after_tool", "template: there is no variable 'goal'; there are accepted, command, content, why"),
        ("{{ goal", "before_model", "template: SyntaxError in line 1"),
        ("{{ candidates[0].name }}", "before_model", "on a sample event: template: UndefinedError in line 1"),
        ("{{ candidates[0].name }}", "task_start", "on a sample event: template: UndefinedError in line 1"),
    ],
)
def test_component_is_checked(source: str, hook: str, words: str) -> None:
    (problem,) = Template.check_entry(entry(source, hook))
    assert problem.startswith(f"/params/text: {words}")


def test_template_names_one_of_three_hooks() -> None:
    for made, said in (
        (entry("x", "step_end"), "/components/t/hook: template is asked at one of task_start, before_model, after_tool, not step_end"),
        (component("template", {"text": "x"}), "/components/t: 'hook' is a required property; /components/t: 'dimension' is a required "),
    ):
        with pytest.raises(HarnessError) as caught:
            HarnessSpec.from_json({"format": 2, "name": "test", "components": {"t": made}})
        assert str(caught.value).startswith(f"harness: {said}")
