"""The shop as a website: the same pages, made for people, without a script and without a request to anywhere else.

`Site` answers requests and knows no network; `serve` puts it on 127.0.0.1. What `pages` says a page holds stands in elements with the
attribute `data-n`, numbered in its order; all else (the shop's name, pictures, a second pager) is there for people. Everything is escaped.
"""

from __future__ import annotations

import secrets
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from typing import Any, Final

from jinja2 import Environment, FunctionLoader, StrictUndefined

from homebody.envs.core import EnvError
from homebody.envs.webshop.catalogue.catalogue import Product
from homebody.envs.webshop.goals.goals import Goal
from homebody.envs.webshop.goals.shop import GoalShop
from homebody.envs.webshop.pages.pages import Page
from homebody.envs.webshop.pages.render import HIDDEN_SCORE
from homebody.envs.webshop.picture import icons
from homebody.envs.webshop.site.url import MOST_CHARACTERS, address, bought, page_at, picked

HOST: Final = "127.0.0.1"
POLICY: Final = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
_MOST_VISITS: Final = 10_000
_MOST_FORM: Final = 16_000
"""Bytes of a form."""


class PortError(EnvError):
    """The website cannot be served on a port."""

    def __init__(self, port: int, problem: str) -> None:
        super().__init__(f"port {port} of {HOST} cannot be used: {problem}; choose another with --port, or 0 for a free one")


@dataclass
class Visit:
    """Somebody who was sent to buy something."""

    goal: Goal
    receipt: Page | None = None
    rating: dict[str, Any] = field(default_factory=dict)
    """The reward and its parts, after a purchase."""
    token: str = field(default_factory=lambda: secrets.token_hex(16))
    """What a form must bring along to buy for this visit: only a reader of its pages knows it."""


@dataclass(frozen=True)
class Answer:
    """What a request gets."""

    status: HTTPStatus
    kind: str = "text/html"
    text: str = ""
    location: str = ""
    """Where to go instead; empty if nowhere."""


class Site:
    """The shop for one or many visitors.

    Args:
        goal_shop: What is sold, and what is asked for.
        tasks: Ids of the tasks that visitors get, in turn; at least one.
        show_score: Whether the receipt says the reward.

    Raises:
        UnknownTaskError: There is no such task.
    """

    def __init__(self, goal_shop: GoalShop, tasks: Sequence[str], *, show_score: bool = True) -> None:
        self.goal_shop, self._show_score = goal_shop, show_score
        self._goals = [goal_shop.source.goal(task) for task in tasks]
        self._visits: dict[str, Visit] = {}
        self._n_visits = 0
        self._lock = threading.Lock()

    def enter(self, goal: Goal | None = None) -> str:
        """Begin a visit, and return the path of its first page, as `/1/`. Without a goal it is the next in turn."""
        with self._lock:
            goal = self._goals[self._n_visits % len(self._goals)] if goal is None else goal
            self._n_visits += 1
            if len(self._visits) >= _MOST_VISITS:
                del self._visits[next(iter(self._visits))]
            self._visits[str(self._n_visits)] = Visit(goal)
            return f"/{self._n_visits}/"

    def visit(self, path: str) -> Visit | None:
        """Return the visit that a path belongs to."""
        return self._visits.get(path.split("/")[1]) if path.startswith("/") else None

    def page(self, path: str) -> Page | None:
        """Return the page at a path with its query; None if there is none."""
        visit = self.visit(path)
        where = path.split("/", 2)[2] if path.count("/") > 1 else None
        if visit is None or where is None or len(path) > MOST_CHARACTERS:
            return None
        return visit.receipt if where == "receipt" else page_at(self.goal_shop.shop, where)

    def answer(self, path: str, form: str | None = None) -> Answer:
        """Answer a request.

        Args:
            path: With its query.
            form: What was sent; None where the request only reads.
        """
        if path == "/" and form is None:
            return Answer(HTTPStatus.SEE_OTHER, location=self.enter())
        if path == "/shop.css":
            return Answer(HTTPStatus.OK, "text/css", _asset("shop.css"))
        if path.startswith("/picture/"):
            drawing, _, color = path.removeprefix("/picture/").removesuffix(".svg").replace("%20", " ").partition("/")
            if icons.is_known(drawing, color):
                return Answer(HTTPStatus.OK, "image/svg+xml", icons.svg(drawing, color))
        visit = self.visit(path)
        if visit is not None and form is not None:
            return self._buy(path, visit, form)
        page = self.page(path)
        if visit is None or page is None:
            return Answer(HTTPStatus.NOT_FOUND, text=_templates().get_template("missing.html").render(path=path[:200]))
        return self._show(path, visit, page)

    def _show(self, path: str, visit: Visit, page: Page) -> Answer:
        base = f"/{path.split('/')[1]}/"
        choice = picked(path)
        if choice is not None:
            # Without a fragment the keyboard would be back at the top of the page after each choice.
            fragment = f"#{_anchor(page, choice)}" if page.kind == "item" else ""
            return Answer(HTTPStatus.SEE_OTHER, location=base + address(page) + fragment)
        return Answer(HTTPStatus.OK, text=self._html(base, visit, page))

    def _buy(self, path: str, visit: Visit, form: str) -> Answer:
        base = f"/{path.split('/')[1]}/"
        token, _, wish = form.removeprefix("token=").partition("&")
        is_meant = path == f"{base}buy" and secrets.compare_digest(token.encode("utf-8", "replace"), visit.token.encode())
        receipt = bought(self.goal_shop.shop, wish) if is_meant else None
        if receipt is None or receipt.product is None:
            return Answer(HTTPStatus.NOT_FOUND, text=_templates().get_template("missing.html").render(path=path[:200]))
        visit.receipt = receipt
        visit.rating = self.goal_shop.rate(visit.goal, receipt.product, receipt.options)
        return Answer(HTTPStatus.SEE_OTHER, location=f"{base}receipt")

    def _html(self, base: str, visit: Visit, page: Page) -> str:
        score = str(float(visit.rating["reward"])) if visit.rating and self._show_score else HIDDEN_SCORE
        pieces = []
        for number, node in enumerate(page.nodes):
            text = {"instruction": visit.goal.instruction, "score": score}.get(node.kind, node.text)
            piece: dict[str, Any] = {"n": number, "kind": node.kind, "text": text, "group": node.group}
            if node.kind in ("button", "link"):
                there = self.goal_shop.shop.follow(page, f"click[{node.text.lower()}]")
                piece |= {"href": base + address(there), "product": there.product if node.kind == "link" else None}
            elif node.kind == "option":
                piece |= {"chosen": page.options.get(node.group) == node.text, "id": _anchor(page, node.text)}
            pieces.append(piece)
        return (
            _templates()
            .get_template(f"{page.kind}.html")
            .render(base=base, page=page, pieces=pieces, visit=visit, score=score, show_score=self._show_score, picture=_picture)
        )


