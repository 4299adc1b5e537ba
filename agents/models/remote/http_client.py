"""JSON over HTTP to one server: kept connections, time-outs, and retries that wait longer each time.

Knows nothing of models. Only the standard library's client: it reads no proxy settings and follows no redirect, so a key goes to the
address that was given and nowhere else.

Tried again: a connection that is refused or breaks, and the answers 408, 429 and 5xx (not 501), where the status may be an error
object's own in an answer of status 200. The pauses are 0.5, 1 and 2 seconds, and up to 32 for a server that says it is busy (429, 503);
the second half of each is scaled by a number drawn from the request's own bytes: several clients do not come back all at once, and the
same run waits the same times. A Retry-After header replaces the pause. A time-out is final: the server may still be at work on the
request, and the same one again would only add to its load.
"""

from __future__ import annotations

import email.utils
import io
import ipaddress
import json
import os
import re
import socket
import threading
import time
import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection, IncompleteRead
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from homebody.agents.errors import (
    BackendClosedError,
    BadRequestError,
    PlainKeyError,
    RemoteAnswerError,
    RemoteDownError,
    RemoteError,
    RemoteRefusedError,
)

Sleep = Callable[[float], object]

KEY = "HOMEBODY_API_KEY"
"""The variable of the environment that holds the key of the servers that the user names."""
TIMEOUT_S = 600.0
"""Seconds to wait for one answer: a long thought on a slow machine, behind others, takes minutes."""
ATTEMPTS = 4
"""Times that a request is sent before its failure is an error."""
BUSY_ATTEMPTS = 8
"""The same where the server says that it is busy (429) or not ready (503): some minute in all."""
_BUSY = (429, 503)
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 60.0
_LARGEST_ANSWER = 64 << 20
_BLOCK = 1 << 16


@dataclass(frozen=True)
class Address:
    """Where a server is, and which of its models is meant."""

    scheme: str
    host: str
    port: int
    root: str
    """Path of what stands beside the API, without a slash at its end: empty for ``http://host/v1``."""
    api: str
    """Path of the API, without a slash at its end: ``/v1``."""
    model: str
    """Model id; empty for the only one that the server has."""

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read ``http://HOST:PORT/v1#MODEL``; the path may be missing, and so may the model.

        Raises:
            BadRequestError: it is no such address, or holds a password or a query.
        """
        try:
            parts = urlsplit(text)
            port = parts.port or (443 if parts.scheme == "https" else 80)
            host = (parts.hostname or "").encode("idna").decode("ascii")
            plain = host.isprintable() and parts.path.isascii() and parts.path.isprintable() and " " not in host + parts.path
            good = parts.scheme in ("http", "https") and host and plain and parts.username is None and not parts.query
        except ValueError:  # Brackets that do not close, a port that is no number, a host with an empty or too long part.
            good = False
        if not good:
            shown = re.sub(r"//.*@", "//***@", text, flags=re.DOTALL).partition("?")[0]
            allowed = "http://HOST:PORT/v1 or http://HOST:PORT/v1#MODEL, with no password in it (the key comes from HOMEBODY_API_KEY)"
            raise BadRequestError("the server's address", shown, allowed)
        api = parts.path.rstrip("/") or "/v1"
        return cls(parts.scheme, host, port, api.removesuffix("/v1"), api, parts.fragment)

    @property
    def shown(self) -> str:
        """Host and port, for messages."""
        return f"{self.host}:{self.port}"

    @property
    def is_local(self) -> bool:
        """Whether it is this machine."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


def find_key(address: Address, own: str = "") -> str:
    """Return the API key for a server, empty if there is none.

    ``HOMEBODY_API_KEY`` goes to any server that the user names, over https or on this machine; over plain http, where anybody on the way
    can read it, only if ``HOMEBODY_KEY_OVER_HTTP`` is 1. ``OPENAI_API_KEY`` goes to openai.com over https and to this machine: somebody
    else's server should not be told it because it stood in the environment.

    Args:
        address: of the server.
        own: a variable of the environment that, where it is set, holds the key of this server in the place of all others. An empty one
            says that the server gets none.

    Raises:
        BadRequestError: the key cannot be sent in a header. It is not shown.
        PlainKeyError: it would go over plain http.
    """
    ours = address.is_local or (address.scheme == "https" and address.host.endswith(".openai.com"))
    names = (own,) if own in os.environ else (KEY, "OPENAI_API_KEY") if ours else (KEY,)
    for name in names:
        if key := os.environ.get(name, "").strip():
            if not (key.isascii() and key.isprintable()):
                raise BadRequestError(name, "***", "printable ASCII characters in one line")
            if not (address.is_local or address.scheme == "https" or os.environ.get("HOMEBODY_KEY_OVER_HTTP") == "1"):
                raise PlainKeyError(name, address.shown)
            return key
    return ""


