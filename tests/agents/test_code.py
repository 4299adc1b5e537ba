"""Code processors: an event goes into the sandbox as JSON, and an answer comes back as an outcome of the hook."""

from typing import Any

import pytest

from homebody.agents.harness.hooks import HOOKS, BeforeModel, Choice, CurrentSubgoal, Intercept, Interrupt, StepStart, TaskStart, Turn
from homebody.agents.harness.running import Harness
from homebody.agents.processors.base import Services
from homebody.agents.processors.code import Code, CodeError
from homebody.agents.processors.sample import SAMPLES


def entry(body: str, hook: str = "before_model", dimension: str = "control", **params: Any) -> dict[str, Any]:
    source = "def process(event):\n" + "".join(f"    {line}\n" for line in body.split("\n"))
    return {"use": "code", "hook": hook, "dimension": dimension, "params": params, "source": source}


def code(body: str, hook: str = "before_model", **params: Any) -> Code:
    return Code.from_entry(entry(body, hook, **params), Services())


def answer(body: str, hook: str = "before_model", **params: Any) -> Any:
    return code(body, hook, **params).process(SAMPLES[hook])


def test_entry_gives_hook_dimension_and_patience() -> None:
    made = Code.from_entry(entry("return None", "after_tool", "observability", max_failures=7), Services())
    assert (made.hook, made.dimension, made.max_failures) == ("after_tool", "observability", 7)
    assert code("return None").max_failures == 3


@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize("body", ["return None", "return {}", "return event"])
def test_nothing_and_the_whole_event_are_no_change(hook: str, body: str) -> None:
    assert not answer(body, hook)
    assert Code.check_entry(entry(body, hook)) == []


def test_event_has_all_fields_and_the_entrys_params() -> None:
    made = code(
        "print(sorted(event), event['params'], event['candidates'][0], event['subgoal']['wanted'], event['choice']['method'])",
        values={"n": 2},
    )
    assert made.process(SAMPLES["before_model"]) is None
    fields = [
        "admissible", "advised", "barred", "candidates", "choice", "content", "env_text", "generation", "goal", "guidance",
        "observation", "others", "params", "prior", "reading", "slot_lines", "steps_left", "subgoal", "thoughts", "tools",
    ]  # fmt: skip
    assert made.notes == {"printed": f"{fields} {{'max_failures': 3, 'values': {{'n': 2}}}} look lever generate\n"}


def test_changes_come_back_in_the_types_of_the_event() -> None:
    changes = answer(
        "n = event['params']['values']['n']\n"
        "return {**event, 'candidates': event['candidates'][:n], 'prior': [1, 2.5], 'tools': ['note {text}'],\n"
        "        'subgoal': {'phase': 'act', 'wanted': 'lever'}, 'choice': {**event['choice'], 'method': 'score', 'weight': 2}}",
        values={"n": 2},
    )
    assert changes == {
        "candidates": ("look", "pull lever 1"),
        "prior": (1.0, 2.5),
        "tools": ("note {text}",),
        "subgoal": CurrentSubgoal("act", "lever"),
        "choice": Choice(method="score", weight=2),
    }
    assert [type(value) for value in changes["prior"]] == [float, float]


def test_history_comes_back_as_turns() -> None:
    assert answer("return {'history': event['history'][1:]}", "step_start") == {"history": SAMPLES["step_start"].history[1:]}
    assert answer("return {'history': [{'command': 'a', 'observation': 'b'}]}", "step_start") == {"history": (Turn("a", "b"),)}


def test_focus_can_be_taken_away() -> None:
    assert answer("return {'subgoal': None}") == {"subgoal": None}


def test_intercept_and_interrupt() -> None:
    assert answer("return {'intercept': {'command': 'look'}}", "before_tool") == Intercept({"command": "look"})
    assert answer("return {'interrupt': 'nothing left to try'}", "step_start") == Interrupt("nothing left to try")
    assert Code.check_entry(entry("return {'interrupt': 'done'}", "step_start")) == []