@contextmanager
def serving(site: Site, port: int = 0) -> Iterator[str]:
    """Serve a website from a thread for a while; yields its address, as `http://127.0.0.1:8000`.

    Raises:
        PortError: The port cannot be used.
    """
    try:
        server = _Server((HOST, port), partial(_Handler, site))
    except (OSError, OverflowError) as error:
        raise PortError(port, getattr(error, "strerror", None) or "it is no port") from None
    with server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield f"http://{HOST}:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def serve(site: Site, port: int, ready: Callable[[str], None]) -> None:
    """Serve a website until an interrupt.

    Args:
        site: What to serve.
        port: To listen on; 0 takes a free one.
        ready: Called with the address when it can be opened.

    Raises:
        PortError: The port cannot be used.
    """
    with serving(site, port) as where:
        ready(f"{where}/")
        try:
            _wait()
        except KeyboardInterrupt:
            return


def _wait() -> None:
    threading.Event().wait()


def _anchor(page: Page, text: str) -> str:
    """Return the fragment of an option: its number among the options, so that nothing in a product's text can break it."""
    options = [node.text for node in page.nodes if node.kind == "option"]
    return f"o{options.index(text)}"


def _picture(product: Product, options: Mapping[str, str] | None = None) -> str:
    drawing, color = icons.look(product, options or {})
    return f"/picture/{drawing}/{color.replace(' ', '%20')}.svg"


@cache
def _templates() -> Environment:
    environment = Environment(
        loader=FunctionLoader(_asset), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment


def _asset(name: str) -> str:
    return (resources.files("homebody.assets") / "webshop" / name).read_text("utf-8")


class _Server(ThreadingHTTPServer):
    """Takes it calmly when a visitor leaves in the middle of an answer."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say what went wrong, unless the visitor left."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    """Answers requests that name this machine: no other site can shop, or read, through a visitor."""

    timeout = 30
    """Seconds that a request may stop in the middle; then its connection is closed."""

    def __init__(self, site: Site, *rest: Any) -> None:
        self.site = site
        super().__init__(*rest)

    def do_GET(self) -> None:
        """Show a page."""
        self._answer(None)

    def do_HEAD(self) -> None:
        """Say what a page would be answered with."""
        self._answer(None)

    def do_POST(self) -> None:
        """Buy."""
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > _MOST_FORM:
            self._send(Answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "text/plain", "this form is too long, or has no length\n"))
            return
        self._answer(self.rfile.read(int(length)).decode("utf-8", "replace"))

    def log_message(self, format: str, *arguments: Any) -> None:
        """Log nothing: each page would fill the terminal with its pictures."""

    def _answer(self, form: str | None) -> None:
        port = self.connection.getsockname()[1]
        ours = (f"{HOST}:{port}", f"localhost:{port}")
        origin = self.headers.get("Origin")
        if self.headers.get("Host") not in ours or (origin is not None and origin.removeprefix("http://") not in ours):
            self._send(Answer(HTTPStatus.FORBIDDEN, "text/plain", "only requests to and from this machine are answered\n"))
            return
        self._send(self.site.answer(self.path, form))

    def _send(self, answer: Answer) -> None:
        body = answer.text.encode("utf-8", "replace")
        self.send_response(answer.status)
        if answer.location:
            self.send_header("Location", answer.location)
        self.send_header("Content-Type", f"{answer.kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Security-Policy", POLICY)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "same-origin")
        # Pictures never change; a page does, when something is bought.
        self.send_header("Cache-Control", "max-age=3600" if answer.kind == "image/svg+xml" else "no-store")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
