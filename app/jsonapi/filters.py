"""
`filter`: conditions that a client names, on the columns that a resource offers.

As `filter[name]=value,value` or as JSON: `filter=[{"name", "op", "val"}]`. Raises BadParameter.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, SQLColumnExpression

from app.db.types import LARGEST_ID
from app.errors import BadParameter

Columns = Mapping[str, SQLColumnExpression[Any]]
ID = re.compile(r"[0-9]{1,10}", re.ASCII)
BOOLEANS = {"true": True, "false": False, "1": True, "0": False}
MOST_FILTERS, MOST_VALUES = 10, 100

OPERATORS: dict[str, Callable[[SQLColumnExpression[Any], Any], ColumnElement[Any]]] = {
    "eq": lambda column, value: column == value,
    "ne": lambda column, value: column != value,
    "gt": lambda column, value: column > value,
    "ge": lambda column, value: column >= value,
    "lt": lambda column, value: column < value,
    "le": lambda column, value: column <= value,
    "like": lambda column, value: column.like(value),
    "ilike": lambda column, value: column.ilike(value),
}
OF_TEXT, OF_FLAGS = {"like", "ilike"}, {"eq", "ne"}
HALF_ESCAPE = re.compile(r"(?<!\\)(\\\\)*\\\Z")


def parse_filters(args: Mapping[str, str], filters: Columns) -> list[ColumnElement[Any]]:
    """Return the conditions in *args* on the columns of *filters*."""
    found = []
    for name, text in args.items():
        if name == "filter":
            found += [_condition(item, filters, name) for item in _json_filters(text)]
        elif name.startswith("filter["):
            item = {"name": name[len("filter[") : -1], "op": "in", "val": text.split(",")}
            found.append(_condition(item, filters, name))
    if len(found) > MOST_FILTERS:
        raise BadParameter(f"At most {MOST_FILTERS} filters.", parameter="filter")
    return found


def possible(names: Iterable[str]) -> str:
    """Return the sentence that says what is possible instead."""
    known = ", ".join(names)
    return f"Possible: {known}." if known else "Nothing is possible here."


def _condition(item: Any, filters: Columns, parameter: str) -> ColumnElement[Any]:
    if not isinstance(item, dict) or set(item) != {"name", "op", "val"}:
        raise BadParameter("A filter has a name, an op and a val.", parameter=parameter)
    column = filters.get(item["name"]) if isinstance(item["name"], str) else None
    if column is None:
        raise BadParameter(f"This cannot be filtered by. {possible(filters)}", parameter=parameter)
    operator, value = item["op"], item["val"]
    if operator in ("in", "in_") and isinstance(value, list) and len(value) <= MOST_VALUES:
        return column.in_([_value(column, each, parameter) for each in value])
    if not isinstance(operator, str) or operator not in _operators(column):
        known = possible((*_operators(column), "in"))
        raise BadParameter(f"There is no such comparison. {known}", parameter=parameter)
    wanted = _value(column, value, parameter)
    if operator in OF_TEXT and HALF_ESCAPE.search(wanted):
        raise BadParameter("A pattern cannot end with a single backslash.", parameter=parameter)
    found: ColumnElement[Any] = OPERATORS[operator](column, wanted)
    return found


def _operators(column: Any) -> list[str]:
    kind = column.type.python_type
    if kind is bool:
        return [name for name in OPERATORS if name in OF_FLAGS]
    return [name for name in OPERATORS if kind is str or name not in OF_TEXT]


def _json_filters(text: str) -> list[Any]:
    try:
        items = json.loads(text)
    except (ValueError, RecursionError):
        raise BadParameter("The filter is not JSON.", parameter="filter") from None
    if isinstance(items, dict):
        return [items]
    if not isinstance(items, list):
        raise BadParameter("The filter is a list of conditions.", parameter="filter")
    return items


def _value(column: Any, value: Any, parameter: str) -> Any:
    """Return *value* as *column* wants it."""
    wanted, read_text = READERS[column.type.python_type]
    try:
        if not isinstance(value, str | int | bool):
            raise ValueError
        return read_text(str(value))
    except (KeyError, ValueError, OverflowError):
        raise BadParameter(f"This must be {wanted}.", parameter=parameter) from None


def _read_int(text: str) -> int:
    if not ID.fullmatch(text) or int(text) > LARGEST_ID:
        raise ValueError
    return int(text)


def _read_text(text: str) -> str:
    if not text.isprintable() or len(text) > 255:
        raise ValueError
    return text


def _read_moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError
    return moment.astimezone(UTC)


# What a column of a kind is compared with: how to say it, and how to read it.
READERS: dict[type, tuple[str, Callable[[str], Any]]] = {
    bool: ("true or false", lambda text: BOOLEANS[text.lower()]),
    int: ("a number", _read_int),
    str: ("text", _read_text),
    datetime: ("a moment with its zone, such as 2027-01-31T10:00:00Z", _read_moment),
}
