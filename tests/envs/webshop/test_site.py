"""The website: its addresses, its pages, its sessions, and what it makes of bad requests and of hostile texts. No browser needed."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from homebody.envs.webshop.catalogue.synthetic import synthetic
from homebody.envs.webshop.goals.shop import GoalShop
from homebody.envs.webshop.pages.pages import Page, Shop, search_command
from homebody.envs.webshop.pages.render import text
from homebody.envs.webshop.picture.icons import is_known, look, shapes, svg
from homebody.envs.webshop.site.site import HOST, POLICY, PortError, Site, serve, serving
from homebody.envs.webshop.site.url import address, bought, page_at


class Reader(HTMLParser):
    """Reads a page: its numbered texts, its tags, and what it refers to."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.texts: dict[int, str] = {}
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._number: int | None = None
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        fields = dict(attrs)
        self.tags.append((tag, fields))
        if "data-n" in fields:
            self._number = int(fields["data-n"] or 0)
            self.texts[self._number] = ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "span":
            self._number = None

    def handle_data(self, data: str) -> None:
        if self._number is not None:
            self.texts[self._number] += data

    @property
    def text(self) -> str:
        return " [SEP] ".join(self.texts[number].strip() for number in sorted(self.texts))


def read(site: Site, path: str) -> Reader:
    answer = site.answer(path)
    assert (answer.status, answer.kind) == (HTTPStatus.OK, "text/html"), path
    return Reader(answer.text)


def walk(goal_shop: GoalShop, *commands: str) -> Page:
    page = goal_shop.shop.home()
    for command in commands:
        page = goal_shop.shop.follow(page, command)
    return page


def tour(goal_shop: GoalShop, task: str) -> list[Page]:
    """Return a page of every kind, some with options chosen."""
    goal = goal_shop.source.goal(task)
    found = walk(goal_shop, search_command(goal.instruction))
    item = goal_shop.shop.follow(found, f"click[{found.products[0].asin.lower()}]")
    pages = [goal_shop.shop.home(), found, *(goal_shop.shop.follow(found, "click[next >]") for _ in range(1)), item]
    for values in found.products[0].options.values():
        item = goal_shop.shop.follow(item, f"click[{values[-1]}]")
        pages.append(item)
    return [*pages, *(goal_shop.shop.follow(item, f"click[{section}]") for section in ("description", "features", "reviews"))]


# --- addresses


def test_every_page_is_found_at_its_address(goal_shop: GoalShop, tasks: list[str]) -> None:
    pages = tour(goal_shop, tasks[0])
    assert len({address(page) for page in pages}) == len(pages)
    for page in pages:
        assert page_at(goal_shop.shop, address(page)) is page


@pytest.mark.parametrize(
    "where",
    [
        "nothing", "search?q=lamp&page=0", "search?q=lamp&page=-1", "search?q=lamp&page=x", "search?q=lamp&page=99999999", "search/x?q=a",
        "item", "item/", "item/NONE?q=a&page=1", "item/{asin}/more?q=a&page=1", "item/{asin}/features/x?q=a&page=1",
        "item/{asin}?group=color&value=none", "item/{asin}?group=none&value=x", "item/{asin}?group=color", "item/{asin}?pick=none",
        "item/{asin}?pick=buy+now", "search?" + "&".join(["a=1"] * 300),
    ],
)  # fmt: skip
def test_an_address_of_nothing(goal_shop: GoalShop, where: str) -> None:
    assert page_at(goal_shop.shop, where.replace("{asin}", goal_shop.shop.products[0].asin)) is None


@pytest.mark.parametrize("asin", ["B 1", "../x", "\u00e9", "a?b", "a#b", "a%20b", "a&b=c", "B]\n[1"])
def test_a_product_of_any_id_has_an_address(goal_shop: GoalShop, asin: str) -> None:
    shop = Shop([replace(goal_shop.shop.products[0], asin=asin)])
    item = shop.item(shop.products[0], "lamps", 1, {})
    assert page_at(shop, address(item)) is item
    assert bought(shop, urlencode({"asin": asin, "q": "lamps", "page": 1})) is shop.follow(item, "click[buy now]")


def test_an_empty_search_leads_home(goal_shop: GoalShop) -> None:
    assert page_at(goal_shop.shop, "search?q=") is goal_shop.shop.home()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=60) | st.text("/[]:#?&=%;.a1", max_size=12))