class HttpClient:
    """Requests to one server. Safe for use by several threads: each request has a connection of its own while it lasts.

    Args:
        address: the server.
        key: sent as a bearer token, and cut out of every message and every answer; empty for none.
        timeout_s: seconds to connect, then to wait for the beginning of an answer, then for the rest of it.
        sleep: waits between attempts; None does so until the time is over or the client is closed.
    """

    def __init__(self, address: Address, *, key: str = "", timeout_s: float = TIMEOUT_S, sleep: Sleep | None = None) -> None:
        self.address = address
        self._timeout_s = timeout_s
        self._closed = threading.Event()
        self._sleep = sleep or self._closed.wait
        self._key = key
        self._idle: list[HTTPConnection] = []
        self._busy: set[HTTPConnection] = set()
        self._headers = {"Accept": "application/json", "User-Agent": "homebody"}
        if key:
            self._headers["Authorization"] = f"Bearer {key}"

    def get(self, path: str) -> Any:
        """Return what the server has at a path; see `post`."""
        return self._call("GET", path, b"")

    def post(self, path: str, body: Any) -> Any:
        """Send JSON and return the JSON that comes back.

        Raises:
            RemoteDownError: no answer came, in time or at all.
            RemoteRefusedError: the server answered with an error.
            RemoteAnswerError: the answer is not JSON.
        """
        return self._call("POST", path, json.dumps(body).encode())

    def wrong(self, problem: str) -> RemoteAnswerError:
        """Return the error of an answer that cannot be, in one line and without the key."""
        return RemoteAnswerError(self.address.shown, self.clean(problem))

    def clean(self, text: str) -> str:
        """Make one line of a text that the server wrote, without the key."""
        text = " ".join(text.split())
        return text.replace(self._key, "***") if self._key else text

    def close(self) -> None:
        """Close the connections. A request that waits for its answer fails at once."""
        self._closed.set()
        for connection in list(self._busy):
            if connection.sock is not None:
                with suppress(OSError):
                    connection.sock.shutdown(socket.SHUT_RDWR)  # Closing alone would not wake the thread that reads from it.
        while self._idle:
            self._idle.pop().close()

    def _call(self, method: str, path: str, data: bytes) -> Any:
        error: RemoteError | None = None
        attempt, attempts = 0, ATTEMPTS
        while attempt < attempts:
            if error is not None:
                self._sleep(self._pause(data, attempt, error))
            self._check_open()
            attempt += 1
            try:
                status, retry_after, raw = self._send(method, path, data)
            except TimeoutError:
                raise RemoteDownError(self.address.shown, f"no answer to {path} within {self._timeout_s:g} s", is_late=True) from None
            except (OSError, HTTPException) as broken:
                self._check_open()
                error = RemoteDownError(self.address.shown, self.clean(getattr(broken, "strerror", None) or repr(broken)))
                continue
            if status < 300:
                found = self._decode(path, raw)
                status = _own_status(found)
                if not _is_passing(status):
                    return found
                error = self.wrong(f"it sends an error as an answer: {self.reason(found)}")
            else:
                error = RemoteRefusedError(self.address.shown, path, status, self._told(raw), retry_after=retry_after)
                if not _is_passing(status):
                    break
            if status in _BUSY:
                attempts = BUSY_ATTEMPTS
        assert error is not None
        raise error

    def _check_open(self) -> None:
        if self._closed.is_set():
            raise BackendClosedError(self.address.shown)

    def _send(self, method: str, path: str, data: bytes) -> tuple[int, float | None, bytes]:
        try:
            connection, reused = self._idle.pop(), True  # Looking first and taking then would let two threads take the same last one.
        except IndexError:
            connection, reused = self._connect(), False
        self._busy.add(connection)
        try:
            headers = self._headers | ({"Content-Type": "application/json"} if data else {})
            if connection.sock is not None:
                connection.sock.settimeout(self._timeout_s)
            connection.request(method, path, data or None, headers)
            response = connection.getresponse()
            assert isinstance(response, _TimedResponse)
            response.allow(self._timeout_s)
            raw = bytearray()
            while block := response.read1(_BLOCK):
                raw += block
                if len(raw) > _LARGEST_ANSWER:
                    raise self.wrong(f"its answer to {path} is longer than {_LARGEST_ANSWER >> 20} MiB")
            if response.length:  # What Content-Length promised and did not come.
                raise IncompleteRead(b"", response.length)
            response.close()  # Read to its end one block at a time, it would keep the connection to itself.
        except ConnectionError:  # http.client's RemoteDisconnected is one of them.
            connection.close()
            if reused and not self._closed.is_set():  # The server closes what has been idle for long: that is no failure of the server's.
                return self._send(method, path, data)
            raise
        except BaseException:
            connection.close()
            raise
        finally:
            self._busy.discard(connection)
        if response.will_close or self._closed.is_set():
            connection.close()
        else:
            self._idle.append(connection)
        return response.status, _seconds(response.headers.get("Retry-After")), bytes(raw)

    def _connect(self) -> HTTPConnection:
        kind = _JoinedHttps if self.address.scheme == "https" else _JoinedHttp
        connection = kind(self.address.host, self.address.port, timeout=self._timeout_s)
        connection.response_class = partial(_TimedResponse, timeout_s=self._timeout_s)  # type: ignore[assignment]
        return connection

    def _pause(self, data: bytes, attempt: int, error: RemoteError) -> float:
        """Return the seconds to wait before an attempt, the first retry being attempt 1."""
        asked = getattr(error, "retry_after", None)
        if asked is not None:
            if asked > _LONGEST_PAUSE_S:
                raise error
            return float(asked)
        share = zlib.crc32(data, attempt) / 2**32
        return _FIRST_PAUSE_S * 2.0 ** (attempt - 1) * (0.5 + 0.5 * share)

    def _decode(self, path: str, raw: bytes) -> Any:
        try:
            return self._without_key(json.loads(raw))
        except (ValueError, RecursionError):  # The second: lists in lists without end.
            start = self.clean(raw.decode("utf-8", "replace"))[:60]
            raise self.wrong(f"its answer to {path} is not JSON: it begins with {start!r}") from None

    def _without_key(self, found: Any) -> Any:
        """Return an answer without the key, which a server may repeat anywhere: what it says is kept in traces."""
        if not self._key or json.dumps(self._key)[1:-1] not in json.dumps(found):
            return found
        if isinstance(found, str):
            return found.replace(self._key, "***")
        if isinstance(found, list):
            return [self._without_key(item) for item in found]
        if isinstance(found, dict):
            return {self._without_key(key): self._without_key(value) for key, value in found.items()}
        return found

    def _told(self, raw: bytes) -> str:
        try:
            return self.reason(json.loads(raw))
        except (ValueError, RecursionError):
            return self.clean(raw.decode("utf-8", "replace"))[:200]

    def reason(self, body: Any) -> str:
        """Return what an error answer says in words."""
        found = body.get("error", body) if isinstance(body, dict) else body
        details = found if isinstance(found, dict) else {"message": found}
        return self.clean(str(details.get("message") or details.get("detail") or "it gives no reason"))[:300]


