"""One HTTP call that leaves no doubt: was anything sent, and did a whole answer come in time?"""

import os
import ssl
import weakref
from dataclasses import dataclass, field
from functools import cache
from http.cookiejar import DefaultCookiePolicy
from typing import Literal, Protocol
from urllib.parse import urlencode

import requests
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3.response import BaseHTTPResponse

from app import turns
from app.clients.deadline import Deadline, Watchdog
from app.clients.dialing import GuardedAdapter, Line, Resolver, line_in_use

CONNECT_TIMEOUT = 3.0
MAX_ANSWER = 64 * 1024
_CHUNK = 16 * 1024

Fault = Literal["unreachable", "timeout", "broken", "too-large"]


@dataclass(frozen=True)
class Answer:
    """
    What came back.

    Without a *fault*, *body* is complete. `unreachable` says that nothing was sent: no
    connection, or no TLS. After the other three the request may have been acted on; *body* is
    then what had come so far. *cause* is raw text.
    """

    status: int | None
    body: bytes = field(repr=False)
    fault: Fault | None = None
    cause: str = field(default="", repr=False)


class Transport:
    """
    Sends one request per call over a connection of its own, and nothing besides it.

    No retry, no redirect, no proxy, no `.netrc`, no cookie, no connection that was used before.
    At most *timeout* seconds per call in all, 3 of them to connect; at most 64 KiB of answer,
    counted after decompression. Threads may share it; a forked child starts with a fresh one.
    """

    def __init__(self, *, user_agent: str, ca_file: str | None = None) -> None:
        self._user_agent = user_agent
        self._tls = _trusting(ca_file or DEFAULT_CA_BUNDLE_PATH)
        self.start_over()
        start_over_after_fork(self)

    def send(
        self,
        method: str,
        url: str,
        *,
        timeout: float,
        form: dict[str, str] | None = None,
        bearer: str | None = None,
    ) -> Answer:
        """Send *form* to *url*, authorized by *bearer*. What the network does is never raised."""
        status, body, cause = None, bytearray(), ""
        deadline = Deadline(timeout, CONNECT_TIMEOUT)
        try:
            with (
                turns.paused(),
                self._watchdog.watching(deadline),
                line_in_use(Line(deadline, self._resolver)),
                self._request(method, url, timeout, form, bearer) as response,
            ):
                status = response.status_code
                _read(response.raw, body)
        except Exception as error:  # because what was sent must be known, whatever went wrong
            cause = f"{type(error).__name__}: {error}"
        return Answer(status, bytes(body), _fault(deadline, body, cause), cause)

    def close(self) -> None:
        """Let go of what is held between calls. A later call takes it again."""
        self._watchdog.stop()
        self._session.close()

    def start_over(self) -> None:
        """Take new locks: a forked child does not have the threads that hold the old ones."""
        self._watchdog = Watchdog()
        self._resolver = Resolver()
        self._session = _Session(self._user_agent, self._tls)

    def _request(
        self, method: str, url: str, timeout: float, form: dict[str, str] | None, bearer: str | None
    ) -> requests.Response:
        headers = {} if bearer is None else {"Authorization": f"Bearer {bearer}"}
        data = None
        if form is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            data = urlencode(form, encoding="utf-8", errors="replace").encode("ascii")
        return self._session.request(
            method,
            url,
            data=data,
            headers=headers,
            timeout=timeout,
            allow_redirects=False,
            stream=True,
        )


@cache
def _trusting(ca_file: str) -> ssl.SSLContext:
    """Return the one TLS context for these authorities; to read them takes tens of milliseconds."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(ca_file)
    return context


class _Session(requests.Session):
    """A session that takes nothing from its surroundings and remembers nothing."""

    def __init__(self, user_agent: str, tls: ssl.SSLContext) -> None:
        super().__init__()
        self.trust_env = False
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self.headers.clear()
        self.headers.update(
            {
                "User-Agent": user_agent,
                "Accept": "application/json",
                "Accept-Encoding": "identity",
                "Connection": "close",
            }
        )
        self.adapters.clear()
        adapter = GuardedAdapter(tls)
        self.mount("https://", adapter)
        self.mount("http://", adapter)

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Know of none: of a redirect that is not followed, requests reads an endless body."""


class _StartsOver(Protocol):
    def start_over(self) -> None: ...


def start_over_after_fork(thing: _StartsOver) -> None:
    """Call `thing.start_over()` in every child that is forked while *thing* lives."""
    reference = weakref.ref(thing)

    def start_over() -> None:
        alive = reference()
        if alive is not None:
            alive.start_over()

    os.register_at_fork(after_in_child=start_over)


def _read(raw: BaseHTTPResponse, body: bytearray) -> None:
    """Append to *body* what comes, so that it is known if the rest does not; stop at too much."""
    while len(body) <= MAX_ANSWER:
        chunk = raw.read1(_CHUNK, decode_content=True)
        if not chunk:
            return
        body += chunk


def _fault(deadline: Deadline, body: bytearray, cause: str) -> Fault | None:
    if not deadline.connected:
        return "unreachable"
    if deadline.expired:
        return "timeout"
    if cause:
        return "broken"
    return "too-large" if len(body) > MAX_ANSWER else None
