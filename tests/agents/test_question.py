"""Processors that ask the model in a chat of their own: what they make of its answers, do without one, and leave in the trace."""

import itertools
import json
import math
from dataclasses import replace

import pytest

from homebody.agents.episode import run_episode
from homebody.agents.harness.hooks import AfterTool, BeforeTool, StepEnd, StepStart, TaskStart, Turn
from homebody.agents.harness.library import REGISTRY, Processor, defaults, find
from homebody.agents.model_free import EchoPolicy, ExecutorPolicy, NoModelPolicy, RandomPolicy
from homebody.agents.model_policy import ModelPolicy
from homebody.agents.models.backend import CUT
from homebody.agents.models.generation import Generation, Reply
from homebody.agents.models.scripted import Scripted
from homebody.agents.processors.base import Services
from homebody.agents.processors.examples import telling
from homebody.agents.processors.question import fill, lines

MENU = ("wait", "walk to dock 1", "walk to shed 1", "walk to shed 2")
ASKING = {
    "read_goal": {"templates": ["put a {0} on a {1}", "tar a {0}"], "names": [["crate", "barrel"], ["dock", "vat"]]},
    "plan": {},
    "ask": {},
    "check": {"actions": ["drop # on #"], "last": 1},
    "summary": {"tokens": 10, "keep": 1, "every": 2},
    "reflect": {"stale": 1},
}
"""The processors that ask, each with parameters that make it ask in `Yard-v0`."""
SAID = "Get me one of those boxes onto the pier, would you"


class Model:
    """Stands for a model: replies and scores in turn, and what it was asked."""

    def __init__(self, *replies, scores=None):
        self.replies, self.scores = list(replies), scores or (lambda answer: 0.0)
        self.chats, self.generations, self.scored = [], [], []

    def chat(self, messages, generation):
        self.chats.append(messages)
        self.generations.append(generation)
        reply = self.replies.pop(0)
        return reply if isinstance(reply, Reply) else Reply(reply)

    def score(self, prompt, answers):
        self.scored.append((prompt, list(answers)))
        return [self.scores(answer) for answer in answers]

    def make(self, name, **params):
        processor = find(name)
        return processor(defaults(processor) | params, Services(self.score, lambda text: len(text.split()), self.chat))


@pytest.fixture
def play(harness, yard):
    """Play: `play(policy, *items, **options)`; a list is the replies of a model."""

    def play(policy, *items, env=None, **options):
        policy = ModelPolicy(Scripted(policy)) if isinstance(policy, list) else policy
        return run_episode(env or yard.Yard(), harness(*items), policy, yard.task(), **{"max_steps": 3, **options})

    return play


@pytest.fixture
def said(yard):
    """The yard with its goal in other words, which the opening tells."""

    class Said(yard.Yard):
        def reset(self, **given):
            opening, _ = super().reset(**given)
            return opening.replace(self.goal, SAID), self.info()

        def info(self):
            return super().info() | {"goal": SAID}

    return Said()


# --- how an answer is read


def test_blanks_are_filled_once_and_others_stay():
    assert fill("{a} {b} {c} {", {"a": "{b}", "b": "1"}) == "{b} 1 {c} {"


@pytest.mark.parametrize(
    ("reply", "found"),
    [
        (Reply("1. Walk to dock 1.\n\n 2) unlock\n- lift\n* drop"), ["Walk to dock 1.", "unlock", "lift", "drop"]),
        (Reply("  \n\n"), []),
        (Reply(""), []),
        (Reply("one\ntwo\nthr", finish="length"), ["one", "two"]),
        (Reply("one and no en", finish="length"), ["one and no en"]),
        (Reply("-5 degrees\n3.5 metres"), ["-5 degrees", "5 metres"]),
        (Reply("x" * 1000), ["x" * 300]),
        (None, []),
    ],
)
def test_lines_of_an_answer(reply, found):
    assert lines(reply) == found


# --- the goal

FORMS = ASKING["read_goal"]
PARTS = FORMS | {"by": "parts"}
TAUGHT = [
    ["Hello! Make the keg sticky", "tar a barrel"],
    ["Hello! The box lives on the pier", "put a crate on a dock"],
    ["The keg lives in the basin", "put a barrel on a vat"],
    ["Hello! Sing a song", "sing"],
]
"""Goals of training; the last is of no template."""


def told_by(answer):
    """Return what an answer is known by: the name at its end, or the first word of a template whose blanks have letters."""
    words = answer.rstrip(".,").split(" ")
    return words[0] if words[-1] in ("A", "B") else words[-1]


def liking(*words):
    """Score an answer by whether it is known by one of these."""
    return lambda answer: float(told_by(answer) in words)


@pytest.mark.parametrize(
    ("liked", "reading"),
    [
        (("put", "barrel", "vat"), "put a barrel on a vat"),
        (("put", "crate", "dock"), "put a crate on a dock"),
        (("tar", "barrel", "vat"), "tar a barrel"),
        ((), "put a crate on a dock"),  # the first of equals
    ],
)
def test_by_parts_the_likeliest_template_and_then_the_likeliest_names_are_taken(liked, reading):
    model = Model(scores=liking(*liked))
    assert model.make("read_goal", **PARTS).process(TaskStart(SAID, "A yard.", MENU)) == {"goal": reading}
    assert not model.chats  # nothing is written
    assert model.scored[0][1] == ["put a A on a B.", "tar a A."]
    begun = "put a A on a B." if reading.startswith("put") else "tar a A."
    end = "," if reading.startswith("put") else "."
    assert model.scored[1][1] == [f"{begun} crate{end}", f"{begun} barrel{end}"]
    assert len(model.scored) == (3 if reading.startswith("put") else 2)


