"""What the mirror has written: rows and marks there, and a reader who must never see half of it."""

import threading
from contextlib import closing

import psycopg2

READER = """
SELECT e.id, coalesce(e.is_stripe_linked, false), count(a.id), min(a.stripe_user_id)
FROM events e LEFT JOIN stripe_authorizations a ON a.event_id = e.id GROUP BY e.id"""


def rows(there):
    """What stands there: rows with event, account, key and token; the events that are marked."""
    links = there.execute(
        "SELECT id, event_id, stripe_user_id, stripe_publishable_key, stripe_secret_key"
        " FROM stripe_authorizations ORDER BY id"
    )
    marked = there.execute("SELECT id FROM events WHERE is_stripe_linked ORDER BY id")
    return links, [event_id for (event_id,) in marked]


def as_there(link):
    """The row of a link as it is to stand there."""
    return (
        link.id,
        link.event_id,
        link.stripe_user_id,
        link.stripe_publishable_key,
        link.stripe_secret_key,
    )


class Reader(threading.Thread):
    """
    Polls what stands there, and keeps what must never be seen: two rows of an event, a mark without
    a row or a row without its mark, an account that is none of *accounts*.

    A server that goes away is asked again once it is back.
    """

    def __init__(self, url, accounts):
        super().__init__()
        self.url, self.accounts = url, accounts
        self.wrong, self.looks, self._ends = [], 0, threading.Event()

    def run(self):
        while not self._ends.is_set():
            try:
                self._poll()
            except psycopg2.OperationalError:
                self._ends.wait(0.05)

    def _poll(self):
        with closing(psycopg2.connect(self.url)) as connection, connection.cursor() as cursor:
            connection.autocommit = True
            while not self._ends.is_set():
                cursor.execute(READER)
                self.looks += 1
                for event_id, is_marked, number, account in cursor.fetchall():
                    if is_marked != (number == 1) or account not in (None, *self.accounts):
                        self.wrong.append((event_id, is_marked, number, account))

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_exc):
        self._ends.set()
        self.join()
