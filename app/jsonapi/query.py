"""
The query string, checked: nothing reaches the database that a resource has not named.

Unknown names in JSON:API's own parameters are refused (400, `source.parameter`); parameters that
are not JSON:API's are ignored, because the frontend sends some (`public`, `cache`, …).
"""

import re
from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import urlencode

from sqlalchemy import ColumnElement, SQLColumnExpression
from werkzeug.datastructures import MultiDict

from app.db.pages import Page
from app.errors import BadParameter
from app.jsonapi.filters import parse_filters, possible

FAMILIES = ("filter", "sort", "page", "include", "fields")
MEMBER = re.compile(r"(filter|page|fields)\[([A-Za-z0-9_-]{1,64})\]", re.ASCII)
NUMBER = re.compile(r"[0-9]{1,9}", re.ASCII)
DEFAULT_SIZE, LARGEST_SIZE = 20, 100


class Query:
    """
    What a request asks of a resource.

    `include` and `fields` (type → names) hold the schema's names, with underscores; `page` is what
    the services understand. Raises BadParameter.
    """

    def __init__(
        self,
        args: MultiDict[str, str],
        *,
        names: Mapping[str, frozenset[str]],
        includes: tuple[str, ...] = (),
        includes_nothing: Collection[str] = (),
        filters: Mapping[str, SQLColumnExpression[Any]] | None = None,
        sorts: Mapping[str, SQLColumnExpression[Any]] | None = None,
        is_collection: bool = False,
    ) -> None:
        self.args = {name: value for name, value in args.items() if _family(name)}
        self._names, self._includes, self._nothing = names, includes, includes_nothing
        self._sorts = sorts or {}
        for name in self.args:
            self._check_name(name, is_collection)
        self.include = self._parse_include()
        self.fields = self._parse_fields()
        self.page = Page(
            number=self._parse_page("page[number]", 1, None),
            size=self._parse_page("page[size]", DEFAULT_SIZE, LARGEST_SIZE),
            filters=parse_filters(self.args, filters or {}),
            order=self._parse_sort(),
        )

    def links(self, path: str, count: int) -> dict[str, str | None]:
        """Return the pages' links for *count* results; null where there is no such page."""
        last = max(1, -(-count // self.page.size))

        def page(number: int) -> str | None:
            if not 1 <= number <= last:
                return None
            query = {name: value for name, value in self.args.items() if name != "page[number]"}
            return f"{path}?{urlencode({**query, 'page[number]': number})}"

        return {
            "self": f"{path}?{urlencode(self.args)}" if self.args else path,
            "first": page(1),
            "last": page(last),
            "prev": page(min(self.page.number - 1, last)),
            "next": page(self.page.number + 1),
        }

    def _check_name(self, name: str, is_collection: bool) -> None:
        member = MEMBER.fullmatch(name)
        if not member and name not in ("filter", "sort", "include"):
            raise BadParameter("This parameter cannot be read.", parameter=name[:100])
        if _family(name) in ("filter", "sort", "page") and not is_collection:
            raise BadParameter("This address takes no such parameter.", parameter=name)
        if member and member[1] == "page" and member[2] not in ("number", "size"):
            raise BadParameter("Pages have a number and a size.", parameter=name)

    def _parse_include(self) -> tuple[str, ...]:
        """
        Return what is held here.

        Where names are known that bring nothing, paths may lead on: there is nothing below.
        """
        names = [path for path in self.args.get("include", "").split(",") if path]
        if self._nothing:
            names = [path.partition(".")[0] for path in names]
        for name in names:
            if name not in self._includes and name not in self._nothing:
                raise BadParameter(
                    f"This cannot be included. {possible(self._includes)}", parameter="include"
                )
        held = dict.fromkeys(name for name in names if name in self._includes)
        return tuple(name.replace("-", "_") for name in held)

    def _parse_fields(self) -> dict[str, list[str]]:
        fields = {}
        for name, value in self.args.items():
            if _family(name) == "fields":
                type_ = name[len("fields[") : -1]
                wanted = [field.replace("-", "_") for field in value.split(",") if field]
                known = self._names.get(type_)
                if known is None or not known.issuperset(wanted):
                    raise BadParameter("This type has no such field.", parameter=name)
                fields[type_] = wanted
        return fields

    def _parse_sort(self) -> list[ColumnElement[Any]]:
        order: list[ColumnElement[Any]] = []
        names = [name for name in self.args.get("sort", "").split(",") if name]
        if len(names) > len(self._sorts):
            raise BadParameter("Too many names to sort by.", parameter="sort")
        for name in names:
            column = self._sorts.get(name.removeprefix("-"))
            if column is None:
                raise BadParameter(
                    f"This cannot be sorted by. {possible(self._sorts)}", parameter="sort"
                )
            order.append(column.desc() if name.startswith("-") else column.asc())
        return order

    def _parse_page(self, name: str, default: int, largest: int | None) -> int:
        text = self.args.get(name)
        if text is None:
            return default
        if not NUMBER.fullmatch(text) or not 1 <= int(text) <= (largest or int(text)):
            bounds = f" to {largest}" if largest else " or more"
            raise BadParameter(f"This must be a number, 1{bounds}.", parameter=name)
        return int(text)


def _family(name: str) -> str | None:
    """Return JSON:API's parameter family that *name* belongs to, or means to."""
    stem = name.split("[", 1)[0]
    return stem if stem in FAMILIES else None
