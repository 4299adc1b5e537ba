"""Answers that repeat what was given or read: which ones do, and what is written in their place."""

from dataclasses import replace

import pytest

from homebody.agents.harness.hooks import Choice, Reading
from homebody.agents.model_policy import ModelPolicy, _span
from homebody.agents.models.generation import Generation, Reply
from homebody.agents.models.scripted import Scripted
from homebody.agents.policy import is_offered, repeats

MENU = ("call {text}", "wait", "walk to dock 1", "walk to dock 2")
NOTE = "note {text}"
CHAT = [{"role": "user", "content": "A yard."}]


class Drawing(Scripted):
    """Notes how each reply is asked for."""

    def chat(self, prompt, generation, tools=()):
        self.asked = [*getattr(self, "asked", []), generation]
        return super().chat(prompt, generation, tools)


class Ranked(Drawing):
    """Has its replies in their order, as a backend that tells the next most probable ones."""

    def chat_unless(self, refuses, prompt, generation, tools=(), *, others):
        self.left = []
        first = None
        for _ in range(1 + others):
            reply = self.chat(prompt, generation, tools)
            first = first or reply
            span = refuses(reply)
            if span is None:
                return reply
            self.left.append(reply.text[slice(*span)])
        return first


def barring(yard, *barred, others=3, **given):
    return yard.ask(given.pop("candidates", MENU), barred=barred, others=others, **given)


def decided(backend, event, chat=CHAT):
    policy = ModelPolicy(backend)
    policy.begin(0, 0, None)
    return policy.decide(event, chat)


# --- what repeats a text


@pytest.mark.parametrize(
    ("command", "barred", "expected"),
    [
        ("wait", "wait", True),
        ("wait", "wait  ", True),
        ("wait", "wait here", False),
        ("note a\n  b", "note a  \n\n  b\n", True),
        ("note a\n  b", "note a\n b", False),
        ("note a\n  b", "1 a\n2   b\n3 c", True),
        ("note a\n  b", "c\na\n  b", True),
        ("note ```python\na\n  b\n```", "a\n  b", True),
        ("note a\n  b", "  9: a\n 10:   b", True),
        ("note a\n  b", "5 # a\n6 #   b", False),
        ("note a\nb", "  a\n  b", False),  # less far in
        ("note a\nb", "xa\nxb", False),
        ("note a\n  b", "1 a\n2  b", False),  # another indentation
        ("note a\n  b", "1 a\n2 c\n3   b", False),  # not one below the other
        ("note a", "1 a\n2 b", False),  # a line alone may be taken from what was read
        ("wait\nhere", "wait\nhere\nnow", False),  # fills no slot
        ("note a\n\n b", "1 a\n2  b", True),  # empty lines aside
    ],
)
def test_what_repeats_a_text(yard, command, barred, expected):
    event = barring(yard, barred, candidates=(*MENU, NOTE), slot_lines=(NOTE,))
    assert repeats(command, event) is expected


def test_nothing_repeats_where_nothing_is_barred(yard):
    assert not repeats("wait", barring(yard))


# --- the processor


def told(guard, yard, *turns):
    """Let steps go by: a command and its answer each."""
    for command, answer in turns:
        guard.process(yard.ask(MENU, env_text=getattr(guard, "last", "A yard.")))
        guard.observe(yard.told(command, answer))
        guard.last = answer


def barred(guard, yard, **given):
    return set(guard.process(yard.ask(MENU, env_text=guard.last, **given))["barred"])


def test_what_filled_a_slot_is_barred_for_good(make, yard):
    guard = make("no_repeat", {"in_a_row": False})
    told(guard, yard, ("call help", "Nobody hears."), ("wait", "You wait."), ("walk to dock 1", "Dock 1."))
    assert barred(guard, yard) == {"call help"}


def test_a_command_is_barred_in_the_situation_in_which_it_was_given(make, yard):
    guard = make("no_repeat", {"in_a_row": False})
    told(guard, yard, ("wait", "You wait."), ("walk to dock 1", "Dock 1."), ("wait", "You wait."))
    assert barred(guard, yard) == {"walk to dock 1"}
    told(guard, yard, ("walk to dock 2", "Dock 2."))
    assert barred(guard, yard) == set()


def test_the_last_command_is_barred_in_a_row(make, yard):
    guard = make("no_repeat")
    told(guard, yard, ("wait", "You wait."))
    assert barred(guard, yard) == {"wait"}
    told(guard, yard, ("walk to dock 1", "Dock 1."))
    assert barred(guard, yard) == {"walk to dock 1"}


def test_what_was_read_is_barred_where_a_slot_holds_several_lines(make, yard):
    for copies in (True, False):
        guard = make("no_repeat", {"copies": copies, "in_a_row": False})
        told(guard, yard, ("wait", "1 a\n2 b"))
        assert barred(guard, yard) == set()
        assert barred(guard, yard, slot_lines=("call {text}",)) == ({"A yard.", "1 a\n2 b"} if copies else set())


def test_it_says_how_many_others_may_be_written(make, yard):
    assert make("no_repeat", {"others": 2}).process(yard.ask(MENU))["others"] == 2


