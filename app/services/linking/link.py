"""
Linking an event to a Stripe account, in three steps.

Claim the code (a short transaction), exchange it (no database), keep what was granted or give it
back (a short transaction). The attempt is committed before anything is sent, so the database
decides who may go to Stripe, and a code goes there at most once, ever.
"""

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TypeVar

from sqlalchemy.exc import InterfaceError, OperationalError, TimeoutError

from app.clients.stripe import AccountNotConnected, ConnectedAccount, StripeConnect
from app.errors import NotSaved, StripeError, StripeUnreadable
from app.models import StripeAuthorization
from app.security.logs import log
from app.services.deauthorization import outbox
from app.services.linking.claim import CODE, Claim, Wish, claim_code
from app.services.linking.complete import Settlement, keep_once, refuse_once

PATIENCE = 12  # seconds without a database before giving up
PAUSE = 0.2  # seconds between two tries
VERIFYING = 3  # seconds to find out whether an account was just cut
DATABASE_AWAY = (OperationalError, InterfaceError, TimeoutError)
T = TypeVar("T")


@dataclass(frozen=True)
class Grant:
    """An account that Stripe has granted, for what was claimed."""

    claim: Claim
    account: ConnectedAccount


def exchange_code(wish: Wish, stripe: StripeConnect) -> Grant | StripeAuthorization:
    """
    Claim the code that *wish* brings and spend it at Stripe; or return the link that it made
    before.

    Raises what `claim_code` raises, with nothing sent; or a StripeError, which is remembered with
    the attempt. No database connection is held while Stripe is asked.
    """
    with ExitStack() as place:
        claim = claim_code(wish, reserve=lambda: place.enter_context(stripe.reserve()))
        if isinstance(claim, StripeAuthorization):
            return claim
        try:
            account = stripe.exchange_code(
                wish.code,
                secret_key=claim.platform.secret_key,
                livemode=claim.platform.livemode,
            )
        except StripeError as error:
            place.close()
            _close_failed(claim, error, stripe)
            raise
    return Grant(claim, account)


def keep_account(grant: Grant, stripe: StripeConnect) -> StripeAuthorization:
    """
    Keep the account and finish the attempt, in one transaction, or give the account back.

    Tried again while the database is away, for PATIENCE seconds; the exchange never is. Raises
    NotFound, Forbidden, StripeDisabled, StripeModeMismatch or Conflict if what was checked before
    holds no longer, StripeUnreadable if the account was cut meanwhile, and NotSaved if the database
    stays away: the account's id is in the log then, as `needs-person`.
    """
    try:
        settlement = _settle(grant, stripe)
    except Exception as error:
        raise _not_saved(grant, error) from error
    _pay(settlement, stripe)
    if settlement.authorization is None:
        raise settlement.error or _was_cut()
    return settlement.authorization


def _settle(grant: Grant, stripe: StripeConnect) -> Settlement:
    """Keep the account, or find out first whether a cut that came between has hit it."""
    claim, account = grant.claim, grant.account
    confirmed: datetime | None = None
    give_up = time.monotonic() + VERIFYING
    while True:
        settlement = _persist(partial(keep_once, claim, account, confirmed), stripe)
        if settlement.cut_at is None:
            return settlement
        if settlement.is_cutting and time.monotonic() < give_up:
            _wait(stripe)  # whoever is telling Stripe hears back, or their lease ends
        elif settlement.is_cutting or not _is_connected(grant, stripe):
            return _persist(partial(refuse_once, claim, account.account_id, _was_cut()), stripe)
        else:
            confirmed = settlement.cut_at


def _is_connected(grant: Grant, stripe: StripeConnect) -> bool:
    try:
        stripe.read_account(
            grant.account.account_id,
            secret_key=grant.claim.platform.secret_key,
            timeout=VERIFYING,
        )
    except (AccountNotConnected, StripeError):
        return False
    return True


def _close_failed(claim: Claim, error: StripeError, stripe: StripeConnect) -> None:
    """
    Remember what Stripe answered. What was not sent frees code and state; an account is given back.

    Without a database the attempt stays as it is, until its time is over.
    """
    try:
        settlement = _persist(partial(refuse_once, claim, error.granted_account, error), stripe)
    except DATABASE_AWAY:
        log.error("attempt not closed", attempt=claim.attempt_id, account=error.granted_account)
        return
    _pay(settlement, stripe)


def _pay(settlement: Settlement, stripe: StripeConnect) -> None:
    """Give back what is owed. If that fails it stays owed, and never fails the link."""
    for deauthorization_id in filter(None, settlement.owed):
        try:
            outbox.pay(deauthorization_id, stripe)
        except DATABASE_AWAY:
            log.error("deauthorization stays owed", deauthorization=deauthorization_id)


def _persist(work: Callable[[], T], stripe: StripeConnect) -> T:
    """Return what *work* returns; once the database is away, try again for PATIENCE seconds."""
    give_up: float | None = None
    while True:
        try:
            return work()
        except DATABASE_AWAY:
            now = time.monotonic()
            give_up = give_up or now + PATIENCE  # waiting for a lock or a connection comes before
            if now > give_up:
                raise
            _wait(stripe)


def _wait(stripe: StripeConnect) -> None:
    with stripe.waiting():
        time.sleep(PAUSE)


def _was_cut() -> StripeUnreadable:
    return StripeUnreadable(
        "Stripe disconnected the account while it was being connected."
        " Please connect with Stripe again.",
        pointer=CODE,
    )


def _not_saved(grant: Grant, error: Exception) -> NotSaved:
    log.critical(
        "needs-person",
        reason="Stripe granted access and it could not be saved",
        account=grant.account.account_id,
        livemode=grant.account.livemode,
        event_id=grant.claim.event_id,
        attempt=grant.claim.attempt_id,
        kind=type(error).__name__,
    )
    return NotSaved(
        "Stripe has connected the account, but it could not be saved here."
        " Please tell the administrator, and connect with Stripe again later.",
        pointer=CODE,
    )
