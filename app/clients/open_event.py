"""
Open Event Server's database, where it reads what it charges with: written by the mirror.

One transaction per event, under the lock of its row there, so that of several writers the last one
writes what is true by then, and no reader sees half of it.

What is put into the statements are names of this module's own, so `nosec B608`; values are
parameters.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import psycopg2
from psycopg2.extensions import make_dsn

from app.clients.hang_up import hang_up_after

PATIENCE = 3  # seconds for one event
READING = 600  # seconds for reading everything
OPTIONS = {"connect_timeout": PATIENCE, "application_name": "stripe linking, mirror"}
COLUMNS = (
    "SELECT column_name FROM information_schema.columns"
    " WHERE table_name = 'stripe_authorizations' AND table_schema = ANY(current_schemas(false))"
)
WRITTEN = ("stripe_user_id", "stripe_publishable_key", "stripe_secret_key")
# Never kept up to date there, and of an earlier account; charging reads neither.
EMPTIED = ("stripe_refresh_token", "stripe_auth_code")
RIGHTS = """
SELECT c.relname FROM pg_class c
WHERE c.relkind = 'r' AND c.relnamespace = ANY(current_schemas(false)::regnamespace[])
  AND c.relname <> 'stripe_authorizations'
  AND (has_table_privilege(c.oid, 'INSERT') OR has_table_privilege(c.oid, 'DELETE')
       OR EXISTS (SELECT 1 FROM pg_attribute a
                  WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
                    AND NOT (c.relname = 'events' AND a.attname = 'is_stripe_linked')
                    AND has_column_privilege(c.oid, a.attnum, 'UPDATE')))
