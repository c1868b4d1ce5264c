"""The list of everything the local Stripe was asked: what a test of a client looks at."""

import threading
from collections import Counter, deque

from .authentication import Presented

KEPT = 50_000


class RequestLog:
    def __init__(self):
        self._lock = threading.Lock()
        self._entries = deque(maxlen=KEPT)
        self._presented = Counter()

    def arrived(self, request, request_id, at):
        """Note the request before anything is done with it, so that a hanging one shows too."""
        presented = Presented.read(request)
        entry = {
            "id": request_id,
            "at": at,
            "method": request.method,
            "path": request.path,
            "query": request.args.to_dict(flat=False),
            "form": request.form.to_dict(),
            "auth": list(presented.forms),
            "key": presented.key,
            "headers": dict(request.headers),
            "times_presented": None,
            "fault": None,
            "status": None,
        }
        with self._lock:
            code = entry["form"].get("code")
            if code is not None:
                self._presented[code] += 1
                entry["times_presented"] = self._presented[code]
            self._entries.append(entry)
        return entry

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
