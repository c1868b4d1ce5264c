"""Events as a caller sees them."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import fields, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, bindparam, func, or_, select

from app.auth.policy import COORGANIZER, Caller, Role, role_rank, works_at
from app.db.clock import database_now
from app.db.pages import Page
from app.errors import NotFound
from app.extensions import db
from app.models import Event, Setting, StripeAuthorization, User, UsersEventsRole
from app.services.events.views import EventView, FoundEvent
from app.services.identifiers import event_key, is_event
from app.services.linking.links import to_view
from app.services.platform.registration import CURRENT_MODE
from app.services.users import SHOWN, UserView, view_of

THERE_IS_NONE = "There is no such event."
PEOPLE = {"owner": "owner", "organizers": "organizer", "coorganizers": "coorganizer"}
COLUMNS = {column.key for column in Event.__table__.columns}
# What the views take as it is in the table.
DECISIVE = tuple(each.name for each in fields(FoundEvent) if each.name in COLUMNS)
VISIBLE = tuple(each.name for each in fields(EventView) if each.name in COLUMNS)
FOUND = select(
    *(getattr(Event, name) for name in (*DECISIVE, "deleted_at")),
    role_rank(Event.id, bindparam("caller_id")).label("rank"),
)
LOCKED = (
    FOUND.add_columns(Setting)
    .join(Setting, Setting.id == 1)
    .with_for_update(key_share=True, of=Event)
    .execution_options(populate_existing=True)
)
WITH_LINK = (
    FOUND.add_columns(Setting, StripeAuthorization, database_now().label("now"))
    .select_from(Event)
    .join(Setting, Setting.id == 1)
    .outerjoin(
        StripeAuthorization,
        (StripeAuthorization.event_id == Event.id)
        & (StripeAuthorization.livemode == (Setting.stripe_mode == "production")),
    )
    .execution_options(populate_existing=True)
)
# By the column that names the event. Built once: putting them together takes longer than running
# them.
FIND, LOCK, FIND_WITH_LINK = (
    {name: each.where(getattr(Event, name) == bindparam("key")) for name in ("id", "identifier")}
    for each in (FOUND, LOCKED, WITH_LINK)
)


def find_event(reference: str, caller: Caller, *, field: str | None = None) -> FoundEvent:
    """
    Return the event that *reference* names, with *caller*'s role at it.

    Raises NotFound if there is none, if it was deleted, or if it is a draft and not the caller's.
    """
    return _find_one(FIND, reference, caller, field)[1]


def lock_event(
    reference: str, caller: Caller, *, field: str | None = None
) -> tuple[FoundEvent, Setting]:
    """
    Return the event like `find_event`, and the settings, in one statement.

    No other transaction can change, link or unlink the event until this one ends. *field* says
    what the NotFound is about, where a document names the event.
    """
    row, event = _find_one(LOCK, reference, caller, field)
    return event, row.Setting


def find_event_with_link(
    reference: str, caller: Caller, *, field: str | None = None
) -> tuple[FoundEvent, Setting, StripeAuthorization | None, datetime]:
    """
    Return the event like `find_event`, the settings, its link in the mode in force and the time by
    the database's clock, in one statement.
    """
    row, event = _find_one(FIND_WITH_LINK, reference, caller, field)
    return event, row.Setting, row.StripeAuthorization, row.now


def _find_one(
    statements: Mapping[str, Select[Any]], reference: str, caller: Caller, field: str | None
) -> tuple[Row[Any], FoundEvent]:
    """Return the row of an event that *caller* may know of, and the event."""
    column, key = event_key(reference)
    found = db.session.execute(statements[column], {"key": key, "caller_id": caller.id})
    row = found.one_or_none()
    if row is None or row.deleted_at is not None:
        raise NotFound(THERE_IS_NONE, field=field)
    role = caller.role(row.id, row.rank)
    if row.state == "draft" and role < COORGANIZER:
        raise NotFound(THERE_IS_NONE, field=field)
    return row, FoundEvent(**{name: getattr(row, name) for name in DECISIVE}, role=role)


def read_event(reference: str, caller: Caller) -> EventView:
    """
    Return the event that *reference* names, as *caller* sees it.

    Raises NotFound like `find_event`.
    """
    row = db.session.execute(
        _seen_by(caller).where(is_event(reference), _is_visible(caller))
    ).one_or_none()
    if row is None:
        raise NotFound(THERE_IS_NONE)
    return _to_view(row, caller)


def read_events(event_ids: list[int], caller: Caller) -> dict[int, EventView]:
    """Return those of the events that *caller* may see, by id, in one statement."""
    rows = db.session.execute(_seen_by(caller).where(Event.id.in_(event_ids), _is_visible(caller)))
    return {row.id: _to_view(row, caller) for row in rows}


def list_events(caller: Caller, page: Page) -> tuple[int, list[EventView]]:
    """
    Return how many events *caller* may see (published ones and their own), and a page of them.
    """
    conditions = [_is_visible(caller), *page.filters]
    count = db.session.scalar(select(func.count()).select_from(Event).where(*conditions))
    rows = db.session.execute(page.of(_seen_by(caller).where(*conditions), Event.id))
    return count or 0, [_to_view(row, caller) for row in rows]


def list_own_events(caller: Caller, page: Page, name: str = "") -> tuple[int, list[EventView]]:
    """
    Return how many events *caller* works at, and a page of them, the next ones first; all events
    for administrators. *name* is a part of the names that are wanted.
    """
    own = [] if caller.is_admin else [works_at(Event.id, caller)]
    named = [Event.name.icontains(name, autoescape=True)] if name else []
    filters = [*page.filters, *own, *named]
    order = page.order or [Event.starts_at.desc()]
    return list_events(caller, replace(page, filters=filters, order=order))


def with_people(events: Sequence[EventView], wanted: Collection[str]) -> list[EventView]:
    """
    Return *events* with their people, in one statement. *wanted* are names of PEOPLE.

    Who works at several of the events is one person in the answer, and shown as at the one of them
    to which the caller is most: in whatever order the events come.
    """
    rows = db.session.execute(
        select(
            UsersEventsRole.event_id,
            UsersEventsRole.role.label("has"),
            *(getattr(User, name) for name in SHOWN),
        )
        .join(User, User.id == UsersEventsRole.user_id)
        .where(
            UsersEventsRole.event_id.in_([event.id for event in events]),
            UsersEventsRole.role.in_([PEOPLE[name] for name in wanted]),
        )
        .order_by(UsersEventsRole.id)
    ).all()
    people = _people(rows, {event.id: event.role for event in events})
    return [replace(event, **_team(event.id, rows, people, wanted)) for event in events]


def _people(rows: Iterable[Row[Any]], roles: dict[int, Role]) -> dict[int, UserView]:
    most: dict[int, Role] = {}
    for row in rows:
        most[row.id] = max(roles[row.event_id], most.get(row.id, Role.ANYONE))
    return {row.id: view_of(row, most[row.id]) for row in rows}


def _team(
    event_id: int, rows: Iterable[Row[Any]], people: dict[int, UserView], wanted: Collection[str]
) -> dict[str, Any]:
    team: dict[str, Any] = {
        name: tuple(
            people[row.id] for row in rows if row.event_id == event_id and row.has == PEOPLE[name]
        )
        for name in wanted
    }
    if "owner" in team:
        team["owner"] = next(iter(team["owner"]), None)
    return team


def _seen_by(caller: Caller) -> Select[Any]:
    return select(
        *(getattr(Event, name) for name in VISIBLE),
        role_rank(Event.id, caller.id).label("rank"),
        StripeAuthorization,
    ).outerjoin(
        StripeAuthorization,
        (StripeAuthorization.event_id == Event.id) & (StripeAuthorization.livemode == CURRENT_MODE),
    )


def _is_visible(caller: Caller) -> ColumnElement[bool]:
    there = Event.deleted_at.is_(None)
    if caller.is_admin:
        return there
    return there & or_(Event.state == "published", works_at(Event.id, caller))


def _to_view(row: Row[Any], caller: Caller) -> EventView:
    """Return the event with what is linked, unless *caller* may not see that."""
    role, link = caller.role(row.id, row.rank), row.StripeAuthorization
    is_linked = link is not None and row.can_pay_by_stripe
    may_see = link is not None and (is_linked or role >= COORGANIZER)
    return EventView(
        **{name: getattr(row, name) for name in VISIBLE},
        role=role,
        is_stripe_linked=is_linked,
        stripe_authorization=to_view(link, role) if may_see else None,
    )
