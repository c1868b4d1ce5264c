"""
Statements that PostgreSQL plans once per connection instead of once per request.

A SELECT with the execution option `prepared` is sent as PREPARE first and as EXECUTE from then on:
to plan the read of a link takes PostgreSQL four times as long as to run it. Only for statements
built once, whose text never varies: each connection keeps them.
"""

from dataclasses import dataclass
from itertools import count
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.exc import DBAPIError

# The name is unknown or taken (a pooler hands out other connections), or a migration has changed
# the type of a column.
USELESS = ("26000", "42P05", "0A000")


@dataclass(frozen=True, slots=True)
class Plan:
    """How a statement is prepared under *name*, and how it is run then."""

    name: str
    prepare: str
    execute: str


def watch(engine: Engine) -> None:
    """Prepare the statements of *engine* that ask for it, where the database is PostgreSQL."""
    if engine.dialect.name == "postgresql":
        event.listen(engine, "before_cursor_execute", _prepare, retval=True)


def is_useless(error: DBAPIError) -> bool:
    """Whether a statement failed only because it was prepared; sent as it is, it may not."""
    return getattr(error.orig, "pgcode", None) in USELESS


_plans: dict[str, Plan] = {}
_numbers = count()  # never given twice, whichever threads ask at the same moment


def _prepare(
    connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool
) -> tuple[str, Any]:
    """Return what is sent in the place of *statement*; SQLAlchemy calls this for every one."""
    if context is None or not context.execution_options.get("prepared"):
        return statement, parameters
    plan = _plans.get(statement) or _plan(statement, context.compiled)
    known = connection.connection.info.setdefault("prepared", set())  # ends with the connection
    if plan.name not in known:
        cursor.execute(plan.prepare)
        known.add(plan.name)
    return plan.execute, parameters


def _plan(statement: str, compiled: Any) -> Plan:
    types = {
        name: bind.type.compile(compiled.dialect) for bind, name in compiled.bind_names.items()
    }
    text = statement % {name: f"${number}" for number, name in enumerate(types, start=1)}
    name = f"app_{next(_numbers)}"
    plan = Plan(
        name,
        prepare=f"PREPARE {name} ({', '.join(types.values())}) AS {text}",
        execute=f"EXECUTE {name} ({', '.join(f'%({each})s' for each in types)})",
    )
    return _plans.setdefault(statement, plan)
