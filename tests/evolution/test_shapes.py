"""The generic part of evolution on worlds of other shapes than the benchmarks': what is learned, the digests, the rules.

A world whose names have several words and no numbers; a TextWorld game behind an adapter of a user's; functions to repair; a page of
MiniWoB++ where its pages and a browser are there. No test here needs a model.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import gymnasium
import pytest
from gymnasium.spaces import Text

from homebody.agents.episode import run_episode
from homebody.agents.harness.spec import HarnessSpec
from homebody.agents.model_free import ExecutorPolicy, NoModelPolicy, RandomPolicy
from homebody.agents.record import EpisodeRecord
from homebody.agents.wording import NUMBERED, Naming
from homebody.envs import EnvError, TaskSpec, tasks
from homebody.envs.browser import check_browser
from homebody.evolution.evidence.digest import digest_episode
from homebody.evolution.evidence.landscape import survey
from homebody.evolution.evidence.learn import TrainingStatistics, learn
from homebody.evolution.evidence.names import learn_naming
from homebody.evolution.proposers import Evidence
from homebody.evolution.proposers.rules import propose

SKILLS = ("learned_plan", "location_memory", "open_and_compare")


# --- a world of names of several words


class Attic(gymnasium.Env[str, str]):
    """Things lie in trunks and baskets; one of them is wanted in another. A task is `THING>TARGET@PLACE`, all by number."""

    observation_space = action_space = Text(1000)
    things = ("brass key", "old map", "silver thimble", "glass marble", "ivory comb")
    places = ("oak chest", "tin box", "cedar trunk", "wicker basket", "hat stand")

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        assert options is not None
        self.task = options["task"]
        wanted, target, place = map(int, self.task.split("/")[1].split("-"))
        self.wanted, self.target = self.things[wanted], self.places[target]
        self.at = {thing: self.places[(place + number) % 4] for number, thing in enumerate(self.things[:4]) if number != wanted}
        self.at[self.wanted] = self.places[place]
        self.here = ""
        return f"You stand in an attic with {', '.join('a ' + place for place in self.places)}.", self.info()

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        answer = self.act(action) if action in self.commands() else "You cannot do that."
        info = self.info()
        return answer, float(info["won"]), info["won"], False, info

    def act(self, action: str) -> str:
        verb, _, rest = action.partition(" ")
        if verb == "wait":
            return "Time passes."
        if verb == "inspect":
            self.here = rest
            inside = [thing for thing, place in self.at.items() if place == rest]
            return f"In the {rest} you find {', '.join('the ' + thing for thing in inside) or 'nothing'}."
        thing = rest.partition(" from ")[0] if verb == "take" else rest.partition(" in ")[0]
        self.at[thing] = "" if verb == "take" else self.here
        return f"You {verb} the {thing}."

    def commands(self) -> list[str]:
        held = [thing for thing, place in self.at.items() if not place]
        found = [f"inspect {place}" for place in self.places if place != self.here]
        if self.here and held:
            found.append(f"put {held[0]} in {self.here}")
        elif self.here:
            found += [f"take {thing} from {self.here}" for thing, place in self.at.items() if place == self.here]
        return sorted([*found, "wait"])

    def info(self) -> dict[str, Any]:
        goal = f"Bring the {self.wanted} to the {self.target}."
        return {"goal": goal, "admissible_commands": self.commands(), "won": self.at[self.wanted] == self.target, "task_id": self.task}


ATTIC = [TaskSpec(f"train/{n % 4}-{(n + 1 + n // 4) % 4}-{n % 3 + (n % 3 >= (n + 1 + n // 4) % 4)}", "bring", "train") for n in range(8)]
UNSEEN = [TaskSpec(f"test/4-{target}-{(target + 2) % 4}", "bring", "test") for target in (0, 1, 2, 3, 4)]
"""A thing that no training task has, and a place that no goal of one names."""


# --- a TextWorld game, and a user's adapter


@dataclass
class GameState:
    """The fields of TextWorld's own that an agent needs."""

    feedback: str
    objective: str
    admissible_commands: list[str] = field(default_factory=list)
    won: bool = False
    lost: bool = False


