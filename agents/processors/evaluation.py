"""What tells a good step from a bad one: what must come first, what has to do with the goal, how far the episode has come."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from homebody.agents import wording
from homebody.agents.harness.grammar import matches
from homebody.agents.harness.hooks import BeforeModel, BeforeTool, Changes, StepEnd
from homebody.agents.processors.base import GUARDS, Processor, Services, register
from homebody.agents.processors.control import keep_only
from homebody.agents.processors.operator import AIMLESS, ENDING, WRITING, EditOperator, Findings, Settings, method_of
from homebody.agents.processors.parameter import array, integer, number, string
from homebody.agents.processors.question import fill, score, user
from homebody.agents.wording import content_words

if TYPE_CHECKING:
    from homebody.agents.harness.spec import HarnessSpec


RULE = {
    "type": "object",
    "properties": {
        "action": {"type": "string", "description": "the command that has to wait, with # for each instance"},
        "needs": {"type": "array", "items": {"type": "string"}, "minItems": 1, "description": "actions that must be accepted before it"},
        "goal": {"type": "array", "items": {"type": "string"}, "description": "the rule holds where the goal has all these words"},
    },
    "required": ["action", "needs"],
    "additionalProperties": False,
}


def required(spec: HarnessSpec, found: Findings) -> Settings | None:
    """Return the rules by which each subgoal of a learned plan waits for the one before it, for goals with the plan's own words."""
    rules = [
        {"action": step["action"], "needs": [before["action"]], "goal": [word for word in plan["goal"].split() if not word.startswith("{")]}
        for plan in found.plans
        for before, step in zip(plan["steps"], plan["steps"][1:], strict=False)
        if before["action"] != step["action"]
    ]
    return {"requires": {"rules": rules}, **found.names} if rules and spec.id_of("learned_plan") is None else None


@register
class Requires(Processor):
    """Keeps a command back until what it needs was done. Helps a model that ends too early.

    What was needed must have been accepted in this episode and, where both commands name instances, must have named one that this command
    names: having prepared one thing does not let another pass.
    """

    name = "requires"
    hook = "before_model"
    dimension = "evaluation"
    after = ("learned_plan", "visited")
    schema = {"rules": array(RULE, "what must come before what")}

    operators = (
        EditOperator(
            "wait for what must come first",
            "In training successes these commands came only after others, so they are held back until those were done.",
            ENDING,
            lambda spec, found: required(spec, found),
            without_model=True,
        ),
    )

    def __init__(self, params: Mapping[str, Any], services: Services) -> None:
        super().__init__(params, services)
        self._done: dict[str, list[set[str]]] = {}

    def observe(self, step: StepEnd) -> None:
        """Remember the instances of an accepted command, by its action."""
        if step.accepted:
            action, args = self.services.naming.template(step.command)
            self._done.setdefault(action, []).append(set(args))

    def process(self, event: BeforeModel) -> Changes | None:
        """Drop what has to wait, unless nothing else is left."""
        goal = set(wording.words(event.goal))
        rules = [rule for rule in self.params["rules"] if goal.issuperset(rule.get("goal", ()))]
        return keep_only(event, [all(self._allows(rule, command) for rule in rules) for command in event.candidates])

    def _allows(self, rule: Mapping[str, Any], command: str) -> bool:
        action, args = self.services.naming.template(command)
        if action != rule["action"]:
            return True
        return all(any(not args or not done or done & set(args) for done in self._done.get(need, ())) for need in rule["needs"])