def test_by_parts_examples_show_the_parts_and_greetings_do_not_choose_them():
    model = Model(scores=liking("tar"))
    made = model.make("read_goal", **PARTS, examples=TAUGHT, most=8, text="")
    assert made.process(TaskStart("Hello! The keg has to be sticky", "A yard.", MENU)) == {"goal": "tar a crate"}
    shown = [(message["role"], message["content"]) for message in model.scored[0][0]]
    assert shown == [
        ("user", "Hello! The box lives on the pier"), ("assistant", "put a A on a B. crate, dock."),
        ("user", "The keg lives in the basin"), ("assistant", "put a A on a B. barrel, vat."),
        ("user", "Hello! Make the keg sticky"), ("assistant", "tar a A. barrel."),
        ("user", "Hello! The keg has to be sticky"),
    ]  # fmt: skip


def test_by_parts_no_template_has_more_than_a_quarter_of_the_examples():
    bank = [[f"Drop the {noun} there", "put a crate on a dock"] for noun in ("box", "case", "chest", "crate")] + [TAUGHT[0]]
    model = Model()
    model.make("read_goal", **PARTS, examples=bank, most=8, text="").process(TaskStart("Drop the box", "A yard.", MENU))
    answers = [message["content"] for message in model.scored[0][0] if message["role"] == "assistant"]
    assert answers == [
        "tar a A. barrel.",
        "put a A on a B. crate, dock.",
        "put a A on a B. crate, dock.",
    ]


def test_by_parts_a_blank_that_stands_twice_is_asked_once_and_a_template_without_blanks_not_further():
    model = Model(scores=liking("a", "vat"))
    params = {"templates": ["a {0} by a {0}", "wait"], "names": [["crate", "vat"]], "by": "parts"}
    assert model.make("read_goal", **params, examples=[["Rest", "wait"]]).process(TaskStart(SAID, "A yard.", MENU)) == {
        "goal": "a vat by a vat"
    }
    resting = Model(scores=liking("wait"))
    assert resting.make("read_goal", **params).process(TaskStart(SAID, "A yard.", MENU)) == {"goal": "wait"}
    assert len(resting.scored) == 1
    assert [message["content"] for message in model.scored[0][0] if message["role"] == "assistant"] == ["wait."]


@pytest.mark.parametrize(
    ("end", "reading"), [("then tar it.", "put a crate then tar it"), ("on a B.", "put a crate on a dock"), ("put a A.", "put a crate")]
)
def test_by_parts_a_template_that_begins_as_others_do_is_told_from_them(end, reading):
    model = Model(scores=lambda answer: float(answer.endswith(end)))
    templates = ["put a {0} on a {1}", "tar a {0}", "put a {0}", "put a {0} then tar it"]
    made = model.make("read_goal", by="parts", templates=templates, names=FORMS["names"])
    assert made.process(TaskStart(SAID, "A yard.", MENU)) == {"goal": reading}
    assert model.scored[0][1] == ["put a A on a B.", "tar a A.", "put a A.", "put a A then tar it."]


def test_by_parts_the_end_of_a_template_counts_as_its_beginning_does():
    sure = {"heat": -0.9, "cool": -0.7, "oven": -0.2, "ice": -1.0}
    model = Model(scores=lambda answer: sum(much for word, much in sure.items() if word in answer))
    made = model.make("read_goal", by="parts", templates=["cool a {0} on ice", "heat a {0} in an oven"], names=[["crate"]])
    assert made.process(TaskStart(SAID, "A yard.", MENU)) == {"goal": "heat a crate in an oven"}


@pytest.mark.parametrize("templates", [["a {0}", "a {1}"], ["wait", "wait."], ["x {0} y", "x {1} y", "z"]])
def test_by_parts_templates_that_read_alike_end_in_the_first_of_them(templates):
    model = Model(scores=lambda answer: float(answer.startswith(("a", "w", "x"))))
    found = model.make("read_goal", by="parts", templates=templates, names=[["crate"], ["dock"]]).process(TaskStart(SAID, "A yard.", MENU))
    assert found == {"goal": templates[0].replace("{0}", "crate")}


def test_by_parts_an_example_that_could_be_cut_in_no_end_of_ways_is_left_out():
    blanks = "".join(f"{{{number}}}" for number in range(12))
    model = Model()
    params = {"by": "parts", "templates": [f"{blanks}!", "tar a {0}"], "names": [["a"]] * 12, "most": 8}
    bank = [["Long", "a" * 250 + "?"], ["Longer", "tar a " + "b" * 1000], ["Sticky", "tar a barrel"]]
    assert model.make("read_goal", **params, examples=bank).process(TaskStart(SAID, "A yard.", MENU))
    assert [message["content"] for message in model.scored[0][0] if message["role"] == "assistant"] == ["tar a A. barrel."]


@pytest.mark.parametrize("by", ["parts", "writing"])
def test_a_template_is_filled_with_what_fits_it_alone(by):
    model = Model("tar a vat", scores=liking("tar"))
    params = FORMS | {"by": by, "fits": {"tar a {0}": [["vat", "tub"]], "sing": [["song"]]}}
    assert model.make("read_goal", **params).process(TaskStart(SAID, "A yard.", MENU)) == {"goal": "tar a vat"}
    if by == "parts":
        assert model.scored[1][1] == ["tar a A. vat.", "tar a A. tub."]
    else:
        assert model.generations[0].grammar == (
            'root ::= "put a " blank-0 " on a " blank-1 | "tar a " blank-2\n'
            'blank-0 ::= "crate" | "barrel"\nblank-1 ::= "dock" | "vat"\nblank-2 ::= "vat" | "tub"'
        )


