"""A record of every request to the local Stripe, for tests of clients."""

import threading
from collections import Counter, deque

from .authentication import Presented
from .identifiers import mask

KEPT = 50_000
SECRET_HEADERS = ("Authorization", "Cookie")
SECRET_FIELDS = ("client_secret", "refresh_token")


class RequestLog:
    """`is_made_up` tells the local Stripe's own keys from others, which are shown masked."""

    def __init__(self, is_made_up):
        self._is_made_up = is_made_up
        self._lock = threading.Lock()
        self._entries = deque(maxlen=KEPT)
        self._presented = Counter()

    def arrived(self, request, request_id, at):
        """Record the request before it is processed, so that a hanging one shows too."""
        presented = Presented.read(request)
        entry = {
            "id": request_id,
            "at": at,
            "method": request.method,
            "path": request.path,
            "query": self._shown_query(request),
            "form": self._shown_form(request),
            "auth": list(presented.forms),
            "key": None if presented.key is None else self._shown(presented.key),
            "headers": shown_headers(request),
            "stripe_version": request.headers.get("Stripe-Version"),
            "stripe_account": request.headers.get("Stripe-Account"),
            "idempotency_key": request.headers.get("Idempotency-Key"),
            "times_presented": None,
            "fault": None,
            "status": None,
            "replayed": False,
        }
        with self._lock:
            code = entry["form"].get("code")
            if code is not None:
                self._presented[code] += 1
                entry["times_presented"] = self._presented[code]
            self._entries.append(entry)
        return entry

    def _shown_form(self, request):
        """Return the form. Codes are shown: they are valid once, and tests count them."""
        form = request.form.to_dict()
        return {
            name: self._shown(text) if name in SECRET_FIELDS else text
            for name, text in form.items()
        }

    def _shown_query(self, request):
        query = request.args.to_dict(flat=False)
        return {
            name: [self._shown(text) for text in texts] if name in SECRET_FIELDS else texts
            for name, texts in query.items()
        }

    def _shown(self, secret):
        """Mask unknown keys: a real one may have been sent by mistake."""
        return secret if self._is_made_up(secret) else mask(secret)

    def entries(self):
        with self._lock:
            return [dict(entry) for entry in self._entries]

    def codes_presented_twice(self):
        with self._lock:
            return sorted(code for code, times in self._presented.items() if times > 1)

    def clear(self):
        with self._lock:
            self._entries.clear()
            self._presented.clear()


def shown_headers(request):
    """Return every header but those that authenticate the caller."""
    return {name: value for name, value in request.headers if name not in SECRET_HEADERS}
