"""
What a line of the table of routes says, and how an application gets its addresses from it.

Registration, the guard, the limits on bodies and bursts, the documentation and the metrics' labels
all read the same table (`app/routes.py`).
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any

from flask import Flask, current_app, request
from flask.views import View

from app.auth.policy import Right
from app.db.transactions import repeat_until_committed

LARGEST_BODY = 1024 * 1024  # bytes


@dataclass(frozen=True)
class Route:
    """
    One resource: its *addresses* (the first is the one to use), and the right that each method
    takes. A method without a right does not exist.

    *largest_body* is in bytes. Requests with the header *burst_proof* come in bursts: of those only
    a few compute at one moment. *plain_json* addresses speak plain JSON, whose refusals have
    `error`. A *page* is for people: it knows them by the console's cookie, and its refusals are
    pages too. Where a route *signs_in*, it is given a password.
    """

    addresses: tuple[str, ...]
    view: type[View] | Callable[..., Any]
    rights: Mapping[str, Right]
    largest_body: int = LARGEST_BODY
    burst_proof: str | None = None
    plain_json: bool = False
    page: bool = False
    signs_in: bool = False

    def right(self, method: str) -> Right | None:
        """Return what *method* takes; None if it is not declared."""
        return self.rights.get("GET" if method == "HEAD" else method)


def register(app: Flask, routes: Iterable[Route]) -> None:
    """Give *app* the addresses of *routes*, each with the methods that have a right."""
    table: dict[str, Route] = app.extensions.setdefault("routes", {})
    for route in routes:
        view = _view_function(route.view)
        for address in route.addresses:
            table[address] = route
            app.add_url_rule(address, _endpoint(route.view), view, methods=list(route.rights))


def _endpoint(view: Any) -> str:
    """Return a name that no other view has: functions of two modules may share theirs."""
    return view.__name__ if isinstance(view, type) else f"{view.__module__}.{view.__name__}"


def _view_function(view: Any) -> Callable[..., Any]:
    is_class = isinstance(view, type) and issubclass(view, View)
    function = view.as_view(view.__name__) if is_class else view

    @wraps(function)
    def repeatable(**values: Any) -> Any:
        """Run a view again if its database connection was lost before it had committed anything."""
        asked = request.args

        def answer() -> Any:
            request.args = asked  # a resource empties them
            return function(**values)

        return repeat_until_committed(answer)

    return repeatable


def current_route() -> Route | None:
    """Return the route of this request, also where only the method is not one of its own."""
    table: dict[str, Route] = current_app.extensions["routes"]
    return table.get(request.url_rule.rule if request.url_rule else request.path)


def routes_of(app: Flask) -> dict[str, Route]:
    """Return the table by address."""
    table: dict[str, Route] = app.extensions["routes"]
    return table