ORDER BY c.relname LIMIT 3"""

Written = Literal["mirrored", "foreign-row"]


class MirrorError(Exception):
    """The event could not be written. The message says why, without a secret."""

    def __init__(self, reason: str, message: str, *, needs_person: bool = False) -> None:
        super().__init__(message)
        self.reason, self.needs_person = reason, needs_person


@dataclass(frozen=True)
class MirroredLink:
    """A link as it stands there; the access token in clear, as it is read there."""

    id: int
    account_id: str
    publishable_key: str | None
    access_token: str = field(repr=False)

    @property
    def values(self) -> tuple[str | None, ...]:
        """The values of the columns that are written."""
        return self.account_id, self.publishable_key, self.access_token


@dataclass(frozen=True)
class MirrorState:
    """What is to stand there by now, and which of the rows that stand there are ours."""

    link: MirroredLink | None
    ours: frozenset[int]


@dataclass(frozen=True)
class EventThere:
    """What stands there of an event: whether it is marked as linked, and its rows."""

    is_marked: bool
    links: tuple[MirroredLink, ...]


class OpenEventDatabase:
    """The database at *url*, with a role that may write links and the mark of linked events."""

    def __init__(self, url: str) -> None:
        self._url = url.replace("postgresql+psycopg2://", "postgresql://", 1)

    def write(self, event_id: int, decide: Callable[[frozenset[int]], MirrorState]) -> Written:
        """
        Make the event's row and mark there what *decide* says, in one transaction.

        *decide* is called under the event's lock there, with the ids of its rows. If one of them
        is not ours, nothing of the event stays mirrored. Raises MirrorError.
        """
        with self._transaction(PATIENCE) as cursor:
            columns = self._columns(cursor)
            cursor.execute("SELECT id FROM events WHERE id = %s FOR UPDATE", (event_id,))
            is_there = cursor.fetchone() is not None
            alive = "AND deleted_at IS NULL" if "deleted_at" in columns else ""
            cursor.execute(
                f"SELECT id FROM stripe_authorizations WHERE event_id = %s {alive}",  # nosec B608
                (event_id,),
            )
            ids = frozenset(row[0] for row in cursor.fetchall())
            state = decide(ids)
            foreign = ids - state.ours
            link = state.link if is_there and not foreign else None
            _write_link(cursor, event_id, link, ids & state.ours, columns)
            cursor.execute(
                "UPDATE events SET is_stripe_linked = %s"
                " WHERE id = %s AND is_stripe_linked IS DISTINCT FROM %s",
                (link is not None, event_id, link is not None),
            )
        return "foreign-row" if foreign else "mirrored"

    def read(self) -> dict[int, EventThere]:
        """Return what stands there of all events that have a row or are marked."""
        found: dict[int, EventThere] = {}
        with self._transaction(READING) as cursor:
            alive = "AND a.deleted_at IS NULL" if "deleted_at" in self._columns(cursor) else ""
            cursor.execute(
                "SELECT e.id, coalesce(e.is_stripe_linked, false), a.id, a.stripe_user_id,"
                " a.stripe_publishable_key, a.stripe_secret_key FROM events e"
                f" LEFT JOIN stripe_authorizations a ON a.event_id = e.id {alive}"  # nosec B608
                " WHERE a.id IS NOT NULL OR e.is_stripe_linked ORDER BY e.id, a.id"
            )
            for event_id, is_marked, *link in cursor:
                before = found[event_id].links if event_id in found else ()
                own = () if link[0] is None else (MirroredLink(*link),)
                found[event_id] = EventThere(is_marked, before + own)
        return found

    def superfluous_rights(self) -> list[str]:
        """Return names of tables that the role may write and need not; a few of them."""
        with self._transaction(PATIENCE) as cursor:
            cursor.execute(RIGHTS)
            return [row[0] for row in cursor.fetchall()]

    def _columns(self, cursor: Any) -> frozenset[str]:
        cursor.execute(COLUMNS)
        found = frozenset(row[0] for row in cursor.fetchall())
        missing = [name for name in ("id", "event_id", *WRITTEN) if name not in found]
        if missing:
            raise MirrorError(
                "missing-columns",
                "Open Event Server's table stripe_authorizations lacks, or does not show to this"
                f" role: {', '.join(missing)}.",
                needs_person=True,
            )
        return found

    @contextmanager
    def _transaction(self, patience: int) -> Iterator[Any]:
        started = time.monotonic()
        with _telling():
            connection = psycopg2.connect(make_dsn(self._url, **OPTIONS))
            clock = hang_up_after(max(0.1, patience + started - time.monotonic()), connection)
            try:
                with connection, connection.cursor() as cursor:
                    cursor.execute(f"SET LOCAL statement_timeout = {patience * 1000}")
                    yield cursor
            finally:
                clock.cancel()
                connection.close()


def _write_link(
    cursor: Any,
    event_id: int,
    link: MirroredLink | None,
    ours: frozenset[int],
    columns: frozenset[str],
) -> None:
    """Leave the link as the event's only row of ours; one that was moved away comes back."""
    gone = sorted(ours - {link.id if link else 0})
    if gone:
        cursor.execute("DELETE FROM stripe_authorizations WHERE id = ANY(%s)", (gone,))
    if link is None:
        return
    cursor.execute("SELECT event_id FROM stripe_authorizations WHERE id = %s", (link.id,))
    found = cursor.fetchone()
    emptied = [name for name in EMPTIED if name in columns]
    names = ["event_id", *WRITTEN, *emptied]
    values = (event_id, *link.values, *(None for _ in emptied))
    if found is None:
        marks = ", ".join(["%s"] * (len(names) + 1))
        cursor.execute(
            f"INSERT INTO stripe_authorizations"  # nosec B608
            f" (id, {', '.join(names)}) VALUES ({marks})",
            (link.id, *values),
        )
        return
    assignments = ", ".join(f"{name} = %s" for name in names)
    if "deleted_at" in columns:
        assignments += ", deleted_at = NULL"
    cursor.execute(
        f"UPDATE stripe_authorizations SET {assignments} WHERE id = %s",  # nosec B608
        (*values, link.id),
    )
    if found[0] not in (None, event_id):
        cursor.execute(
            "UPDATE events SET is_stripe_linked = false WHERE id = %(event)s AND NOT EXISTS"
            " (SELECT 1 FROM stripe_authorizations WHERE event_id = %(event)s)",
            {"event": found[0]},
        )


@contextmanager
def _telling() -> Iterator[None]:
    """Say in our own words what the database did not do."""
    try:
        yield
    except psycopg2.errors.InsufficientPrivilege:
        raise MirrorError(
            "missing-rights",
            "The role of OPEN_EVENT_DATABASE_URL may not read and write stripe_authorizations and"
            " update events.is_stripe_linked, as the mirror must.",
            needs_person=True,
        ) from None
    except (psycopg2.errors.UndefinedColumn, psycopg2.errors.UndefinedTable):
        raise MirrorError(
            "missing-columns",
            "Open Event Server's database lacks events.is_stripe_linked or a table that the mirror"
            " writes.",
            needs_person=True,
        ) from None
    except (psycopg2.Error, UnicodeDecodeError) as error:
        state = getattr(error, "pgcode", None)
        raise MirrorError(
            "unavailable", f"Open Event Server's database did not answer (SQLSTATE {state})."
        ) from None
