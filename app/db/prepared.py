"""
Statements that PostgreSQL plans once per connection instead of once per request.

To plan the read of a link takes PostgreSQL four times as long as to run it. Sent straight through
the driver it also spares what SQLAlchemy does per execution, which is as much again.
"""

from collections import namedtuple
from collections.abc import Sequence
from contextlib import closing
from itertools import count
from typing import Any

from sqlalchemy import Engine, Select
from sqlalchemy.engine import Dialect

_numbers = count()


class Prepared:
    """
    A SELECT that is built once and whose text never varies; each connection keeps its plan.

    Its parameters are numbers and short texts, as the driver takes them.
    """

    def __init__(self, select: Select) -> None:
        self.select = select
        self._name = f"app_{next(_numbers)}"
        self._plan: _Plan | None = None

    def rows(self, engine: Engine, parameters: dict[str, Any]) -> Sequence[Any] | None:
        """
        Return the rows, outside any transaction; each has its columns as attributes.

        None if that failed, for whatever reason: the plan may have been lost to a pooler or a
        migration, the connection to a restart. It is dropped, and `select` is to be run as it is.
        """
        plan = self._plan = self._plan or _Plan(self._name, self.select, engine.dialect)
        failure = engine.dialect.loaded_dbapi.Error
        try:
            with closing(engine.raw_connection()) as connection:
                try:
                    return plan.run(connection, parameters)
                except failure:
                    connection.invalidate()
                    raise
        except failure:
            return None


class _Plan:
    def __init__(self, name: str, select: Select, dialect: Dialect) -> None:
        compiled: Any = select.compile(dialect=dialect)
        types = {name: bound.type.compile(dialect) for bound, name in compiled.bind_names.items()}
        text = str(compiled) % {name: f"${number}" for number, name in enumerate(types, start=1)}
        values = ", ".join(f"%({each})s" for each in types)
        self.name = name
        self.prepare = f"PREPARE {name} ({', '.join(types.values())}) AS {text}"
        self.execute = f"EXECUTE {name} ({values})"
        self._constants = {
            key: value for key, value in compiled.params.items() if value is not None
        }
        columns = compiled._result_columns
        self._row = namedtuple("Row", [column.keyname for column in columns])
        self._readers = [column.type.result_processor(dialect, None) for column in columns]

    def run(self, connection: Any, parameters: dict[str, Any]) -> list[Any]:
        """Run it on *connection*, one of the pool's, by itself: no BEGIN goes over the wire."""
        driver = connection.driver_connection
        driver.autocommit = True
        try:
            with driver.cursor() as cursor:
                known = connection.info.setdefault("prepared", set())  # ends with the connection
                if self.name not in known:
                    cursor.execute(self.prepare)
                    known.add(self.name)
                cursor.execute(self.execute, {**self._constants, **parameters})
                return [self._read(found) for found in cursor.fetchall()]
        finally:
            if not driver.closed:
                driver.autocommit = False

    def _read(self, found: tuple) -> Any:
        pairs = zip(self._readers, found, strict=True)
        return self._row._make([reader(value) if reader else value for reader, value in pairs])