@pytest.mark.parametrize(
    ("met", "reading"),
    [
        ("You see nothing.", "put a barrel on a dock"),  # the thing was least sure
        ("You see barrel 1, vat 1.", "put a barrel on a vat"),  # of what was met another reading is the likeliest
        ("You see crate 1.", "put a crate on a vat"),  # of what was met it is the same, and the place was least sure
        ("You see crate 1, dock 1.", "tar a crate"),  # the template alone can be another
    ],
)
def test_a_goal_is_read_again_of_what_was_met_and_otherwise(met, reading):
    sure = {"put": 9.0, "tar": 1.0, "crate": 3.0, "barrel": 2.5, "dock": 3.0, "vat": 2.0}
    model = Model(scores=lambda answer: sure[told_by(answer)])
    first = model.make("read_goal", **PARTS).process(TaskStart(SAID, "A yard.", MENU))
    assert first == {"goal": "put a crate on a dock"}
    again = model.make("read_goal", **PARTS, again=True)
    again.observe(StepEnd(1, "look", True, met, ()))
    assert again.process(TaskStart(SAID, "A yard.", MENU)) == {"goal": reading}


def test_a_goal_is_read_again_at_each_asking_until_nothing_else_is_left():
    sure = {"put": 9.0, "tar": 1.0, "crate": 3.0, "barrel": 2.5, "dock": 3.0, "vat": 2.0}
    model = Model(scores=lambda answer: sure[told_by(answer)])
    again = model.make("read_goal", **PARTS, again=True)
    found = [again.process(TaskStart(SAID, "A yard.", MENU))["goal"] for _ in range(5)]
    assert found == ["put a barrel on a dock", "put a crate on a vat", "tar a crate", "tar a crate", "tar a crate"]
    asked = [tuple(answers) for _, answers in model.scored]
    assert len(asked) == len(set(asked))  # nothing is scored twice


def test_a_goal_that_can_be_read_in_one_way_is_read_so_again():
    model = Model()
    made = model.make("read_goal", by="parts", templates=["tar a {0}"], names=[["crate"]], again=True)
    assert made.process(TaskStart(SAID, "A yard.", MENU)) == {"goal": "tar a crate"}
    assert len(model.scored) == 1  # what was scored once is not asked again


def test_by_parts_a_model_that_cannot_score_writes():
    model = Model("tar a crate")
    processor = find("read_goal")
    made = processor(defaults(processor) | PARTS, Services(None, lambda text: 1, model.chat))
    assert made.process(TaskStart(SAID, "A yard.", MENU)) == {"goal": "tar a crate"}
    alone = processor(defaults(processor) | PARTS, Services(None, lambda text: 1, None))
    assert alone.process(TaskStart(SAID, "A yard.", MENU)) is None


def test_words_tell_what_goals_mean_as_their_meanings_diverge():
    goals = [frozenset(goal.split()) for goal in ("hello heat egg", "hello cool egg", "hello heat mug", "hello cool mug")]
    told = telling(goals, ["heat", "cool", "heat", "cool"])
    assert told["hello"] == told["egg"] == told["mug"] == 0.0
    # Two of two and the one more: (2 + 1/2) / 3 of its meaning, against a half of all.
    assert told["heat"] == pytest.approx(5 / 6 * math.log(5 / 3))
    assert telling([], []) == {}


@pytest.mark.parametrize(
    ("reply", "reading"),
    [
        ("put a crate on a dock", "put a crate on a dock"),
        ("  Put a crate  on a dock.\n", "Put a crate on a dock."),
        ("tar a barrel", "tar a barrel"),
        ("put a crate on a pier", None),  # no name of the list
        ("put a crate on a", None),  # cut
        ("Sure! put a crate on a dock", None),
        ("", None),
        ("{0}", None),
    ],
)
def test_a_reading_is_one_of_the_forms(reply, reading):
    found = Model(reply).make("read_goal", **FORMS).process(TaskStart(SAID, "A yard.", MENU))
    assert found == ({"goal": reading} if reading else None)


def test_a_reading_is_asked_under_a_grammar_with_the_examples_most_alike_last():
    model = Model("tar a crate")
    bank = [["Make the keg sticky", "tar a barrel"], ["A box on the pier", "put a crate on a dock"], ["Sing a song", "sing"]]
    made = model.make("read_goal", **FORMS, examples=bank, most=2, text="Say it plainly.")
    event = TaskStart(SAID, "A yard.", MENU)
    assert made.process(event) == {"goal": "tar a crate"}
    assert [(message["role"], message["content"]) for message in model.chats[0]] == [
        ("system", "Say it plainly."), ("user", "Make the keg sticky"), ("assistant", "tar a barrel"),
        ("user", "A box on the pier"), ("assistant", "put a crate on a dock"), ("user", SAID),
    ]  # fmt: skip
    assert model.generations[0].grammar == (
        'root ::= "put a " blank-0 " on a " blank-1 | "tar a " blank-0\nblank-0 ::= "crate" | "barrel"\nblank-1 ::= "dock" | "vat"'
    )
    # Asked again, as after a patch of the harness, it knows.
    assert made.process(event) == {"goal": "tar a crate"}
    assert len(model.chats) == 1


