"""The contract between a harness and its processors: who is asked when, what may be changed, what a fault costs."""

import hashlib
import json
from dataclasses import asdict
from typing import ClassVar

import pytest

from homebody.agents.harness.hooks import (
    EVENT_OF_HOOK,
    HOOKS,
    AfterModel,
    AfterTool,
    BeforeTool,
    Choice,
    CurrentSubgoal,
    Intercept,
    Interrupt,
    StepEnd,
    StepStart,
    TaskEnd,
    TaskStart,
    Turn,
)
from homebody.agents.harness.library import REGISTRY, Processor
from homebody.agents.harness.running import Harness
from homebody.agents.processors.base import Services

# One event of each hook, and for each of them a field that may be changed (where there is one) and one that may not.
EVENTS = {
    "task_start": (TaskStart("goal", "A yard.", ("wait",)), "system_prompt", "observation"),
    "step_start": (StepStart(1, 9, (Turn("wait", "You wait."),)), "history", "step"),
    "before_model": (None, "content", "admissible"),
    "after_model": (AfterModel("Wait.", "Wait", ("wait",)), "command", "response"),
    "before_tool": (BeforeTool("wait"), "command", None),
    "after_tool": (AfterTool("wait", "You wait."), "observation", "command"),
    "step_end": (StepEnd(1, "wait", True, "You wait.", ("wait",)), None, "observation"),
    "task_end": (TaskEnd(False, 3), None, "won"),
}


NEW = {"history": (Turn("look", "A yard."),)}
"""A value that fits each field; a text where none is given."""


