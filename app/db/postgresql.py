"""
PostgreSQL as the service uses it, behind a transaction pooler (PgBouncer) too.

A pooler hands the same connection to one client after the other, so nothing may depend on the state
of a session: no start-up parameters, no SET without LOCAL, no prepared statements. The driver is in
autocommit mode; a transaction begins with its time limits, in one round trip.
"""

import re
import select
import time
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, ExceptionContext
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.postgresql.psycopg2 import PGDialect_psycopg2
from sqlalchemy.engine.interfaces import IsolationLevel
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection, QueuePool
from sqlalchemy.util.queue import Empty

DRIVER = "postgresql+limited"
LIMITS = {
    "timezone": "UTC",
    "lock_timeout": "15s",
    "statement_timeout": "30s",
    "idle_in_transaction_session_timeout": "30s",
}
# A lone SELECT ends its transaction itself, and its times come with their zone.
LIMITS_OF_READS = ("lock_timeout", "statement_timeout")
READ_ONLY = "25006"
IDLE = 0  # psycopg2.extensions.TRANSACTION_STATUS_IDLE
FULL = re.compile(r"too many (clients|connections)|connection slots|no more connections")
ASKED_AGAIN_AFTER = 0.25  # seconds
VERDICT_WITHIN = 5.0  # seconds
# The transaction's number, and the history it belongs to: after a failover numbers are given again.
IDENTITY = "SELECT txid_current(), left(pg_walfile_name(pg_current_wal_insert_lsn()), 8)"
VERDICT = (
    "SELECT txid_status(%s), left(pg_walfile_name(pg_current_wal_insert_lsn()), 8)"
    " WHERE NOT pg_is_in_recovery()"
)


class LimitedDialect(PGDialect_psycopg2):
    """
    psycopg2 with transactions of our own making; *limits* are settings for each of them, by name.

    A lost connection never breaks a rollback, and a commit whose answer was lost is looked up.
    """

    supports_statement_cache = True

    def __init__(self, limits: Mapping[str, str] = LIMITS, **options: Any) -> None:
        super().__init__(**options)  # type: ignore[no-untyped-call]
        self.begin = f"BEGIN; {_set_local(limits, limits)}"
        self.read_prefix = _set_local(limits, LIMITS_OF_READS)
        self._arguments: tuple[tuple[Any, ...], dict[str, Any]] = ((), {})

    def connect(self, *arguments: Any, **options: Any) -> Any:
        """Return a new connection of the driver's, in autocommit mode."""
        self._arguments = (arguments, options)
        connection: Any = super().connect(*arguments, **options)
        connection.autocommit = True
        return connection

    def get_isolation_level_values(self, dbapi_connection: Any) -> Sequence[IsolationLevel]:
        """Return READ COMMITTED alone: changing the level would end the driver's autocommit."""
        return ("READ COMMITTED",)

    def is_disconnect(self, e: Any, connection: Any, cursor: Any) -> bool:
        """Whether to replace the connection: it is dead, or became read-only in a failover."""
        is_dead: bool = super().is_disconnect(e, connection, cursor)  # type: ignore[no-untyped-call]
        return is_dead or is_read_only(e)

    def do_rollback(self, dbapi_connection: Any) -> None:
        """Roll back, if there is a transaction; one on a lost connection is over already."""
        if dbapi_connection.get_transaction_status() == IDLE:
            return
        try:
            _execute(dbapi_connection, "ROLLBACK")
        except self.loaded_dbapi.Error:
            if not dbapi_connection.closed:
                raise

    def do_commit(self, dbapi_connection: Any) -> None:
        """
        Commit, if there is a transaction.

        Where the connection is lost before the answer comes, the transaction is looked up over
        another one. Raises the driver's error unless it is known to be committed; `is_undone` says
        that it is known not to be.
        """
        if dbapi_connection.get_transaction_status() == IDLE:
            return
        try:
            _execute(dbapi_connection, "COMMIT")
        except self.loaded_dbapi.Error as error:
            identity = dbapi_connection.info.get("transaction")
            if not dbapi_connection.closed or not identity:
                raise
            outcome = self._find_outcome(*identity)
            if outcome != "committed":
                vars(error)["is_undone"] = outcome == "aborted"
                raise

    def _find_outcome(self, number: int, history: str) -> str | None:
        """Ask until the transaction is over. None where it cannot be known any more."""
        deadline = time.monotonic() + VERDICT_WITHIN
        while time.monotonic() < deadline:
            try:
                status, current_history = self._ask(VERDICT, (number,))
            except self.loaded_dbapi.OperationalError:
                status = None  # restarting, or full
            except self.loaded_dbapi.Error:
                return None  # this history does not know the number
            if status is not None and current_history != history:
                return None
            if status in ("committed", "aborted"):
                return str(status)
            time.sleep(ASKED_AGAIN_AFTER / 5)
        return None

    def _ask(self, question: str, parameters: tuple[Any, ...]) -> tuple[Any, Any]:
        """Return the answer over a connection of its own: the pool may have none to spare."""
        arguments, options = self._arguments
        connection = self.connect(*arguments, **options)
        try:
            with connection.cursor() as cursor:
                cursor.execute(question, parameters)
                return cursor.fetchone() or (None, None)
        finally:
            connection.close()