def test_names_are_those_met_first_where_none_are_given():
    model = Model("walk to shed")
    found = model.make("read_goal", templates=["walk to {0}"]).process(TaskStart("Off to the barn", "A yard with dock 1 and vat 2.", MENU))
    assert found == {"goal": "walk to shed"}
    assert model.generations[0].grammar == 'root ::= "walk to " blank-0\nblank-0 ::= "dock" | "shed" | "vat"'


def test_a_blank_that_stands_twice_is_filled_alike():
    model = Model("a crate by a barrel", "a vat by a vat")
    params = {"templates": ["a {0} by a {0}"], "names": [["crate", "vat", "bad {0}", ""]]}
    event = TaskStart(SAID, "A yard.", MENU)
    assert model.make("read_goal", **params).process(event) is None
    assert model.make("read_goal", **params).process(event) == {"goal": "a vat by a vat"}
    assert model.generations[0].grammar == 'root ::= "a crate by a crate" | "a vat by a vat"'


@pytest.mark.parametrize("goal", ["put a crate on a dock", "Put a crate on a dock.", "tar a barrel"])
def test_a_plain_goal_is_not_asked_about(goal):
    model = Model()
    assert model.make("read_goal", **FORMS).process(TaskStart(goal, "A yard.", MENU)) is None
    assert not model.chats


@pytest.mark.parametrize(
    ("reply", "reading"),
    [
        ("Let me see.\nPut a crate on a dock.", "Put a crate on a dock"),
        ('"tar it"', "tar it"),
        ("\n\n", None),
        (Reply("Put a cra", finish="length"), None),
        (Reply("", "hm", finish="budget"), None),
    ],
)
@pytest.mark.parametrize("templates", [[], ["", "bring {0}"]])  # there is no name for the blank
def test_without_templates_the_last_line_is_the_reading(reply, reading, templates):
    found = Model(reply).make("read_goal", templates=templates).process(TaskStart(SAID, "A yard.", ("wait",)))
    assert found == ({"goal": reading} if reading else None)


def test_all_that_follows_has_the_reading_and_the_model_is_shown_both(play, said, add_processor):
    goals = []
    hooks = ("step_start", "before_model", "before_tool", "after_tool", "step_end")
    probes = [add_processor(f"at_{hook}", hook, lambda event: goals.append(event.goal)) for hook in hooks]
    backend = Scripted(["put a crate on a dock", *["wait"] * 3])
    record = play(ModelPolicy(backend), ("read_goal", FORMS), *probes, env=said)
    # Each event is seen by the harness and by the one beside it, which has no model and so no reading.
    assert set(goals[::2]) == {SAID}
    assert set(goals[1::2]) == {"put a crate on a dock"}
    assert (record.goal, record.reading, record.error) == (SAID, "put a crate on a dock", None)
    assert record.notes["read_goal"] == {"reading": "put a crate on a dock"}
    first = f"A yard with dock 1, dock 2, shed 1, shed 2, vat 1. Your task: {SAID}.\n(that is: put a crate on a dock){CUT}"
    for call in backend.calls[1:]:
        assert call.messages[0]["content"] == first


def test_a_goal_that_the_opening_does_not_tell_stands_before_it_with_its_reading(play, yard):
    backend = Scripted(["tar a crate", "wait"])
    play(ModelPolicy(backend), ("read_goal", {}), env=yard.Yard(tells_goal=False), max_steps=1)
    expected = f"Goal: put a crate on a dock\n(that is: tar a crate)\n\nA yard with dock 1, dock 2, shed 1, shed 2, vat 1.{CUT}"
    assert backend.calls[1].messages[0]["content"] == expected


def test_a_reading_makes_a_learned_plan_go(play, yard, said):
    items = [("learned_plan", {"plans": [yard.ONE], "explore": yard.EXPLORE}), ("decide", {"method": "rank"})]
    alone = play(NoModelPolicy(), *items, env=said, max_steps=16)
    read = play(["put a crate on a dock"], ("read_goal", FORMS), *items, env=said, max_steps=16)
    assert (alone.won, read.won) == (False, True)
    # The command follows what an earlier answer set: the plan knows the goal as the model read it.
    assert {step.decided_by for step in read.trace} == {"reading"}
    assert [len(step.questions) for step in read.trace] == [1] + [0] * (read.steps - 1)
    twin = play(NoModelPolicy(), ("read_goal", FORMS), *items, env=said, max_steps=16)
    assert twin.play_hash == alone.play_hash


def test_a_reading_fills_a_free_slot(play, yard, add_processor):
    seen = []
    probe = add_processor("probe", "before_model", lambda event: seen.append(event.candidates[0]))
    play(["tar it", "fly"], ("read_goal", {}), probe, env=yard.Yard(radio=True), max_steps=1)
    assert seen == ["call put a crate on a dock", "call tar it"]  # that of the twin first


# --- the plan