@register
class Check(Processor):
    """Asks the model before a final step whether it is time for it. Helps a model that ends too early.

    A command of `actions`, and each of the last steps, is asked about once, by the scores of a yes and a no. On a no the harness answers
    the command itself, at no cost of a step, and the model decides again; when it comes back to the command that is sent.
    """

    name = "check"
    hook = "before_tool"
    dimension = "evaluation"
    texts = ("text", "answer")
    schema = {
        "actions": array({"type": "string"}, "commands that are final, with # for an instance or {text} for a free slot"),
        "last": integer("steps left, at most, when all are final", default=0, least=0, most=1000),
        "text": string(
            "what is asked of the model, with {goal}, {observation}, {command}, {yes} and {no}",
            default="Goal: {goal}\n{observation}\nNext: {command}\n\nIs this right for the goal? Answer {yes} or {no}.",
        ),
        "yes": string("the answer that lets the command pass", default="Yes", least=1),
        "no": string("the other answer", default="No", least=1),
        "least": number("log-odds of a yes, at least, with which the command passes", default=0.0, least=-100, most=100),
        "answer": string(
            "what the model reads in the place of an observation when the command is held back",
            default="Not sent: look again whether this serves the goal.",
            least=1,
        ),
    }

    operators = (
        EditOperator(
            "ask whether it is done",
            "A model that is asked before a final command whether the goal is reached sends fewer too early.",
            frozenset({"premature_end"}),
            lambda spec, found: {"check": {"actions": list(found.endings)}} if found.endings and method_of(spec) != "rank" else None,
            calls_episode=1,
        ),
    )

    def __init__(self, params: Mapping[str, Any], services: Services) -> None:
        super().__init__(params, services)
        self._asked: set[str] = set()

    def process(self, event: BeforeTool) -> Changes | None:
        """Ask about a final command that was not asked about before."""
        command = event.command
        if command in self._asked or not matches(command, event.admissible) or not self._is_final(event):
            return None
        yes, no = self.params["yes"], self.params["no"]
        blanks = {"goal": event.goal, "observation": event.observation, "command": command, "yes": yes, "no": no}
        scores = score(self.services, user(fill(self.params["text"], blanks)), [yes, no])
        if scores is None:
            return None
        self._asked.add(command)
        odds = scores[0] - scores[1]
        self.notes["odds"] = round(odds, 6)
        return None if odds >= self.params["least"] else {"answer": self.params["answer"]}

    def _is_final(self, event: BeforeTool) -> bool:
        actions = self.params["actions"]
        action, _ = self.services.naming.template(event.command)
        return event.steps_left <= self.params["last"] or action in actions or matches(event.command, actions)


@register
class GoalWords(Processor):
    """Prefers commands that share words with the goal. Helps a harness without memories: it gives a prior to whatever reads the prior.

    Adds to a command's prior `weight` times the number of the goal's words that it holds, function words and numbers aside.
    """

    name = "goal_words"
    hook = "before_model"
    dimension = "evaluation"
    after = (*GUARDS, "location_memory")
    schema = {"weight": number("log-score of one shared word", default=1.0, least=0.001, most=1000)}

    operators = (
        EditOperator(
            "commands about the goal first",
            "A command that names what the goal names is more likely to serve it.",
            AIMLESS | {"final_step_missing"},
            lambda spec, found: {"goal_words": {}, **({"shortlist": {}} if method_of(spec) in WRITING else {})},
            without_model=True,
        ),
    )

    def process(self, event: BeforeModel) -> Changes | None:
        """Add to the prior."""
        goal, weight = content_words(event.goal), self.params["weight"]
        pairs = zip(event.candidates, event.prior, strict=True)
        return {"prior": tuple(prior + weight * len(goal & content_words(command)) for command, prior in pairs)}


@register
class ShapedReward(Processor):
    """Records a reward for each step that says how far the episode has come. Helps those who train on the records; success stays as it is.

    The potential is the share of the goal's words that accepted commands have named so far. The shaped reward of a step is the
    environment's reward + the growth of the potential - `step_cost` - `refused_cost` if the command was refused (potential-based shaping,
    Ng et al. 1999). Both go into the notes of the trace, and nothing else reads them.
    """

    name = "shaped_reward"
    hook = "step_end"
    dimension = "evaluation"
    is_recorder = True
    schema = {
        "step_cost": number("what every step costs", default=0.01, least=0, most=1000),
        "refused_cost": number("what a refused command costs besides", default=0.1, least=0, most=1000),
    }

    def __init__(self, params: Mapping[str, Any], services: Services) -> None:
        super().__init__(params, services)
        self._named: frozenset[str] = frozenset()
        self._potential = 0.0

    def process(self, event: StepEnd) -> None:
        """Write both into the notes."""
        goal = content_words(event.goal)
        if event.accepted:
            self._named |= goal & content_words(event.command)
        before, self._potential = self._potential, len(self._named) / max(1, len(goal))
        cost = self.params["step_cost"] + (0.0 if event.accepted else self.params["refused_cost"])
        self.notes["potential"] = round(self._potential, 6)
        self.notes["shaped_reward"] = round(event.reward + self._potential - before - cost, 6)