def sha12(value):
    """The first twelve hex digits of the SHA-256 of a value's canonical JSON."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def alive_with(harness, *entries):
    return Harness(harness(*entries), Services())


def event_of(hook, yard):
    return yard.ask(("wait",)) if hook == "before_model" else EVENTS[hook][0]


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_has_its_event(hook, yard):
    assert type(event_of(hook, yard)) is EVENT_OF_HOOK[hook]


@pytest.mark.parametrize("hook", [hook for hook in HOOKS if EVENTS[hook][1]])
def test_allowed_change_is_made_recorded_and_counted(hook, yard, harness, add_processor):
    field = EVENTS[hook][1]
    new = NEW.get(field, "new")
    alive = alive_with(harness, "visited", add_processor("probe", hook, lambda event: {field: new}))
    given = event_of(hook, yard)
    before = [asdict(Turn("wait", "You wait."))] if field == "history" else getattr(given, field)
    after = [asdict(Turn("look", "A yard."))] if field == "history" else new
    for _ in range(2):
        assert getattr(alive.run(given), field) == new
        assert alive.collect() == {
            "changed": [{"by": "probe", "hook": hook, "outcome": "change", "fields": {field: [sha12(before), sha12(after)]}}]
        }
    assert alive.activations == {"visited": 0, "probe": 2}
    assert alive.failures == []


@pytest.mark.parametrize("hook", [hook for hook in HOOKS if EVENTS[hook][2]])
def test_forbidden_change_is_stopped_and_noted(hook, yard, harness, add_processor):
    allowed, forbidden = EVENTS[hook][1:]
    changes = {forbidden: "new"} | ({allowed: "new"} if allowed else {})
    alive = alive_with(harness, add_processor("probe", hook, lambda event: changes))
    assert alive.run(event_of(hook, yard)) == event_of(hook, yard)
    assert (alive.collect(), alive.activations) == ({"changed": []}, {"probe": 0})
    (failure,) = alive.failures
    assert failure["boundary"] == f"probe at {hook}"
    assert failure["kind"] == "ContractError"
    assert failure["message"].startswith(f"probe changed {forbidden} at {hook}, which lets it change ")
    assert failure["message"].endswith("change nothing") == (allowed is None)


def test_all_forbidden_fields_are_named_with_the_allowed_ones(harness, add_processor):
    alive = alive_with(harness, add_processor("probe", "before_tool", lambda event: {"z": 1, "a": 2, "command": "x"}))
    alive.run(BeforeTool("wait"))
    assert alive.failures == [
        {
            "boundary": "probe at before_tool",
            "kind": "ContractError",
            "message": "probe changed a, z at before_tool, which lets it change answer, approved, command",
        }
    ]


@pytest.mark.parametrize(
    ("hook", "changes", "message"),
    [
        ("task_start", {"system_prompt": None}, "probe at task_start set system_prompt to None; it must be a text"),
        ("step_start", {"history": "wait"}, "probe at step_start set history to 'wait'; it must be a tuple of Turn"),
        ("step_start", {"history": ("wait",)}, "probe at step_start set history to ('wait',); it must be a tuple of Turn"),
        ("before_model", {"content": 5}, "probe at before_model set content to 5; it must be a text"),
        ("before_model", {"candidates": "wait"}, "probe at before_model set candidates to 'wait'; it must be a tuple of texts"),
        ("before_model", {"candidates": ["wait"]}, "probe at before_model set candidates to ['wait']; it must be a tuple of texts"),
        ("before_model", {"prior": (float("nan"),)}, "probe at before_model set prior to (nan,); it must be a tuple of finite numbers"),
        ("before_model", {"prior": (True,)}, "probe at before_model set prior to (True,); it must be a tuple of finite numbers"),
        ("before_model", {"subgoal": "search"}, "probe at before_model set subgoal to 'search'; it must be a CurrentSubgoal or None"),
        ("before_model", {"choice": "rank"}, "probe at before_model set choice to 'rank'; it must be a Choice"),
        ("before_model", {"tools": (1,)}, "probe at before_model set tools to (1,); it must be a tuple of texts"),
        ("after_model", {"command": None}, "probe at after_model set command to None; it must be a text"),
        ("before_tool", {"approved": "no"}, "probe at before_tool set approved to 'no'; it must be true or false"),
        ("before_tool", {"answer": 5}, "probe at before_tool set answer to 5; it must be a text or None"),
        ("after_tool", {"observation": b""}, "probe at after_tool set observation to b''; it must be a text"),
        (
            "before_model",
            {"candidates": ("fly",)},
            "probe at before_model: candidates hold 'fly', which is not admissible; they may hold admissible commands only",
        ),
        (
            "before_model",
            {"candidates": (), "prior": ()},
            "probe at before_model: candidates are empty; leave at least one admissible command",
        ),
        (
            "before_model",
            {"prior": (0.0, 1.0)},
            "probe at before_model: prior has 2 values for 1 admissible commands; give one each",
        ),
    ],
)
def test_change_of_the_wrong_shape_is_stopped_with_the_name_of_the_field(hook, changes, message, yard, harness, add_processor):
    alive = alive_with(harness, add_processor("probe", hook, lambda event: changes))
    assert alive.run(event_of(hook, yard)) == event_of(hook, yard)
    assert alive.failures == [{"boundary": f"probe at {hook}", "kind": "ContractError", "message": message}]
    assert alive.collect() == {"changed": []}


def test_long_values_are_cut_in_failures(harness, add_processor):
    alive = alive_with(harness, add_processor("probe", "after_tool", lambda event: {"observation": ["x" * 500]}))
    alive.run(AfterTool("wait", "You wait."))
    assert len(alive.failures[0]["message"]) < 200


def test_every_field_of_before_model_may_be_changed(yard, harness, add_processor):
    changes = {
        "content": "Now.", "candidates": ("wait",), "prior": (1,), "tools": ("note {text}",),
        "subgoal": CurrentSubgoal("search", "crate"), "choice": Choice("rank")
    }  # fmt: skip
    event = alive_with(harness, add_processor("probe", "before_model", lambda event: changes)).run(yard.ask(("rest", "wait")))
    assert {key: getattr(event, key) for key in changes} == changes


def test_processor_that_raises_is_skipped(harness, add_processor):
    def fail(event):
        raise KeyError("crate")

    alive = alive_with(
        harness,
        add_processor("bad", "after_tool", fail),
        add_processor("good", "after_tool", lambda event: {"observation": event.observation + "!"}),
    )
    assert alive.run(AfterTool("wait", "You wait.")).observation == "You wait.!"
    assert [change["by"] for change in alive.collect()["changed"]] == ["good"]
    assert alive.failures == [{"boundary": "bad at after_tool", "kind": "KeyError", "message": "'crate'"}]


@pytest.mark.parametrize("answer", [["observation"], 5, "observation"])
def test_answer_that_is_no_outcome_is_noted(answer, harness, add_processor):
    alive = alive_with(harness, add_processor("probe", "after_tool", lambda event: answer))
    assert alive.run(AfterTool("wait", "You wait.")) == AfterTool("wait", "You wait.")
    (failure,) = alive.failures
    assert failure["message"] == (
        f"probe at after_tool answered with a {type(answer).__name__}; give a dict of changed fields, Intercept, Interrupt or None"
    )


@pytest.mark.parametrize("answer", [None, {}, {"observation": "You wait."}])
def test_no_change_is_no_activation(answer, harness, add_processor):
    alive = alive_with(harness, add_processor("probe", "after_tool", lambda event: answer))
    assert alive.run(AfterTool("wait", "You wait.")) == AfterTool("wait", "You wait.")
    assert (alive.collect(), alive.activations, alive.failures) == ({"changed": []}, {"probe": 0}, [])


def test_processors_answer_in_order_each_seeing_what_the_last_left(harness, add_processor):
    entries = [
        add_processor(name, "after_tool", lambda event, name=name: {"observation": event.observation + name}) for name in ("a", "b", "c")
    ]
    alive = alive_with(harness, entries[2], entries[0], entries[1], entries[0])
    assert alive.run(AfterTool("wait", "-")).observation == "-caba"
    texts = ["-", "-c", "-ca", "-cab", "-caba"]
    assert alive.collect()["changed"] == [
        {"by": by, "hook": "after_tool", "outcome": "change", "fields": {"observation": [sha12(texts[i]), sha12(texts[i + 1])]}}
        for i, by in enumerate(("c", "a", "b", "a_2"))
    ]


def test_twins_are_counted_apart(harness, add_processor):
    probe = add_processor("probe", "after_tool", lambda event: {"observation": "new"})
    alive = alive_with(harness, probe, probe)
    alive.run(AfterTool("wait", "old"))
    alive.run(AfterTool("wait", "old"))
    # The second finds the observation changed already.
    assert alive.activations == {"probe": 2, "probe_2": 0}


def test_processor_is_asked_at_its_own_hook_only(harness, add_processor):
    asked = []
    alive = alive_with(harness, add_processor("probe", "before_tool", asked.append))
    alive.run(AfterTool("wait", "You wait."))
    alive.run(BeforeTool("wait"))
    assert asked == [BeforeTool("wait")]


# --- intercept, interrupt


def test_an_intercept_has_the_last_word_at_its_hook(harness, add_processor):
    asked = []
    alive = alive_with(
        harness,
        add_processor("first", "after_tool", lambda event: Intercept({"observation": "last word"} if event.command == "wait" else {})),
        add_processor("second", "after_tool", asked.append),
        add_processor("other", "before_tool", asked.append),
    )
    assert alive.run(AfterTool("wait", "You wait.")).observation == "last word"
    alive.run(AfterTool("look", "A yard."))
    assert asked == []
    first, second = alive.collect()["changed"]
    fields = {"observation": [sha12("You wait."), sha12("last word")]}
    assert first == {"by": "first", "hook": "after_tool", "outcome": "intercept", "fields": fields}
    assert second == {"by": "first", "hook": "after_tool", "outcome": "intercept", "fields": {}}
    assert alive.activations == {"first": 2, "second": 0, "other": 0}
    alive.run(BeforeTool("wait"))
    assert asked == [BeforeTool("wait")]


def test_an_intercept_is_held_by_the_same_contract(harness, add_processor):
    alive = alive_with(
        harness,
        add_processor("first", "after_tool", lambda event: Intercept({"command": "rest"})),
        add_processor("second", "after_tool", lambda event: {"observation": "new"}),
    )
    assert alive.run(AfterTool("wait", "You wait.")).observation == "new"
    assert alive.failures[0]["message"] == "first changed command at after_tool, which lets it change observation"


def test_an_interrupt_stops_all_processors_but_those_that_only_read(harness, add_processor, yard):
    asked = []
    hooks = ("after_tool", "step_start", "step_end", "task_end")
    alive = alive_with(
        harness,
        add_processor("stop", "before_tool", lambda event: Interrupt("enough")),
        *(add_processor(f"at_{hook}", hook, asked.append) for hook in hooks),
    )
    assert alive.interrupted is None
    assert alive.run(BeforeTool("wait")) == BeforeTool("wait")
    assert alive.interrupted == "enough"
    for hook in hooks:
        assert alive.run(event_of(hook, yard)) == event_of(hook, yard)
    assert asked == [EVENTS["step_end"][0], EVENTS["task_end"][0]]
    assert alive.collect()["changed"] == [{"by": "stop", "hook": "before_tool", "outcome": "interrupt", "fields": {}}]
    assert alive.activations["stop"] == 1


@pytest.mark.parametrize("reason", ["", None, 5])
def test_an_interrupt_needs_a_reason(reason, harness, add_processor):
    alive = alive_with(harness, add_processor("stop", "before_tool", lambda event: Interrupt(reason)))
    alive.run(BeforeTool("wait"))
    assert alive.interrupted is None
    assert alive.failures[0]["message"] == f"stop at before_tool interrupted with reason {reason!r}; give a text"


@pytest.mark.parametrize("hook", ["step_end", "task_end"])
@pytest.mark.parametrize(("outcome", "what"), [(Intercept({}), "an Intercept"), (Interrupt("enough"), "an Interrupt")])
def test_read_only_hooks_take_no_outcome(hook, outcome, what, harness, add_processor, yard):
    alive = alive_with(harness, add_processor("probe", hook, lambda event: outcome))
    alive.run(event_of(hook, yard))
    assert alive.interrupted is None
    assert alive.failures[0]["message"] == f"probe at {hook} answered with {what}; this hook is read-only: answer with None"


# --- notes


@pytest.fixture
def note_taker(monkeypatch):
    """Register a processor that leaves notes: `note_taker(hook, notes of process, notes of observe)`; returns its entry."""

    def register(hook, at_process=None, at_observe=None):
        class Noter(Processor):
            name, dimension, schema = "noter", "observability", {}

            def process(self, event):
                assert self.notes == {}
                self.notes = at_process or {}

            def observe(self, step):
                assert self.notes == {}
                self.notes |= at_observe or {}

        Noter.hook = hook
        monkeypatch.setitem(REGISTRY, "noter", Noter)
        return {"use": "noter", "params": {}}

    return register


@pytest.mark.parametrize("hook", HOOKS)
def test_notes_may_be_left_at_every_hook_and_count(hook, harness, note_taker, yard):
    alive = alive_with(harness, note_taker(hook, {"seen": [1, {"a": None}]}, {"step": 1}))
    for _ in range(2):
        assert alive.run(event_of(hook, yard)) == event_of(hook, yard)
    alive.observe(yard.told("wait"))
    assert alive.collect() == {"changed": [], "notes": {"noter": {"seen": [1, {"a": None}], "step": 1}}}
    assert alive.collect() == {"changed": []}
    assert alive.activations == {"noter": 2}
    assert alive.failures == []


def test_notes_are_copied(harness, note_taker, yard):
    notes = {"seen": [1]}
    alive = alive_with(harness, note_taker("step_end", notes))
    alive.run(event_of("step_end", yard))
    notes["seen"].append(2)
    assert alive.collect()["notes"] == {"noter": {"seen": [1]}}


@pytest.mark.parametrize("notes", [{"seen": {1, 2}}, {"seen": float("nan")}, {"seen": b"x"}, [1]])
def test_notes_that_are_no_json_are_a_failure(notes, harness, note_taker, yard):
    alive = alive_with(harness, note_taker("step_end", notes))
    alive.run(event_of("step_end", yard))
    assert alive.failures[0]["message"].startswith("noter at step_end left notes that are no JSON object: ")
    assert alive.collect() == {"changed": []}


# --- failures


def test_every_processor_observes_every_step_and_may_fail_at_it(harness, add_processor, yard):
    seen = []

    def fail(step):
        raise ValueError("blind")

    alive = alive_with(
        harness,
        add_processor("bad", "task_start", lambda event: None, fail),
        add_processor("good", "task_end", lambda event: None, seen.append),
    )
    step = yard.told("wait")
    alive.observe(step)
    assert seen == [step]
    assert alive.failures == [{"boundary": "bad at step_end", "kind": "ValueError", "message": "blind"}]
    assert alive.activations == {"bad": 0, "good": 0}


def test_processor_that_fails_too_often_is_switched_off_for_the_rest(harness, add_processor, yard):
    calls = []

    def fail(event):
        calls.append(event)
        raise ValueError("blind")

    alive = alive_with(harness, add_processor("bad", "before_tool", fail, fail), add_processor("good", "before_tool", calls.append))
    event, step = BeforeTool("wait"), yard.told("wait")
    alive.run(event)
    alive.observe(step)
    alive.run(event)
    alive.run(event)
    alive.observe(step)
    assert calls == [event, event, step, event, event, event]
    assert [failure["kind"] for failure in alive.failures] == ["ValueError"] * 3 + ["SwitchedOff"]
    assert alive.failures[3] == {
        "boundary": "bad at before_tool",
        "kind": "SwitchedOff",
        "message": "3 failures; bad is off for the rest of the episode",
    }


def test_number_of_failures_is_the_processors_own(harness, add_processor, monkeypatch):
    def fail(event):
        raise ValueError("blind")

    entry = add_processor("bad", "before_tool", fail)
    monkeypatch.setattr(REGISTRY["bad"], "max_failures", 1)
    alive = alive_with(harness, entry)
    alive.run(BeforeTool("wait"))
    alive.run(BeforeTool("wait"))
    assert [failure["kind"] for failure in alive.failures] == ["ValueError", "SwitchedOff"]


# --- tools


@pytest.fixture
def tool(monkeypatch):
    """Register a processor that offers commands: `tool(name, offers)`; returns its entry."""

    def register(name, offers):
        members = {
            "name": name, "hook": "before_tool", "dimension": "tools", "schema": {},
            "process": lambda self, event: None, "offers": lambda self: offers(),
        }  # fmt: skip
        monkeypatch.setitem(REGISTRY, name, type(name, (Processor,), members))
        return {"use": name, "params": {}}

    return register


def test_offers_come_in_order_without_repeats(harness, tool):
    alive = alive_with(harness, tool("b", lambda: ("note {text}", "recall")), "visited", tool("a", lambda: ("count", "recall")))
    assert alive.offers() == ("note {text}", "recall", "count")


def test_offers_that_fail_are_left_out_and_noted(harness, tool):
    alive = alive_with(harness, tool("bad", lambda: 1 / 0), tool("good", lambda: ("recall",)))
    assert [alive.offers() for _ in range(4)] == [("recall",)] * 4
    assert [failure["kind"] for failure in alive.failures] == ["ZeroDivisionError"] * 3 + ["SwitchedOff"]
    assert alive.failures[0]["boundary"] == "bad at before_model"


# --- life


def test_processors_get_their_parameters_with_defaults_and_the_services(harness, monkeypatch):
    given = []

    class Probe(Processor):
        name, hook, dimension = "probe", "task_start", "model"
        schema: ClassVar = {"depth": {"type": "integer", "default": 3}, "width": {"type": "integer"}}

        def process(self, event):
            given.append((dict(self.params), self.services.score("A", ["b"]), self.services.count_tokens("a b")))

    monkeypatch.setitem(REGISTRY, "probe", Probe)
    made = harness({"use": "probe", "params": {"width": 1}})
    Harness(made, Services(lambda prefix, texts: [-1.0], lambda text: 7)).run(EVENTS["task_start"][0])
    assert given == [({"depth": 3, "width": 1}, [-1.0], 7)]


def test_without_a_model_a_token_is_four_characters():
    assert [Services().count_tokens(text) for text in ("", "a", "abcd", "abcde")] == [0, 1, 1, 2]


def test_instances_live_for_one_harness(harness, yard):
    made = harness(("loop_guard", {"repeats": 1}))
    first, second = Harness(made, Services()), Harness(made, Services())
    first.observe(yard.told("wait"))
    assert first.run(yard.ask(("look", "wait"))).candidates == ("look",)
    assert second.run(yard.ask(("look", "wait"))).candidates == ("look", "wait")


def test_adapting_keeps_the_memory_of_what_stays_and_shows_the_past_to_what_comes(harness, add_processor, yard):
    seen = {"stays": [], "comes": []}
    stays, goes, comes = (
        add_processor(name, "task_end", lambda event: None, seen.get(name, []).append) for name in ("stays", "goes", "comes")
    )
    alive = alive_with(harness, goes, stays)
    steps = [yard.told("wait"), yard.told("rest")]
    alive.observe(steps[0])
    alive.adapt(harness(stays, comes))
    assert seen == {"stays": steps[:1], "comes": steps[:1]}
    alive.observe(steps[1])
    assert seen == {"stays": steps, "comes": steps}
    assert alive.activations == {"goes": 0, "stays": 0, "comes": 0}


def test_adapting_makes_what_has_other_parameters_anew(harness, yard):
    alive = alive_with(harness, ("loop_guard", {"repeats": 3}))
    for _ in range(2):
        alive.observe(yard.told("wait"))
    assert alive.run(yard.ask(("look", "wait"))).candidates == ("look", "wait")
    alive.adapt(harness(("loop_guard", {"repeats": 2})))
    assert alive.run(yard.ask(("look", "wait"))).candidates == ("look",)


def test_adapting_to_what_cannot_be_made_changes_nothing(harness, add_processor, yard, monkeypatch):
    alive = alive_with(harness, ("loop_guard", {"repeats": 1}))
    probe = add_processor("probe", "task_end", lambda event: None)
    monkeypatch.setattr(REGISTRY["probe"], "__init__", lambda self, params, services: 1 / 0)
    alive.observe(yard.told("wait"))
    with pytest.raises(ZeroDivisionError):
        alive.adapt(harness(probe))
    assert alive.run(yard.ask(("look", "wait"))).candidates == ("look",)
    assert alive.activations == {"loop_guard": 1}


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("method", "guess", "choice.method is 'guess'; it must be one of generate, grammar, vote, score, rank"),
        ("normalize", "max", "choice.normalize is 'max'; it must be one of sum, mean"),
        ("pick", "", "choice.pick is ''; it must be one of most, best"),
        ("correct", 1.5, "choice has correct=1.5"),
        ("weight", float("inf"), "choice has .*weight=inf"),
        ("samples", 0, "choice has .*samples=0"),
        ("samples", 17, r"choice has .*samples=17.*in \[1, 16\]"),
        ("temperature", float("nan"), "choice has .*temperature=nan.*they must be in"),
    ],
)
def test_how_refuses_what_no_policy_can_do(field, value, message):
    with pytest.raises(ValueError, match=message):
        Choice(**{field: value})
