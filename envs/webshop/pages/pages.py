"""The pages of the shop: what is on each, and where an action leads.

One model for all who show it: text, HTML, the website, pictures. Behaves as the text environment of princeton-nlp/WebShop (MIT) at 64fa2a5,
quirks included. Knows nothing of goals, rewards or episodes; pages are values, and the shop keeps no session.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from homebody.envs.text import PIECE_MARK
from homebody.envs.webshop.catalogue.catalogue import Product

if TYPE_CHECKING:
    from homebody.envs.webshop.search.index import SearchIndex

PageKind = Literal["home", "results", "item", "sub", "done"]
NodeKind = Literal["text", "instruction", "score", "button", "link", "group", "option"]

SEARCH: Final = "Search"
BACK: Final = "Back to Search"
PREVIOUS: Final = "< Prev"
NEXT: Final = "Next >"
BUY: Final = "Buy Now"
SECTIONS: Final = ("Description", "Features", "Reviews")
"""The sub pages of an item. Reviews are empty: upstream's are not loaded either."""

SEPARATOR: Final = PIECE_MARK
"""What stands between two pieces of a page's text."""

MOST_FOUND: Final = 50
"""Results that a search has, at most."""
PER_PAGE: Final = 10
"""Results on a page. A page after the last is empty, not missing."""

_MOST_PAGES: Final = 10_000
"""Pages that a shop keeps; a page of results with its text takes some 6 KB."""
_MOST_MOVES: Final = 40_000
_UNSEARCHABLE: Final = str.maketrans(dict.fromkeys("[]", " "))
_FLASK_ESCAPES: Final = str.maketrans({character: f"\\u{ord(character):04x}" for character in "<>&'"})


class Node(NamedTuple):
    """One piece of text on a page, in the order of the document."""

    kind: NodeKind
    text: str
    """As on the page; empty for the instruction and the score, which are not the page's own."""
    group: str = ""
    """The option group that an option belongs to."""


_Piece = tuple[NodeKind, str] | tuple[NodeKind, str, str]
"""What a node is made from."""


@dataclass(frozen=True, eq=False)
class Page:
    """One page. Equal states are the same object as long as the shop keeps it."""

    kind: PageKind
    query: str = ""
    """What was searched for, lower-case; on every page that a search led to."""
    number: int = 0
    """The page of results, from 1; on items, the one that they were opened from."""
    found: tuple[str, ...] = ()
    """Ids of all that the search found, best first; on pages of results."""
    products: tuple[Product, ...] = ()
    """The products that this page of results lists."""
    product: Product | None = None
    """What is shown or was bought; on items, sub pages and after the purchase."""
    section: str = ""
    """One of `SECTIONS`, on sub pages."""
    options: Mapping[str, str] = field(default_factory=dict)
    """Values chosen, by group, in the order of the first choice in each."""
    same: Page | None = None
    """A page with the same text and clickables, if there is one: how a product was found changes neither."""

    @property
    def total(self) -> int:
        """How many products the search found."""
        return len(self.found)

    @property
    def has_search_bar(self) -> bool:
        """Whether there is a field to search in. A search is accepted on every page all the same."""
        return self.kind == "home"

    @property
    def nodes(self) -> list[Node]:
        """All text on the page, in the order of the document."""
        return [Node(*piece) for piece in self._pieces()]

    def _pieces(self) -> list[_Piece]:
        """Return what `nodes` does; plain tuples take a quarter of the time, and a page is read at every step."""
        if self.kind == "home":
            return [("text", "WebShop"), ("text", "Instruction: "), ("instruction", ""), ("button", SEARCH)]
        if self.kind == "done" and self.product is not None:
            return _receipt(self.product, self.options)
        pieces: list[_Piece] = [("text", "Instruction:"), ("instruction", ""), ("button", BACK)]
        if self.kind == "results":
            pieces.append(("text", f"Page {self.number} (Total results: {self.total})"))
            pieces += [("button", PREVIOUS), ("button", NEXT)] if self.number > 1 else [("button", NEXT)]
            for product in self.products:
                pieces += [("link", product.asin), ("text", product.name), ("text", product.price_tag)]
        elif self.product is not None:
            pieces.append(("button", PREVIOUS))
            pieces += _item(self.product) if self.kind == "item" else _content(self.product, self.section)
        return _folded(pieces)

    @property
    def text(self) -> tuple[str, str]:
        """All text on the page, its pieces stripped and joined: what stands before and after the instruction, or the score."""
        return self._read[0]

    @property
    def clickables(self) -> tuple[str, ...]:
        """What upstream lists as clickable: lower-case, each text once; first buttons and links, then options."""
        return self._read[1]

    @cached_property
    def _read(self) -> tuple[tuple[str, str], tuple[str, ...]]:
        if self.same is not None:
            return self.same._read
        pieces = self._pieces()
        texts = [piece[1].strip() for piece in pieces]
        gap = next(i for i, piece in enumerate(pieces) if piece[0] in ("instruction", "score"))
        text = SEPARATOR.join([*texts[:gap], ""]), SEPARATOR.join(["", *texts[gap + 1 :]])
        buttons = [piece[1].lower() for piece in pieces if piece[0] == "button"]
        links = [piece[1].lower() for piece in pieces if piece[0] == "link"]
        options = [piece[1] for piece in pieces if piece[0] == "option"]
        return text, tuple(dict.fromkeys(buttons + links + options))

    @cached_property
    def commands(self) -> tuple[str, ...]:
        """The commands that lead on from here, sorted. What the form of a command cannot express is left out."""
        if self.same is not None:
            return self.same.commands
        if self.kind == "home":
            return ("search[{text}]",)
        return tuple(sorted(f"click[{text}]" for text in self.clickables if text != SEARCH.lower() and _is_expressible(text)))


