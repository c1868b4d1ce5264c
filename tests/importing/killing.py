"""Imports in processes of their own that are killed, and what they leave behind."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from tests.importing.open_event import LONG_AGO, OpenEvent, fill_with_faults
from tests.processes import Program

# What chance and the clock make different from one import to the next.
BY_CHANCE = {"at", "read_at", "linked_at", "started_at", "expires_at", "finished_at", "updated_at"}
SEALED = {"stripe_secret_key", "stripe_refresh_token", "digests", "stripe_auth_code"}
TABLES = (
    "users",
    "events",
    "users_events_roles",
    "stripe_authorizations",
    "stripe_link_attempts",
    "imported_rows",
    "imported_roles",
    "stripe_deauthorizations",
)


class Import(Program):
    """`manage.py import open-event` that can be killed at any moment."""

    def start(self, database_url: str, source_url: str) -> None:
        """Start it and do not wait."""
        env = {"DATABASE_URL": database_url, "OPEN_EVENT_DATABASE_URL": source_url}
        self._spawn(["manage", "import", "open-event"], env)

    def wait(self) -> int:
        """Wait for its end; return the exit status."""
        assert self.process is not None
        self.process.wait(timeout=100)
        return self.kill()

    def kill_while(self, is_early_enough: Iterator[bool]) -> None:
        """Kill it as soon as *is_early_enough* says no, or it has ended."""
        while self.running and next(is_early_enough):
            pass
        self.kill()


def fill(source: OpenEvent, rows: int) -> None:
    """Everything that is found broken, and *rows* sound users, events and links."""
    fill_with_faults(source)
    source.change("users", 3, created_at=LONG_AGO)  # unknown, it would be the moment of the import
    source.execute(
        "INSERT INTO users (id, _email, _password, salt, created_at)"
        " SELECT n, n || '@many.example.com', '', '', now() FROM generate_series(1000, %s) AS n",
        1000 + rows,
    )
    source.execute(
        "INSERT INTO events (id, name, identifier, starts_at, ends_at, timezone, state,"
        " can_pay_by_stripe, is_stripe_linked, created_at)"
        " SELECT n, 'Event ' || n, lpad(to_hex(n), 7, '0') || 'f', now(), now() + interval '1 day',"
        " 'UTC', 'published', true, true, now() FROM generate_series(1000, %s) AS n",
        1000 + rows,
    )
    source.execute(
        "INSERT INTO users_events_roles (event_id, user_id, role_id)"
        " SELECT n, n, r.id FROM generate_series(1000, %s) AS n JOIN roles r ON r.name = 'owner'",
        1000 + rows,
    )
    source.execute(
        "INSERT INTO stripe_authorizations (id, event_id, stripe_user_id, stripe_secret_key,"
        " stripe_refresh_token, stripe_publishable_key, stripe_auth_code)"
        " SELECT n, n, 'acct_' || n, 'sk_live_' || n, 'rt_' || n, 'pk_live_' || n, 'ac_' || n"
        " FROM generate_series(1000, %s) AS n",
        1000 + rows,
    )


def kill_at_random(database_url: str, source_url: str, seed: int) -> None:
    """Run an import and kill it while it is at work on one of the tables, at a random moment."""
    chance = random.Random(seed)
    table = chance.choice(("users", "events", "users_events_roles", "stripe_authorizations"))
    with Import() as running, _connected(source_url) as source:
        running.start(database_url, source_url)
        running.kill_while(_until_reading(source, table, chance.randint(0, 200)))


def contents(database_url: str) -> dict[str, list[tuple[str, ...]]]:
    """Return all that an import has written, without what chance makes different."""
    found = {}
    with _connected(database_url) as connection:
        for table in TABLES:
            columns = sa.inspect(connection).get_columns(table)
            names = [each["name"] for each in columns]
            kept = [name for name in names if name not in BY_CHANCE | SEALED]
            if table in ("users_events_roles", "stripe_link_attempts"):
                kept.remove("id")
            rows = connection.execute(sa.select(*map(sa.column, kept)).select_from(sa.table(table)))
            found[table] = sorted(tuple(map(str, row)) for row in rows)
    return found


def _until_reading(source: sa.Connection, table: str, more: int) -> Iterator[bool]:
    """Yield True until the import has asked for *table*, and then *more* times."""
    question = sa.text(
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'import open-event'"
        " AND (query ILIKE :asked OR query ILIKE 'FETCH%')"
    )
    asked = {"asked": f"%count(*) FROM {table}%"}
    while not source.scalar(question, asked):
        yield True
    for _ in range(more):
        source.scalar(question, asked)
        yield True
    yield False


@contextmanager
def _connected(url: str) -> Iterator[sa.Connection]:
    engine = sa.create_engine(
        url.replace("sql://", "sql+psycopg2://"), isolation_level="AUTOCOMMIT"
    )
    with engine.connect() as connection:
        yield connection
    engine.dispose()