BAD = {
    "no dict": ("before_model", "return 5", "answered with 5; give a dict of changed fields, intercept, interrupt or None"),
    "long": ("before_model", "return 'x' * 100", "answered with '" + "x" * 76 + "...;"),
    "intercept beside more": ("before_tool", "return {'intercept': {}, 'command': 'x'}", "command, intercept; intercept must stand alone"),
    "intercept no dict": ("before_tool", "return {'intercept': 1}", "gave 1 as intercept; give a dict of changed fields"),
    "interrupt no text": ("before_tool", "return {'interrupt': 1}", "gave 1 as interrupt; give the reason, a text"),
    "interrupt without reason": ("before_tool", "return {'interrupt': ''}", "gave '' as interrupt; give the reason, a text"),
    "interrupt at the end": ("step_end", "return {'interrupt': 'x'}", "answered with interrupt; this hook is read-only"),
    "text": ("before_model", "return {'content': 5}", "set content to 5; it must be a text"),
    "candidates": ("before_model", "return {'candidates': 'look'}", "set candidates to 'look'; it must be a list of texts"),
    "candidates items": ("before_model", "return {'candidates': [1]}", "set candidates to [1]; it must be a list of texts"),
    "prior": ("before_model", "return {'prior': [True]}", "set prior to [True]; it must be a list of finite numbers"),
    "prior too large": ("before_model", "return {'prior': [10**400]}", "it must be a list of finite numbers"),
    "subgoal": ("before_model", "return {'subgoal': {'phase': 'act'}}", "it must be {phase, wanted} or None"),
    "subgoal type": ("before_model", "return {'subgoal': {'phase': 'act', 'wanted': 1}}", "it must be {phase, wanted} or None"),
    "choice": (
        "before_model",
        "return {'choice': {'method': 'guess'}}",
        "set choice to {'method': 'guess'}; it must be an object as in the event",
    ),
    "how too much": ("before_model", "return {'choice': {**event['choice'], 'samples': 10**9}}", "it must be an object as in the event"),
    "how type": ("before_model", "return {'choice': {'samples': 1.5}}", "it must be an object as in the event"),
    "history": (
        "step_start",
        "return {'history': [['a', 'b']]}",
        "it must be a list of {command, observation, reply, thought, text, is_summary}",
    ),
    "approved": ("before_tool", "return {'approved': 0.5}", "set approved to 0.5; it must be true or false"),
    "answer": ("before_tool", "return {'answer': 1}", "set answer to 1; it must be a text or None"),
    "raised": ("after_model", "return event['gone']", "KeyError in line 2: gone"),
}


@pytest.mark.parametrize(("hook", "body", "words"), BAD.values(), ids=BAD)
def test_wrong_answer_is_an_error_that_names_hook_and_field(hook: str, body: str, words: str) -> None:
    with pytest.raises(CodeError) as caught:
        answer(body, hook)
    assert str(caught.value).startswith(f"code at {hook}")
    assert words in str(caught.value)
    (problem,) = Code.check_entry(entry(body, hook))
    assert problem == f"/source: on a sample event: {caught.value}"


def test_dry_run_finds_what_the_hook_does_not_allow() -> None:
    (problem,) = Code.check_entry(entry("return {'goal': 'x', 'content': 'y'}"))
    assert problem == (
        "/source: on a sample event: it changed goal at before_model, "
        "which lets it change advised, barred, candidates, choice, content, generation, guidance, others, prior, reading, subgoal, "
        "thoughts, tools"
    )
    (problem,) = Code.check_entry(entry("return {'won': True}", "task_end"))
    assert problem == "/source: on a sample event: it changed won at task_end, which lets it change nothing"


def test_dry_run_finds_a_candidates_that_cannot_be_offered() -> None:
    (problem,) = Code.check_entry(entry("return {'intercept': {'candidates': ['fly'], 'prior': [0]}}"))
    assert "'fly', which is not admissible" in problem


def test_keeps_nothing_between_calls() -> None:
    made = code(
        "event['params']['values']['seen'].append(1)\nreturn {'command': str(len(event['params']['values']['seen']))}",
        "before_tool",
        values={"seen": []},
    )
    assert [made.process(SAMPLES["before_tool"]) for _ in range(3)] == [{"command": "1"}] * 3


def test_two_code_processors_at_work_in_one_harness(harness: Any) -> None:
    alive = Harness(
        harness(
            entry("return {'system_prompt': event['system_prompt'] + 'One.'}", "task_start"),
            entry("return {'system_prompt': event['system_prompt'] + ' Two.'}", "task_start"),
        ),
        Services(),
    )
    assert alive.run(TaskStart("goal", "A yard.", ("wait",))).system_prompt == "One. Two."
    assert alive.activations == {"code": 1, "code_2": 1}


def test_failing_code_is_noted_and_switched_off(harness: Any) -> None:
    made = entry(
        "return {'history': event['history'][:event['step'] // 9 / 1]} if event['step'] != 3 else None", "step_start", max_failures=2
    )
    alive = Harness(harness(made), Services())
    for _ in range(5):
        event = StepStart(1, 9, (Turn("look", "A yard."),))
        assert alive.run(event) == event
    assert [failure["kind"] for failure in alive.failures] == ["CodeError", "CodeError", "SwitchedOff"]


def test_candidates_may_be_filtered() -> None:
    event = BeforeModel("goal", "A yard.", ("look", "wait"), "A yard.", ("look", "wait"), (0.0, 1.0))
    kept = "keep = [i for i, command in enumerate(event['candidates']) if command != 'look']\n"
    body = kept + "return {'candidates': [event['candidates'][i] for i in keep], 'prior': [event['prior'][i] for i in keep]}"
    assert code(body).process(event) == {"candidates": ("wait",), "prior": (1.0,)}