@dataclass(frozen=True)
class PageView:
    """A page as people are shown it."""

    page: Page
    instruction: str
    """What the visitor was asked to buy."""


def parse(action: object) -> tuple[str, str]:
    """Read `name[argument]`: the name as it is, the argument lower-case; two empty texts for anything else.

    Only the first line counts, and what follows the last bracket does not; so `a[b[c]] d` has the name `a[b` and the argument `c]`.
    """
    line = action.partition("\n")[0] if isinstance(action, str) else ""
    end = line.rfind("]")
    start = line.rfind("[", 1, end - 1) if end > 2 else -1
    return (line[:start], line[start + 1 : end].lower()) if start > 0 else ("", "")


def _is_expressible(text: str) -> bool:
    return (text != "" and "[" not in text and "\n" not in text) or parse(f"click[{text}]") == ("click", text)


def search_command(text: str) -> str:
    """Return the command that searches for a text; brackets and line breaks, which it cannot hold, become spaces."""
    return f"search[{' '.join(text.translate(_UNSEARCHABLE).split())}]"


class Shop:
    """A catalogue, its search engine, and its pages.

    Args:
        products: What is sold. A sequence with a method `index_of(asin)` is asked for products one by one, and need not hold them all.
    """

    def __init__(self, products: Sequence[Product]) -> None:
        self.products = products
        self._places = None if hasattr(products, "index_of") else {product.asin: i for i, product in enumerate(products)}
        self._pages: dict[Hashable, Page] = {}
        self._moves: dict[tuple[Page, str], Page] = {}
        self._home = Page("home")

    @cached_property
    def index(self) -> SearchIndex:
        """The search engine; made when it is first wanted."""
        from homebody.envs.webshop.search.index import SearchIndex

        return SearchIndex(self.products)

    def product(self, asin: str) -> Product | None:
        """Return a product, or None if the shop has none of this id."""
        place = self._places.get(asin) if self._places is not None else self.products.index_of(asin)  # type: ignore[attr-defined]
        return None if place is None else self.products[place]

    def home(self) -> Page:
        """Return the page that every visit begins on."""
        return self._home

    def follow(self, page: Page, action: object) -> Page:
        """Return the page that an action leads to: the same object, if the action is refused or changes nothing.

        Args:
            page: Where the visitor is.
            action: `search[...]` or `click[...]`; anything else is refused.
        """
        if not isinstance(action, str):
            return page
        there = self._moves.get((page, action))
        if there is None:
            there = self._turn(page, *parse(action))
            if there is not page:
                if len(self._moves) >= _MOST_MOVES:
                    self._moves.clear()
                self._moves[page, action] = there
        return there

    def results(self, query: str, number: int) -> Page:
        """Return a page of results, from 1; after the last there are empty ones."""
        first = self._keep(("results", query, 1), lambda: self._listing(query, 1, tuple(self._find(query))))
        if number == 1:
            return first
        return self._keep(("results", query, number), lambda: self._listing(query, number, first.found))

    def _listing(self, query: str, number: int, found: tuple[str, ...]) -> Page:
        """Make a page of results; of what was found, only the products that it lists are looked up."""
        here = map(self.product, found[(number - 1) * PER_PAGE : number * PER_PAGE])
        return Page("results", query, number, found, tuple(product for product in here if product is not None))

    def item(self, product: Product, query: str, number: int, options: Mapping[str, str]) -> Page:
        """Return the page of a product that was found on a page of results, with what was chosen of its options."""
        plain = self._keep(("item", product.asin), lambda: Page("item", product=product))
        key = ("item", product.asin, query, number, *options.items())
        return self._keep(key, lambda: Page("item", query, number, (), (), product, "", options, plain))

    def _keep(self, key: Hashable, make: Callable[[], Page]) -> Page:
        page = self._pages.get(key)
        if page is None:
            page = make()
            if len(self._pages) >= _MOST_PAGES:
                self._pages.clear()
                self._moves.clear()
            self._pages[key] = page
        return page

    def _turn(self, page: Page, name: str, argument: str) -> Page:
        if name == "search":
            return self.results(argument, 1)
        if name != "click" or argument not in page.clickables or argument == SEARCH.lower():
            return page
        if argument == BACK.lower():
            return self._home
        if page.kind == "results":
            return self._from_results(page, argument)
        assert page.product is not None  # for the type checker: items and sub pages have one, and nothing else is left
        if page.kind == "sub":
            return self.item(page.product, page.query, page.number, page.options)
        return self._from_item(page, page.product, argument)

    def _from_results(self, page: Page, argument: str) -> Page:
        if argument == NEXT.lower():
            return self.results(page.query, page.number + 1)
        if argument == PREVIOUS.lower():
            return self.results(page.query, page.number - 1)
        product = next(product for product in page.products if product.asin.lower() == argument)
        return self.item(product, page.query, page.number, {})

    def _from_item(self, page: Page, product: Product, argument: str) -> Page:
        """Follow a click on an item. A button goes before an option of the same text; of equal options, the last group's counts."""
        key: tuple[Hashable, ...]
        if argument == BUY.lower():
            key = ("done", product.asin, *page.options.items())
            return self._keep(key, lambda: Page("done", product=product, options=page.options))
        if argument == PREVIOUS.lower():
            return self.results(page.query, page.number)
        section = next((section for section in SECTIONS if section.lower() == argument), "")
        if section:
            plain = self._keep(("sub", section, product.asin), lambda: Page("sub", product=product, section=section))
            key = ("sub", section, product.asin, page.query, page.number, *page.options.items())
            return self._keep(key, lambda: Page("sub", page.query, page.number, (), (), product, section, page.options, plain))
        groups = [group for group, values in product.options.items() if argument in values]
        # A value of spaces alone reads as a single space, which is no value then.
        return self.item(product, page.query, page.number, {**page.options, groups[-1]: argument}) if groups else page

    def _find(self, query: str) -> Iterable[str]:
        """Search, for ids; or list products at random, or by attribute, category or kind, where the first word says so."""
        first, _, rest = query.partition(" ")
        rest = rest.strip()
        if first == "<r>":
            # Drawn from the query: upstream's draw differs from run to run.
            places = random.Random(ascii(query)).sample(range(len(self.products)), min(MOST_FOUND, len(self.products)))
            return (self.products[place].asin for place in places)
        if first == "<a>":
            return (product.asin for product in self.products if rest in product.attributes)
        if first == "<c>":
            return (product.asin for product in self.products if rest.partition(" ")[0] == product.category)
        if first == "<q>":
            return (product.asin for product in self.products if rest == product.query)
        return self.index.ids(query, MOST_FOUND)


