"""Pages of a list, newest first, with Stripe's cursors (`starting_after`, `ending_before`)."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from flask import Response, request

from .current import local_stripe
from .errors import invalid_parameter, no_such
from .parameters import integer, nested, only, text

PARAMETERS = ("limit", "starting_after", "ending_before", "created", "expand")
DEFAULT_LIMIT, LARGEST_LIMIT = 10, 100
COMPARISONS: dict[str, Callable[[int, int], bool]] = {
    "gt": lambda created, bound: created > bound,
    "gte": lambda created, bound: created >= bound,
    "lt": lambda created, bound: created < bound,
    "lte": lambda created, bound: created <= bound,
}


class Listed(Protocol):
    id: str
    created: int


def page(kind: str, oldest_first: Sequence[Listed], show: Callable[[Any], Any]) -> Response:
    """Answer the request's page of *oldest_first*, whose members are called *kind*."""
    given = only(nested(request.args.items(multi=True)), PARAMETERS)
    limit = read_limit(given)
    newest_first = sorted(oldest_first, key=lambda each: each.created)[::-1]
    matching = created_within(given, newest_first)
    after, before = text(given, "starting_after"), text(given, "ending_before")
    if after and before:
        message = "You can only specify one of these parameters: starting_after, ending_before."
        raise invalid_parameter(message, "starting_after")
    if before:
        left = up_to(kind, newest_first, matching, before)
        shown, more = left[-limit:], len(left) > limit
    else:
        left = beyond(kind, newest_first, matching, after) if after else matching
        shown, more = left[:limit], len(left) > limit
    body = {"object": "list", "data": [show(each) for each in shown], "has_more": more}
    return local_stripe().json({**body, "url": request.path})


def read_limit(given: dict[str, Any]) -> int:
    limit = integer(text(given, "limit") or str(DEFAULT_LIMIT), "limit")
    if limit < 1:
        message = "This value must be greater than or equal to 1."
        raise invalid_parameter(message, "limit", "parameter_invalid_integer")
    if limit > LARGEST_LIMIT:
        message = (
            f"This value must be less than or equal to {LARGEST_LIMIT} (it currently is '{limit}')."
        )
        raise invalid_parameter(message, "limit")
    return limit


def created_within(given: dict[str, Any], members: Sequence[Listed]) -> list[Listed]:
    """Return those that match `created` (a time, or bounds by name)."""
    wanted = given.get("created")
    if wanted is None:
        return list(members)
    if isinstance(wanted, str):
        moment = integer(wanted, "created")
        return [each for each in members if each.created == moment]
    bounds = [
        (COMPARISONS[name], integer(bound, f"created[{name}]"))
        for name, bound in only(wanted, COMPARISONS).items()
    ]
    return [each for each in members if all(holds(each.created, bound) for holds, bound in bounds)]


def beyond(kind: str, everything: Sequence[Listed], matching: list[Listed], cursor: str):
    position = place(kind, everything, cursor, "starting_after")
    later = {each.id for each in everything[position + 1 :]}
    return [each for each in matching if each.id in later]


def up_to(kind: str, everything: Sequence[Listed], matching: list[Listed], cursor: str):
    position = place(kind, everything, cursor, "ending_before")
    earlier = {each.id for each in everything[:position]}
    return [each for each in matching if each.id in earlier]


def place(kind: str, everything: Sequence[Listed], cursor: str, param: str) -> int:
    for position, each in enumerate(everything):
        if each.id == cursor:
            return position
    raise no_such(kind, cursor, param, status=400)
