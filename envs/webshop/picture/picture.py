"""A page of the shop as a picture: for people who watch an agent shop.

Shows what the page holds, and marks what was clicked last. What does not fit is cut, and said to be. Knows no episode and no window.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final

from homebody.envs.canvas import WHITE, Box, Canvas, Color, fit, line_height, measure, wrap
from homebody.envs.still_picture import StillPicture
from homebody.envs.webshop.catalogue.catalogue import Product
from homebody.envs.webshop.pages.pages import BUY, PER_PAGE, SEARCH, SECTIONS, Page, PageView
from homebody.envs.webshop.picture import icons

LEAST_SIZE: Final = (480, 360)
"""Smallest width and height of a picture, in pixels."""
_USUAL: Final = (960, 720)

_GROUND: Final[Color] = (244, 246, 247)
_TILE: Final[Color] = (217, 226, 231)
_LINE: Final[Color] = (196, 205, 212)
_INK: Final[Color] = (27, 33, 39)
_SOFT: Final[Color] = (84, 95, 107)
_BRAND: Final[Color] = (11, 110, 112)
_PICK: Final[Color] = (215, 238, 237)
_PRICE: Final[Color] = (154, 52, 18)
_LAST: Final[Color] = (194, 84, 0)
"""Around what was clicked to come here, and around what is searched for."""
_SHELF: Final = (
    ("lamp", "mustard"),
    ("jacket", "teal"),
    ("headphones", "charcoal"),
    ("mug", "coral"),
    ("shoe", "olive"),
    ("tent", "forest green"),
)


class ShopPicture(StillPicture[PageView]):
    """Draws pages: the instruction, the page, and the command that led there."""

    least = LEAST_SIZE

    def __init__(self, size: tuple[int, int]) -> None:
        super().__init__(size)
        self._scale = max(0.8, min(size[0] / _USUAL[0], size[1] / _USUAL[1]))
        self._places: list[tuple[Box, str]] = []

    def at(self, x: int, y: int) -> str:
        """Return the command that a click at a pixel of the last drawing would be; empty where nothing can be clicked."""
        return next((command for box, command in reversed(self._places) if box.contains(x, y)), "")

    def draw(self, canvas: Canvas) -> None:
        """Draw the page over a whole canvas of this size; nothing where none was seen."""
        self._places = []
        canvas.rect(canvas.box, _GROUND)
        if self._view is None:
            return
        page = self._view.page
        top = self._head(canvas, self._view.instruction)
        foot = canvas.height - self._px(26)
        canvas.text(fit(f"> {self._command}" if self._command else "a new visit", canvas.width - 2 * self._px(16), size=self._px(13)),
                    self._px(16), foot + self._px(3), size=self._px(13), color=_SOFT)  # fmt: skip
        draws: dict[str, Callable[[Canvas, Box, Page], None]] = {
            "home": self._home, "results": self._results, "item": self._item, "sub": self._sub, "done": self._done,
        }  # fmt: skip
        pad = self._px(16)
        draws[page.kind](canvas, Box(pad, top + self._px(10), canvas.width - 2 * pad, foot - top - self._px(14)), page)

    def _px(self, usual: int) -> int:
        """Return a length, or the size of a text, at this size of picture."""
        return max(12, round(usual * self._scale)) if usual >= 12 else round(usual * self._scale)

    def _head(self, canvas: Canvas, instruction: str) -> int:
        """Draw the name of the shop and the instruction; return where they end."""
        pad, size, high = self._px(16), self._px(15), self._px(40)
        canvas.rect(Box(0, 0, canvas.width, high), WHITE)
        canvas.paste(_small("bag", "teal", self._px(26)), pad, (high - self._px(26)) // 2)
        canvas.text("WebShop", pad + self._px(34), (high - line_height(self._px(18))) // 2, size=self._px(18), color=_INK, bold=True)
        lines = wrap(instruction, canvas.width - 2 * pad, size=size, bold=True)
        if len(lines) > 3:
            lines = [*lines[:2], fit(" ".join(lines[2:]), canvas.width - 2 * pad, size=size, bold=True)]
        band = Box(0, high, canvas.width, len(lines) * line_height(size) + self._px(14))
        canvas.rect(band, _PICK)
        for number, line in enumerate(lines):
            canvas.text(line, pad, band.y + self._px(7) + number * line_height(size), size=size, color=_INK, bold=True)
        return band.bottom

    def _home(self, canvas: Canvas, box: Box, page: Page) -> None:
        wide = min(box.width, self._px(640))
        x, y, high = box.x + (box.width - wide) // 2, box.y + box.height // 6, self._px(50)
        canvas.text("What are you looking for?", x, y, size=self._px(26), color=_INK, bold=True)
        field = Box(x, y + self._px(48), wide - self._px(116), high)
        canvas.rect(field, WHITE, radius=8)
        canvas.rect(field, _LAST, radius=8, border=2)
        self._places.append((field, "search["))
        self._button(canvas, Box(field.right + self._px(10), field.y, self._px(106), high), SEARCH, "search[", strong=True)
        side = (wide - 5 * self._px(10)) // 6
        for number, (drawing, color) in enumerate(_SHELF):
            self._tile(canvas, Box(x + number * (side + self._px(10)), field.bottom + self._px(36), side, side), drawing, color)

    def _results(self, canvas: Canvas, box: Box, page: Page) -> None:
        names = [node.text for node in page.nodes if node.kind == "button"]
        y = self._row(canvas, box, names)
        where = next(node.text for node in page.nodes if node.text.startswith("Page "))
        canvas.text(f"{where} for", box.x, y, size=self._px(14), color=_INK, bold=True)
        width = measure(f"{where} for ", size=self._px(14), bold=True)[0]
        words = fit(f"\u201c{page.query}\u201d", max(40, box.width - width), size=self._px(14))
        canvas.text(words, box.x + width, y, size=self._px(14), color=_SOFT)
        y += self._px(24)
        gap = self._px(8)
        n_columns = 2 if box.width >= self._px(560) else 1
        n_rows = -(-PER_PAGE // n_columns) if n_columns == 2 else max(1, (box.bottom - y) // self._px(84))
        high = (box.bottom - y - (n_rows - 1) * gap) // n_rows
        wide = (box.width - (n_columns - 1) * gap) // n_columns
        for number, product in enumerate(page.products[: n_rows * n_columns]):
            row, column = divmod(number, n_columns)
            self._card(canvas, Box(box.x + column * (wide + gap), y + row * (high + gap), wide, high), product)
        if not page.products:
            canvas.text("There is nothing on this page.", box.x, y, size=self._px(16), color=_SOFT)

    def _card(self, canvas: Canvas, box: Box, product: Product) -> None:
        self._frame(canvas, box, f"click[{product.asin.lower()}]", WHITE)
        pad = self._px(8)
        side = box.height - 2 * pad
        self._tile(canvas, Box(box.x + pad, box.y + pad, side, side), *icons.look(product, {}))
        x, size = box.x + side + 2 * pad + self._px(4), self._px(13)
        text = Box(x, box.y + pad - 2, box.right - x - pad, box.height - 2 * pad - line_height(size))
        canvas.paragraph(product.name, text, size=size, color=_INK)
        right = canvas.text(product.price_tag, x, box.bottom - pad - line_height(size) + 2, size=size, color=_PRICE, bold=True).right
        canvas.text(f"   {product.asin}", right, box.bottom - pad - line_height(size) + 2, size=12, color=_SOFT)

    def _item(self, canvas: Canvas, box: Box, page: Page) -> None:
        product = page.product
        assert product is not None  # for the type checker: an item has one
        y = self._row(canvas, box, [node.text for node in page.nodes if node.kind == "button"][:2])
        side = min(box.width * 2 // 5, box.bottom - y)
        self._tile(canvas, Box(box.x, y, side, side), *icons.look(product, page.options))
        x = box.x + side + self._px(20)
        wide, bottom = box.right - x, box.bottom - 2 * self._px(44)
        size = self._px(19)
        name = Box(x, y, wide, 4 * line_height(size))
        y += canvas.paragraph(product.name, name, size=size, color=_INK, bold=True) + self._px(8)
        y = canvas.text(f"Price: {product.price_tag}", x, y, size=self._px(18), color=_PRICE, bold=True).bottom + self._px(10)
        for group, values in product.options.items():
            if y + self._px(54) > bottom:
                canvas.text("and more to choose", x, y, size=self._px(13), color=_SOFT)
                break
            y = self._group(canvas, Box(x, y, wide, bottom - y), group, values, page.options.get(group, ""))
        self._button(canvas, Box(x, bottom + self._px(4), wide, self._px(38)), BUY, f"click[{BUY.lower()}]", strong=True)
        each = (wide - 2 * self._px(8)) // 3
        for number, section in enumerate(SECTIONS):
            at = Box(x + number * (each + self._px(8)), box.bottom - self._px(36), each, self._px(34))
            self._button(canvas, at, section, f"click[{section.lower()}]")

    def _group(self, canvas: Canvas, box: Box, group: str, values: Sequence[str], chosen: str) -> int:
        """Draw an option group with as many values as there is room for; return where it ends."""
        size, high, gap = self._px(14), self._px(28), self._px(6)
        x, y = box.x, canvas.text(group.capitalize(), box.x, box.y, size=size, color=_INK, bold=True).bottom + self._px(4)
        for number, value in enumerate(values):
            words = fit(value, box.width - self._px(24), size=size)
            wide = measure(words, size=size)[0] + self._px(20)
            if x + wide > box.right and x > box.x:
                x, y = box.x, y + high + gap
            if y + 2 * high > box.bottom and number < len(values) - 1:
                canvas.text(f"and {len(values) - number} more", x, y + self._px(5), size=size, color=_SOFT)
                return y + high + self._px(10)
            place = Box(x, y, wide, high)
            self._frame(canvas, place, f"click[{value}]", _BRAND if value == chosen else WHITE)
            color = WHITE if value == chosen else _INK
            canvas.text(words, x + wide // 2, y + (high - line_height(size)) // 2, size=size, color=color, align="center")
            x += wide + gap
        return y + high + self._px(10)

    def _sub(self, canvas: Canvas, box: Box, page: Page) -> None:
        product = page.product
        assert product is not None  # for the type checker: a sub page has one
        y = self._row(canvas, box, [node.text for node in page.nodes if node.kind == "button"])
        side = self._px(96)
        self._tile(canvas, Box(box.x, y, side, side), *icons.look(product, page.options))
        name = Box(box.x + side + self._px(14), y, box.width - side - self._px(14), side - line_height(self._px(20)))
        used = canvas.paragraph(product.name, name, size=self._px(15), color=_SOFT)
        canvas.text(page.section, name.x, y + used + self._px(4), size=self._px(20), color=_INK, bold=True)
        y += side + self._px(14)
        bullets = page.section == "Features"
        texts = [node.text.strip() for node in page.nodes if node.kind == "text"][1:]
        for text in texts or ["There is nothing here."]:
            if y + line_height(self._px(16)) > box.bottom:
                break
            if bullets:
                canvas.circle((box.x + self._px(5), y + self._px(10)), 3, _BRAND)
            left = box.x + (self._px(18) if bullets else 0)
            y += canvas.paragraph(text, Box(left, y, box.right - left, box.bottom - y), size=self._px(16), color=_INK) + self._px(8)

    def _done(self, canvas: Canvas, box: Box, page: Page) -> None:
        product = page.product
        assert product is not None  # for the type checker: a purchase has one
        canvas.text("Thank you for shopping with us!", box.x, box.y + self._px(10), size=self._px(26), color=_INK, bold=True)
        y, side = box.y + self._px(60), self._px(180)
        card = Box(box.x, y, box.width, min(side + self._px(32), box.bottom - y))
        self._frame(canvas, card, "", WHITE)
        side = card.height - self._px(32)
        self._tile(canvas, Box(card.x + self._px(16), card.y + self._px(16), side, side), *icons.look(product, page.options))
        x = card.x + side + self._px(32)
        wide, size = card.right - x - self._px(16), self._px(17)
        name = Box(x, card.y + self._px(16), wide, 3 * line_height(size))
        y = name.y + canvas.paragraph(product.name, name, size=size, color=_INK, bold=True) + self._px(6)
        lines = [(product.price_tag, _PRICE), *((f"{group}: {value}", _INK) for group, value in page.options.items())]
        for text, color in lines:
            if y + line_height(self._px(15)) <= card.bottom:
                y = canvas.text(fit(text, wide, size=self._px(15)), x, y, size=self._px(15), color=color).bottom + self._px(2)

    def _row(self, canvas: Canvas, box: Box, names: Sequence[str]) -> int:
        """Draw buttons beside each other; return where what is below may begin."""
        x, high = box.x, self._px(32)
        for name in names:
            wide = measure(name, size=self._px(14))[0] + self._px(28)
            self._button(canvas, Box(x, box.y, wide, high), name, f"click[{name.lower()}]")
            x += wide + self._px(8)
        return box.y + high + self._px(12)

    def _button(self, canvas: Canvas, box: Box, text: str, command: str, *, strong: bool = False) -> None:
        self._frame(canvas, box, command, _BRAND if strong else WHITE)
        size = self._px(15) if strong else self._px(14)
        y = box.y + (box.height - line_height(size)) // 2
        canvas.text(text, box.center[0], y, size=size, color=WHITE if strong else _INK, bold=strong, align="center")

    def _frame(self, canvas: Canvas, box: Box, command: str, ground: Color) -> None:
        """Draw the ground of something, marked if it was clicked last, and remember which command a click on it is."""
        was_last = bool(command) and command == self._command.lower()
        canvas.rect(box, ground, radius=8)
        canvas.rect(box, _LAST if was_last else _LINE, radius=8, border=3 if was_last else 1)
        if command:
            self._places.append((box, command))

    def _tile(self, canvas: Canvas, box: Box, drawing: str, color: str) -> None:
        canvas.rect(box, _TILE, radius=8)
        side = max(8, round(min(box.width, box.height) * 0.84))
        canvas.paste(_small(drawing, color, side), box.x + (box.width - side) // 2, box.y + (box.height - side) // 2)


@lru_cache(maxsize=512)
def _small(drawing: str, color: str, side: int) -> Canvas:
    """Return a drawing as a square: painted at three times its size and made small, for smooth edges."""
    large = Canvas(3 * side, 3 * side, None)
    factor = 3 * side / icons.FIELD
    for shape in icons.shapes(drawing):
        fill = icons.rgb(shape.color, color)
        n = [number * factor for number in shape.numbers]
        if shape.kind == "rect":
            large.rect(n[:4], fill, radius=round(n[4]))
        elif shape.kind == "disc":
            large.circle((n[0], n[1]), n[2], fill)
        elif shape.kind == "oval":
            large.ellipse(n, fill)
        elif shape.kind == "poly":
            large.polygon(list(zip(n[::2], n[1::2], strict=True)), fill)
        else:
            points = list(zip(n[1::2], n[2::2], strict=True))
            large.line(points, fill, max(1, round(n[0])))
            for point in points:
                large.circle(point, n[0] / 2, fill)
    return large.scaled(side, side)
