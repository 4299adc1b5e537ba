"""Who decided, in words: at a step, and over the steps of an episode."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from homebody.agents.record import BY_MODEL, DECIDED_BY, EpisodeRecord, Question, StepRecord, decisions

MEANINGS = {
    "model": "the model's choice; its twin would do something else",
    "agreed": "the model's choice, and its twin's too",
    "reading": "follows an earlier answer of the model",
    "harness": "the harness alone",
    "fallback": "the reply could not be read",
}
"""What each value of `StepRecord.decided_by` means."""
TEXT_CHARS = 160
"""Most characters that are shown of a question, from its end, where the answer goes."""
REPLY_CHARS = 400
"""Most characters that are shown of a thought and of a reply."""


def is_by_model(steps: Iterable[StepRecord]) -> bool:
    """Tell whether a model played these steps: without one there is no twin, and nothing but the harness to decide."""
    return any(step.twin is not None or step.decided_by != "harness" for step in steps)


def decision(step: StepRecord) -> str:
    """Return who decided, by what margin, and whether the reply was repaired or cut: `model, by 1.08`."""
    marks = [step.decided_by]
    if step.margin is not None:
        marks.append(margin(step.margin))
    marks += [name for name, is_so in (("repaired", step.repaired), ("retried", step.retried), ("cut", step.cut)) if is_so]
    return ", ".join(marks)


def margin(value: float) -> str:
    """Return in words how far the chosen command was above the next one."""
    if value == 0:
        return "drawn among equals"
    # A later attempt samples, and may choose what is less likely.
    return f"by {value:.2f}" if value > 0 else f"sampled, {-value:.2f} below the next"


def twin(step: StepRecord) -> str:
    """Return what the twin would have sent, where that is another command; else nothing."""
    return step.twin if step.twin is not None and step.twin != step.command else ""


def asked(question: Question) -> tuple[str, list[tuple[str, float]]]:
    """Return a question on one line, with dots where the answer goes, and its best answers with their log-probabilities."""
    prompt = " ".join(question.prompt.split())
    if len(prompt) > TEXT_CHARS:
        prompt = f"... {prompt[-TEXT_CHARS:].partition(' ')[2]}"
    # An answer holds what follows it in the sentence, too.
    return f"{prompt} ...", [(" ".join(text.split()).strip(" ."), score) for text, score in question.answers]


def answers(question: Question) -> list[str]:
    """Return the best answers to a question with their log-probabilities as texts, or what the model wrote instead."""
    if question.answers:
        return [f"{text} {score:.1f}" for text, score in asked(question)[1]]
    written = " ".join((question.reply or question.error).split())
    return [written if len(written) <= TEXT_CHARS else f"{written[:TEXT_CHARS]} ..."] if written else ["(nothing)"]


def conclusions(step: StepRecord) -> list[tuple[str, list[tuple[str, float]]]]:
    """Return what processors made of the model's answers: of their notes, those that are texts with numbers, by their names."""
    if not step.questions:
        return []
    found = [(name, value) for notes in step.notes.values() for name, value in notes.items() if is_ranking(value)]
    return [(name, [(str(text), float(number)) for text, number in value]) for name, value in found]


def is_ranking(value: object) -> bool:
    """Tell whether a note is a list of texts, each with a number."""
    return (
        isinstance(value, list)
        and bool(value)
        and all(
            isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], str) and isinstance(pair[1], int | float) for pair in value
        )
    )


def shares(counts: Mapping[str, int]) -> str:
    """Return in a line how many steps the model decided: `the model decided 3 of 7 steps: 1 model, 2 reading; 4 harness`.

    Args:
        counts: steps by who decided, as in `homebody.agents.record.Decisions`; none is an episode without steps.
    """
    total = sum(counts.values())
    if not total:
        return "no step was taken"
    sides = [[f"{counts[name]} {name}" for name in names if counts.get(name)] for names in (BY_MODEL, DECIDED_BY[len(BY_MODEL) :])]
    by_model = sum(counts.get(name, 0) for name in BY_MODEL)
    parts = "; ".join(", ".join(side) for side in sides if side)
    return f"the model decided {by_model} of {total} {'step' if total == 1 else 'steps'}: {parts}"


def faults(records: Iterable[EpisodeRecord]) -> str:
    """Return in a line what was wrong with the model's replies; empty where nothing was."""
    found = decisions(records)
    parts = [f"{100 * found.unreadable:.0f}% of its free replies unreadable"] if found.unreadable else []
    parts += [f"{100 * found.cut:.0f}% cut"] if found.cut else []
    parts += [f"{number} {name}" for name, number in (("repaired", found.repaired), ("retried", found.retried)) if number]
    return ", ".join(parts)


def reply(step: StepRecord, most: int = REPLY_CHARS) -> str:
    """Return what the model wrote as its answer, line by line; empty where that is the command alone.

    Args:
        step: of which something was chosen.
        most: characters; of a longer reply the beginning and the end are shown.
    """
    text = _lines(step.response)
    if text == step.command:
        return ""
    return _middle_cut(text, most) or "(nothing)"


def thought(step: StepRecord, most: int = REPLY_CHARS) -> str:
    """Return what the model thought before its answer, line by line; empty where it did not think.

    Args:
        step: of which something was chosen.
        most: characters; of a longer thought the beginning and the end are shown.
    """
    text = _middle_cut(_lines(step.thought), most)
    return f"{text} (cut at its budget)" if text and step.finish == "budget" else text


def _lines(text: str) -> str:
    """Return the lines of a text that say something, with single spaces."""
    return "\n".join(filter(None, (" ".join(line.split()) for line in text.splitlines())))


def _middle_cut(text: str, most: int) -> str:
    if len(text) <= most:
        return text
    head, tail = text[: most // 2], text[len(text) - most // 2 :]
    return f"{head.rstrip()} [{len(text) - 2 * (most // 2)} more characters] {tail.lstrip()}"
