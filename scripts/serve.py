"""A small web page on this machine that follows a run while it goes on. Reads the run directory, and writes nothing.

Only 127.0.0.1 is listened on, and only requests that name it are answered, so that no other site can read a run through a visitor.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import click
from markupsafe import Markup

from homebody.agents.errors import AgentError
from homebody.evolution.reports.live import read_live
from homebody.evolution.reports.page import build_page, script_hash, source, templates

HOST = "127.0.0.1"


def serve(run_dir: str, port: int, ready: Callable[[str], None]) -> None:
    """Serve the live page of a run until an interrupt: `/`, `/state` as JSON, and `/report`.

    Args:
        run_dir: the run's directory.
        port: to listen on; 0 takes a free one.
        ready: called with the page's address when it can be opened.

    Raises:
        RunError: there is no run.
        click.UsageError: there is nothing to follow, or the port cannot be used.
    """
    state = read_live(run_dir)
    if state is None:
        raise click.UsageError(f"{run_dir} holds evaluations only, and there is nothing to follow; leave out --serve")
    try:
        server = _Server((HOST, port), partial(_Handler, run_dir, f"{state['env']}, {state['model']}"))
    except OSError as error:
        raise click.UsageError(f"port {port} of {HOST} cannot be used: {error.strerror}; choose another with --port") from None
    with server:
        ready(f"http://{HOST}:{server.server_address[1]}/")
        try:
            server.serve_forever(poll_interval=0.1)
        except KeyboardInterrupt:
            return


def live_page(name: str) -> str:
    """Return the page that follows a run.

    Args:
        name: of the run.
    """
    script = source("live.js")
    return (
        templates()
        .get_template("live.html")
        .render(name=name, style=Markup(source("page.css")), script=Markup(script), script_hash=script_hash(script))
    )


class _Server(ThreadingHTTPServer):
    """Takes it calmly when a visitor leaves in the middle of an answer."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say what went wrong, unless the visitor left."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    """Answers GET."""

    def __init__(self, run_dir: str, name: str, *rest: Any) -> None:
        self.run_dir, self.name = run_dir, name
        super().__init__(*rest)

    def do_GET(self) -> None:
        """Answer with the page, the state or the report."""
        port = self.connection.getsockname()[1]
        if self.headers.get("Host") not in (f"{HOST}:{port}", f"localhost:{port}"):
            self._answer(HTTPStatus.FORBIDDEN, "text/plain", "only requests to this machine are answered\n")
            return
        pages: dict[str, tuple[str, Callable[[], str]]] = {
            "/": ("text/html", lambda: live_page(self.name)),
            "/state": ("application/json", lambda: json.dumps({**(read_live(self.run_dir) or {}), "now": time.time()})),
            "/report": ("text/html", lambda: build_page(self.run_dir)),
        }
        kind, make = pages.get(self.path, ("", None))
        if make is None:
            self._answer(HTTPStatus.NOT_FOUND, "text/plain", f"nothing here; there are {', '.join(pages)}\n")
            return
        try:
            self._answer(HTTPStatus.OK, kind, make())
        except AgentError as error:
            self._answer(HTTPStatus.SERVICE_UNAVAILABLE, "application/json", json.dumps({"error": str(error)}))

    def log_message(self, format: str, *arguments: Any) -> None:
        """Log nothing: a request a second would fill the terminal."""

    def _answer(self, status: HTTPStatus, kind: str, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        self.wfile.write(body)
