"""What echo copies: commands that the harness wrote into the prompt by itself, in whatever dress; and nothing else."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homebody.agents.echo import Advice, Reader, words
from homebody.agents.episode import run_episode
from homebody.agents.harness.grammar import matches
from homebody.agents.harness.hooks import AfterTool, BeforeModel, Turn
from homebody.agents.harness.running import Harness
from homebody.agents.harness.spec import component
from homebody.agents.model_free import EchoPolicy, NoModelPolicy
from homebody.agents.models.backend import CUT
from homebody.agents.processors.base import Services

ADMISSIBLE = ("lift crate 1", "look", "unlock shed 2", "wait", "walk to dock 1", "walk to dock 12", "walk to shed 2")
SEEN = "You see nothing. You can wait or look."
PLAN = ["walk to shed 2", "unlock shed 2", "lift crate 1 off shed 2", "walk to dock 1", "drop crate 1 on dock 1"]


@pytest.fixture
def read(yard):
    """What is read in a prompt after one that says only what the environment says: `read(what the harness adds, **fields)`."""

    def read(added="", *, env_text=SEEN, admissible=ADMISSIBLE, history=(), system="", before="", **fields):
        reader = Reader()
        offered = fields.pop("candidates", admissible)
        given = {"env_text": env_text, "admissible": admissible, **fields}
        first = [{"role": "system", "content": system or "Be brief."}, {"role": "user", "content": "-"}]
        reader.read(yard.ask(offered, content=f"{env_text}{before}", **given), first)
        older = [{"role": role, "content": text} for role, text in history]
        return reader.read(yard.ask(offered, content=f"{env_text}{added}", **given), [first[0], *older, first[1]])

    return read


# --- advice, in whatever dress


@pytest.mark.parametrize(
    "added",
    [
        "\n\nNext: walk to shed 2",
        f"{CUT}\n\nNext: walk to shed 2",
        "\nNow walk to shed 2 and nothing else.",
        "\nWALK TO SHED 2!",
        "\nWalk To Shed 2.",
        '\nWrite "walk to shed 2".',
        "\n`walk to shed 2`",
        "\n**walk** to *shed 2*",
        "\nwalk\nto\nshed\n2",
        "\nThe next command is walk to\nshed 2",
        "\nwalk_to_shed_2",
        "\nwalk-to-shed-2",
        "\nwalk  to\tshed 2",
        "\n<command>walk to shed 2</command>",
        "\n{'command': 'walk to shed 2'}",
        "\nｗａｌｋ ｔｏ ｓｈｅｄ ２",  # noqa: RUF001 - wide letters are the point
        "\nFirst I thought of dock 1: walk to dock 1. No: walk to shed 2",  # the last one counts
    ],
)
def test_a_command_is_found_in_whatever_dress(added, read):
    assert read(added) == Advice("walk to shed 2")


def test_the_longest_command_at_a_place_is_meant_and_numbers_are_whole(read):
    assert read("\nGo: walk to dock 12").fresh == "walk to dock 12"
    assert read("\nGo: walk to dock 1.").fresh == "walk to dock 1"
    assert read("\nGo: walk to dock 123").fresh == ""
    assert read("\nJust looking, await it.").fresh == ""
    longer = ("look", "look at dock 1", "wait")
    assert read("\nSo look at dock 1", admissible=longer).fresh == "look at dock 1"


@pytest.mark.parametrize(
    ("command", "added"),
    [
        ("prends la clé à l'étage", "\nÀ faire : PRENDS LA CLÉ À L'ÉTAGE !"),
        ("straße fegen", "\nDann STRASSE FEGEN."),
        ("打开 冰箱", "\n下一步:打开 冰箱"),
        ("иди в сарай 2", "\nТеперь «Иди в сарай 2»"),  # noqa: RUF001
    ],
)
def test_words_of_any_script(command, added, read):
    assert read(added, admissible=(command, "wait")).fresh == command


def test_of_commands_in_the_same_words_the_one_in_the_same_letters_is_meant(read):
    both = ("click[x-large]", "click[x large]", "click[b]")
    assert read("\nNow click[x large]", admissible=both).fresh == "click[x large]"
    assert read("\nNow click[x-large]", admissible=both).fresh == "click[x-large]"


def test_commands_without_a_word_are_left_alone(read):
    assert read("\nGo <", admissible=("<", ">")) == Advice()


# --- what is not the harness's


def test_what_the_environment_said_is_no_advice(read):
    assert read() == Advice()
    assert read("", env_text="Available: walk to dock 1.\nOr look") == Advice()


def test_a_line_of_the_environments_that_the_harness_says_again_is_the_harnesses(read):
    listed = "walk to dock 1\nwalk to dock 12\nwalk to shed 2"
    assert read("", env_text=listed) == Advice()
    assert read("\nwalk to dock 12", env_text=listed) == Advice("walk to dock 12")
    assert read("\nNext: walk to dock 12", env_text=listed) == Advice("walk to dock 12")


def test_what_the_environment_said_earlier_is_no_advice_where_the_history_shows_it(yard):
    reader = Reader()
    answers = ["You may look.", "Now wait here.", "Go and lift crate 1."]
    older = []
    for answer in answers:
        event = yard.ask(ADMISSIBLE, content=answer, env_text=answer)
        assert reader.read(event, [*older, {"role": "user", "content": answer}]) == Advice()
        older += [{"role": "user", "content": answer + CUT}, {"role": "assistant", "content": "wait"}]


def test_the_goal_is_no_advice(read):
    assert read("\nGoal: lift crate 1", goal="lift crate 1") == Advice()
    assert read("\nlift crate 1", goal="lift crate 1") == Advice()
    assert read("\nNext: lift crate 1", goal="lift crate 1") == Advice("lift crate 1")


def test_what_was_sent_is_no_advice(read):
    assert read("", history=[("user", SEEN), ("assistant", "walk to dock 1")]) == Advice()


# --- where it may stand


def test_a_history_that_the_harness_writes_is_read(read):
    past = [("user", SEEN), ("assistant", "wait"), ("user", "Ok.\nNext: walk to shed 2"), ("assistant", "wait")]
    assert read("", history=past) == Advice("walk to shed 2")
    assert read("\nRather look.", history=past) == Advice("look")  # the message of this step comes last


def test_a_system_prompt_that_changes_is_read_and_the_first_one_is_not(yard):
    reader = Reader()
    event = yard.ask(ADMISSIBLE, content=SEEN, env_text=SEEN)

    def after(system):
        return reader.read(event, [{"role": "system", "content": system}, {"role": "user", "content": SEEN}])

    assert after("For example: look") == Advice()
    assert after("For example: look") == Advice()
    assert after("For example: look\nNow: walk to shed 2") == Advice("walk to shed 2")
    assert after("For example: look\nNow: walk to shed 2") == Advice()


def test_new_lines_come_before_old_ones(read):
    assert read("\nNext: walk to shed 2\nIn doubt look.", before="\nIn doubt look.") == Advice("walk to shed 2", "look")
    assert read("\nIn doubt look.", before="\nIn doubt look.") == Advice("", "look")


def test_old_lines_advise_what_is_on_offer_alone(read):
    static = "\nIn doubt look."
    assert read(static, before=static, candidates=("wait", "walk to dock 1"), prior=(0.0, 0.0)) == Advice()
    assert read("\nNow look.", candidates=("wait", "walk to dock 1"), prior=(0.0, 0.0)) == Advice("look")


def test_the_first_prompt_has_nothing_new(yard):
    event = yard.ask(ADMISSIBLE, content=f"{SEEN}\nNext: walk to shed 2", env_text=SEEN)
    assert Reader().read(event, []) == Advice("", "walk to shed 2")


# --- lists


def shown(make, yard, candidates, **params):
    event = yard.ask(candidates, content=SEEN, env_text=SEEN)
    return make("show_candidates", params).process(event)["content"].removeprefix(SEEN)


HOUSE = ("go to bed 1", "go to bed 2", "look", "open box 1", "open box 2", "take key 1 from bed 1", "wait")
SHOP = ("back to search", "click[blue]", "click[buy now]", "click[red]", "search[{text}]")


@pytest.mark.parametrize("layout", ["lines", "groups"])
@pytest.mark.parametrize("separator", ["\n", ", ", " | ", "; ", "\n- ", " or ", "\n\n"])
@pytest.mark.parametrize("candidates", [HOUSE, HOUSE[:2], SHOP[:4], ADMISSIBLE])
def test_candidates_are_no_advice_in_any_layout(layout, separator, candidates, make, yard, read):
    added = shown(make, yard, candidates, layout=layout, separator=separator, footer="Write one of them.")
    assert read(added, admissible=candidates) == Advice()
    beside = f"{added}\nThe plan says: {candidates[1]}"
    assert read(beside, admissible=candidates) == Advice(candidates[1])
    assert read(f"\nThe plan says: {candidates[1]}{added}", admissible=candidates) == Advice(candidates[1])


@pytest.mark.parametrize(
    "added",
    [
        "\n1. lift crate 1\n2. look\n3. wait",
        "\n(1) lift crate 1, (2) look, (3) wait",
        "\nYou can: lift crate 1, look, wait",
        "\nTry lift crate 1\nTry look\nTry wait",
        "\n* lift crate 1 [1 step]\n* look [0 steps]\n* wait [3 steps]",
        "\n> lift crate 1\nYou lift it.\n> wait\nYou rest.",
        "\nlift crate 1 / look",
    ],
)
def test_a_list_of_the_harnesses_own_is_no_advice(added, read):
    # The contexts of `[1 step]` and `[0 steps]` differ by a letter: two alike are a list, and the third stands alone.
    expected = Advice("lift crate 1") if "[1 step]" in added else Advice()
    assert read(added) == expected


@pytest.mark.parametrize(
    "listed",
    [
        "\nlift crate 1\nlook\nwalk to shed 2  <-- best\nwait",
        "\n- lift crate 1\n- look\n-> walk to shed 2\n- wait",
        "\n1. lift crate 1\n2. look\n3. WALK TO SHED 2\n4. wait",
        "\nlift crate 1\nlook\n**walk to shed 2**\nwait",
        "\nlift crate 1\nlook\nwait\nwalk to shed 2\n\nwalk to shed 2",  # once more than the others
        "\nlift crate 1, look, wait, walk to shed 2\nwalk to shed 2",
    ],
)
def test_one_that_stands_out_of_a_list_is_advice(listed, read):
    assert read(listed).fresh == "walk to shed 2"


def test_the_first_of_a_list_in_an_order_of_the_harnesses_own_is_advice(read):
    assert read("\nBest first: walk to shed 2, look, wait") == Advice("walk to shed 2")
    assert read("\nwalk to shed 2\nlook\nwait") == Advice("walk to shed 2")
    turned = tuple(reversed(ADMISSIBLE))
    own_order = read("\n" + "\n".join(turned), candidates=turned, prior=(0.0,) * len(turned))
    assert own_order == Advice("walk to shed 2")
    # The same ones in the order of the environment.
    assert read("\nBest first: look, wait, walk to shed 2") == Advice()


def test_templates_list_and_advise(harness, read):
    def written(text):
        made = harness(component("template", {"text": text}, hook="before_model", dimension="context"))
        return Harness(made, Services()).run(_event()).content.removeprefix(SEEN)

    assert read(written("You may: {{ candidates | join(', ') }}.")) == Advice()
    assert read(written("Say {{ candidates[2] }}!")) == Advice("unlock shed 2")


def _event():
    return BeforeModel("a goal", SEEN, ADMISSIBLE, SEEN, ADMISSIBLE, (0.0,) * len(ADMISSIBLE), env_text=SEEN)


def test_a_footer_that_names_one_command_is_old_advice(make, yard, read):
    added = shown(make, yard, ADMISSIBLE, footer="If in doubt, wait.")
    assert read(added, before=added) == Advice("", "wait")


# --- free slots and tools


@pytest.mark.parametrize(
    ("form", "added", "command"),
    [
        ("search[{text}]", "\nNow search[red shoes, size 9].", "search[red shoes, size 9]"),
        ("search[{text}]", '\n"search[red shoes]"', "search[red shoes]"),
        ("call {text}", "\nDo this: call the dog home.", "call the dog home"),
        ("call {text}", '\nWrite: "call home"', "call home"),
        ("call {text}", "\nNobody will recall {text} or call {text}", ""),
        ("search[{text}]", "\nWrite search[...]", ""),
        ("call {text}", "\nCall me", ""),  # a sentence begins, no command
        ("{text}", "\nAnything goes", ""),
    ],
)
def test_a_filled_slot_is_copied(form, added, command, read):
    candidates = (form.replace("{text}", "put a crate on a dock"), "wait")
    assert read(added, admissible=(form, "wait"), candidates=candidates, prior=(0.0, 0.0)).fresh == command


def test_a_tool_is_copied_and_its_answer_is_read(read):
    tools = {"tools": ("ask the map", "note {text}")}
    assert read("\nFirst ask the map.", **tools) == Advice("ask the map")
    assert read("\nnote ...\nask the map\nFirst ask the map!", **tools) == Advice("ask the map")
    assert read("\nThe map says: walk to shed 2", **tools) == Advice("walk to shed 2")
    # A note is no command where a command stands in it.
    assert read("\nnote walk to shed 2", **tools) == Advice("walk to shed 2")


# --- in an episode


def dictating(add_processor, env, hook, write):
    """A component that knows the way and writes the next command, in its own fashion."""
    return add_processor("dictator", hook, lambda event: write(event, env.expert()[0]))


def beside(event, command, form):
    """The message with a list of the candidates, the given one in its own form."""
    return {"content": "\n".join([event.content, *(form(other) if other == command else f"- {other}" for other in event.candidates)])}


def first(event, command):
    """The candidates, the given one first, and a list of them."""
    order = (command, *(other for other in event.candidates if other != command))
    return {"candidates": order, "content": "\n".join((event.content, *order))}


DRESSES = {
    "plain": lambda event, command: {"content": f"{event.content}\n\nNext: {command}"},
    "before the rest": lambda event, command: {"content": f"Say '{command}.'\n{event.content}"},
    "in pieces": lambda event, command: {"content": "\n".join((event.content, *command.upper().split()))},
    "in the midst": lambda event, command: {"content": f"{event.content} So I will {command}, I think."},
    "above a list": lambda event, command: {"content": "\n".join((event.content, command, *event.candidates))},
    "below a list": lambda event, command: {"content": "\n".join((event.content, *event.candidates, command))},
    "marked": lambda event, command: beside(event, command, "- {} (this one)".format),
    "with an arrow": lambda event, command: beside(event, command, "-> {}".format),
    "in capitals": lambda event, command: beside(event, command, lambda other: f"- {other.upper()}"),
}


@pytest.mark.parametrize("dress", DRESSES)
def test_a_harness_that_writes_the_plan_is_worth_nothing(dress, harness, yard, add_processor):
    """Echo wins by copying at every step, so that a model that copies is worth nothing; without copying nothing wins."""
    won = []
    for policy in (EchoPolicy, NoModelPolicy):
        env = yard.Yard()
        spec = harness(dictating(add_processor, env, "before_model", DRESSES[dress]))
        record = run_episode(env, spec, policy(), yard.task(), max_steps=5)
        assert record.failures == []
        won.append(record.won)
    assert won == [True, False]


def test_a_harness_that_puts_its_choice_first_is_worth_nothing(harness, yard, add_processor):
    env = yard.Yard()
    record = run_episode(env, harness(dictating(add_processor, env, "before_model", first)), EchoPolicy(), yard.task(), max_steps=5)
    assert (record.won, record.failures) == (True, [])


def test_a_history_that_dictates_is_copied_from_the_second_step_on(harness, yard, add_processor):
    env = yard.Yard()
    said = []

    def write(event, command):
        if event.history:
            said.append(command)
        return {"history": (*event.history[:-1], Turn("think", f"Then {command}."), *event.history[-1:])} if event.history else None

    record = run_episode(env, harness(dictating(add_processor, env, "step_start", write)), EchoPolicy(), yard.task(), max_steps=8)
    assert record.won
    assert env.sent[1:] == said


def test_an_edited_answer_is_read_at_the_next_step(harness, yard, add_processor):
    hint = add_processor("hint", "after_tool", lambda event: {"observation": f"{event.observation}\nNow wait"})
    env = yard.Yard()
    record = run_episode(env, harness(hint), EchoPolicy(), yard.task(), max_steps=2)
    assert (env.sent[1], record.failures) == ("wait", [])


CODE = """
def process(event):
    plan = event["params"]["values"]["plan"]
    return {"content": event["content"] + "\\n\\nThe next command: " + plan[5 - event["steps_left"]]}