@pytest.mark.parametrize(
    ("reply", "shown"),
    [
        ("1. walk to shed 2\n2. unlock it\n3. lift\n4. drop", "Be brief.\n\nPlan:\n1. walk to shed 2\n2. unlock it"),
        ("Walk.", "Be brief.\n\nPlan:\n1. Walk."),
        ("", None),
        (Reply("walk to\nand th", finish="length"), "Be brief.\n\nPlan:\n1. walk to"),
    ],
)
def test_a_plan_stands_at_the_end_of_the_system_prompt(reply, shown):
    model = Model(reply)
    made = model.make("plan", lines=2)
    event = TaskStart("put a crate on a dock", "A yard.", MENU, "Be brief.")
    for _ in range(2):
        assert made.process(event) == ({"system_prompt": shown} if shown else None)
    (chat,) = model.chats
    assert [message["role"] for message in chat] == ["system", "user"]
    assert chat[1]["content"].endswith(
        "Goal: put a crate on a dock\n\nBefore you begin, write a plan of at most 2 short steps, one a line."
    )


def test_a_plan_stays_and_prompts_only_grow(play):
    backend = Scripted(["walk\nunlock", "wait", "walk to dock 1", "wait"])
    play(ModelPolicy(backend), ("system_prompt", {"text": "Act."}), "plan")
    chats = [[message["content"] for message in call.messages] for call in backend.calls[1:]]
    assert {chat[0] for chat in chats} == {"Act.\n\nPlan:\n1. walk\n2. unlock"}
    for before, after in itertools.pairwise(chats):
        assert after[: len(before)] == before


# --- the sharp question


def test_an_answer_becomes_a_prior(yard):
    model = Model(scores=lambda answer: {"wait": -8.0, "walk to shed 2": -14.0}.get(answer, -28.0))
    made = model.make("ask", weight=2.0)
    changes = made.process(yard.ask(MENU, prior=(0.0, 1.0, 0.0, 0.0)))
    # Divided by the length, -2, -2, -2 and -1 a letter; above their mean of -1.75, twice.
    assert changes["prior"] == pytest.approx((-0.5, 0.5, -0.5, 1.5))
    assert model.scored[0][1] == list(MENU)
    assert "put a crate on a dock\nA yard.\n" in model.scored[0][0][0]["content"]
    assert made.notes["best"][0] == ["walk to shed 2", 0.75]


def test_two_of_the_best_are_asked_about_and_one_stays(yard):
    model = Model(scores=lambda answer: -1.0 if "dock" in answer else -9.0)
    made = model.make("ask", among=2, keep=1, normalize="sum")
    changes = made.process(yard.ask(MENU, prior=(0.0, 1.0, 2.0, 0.5)))
    assert model.scored[0][1] == ["walk to dock 1", "walk to shed 1"]
    assert (changes["candidates"], changes["prior"]) == (("walk to dock 1",), (5.0,))


def test_a_kind_is_asked_about_by_its_name(yard):
    model = Model(scores=lambda answer: -1.0 if answer == "shed" else -3.0)
    changes = model.make("ask", about="kinds", normalize="sum", text="Where is a crate? {answers}").process(yard.ask(MENU))
    assert model.scored == [([{"role": "user", "content": "Where is a crate? dock\nshed"}], ["dock", "shed"])]
    assert changes == {"prior": (0.0, -1.0, 1.0, 1.0)}


def test_an_answers_own_likelihood_is_taken_off(yard):
    model = Model()
    model.score = lambda prompt, answers: [
        {"dock": -1.0, "shed": -2.0}[answer] if "..." in prompt[0]["content"] else -3.0 for answer in answers
    ]
    made = model.make("ask", about="kinds", normalize="sum", correct=1.0)
    assert made.process(yard.ask(MENU)) == {"prior": (0.0, -0.5, 0.5, 0.5)}  # -2 and -1, above their mean


@pytest.mark.parametrize(("reply", "prior"), [("walk to shed 2", (-0.25, -0.25, -0.25, 0.75)), ("walk to sh", None), ("", None)])
def test_an_answer_may_be_written_under_a_grammar(reply, prior, yard):
    model = Model(reply)
    changes = model.make("ask", by="grammar").process(yard.ask(MENU))
    assert changes == ({"prior": prior} if prior else None)
    assert model.generations[0].grammar == 'root ::= "wait" | "walk to dock 1" | "walk to shed 1" | "walk to shed 2"'


def test_answers_hold_until_the_next_question(yard):
    model = Model(scores=lambda answer: -1.0 if "shed 2" in answer else -30.0)
    made = model.make("ask", every=2)
    given = []
    for number in range(5):
        given.append(made.process(yard.ask(MENU)))
        made.observe(yard.told("wait", f"You wait {number}."))
    assert len(model.scored) == 3
    assert len({json.dumps(changes["prior"]) for changes in given}) == 1
    # What was not asked about is neither liked nor disliked.
    assert made.process(yard.ask(("fly", "walk to shed 2")))["prior"][0] == 0.0


def test_it_asks_when_nothing_new_was_seen(yard):
    model = Model(scores=lambda answer: -float(len(answer) ** 2))
    made = model.make("ask", when="stale", every=2)
    asked = []
    for observation in ("You wait.", "You wait.", "You wait.", "A crate.", "You wait.", "You wait."):
        made.process(yard.ask(MENU))
        asked.append(len(model.scored))
        made.observe(yard.told("wait", observation))
    assert asked == [0, 0, 0, 1, 1, 1]
    assert made.process(yard.ask(MENU))
    assert len(model.scored) == 2


def test_a_slot_that_is_open_is_no_answer(yard):
    model = Model()
    event = yard.ask(("call {text}", "wait", "walk to dock 1"), slot_lines=("call {text}",))
    model.make("ask").process(event)
    assert model.scored[0][1] == ["wait", "walk to dock 1"]


