"""The pages of a small shop: what they hold, where actions lead, and that no action breaks them."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homebody.envs.webshop.catalogue.catalogue import Product
from homebody.envs.webshop.pages import pages, render
from homebody.envs.webshop.pages.pages import Page, Shop, parse, search_command

WISH = "Find me a lamp"
EVIL = '</p><script>alert("x")</script>&amp;'


def product(asin: str, name: str, **fields: object) -> Product:
    return Product(asin, name, "garden", "lamps", "Home", "", (), **fields)  # type: ignore[arg-type]


LAMP = Product(
    "B0LAMP0001",
    "Brass lamp",
    "garden",
    "lamps",
    "Home \u203a Lamps",
    "Shines\n  all night ",
    ("First ", "", "Second"),
    attributes=("bright",),
    options={"color": ("red", "buy now", "search"), "size": ("s", "m"), "case": ("m", "a[b", "")},
    prices=(3.5, 11.0),
)
LINE = [product(f"B0LINE{i:04}", f"Plain candle {i}") for i in range(23)]
SHOP = Shop([LAMP, *LINE, product("B0EVIL0001", EVIL, options={EVIL: (EVIL,)})])


def go(*actions: str, start: Page | None = None, shop: Shop = SHOP) -> Page:
    page = start or shop.home()
    for action in actions:
        page = shop.follow(page, action)
    return page


def item(*actions: str) -> Page:
    return go("search[brass lamp]", "click[b0lamp0001]", *actions)


def test_home() -> None:
    home = SHOP.home()
    assert render.text(home, WISH) == "WebShop [SEP] Instruction: [SEP] Find me a lamp [SEP] Search"
    assert (home.clickables, home.has_search_bar, home.commands) == (("search",), True, ("search[{text}]",))
    assert go("click[search]") is home


def test_results_in_pages_of_ten() -> None:
    first, second, third, fourth = (go("search[candle]", *["click[next >]"] * n) for n in range(4))
    assert [len(page.products) for page in (first, second, third, fourth)] == [10, 10, 3, 0]
    assert {page.total for page in (first, second, third, fourth)} == {23}
    assert first.clickables[:2] == ("back to search", "next >")
    assert second.clickables[:3] == ("back to search", "< prev", "next >")
    assert fourth.clickables == ("back to search", "< prev", "next >")
    assert go("click[< prev]", start=second) is first
    assert render.text(fourth, WISH) == (
        "Instruction: [SEP] Find me a lamp [SEP] Back to Search [SEP] Page 4 (Total results: 23) [SEP] < Prev [SEP] Next >"
    )
    opening = f"{first.products[0].asin} [SEP] {first.products[0].name} [SEP] $100.0"
    assert render.text(first, WISH).startswith(
        f"Instruction: [SEP] Find me a lamp [SEP] Back to Search [SEP] Page 1 (Total results: 23) [SEP] Next > [SEP] {opening} [SEP] B0LINE"
    )


def test_item() -> None:
    page = item()
    assert render.text(page, WISH) == (
        "Instruction: [SEP] Find me a lamp [SEP] Back to Search [SEP] < Prev [SEP] color [SEP] red [SEP] buy now [SEP] search [SEP] "
        "size [SEP] s [SEP] m [SEP] case [SEP] m [SEP] a[b [SEP] Brass lamp [SEP] Price: $3.5 to $11.0 [SEP] Rating: N.A. [SEP] "
        "Description [SEP] Features [SEP] Reviews [SEP] Buy Now"
    )
    buttons = ("back to search", "< prev", "description", "features", "reviews", "buy now")
    assert page.clickables == (*buttons, "red", "search", "s", "m", "a[b")
    assert page.commands == tuple(sorted(f"click[{text}]" for text in (*buttons, "red", "s", "m")))


def test_options_are_kept_and_the_last_group_counts() -> None:
    page = item("click[RED]", "click[m]")
    assert page.options == {"color": "red", "case": "m"}
    assert go("click[red]", start=page) is page
    assert render.text(page, WISH) == render.text(item(), WISH)
    assert go("click[features]", "click[< prev]", start=page) is page
    assert go("click[< prev]", "click[b0lamp0001]", start=page).options == {}
    assert item("click[s]", "click[red]", "click[m]", "click[s]").options == {"size": "s", "color": "red", "case": "m"}


def test_a_button_goes_before_an_option_of_the_same_text() -> None:
    assert item("click[buy now]").kind == "done"
    assert item("click[search]") is item()


def test_sub_pages() -> None:
    texts = {name: render.text(item(f"click[{name}]"), WISH).split(" [SEP] ")[2:] for name in ("Description", "FEATURES", "reviews")}
    assert texts["Description"] == ["Back to Search", "< Prev", "Shines\n  all night"]
    assert texts["FEATURES"] == ["Back to Search", "< Prev", "First", "", "Second"]
    assert texts["reviews"] == ["Back to Search", "< Prev"]
    assert item("click[description]").clickables == ("back to search", "< prev")
    assert item("click[description]", "click[back to search]") is SHOP.home()


def test_after_the_purchase() -> None:
    page = item("click[s]", "click[red]", "click[buy now]")
    assert (page.kind, page.product, page.options, page.clickables) == ("done", LAMP, {"size": "s", "color": "red"}, ())
    shown = render.text(page, "0.5").split(" [SEP] ")
    assert shown[:5] == ["Thank you for shopping with us!", "Your code:", "None", "(Paste it in your MTurk interface.)", "Purchased"]
    assert shown[5:9] == ["asin", "B0LAMP0001", "options", '{"color": "red", "size": "s"}']
    assert shown[-4:] == ["Your score (min 0.0, max 1.0)", "0.5", "Reward Details", "None"]
    assert go("click[< prev]", start=page) is page
    assert go("search[brass]", start=page).kind == "results"


@pytest.mark.parametrize("page", [SHOP.home(), go("search[candle]"), item(), item("click[reviews]"), item("click[buy now]")])
def test_a_search_is_accepted_everywhere_and_junk_nowhere(page: Page) -> None:
    assert go("search[brass lamp]", start=page) is go("search[brass lamp]")
    for junk in (
        "",
        "search",
        "search[]",
        "Search[lamp]",
        "CLICK[back to search]",
        "click[nothing]",
        "click[b0line9999]",
        "\ud800",
        "[[]]",
    ):
        assert go(junk, start=page) is page
    for thing in (None, 3, b"search[lamp]", ["search[lamp]"]):
        assert SHOP.follow(page, thing) is page


def test_special_searches() -> None:
    assert go("search[<q> lamps]").total == 25
    assert go("search[<c> garden x]").total == 25
    assert go("search[<a> bright]").products == (LAMP,)
    assert [go(f"search[{query}]").total for query in ("<q>", "<c>", "<a> dull", "<a>")] == [0, 0, 0, 0]
    drawn = go("search[<r>]")
    assert drawn.total == 25
    assert drawn.products == Shop(SHOP.products).follow(SHOP.home(), "search[<r>]").products
    assert drawn.products != go("search[<r> again]").products


def test_an_option_of_spaces_alone_cannot_be_chosen() -> None:
    shop = Shop([product("B0BLANK001", "Blank", options={"color": ("   ", "\n"), "\t": ("red",)})])
    page = go("search[blank]", "click[b0blank001]", shop=shop)
    assert page.clickables[-2:] == (" ", "red")
    assert shop.follow(page, "click[ ]") is page
    assert shop.follow(page, "click[red]").options == {"\t": "red"}


def test_surrogates_are_searched_for_without_fuss() -> None:
    assert [go(f"search[{query} \ud800]").kind for query in ("", "<r>", "<a>", "<c>", "<q>", "lamp")] == ["results"] * 6


def test_rich_text_marks_what_was_clicked() -> None:
    page = item("click[red]", "click[s]")
    lines = render.rich(page, WISH, {"B0LAMP0001"}, "7").split("\n")
    assert lines[:4] == ["You have clicked s.", "You have clicked red.", "Instruction:", WISH]
    assert lines[4:9] == [
        "[button] Back to Search [button_]",
        "[button] < Prev [button_]",
        "color",
        "  [clicked button] red [clicked button_]",
        "  [button] buy now [button_]",
    ]
    results = go("click[< prev]", start=page)
    assert "\n\n[clicked button] B0LAMP0001 [clicked button_]\nBrass lamp\n$3.5 to $11.0\n" in render.rich(
        results, WISH, {"B0LAMP0001"}, "7"
    )
    assert "\n\n[button] B0LAMP0001 [button_]\n" in render.rich(results, WISH, set(), "7")


def test_addresses() -> None:
    base = "http://127.0.0.1:3000"
    assert render.url(SHOP.home(), "7") == f"{base}/7"
    assert render.url(go("search[brass  lamp]"), "7") == f"{base}/search_results/7/brass++lamp/1"
    assert render.url(item("click[red]"), "7") == f'{base}/item_page/7/B0LAMP0001/brass+lamp/1/{{"color": "red"}}'
    where = f"{base}/item_sub_page/7/B0LAMP0001/brass+lamp/1/Features/{{'color': 'red'}}"
    assert render.url(item("click[red]", "click[features]"), "7") == where
    assert render.url(item("click[buy now]"), "7") == f"{base}/done/7/B0LAMP0001/{{}}"


class Reader(HTMLParser):
    """Reads tags and texts as a browser would, and leaves out the head."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        if "body" in self.tags and data.strip():
            self.texts.append(data)


