"""The page-value learner: what training in an environment of pages teaches.

That is which commands all pages share, how successes end, and what tells a good page from a bad one.

All of it becomes data of `homebody.agents.skills.page_values`. Pages are told apart by the commands that they offer; their text is read by
`homebody.agents.skills.page_reading`: choices stand between pieces of text.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from homebody.agents.harness.grammar import SLOT
from homebody.agents.skills import page_reading
from homebody.agents.skills.page_reading import Marks
from homebody.agents.skills.page_values import PageTable
from homebody.envs import TaskSpec
from homebody.evolution.evidence.explore import Explorer, Walk

WALK_LENGTH = 20
SHARED = 0.5
"""Share of the training tasks that have to offer a command for it to count as fixed."""
LISTED = 0.01
"""Share of the goals that have to have a word for it to be listed."""
WINS = 40
"""Wins of random walks after which it is known of how successes end."""
LOOK = 10
"""Choices of each list that are played to the end."""


@dataclass(frozen=True)
class Sample:
    """A choice of a list, opened and played to the end."""

    features: tuple[float, ...]
    """As `page_reading.FEATURES`."""
    won: bool


def is_paged(opening: Walk) -> bool:
    """Tell whether a task begins with commands that are calls, all with the same marks around their argument."""
    marks = page_reading.brackets(opening.opening)
    return marks is not None and all(page_reading.argument(command, marks) for command in opening.opening)


def learn_page_values(explorer: Explorer, tasks: Sequence[TaskSpec], budget: int) -> tuple[PageTable | None, list[str]]:
    """Walk at random, and play choices to the end.

    Args:
        explorer: plays.
        tasks: training tasks, at least one.
        budget: about how many environment steps to take.

    Returns:
        What was learned, None where no task was won; and the ids of the tasks that were played.
    """
    walks, wins = _walk(explorer, tasks, budget // 3)
    played = [walk.task.task_id for walk in walks]
    fixed = fixed_commands(walks)
    finals = Counter(plan[-1] for plan in wins if plan[-1] in fixed)
    if not finals:
        return None, sorted(set(played))
    final = min(finals, key=lambda command: (-finals[command], command))
    text_mark = separator(walks)
    known = Known(final, frozenset(fixed), text_mark, goal_marks(walks, fixed, text_mark), document_frequencies(walks))
    samples: list[list[Sample]] = []
    for task in tasks:
        if explorer.steps < budget:
            samples.append(_play_list(explorer, task, known))
            played.append(task.task_id)
    weights = fit([sample for some in samples for sample in some])
    table = PageTable(
        final=final,
        back=back_command(walks, fixed, final),
        fixed=sorted(fixed),
        separator=text_mark,
        heading_mark=known.marks.heading,
        part_mark=known.marks.part,
        document_frequency=known.document_frequency,
        weights={name: round(float(value), 4) for name, value in zip(("prior", *page_reading.FEATURES), weights, strict=True)},
        threshold=threshold(samples, weights),
    )
    return table, sorted(set(played))


@dataclass(frozen=True)
class Known:
    """What is known of pages before choices are played to the end."""

    final: str
    """The command that ends an episode."""
    fixed: frozenset[str]
    separator: str
    marks: Marks
    document_frequency: dict[str, float]
    """Document frequency of the words of goals."""


def _walk(explorer: Explorer, tasks: Sequence[TaskSpec], budget: int) -> tuple[list[Walk], list[list[str]]]:
    """Walk at random, in favour of what is new in the walk and of arguments that stand in the goal; return walks and shortened wins."""
    walks: list[Walk] = []
    wins: list[list[str]] = []
    number = 0
    while explorer.steps < budget and len(wins) < WINS:
        task = tasks[number % len(tasks)]
        rng = np.random.Generator(np.random.PCG64([explorer.seed, number, int(task.hash[:12], 16)]))
        number += 1
        done: Counter[str] = Counter()

        def choose(
            goal: str,
            observation: str,
            admissible: tuple[str, ...],
            rng: np.random.Generator = rng,
            done: Counter[str] = done,
        ) -> str | None:
            if not admissible:
                return None
            marks = page_reading.brackets(admissible)
            weights = [_interest(page_reading.argument(command, marks).lower() in goal.lower(), done[command]) for command in admissible]
            command = admissible[int(rng.choice(len(admissible), p=np.array(weights) / sum(weights)))]
            done[command] += 1
            return command

        walk = explorer.play(task, choose, WALK_LENGTH)
        walks.append(walk)
        if walk.won and (plan := explorer.shorten(task, [moment.command for moment in walk.moments])):
            wins.append([command.replace(walk.goal, SLOT) for command in plan])
    return walks, wins


def _interest(is_named: bool, times: int) -> float:
    return (6.0 if is_named else 1.0) * (1.0 if times else 5.0)


def fixed_commands(walks: Iterable[Walk]) -> frozenset[str]:
    """Return the commands that were on offer in at least half of the tasks, a free slot not filled."""
    offered: dict[str, set[str]] = defaultdict(set)
    tasks = set()
    for walk in walks:
        tasks.add(walk.task.task_id)
        for commands in (walk.opening, *(moment.admissible for moment in walk.moments)):
            for command in commands:
                offered[command.replace(walk.goal, SLOT)].add(walk.task.task_id)
    return frozenset(command for command, names in offered.items() if len(names) >= SHARED * len(tasks))


def back_command(walks: Iterable[Walk], fixed: frozenset[str], final: str) -> str:
    """Return the fixed command that most often leads from a page with the final one to choices that were on offer before; or nothing."""
    led: Counter[str] = Counter()
    for walk in walks:
        before: set[str] = set()
        offered: tuple[str, ...] = walk.opening
        for moment in walk.moments:
            if final in offered and final not in moment.admissible and len(before.intersection(moment.admissible)) > 1:
                led[moment.command] += 1
            if final not in moment.admissible:
                before.update(command for command in moment.admissible if command not in fixed)
            offered = moment.admissible
    return min((command for command in led if command in fixed), key=lambda command: (-led[command], command), default="")


def separator(walks: Iterable[Walk]) -> str:
    """Return what most often follows an argument in the text of a page, as long as it is nearly always the same; else a line end."""
    following: Counter[str] = Counter()
    for walk in walks:
        for moment in walk.moments:
            lower = moment.observation.lower()
            marks = page_reading.brackets(moment.admissible)
            for command in moment.admissible:
                name = page_reading.argument(command, marks).lower()
                start = lower.find(name)
                if start >= 0:
                    following[moment.observation[start + len(name) :][:12]] += 1
    total = following.total()
    best = "\n"
    for length in range(1, 13):
        heads: Counter[str] = Counter()
        for text, number in following.items():
            heads[text[:length]] += number
        text, number = min(heads.items(), key=lambda pair: (-pair[1], pair[0]), default=("", 0))
        if len(text) < length or number < 0.6 * total:
            break
        best = text
    return best


def goal_marks(walks: Sequence[Walk], fixed: frozenset[str], separator: str) -> Marks:
    """Return what stands in goals between the heading of a row of choices and one of them, and what else between parts of goals."""
    between: Counter[str] = Counter()
    for walk in walks:
        goal = walk.goal.lower()
        for moment in walk.moments:
            page = page_reading.read(moment.observation, moment.admissible, fixed, separator, walk.goal)
            for heading, row in page.groups.items():
                for choice in row:
                    named = rf"(?<!\w){re.escape(heading.lower())}(\W{{1,3}}){re.escape(choice.argument.lower())}(?!\w)"
                    between.update(match[1] for match in re.finditer(named, goal) if heading and match[1].strip())
    heading_mark = _most(between)
    goals = sorted({walk.goal for walk in walks})
    parts = Counter(mark for goal in goals for mark in re.findall(r"(?<=\w)[^\w\s]+\s+(?=\w)", goal) if mark != heading_mark)
    return Marks(heading_mark, _most(parts))


def _most(counts: Counter[str]) -> str:
    return min(counts, key=lambda text: (-counts[text], text), default="")


def document_frequencies(walks: Iterable[Walk]) -> dict[str, float]:
    """Return the share of goals that have a word, for the words of at least one in a hundred goals, sorted."""
    goals = sorted({walk.goal for walk in walks})
    numbers = Counter(word for goal in goals for word in page_reading.page_words(goal))
    shares = {word: round(number / len(goals), 4) for word, number in sorted(numbers.items())}
    return {word: share for word, share in shares.items() if share >= LISTED}


def _play_list(explorer: Explorer, task: TaskSpec, known: Known) -> list[Sample]:
    """Open the first choices of the list that the goal leads to, each in an episode of its own, choose what the goal names, and end."""
    samples: list[Sample] = []
    for place in range(LOOK):
        end = _Ending(known, place)
        walk = explorer.play(task, end.choose, WALK_LENGTH)
        if not end.features:
            break
        samples.append(Sample(tuple(end.features.values()), walk.won))
    return samples


@dataclass
class _Ending:
    """Plays one choice of the first list to the end."""

    known: Known
    place: int
    features: dict[str, float] = field(default_factory=dict)
    _rarity: Mapping[str, float] = field(default_factory=dict)
    _left: list[str] = field(default_factory=list)

    def choose(self, goal: str, observation: str, admissible: tuple[str, ...]) -> str | None:
        """Return the next command."""
        known = self.known
        page = page_reading.read(observation, admissible, known.fixed, known.separator, goal)
        if known.final in admissible:
            if not self.features:
                self.features = page_reading.features(page, self.place, goal, known.document_frequency, self._rarity, known.marks)
                chosen = [page_reading.best_choice(row, goal, known.marks) for row in page.groups.values()]
                self._left = [*dict.fromkeys(choice.command for choice in chosen if choice), known.final]
            return self._left.pop(0)
        slots = [command for command in admissible if goal in command]
        if slots:
            return slots[0]
        if len(page.choices) <= self.place:
            return None
        self._rarity = page_reading.rarities([" ".join(choice.texts) for choice in page.choices])
        return page.choices[self.place].command


def fit(samples: Sequence[Sample], ridge: float = 1.0) -> NDArray[np.float64]:
    """Fit a logistic regression of winning on the features, by Newton's method.

    Args:
        samples: what was played.
        ridge: weight of the squared weights, the constant's aside.

    Returns:
        The constant and a weight for each of `page_reading.FEATURES`; shape (1 + number of features,).
    """
    x = np.array([[1.0, *sample.features] for sample in samples]).reshape(-1, 1 + len(page_reading.FEATURES))
    y = np.array([float(sample.won) for sample in samples])
    penalty = ridge * np.diag([1e-3, *[1.0] * len(page_reading.FEATURES)])
    weights = np.zeros(x.shape[1])
    for _ in range(30):
        p = 1 / (1 + np.exp(-np.clip(x @ weights, -30, 30)))
        gradient = x.T @ (p - y) + penalty @ weights
        curvature = (x * (p * (1 - p))[:, None]).T @ x + penalty
        weights = weights - np.linalg.solve(curvature, gradient)
    return weights


def threshold(samples: Sequence[Sequence[Sample]], weights: NDArray[np.float64]) -> float:
    """Return the lowest worth, in twentieths, with which one can end at once and win no fewer of these tasks than by opening all."""

    def wins(limit: float) -> int:
        return sum(_taken(some, weights, limit).won for some in samples if some)

    most = wins(1.0)
    return next((limit / 20 for limit in range(1, 20) if wins(limit / 20) >= most), 1.0)


def _taken(some: Sequence[Sample], weights: NDArray[np.float64], limit: float) -> Sample:
    """Return what is ended with where pages are opened in order until one is worth `limit`."""
    best, worth = some[0], -1.0
    for sample in some:
        value = float(1 / (1 + np.exp(-np.clip(np.array([1.0, *sample.features]) @ weights, -30, 30))))
        if value > worth:
            best, worth = sample, value
        if worth >= limit:
            break
    return best