def test_one_command_is_no_question(yard):
    model = Model()
    assert model.make("ask").process(yard.ask(("wait",))) is None
    assert model.make("ask", about="kinds").process(yard.ask(("wait", "walk to dock 1"))) is None
    assert not model.scored


# --- the check before a final step


def final(command, steps_left=9):
    return BeforeTool(command, admissible=(*MENU, "drop crate 1 on dock 1"), steps_left=steps_left, goal="a goal", observation="A yard.")


@pytest.mark.parametrize(("odds", "least", "passes"), [(0.5, 0.0, True), (0.0, 0.0, True), (-0.5, 0.0, False), (-0.5, -1.0, True)])
def test_a_no_holds_a_final_command_back_once(odds, least, passes):
    model = Model(scores=lambda answer: odds if answer == "Yes" else 0.0)
    made = model.make("check", actions=["drop # on #"], least=least, answer="Look again.")
    assert made.process(final("wait")) is None
    assert made.process(final("drop crate 1 on dock 2")) is None  # not possible now
    assert made.process(final("drop crate 1 on dock 1")) == (None if passes else {"answer": "Look again."})
    assert made.notes == {"odds": odds}
    assert made.process(final("drop crate 1 on dock 1")) is None
    (asked,) = model.scored
    assert asked[1] == ["Yes", "No"]
    assert "Goal: a goal\nA yard.\nNext: drop crate 1 on dock 1\n" in asked[0][0]["content"]


def test_the_last_steps_are_final():
    model = Model(scores=lambda answer: -float(answer == "Yes"))
    made = model.make("check", last=2)
    assert made.process(final("wait", 3)) is None
    assert made.process(final("wait", 2))
    assert made.process(final("walk to dock 1", 1))


def test_a_command_held_back_costs_no_step_and_is_sent_when_it_comes_again(play):
    backend = Scripted(["wait"] * 4, scores=lambda prompt, answer: -float(answer == "Yes"))
    record = play(ModelPolicy(backend), ("check", {"actions": ["wait"], "answer": "Look again."}), max_steps=2)
    assert [(step.command, step.observation, step.tool) for step in record.trace] == [
        ("wait", "Look again.", True), ("wait", "You wait.", False), ("wait", "You wait.", False),
    ]  # fmt: skip
    assert record.trace[0].questions[0].answers == (("No", 0.0), ("Yes", -1.0))


# --- the summary

LONG = tuple(Turn(f"walk to dock {n}", f"Dock {n} is empty.") for n in range(12))  # 8 words each


def test_older_turns_become_a_summary_once_in_a_while():
    model = Model("Docks 0 and 1 are empty.", "", "Docks 0 to 5 are empty.")
    made = model.make("summary", tokens=30, keep=2, every=2, header="Before:", text="{goal}: {steps}")
    shown = []
    for count in range(10):
        changes = made.process(StepStart(count + 1, 9, LONG[:count], "find"))
        shown.append([turn.observation if turn.is_summary else turn.command for turn in changes["history"]] if changes else count)
    first, second = "Before:\nDocks 0 and 1 are empty.", "Before:\nDocks 0 to 5 are empty."
    walks = [turn.command for turn in LONG]
    assert shown == [
        0, 1, 2, 3, [first, *walks[2:4]], [first, *walks[2:5]],
        # At the sixth turn the four that are whole are too long; the answer was empty, so it asks two turns later.
        [first, *walks[2:6]], [first, *walks[2:7]], [second, *walks[6:8]], [second, *walks[6:9]],
    ]  # fmt: skip
    assert [chat[0]["content"].splitlines()[0] for chat in model.chats] == [
        "find: > walk to dock 0", "find: Docks 0 and 1 are empty.", "find: Docks 0 and 1 are empty."
    ]  # fmt: skip
    assert "> walk to dock 5\nDock 5 is empty." in model.chats[2][0]["content"]
    assert "walk to dock 6" not in model.chats[2][0]["content"]


def test_a_summary_stands_below_the_opening_and_prompts_only_grow_until_the_next(play):
    replies = ["wait", "walk to dock 1", "wait", "It was quiet.", "wait", "wait", "wait"]
    backend = Scripted(replies)
    record = play(ModelPolicy(backend), ("summary", {"tokens": 5, "keep": 2, "every": 3}), max_steps=6)
    chats = [[message["content"] for message in call.messages] for call in backend.calls]
    opening = "A yard with dock 1, dock 2, shed 1, shed 2, vat 1. Your task: put a crate on a dock."
    assert chats[3][0].startswith("Goal: put a crate on a dock\n\n> wait\nYou wait.\n\nSum up")
    summed = f"{opening}{CUT}\n\nWhat happened before, in short:\nIt was quiet.{CUT}"
    assert chats[4] == [summed, "walk to dock 1", f"You walk to dock 1. You see nothing.{CUT}", "wait", f"You wait.{CUT}"]
    assert chats[5][: len(chats[4])] == chats[4]
    assert record.error is None


def test_a_summary_is_the_last_to_go_where_the_context_is_short(play, add_processor):
    turn = Turn("", "It was quiet.", is_summary=True)
    add = add_processor("sums", "step_start", lambda event: {"history": (turn, *event.history)})
    backend = Scripted(["wait"] * 4, n_ctx=78)
    record = play(ModelPolicy(backend), add, max_steps=4)
    assert record.error is None
    assert [step.dropped_turns for step in record.trace] == [0, 0, 1, 2]
    last = [message["content"] for message in backend.calls[-1].messages]
    assert last[0].endswith(f"{CUT}\n\nIt was quiet.{CUT}")
    assert last[1:] == ["wait", f"You wait.{CUT}"]


