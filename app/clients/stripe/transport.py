"""One HTTP call that leaves no doubt: was anything sent, and did a whole answer come in time?"""

import re
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlencode

import requests
from urllib3.response import BaseHTTPResponse

from app.clients.stripe.deadline import Deadline, DeadlineAdapter, trusting
from app.telemetry.metrics import STRIPE_CALLS, STRIPE_IN_FLIGHT, STRIPE_SECONDS

MAX_ANSWER = 64 * 1024
_CHUNK = 16 * 1024

# What stands between /v1/ or /oauth/ and the next slash says what is asked for; ids are left out.
_RESOURCE = re.compile(r"/(?:oauth|v1)/(\w+)(/[^/?]+)?(/\w+)?(?:\?|$)")

Fault = Literal["unreachable", "timeout", "broken", "too-large"]
Waiting = Callable[[], AbstractContextManager[object]]


@dataclass(frozen=True)
class Answer:
    """
    What came back.

    Without a *fault*, *body* is complete. `unreachable` says that nothing was sent: no
    connection, no tunnel through the proxy, or no TLS. After the other three the request may have
    been acted on; *body* is then what had come so far. *cause* is raw text.
    """

    status: int | None
    body: bytes = field(repr=False)
    fault: Fault | None = None
    cause: str = field(default="", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


class Transport:
    """
    Sends one request per call over a connection of its own, and nothing besides it.

    No retry, no redirect, no `.netrc`, no cookie, no connection that was used before; no proxy but
    *proxy*, an `http://` address. At most *timeout* seconds per call in all, 3 of them to connect.
    Each call waits for the network inside of *waiting*. Threads and forked children may share it.
    """

    def __init__(
        self,
        *,
        user_agent: str,
        ca_file: str | None = None,
        proxy: str | None = None,
        waiting: Waiting = nullcontext,
    ) -> None:
        self._headers = {
            "User-Agent": user_agent,
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "Connection": "close",
        }
        self._has_proxy = bool(proxy)
        self._waiting = waiting
        self._adapter = DeadlineAdapter(trusting(ca_file), proxy)

    def send(
        self,
        method: str,
        url: str,
        *,
        timeout: float,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        limit: int = MAX_ANSWER,
    ) -> Answer:
        """
        Send *form* to *url*. What the network does is never raised.

        The answer's body may have *limit* bytes, counted after decompression.
        """
        started = time.monotonic()
        with STRIPE_IN_FLIGHT.track_inprogress():
            answer = self._send(method, url, timeout, form, headers or {}, limit)
        kind = _kind(method, url)
        STRIPE_SECONDS.labels(kind).observe(time.monotonic() - started)
        STRIPE_CALLS.labels(kind, answer.fault or f"{(answer.status or 0) // 100}xx").inc()
        return answer

    def _send(
        self,
        method: str,
        url: str,
        timeout: float,
        form: Mapping[str, str] | None,
        headers: Mapping[str, str],
        limit: int,
    ) -> Answer:
        status, got, body, cause = None, {}, bytearray(), ""
        deadline = Deadline(timeout)
        try:
            request = self._prepare(method, url, form, headers)
            with self._waiting(), self._adapter.send_within(request, deadline) as response:
                status, got = response.status_code, dict(response.headers)
                _read(response.raw, body, limit)
        except Exception as error:  # because what was sent must be known, whatever went wrong
            cause = f"{type(error).__name__}: {error}"
        fault = self._fault(deadline, status, cause, is_too_large=len(body) > limit)
        return Answer(status, bytes(body), fault, cause, got)

    def _prepare(
        self, method: str, url: str, form: Mapping[str, str] | None, headers: Mapping[str, str]
    ) -> requests.PreparedRequest:
        data, content = None, {}
        if form is not None:
            content = {"Content-Type": "application/x-www-form-urlencoded"}
            data = urlencode(form, encoding="utf-8", errors="replace").encode("ascii")
        all_headers = {**self._headers, **content, **headers}
        return requests.Request(method, url, headers=all_headers, data=data).prepare()

    def _fault(
        self, deadline: Deadline, status: int | None, cause: str, *, is_too_large: bool
    ) -> Fault | None:
        """Say what went wrong on the way. 407 is a proxy's, where there is one: not sent on."""
        if not deadline.connected or (self._has_proxy and status == 407):
            return "unreachable"
        if cause:
            return "timeout" if deadline.is_over else "broken"
        return "too-large" if is_too_large else None


def _kind(method: str, url: str) -> str:
    """Return a short name for the call, such as `POST payment_intents/*/cancel`."""
    found = _RESOURCE.search(url)
    if found is None:
        return f"{method} other"
    return f"{method} {found[1]}{'/*' if found[2] else ''}{found[3] or ''}"


def _read(raw: BaseHTTPResponse, body: bytearray, limit: int) -> None:
    """Append to *body* what comes, so that it is known if the rest does not; stop at too much."""
    while len(body) <= limit:
        chunk = raw.read1(_CHUNK, decode_content=True)
        if not chunk:
            return
        body += chunk
