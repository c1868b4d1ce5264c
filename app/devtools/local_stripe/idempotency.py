"""Idempotency keys of api.stripe.com, as documented.

The first request with a key runs; its answer is stored for a day, a 500 included. The same key with
the same parameters is answered from memory, with others refused, and while the first one still
runs it is a conflict. Nothing is stored of a request that was refused before its endpoint ran.
"""

import threading
from dataclasses import dataclass

from flask import Response

from .errors import ApiError, NotExecuted, documented

LIFETIME = 86_400
LONGEST_KEY = 255


@dataclass(frozen=True)
class Request:
    """What makes two requests under one key the same."""

    path: str
    form: tuple[tuple[str, str], ...]


@dataclass
class Entry:
    """One key in use; `answer` is None while its first request runs."""

    request: Request
    request_id: str
    created: float
    answer: tuple[bytes, int, str] | None = None

    def replay(self) -> Response:
        """Return the answer that was kept."""
        assert self.answer is not None
        body, status, kind = self.answer
        headers = {"Idempotent-Replayed": "true", "Original-Request": self.request_id}
        return Response(body, status, headers, content_type=kind)


class IdempotencyKeys:
    """All keys in use, by scope: a platform in one mode acting for one account."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: dict[tuple[str, ...], Entry] = {}

    def begin(self, name: tuple[str, ...], entry: Entry) -> Entry | None:
        """Return the entry to replay, or None: then the request runs under the key.

        *name* is the scope and, last, the key. Raises what Stripe answers for a key too long, in
        use, or first used for another request.
        """
        if len(name[-1]) > LONGEST_KEY:
            raise key_too_long()
        with self._lock:
            known = self._entries.get(name)
            if known is None or entry.created - known.created >= LIFETIME:
                self._entries[name] = entry
                return None
        if known.request != entry.request:
            raise used_differently(name[-1], known.request, entry.request)
        if known.answer is None:
            raise in_use(name[-1])
        return known

    def keep(self, name: tuple[str, ...], answer: tuple[bytes, int, str]) -> None:
        """Keep the first request's answer."""
        with self._lock:
            self._entries[name].answer = answer

    def release(self, name: tuple[str, ...]) -> None:
        """Free the key: nothing was executed under it."""
        with self._lock:
            self._entries.pop(name, None)

    def kept(self) -> list[tuple[tuple[str, ...], Entry]]:
        """Return every key with an answer, to be kept in a file."""
        with self._lock:
            return [(name, each) for name, each in self._entries.items() if each.answer]

    def restore(self, name: tuple[str, ...], entry: Entry) -> None:
        """Take back what `kept` gave."""
        with self._lock:
            self._entries[name] = entry

    def forget(self) -> None:
        """Free every key."""
        with self._lock:
            self._entries.clear()


def used_differently(key: str, first: Request, now: Request) -> NotExecuted:
    if first.path != now.path:
        limit = f"for the same endpoint they were first used for ('{now.path}' vs '{first.path}')"
    else:
        limit = "with the same parameters they were first used with"
    message = (
        f"Keys for idempotent requests can only be used {limit}. Try using a key other than "
        f"'{key}' if you meant to execute a different request."
    )
    return NotExecuted(400, message, type="idempotency_error")


def in_use(key: str) -> NotExecuted:
    message = (
        "There is currently another in-progress request using this Idempotent Key (that probably "
        f"means you submitted twice, and the other request is still going through): {key}. "
        "Please try again later."
    )
    code = documented("idempotency_key_in_use")
    return NotExecuted(409, message, type="idempotency_error", **code)


def key_too_long() -> ApiError:
    message = f"Idempotency keys can be at most {LONGEST_KEY} characters long."
    return NotExecuted(400, message, type="invalid_request_error")
