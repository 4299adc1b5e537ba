"""A small environment of pages with words of its own: a lending library, and makers of events in its words.

Asking lists books, the most fitting title first; a book's page lets one pick a cover and take it, which ends the episode. A goal is met by
the book that it describes, with the cover that it names; the title asked for is not always that of the first book listed.
"""

from __future__ import annotations

from typing import Any

import gymnasium
from gymnasium.spaces import Text

from homebody.agents.harness.hooks import BeforeModel, StepEnd
from homebody.envs import TaskSpec

BOOKS = {
    "b1": ("Bread of the North", ("cloth", "leather"), 300),
    "b2": ("Bread at Home", ("cloth", "paper"), 900),
    "b3": ("Stars of the North", ("cloth", "leather"), 250),
    "b4": ("Stars at Home", ("paper", "leather"), 700),
    "b5": ("Bread at Home", ("silk", "red leather"), 400),
    "b6": ("Wolves", (), 200),
    "b7": ("Rivers", ("oak", "ash"), 500),
    "b8": ("Rivers", ("horn", "ivory"), 500),
    "b9": ("Lakes", ("blue", "green"), 600),
    "c1": ("Clouds", ("tin", "brass"), 150),
    "c2": ("Owls", (), 350),
    "c3": ("Mills", ("felt", "linen"), 450),
    "c4": ("Bees", ("wax", "gold"), 550),
    "c5": ("Roads", ("slate", "chalk"), 650),
}
TASKS = {
    f"{code}/{cover or 'any'}": (code, cover)
    for code, (_, covers, _) in BOOKS.items()
    for cover in covers or ("",)
}  # fmt: skip
FIXED = ["ask[{text}]", "pick[contents]", "pick[more books]", "pick[start over]", "pick[take]", "pick[to the list]"]
LIST = ("pick[b1]", "pick[b2]", "pick[more books]", "pick[start over]")
BOOK = ("pick[cloth]", "pick[contents]", "pick[leather]", "pick[start over]", "pick[take]", "pick[to the list]")


def goal_of(task_id: str) -> str:
    code, cover = TASKS[task_id]
    title, _, weight = BOOKS[code]
    return f"Lend me {title.lower()}{f' with cover: {cover}' if cover else ''}, and weight lower than {weight + 50} grams"


class Library(gymnasium.Env[str, str]):
    """Books to be lent."""

    observation_space = Text(2000)
    action_space = Text(200)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        super().reset(seed=seed)
        self.task = (options or {}).get("task", "b1/cloth")
        self.goal = goal_of(self.task)
        self.page, self.found, self.cover, self.won, self.sent = "home", list[str](), "", False, list[str]()
        return self.show(), self.info()

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        self.sent.append(action)
        word = action[action.find("[") + 1 : -1]
        if action.startswith("ask["):
            asked = set(word.lower().replace(",", "").split())
            shared = {code: len(asked & set(title.lower().split())) for code, (title, _, _) in BOOKS.items()}
            self.found = sorted((code for code in BOOKS if shared[code]), key=lambda code: -shared[code])[:3]
            self.page = "list"
        elif action in self.commands():
            if word == "take":
                self.won = (self.page, self.cover) == TASKS[self.task]
                self.page = "end"
            elif word in BOOKS:
                self.page, self.cover = word, ""
            elif word in ("to the list", "start over"):
                self.page = "list" if word == "to the list" else "home"
            elif self.page in BOOKS and word in BOOKS[self.page][1]:
                self.cover = word
        return self.show(), float(self.won), self.page == "end", False, self.info()

    def show(self) -> str:
        if self.page == "home":
            return f"Library | {self.goal} | Ask"
        if self.page == "end":
            return "Good bye"
        if self.page == "list":
            books = [f"{code.upper()} | {BOOKS[code][0]} | {BOOKS[code][2]}" for code in self.found]
            return " | ".join([self.goal, "Start over", "More books", *books])
        title, covers, weight = BOOKS[self.page]
        rows = ["Cover", *covers] if covers else []
        return " | ".join([self.goal, "To the list", "Start over", *rows, title, f"Weight: {weight} grams", "Contents", "Take"])

    def commands(self) -> list[str]:
        if self.page in ("home", "end"):
            return ["ask[{text}]"] if self.page == "home" else []
        if self.page == "list":
            return sorted(f"pick[{word}]" for word in ("start over", "more books", *self.found))
        return sorted(f"pick[{word}]" for word in ("to the list", "start over", "contents", "take", *BOOKS[self.page][1]))

    def info(self) -> dict[str, Any]:
        return {"goal": self.goal, "admissible_commands": self.commands(), "won": self.won, "task_id": self.task}


def task(task_id: str) -> TaskSpec:
    return TaskSpec(task_id, "book", "train")


def ask(admissible: tuple[str, ...], observation: str = "", goal: str = "Lend me wolves", **fields: Any) -> BeforeModel:
    """A `before_model` event: the candidates are what is admissible, free slots filled with the goal."""
    candidates = tuple(command.replace("{text}", goal) for command in admissible)
    given = {"candidates": candidates, "prior": (0.0,) * len(candidates), "steps_left": 20, "content": observation, **fields}
    return BeforeModel(goal=goal, observation=observation, admissible=admissible, **given)


def told(command: str, admissible: tuple[str, ...] = (), *, accepted: bool = True) -> StepEnd:
    """A finished step."""
    return StepEnd(1, command, accepted, "", admissible)
