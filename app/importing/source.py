"""
Reading Open Event Server's database: one snapshot, in one transaction that can only read.

Rows come through server-side cursors, a batch at a time. Nothing that is raised here repeats the
database's own words: they may hold what is in its rows, or in the URL.
"""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg2
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import make_dsn, parse_dsn

from app.clients.hang_up import hang_up_after
from app.importing.columns import Columns, find_missing
from app.importing.facts import (
    EventFacts,
    LinkFacts,
    RoleFacts,
    SettingsFacts,
    Unreadable,
    UserFacts,
)
from app.importing.queries import Queries

BATCH = 500  # rows; a description may be long
CONNECTING = {
    "connect_timeout": 5,
    "keepalives_idle": 30,
    "tcp_user_timeout": 30_000,
    "application_name": "import open-event",
}
# Joins without indexes are only quick if they are hashed; and an import is in no hurry.
SESSION = (
    "SET LOCAL TimeZone = 'UTC'",
    "SET LOCAL enable_nestloop = off",
    "SET LOCAL statement_timeout = 0",
    "SET LOCAL idle_in_transaction_session_timeout = 0",
)
COLUMNS = (
    "SELECT table_name, column_name FROM information_schema.columns"
    " WHERE table_schema = ANY(current_schemas(false))"
)
# Tables that not every version has must not be taken for missing where they may not be read.
HIDDEN = (
    "SELECT relname FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace"
    " WHERE nspname = ANY(current_schemas(false)) AND relname IN ('groups', 'users_groups_roles')"
    " AND NOT has_any_column_privilege(pg_class.oid, 'SELECT') ORDER BY relname"
)


class SourceError(Exception):
    """Open Event Server's database cannot be read. The message says why, without a secret."""


class PasswordInUrl(SourceError):
    """A URL from the command line has a password in it."""

    def __init__(self) -> None:
        super().__init__(
            "A password in --from can be read in the list of processes."
            " Put the URL into OPEN_EVENT_DATABASE_URL, or the password into a passfile."
        )


def connection_options(url: str) -> dict[str, str]:
    """Return what *url* says, by libpq's names. Raises SourceError if it is no PostgreSQL URL."""
    scheme, separator, rest = url.strip().partition("://")
    if separator and scheme.partition("+")[0] not in ("postgres", "postgresql"):
        raise SourceError("This is not the URL of a PostgreSQL database (postgresql://…).")
    dsn = f"postgresql://{rest}" if separator else url.strip()
    try:
        return dict(parse_dsn(dsn))
    except psycopg2.ProgrammingError:
        raise SourceError(
            "This is not the URL of a PostgreSQL database (postgresql://…)."
        ) from None


def refuse_password(url: str) -> None:
    """Raise PasswordInUrl if *url*, from the command line, holds a password; SourceError too."""
    options = connection_options(url)
    if "password" in options or "sslpassword" in options:
        raise PasswordInUrl


