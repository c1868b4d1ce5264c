"""What pages show about a link besides the link itself: who made it, and who shares its account."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, func, select

from app.auth.policy import Caller, works_at
from app.db.reads import read, read_time
from app.models import Event, PaymentIntent, StripeAccount, StripeAuthorization, User

RECENTLY = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class LinkSummary:
    """A link of an event in one mode, and the address of who made it, if they are known here."""

    id: int
    livemode: bool
    stripe_user_id: str
    linked_at: datetime
    linked_by: str | None


@dataclass(frozen=True, slots=True)
class OtherEvents:
    """Other events that use an account: *names* of those that a reader may see, and the rest."""

    names: list[str]
    hidden: int


def links_of_event(event_id: int) -> list[LinkSummary]:
    """Return the event's links in both modes, for people who work there."""
    row = StripeAuthorization
    found = read(
        select(
            row.id, row.livemode, row.stripe_user_id, row.linked_at, User.email.label("linked_by")
        )
        .outerjoin(User, User.id == row.linked_by_id)
        .where(row.event_id == event_id)
    )
    return [LinkSummary(*each) for each in found]


def other_events(link_id: int, caller: Caller, most: int = 20) -> OtherEvents:
    """Return the other events that share the account of the link, as *caller* may know of them."""
    ours, other = StripeAuthorization, StripeAuthorization.__table__.alias("other")
    sharing = (
        select(Event.id)
        .join(other, other.c.event_id == Event.id)
        .join(
            ours,
            (ours.stripe_user_id == other.c.stripe_user_id) & (ours.livemode == other.c.livemode),
        )
        .where(ours.id == link_id, other.c.id != link_id, Event.deleted_at.is_(None))
    )
    visible: ColumnElement[bool] = Event.id.in_(sharing)
    if not caller.is_admin:
        visible &= (Event.state == "published") | works_at(Event.id, caller)
    names = [
        row.name for row in read(select(Event.name).where(visible).order_by(Event.name).limit(most))
    ]
    total = read(select(func.count()).select_from(sharing.subquery()))[0][0]
    return OtherEvents(names, total - len(names))


def count_payments(account_id: str, livemode: bool) -> int:
    """Return how many payments succeeded on the account in the last 90 days."""
    row = PaymentIntent
    since = read_time() - RECENTLY
    made = (row.stripe_user_id == account_id) & (row.livemode == livemode)
    found = select(func.count()).where(made, row.stripe_status == "succeeded")
    count: int = read(found.where(row.created_at > since))[0][0]
    return count


def has_unfinished_onboarding(event_id: int, caller: Caller, livemode: bool) -> bool:
    """Return whether *caller* has begun an onboarding for the event, and not finished it."""
    row = StripeAccount
    begun = (row.event_id == event_id) & (row.connected_by_id == caller.id)
    found = select(row.id).where(
        begun,
        row.livemode == livemode,
        row.stripe_user_id.is_not(None),
        row.finished_at.is_(None),
        row.disconnected_at.is_(None),
    )
    return bool(read(found.limit(1)))
