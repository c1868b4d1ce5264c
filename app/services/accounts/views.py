"""Reading connected accounts, each with how many events use it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Boolean,
    Row,
    Select,
    String,
    bindparam,
    column,
    func,
    select,
    union,
)
from sqlalchemy.orm import aliased

from app.auth.policy import Caller
from app.db.pages import Page
from app.db.reads import read
from app.errors import NotFound
from app.models import StripeAccount, StripeAuthorization
from app.services.accounts.connections import ACTIVE, is_imported_of, is_own
from app.services.platform.registration import CURRENT_MODE

ACCOUNT_ID, LIVEMODE = column("stripe_user_id", String), column("livemode", Boolean)


@dataclass(frozen=True, slots=True)
class AccountView:
    """An account as a user who may use it sees it; *linked_events* is how many use it."""

    id: str
    livemode: bool
    display_name: str | None
    account_status: str
    country: str | None
    linked_events: int
    account_checked_at: datetime | None

    @property
    def stripe_user_id(self) -> str:
        """The account's id, as links call it."""
        return self.id


def _columns(table: Any) -> Select[Any]:
    return select(table.stripe_user_id, table.livemode)


FINISHED = StripeAccount.finished_at.is_not(None)
CALLER = bindparam("caller_id", type_=StripeAccount.id.type)
OWN = union(
    _columns(StripeAccount).where(is_own(CALLER), FINISHED),
    _columns(StripeAuthorization).where(is_imported_of(CALLER)),
).subquery()
ALL = union(
    _columns(StripeAccount).where(ACTIVE, FINISHED, StripeAccount.origin == "onboarding"),
    _columns(StripeAuthorization),
).subquery()


def list_accounts(caller: Caller, page: Page) -> tuple[int, list[AccountView]]:
    """
    Return how many accounts *caller* may use, and a page of them: their own, or for administrators
    all. They are of the current mode unless *page* has conditions (on LIVEMODE).

    Accounts with unfinished onboarding are left out.
    """
    conditions = page.filters or [LIVEMODE == CURRENT_MODE]
    accounts = ALL if caller.is_admin else OWN
    known = {} if caller.is_admin else {"caller_id": caller.id}
    count = read(select(func.count()).select_from(accounts).where(*conditions), known)[0][0]
    rows = read(page.of(_seen(accounts).where(*conditions), ACCOUNT_ID), known)
    return count, [_to_view(row) for row in rows]


def read_account(account_id: str, caller: Caller) -> AccountView:
    """
    Return the account, of the current mode if it is connected in both.

    Raises NotFound if it is not one that *caller* may use.
    """
    accounts = ALL if caller.is_admin else OWN
    known = {} if caller.is_admin else {"caller_id": caller.id}
    found = _seen(accounts).where(ACCOUNT_ID.in_([account_id]))
    is_current = LIVEMODE == CURRENT_MODE
    rows = read(found.order_by(is_current.desc()).limit(1), known) if _is_id(account_id) else ()
    if not rows:
        raise NotFound("There is no such account, or it is not one that you connected.")
    return _to_view(rows[0])


def _is_id(account_id: str) -> bool:
    return account_id.isascii() and account_id.isprintable()


def _seen(accounts: Any) -> Select[Any]:
    """Return the accounts with what was last read of them at Stripe."""
    return select(
        accounts.c.stripe_user_id,
        accounts.c.livemode,
        *(
            func.coalesce(_latest(link, accounts, name), _latest(row, accounts, name)).label(name)
            for link, row in [(aliased(StripeAuthorization), aliased(StripeAccount))]
            for name in ("account_status", "display_name", "country", "account_checked_at")
        ),
        _count(accounts).label("linked_events"),
    ).select_from(accounts)


def _latest(table: Any, accounts: Any, name: str) -> Any:
    """Return the value that the row with the latest reading of the account has."""
    return (
        select(getattr(table, name))
        .where(
            table.stripe_user_id == accounts.c.stripe_user_id,
            table.livemode == accounts.c.livemode,
        )
        .order_by(table.account_checked_at.desc().nulls_last(), table.id)
        .limit(1)
        .scalar_subquery()
    )


def _count(accounts: Any) -> Any:
    link = aliased(StripeAuthorization)
    of_account = (link.stripe_user_id == accounts.c.stripe_user_id) & (
        link.livemode == accounts.c.livemode
    )
    return select(func.count(link.id)).where(of_account).scalar_subquery()


def _to_view(row: Row[Any] | Any) -> AccountView:
    return AccountView(
        id=row.stripe_user_id,
        livemode=row.livemode,
        display_name=row.display_name,
        account_status=row.account_status,
        country=row.country,
        linked_events=row.linked_events,
        account_checked_at=row.account_checked_at,
    )
