"""
SELECTs that are compiled once and sent straight through the driver.

Putting a statement together and executing it through SQLAlchemy costs as much as the database needs
to run it. Nothing is prepared on the server: behind a transaction pooler another process may have
given its own statement the same name, and its rows would be taken for ours.
"""

from collections import namedtuple
from collections.abc import Sequence
from contextlib import closing
from typing import Any

from sqlalchemy import Engine, Select
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import DBAPIError


class CompiledSelect:
    """
    A SELECT that is compiled at its first use and whose text never varies.

    Its parameters are numbers and short texts, as the driver takes them.
    """

    def __init__(self, select: Select[*tuple[Any, ...]]) -> None:
        self.select = select
        self._text: _Text | None = None

    def rows(self, engine: Engine, parameters: dict[str, Any]) -> Sequence[Any]:
        """
        Return the rows of a PostgreSQL, read by themselves; each has its columns as attributes.

        Raises DBAPIError, whose `connection_invalidated` says that the connection was lost.
        """
        dialect: Any = engine.dialect
        text = self._text = self._text or _Text(self.select, dialect)
        failure = dialect.loaded_dbapi.Error
        try:
            with closing(engine.raw_connection()) as connection:
                return text.run(connection.driver_connection, parameters, dialect.read_prefix)
        except failure as error:
            raise _wrapped(error, dialect) from error


def _wrapped(error: Any, dialect: Dialect) -> DBAPIError:
    """Return the driver's *error* as SQLAlchemy raises it; the text of the statement is no help."""
    cursor = getattr(error, "cursor", None)
    is_lost = dialect.is_disconnect(error, cursor and cursor.connection, None)
    base = dialect.loaded_dbapi.Error
    wrapped = DBAPIError.instance(
        None, None, error, base, hide_parameters=True, connection_invalidated=is_lost
    )
    if not isinstance(wrapped, DBAPIError):
        raise TypeError("Not an error of the driver's.") from error
    return wrapped


class _Text:
    """The text of a SELECT for the driver, and how its rows are read."""

    def __init__(self, select: Select[*tuple[Any, ...]], dialect: Dialect) -> None:
        compiled: Any = select.compile(dialect=dialect)
        self._text = str(compiled)
        self._constants = {
            key: value for key, value in compiled.params.items() if value is not None
        }
        columns = compiled._result_columns
        make_row_type: Any = namedtuple
        self._row = make_row_type("Row", [column.keyname for column in columns])
        self._readers = [
            column.type.dialect_impl(dialect).result_processor(dialect, None) for column in columns
        ]

    def run(self, driver: Any, parameters: dict[str, Any], limits: str) -> list[Any]:
        """Run it on a connection of the driver's after *limits* are set, in one round trip."""
        with driver.cursor() as cursor:
            cursor.execute(f"{limits}; {self._text}", {**self._constants, **parameters})
            return [self._read(found) for found in cursor.fetchall()]

    def _read(self, found: tuple[Any, ...]) -> Any:
        pairs = zip(self._readers, found, strict=True)
        return self._row._make([reader(value) if reader else value for reader, value in pairs])