@example("//[")
@example("//[x]y/")
def test_any_path_gets_an_answer(site: Site, path: str) -> None:
    visit = site.enter()
    for base in ("/", visit, f"{visit}search?q=", f"{visit}item/", "/picture/"):
        assert site.answer(base + path).status in (HTTPStatus.OK, HTTPStatus.SEE_OTHER, HTTPStatus.NOT_FOUND)
        assert site.answer(base + path, path).status in (HTTPStatus.SEE_OTHER, HTTPStatus.NOT_FOUND, HTTPStatus.OK)


# --- pages


def test_a_page_holds_what_the_environment_says(site: Site, goal_shop: GoalShop, tasks: list[str]) -> None:
    base = site.enter()
    goal = goal_shop.source.goal(tasks[0])
    for page in tour(goal_shop, tasks[0]):
        assert read(site, base + address(page)).text == text(page, goal.instruction)


def test_every_command_is_on_the_page(site: Site, goal_shop: GoalShop, tasks: list[str]) -> None:
    base = site.enter()
    for page in tour(goal_shop, tasks[0])[1:]:
        on_page = {fields["data-action"] for _, fields in read(site, base + address(page)).tags if "data-action" in fields}
        assert on_page == set(page.commands)


def test_links_lead_where_the_commands_lead(site: Site, goal_shop: GoalShop, tasks: list[str]) -> None:
    base = site.enter()
    for page in tour(goal_shop, tasks[0]):
        for tag, fields in read(site, base + address(page)).tags:
            action = fields.get("data-action")
            if tag == "a" and action is not None:
                assert site.page(fields["href"] or "") is goal_shop.shop.follow(page, action)


def test_an_option_is_chosen_and_shown_as_pressed(site: Site, goal_shop: GoalShop, tasks: list[str]) -> None:
    base = site.enter()
    item = tour(goal_shop, tasks[0])[3]
    assert item.product is not None
    group, values = next(iter(item.product.options.items()))
    answer = site.answer(f"{base}{address(item)}&{urlencode({'pick': values[1]})}")
    chosen = goal_shop.shop.follow(item, f"click[{values[1]}]")
    assert answer.status == HTTPStatus.SEE_OTHER
    assert urlsplit(answer.location)._replace(fragment="").geturl() == base + address(chosen)
    page = read(site, answer.location.partition("#")[0])
    pressed = [fields["value"] for tag, fields in page.tags if tag == "button" and fields.get("aria-pressed") == "true"]
    assert pressed == [values[1]]
    ids = [fields["id"] for _, fields in page.tags if "id" in fields]
    assert answer.location.partition("#")[2] in ids
    assert len(ids) == len(set(ids))
    assert group in chosen.options


def test_a_picked_button_leads_where_the_button_leads(site: Site, goal_shop: GoalShop, tasks: list[str]) -> None:
    """An option may be called `features`; a click on it is a click on the button then, as in the environment."""
    item = tour(goal_shop, tasks[0])[3]
    answer = site.answer(f"{site.enter()}{address(item)}&pick=features")
    assert "/features?" in answer.location


# --- visits


def buy(site: Site, base: str, page: Page) -> Any:
    assert page.product is not None
    return site.answer(f"{base}buy", f"token={token(site, base)}&asin={page.product.asin}&{urlsplit(address(page)).query}")


def token(site: Site, base: str) -> str:
    visit = site.visit(base)
    assert visit is not None
    return visit.token


@pytest.mark.parametrize("known", ["", "token=&", "token=0123456789abcdef0123456789abcdef&", "token={other}&", "token=é&"])
def test_only_who_has_read_a_page_of_the_visit_can_buy_for_it(site: Site, known: str) -> None:
    base, other = site.enter(), site.enter()
    form = f"asin={site.goal_shop.shop.products[0].asin}&page=1&q=x"
    assert site.answer(f"{base}buy", known.format(other=token(site, other)) + form).status == HTTPStatus.NOT_FOUND
    assert f'name="token" value="{token(site, base)}"' in site.answer(f"{base}item/{site.goal_shop.shop.products[0].asin}?q=x&page=1").text
    assert site.answer(f"{base}buy", f"token={token(site, base)}&{form}").status == HTTPStatus.SEE_OTHER