class _JoinedHttp(HTTPConnection):
    """Sends head and body of a request together, so that the server is woken once."""

    _parts: list[bytes] | None = None

    def request(self, method: str, url: str, body: Any = None, headers: Any = MappingProxyType({}), **settings: Any) -> None:
        """Send a request whose body is a text of bytes, or nothing."""
        self._parts = []
        try:
            super().request(method, url, body, headers, **settings)
            whole = b"".join(self._parts)
        finally:
            self._parts = None
        super().send(whole)

    def send(self, data: Any) -> None:
        """Send, or keep what belongs to the request that is being made."""
        if self._parts is None:
            super().send(data)
        else:
            self._parts.append(data)


class _JoinedHttps(_JoinedHttp, HTTPSConnection):
    """The same over TLS."""


class _TimedResponse(HTTPResponse):
    """An answer whose head has to be there within a time, however slowly its bytes come; then its body."""

    def __init__(self, sock: socket.socket, *rest: Any, timeout_s: float, **settings: Any) -> None:
        super().__init__(sock, *rest, **settings)
        self._source = _TimedReader(self.fp.detach(), sock, timeout_s)
        self.fp = io.BufferedReader(self._source)

    def allow(self, seconds: float) -> None:
        """Give what is left of the answer so many seconds from now."""
        self._source.deadline = time.monotonic() + seconds


class _TimedReader(io.RawIOBase):
    """Reads from a socket until a moment of `time.monotonic`; a socket's own timeout begins anew with each byte."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, seconds: float) -> None:
        self._raw, self._sock = raw, sock
        self.deadline = time.monotonic() + seconds

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def readinto(self, buffer: Any) -> int | None:
        """Read some bytes.

        Raises:
            TimeoutError: the moment has come.
        """
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._sock.settimeout(left)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        """Give the socket back."""
        self._raw.close()
        super().close()


def find_error(answer: Any) -> Any:
    """Return the error that an answer is, in one of the forms in use; None if it is none."""
    if not isinstance(answer, dict):
        return None
    return answer if answer.get("object") == "error" else answer.get("error")


def _own_status(answer: Any) -> int:
    """Return the status that an answer's error object states; 200 where there is none."""
    error = find_error(answer)
    code = error.get("code") if isinstance(error, dict) else None
    return code if type(code) is int else 200


def _is_passing(status: int) -> bool:
    """Tell whether a failure of this status may be none the next time."""
    return status in (408, 429) or (500 <= status < 600 and status != 501)


def _seconds(retry_after: str | None) -> float | None:
    """Read a Retry-After header: seconds, or a date."""
    if retry_after is None:
        return None
    if re.fullmatch(r"\d+(\.\d+)?", retry_after):
        return float(retry_after)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(retry_after).timestamp() - time.time())
    except ValueError:
        return None
