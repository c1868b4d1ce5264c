"""Reading links: who sees which. Each is read in one statement, without ORM objects."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Row, bindparam, func, select

from app.auth.policy import COORGANIZER, Caller, Role, has_role, role_rank, works_at
from app.db.compiled import CompiledSelect
from app.db.pages import Page, PagedQuery
from app.db.reads import read
from app.errors import NotFound
from app.extensions import db
from app.models import Event, Setting, StripeAuthorization
from app.services.identifiers import event_key, read_id
from app.services.platform.registration import CURRENT_MODE, publishable_key_of

NOT_LINKED = "No Stripe account is connected here."


@dataclass(frozen=True, slots=True)
class LinkedEvent:
    """The event of a link, by its id, which is all that linkage needs."""

    id: int


@dataclass(slots=True)
class AuthorizationView:
    """
    A link as a caller with *role* at its event sees it; the schema hides what they may not see.
    """

    id: int
    event: Any
    role: Role
    livemode: bool
    stripe_publishable_key: str | None
    has_own_key: bool
    stripe_user_id: str
    scope: str
    linked_at: datetime
    method: str
    account_status: str
    display_name: str | None
    country: str | None
    account_checked_at: datetime | None

    @property
    def event_id(self) -> int:
        """The id of the event, for links."""
        event_id: int = self.event.id
        return event_id


IS_PUBLIC = (
    (Event.state == "published")
    & Event.can_pay_by_stripe
    & (StripeAuthorization.livemode == CURRENT_MODE)
)
LINKS = (
    select(
        StripeAuthorization.id,
        StripeAuthorization.event_id,
        StripeAuthorization.livemode,
        StripeAuthorization.stripe_publishable_key,
        StripeAuthorization.stripe_user_id,
        StripeAuthorization.scope,
        StripeAuthorization.linked_at,
        StripeAuthorization.method,
        StripeAuthorization.account_status,
        StripeAuthorization.display_name,
        StripeAuthorization.country,
        StripeAuthorization.account_checked_at,
        IS_PUBLIC.label("is_public"),
        role_rank(Event.id, bindparam("caller_id")).label("rank"),
    )
    .join(Event, Event.id == StripeAuthorization.event_id)
    .where(Event.deleted_at.is_(None))
)
# Built once, since building a statement costs as much as running it.
BY_ID = CompiledSelect(LINKS.where(StripeAuthorization.id == bindparam("id")))
OF_CURRENT_MODE = LINKS.where(StripeAuthorization.livemode == CURRENT_MODE)
BY_EVENT = {
    name: CompiledSelect(OF_CURRENT_MODE.where(getattr(Event, name) == bindparam(name)))
    for name in ("id", "identifier")
}
IS_OWN = has_role(Event.id, bindparam("caller_id"))
COUNT = (
    select(func.count())  # of rows, not of ids: an index alone then tells
    .select_from(StripeAuthorization)
    .join(Event, Event.id == StripeAuthorization.event_id)
    .where(Event.deleted_at.is_(None))
)
ALL = PagedQuery(LINKS, COUNT, StripeAuthorization.id)
OWN = PagedQuery(LINKS.where(IS_OWN), COUNT.where(IS_OWN), StripeAuthorization.id)


def read_authorization(authorization_id: str, caller: Caller) -> AuthorizationView:
    """Return the link with this id, of either mode. Raises NotFound if *caller* may not see it."""
    return _read_one(BY_ID, {"id": read_id(authorization_id)}, caller)


def read_event_authorization(event_reference: str, caller: Caller) -> AuthorizationView:
    """Return the event's link of the current mode. Raises NotFound if there is none to see."""
    column, value = event_key(event_reference)
    return _read_one(BY_EVENT[column], {column: value}, caller)


def list_authorizations(caller: Caller, page: Page) -> tuple[int, list[AuthorizationView]]:
    """Return how many links *caller* may see in full, of either mode, and a page of them."""
    if caller.is_service:
        page = replace(page, filters=[*page.filters, works_at(Event.id, caller)])
    listing = ALL if caller.is_admin or caller.is_service else OWN
    total, rows = listing.read(page, {"caller_id": caller.id})
    return total, [to_view(row, caller.role(row.event_id, row.rank)) for row in rows]


def _read_one(
    statement: CompiledSelect, parameters: dict[str, Any], caller: Caller
) -> AuthorizationView:
    rows = read(statement, {**parameters, "caller_id": caller.id})
    role = caller.role(rows[0].event_id, rows[0].rank) if rows else None
    if role is None or not (rows[0].is_public or role >= COORGANIZER):
        raise NotFound(NOT_LINKED)
    return to_view(rows[0], role)


def to_view(row: Row[Any] | StripeAuthorization, role: Role) -> AuthorizationView:
    """
    Return a link (a row of this module's statements, or the model) as a caller with *role* sees it.

    An account without a publishable key of its own is charged with the platform's, of its mode.
    """
    key = row.stripe_publishable_key
    return AuthorizationView(
        id=row.id,
        event=LinkedEvent(row.event_id),
        role=role,
        livemode=row.livemode,
        stripe_publishable_key=key or _platform_key(row.livemode),
        has_own_key=key is not None,
        stripe_user_id=row.stripe_user_id,
        scope=row.scope,
        linked_at=row.linked_at,
        method=row.method,
        account_status=row.account_status,
        display_name=row.display_name,
        country=row.country,
        account_checked_at=row.account_checked_at,
    )


def _platform_key(livemode: bool) -> str | None:
    return publishable_key_of(db.session.get_one(Setting, 1), livemode)
