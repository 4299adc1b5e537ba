"""What a harness wrote into a prompt by itself: the command that it would have a model copy.

Commands are found by their words, so that capitals, marks and breaks between the words hide none. What the
environment said is not the harness's, and neither is what was sent before. A list of commands is no advice, unless
one of them stands out. A command in other words is not found: reading those takes a reader.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby, pairwise

from homebody.agents.harness.grammar import SLOT, filling, matches
from homebody.agents.harness.hooks import BeforeModel
from homebody.agents.models.backend import CUT, Message
from homebody.agents.processors.context import grouped

Words = tuple[str, ...]
_WORD = re.compile(r"[^\W_]+")
_LETTER = re.compile(r"[^\W\d_]")
_BLANK = re.compile(r"[\d\s]+")


@dataclass(frozen=True)
class Advice:
    """Commands that a harness wrote into a prompt, outside of lists; empty where it wrote none."""

    fresh: str = ""
    """The last one among the lines that the prompt before did not have."""
    kept: str = ""
    """The last one that is on offer among the other lines of this step's message."""


class Reader:
    """Reads the prompts of one episode, in order."""

    def __init__(self) -> None:
        self._said: set[Words] = set()
        """Lines of the environment so far."""
        self._before: set[Words] | None = None
        """Lines of the harness in the prompt before."""
        self._is_ranking = False
        """Whether the harness has listed what is on offer in an order of its own."""

    def read(self, event: BeforeModel, messages: Sequence[Message]) -> Advice:
        """Return what the harness wrote into a prompt.

        Args:
            event: what is on offer, with the message of this step.
            messages: the chat; the event is read in the place of its last message.
        """
        # The goal as well, as an episode writes it where the opening does not say it.
        world = Counter(map(words, (*event.env_text.splitlines(), event.goal, f"Goal: {event.goal}")))
        self._said.update(world)
        older = (message["content"] for message in reversed(messages[:-1]) if message["role"] != "assistant")
        parts = [
            _lines(_without_groups("\n".join(_without(_lines(event.content), world)), event.candidates)),
            *([line for line in _lines(text) if words(line) not in self._said] for text in older),
        ]
        now = {words(line) for part in parts for line in part}
        # Nothing shows that the first prompt was written for its step.
        before, self._before = now if self._before is None else self._before, now
        forms = _Forms(event, self._is_ranking)
        news = [[words(line) not in before for line in part] for part in parts]
        # In older messages nothing but news is advice.
        advised = [forms.advised(part, is_new) for part, is_new in zip(parts, news, strict=True) if part is parts[0] or any(is_new)]
        self._is_ranking = forms.is_ranking
        kept = advised[0].kept if matches(advised[0].kept, (*event.candidates, *event.tools)) else ""
        return Advice(next((advice.fresh for advice in advised if advice.fresh), ""), kept)


@lru_cache(maxsize=65536)
def words(text: str) -> Words:
    """Return the words of a text, without capitals."""
    return tuple(word.casefold() for word in _WORD.findall(unicodedata.normalize("NFKC", text)))


def _lines(text: str) -> list[str]:
    """Return the lines of a text that hold a word."""
    return [line for line in text.replace(CUT, "\n").splitlines() if words(line)]


def _without_groups(text: str, candidates: Sequence[str]) -> str:
    """Return a text without candidates listed in groups, as `show_candidates` may list them."""
    groups = grouped(candidates)
    if set(groups) <= set(candidates):
        return text
    kept, at = text, len(text)
    for group in reversed(groups):
        at = text.rfind(group, 0, at)
        if at < 0:
            return text
        kept = f"{kept[:at]}\n{kept[at + len(group) :]}"
    return kept


def _without(lines: Iterable[str], world: Mapping[Words, int]) -> list[str]:
    """Return lines without those of the environment, each taken off as often as that said it."""
    left = Counter(world)
    kept = []
    for line in lines:
        left[words(line)] -= 1
        if left[words(line)] < 0:
            kept.append(line)
    return kept


@dataclass(frozen=True)
class _Mention:
    """A command where it stands in a text."""

    start: int
    end: int
    command: str
    is_exact: bool
    """Whether it stands there letter by letter."""


@dataclass(frozen=True)
class _Row:
    """Commands with nothing but marks and numbers between them."""

    context: str
    """What stands around them in their line, without numbers and spaces."""
    commands: tuple[str, ...]
    is_new: bool
    """Whether one of the lines over which they go is new."""