registry.impls["postgresql.limited"] = lambda: LimitedDialect


class PatientPool(QueuePool):
    """
    A pool that may be larger than what the server allows.

    Where the server has no connection left, callers wait until one of ours comes back or the
    server has room again, as long as they would wait for the pool. Raises the driver's error then.
    """

    def connect(self) -> PoolProxiedConnection:
        """Return a connection, waiting for it where the server has none left."""
        deadline = time.monotonic() + self.timeout()
        while True:
            try:
                return super().connect()
            except Exception as error:
                if not FULL.search(str(error)) or time.monotonic() > deadline:
                    raise
            self._await_return()

    def _await_return(self) -> None:
        """Wait a little until a connection of ours comes back."""
        try:
            returned = self._pool.get(True, ASKED_AGAIN_AFTER)
        except Empty:
            return
        self._do_return_conn(returned)

    def _do_return_conn(self, record: ConnectionPoolEntry) -> None:
        """Forget a lost connection: its place would be taken before those that still stand."""
        if record.dbapi_connection is None:
            self._dec_overflow()
        else:
            super()._do_return_conn(record)


def check_idle(dbapi_connection: Any, record: ConnectionPoolEntry, proxy: Any) -> None:
    """
    Have an idle connection replaced that the server has ended, without a round trip.

    The server says that it ends a connection and closes it: then there is something to read.
    """
    if not record.info.get("was_used"):
        record.info["was_used"] = True  # and so this is a new one
        return
    if not dbapi_connection.closed:
        waiting = select.poll()
        waiting.register(dbapi_connection.fileno(), select.POLLIN)
        if not waiting.poll(0):
            return
    raise DisconnectionError


def judge_loss(context: ExceptionContext) -> None:
    """Keep the pool's other connections when one is lost; after a failover all are replaced."""
    context.invalidate_pool_on_disconnect = is_read_only(context.original_exception)


def is_read_only(error: object) -> bool:
    """Whether *error* of the driver's says that nothing can be written."""
    return getattr(error, "pgcode", None) == READ_ONLY


def begin(connection: Connection) -> None:
    """
    Begin a transaction with its limits, in one round trip.

    One that writes (the execution option `writes`) notes its number, so that its outcome can be
    looked up.
    """
    dialect: Any = connection.dialect
    writes = connection.get_execution_options().get("writes", False)
    text = f"{dialect.begin}; {IDENTITY}" if writes else dialect.begin
    result = connection.exec_driver_sql(text)
    connection.info["transaction"] = tuple(result.one()) if writes else None


def _set_local(limits: Mapping[str, str], names: Any) -> str:
    return "; ".join(f"SET LOCAL {name} = '{limits[name]}'" for name in names if name in limits)


def _execute(dbapi_connection: Any, statement: str) -> None:
    with dbapi_connection.cursor() as cursor:
        cursor.execute(statement)