class Source:
    """Open Event Server's database at one moment. A context manager: leaving it hangs up."""

    def __init__(self, url: str, patience: int | None = None, **options: Any) -> None:
        """
        Connect to *url*, with more *options* of libpq's, and look what the database has.

        With *patience* we hang up after so many seconds in all, whatever is being read then.
        Raises SourceError if it cannot be reached, or is none of Open Event Server.
        """
        self._clock: threading.Timer | None = None
        if patience is not None:
            options["connect_timeout"] = patience
        started = time.monotonic()
        dsn = make_dsn(**{**CONNECTING, **connection_options(url), **options})
        try:
            self._connection: Connection = psycopg2.connect(dsn)
        except (psycopg2.Error, UnicodeDecodeError):
            raise SourceError(
                "Cannot connect to Open Event Server's database:"
                " is it running, and are host, name, role and password right?"
            ) from None
        if patience is not None:
            remaining = max(0.1, patience - (time.monotonic() - started))
            self._clock = hang_up_after(remaining, self._connection)
        try:
            self._begin()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "Source":
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Hang up."""
        if self._clock is not None:
            self._clock.cancel()
        self._connection.close()

    def users(
        self, where: str = "true", *, are_named: bool = False, **values: Any
    ) -> Iterator[UserFacts | Unreadable]:
        """Yield the users, by id; *are_named* says that roles are known to name all of them."""
        return self._facts(UserFacts, self.queries.users(where, are_named=are_named), values)

    def events(
        self, where: str = "true", *, with_checks: bool = True, **values: Any
    ) -> Iterator[EventFacts | Unreadable]:
        """Yield the events, by id; *with_checks* also asks for link and owner of each."""
        statement = self.queries.events(where, with_checks=with_checks)
        return self._facts(EventFacts, statement, values)

    def roles(self, where: str = "true", **values: Any) -> Iterator[RoleFacts]:
        """Yield the roles of the kinds that are known here, by event and user."""
        return self._facts(RoleFacts, self.queries.roles(where), values)

    def links(self, where: str = "true", **values: Any) -> Iterator[LinkFacts | Unreadable]:
        """Yield the links, those of one event together; those of no event come last."""
        return self._facts(LinkFacts, self.queries.links(where), values)

    def settings(self) -> list[SettingsFacts | Unreadable]:
        """Return the rows of settings, by id."""
        return list(self._facts(SettingsFacts, self.queries.settings(), {}))

    def rows(
        self, statement: str, values: Mapping[str, Any] | None = None
    ) -> list[tuple[Any, ...]]:
        """Return all rows of a statement that has few. Raises SourceError."""
        with _telling(), self._connection.cursor() as cursor:
            cursor.execute(statement, values or None)
            return list(cursor.fetchall())

    def stream(
        self, statement: str, values: Mapping[str, Any] | None = None
    ) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of a statement, a batch in memory at a time. Raises SourceError."""
        with _telling(), self._connection.cursor(name="import_open_event") as cursor:
            cursor.itersize = BATCH
            cursor.execute(statement, values or None)
            while rows := cursor.fetchmany(BATCH):
                yield from rows

    def _facts(self, kind: Any, statement: str, values: Mapping[str, Any]) -> Iterator[Any]:
        for row in self.stream(statement, values):
            if self._is_raw:
                try:
                    row = tuple(map(_decoded, row))
                except UnicodeDecodeError:
                    yield Unreadable(row[0], row[1] if kind is LinkFacts else None)
                    continue
            yield kind(*row)

    def _begin(self) -> None:
        with _telling():
            self._connection.set_session(isolation_level="REPEATABLE READ", readonly=True)
            # A database of no declared encoding hands out bytes: whether they are text, each row
            # must show. Any other is converted by the server.
            encoding = self._connection.info.parameter_status("server_encoding")
            self._is_raw = encoding == "SQL_ASCII"
            self._connection.set_client_encoding("LATIN1" if self._is_raw else "UTF8")
            with self._connection.cursor() as cursor:
                for statement in SESSION:
                    cursor.execute(statement)
        self.queries = Queries(self._read_columns())

    def _read_columns(self) -> Columns:
        """Raises SourceError, naming what is missing."""
        found: dict[str, set[str]] = {}
        for table, column in self.rows(COLUMNS):
            found.setdefault(table, set()).add(column)
        columns = {table: frozenset(names) for table, names in found.items()}
        missing = find_missing(columns) + [table for (table,) in self.rows(HIDDEN)]
        if missing:
            raise SourceError(
                "This is not a database of Open Event Server that is understood."
                f" Missing, or not readable for this role: {', '.join(missing)}."
            )
        return columns


def _decoded(value: Any) -> Any:
    return value.encode("latin-1").decode() if isinstance(value, str) else value


@contextmanager
def _telling() -> Iterator[None]:
    """Say in our own words what the database did not do."""
    try:
        yield
    except psycopg2.errors.InsufficientPrivilege:
        raise SourceError(
            "The role may not read all of: users, events, users_events_roles, roles, settings,"
            " stripe_authorizations, groups, users_groups_roles."
        ) from None
    except (psycopg2.OperationalError, psycopg2.InterfaceError):
        raise SourceError("The connection to Open Event Server's database was lost.") from None
    except psycopg2.Error as error:
        raise SourceError(
            f"Open Event Server's database could not answer (SQLSTATE {error.pgcode})."
        ) from None