def _item(product: Product) -> list[_Piece]:
    pieces: list[_Piece] = []
    for group, values in product.options.items():
        pieces.append(("group", group))
        pieces += [("option", value, group) for value in values]
    pieces += [("text", product.name), ("text", f"Price: {product.price_tag}"), ("text", "Rating: N.A.")]
    pieces += [("button", name) for name in SECTIONS]
    return [*pieces, ("button", BUY)]


def _content(product: Product, section: str) -> list[_Piece]:
    if section == "Description":
        return [("text", product.description)]
    return [("text", f" {bullet}") for bullet in product.bullets] if section == "Features" else []


def _receipt(product: Product, options: Mapping[str, str]) -> list[_Piece]:
    """The page after the purchase: upstream's form, most of which it leaves empty."""
    # As Flask writes JSON into a page: sorted, without the characters that could end a script.
    chosen = _SORTED.encode(options).translate(_FLASK_ESCAPES)
    return [*_RECEIPT_HEAD, ("text", product.asin), ("text", "options"), ("text", chosen), *_RECEIPT_FOOT]


def _texts(*texts: str) -> list[_Piece]:
    return [("text", text) for text in texts]


_SORTED: Final = json.JSONEncoder(sort_keys=True)
_RECEIPT_HEAD: Final = _texts(
    "Thank you for shopping with us!", "Your code: ", "None", " (Paste it in your MTurk interface.)", "Purchased", "asin",
)  # fmt: skip
_RECEIPT_FOOT: Final = [
    *_texts("attrs", "None", "category", "None", "query", "None", "product category", "None"),
    *_texts("Target", "asin", "options", "attrs", "price upper", "instuction text", "category", "product category", "query"),
    *_texts("Goal ", "None", "Reward", "Your score (min 0.0, max 1.0)"),
    ("score", ""),
    *_texts("Reward Details ", "None"),
]


def _folded(pieces: list[_Piece]) -> list[_Piece]:
    """Read pieces as BeautifulSoup does: one of spaces alone is a single space, and nothing if there is a line break among them."""
    if all([piece[1].strip() for piece in pieces[2:]]):  # as nearly always; the second is the empty instruction
        return pieces
    folded: list[_Piece] = []
    for piece in pieces:
        if piece[1].strip(" \n\t\f\r") or piece[0] == "instruction":
            folded.append(piece)
        elif piece[1] and "\n" not in piece[1]:
            folded.append((piece[0], " ", *piece[2:]))
    return folded