# --- reflection


def answered(command, observation, *, accepted=True):
    return AfterTool(command, observation, accepted, goal="a goal")


def test_a_refusal_is_reflected_upon():
    model = Model("1. Crates do not fly.\nMore.", "", "x")
    made = model.make("reflect", stale=0, most=2, steps=2)
    assert made.process(answered("wait", "You wait.")) is None
    found = made.process(answered("fly", "Nothing moves.", accepted=False))
    assert found == {"observation": "Nothing moves.\nLesson: Crates do not fly."}
    assert "Goal: a goal\n\n> wait\nYou wait.\n> fly\nNothing moves.\n\n" in model.chats[0][0]["content"]
    assert made.process(answered("fly", "Nothing moves.", accepted=False)) is None  # an empty answer
    assert made.process(answered("fly", "Nothing moves.", accepted=False)) is None  # two questions are the most
    assert len(model.chats) == 2


def test_steps_without_news_are_reflected_upon():
    model = Model("Go on.", "Go on.")
    made = model.make("reflect", refused=False, stale=2)
    found = [made.process(answered("wait", text)) for text in ("a", "a", "a", "a", "a", "b", "a")]
    assert [bool(changes) for changes in found] == [False, False, True, False, True, False, False]
    assert made.process(answered("fly", "c", accepted=False)) is None


def test_a_lesson_stays_in_the_history(play):
    backend = Scripted(["fly", "Walk to dock 1.", "wait", "wait"])
    play(ModelPolicy(backend), "reflect")
    shown = [message["content"] for message in backend.calls[-1].messages]
    assert shown[2] == f"Nothing moves.\nLesson: Walk to dock 1.{CUT}"


@pytest.mark.parametrize("item", ["plan", "reflect", ("summary", {"tokens": 0, "keep": 1, "every": 1}), ("read_goal", {})])
def test_a_twin_is_shown_nothing_that_the_model_told_the_harness(item, play):
    """The echo twin sends what the harness wrote last: an answer of the model is none of that."""
    told = ["walk to dock 1", "walk to dock 2", "walk to shed 1", "walk to shed 2", "walk to vat 1"]
    twins, shown = set(), set()
    for text in told:
        asked = {"plan": [text, "fly", "fly", "fly"], "read_goal": [text, "fly", "fly", "fly"], "reflect": ["fly", text] * 3}
        replies = asked.get(item if isinstance(item, str) else item[0], ["fly", "fly", text, "fly", text])
        backend = Scripted(replies)
        record = play(ModelPolicy(backend), item)
        assert record.error is None
        twins.add(tuple(step.twin for step in record.trace))
        shown.add(text in "".join(message["content"].lower() for message in backend.calls[-1].messages if message["role"] != "assistant"))
    assert len(twins) == 1
    assert shown == {True} or item == "reflect"


# --- without a model, and with a bad one


@pytest.mark.parametrize("policy", [NoModelPolicy, RandomPolicy, EchoPolicy, ExecutorPolicy])
def test_each_passes_without_a_model(policy, play, said):
    record = play(policy(), *ASKING.items(), env=said, max_steps=6)
    bare = play(policy(), env=said, max_steps=6)
    assert (record.error, record.failures, record.questions, record.reading) == (None, [], None, None)
    assert record.play_hash == bare.play_hash
    assert not any(step.questions or step.changed for step in record.trace)


GARBAGE = ["", " \n\n\t", "\x00\x1f\x07", "{goal} {", "�" * 5000, "1.\n2.\n3.", '"""', "é" * 99 + "\n" * 99, "<think>", "|im_end|"]


@pytest.mark.parametrize("reply", GARBAGE)
def test_garbage_is_an_answer_of_no_use(reply, play, said):
    backend = Scripted([reply] * 200, scores=lambda prompt, text: -float(len(text)))
    record = play(ModelPolicy(backend), *ASKING.items(), ("decide", {"method": "grammar"}), env=said, max_steps=8)
    assert (record.error, record.failures) == (None, [])
    assert json.loads(json.dumps(record.to_json()))


class Small(Scripted):
    """A model that takes no question of more than some words, whatever the episode asks."""

    most = 60

    def _check(self, prompt):
        from homebody.agents.errors import ContextOverflowError

        if self.count_tokens(prompt) > self.most:
            raise ContextOverflowError(self.count_tokens(prompt), self.most)

    def chat(self, prompt, generation, tools=()):
        self._check(prompt)
        return super().chat(prompt, generation, tools)

    def score(self, prompt, continuations, reply=None):
        self._check(prompt)
        return super().score(prompt, continuations, reply)


def test_a_question_that_is_too_long_is_no_error(play, said):
    items = {**ASKING, "plan": {"text": "word " * 200}, "ask": {"text": "word " * 200}, "read_goal": {"text": "word " * 200}}
    record = play(ModelPolicy(Small(["wait"] * 50)), *items.items(), ("decide", {"method": "rank"}), env=said, max_steps=4)
    assert (record.error, record.failures) == (None, [])
    first = record.trace[0].questions
    assert ["tokens do not fit the context of 60" in question.error for question in first] == [True] * 3
    assert [(question.reply, question.finish) for question in first] == [("", "length"), ("", "length"), (None, None)]
    # The middle of a long question is left out of the trace.
    assert max(len(question.prompt) for question in first) < 2100


# --- the trace and the cost


