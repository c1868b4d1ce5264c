"""
How connected accounts are doing: read at Stripe with the platform's key, kept as a snapshot.

It is looked at after linking, when Stripe says that something changed, and on demand once a minute
at most, whichever instance is asked. Nobody waits for it: what is not known yet is `unknown`.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.clients.stripe import AccountNotConnected, AccountSnapshot, StripeConnect
from app.db.clock import database_now
from app.db.reads import read
from app.db.transactions import transaction
from app.errors import StripeBusy, StripeError
from app.models import StripeAuthorization
from app.security.logs import log
from app.services.accounts import disconnection
from app.services.deauthorization.outbox import lock_accounts
from app.services.platform.registration import Platform, read_platform

ON_DEMAND = timedelta(seconds=60)
ANSWER_TIME = 5.0  # seconds that Stripe has, where nobody waits
Found = Literal["kept", "disconnected", "unknown", "not-due"]


@dataclass(frozen=True)
class Sighting:
    """
    What Stripe said about an account: a *snapshot*, or that it *is_cut*, or nothing of use.

    *asked_at* is the moment before it was asked, by the database's clock.
    """

    asked_at: datetime
    platform: Platform
    snapshot: AccountSnapshot | None = None
    is_cut: bool = False


def look_at(
    account_id: str, livemode: bool, stripe: StripeConnect, *, timeout: float = ANSWER_TIME
) -> Sighting:
    """
    Ask Stripe about the account, with the platform's key of that mode; no database is held.

    Raises StripeBusy, with nothing asked, if this process has no place for another call.
    """
    platform = read_platform(livemode)
    now = read(select(database_now()))[0][0]
    if not platform.secret_key:
        return Sighting(now, platform)
    try:
        snapshot = stripe.read_account(
            account_id, secret_key=platform.secret_key, timeout=min(timeout, stripe.timeout)
        )
    except AccountNotConnected:
        return Sighting(now, platform, is_cut=True)
    except StripeBusy:
        raise
    except StripeError as error:
        log.warning("account not read", account=account_id, code=error.code, cause=error.cause)
        return Sighting(now, platform)
    return Sighting(now, platform, snapshot)


def keep_snapshot(session: Session, livemode: bool, sighting: Sighting) -> None:
    """Write what was seen to every link to the account, unless somebody has looked later."""
    snapshot = sighting.snapshot
    if snapshot is None:
        return
    checked_at = StripeAuthorization.account_checked_at
    session.execute(
        update(StripeAuthorization)
        .where(
            StripeAuthorization.stripe_user_id == snapshot.account_id,
            StripeAuthorization.livemode == livemode,
            checked_at.is_(None) | (checked_at <= sighting.asked_at),
        )
        .values(
            account_status=snapshot.status,
            display_name=snapshot.display_name,
            account_checked_at=sighting.asked_at,
        )
        .execution_options(synchronize_session=False)
    )


def refresh(
    account_id: str, livemode: bool, stripe: StripeConnect, *, unless_since: datetime | None = None
) -> Found:
    """
    Look at the account and keep what is seen, for all its links in that mode.

    Not if all of them were looked at since *unless_since* (default: within the last minute): the
    look is claimed in the database first, so that any number of instances share it. Links to an
    account that Stripe does not know as connected any more are erased. Raises StripeBusy.
    """
    if not _claim(account_id, livemode, unless_since):
        return "not-due"
    sighting = look_at(account_id, livemode, stripe)
    if sighting.snapshot is not None:
        with transaction() as session:
            keep_snapshot(session, livemode, sighting)
        return "kept"
    if sighting.is_cut and _is_platforms_own(sighting.platform, stripe):
        return _erase(account_id, livemode, sighting)
    return "unknown"


def _claim(account_id: str, livemode: bool, unless_since: datetime | None) -> bool:
    """Note that the account is being looked at; False if there is no link that needs it."""
    with transaction() as session:
        lock_accounts(session, livemode, account_id)
        now = session.scalar(select(database_now()))
        bound = now - ON_DEMAND if unless_since is None else unless_since
        links = disconnection.find_links(session, account_id, livemode)
        if all(link.account_checked_at and link.account_checked_at > bound for link in links):
            return False
        for link in links:
            link.account_checked_at = now
        return True


def _is_platforms_own(platform: Platform, stripe: StripeConnect) -> bool:
    """
    Whether "not connected" may be believed: not if key and client id belong to two platforms.

    An administrator who has put a wrong key into the settings must not lose every link by it.
    """
    if not (platform.client_id and platform.secret_key):
        return False
    check = stripe.check_platform(client_id=platform.client_id, secret_key=platform.secret_key)
    return check.outcome not in ("wrong-key", "wrong-client-id")


def _erase(account_id: str, livemode: bool, sighting: Sighting) -> Found:
    """Erase the links that were there when Stripe was asked, if they are to the same platform."""
    with transaction() as session:
        lock_accounts(session, livemode, account_id)
        client_id = sighting.platform.client_id
        links = [
            link
            for link in disconnection.find_links(session, account_id, livemode)
            if link.client_id == client_id and link.linked_at <= sighting.asked_at
        ]
        for link in links:
            disconnection.erase_link(session, link, sighting.asked_at)
        if not links:
            return "unknown"
        disconnection.note_cut(session, account_id, livemode, client_id)
        disconnection.settle_debts(session, account_id, livemode, client_id, sighting.asked_at)
    log.warning("disconnected at Stripe", account=account_id, livemode=livemode, links=len(links))
    return "disconnected"
