"""What an edit operator is: one thing that evolution can do to a harness, declared by the processor that it works through.

An operator reads a harness and what training showed (`Findings`), and says what to set, or that it does not apply. Both are plain
data, the same for every environment; nothing here knows an operator.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from homebody.agents.wording import NUMBERED, Naming

if TYPE_CHECKING:
    from homebody.agents.harness.spec import HarnessSpec
    from homebody.agents.skills.learned_plan import Plan

UNABLE = frozenset({"cut_off", "unusable_answers", "refused"})
"""Failure categories of a model that cannot give commands; `homebody.evolution.evidence.digest.CATEGORIES` says what each means."""
AIMLESS = frozenset({"goal_untouched", "ceiling"})
"""Of one whose commands lead nowhere."""
ENDING = frozenset({"order", "premature_end", "final_step_missing"})
"""Of one that knows what to do, and not when."""
SEARCHING = frozenset({"searching"})
LOOP = frozenset({"loop"})
LONG = frozenset({"overflow", "error"})
"""Of a prompt that outgrew its room."""
WRITING = ("generate", "grammar", "vote")
"""Methods by which a model writes its command."""
MOST_TEXT = 1500
"""Characters of a system prompt beyond which no operator adds to it: what a small context can hold beside examples."""

Settings = Mapping[str, Mapping[str, Any] | None]
"""Parameters by processor, a name or `module:Class`; None takes the processor out."""
Edit = Settings | list[dict[str, Any]]
"""What an operator does: settings, or a JSON Patch where they do not say it."""
Build = Callable[["HarnessSpec", "Findings"], Edit | None]
"""Returns what an operator does to a harness, or None where it does not apply."""


@dataclass(frozen=True)
class Refusal:
    """A command that was refused on training tasks that failed."""

    command: str
    answer: str
    """What the environment said."""
    tasks: int
    """Tasks on which that happened, at least 1."""


@dataclass(frozen=True)
class Readings:
    """What goals of training tasks meant, read off how they were won; parameters of `read_goal` and `learned_plan`."""

    pairs: tuple[tuple[str, str], ...]
    """Goals as said, and in plain words."""
    templates: tuple[str, ...]
    """Plain goal templates with blanks {0}, {1}."""
    names: tuple[tuple[str, ...], ...]
    """For each blank what may fill it; nothing for the kinds of instances that an agent meets first."""
    fits: Mapping[str, tuple[tuple[str, ...], ...]]
    """The same for each template alone."""
    plans: tuple[Plan, ...]
    """For each goal template the plan that won, as `learned_plan` has it."""
    won: float = 0.0
    """Share of the training tasks of exploration that these plans won, 0 to 1."""


@dataclass(frozen=True)
class Findings:
    """What training tasks showed. Nothing in it comes from a validation or test task."""

    refusals: tuple[Refusal, ...] = ()
    """Of failing episodes of the present harness, the most frequent first."""
    repeated: tuple[str, ...] = ()
    """Commands that were given again in vain there, the most frequent first."""
    actions: Mapping[str, str] = field(default_factory=dict)
    """Action schemas of accepted commands (`open #`), each with one such command, the most frequent first."""
    bank: tuple[dict[str, Any], ...] = ()
    """Successes of exploration, as `examples` has them: commands, with answers and without thoughts."""
    own: tuple[dict[str, Any], ...] = ()
    """Successes of the model in the present harness, likewise, with its thoughts where it wrote some."""
    endings: tuple[str, ...] = ()
    """Action schemas of the commands that ended training episodes, won ones first."""
    readings: Readings | None = None
    triggers: Mapping[str, int] = field(default_factory=dict)
    """By signal of `homebody.agents.harness.adaptation.SIGNALS`: the least count that tells failing episodes from won ones."""
    shown: Mapping[str, float] = field(default_factory=dict)
    """By the same signals: the share of failing episodes that show so much, less that of won ones."""
    again: float = 0.0
    """The share of failing episodes in which a command was taken twice, less that of won ones."""
    circling: float = 0.0
    """The same of a command that was given again in the same situation: after the same command and answer."""
    whole_goal: float = 0.0
    """The share of failing episodes in which a free slot was filled with the whole goal, less that of won ones."""
    explore: tuple[str, ...] = ()
    """Action schemas that reveal or give access to things, most revealing first."""
    plans: Sequence[Mapping[str, Any]] = ()
    """Learned plans by goal template; see `homebody.agents.skills.learned_plan`."""
    support: Mapping[str, float] = field(default_factory=dict)
    """Share of rollouts on training tasks that each plan won, by its goal template."""
    skills: Mapping[str, Mapping[str, Mapping[str, Any]]] = field(default_factory=dict)
    """Skills that apply, by processor: what a harness needs for each, as parameters by processor."""
    pages: Mapping[str, Any] = field(default_factory=dict)
    """What an environment of pages taught; see `homebody.agents.skills.page_values`."""
    naming: Naming = NUMBERED
    """How instances are named."""
    names: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """What a harness needs in order to tell instances apart, as parameters by processor."""


@dataclass(frozen=True)
class EditOperator:
    """One thing that can be done to a harness."""

    name: str
    """What is done, in a few words; no other operator has the same."""
    why: str
    """One sentence: why it should help against what it answers."""
    answers: frozenset[str]
    """Failure categories against which it helps; see `homebody.evolution.evidence.digest.CATEGORIES`."""
    build: Build
    calls_episode: float = 0.0
    """Model calls that it adds to an episode."""
    calls_step: float = 0.0
    """Model calls that it adds to each step."""
    dictates: bool = False
    """Whether what it brings decides by itself: a ranking or a learned plan that leaves the model nothing to choose."""
    without_model: bool = False
    """Whether it changes what a policy without a model does: candidates, their prior, or how one is chosen by them."""
    proof: Callable[[Findings], float] = lambda found: 0.0
    """Returns the share of training tasks that what it brings has won in exploration, 0 to 1; 0 where exploration says nothing of it."""
    symptom: Callable[[Findings], float] = lambda found: 0.0
    """Returns by how much more failing training episodes show what it mends than won ones, 0 to 1; 0 where they do not show it."""
    signal: str = ""
    """Signal of a trace at which the edit can be made in the midst of an episode too; empty where it has to be there from the start."""
    midst_only: bool = False
    """Whether it can be made there alone."""
    times: int = 1
    """How often in an episode, at most."""

    @property
    def asks(self) -> bool:
        """Whether it asks the model more than before."""
        return self.calls_episode > 0 or self.calls_step > 0


def method_of(spec: HarnessSpec) -> str:
    """Return the method by which a harness decides."""
    return str(spec.param("decide", "method") or "generate")


def always(settings: Settings) -> Build:
    """Set this in any harness."""
    return lambda spec, found: settings


def where_written(settings: Settings, beside: Sequence[str] = ()) -> Build:
    """Set this where a model writes its commands and, if any are named, one of the processors `beside` is in the harness."""

    def build(spec: HarnessSpec, found: Findings) -> Settings | None:
        wanted = not beside or any(spec.id_of(use) is not None for use in beside)
        return settings if wanted and method_of(spec) in WRITING else None

    return build


def where_asked(settings: Settings) -> Build:
    """Set this where the model sees a prompt: by `rank` it sees none."""
    return lambda spec, found: settings if method_of(spec) != "rank" else None


def scaled(use: str, param: str, factor: float, least: float, most: float) -> Build:
    """Multiply a parameter of a processor in the harness, within bounds; a whole number stays one."""

    def build(spec: HarnessSpec, found: Findings) -> Settings | None:
        value = spec.param(use, param)
        if value is None:
            return None
        changed = min(max(value * factor, least), most)
        return {use: {param: round(changed) if isinstance(value, int) else changed}} if changed != value else None

    return build


def added_to_prompt(spec: HarnessSpec, lines: Sequence[str]) -> Settings | None:
    """Append lines to the system prompt, where it has room for them and does not say them yet."""
    said = str(spec.param("system_prompt", "text") or "")
    text = "\n".join(line for line in lines if line not in said)
    if not text or len(said) + len(text) > MOST_TEXT or method_of(spec) == "rank":
        return None
    return {"system_prompt": {"text": f"{said}\n{text}".strip()}}


def added(spec: HarnessSpec, name: str, component: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    """Return the patch that adds a component under this id; None where the id is taken."""
    return None if name in spec.components else [{"op": "add", "path": f"/components/{name}", "value": dict(component)}]