class Game:
    """A game with the interface of TextWorld's environments: two rooms, a chest to be opened, a table to put food on."""

    FOOD = ("green apple", "red onion", "block of cheese", "yellow potato")
    CHESTS = ("old chest", "rusty locker", "type M safe")
    TABLES = ("wooden table", "stone shelf")

    def __init__(self, number: int) -> None:
        self.food = self.FOOD[number % 4] if number < 10 else "long bean"
        self.chest, self.table = self.CHESTS[number % 3], self.TABLES[number % 2]
        self.other = self.FOOD[(number + 1) % 4]

    def reset(self) -> GameState:
        self.place, self.open, self.held = "pantry", False, ""
        self.at = {self.food: self.chest, self.other: self.table}
        return self.state(f"-= Pantry =- You see a {self.chest} here. There is an exit to the east.")

    def step(self, command: str) -> tuple[GameState, int, bool]:
        text = self.act(command) if command in self.commands() else "That is not a verb I recognise."
        state = self.state(text)
        return state, int(state.won), state.won

    def act(self, command: str) -> str:
        verb, _, rest = command.partition(" ")
        if verb == "go":
            self.place = "cellar" if rest == "east" else "pantry"
            seen = f"There is a {self.table} here" if rest == "east" else f"You see a {self.chest} here"
            on = [food for food, where in self.at.items() if where == self.table and rest == "east"]
            back = "an exit to the west" if rest == "east" else "an exit to the east"
            return f"{seen}{''.join(f', and a {food} on it' for food in on)}. There is {back}."
        if verb in ("open", "close"):
            self.open = verb == "open"
            inside = [food for food, where in self.at.items() if where == self.chest and self.open]
            return f"You {verb} the {rest}{''.join(f', revealing a {food}' for food in inside)}."
        if verb == "examine":
            return f"The {rest} looks ordinary."
        if verb in ("take", "put"):
            food = rest.partition(" from " if verb == "take" else " on ")[0]
            self.at[food] = "" if verb == "take" else self.table
            return f"You {verb} the {food}."
        return "You are carrying: " + (", ".join(f"a {food}" for food, where in self.at.items() if not where) or "nothing") + "."

    def commands(self) -> list[str]:
        here = self.chest if self.place == "pantry" else self.table
        held = [food for food, where in self.at.items() if not where]
        there = [food for food, where in self.at.items() if where == here and (here != self.chest or self.open)]
        found = ["go east" if self.place == "pantry" else "go west", "inventory", f"examine {here}"]
        found += [f"examine {food}" for food in (*held, *there)]
        found += [f"take {food} from {here}" for food in there if not held]
        found += [f"put {food} on {self.table}" for food in held if here == self.table]
        if here == self.chest:
            found.append(f"{'close' if self.open else 'open'} {here}")
        return found

    def state(self, feedback: str) -> GameState:
        objective = f"Your task is to put the {self.food} on the {self.table}."
        return GameState(feedback, objective, self.commands(), self.at[self.food] == self.table)


class TextWorldEnv(gymnasium.Env[str, str]):
    """What a user writes to bring a TextWorld game here."""

    observation_space = action_space = Text(10_000)

    def __init__(self, start: Callable[[int], Game]) -> None:
        self.start = start

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        assert options is not None
        self.task = options["task"]
        self.game = self.start(int(self.task.partition("/")[2]))
        state = self.game.reset()
        return state.feedback, self.info(state)

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        state, score, done = self.game.step(action)
        return state.feedback, float(score), done, False, self.info(state)

    def info(self, state: GameState) -> dict[str, Any]:
        commands = sorted(state.admissible_commands)
        return {"goal": state.objective, "admissible_commands": commands, "won": state.won, "task_id": self.task}


GAMES = [TaskSpec(f"train/{number}", "put", "train") for number in range(6)]
NEW_GAMES = [TaskSpec(f"test/{number}", "put", "test") for number in (7, 9, 10, 11)]


def played(env: Any, some: Sequence[TaskSpec], spec: HarnessSpec, policy: Any, max_steps: int = 20) -> list[EpisodeRecord]:
    records = [run_episode(env, spec, policy, task, max_steps=max_steps) for task in some]
    assert [record.error for record in records] == [None] * len(some)
    assert [record.failures for record in records] == [[]] * len(some)
    return records


def proposed(
    records: Sequence[EpisodeRecord], statistics: TrainingStatistics, spec: HarnessSpec, k: int = 6, *, has_model: bool = True
) -> list[HarnessSpec]:
    """What the rules make of a harness after these episodes."""
    digests = [digest_episode(record, max_steps=20, naming=statistics.naming) for record in records]
    evidence = Evidence(1, digests, survey(digests, []), statistics, frozenset(), 0, episodes=records, has_model=has_model)
    return [spec.patch(candidate.patch).check() for candidate in propose(spec, evidence, k)]


WORLDS = {
    "attic": (Attic, ATTIC, UNSEEN, {"inspect #", "take # from #", "put # in #"}),
    "textworld": (lambda: TextWorldEnv(Game), GAMES, NEW_GAMES, {"open #", "take # from #", "put # on #", "go #"}),
}


@pytest.fixture(scope="module", params=WORLDS)
def world(request: pytest.FixtureRequest) -> tuple[Any, list[TaskSpec], list[TaskSpec], set[str], TrainingStatistics]:
    make, train, test, actions = WORLDS[request.param]
    return make(), train, test, actions, learn(make(), train, 6000)


def test_names_and_plans_are_learned_where_names_have_several_words(world: Any) -> None:
    _, _, _, actions, statistics = world
    assert actions <= set(statistics.naming.actions)
    assert all(statistics.support[plan["goal"]] >= 0.8 for plan in statistics.plans)
    (plan,) = statistics.plans
    take, put = plan["steps"]
    assert (take["action"], take["args"][0][:3], put["args"]) == ("take # from #", "{0}", ["{0}=a", f"{{1}}={put['args'][1][-1]}"])
    assert statistics.unfit == {"page values": "not all commands at the start are calls with an argument"}
    assert set(statistics.skills) == {"learned_plan", "location_memory"}


