"""Time: the real one for what is sent, an adjustable one for what expires here."""

import threading


class Clock:
    """A clock that `POST /_control/clock` can move forward.

    Codes expire and webhooks are retried by `now`. Signatures and events carry `real`, because
    their receivers compare them with a clock that was not moved.
    """

    def __init__(self, real):
        self.real = real
        self._offset = 0.0
        self.moved = threading.Condition()

    def now(self):
        return self.real() + self._offset

    def advance(self, seconds):
        with self.moved:
            self._offset += seconds
            self.moved.notify_all()

    @property
    def offset(self):
        return self._offset
