"""The addresses of the website: which page has which address, and back. All of a page's state is in it, so going back goes back.

Knows pages; knows nothing of HTML, of visitors, or of a server.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qsl, quote, unquote, urlencode

from homebody.envs.webshop.pages.pages import BUY, SECTIONS, Page, Shop

MOST_CHARACTERS: Final = 16_000
"""Of an address that is looked at at all."""
_LAST_PAGE: Final = 10_000
_MOST_FIELDS: Final = 200


def address(page: Page) -> str:
    """Return the address of a page below a visit's own, without a slash before it. The home page's is empty."""
    if page.kind == "results":
        return f"search?{urlencode({'q': page.query, 'page': page.number})}"
    if page.product is None:
        return ""
    if page.kind == "done":
        return "receipt"
    section = f"/{page.section.lower()}" if page.kind == "sub" else ""
    return f"item/{quote(page.product.asin, safe='')}{section}?{state(page)}"


def state(page: Page) -> str:
    """Return the part of an item's address that says how it was found and what is chosen."""
    pairs = [("q", page.query), ("page", str(page.number))]
    for group, value in page.options.items():
        pairs += [("group", group), ("value", value)]
    return urlencode(pairs)


def page_at(shop: Shop, where: str) -> Page | None:
    """Return the page of an address, other than of a receipt; None if there is none.

    Args:
        shop: What is sold.
        where: As `address` returns it; `pick`, the text of an option, on top leads to the page with that option chosen.
    """
    path, _, query_string = where.partition("#")[0].partition("?")
    pairs = _pairs(query_string)
    if pairs is None:
        return None
    fields = dict(pairs)
    steps = path.split("/")
    if steps == [""]:
        return shop.home()
    number, query = _number(fields.get("page", "1")), fields.get("q", "").lower()
    if not number:
        return None
    if steps == ["search"]:
        return shop.results(query, number) if query else shop.home()
    if steps[0] != "item" or len(steps) not in (2, 3):
        return None
    product = shop.product(unquote(steps[1]))
    groups, values = ([text for name, text in pairs if name == kind] for kind in ("group", "value"))
    if product is None or len(groups) != len(values):
        return None
    options = dict(zip(groups, values, strict=True))
    if any(value not in product.options.get(group, ()) for group, value in options.items()):
        return None
    item = shop.item(product, query, number, options)
    if len(steps) == 3:
        return shop.follow(item, f"click[{steps[2]}]") if steps[2] in (section.lower() for section in SECTIONS) else None
    return _picked(shop, item, fields["pick"]) if "pick" in fields else item


def bought(shop: Shop, form: str) -> Page | None:
    """Return the page after the purchase that a form asks for; None if it asks for nothing that is sold.

    Args:
        shop: What is sold.
        form: The fields `asin`, and as in `state`.
    """
    asin = dict(_pairs(form) or []).get("asin", "")
    item = page_at(shop, f"item/{quote(asin, safe='')}?{form}")
    return shop.follow(item, f"click[{BUY.lower()}]") if item is not None and item.kind == "item" else None


def picked(where: str) -> str | None:
    """Return the text of the option that an address of an item picks; None if it picks none."""
    return dict(_pairs(where.partition("#")[0].partition("?")[2]) or []).get("pick")


def _pairs(query_string: str) -> list[tuple[str, str]] | None:
    """Return names and values; None where there are more than any page of ours has."""
    try:
        return parse_qsl(query_string, keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError:
        return None


def _picked(shop: Shop, item: Page, text: str) -> Page | None:
    there = shop.follow(item, f"click[{text}]")
    return there if text in item.clickables and there.kind != "done" else None


def _number(text: str) -> int:
    """Return the number of a page; 0 if the text is none."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 6 and 1 <= int(text) <= _LAST_PAGE else 0
