"""A page as an observation: text, rich text, HTML, or its address.

Text is exactly what upstream's environment reads from its pages; the HTML is ours, with the element names and classes that
upstream's agents look for, and with every text escaped. Knows pages and nothing else: the instruction and the score are given.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from html import escape
from typing import Final

from homebody.envs.webshop.pages.pages import Node, Page

HIDDEN_SCORE: Final = "hidden"
"""What stands for the score where it is not shown."""
ADDRESS: Final = "http://127.0.0.1:3000"
"""Where upstream's pages say that they are."""


def text(page: Page, filling: str) -> str:
    """Return all text on a page, its pieces stripped and joined.

    Args:
        page: The page.
        filling: The instruction; on the page after the purchase the score.
    """
    before, after = page.text
    return f"{before}{filling.strip()}{after}"


def rich(page: Page, filling: str, visited: Collection[str], session: str) -> str:
    """Return the text of a page, a piece a line, with buttons marked.

    Args:
        page: The page.
        filling: The instruction; on the page after the purchase the score.
        visited: Ids of the products opened since the visit began; their links are marked as clicked.
        session: Part of the address, which upstream searches for the options that are chosen.
    """
    where = url(page, session)
    opening = ""
    lines = []
    for node in page.nodes:
        if node.kind == "button":
            lines.append(f"[button] {node.text} [button_]")
        elif node.kind == "link":
            mark = "clicked button" if node.text in visited else "button"
            lines.append(f"\n[{mark}] {node.text} [{mark}_]")
        elif node.kind == "option":
            chosen = f'"{node.text}"' in where
            mark = "clicked button" if chosen else "button"
            lines.append(f"  [{mark}] {node.text} [{mark}_]")
            if chosen:
                opening = f"You have clicked {node.text}.\n{opening}"
        else:
            lines.append(node.text or filling)
    return opening + "".join(f"{line}\n" for line in lines)


def url(page: Page, session: str) -> str:
    """Return the address of a page, as upstream writes it; it is not escaped there either."""
    asin = page.product.asin if page.product else ""
    query = page.query.replace(" ", "+")
    path = {
        "home": session,
        "results": f"search_results/{session}/{query}/{page.number}",
        "item": f"item_page/{session}/{asin}/{query}/{page.number}/{json.dumps(page.options)}",
        "sub": f"item_sub_page/{session}/{asin}/{query}/{page.number}/{page.section}/{page.options}",
        "done": f"done/{session}/{asin}/{page.options}",
    }
    return f"{ADDRESS}/{path[page.kind]}"


def html(page: Page, filling: str) -> str:
    """Return a page as HTML: no script, no picture, nothing to fetch, and every text escaped.

    Args:
        page: The page.
        filling: The instruction; on the page after the purchase the score.
    """
    body = "\n".join(_element(node, page, filling) for node in page.nodes)
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head><meta charset="utf-8"><title>WebShop</title></head>\n<body>\n{body}\n</body>\n</html>\n'
    )


def _element(node: Node, page: Page, filling: str) -> str:
    shown = escape(node.text or filling)
    if node.kind == "instruction":
        return f'<div id="instruction-text">{shown}</div>'
    if node.kind == "score":
        return f'<pre id="reward">{shown}</pre>'
    if node.kind == "button":
        bar = '<input id="search_input" type="text" name="search_query">' if page.has_search_bar else ""
        return f'<form method="post">{bar}<button class="btn" type="submit">{shown}</button></form>'
    if node.kind == "link":
        return f'<a class="product-link" href="#{shown}">{shown}</a>'
    if node.kind == "option":
        checked = " checked" if page.options.get(node.group) == node.text else ""
        return f'<label><input type="radio" name="{escape(node.group)}" value="{shown}"{checked}>{shown}</label>'
    return f"<h4>{shown}</h4>" if node.kind == "group" else f"<p>{shown}</p>"
