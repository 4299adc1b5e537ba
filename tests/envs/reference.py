"""The rules of the household once more: slow, plain sets of strings, written from the specification and not from the kernels."""

from __future__ import annotations

from homebody.envs.household.engine.problem import GoalKind, Problem


class Reference:
    """A game being played. Objects and receptacles go by their ids; commands are tuples of a verb and ids."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.place = problem.agent_location
        self.held: str | None = None
        self.opened = {r.id for r in problem.receptacles if r.opened}
        self.inside = {(t.id, r) for t in problem.things for r in t.inside}
        self.at = {(t.id, place) for t in problem.things for place in t.at}
        self.status = {(t.id, flag) for t in problem.things for flag in t.flags if flag in ("clean", "hot", "cool", "sliced", "toggled")}
        self.location = {r.id: r.location for r in problem.receptacles}
        self.receptacle_type = {r.id: r.type for r in problem.receptacles}
        self.openable = {r.id for r in problem.receptacles if r.openable}
        self.type = {t.id: t.type for t in problem.things}
        self.flags = {t.id: t.flags for t in problem.things}

    def here(self) -> list[str]:
        return [r for r, place in self.location.items() if place == self.place]

    def is_accessible(self, r: str) -> bool:
        return r not in self.openable or r in self.opened

    def admissible(self) -> set[tuple[str, ...]]:
        commands: set[tuple[str, ...]] = {("inventory",), ("look",), ("help",)}
        commands |= {("go", r) for r, place in self.location.items() if place != self.place}
        for r in self.here():
            commands.add(("examine", r))
            if r in self.openable:
                commands.add(("close" if r in self.opened else "open", r))
            for o, kind in self.type.items():
                if self.held is None and (o, r) in self.inside and "pickupable" in self.flags[o] and self.is_accessible(r):
                    commands.add(("take", o, r))
                if self.held == o and self.is_accessible(r) and (self.receptacle_type[r], kind) in self.problem.can_contain:
                    commands.add(("move", o, r))
                for verb, flag, tools in (
                    ("clean", "cleanable", ("SinkBasin", "Sink")),
                    ("heat", "heatable", ("Microwave",)),
                    ("cool", "coolable", ("Fridge",)),
                ):
                    if self.held == o and flag in self.flags[o] and self.receptacle_type[r] in tools:
                        commands.add((verb, o, r))
                if "toggleable" in self.flags[o] and (o, r) in self.inside:
                    commands.add(("use", o))
        if self.held is not None:
            commands.add(("examine", self.held))
            if self.type[self.held] in ("Knife", "ButterKnife"):
                commands |= {("slice", o, self.held) for o in self.type if "sliceable" in self.flags[o] and (o, self.place) in self.at}
        return commands

    def step(self, command: tuple[str, ...]) -> None:
        if command not in self.admissible():
            return
        verb, *names = command
        o = names[0] if names else ""
        match verb:
            case "go":
                self.place = self.location[o]
            case "open":
                self.opened.add(o)
            case "close":
                self.opened.remove(o)
            case "take":
                self.held = o
                self.inside.remove((o, names[1]))
                self.at.discard((o, self.place))
            case "move":
                self.held = None
                self.inside.add((o, names[1]))
                self.at.add((o, self.place))
            case "clean":
                self.status.add((o, "clean"))
            case "heat":
                self.status = self.status - {(o, "cool")} | {(o, "hot")}
            case "cool":
                self.status = self.status - {(o, "hot")} | {(o, "cool")}
            case "use":
                self.status.add((o, "toggled"))
            case "slice":
                self.status.add((o, "sliced"))

    def is_won(self) -> bool:
        goal = self.problem.goal
        wanted = [o for o, kind in self.type.items() if kind == goal.object]
        if goal.kind == GoalKind.LIGHT:
            lit = [
                o
                for o, r in self.inside
                if self.type[o] == goal.target and "toggleable" in self.flags[o] and (o, "toggled") in self.status and r in self.here()
            ]
            return self.held in wanted and bool(lit)
        needed = {GoalKind.CLEAN: ("cleanable", "clean"), GoalKind.HEAT: ("heatable", "hot"), GoalKind.COOL: ("coolable", "cool")}
        if goal.kind in needed:
            able, done = needed[goal.kind]
            wanted = [o for o in wanted if able in self.flags[o] and (o, done) in self.status]
        counts = [sum((o, r) in self.inside for o in wanted) for r in self.location if self.receptacle_type[r] == goal.target]
        return max(counts, default=0) >= (2 if goal.kind == GoalKind.TWO else 1)