def test_a_purchase_is_rated_and_ends_at_a_receipt(site: Site, goal_shop: GoalShop, tasks: list[str]) -> None:
    base = site.enter()
    goal = goal_shop.source.goal(tasks[0])
    found = walk(goal_shop, search_command(goal.instruction))
    commands = [search_command(goal.instruction), f"click[{goal.asin.lower()}]", *(f"click[{value}]" for _, value in goal.options)]
    assert goal.asin in [product.asin for product in found.products]
    answer = buy(site, base, walk(goal_shop, *commands))
    assert (answer.status, answer.location) == (HTTPStatus.SEE_OTHER, f"{base}receipt")
    visit = site.visit(base)
    assert visit is not None
    assert (visit.rating["reward"], visit.rating["success_strict"]) == (1.0, True)
    receipt = visit.receipt
    assert receipt is walk(goal_shop, *commands, "click[buy now]")
    page = read(site, answer.location)
    assert page.text == text(receipt, "1.0")
    assert ("meter", {"min": "0", "max": "1", "value": "1.0", "aria-label": "Score"}) in page.tags


def test_the_score_can_be_hidden(goal_shop: GoalShop, tasks: list[str]) -> None:
    site = Site(goal_shop, tasks, show_score=False)
    base = site.enter()
    answer = buy(site, base, tour(goal_shop, tasks[0])[3])
    page = read(site, answer.location)
    assert " [SEP] hidden [SEP] " in page.text
    assert not [tag for tag, _ in page.tags if tag in ("meter", "dl")]


@pytest.mark.parametrize(
    "form",
    [
        "", "asin=NONE", "asin={asin}&group=color&value=none", "asin={asin}&page=x", "asin=%00", "&&=&=", "asin=../..",
        "asin={asin}&" + "a=1&" * 300,
    ],
)  # fmt: skip
def test_a_form_that_buys_nothing(site: Site, form: str) -> None:
    base = site.enter()
    meant = f"token={token(site, base)}&" + form.replace("{asin}", site.goal_shop.shop.products[0].asin)
    assert site.answer(f"{base}buy", meant).status == HTTPStatus.NOT_FOUND
    assert site.answer(f"{base}other", "asin=x").status == HTTPStatus.NOT_FOUND
    assert site.answer(f"{base}receipt").status == HTTPStatus.NOT_FOUND
    visit = site.visit(base)
    assert visit is not None
    assert visit.receipt is None


def test_visitors_get_the_tasks_in_turn_and_do_not_meet(site: Site, goal_shop: GoalShop, tasks: list[str]) -> None:
    bases = [site.answer("/").location for _ in range(5)]
    assert len(set(bases)) == 5
    goals = [site.visit(base).goal.goal_id for base in bases]  # type: ignore[union-attr]
    assert goals == [*tasks, tasks[0]]
    buy(site, bases[0], tour(goal_shop, tasks[0])[3])
    assert site.answer(f"{bases[1]}receipt").status == HTTPStatus.NOT_FOUND


