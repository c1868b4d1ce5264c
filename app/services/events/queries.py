"""Events as a caller sees them."""

from sqlalchemy import ColumnElement, Row, Select, bindparam, func, or_, select
from sqlalchemy.orm import joinedload

from app.auth.policy import COORGANIZER, Caller, has_role, role_rank
from app.db.pages import Page
from app.errors import NotFound
from app.extensions import db
from app.models import Event, Setting, StripeAuthorization, User, UsersEventsRole
from app.services.identifiers import is_event
from app.services.linking.links import to_view
from app.services.platform.registration import CURRENT_MODE

THERE_IS_NONE = "There is no such event."
# Built once, but for the condition: putting them together takes longer than running them.
FOUND = select(Event, role_rank(Event.id, bindparam("caller_id")))
LOCKED = (
    FOUND.add_columns(Setting)
    .join(Setting, Setting.id == 1)
    .with_for_update(key_share=True, of=Event)
    .execution_options(populate_existing=True)
)


def find_event(reference: str, caller: Caller, *, field: str | None = None) -> Event:
    """
    Return the event meant by *reference* with `role`, what *caller* is to it.

    Raises NotFound if there is none, if it was deleted, or if it is a draft and not the caller's.
    """
    return _find_one(FOUND.where(is_event(reference)), caller, field)[0]


def lock_event(
    reference: str, caller: Caller, *, field: str | None = None, pointer: str | None = None
) -> tuple[Event, Setting]:
    """
    Return the event like `find_event`, and the settings, in one statement.

    Until the transaction ends nobody else changes the event, links it or unlinks it. *field* says
    what the NotFound is about, where a document names the event.
    """
    event, _, setting = _find_one(LOCKED.where(is_event(reference)), caller, field, pointer)
    return event, setting


def _find_one(
    statement: Select, caller: Caller, field: str | None = None, pointer: str | None = None
) -> Row:
    """Return the row of an event that *caller* may know of, and tell the event their role."""
    row = db.session.execute(statement, {"caller_id": caller.id}).one_or_none()
    if row is None or row[0].deleted_at is not None:
        raise NotFound(THERE_IS_NONE, field=field, pointer=pointer)
    event, role = row[0], caller.role(row[1])
    if event.state == "draft" and role < COORGANIZER:
        raise NotFound(THERE_IS_NONE, field=field, pointer=pointer)
    event.role = role
    return row


def read_event(reference: str, caller: Caller) -> Event:
    """
    Return the event meant by *reference* as *caller* sees it: with role and link of the current
    mode.

    Raises NotFound like `find_event`.
    """
    row = db.session.execute(
        _seen_by(caller).where(is_event(reference), _is_visible(caller))
    ).one_or_none()
    if row is None:
        raise NotFound(THERE_IS_NONE)
    return _with_link(row, caller)


def read_events(event_ids: list[int], caller: Caller) -> dict[int, Event]:
    """Return those of the events that *caller* may see, by id, in one statement."""
    rows = db.session.execute(_seen_by(caller).where(Event.id.in_(event_ids), _is_visible(caller)))
    return {row[0].id: _with_link(row, caller) for row in rows}


def add_people(events: list[Event]) -> None:
    """Tell *events* their people, in one statement: `owner`, `organizers` and `coorganizers`."""
    roles = db.session.scalars(
        select(UsersEventsRole)
        .where(UsersEventsRole.event_id.in_([event.id for event in events]))
        .options(joinedload(UsersEventsRole.user))
        .order_by(UsersEventsRole.id)
    ).all()
    for event in events:
        people: dict[str, list[User]] = {role: [] for role in ("owner", "organizer", "coorganizer")}
        for each in roles:
            if each.event_id == event.id:
                each.user.role = event.role
                people[each.role].append(each.user)
        event.owner = next(iter(people["owner"]), None)
        event.organizers, event.coorganizers = people["organizer"], people["coorganizer"]


def list_events(caller: Caller, page: Page) -> tuple[int, list[Event]]:
    """
    Return how many events *caller* may see (published ones and their own), and a page of them.
    """
    conditions = [_is_visible(caller), *page.filters]
    count = db.session.scalar(select(func.count()).select_from(Event).where(*conditions))
    rows = db.session.execute(page.of(_seen_by(caller).where(*conditions), Event.id))
    return count or 0, [_with_link(row, caller) for row in rows]


def _seen_by(caller: Caller) -> Select:
    return select(Event, role_rank(Event.id, caller.id), StripeAuthorization).outerjoin(
        StripeAuthorization,
        (StripeAuthorization.event_id == Event.id) & (StripeAuthorization.livemode == CURRENT_MODE),
    )


def _is_visible(caller: Caller) -> ColumnElement[bool]:
    there = Event.deleted_at.is_(None)
    if caller.is_admin:
        return there
    return there & or_(Event.state == "published", has_role(Event.id, caller.id))


def _with_link(row: Row, caller: Caller) -> Event:
    """Tell the event what the caller is to it and what is linked; hide what they may not see."""
    event, rank, authorization = row
    event.role = caller.role(rank)
    event.is_stripe_linked = authorization is not None and event.can_pay_by_stripe
    event.stripe_action_needed = (
        event.state == "published" and event.can_pay_by_stripe and not event.is_stripe_linked
    )
    may_see = event.is_stripe_linked or event.role >= COORGANIZER
    event.stripe_authorization = None
    if authorization is not None and may_see:
        event.stripe_authorization = to_view(authorization, event.role)
    return event
