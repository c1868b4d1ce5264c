"""
Creating an account at Stripe, at most once per row: ask, or find it by our own metadata.

A keyed call (`app/services/keyed_calls.py`). Where Stripe has forgotten the key, or only repeats a
failure under it, its accounts are searched before another key is used.
"""

import json
import secrets
from dataclasses import replace
from functools import partial

from sqlalchemy.orm import Session

from app.clients.stripe import AccountNotConnected, SavedFault, StripeConnect
from app.db.clock import current_time
from app.db.transactions import transaction
from app.errors import Conflict, StripeError, StripeRejectedPlatform
from app.models import StripeAccount
from app.security.logs import log
from app.services.keyed_calls import CLOCK_SKEW, Failure, find_listed, lease_end, retry_after
from app.services.onboarding.claim import OUR_METADATA, UNDER_WAY, Claim
from app.services.onboarding.outcome import is_key_spent, was_never_sent
from app.services.persistence import persist

DENIED = "Stripe does not let this platform create accounts: please ask the administrator."


def obtain_account(claim: Claim, stripe: StripeConnect) -> str:
    """
    Return the id of the account of *claim*: the one that is there, or a new one.

    No database connection is held while Stripe is asked. Raises a StripeError; the same request may
    be made again, and brings the same account.
    """
    if claim.account_id is not None:
        return claim.account_id
    try:
        account_id = _ask(claim, stripe) if claim.step == "ask" else _find(claim, stripe)
    except SavedFault as error:
        _note_failure(claim, error, stripe)
        raise
    except (StripeError, AccountNotConnected) as error:
        _note_failure(claim, error, stripe)
        raise _told(error) from None
    persist(partial(_record, claim.row_id, account_id), stripe.waiting)
    return account_id


def _ask(claim: Claim, stripe: StripeConnect) -> str:
    """Ask under the row's key; if Stripe only repeats a failure under it, find out the rest."""
    try:
        return _create(claim, stripe)
    except SavedFault:
        return _find(claim, stripe)


def _find(claim: Claim, stripe: StripeConnect) -> str:
    """Return the account that carries our reference; if there is none, ask under another key."""
    fetch_page = partial(
        stripe.list_accounts,
        secret_key=claim.platform.secret_key,
        since=claim.created_at - CLOCK_SKEW,
    )
    account = find_listed(lambda cursor: fetch_page(cursor=cursor), OUR_METADATA, claim.reference)
    return account.account_id if account else _create(_renew(claim, stripe), stripe)


def _create(claim: Claim, stripe: StripeConnect) -> str:
    with stripe.reserve():
        return stripe.create_account(
            claim.parameters,
            secret_key=claim.platform.secret_key,
            idempotency_key=claim.idempotency_key,
        )


def _renew(claim: Claim, stripe: StripeConnect) -> Claim:
    """
    Commit another key and today's parameters: under the old key there is no account.

    Raises Conflict where another process has done so: our lease had ended during the search.
    """
    key = secrets.token_hex(16)
    with transaction() as session:
        row, now = _lock(session, claim.row_id), current_time(session)
        if row.stripe_user_id is not None or row.idempotency_key != claim.idempotency_key:
            raise Conflict(UNDER_WAY, headers=retry_after(row.claimed_until or now, now))
        row.idempotency_key, row.parameters = key, json.dumps(dict(claim.fresh_parameters))
        row.first_sent_at, row.is_key_spent = now, False
        row.claimed_until = lease_end(now, stripe.timeout)
    return replace(claim, idempotency_key=key, parameters=claim.fresh_parameters)


def _note_failure(claim: Claim, error: Failure, stripe: StripeConnect) -> None:
    """End the lease, and remember whether the key can be used again."""

    def note() -> None:
        with transaction() as session:
            row = _lock(session, claim.row_id)
            row.claimed_until = None
            row.is_key_spent |= is_key_spent(error)
            if was_never_sent(error, claim.sent_before) and not row.is_key_spent:
                row.first_sent_at = None

    persist(note, stripe.waiting)
    code = error.code if isinstance(error, StripeError) else "account_invalid"
    log.warning("account not created", connection=claim.row_id, code=code)


def _record(row_id: int, account_id: str) -> None:
    with transaction() as session:
        row = _lock(session, row_id)
        row.stripe_user_id, row.claimed_until = row.stripe_user_id or account_id, None


def _lock(session: Session, row_id: int) -> StripeAccount:
    return session.get_one(StripeAccount, row_id, with_for_update=True, populate_existing=True)


def _told(error: Failure) -> StripeError:
    return StripeRejectedPlatform(DENIED) if isinstance(error, AccountNotConnected) else error