def test_what_went_before_is_known_where_it_comes_in_late(make, yard):
    """A processor that a rule adds in mid-episode is told of the steps before, and was asked at none of them."""
    guard = make("no_repeat", {"in_a_row": False})
    guard.observe(yard.told("call help", "1 a\n2 b", MENU))
    guard.last = "1 a\n2 b"
    assert barred(guard, yard, slot_lines=("call {text}",)) == {"call help", "1 a\n2 b"}


# --- the policy


def test_an_answer_that_repeats_is_drawn_anew_where_the_backend_ranks_none(yard):
    backend = Drawing(["wait", "wait", "call help"])
    decision = decided(backend, barring(yard, "wait"))
    assert (decision.command, decision.is_again, decision.is_free) == ("call help", True, True)
    assert [asked.temperature for asked in backend.asked] == [0.0, 0.7, 0.7]
    assert len({asked.seed for asked in backend.asked}) == 3


def test_a_sampling_harness_draws_at_its_own_temperature(yard):
    backend = Drawing(["wait", "call help"])
    event = replace(barring(yard, "wait"), generation=Generation(temperature=0.3))
    assert decided(backend, event).command == "call help"
    assert [asked.temperature for asked in backend.asked] == [0.3, 0.3]


def test_the_next_most_probable_one_is_taken_where_the_backend_ranks_them(yard):
    backend = Ranked(["wait", "call help", "walk to dock 1"])
    decision = decided(backend, barring(yard, "wait", "call help"))
    assert (decision.command, decision.is_again) == ("walk to dock 1", True)
    assert backend.left == ["wait", "call help"]


def test_others_have_to_be_commands_on_offer_and_the_first_need_not(yard):
    assert decided(Ranked(["sing"]), barring(yard, "wait")).command == "sing"
    assert decided(Ranked(["wait", "sing", "call help"]), barring(yard, "wait")).command == "call help"


@pytest.mark.parametrize(
    ("text", "command", "read", "left"),
    [
        ("call help\ncall help", "call help", "first", "call help"),  # the first of two
        ("call help\ncall help", "call help", "last", "call help"),
        ("`wait`.\nand more", "wait", "first", "wait"),
        ("note a\n  b\n\n  b\nmore", "note a\n  b", "first", " a\n  b"),
        ("WAIT", "wait", "first", "WAIT"),  # not found: all of it
    ],
)
def test_where_an_answer_may_be_left(yard, text, command, read, left):
    event = barring(yard, candidates=(*MENU, NOTE), slot_lines=(NOTE,), reading=Reading(read))
    begin, end = _span(text, command, event)
    assert text[begin:end] == left
    assert begin == (text.find if read == "first" else text.rfind)(left)


def test_others_hold_no_broken_characters(yard):
    assert decided(Ranked(["wait", "call h\ufffd", "call help"]), barring(yard, "wait")).command == "call help"


def test_where_all_repeat_the_first_stays(yard):
    for kind in (Ranked, Drawing):
        decision = decided(kind(["wait"] * 4), barring(yard, "wait"))
        assert (decision.command, decision.is_again) == ("wait", False)


def test_without_others_nothing_is_judged(yard):
    backend = Ranked(["wait"])
    assert decided(backend, barring(yard, "wait", others=0)).command == "wait"
    assert not hasattr(backend, "left")


def test_others_leave_an_answer_within_its_command(yard):
    reading = Reading("after", "Action:")
    backend = Ranked(["So.\nAction: wait", "So.\nAction: call help", "So.\nAction: call home"])
    free = {"reading": reading, "generation": Generation(tokens=50)}
    decision = decided(backend, barring(yard, "wait", "call help", **free))
    assert decision.command == "call home"
    assert backend.left == ["wait", "call help"]
    backend = Ranked(["So.\nAction: wait", "So.\nAction: walk to dock 1"])
    decision = decided(backend, barring(yard, "wait", **free, choice=Choice("grammar")))
    assert (decision.command, decision.is_again, decision.is_free) == ("walk to dock 1", True, False)


def test_a_reply_is_a_record_of_the_answer_that_was_taken(yard):
    backend = Ranked([Reply("wait", finish="length"), Reply("call help")])
    decision = decided(backend, barring(yard, "wait"))
    assert (decision.response, decision.finish, is_offered(decision.command, barring(yard))) == ("call help", "stop", True)


def test_a_line_that_stood_before_the_last_command_is_left_as_well(yard):
    event = barring(yard, "wait", reading=Reading("after", "Action:"), generation=Generation(tokens=50))
    chat = [*CHAT, {"role": "assistant", "content": "So be it. \nAction: call home"}, {"role": "user", "content": "Nobody."}]
    backend = Ranked(["So be it.\nAction: wait", "So it is.\nAction: wait", "So.\nAction: call help"])
    assert decided(backend, event, chat).command == "call help"
    # Of the second answer, too: it may differ from the first by a word that leads to the same command.
    assert backend.left == ["So be it.\nAction: wait", "So it is.\nAction: wait"]
    backend = Ranked(["So it is.\nAction: wait", "So be it.\nAction: wait", "So.\nAction: call help"])
    assert decided(backend, event, chat).command == "call help"
    assert backend.left == ["wait", "wait"]
    bare = [*CHAT, {"role": "assistant", "content": "Action: call home"}]
    backend = Ranked(["Action: wait", "Action: call help"])
    assert decided(backend, event, bare).command == "call help"
    assert backend.left == ["wait"]
