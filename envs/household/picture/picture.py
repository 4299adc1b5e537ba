"""One episode as pictures: a floor plan of the house, what the agent has seen of it, where it goes and what it holds.

Shows what the agent knows and not more: it is told each state in turn, and draws from those, the commands and the answers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from homebody.envs.canvas import INK, WHITE, Box, Canvas, check_size, fit, line_height, measure
from homebody.envs.household.engine import rules
from homebody.envs.household.engine.game import Game
from homebody.envs.household.engine.layout import HELD, ReceptacleSet, Status, Words, members
from homebody.envs.household.engine.problem import GoalKind
from homebody.envs.household.picture import icons
from homebody.envs.household.picture.art import FLOORS, HERE, QUIET, TARGET, WALL_COLOR, WINDOW, Measures, show_thing
from homebody.envs.household.picture.panel import FOOTER, Shown, draw_footer, draw_header, header_height
from homebody.envs.household.picture.path import Floor, Spot, along
from homebody.envs.household.picture.plan import WALL, DrawnRoom, Piece, Plan, lay_out
from homebody.envs.household.picture.seen import Seen

LEAST_SIZE = (640, 480)
"""Smallest width and height of a picture."""

_MARKS = {Status.HOT: "hot", Status.COOL: "cool", Status.CLEAN: "clean", Status.SLICED: "sliced", Status.TOGGLED: "on"}
_LEAST_SIGN = 14
"""Height in pixels of a drawing on which a question mark can be read; that it is pale shows on a smaller one too."""


class HousePicture:
    """The picture of a game that is being played.

    Args:
        game: The house.
        size: Width and height in pixels, at least `LEAST_SIZE`.

    Raises:
        CanvasSizeError: The size is not possible.
        PygameMissingError: pygame is not installed.
    """

    least = LEAST_SIZE
    """Smallest width and height, in pixels."""

    def __init__(self, game: Game, size: tuple[int, int] = (960, 720)) -> None:
        self.size = check_size(size, self.least)
        self.game = game
        self._at = Measures(min(self.size[0] / 960, self.size[1] / 720))
        header, footer, title = header_height(self._at, game.task, self.size[0]), self._at.px(FOOTER), self._at.text(13) + 6
        self._header = Box(0, 0, self.size[0], header)
        self._footer = Box(0, self.size[1] - footer, self.size[0], footer)
        side = self._at.px(8)
        area = Box(side, header + title, self.size[0] - 2 * side, self.size[1] - header - footer - title)
        self.plan: Plan = lay_out(game, area, self._at.scale, lambda text, size: measure(text, size=size)[0])
        self._floor = Floor(self.plan, max(4, self.plan.aisle // 2 - 4))
        self._ground = self._draw_ground()
        self._openable = frozenset(members(game.tables.receptacle_sets[ReceptacleSet.OPENABLE]))
        self._has_target = game.goal.kind != GoalKind.LIGHT
        self.forget()

    def forget(self) -> None:
        """Begin again: the agent has seen nothing."""
        self._seen = Seen(self.game)
        self._scene = self._ground.copy()
        self._drawn: dict[int, object] = {}
        self._state: Words = self.game.initial
        self._words: tuple[str, str, int, bool] = ("", "", 0, False)
        self._from = self._to = self.plan.middle
        self._way: list[Spot] = []
        self._share = 1.0
        self._is_current = False

    def see(self, state: Words, command: str = "", answer: str = "", step: int = 0, *, won: bool = False) -> None:
        """Take the next state of the episode; the first one is that of the reset.

        Args:
            state: A state of this game; it is copied.
            command: What led to it.
            answer: What was said to that.
            step: How many commands were given so far.
            won: Whether the goal holds.
        """
        self._state = state.copy()
        self._seen.look(self._state, command, answer)
        self._from, self._to = self._to, self.plan.middle if self._seen.at is None else self.plan.pieces[self._seen.at].stand
        self._way = []
        self._share = 1.0
        self._words = (command, answer, step, won)
        self._is_current = False

    def walk(self, n_frames: int) -> Iterator[None]:
        """Move the agent from where it stood to where it stands, a part at a time: draw after each.

        What it finds there is shown with the last one. Where it did not move, there is only that one.
        """
        for n in range(1, n_frames if self._from != self._to else 1):
            self._share = n / n_frames
            yield
        self._share = 1.0
        yield

    def frames(self, n_frames: int) -> Iterator[NDArray[np.uint8]]:
        """Yield the pictures of `walk`, each of shape (height, width, 3)."""
        for _ in self.walk(n_frames):
            yield self.frame()

    def frame(self) -> NDArray[np.uint8]:
        """Return the picture as it is now: shape (height, width, 3), red, green, blue."""
        canvas = Canvas(*self.size)
        self.draw(canvas)
        return canvas.to_array()

    def draw(self, canvas: Canvas) -> None:
        """Draw the picture as it is now on a canvas of its size, as `part` of a larger one."""
        if self._share == 1.0 and not self._is_current:
            self._bring_up_to_date()
        canvas.paste(self._scene)
        # Found only now: who draws nothing pays nothing.
        self._way = self._way or self._floor.way(self._from, self._to)
        self._draw_agent(canvas, along(self._way, self._share))

    def at(self, x: int, y: int) -> str:
        """Return the name of the receptacle that is drawn at a pixel; empty where there is none."""
        return next((self.game.receptacles[r] for r, piece in enumerate(self.plan.pieces) if piece.box.contains(x, y)), "")

    def _bring_up_to_date(self) -> None:
        """Draw on the kept scene what has changed since it was drawn."""
        tables = self.game.view(self._state)
        opened = set(members(tables.opened))
        marks: dict[int, tuple[str, ...]] = {}
        for status, name in _MARKS.items():
            for o in members(tables.status[status]):
                marks[o] = (*marks.get(o, ()), name)
        for r, piece in enumerate(self.plan.pieces):
            closed = r in self._openable and r not in opened
            inside = members(tables.inside[r]) if r in self._seen.inside and not closed else []
            things = tuple(self._shown(o, marks) for o in inside)
            look = (things, closed, r in self._seen.inside, r in self._seen.visited, r == self._seen.at)
            if self._drawn.get(r) != look:
                self._drawn[r] = look
                self._draw_piece(r, piece, things, closed=closed)
        command, answer, step, won = self._words
        if self._drawn.get(-1) != (step, won):
            self._drawn[-1] = (step, won)
            draw_header(self._scene.part(self._header), self._at, self.game.task, step, won=won, has_target=self._has_target)
        held = int(self._state[HELD]) - 1
        at = self._seen.at
        here = None
        if at is not None and at in self._seen.inside and rules.is_accessible(self.game.world, self._state, at):
            here = [self._shown(o, marks) for o in members(tables.inside[at])]
        draw_footer(
            self._scene.part(self._footer),
            self._at,
            command,
            answer,
            self._shown(held, marks) if held >= 0 else None,
            self._place_words(at, opened),
            here if at is not None else [],
        )
        self._is_current = True

    def _shown(self, o: int, marks: dict[int, tuple[str, ...]]) -> Shown:
        type_, goal = self.game.object_types[o], self.game.goal
        is_wanted = type_ == goal.object or (not self._has_target and type_ == goal.target)
        return Shown(type_, self.game.objects[o], marks.get(o, ()), is_wanted)

    def _place_words(self, at: int | None, opened: set[int]) -> str:
        if at is None:
            return "Here: in the middle of the room"
        state = "" if at not in self._openable else " (open)" if at in opened else " (closed)"
        return f"Here: {self.game.receptacles[at]}{state}"

    def _draw_ground(self) -> Canvas:
        """Draw what never changes: floors, walls, doors."""
        canvas = Canvas(*self.size)
        floors = [room.floor for room in self.plan.rooms]
        top, bottom = floors[0].y - WALL, floors[0].bottom + WALL
        canvas.rect((floors[0].x - WALL, top, floors[-1].right - floors[0].x + 2 * WALL, bottom - top), WALL_COLOR, radius=5)
        for room in self.plan.rooms:
            self._draw_floor(canvas, room)
            size = self._at.text(13)
            canvas.text(room.kind.upper(), room.floor.center[0], top - size - 5, size=size, color=QUIET, bold=True, align="center")
            for share in (0.2, 0.65):
                canvas.rect((room.floor.x + share * room.floor.width, top + 2, 0.15 * room.floor.width, WALL - 4), WINDOW, radius=2)
        for door in self.plan.doors:
            canvas.rect(door, FLOORS["room"][1])
        return canvas

    def _draw_floor(self, canvas: Canvas, room: DrawnRoom) -> None:
        ground, pattern = FLOORS[room.kind]
        floor = room.floor
        canvas.rect(floor, ground)
        with canvas.clipped(floor):
            if room.kind in ("bedroom", "living room"):
                step = self._at.px(22)
                for n, y in enumerate(range(floor.y + step, floor.bottom, step)):
                    canvas.line([(floor.x, y), (floor.right, y)], pattern)
                    for x in range(floor.x + (n % 3) * 3 * step, floor.right, 9 * step):
                        canvas.line([(x, y - step), (x, y)], pattern)
                if room.rug is not None:
                    for n, color in enumerate(((226, 217, 222), (240, 233, 235), (232, 224, 228))):
                        canvas.rect(room.rug.inset(n * self._at.px(5)), color, radius=self._at.px(12))
            else:
                step = self._at.px(20 if room.kind == "bathroom" else 32)
                for row, y in enumerate(range(floor.y, floor.bottom, step)):
                    for x in range(floor.x + (row % 2) * step, floor.right, 2 * step):
                        canvas.rect((x, y, step, step), pattern)

    def _draw_piece(self, r: int, piece: Piece, things: tuple[Shown, ...], *, closed: bool) -> None:
        scene, art = self._scene, piece.art
        type_ = self.game.receptacle_types[r]
        box = piece.box
        scene.paste(self._ground.part(box), box.x, box.y)
        is_seen = r in self._seen.inside
        is_known = is_seen or r in self._seen.visited
        if r == self._seen.at:
            scene.rect(box, (222, 238, 248), radius=7)
            scene.rect(box, HERE, radius=7, border=2)
        scene.paste(icons.furniture(type_, closed, art.width, art.height), art.x, art.y, opacity=1.0 if is_known else 0.45)
        if not is_seen and art.height >= _LEAST_SIGN:
            side = min(self._at.text(20), art.height)
            size = max(12, side * 2 // 3)
            scene.circle(art.center, side // 2, WHITE)
            scene.circle(art.center, side // 2, QUIET, border=1 + self._at.px(1))
            scene.text("?", art.center[0], art.center[1] - size * 0.6, size=size, bold=True, align="center")
        self._draw_things(type_, piece, things)
        is_target = self._has_target and type_ == self.game.goal.target
        label, size = piece.label, self.plan.label_size
        lines = [fit(line, label.width, size=size) for line in piece.lines]
        if is_target:
            width = min(max(measure(line, size=size)[0] for line in lines) + 6, label.width)
            scene.rect((label.center[0] - width // 2, label.y, width, label.height), TARGET, radius=4)
        for n, line in enumerate(lines):
            y = label.y + n * label.height // len(lines)
            scene.text(line, label.center[0], y, size=size, color=WHITE if is_target else INK, align="center")

    def _draw_things(self, type_: str, piece: Piece, things: tuple[Shown, ...]) -> None:
        """Draw what is on or in a piece as large as fits; where not all do, say how many more there are."""
        if not things:
            return
        box = icons.items_box(type_, piece.art.width, piece.art.height)
        least = max(14, self._at.px(14))
        side = max(least, self._at.px(26), min(self._at.px(44), round(piece.art.height * 0.36)))
        while side > least and (box.width // (side + 3)) * (box.height // (side + 1)) < len(things):
            side -= 1
        columns, rows = max(1, box.width // (side + 3)), max(1, box.height // (side + 1))
        n_shown, more = len(things), ""
        if n_shown > columns * rows:
            # The number of the others stands in the last row, where it takes up to two places.
            n_shown = max(0, columns * rows - min(2, columns))
            more = f"+{len(things) - n_shown}"
        used = rows if more else math.ceil(n_shown / columns)
        left, top = piece.art.x + box.x, piece.art.y + box.bottom - used * (side + 1)
        for n, thing in enumerate(things[:n_shown]):
            row, column = divmod(n, columns)
            in_row = columns if more else min(columns, n_shown - row * columns)
            x = left + (box.width - in_row * (side + 3)) // 2 + column * (side + 3) + 1
            show_thing(self._scene, thing.type, thing.marks, x, top + row * (side + 1), side, is_wanted=thing.is_wanted)
        if more:
            y = max(piece.art.y, piece.art.y + box.bottom - line_height(12))
            self._scene.text(more, left + box.width, y, size=12, bold=True, color=INK, align="right")

    def _draw_agent(self, canvas: Canvas, spot: Spot) -> None:
        """Draw the way it came, the agent, and what it holds."""
        radius = max(7, min(self.plan.aisle // 2 - 1, self._at.px(14)))
        if self._from != self._to:
            n_dots = max(1, round(sum(math.dist(a, b) for a, b in pairwise(self._way)) / (1.3 * radius)))
            for n in range(math.ceil(n_dots * self._share)):
                canvas.circle(along(self._way, n / n_dots), max(1.5, radius / 7), HERE)
        x, y = spot
        canvas.circle((x, y), radius, WHITE)
        canvas.circle((x, y), radius - 1.5, HERE)
        canvas.circle((x - radius * 0.36, y - radius * 0.1), radius * 0.22, WHITE)
        canvas.circle((x + radius * 0.36, y - radius * 0.1), radius * 0.22, WHITE)
        canvas.line([(x - radius * 0.35, y + radius * 0.4), (x, y + radius * 0.52), (x + radius * 0.35, y + radius * 0.4)], WHITE, 2)
        held = int(self._state[HELD]) - 1
        if held >= 0:
            side = radius + radius // 4
            # On the side where the furniture is not.
            is_left = self._seen.at is not None and self.plan.pieces[self._seen.at].box.x > self._to[0]
            left, top = x - radius - side - 1 if is_left else x + radius + 1, y - side // 2
            canvas.circle((left + side / 2, top + side / 2), side * 0.72, WHITE)
            canvas.circle((left + side / 2, top + side / 2), side * 0.72, HERE, border=2)
            canvas.paste(icons.icon(self.game.object_types[held], side), round(left), round(top))