def test_the_rules_lead_to_tasks_with_names_that_training_did_not_have(world: Any) -> None:
    env, train, test, _, statistics = world
    seed = HarnessSpec.load("generic-act")
    records = played(env, train, seed, RandomPolicy())
    edited = [spec for spec in proposed(records, statistics, seed, 20, has_model=False) if spec.id_of("learned_plan")]
    assert edited
    for policy in (NoModelPolicy(), ExecutorPolicy()):
        before = sum(record.won for record in played(env, test, seed, policy, 12))
        after = sum(record.won for record in played(env, test, edited[0], policy, 12))
        assert (before < len(test) / 2, after) == (True, len(test))


def test_a_digest_reads_names_of_several_words() -> None:
    env, task = Attic(), ATTIC[0]
    env.reset(options={"task": task.task_id})
    place = env.at[env.wanted]
    script = [f"inspect {place}", f"take {env.wanted} from {place}"]
    script += [f"inspect {other}" for other in env.places if other != place]

    class Scripted(NoModelPolicy):
        def decide(self, event: Any, messages: Any) -> Any:
            decision = super().decide(event, messages)
            command = script.pop(0)
            return type(decision)(command, command)

    record = run_episode(env, HarnessSpec.load("generic-act"), Scripted(), task, max_steps=6)
    naming = Naming(actions=("inspect #", "put # in #", "take # from #"), names=(*Attic.things, *Attic.places))
    assert digest_episode(record, max_steps=6, naming=naming).category == "final_step_missing"


# --- worlds in which no skill applies


def test_where_whole_texts_are_written_no_skill_applies_and_none_costs_a_step() -> None:
    env = gymnasium.make("homebody/Repair-v0", disable_env_checker=True)
    some = tasks("homebody/Repair-v0", "train", 3)
    statistics = learn(env, some, 6000)
    assert (statistics.steps, statistics.tasks, dict(statistics.skills)) == (0, (), {})
    assert set(statistics.unfit) == {"page values", "plans and locations"}
    seed = HarnessSpec.load("repair-react")
    candidates = proposed(played(env, some, seed, RandomPolicy(), 5), statistics, seed)
    assert candidates
    assert not any(spec.id_of(use) for spec in candidates for use in SKILLS)


def test_a_page_of_a_browser() -> None:
    try:
        check_browser()
        some = tasks("homebody/MiniWob-v0", "train", 2, pages=["click-button"])
    except EnvError as error:
        pytest.skip(str(error))
    env = gymnasium.make("homebody/MiniWob-v0", disable_env_checker=True, pages=["click-button"])
    statistics = learn(env, some, 40)
    seed = HarnessSpec.load("generic-act")
    assert 0 < statistics.steps <= 80
    assert proposed(played(env, some, seed, RandomPolicy(), 4), statistics, seed)
    env.close()


# --- how names are learned

LAMPS = ["a red lamp", "a blue lamp", "a brass key", "a green door", "the north", "the south"]


@pytest.mark.parametrize(
    ("commands", "texts", "actions", "names"),
    [
        (
            ["take red lamp", "take brass key", "open green door", "take blue lamp", "go north", "go south", "most_opened"],
            LAMPS,
            {"take #", "go #", "open green door"},
            {"red lamp", "brass key", "blue lamp", "north", "south"},
        ),
        # What texts never call by that name is part of the command.
        (["end well", "end badly", "wait"], ["You see a desk."], set(), set()),
        # All begin alike: that is part of the command.
        (["pull the cord", "pull the bell"], ["the cord, the bell"], {"pull the #"}, {"cord", "bell"}),
        ([], [], set(), set()),
    ],
)
def test_names_are_what_commands_exchange_and_texts_use(commands: list[str], texts: list[str], actions: set[str], names: set[str]) -> None:
    found = learn_naming(commands, texts)
    assert set(found.actions) == {action for action in actions if "#" in action}
    assert set(found.names) == names


@pytest.mark.parametrize(
    ("commands", "naming"),
    [
        (["pull lever 1", "pull lever 2", "wait"], NUMBERED),
        (["pull lever_1", "pull lever_2", "wait"], Naming("_")),
        (["pull lever#1", "pull lever#12"], Naming("#")),
    ],
)
def test_numbers_are_names_with_the_mark_before_them(commands: list[str], naming: Naming) -> None:
    assert learn_naming(commands, ["a lever 1, a lever 2"]) == naming


def test_one_number_among_many_commands_is_no_naming() -> None:
    naming = learn_naming(["take old map", "take tin cup", "drop old map", "drop tin cup", "wait 3"], ["an old map and a tin cup"])
    assert set(naming.actions) == {"drop #", "take #"}