"""


def test_code_that_dictates_is_copied(harness, yard):
    made = component("code", {"values": {"plan": PLAN}}, hook="before_model", dimension="control", source=CODE)
    spec = harness(made, "show_candidates")
    record = run_episode(yard.Yard(), spec, EchoPolicy(), yard.task(), max_steps=5)
    assert (record.won, record.failures, [step.command for step in record.trace]) == (True, [], PLAN)


def test_what_it_has_no_advice_for_it_does_as_no_model(harness, yard):
    specs = [harness("show_candidates"), harness(("show_candidates", {"layout": "groups"})), harness(("goal_words", {}), "show_candidates")]
    for spec in specs:
        for task in ("one", "tar", "two"):
            plays = [
                [step.command for step in run_episode(yard.Yard(), spec, policy(), yard.task(task), seed=4, max_steps=9).trace]
                for policy in (EchoPolicy, NoModelPolicy)
            ]
            assert plays[0] == plays[1]


def test_a_favourite_comes_before_what_always_stands_there(harness, yard, add_processor):
    footer = ("show_candidates", {"footer": "If you are lost, wait."})
    lean = add_processor("lean", "before_model", lambda event: {"prior": tuple(float("dock 2" in other) for other in event.candidates)})
    assert run_episode(yard.Yard(), harness(footer), EchoPolicy(), yard.task(), max_steps=1).trace[0].command == "wait"
    assert run_episode(yard.Yard(), harness(lean, footer), EchoPolicy(), yard.task(), max_steps=1).trace[0].command == "walk to dock 2"


ODD = ["walk", "to", "2", "dock", "\n", " ", ", ", "- ", "note x", "Goal:", CUT, "\ufb01", "\u2028", "\u00df", "\0"]
PIECES = st.lists(st.sampled_from([*ADMISSIBLE, *ODD]))


@given(PIECES.map("".join) | st.text(max_size=40), PIECES.map("".join), st.lists(PIECES.map("".join), max_size=2))
def test_whatever_stands_there_a_command_is_read_or_none(content, env_text, history):
    forms = (*ADMISSIBLE, "note {text}")
    event = BeforeModel("a goal", "", forms, content, ADMISSIBLE, (0.0,) * len(ADMISSIBLE), env_text=env_text)
    reader = Reader()
    for _ in range(2):
        advice = reader.read(event, [{"role": "user", "content": text} for text in (*history, content)])
        for command in (advice.fresh, advice.kept):
            assert command == "" or matches(command, forms)
        reader.read(replace(event, content="-"), [])


def test_words():
    assert words("Walk_to the SHED-2!") == ("walk", "to", "the", "shed", "2")
    assert words("...") == ()


def test_refusals_that_name_several_commands_advise_none(harness, make, yard, read):
    alive = Harness(harness("explain_refusal"), Services())
    told = alive.run(AfterTool("walk to dok 1", SEEN, False, "", ADMISSIBLE)).observation
    assert told.count("; ") == 2
    assert read(told.removeprefix(SEEN)).fresh in ("", told.split(": ")[1].split("; ")[0])