def test_each_call_is_in_the_trace_and_in_the_cost(play, said):
    scores = lambda prompt, text: -float(len(text))  # noqa: E731
    backend = Scripted(["put a crate on a dock", "walk\nunlock", "fly", "Do not fly.", "wait", "wait"], scores=scores)
    items = [("read_goal", FORMS), "plan", "ask", "reflect", ("check", {"last": 1})]
    record = play(ModelPolicy(backend), *items, ("answer", {"tokens": 24}), env=said, max_steps=2)
    assert record.error is None
    asked = [[(question.reply, len(question.answers)) for question in step.questions] for step in record.trace]
    # At the start the reading and the plan; then which command is next; what a refusal teaches; whether the last one is right.
    assert asked[0] == [("put a crate on a dock", 0), ("walk\nunlock", 0), (None, 5), ("Do not fly.", 0)]
    assert asked[1] == [(None, 5), (None, 2)]
    first = record.trace[0].questions[0]
    assert (first.tokens, first.finish, first.error) == (6, "stop", "")
    assert first.prompt.endswith(f"\n{SAID}\n>")
    assert record.usage["calls"] == len(backend.calls) == 9
    assert record.usage["generated_tokens"] == backend.usage.generated_tokens == 6 + 2 + 1 + 3 + 1 + 1
    assert record.usage["prompt_tokens"] == backend.usage.prompt_tokens > 0


def test_questions_after_the_last_step_are_kept_too(play, add_processor, monkeypatch):
    class Late(Processor):
        name, hook, dimension, schema = "late", "task_end", "observability", {}

        def process(self, event):
            if self.services.chat is not None:
                self.services.chat([{"role": "user", "content": "How was it?"}], Generation(tokens=2))

    monkeypatch.setitem(REGISTRY, "late", Late)
    record = play(["wait", "Well enough."], "late", max_steps=1)
    (question,) = record.questions
    assert (question.prompt, question.reply, question.tokens) == ("How was it?\n>", "Well enough.", 2)
    assert play(["wait"], max_steps=1).questions is None


def test_a_thought_of_a_question_is_kept_and_not_read(play, said):
    reply = Reply("put a crate on a dock", "Hm, the pier?")
    record = play([reply, "wait"], ("read_goal", {**FORMS, "thought": 64}), env=said, max_steps=1)
    (question,) = record.trace[0].questions
    assert (question.thought, record.reading) == ("Hm, the pier?", "put a crate on a dock")


@pytest.mark.parametrize(("thought", "mode", "budget"), [(0, "off", 512), (64, "template", 64)])
def test_a_question_is_thought_about_as_far_as_it_says(thought, mode, budget):
    model = Model("x")
    model.make("plan", thought=thought, tokens=77).process(TaskStart("goal", "A yard.", MENU))
    (generation,) = model.generations
    assert (generation.thinking.mode, generation.thinking.budget, generation.tokens) == (mode, budget, 77)
    assert (generation.temperature, generation.maker) == (0.0, False)


# --- seeds


@pytest.fixture
def seeds_of(monkeypatch, play):
    """Play with a processor that asks twice a step, and return the seeds of its questions: `seeds_of(generation, **options)`."""

    def seeds_of(generation, **options):
        class Twice(Processor):
            name, hook, dimension, schema = "twice", "before_model", "control", {}

            def process(self, event):
                if self.services.chat is not None:
                    for _ in range(2):
                        self.services.chat([{"role": "user", "content": "So?"}], generation)

        monkeypatch.setitem(REGISTRY, "twice", Twice)
        backend = Scripted(["so", "so", "wait"] * 3)
        play(ModelPolicy(backend), "twice", **options)
        return [call.generation.seed for call in backend.calls if call.prompt.startswith("So?")]

    return seeds_of


def test_a_sampled_question_has_a_seed_of_its_own(seeds_of):
    sampled = Generation(temperature=1.0)
    first = seeds_of(sampled)
    assert len(first) == len(set(first)) == 6
    assert seeds_of(sampled) == first
    others = [seeds_of(sampled, seed=1), seeds_of(sampled, attempt=1), seeds_of(replace(sampled, seed=1)), seeds_of(Generation(maker=True))]
    assert all(not set(first) & set(other) for other in others[:3])
    assert others[3] == first


def test_a_greedy_question_stays_greedy_at_each_attempt(seeds_of):
    assert set(seeds_of(Generation(seed=7), attempt=2)) == {7}


def test_the_same_bytes_again(harness, yard):
    spec = harness(*ASKING.items(), ("memory_text", {}), ("decide", {"method": "vote", "samples": 2}))

    def once():
        backend = Scripted(["put a crate on a dock", "walk to shed 2", "unlock shed 2"] * 50, scores=lambda prompt, text: -float(len(text)))
        return json.dumps({**run_episode(yard.Yard(), spec, ModelPolicy(backend), yard.task(), max_steps=8).to_json(), "usage": {}})

    assert once() == once()


def test_a_finished_step_tells_why_it_was_refused(yard, play, add_processor):
    class Telling(yard.Yard):
        def info(self):
            return super().info() | {"why": "crates do not fly"}

    seen = []
    add = add_processor("probe", "step_end", seen.append)
    play(NoModelPolicy(), add, env=Telling(), max_steps=1)
    play(["fly"], add, env=Telling(), max_steps=1)
    assert [(event.accepted, event.why) for event in seen[:2]] == [(True, ""), (False, "crates do not fly")]
    assert isinstance(seen[0], StepEnd)