@pytest.mark.parametrize(
    "page",
    [
        SHOP.home(),
        go("search[<q> lamps]"),
        go("search[<q> lamps]", "click[next >]", "click[next >]"),
        item("click[red]"),
        item("click[features]"),
        item("click[buy now]"),
        go("search[script]", "click[b0evil0001]"),
    ],
)
def test_html_holds_the_same_texts_and_no_script(page: Page) -> None:
    reader = Reader()
    reader.feed(render.html(page, EVIL))
    assert reader.texts == [node.text or EVIL for node in page.nodes if node.text.strip() or not node.text]
    assert not set(reader.tags) & {"script", "iframe", "img", "link", "style"}


UPSTREAMS_PATTERN = re.compile(r"(.+)\[(.+)\]")


@settings(deadline=None)
@given(st.text(alphabet="ab[]\nC ", max_size=12))
def test_parse_reads_as_upstreams_pattern_does(action: str) -> None:
    match = UPSTREAMS_PATTERN.match(action)
    assert parse(action) == ((match[1], match[2].lower()) if match else ("", ""))


def test_parse_takes_no_time_for_long_junk() -> None:
    assert parse("[" * 100_000) == ("", "")


@settings(deadline=None)
@given(st.text(max_size=60))
def test_search_commands_search(text: str) -> None:
    name, argument = parse(search_command(text))
    assert (name, argument) == ("search", " ".join(re.sub(r"[\[\]]", " ", text).split()).lower()) or not argument


@settings(deadline=None)
@given(st.lists(st.one_of(st.text(max_size=20), st.sampled_from(item().commands), st.text(max_size=9).map(lambda text: f"search[{text}]"))))
def test_no_action_breaks_a_page(actions: list[str]) -> None:
    page = go(*actions)
    assert list(page.commands) == sorted(set(page.commands))
    for command in page.commands:
        if command != "search[{text}]":
            assert parse(command)[1] in page.clickables
    assert render.text(page, WISH)
    assert render.rich(page, WISH, set(), "7")
    assert render.html(page, WISH)
    assert render.url(page, "7")


def test_caches_are_bounded_and_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "_MOST_PAGES", 5)
    monkeypatch.setattr(pages, "_MOST_MOVES", 7)
    shop = Shop(SHOP.products)
    for n in range(30):
        page = shop.follow(shop.follow(shop.home(), f"search[candle {n}]"), "click[next >]")
        assert page.products == go(f"search[candle {n}]", "click[next >]").products
        assert len(shop._pages) <= 5
        assert len(shop._moves) <= 7
