"""Every link of the platform, for administrators: those that need attention first."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import ColumnElement, case, func, select

from app.auth.policy import Caller
from app.db.pages import Page
from app.db.reads import read
from app.errors import Forbidden
from app.models import Event, StripeAuthorization, StripeDeauthorization, User
from app.services.identifiers import event_reference

Standing = Literal["attention", "active", "unknown"]
STANDING = case(
    (StripeAuthorization.account_status == "active", "active"),
    (StripeAuthorization.account_status == "restricted", "attention"),
    (StripeAuthorization.account_checked_at.is_not(None), "attention"),
    else_="unknown",
)


@dataclass(frozen=True, slots=True)
class LinkOverview:
    """A link with its event, and how it stands."""

    id: int
    event_id: int
    event_name: str
    event_identifier: str
    stripe_user_id: str
    display_name: str | None
    livemode: bool
    account_status: str
    linked_at: datetime
    linked_by: str | None
    standing: Standing

    @property
    def event_reference(self) -> str:
        """What names the event in the addresses of pages."""
        return event_reference(self.event_id, self.event_identifier)


@dataclass(frozen=True, slots=True)
class Undelivered:
    """An account that Stripe would not disconnect, which needs a person."""

    stripe_user_id: str
    livemode: bool
    client_id: str
    error_code: str | None


def list_links(
    caller: Caller, page: Page, standing: str | None = None
) -> tuple[int, list[LinkOverview]]:
    """
    Return how many links there are in *standing* (default: in any), and a page of them, those that
    need attention first. Raises Forbidden unless *caller* is an administrator.
    """
    _require_admin(caller)
    row = StripeAuthorization
    there: list[ColumnElement[bool]] = [Event.deleted_at.is_(None)]
    if standing is not None:
        there.append(STANDING == standing)  # noqa: SIM300 - a condition, not a comparison
    count = read(
        select(func.count()).select_from(row).join(Event, Event.id == row.event_id).where(*there)
    )[0][0]
    found = (
        select(
            row.id,
            Event.id.label("event_id"),
            Event.name,
            Event.identifier,
            row.stripe_user_id,
            row.display_name,
            row.livemode,
            row.account_status,
            row.linked_at,
            User.email,
            STANDING,
        )
        .join(Event, Event.id == row.event_id)
        .outerjoin(User, User.id == row.linked_by_id)
        .where(*there)
        .order_by((STANDING == "attention").desc(), row.id.desc())
        .limit(page.size)
        .offset((page.number - 1) * page.size)
    )
    return count, [LinkOverview(*each) for each in read(found)]


def list_undelivered(caller: Caller) -> list[Undelivered]:
    """Return the accounts that Stripe would not disconnect. Raises Forbidden."""
    _require_admin(caller)
    row = StripeDeauthorization
    found = read(
        select(row.stripe_user_id, row.livemode, row.client_id, row.error_code)
        .where(row.done_at.is_(None), row.needs_person)
        .order_by(row.id)
        .limit(50)
    )
    return [Undelivered(*each) for each in found]


def _require_admin(caller: Caller) -> None:
    if not caller.is_admin:
        raise Forbidden("Only administrators can see every link.")
