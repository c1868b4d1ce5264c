"""Ending a connection to a PostgreSQL that may never answer."""

import os
import threading
import weakref
from contextlib import suppress
from socket import SHUT_RDWR, socket

from psycopg2.extensions import connection as Connection


def hang_up_after(seconds: float, connection: Connection) -> threading.Timer:
    """
    Shut down *connection* after that many seconds, unless the returned timer is cancelled.

    libpq waits for an answer without end, and a server that is frozen, or a network that drops
    everything, never tells it.
    """
    descriptor = os.dup(connection.fileno())
    timer = threading.Timer(seconds, _shut_down, (descriptor,))
    timer.daemon = True
    timer.start()
    weakref.finalize(timer, os.close, descriptor)
    return timer


def _shut_down(descriptor: int) -> None:
    with suppress(OSError), socket(fileno=os.dup(descriptor)) as line:
        line.shutdown(SHUT_RDWR)
