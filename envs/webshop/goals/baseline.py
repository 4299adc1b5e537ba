"""The plainest way to shop, as a control: search for the whole instruction, open the first result, choose what it names, buy.

Sees the instruction and the page, as an agent does, and uses no model. Knows nothing of the goal behind the instruction.
"""

from __future__ import annotations

from homebody.envs.webshop.pages.pages import BACK, BUY, Page, search_command


def first_result(page: Page, instruction: str) -> str:
    """Return the next command: of each group, the longest option whose text occurs in the instruction is chosen.

    Where the search finds nothing it goes back and forth without end.
    """
    if page.has_search_bar:
        return search_command(instruction)
    if page.kind == "results" and page.products:
        return f"click[{page.products[0].asin.lower()}]"
    if page.kind != "item" or page.product is None:
        return f"click[{BACK.lower()}]"
    words = instruction.lower()
    for group, values in page.product.options.items():
        named = [value for value in values if value in words and f"click[{value}]" in page.commands]
        if named and group not in page.options:
            return f"click[{max(named, key=len)}]"
    return f"click[{BUY.lower()}]"