def test_the_oldest_visit_makes_room(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("homebody.envs.webshop.site.site._MOST_VISITS", 2)
    first, second, third = (site.enter() for _ in range(3))
    assert [site.visit(base) is None for base in (first, second, third)] == [True, False, False]
    page = site.answer(first)
    assert page.status == HTTPStatus.NOT_FOUND
    assert 'href="/"' in page.text


# --- hostile texts


def test_no_text_of_a_product_becomes_a_tag(hostile: GoalShop) -> None:
    listed = hostile.source.goals[0].goal_id
    site = Site(hostile, [listed])
    base = site.enter()
    pages = [walk(hostile, "search[lamps]"), *tour(hostile, listed)[1:]]
    buy(site, base, pages[3])
    for path in [
        *(base + address(page) for page in pages),
        f"{base}receipt",
        base + "<script>",
        f"{base}search?q=<script>alert(1)</script>",
    ]:
        page = Reader(site.answer(path).text)
        names = {tag for tag, _ in page.tags}
        assert not names & {"script", "svg", "object", "iframe", "style", "base"}, path
        assert not [name for _, fields in page.tags for name in fields if name.startswith("on")]
        assert all((fields["src"] or "").startswith("/picture/") for tag, fields in page.tags if tag == "img")
        assert all((fields.get(name) or "/")[0] in "/#" for _, fields in page.tags for name in ("href", "action"))
        assert "49" not in page.text.split("7 * 7")[0][-5:]


# --- pictures


def test_every_product_has_a_picture_in_its_colour() -> None:
    for product in synthetic(600):
        drawing, color = look(product, {})
        assert is_known(drawing, color)
        assert shapes(drawing)
        for value in product.options.get("color", ()):
            assert look(product, {"color": value}) == (drawing, value)
        assert svg(drawing, color).startswith("<svg ")


def test_a_group_without_values_is_no_trouble(goal_shop: GoalShop) -> None:
    product = replace(goal_shop.shop.products[0], options={"color": ()})
    assert is_known(*look(product, {}))


def test_pictures_and_style_are_served(site: Site) -> None:
    assert site.answer("/shop.css").kind == "text/css"
    picture = site.answer("/picture/shoe/forest%20green.svg")
    assert (picture.kind, picture.text) == ("image/svg+xml", svg("shoe", "forest green"))
    for path in ("/picture/none/teal.svg", "/picture/shoe/none.svg", "/picture/", "/picture/../shop.css"):
        assert site.answer(path).status == HTTPStatus.NOT_FOUND


# --- the server


@pytest.fixture
def served(site: Site) -> Iterator[str]:
    with serving(site) as where:
        yield where.removeprefix("http://")


def ask(served: str, method: str, path: str, body: str | None = None, **headers: str) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection(served, timeout=5)
    connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer


def test_nothing_may_run_or_be_fetched_from_elsewhere(served: str) -> None:
    for path in ("/", "/1/", "/shop.css", "/picture/shoe/teal.svg", "/none"):
        answer = ask(served, "GET", path)
        assert answer.headers["Content-Security-Policy"] == POLICY
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "script" not in POLICY
    assert "default-src 'none'" in POLICY
    assert "unsafe" not in POLICY


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 303), ({"Host": "evil.example"}, 403), ({"Origin": "http://evil.example"}, 403), ({"Origin": "null"}, 403),
    ],
)  # fmt: skip
def test_only_this_machine_is_answered(served: str, headers: dict[str, str], status: int) -> None:
    assert ask(served, "GET", "/", **headers).status == status


def test_a_form_of_no_length_or_too_long(served: str) -> None:
    assert ask(served, "POST", "/1/buy", Content_Length="-1").status == 413
    assert ask(served, "POST", "/1/buy", Content_Length="999999").status == 413
    assert ask(served, "POST", "/1/buy", "asin=x").status == 404


def test_a_head_has_no_body(served: str) -> None:
    connection = http.client.HTTPConnection(served, timeout=5)
    connection.request("HEAD", "/shop.css")
    answer = connection.getresponse()
    assert (answer.status, answer.read()) == (200, b"")
    assert int(answer.headers["Content-Length"]) > 1000
    connection.close()


def test_a_request_that_stops_in_the_middle_is_closed(served: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    monkeypatch.setattr("homebody.envs.webshop.site.site._Handler.timeout", 0.1)
    host, _, port = served.partition(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall(b"POST /1/buy HTTP/1.1\r\nHost: " + served.encode() + b"\r\nContent-Length: 50\r\n\r\nasin=")
        assert connection.recv(100) == b""


def test_a_port_that_is_taken(site: Site, served: str) -> None:
    port = int(served.rpartition(":")[2])
    with pytest.raises(PortError, match=f"port {port} of {HOST} cannot be used: .*choose another with --port"), serving(site, port):
        pass
    with pytest.raises(PortError, match="port 70000"), serving(site, 70000):
        pass


def test_a_visitor_who_leaves_is_no_trouble(served: str, capsys: pytest.CaptureFixture[str]) -> None:
    import socket
    import struct

    host, _, port = served.partition(":")
    for _ in range(3):
        with socket.create_connection((host, int(port))) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.sendall(b"GET / HTTP/1.1\r\nHost: " + served.encode() + b"\r\n\r\n")
    assert ask(served, "GET", "/").status == 303
    assert capsys.readouterr().err == ""


def test_it_is_served_until_an_interrupt(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    said: list[str] = []

    def ready(where: str) -> None:
        said.append(where)
        assert ask(where.removeprefix("http://").rstrip("/"), "GET", "/").status == 303

    monkeypatch.setattr("homebody.envs.webshop.site.site._wait", interrupt)
    serve(site, 0, ready)
    assert said[0].startswith("http://127.0.0.1:")
    with pytest.raises(ConnectionError):
        ask(said[0].removeprefix("http://").rstrip("/"), "GET", "/")