class _Forms:
    """The commands of a step, ready to be found in a text."""

    def __init__(self, event: BeforeModel, is_ranking: bool) -> None:
        self._candidates = event.candidates
        self.is_ranking = is_ranking
        self._by_words: dict[Words, list[str]] = {}
        self._sizes: dict[str, set[int]] = {}
        self._slots: list[tuple[str, re.Pattern[str]]] = []
        for form in dict.fromkeys((*event.candidates, *event.admissible, *event.tools)):
            before, slot, after = form.partition(SLOT)
            if slot and words(before):
                end = re.escape(after) if after else "$"
                self._slots.append((form, re.compile(rf"(?<!\w){re.escape(before)}[^\n]+?{end}", re.MULTILINE)))
            elif not slot and (spelt := words(form)):
                self._by_words.setdefault(spelt, []).append(form)
                self._sizes.setdefault(spelt[0], set()).add(len(spelt))
        forms = [*event.admissible, *event.tools]
        # In the environment's order; a slot that the harness has filled takes its form's place.
        self._rank = {form: number for number, form in enumerate(forms)}
        for candidate in set(event.candidates) - set(forms):
            rank = next((number for number, form in enumerate(forms) if filling(form, candidate) is not None), len(forms))
            self._rank[candidate] = rank

    def advised(self, lines: Sequence[str], is_new: Sequence[bool]) -> Advice:
        """Return the last command in some lines that is no item of a list, among the new lines and among the others.

        Two commands with nothing but marks and numbers between them are items of a list, and so are commands in lines
        that are alike but for them. Of a list one is advised that stands there more often than the others; and the
        first of a list that the harness has put into an order of its own, or ever did with all candidates.
        """
        rows = self._rows(unicodedata.normalize("NFKC", "\n".join(lines)), is_new)
        alike: dict[str, list[str]] = {}
        for row in rows:
            alike.setdefault(row.context, []).extend(row.commands)
        picked = {context: self._pick(commands) for context, commands in alike.items()}
        last = {row.is_new: picked[row.context] for row in rows if picked[row.context] in row.commands}
        return Advice(last.get(True, ""), last.get(False, ""))

    def _pick(self, commands: Sequence[str]) -> str:
        (first, most), *others = Counter(commands).most_common(2)
        if not others or most > others[0][1]:
            return first
        ranks = [self._rank.get(command, -1) for command in commands]
        if most > 1 or -1 in ranks:
            return ""
        is_own, is_whole = ranks != sorted(ranks), set(commands) == set(self._candidates)
        self.is_ranking = self.is_ranking or (is_own and is_whole)
        return commands[0] if is_own or (is_whole and self.is_ranking) else ""

    def _rows(self, text: str, is_new: Sequence[bool]) -> list[_Row]:
        rows = []
        end = 0
        for _, in_line in groupby(self._without_candidates(text), lambda mention: text.count("\n", 0, mention.start)):
            runs: list[list[_Mention]] = []
            for mention in in_line:
                if not runs or _LETTER.search(text[runs[-1][-1].end : mention.start]):
                    runs.append([])
                runs[-1].append(mention)
            edges = [max(end, text.rfind("\n", 0, runs[0][0].start) + 1), *(run[-1].end for run in runs)]
            end = max(text.find("\n", edges[-1]), 0) or len(text)
            nexts = [*(run[0].start for run in runs[1:]), end]
            for run, before, after in zip(runs, edges, nexts, strict=False):
                # A command in other letters than those around it stands out.
                mark = "\0" if run[0].is_exact else "\1"
                context = f"{text[before : run[0].start]}{mark}{text[run[-1].end : after]}"
                first, last = (text.count("\n", 0, at) for at in (run[0].start, run[-1].end))
                rows.append(_Row(_BLANK.sub("", context), tuple(mention.command for mention in run), any(is_new[first : last + 1])))
        return rows

    def _without_candidates(self, text: str) -> list[_Mention]:
        """Return where commands stand, without a list of all candidates in which none stands out."""
        mentions = self._mentions(text)
        size = len(self._candidates)
        ranks = [self._rank[command] for command in self._candidates]
        if size > 1 and ranks == sorted(ranks) and not self.is_ranking:
            for at in range(len(mentions) - size + 1):
                listed = mentions[at : at + size]
                if tuple(mention.command for mention in listed) == self._candidates and _is_even(text, listed):
                    return mentions[:at] + mentions[at + size :]
        return mentions

    def _mentions(self, text: str) -> list[_Mention]:
        """Return where commands stand, from left to right: the longest of those that begin at one place, none within another."""
        spans = [word.span() for word in _WORD.finditer(text)]
        spelt = [text[start:end].casefold() for start, end in spans]
        found: list[_Mention] = []
        free = 0
        for at in [at for at, word in enumerate(spelt) if word in self._sizes]:  # Most words of a prompt begin no command.
            if at < free:
                continue
            sizes = sorted((size for size in self._sizes[spelt[at]] if at + size <= len(spelt)), reverse=True)
            size = next((size for size in sizes if tuple(spelt[at : at + size]) in self._by_words), 0)
            if size:
                start, end = spans[at][0], spans[at + size - 1][1]
                forms = self._by_words[tuple(spelt[at : at + size])]
                # Of commands in the same words the one that stands there letter by letter.
                spelt_as = next((form for form in forms if text.startswith(form, start)), "")
                found.append(_Mention(start, start + len(spelt_as) if spelt_as else end, spelt_as or forms[0], bool(spelt_as)))
                free = at + size
        for form, pattern in self._slots:
            for match in pattern.finditer(text):
                said = filling(form, match[0].rstrip("\"'`*. ") if form.endswith(SLOT) else match[0])
                overlaps = any(mention.start < match.end() and match.start() < mention.end for mention in found)
                if said and said != SLOT and words(said) and not overlaps:
                    found.append(_Mention(match.start(), match.end(), form.replace(SLOT, said), True))
        return sorted(found, key=lambda mention: mention.start)


def _is_even(text: str, listed: Sequence[_Mention]) -> bool:
    """Tell whether the same stands between any two commands of a list, and nothing else around it in its lines."""
    gaps = [text[one.end : other.start] for one, other in pairwise(listed)]
    head, line, tail = gaps[0].partition("\n")
    if len({_BLANK.sub("", gap) for gap in gaps}) > 1 or len({mention.is_exact for mention in listed}) > 1:
        return False
    if not line:
        return True
    before = text[text.rfind("\n", 0, listed[0].start) + 1 : listed[0].start]
    after = text[listed[-1].end :].partition("\n")[0]
    is_enclosed = all(_BLANK.sub("", found) in ("", _BLANK.sub("", usual)) for found, usual in ((before, tail), (after, head)))
    # Two commands with words between their lines may be anything.
    return is_enclosed and (len(listed) > 2 or not _LETTER.search(gaps[0]))
