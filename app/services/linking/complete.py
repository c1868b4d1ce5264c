"""
One try to settle an attempt, in one transaction: keep the account, refuse it, or doubt it.

The locks, in this order: the accounts, then the event and the attempt.
"""

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Row, bindparam, func, or_, select, true
from sqlalchemy.orm import Session

from app.auth.policy import ADMIN, ORGANIZER, Role, role_rank
from app.clients.stripe import ConnectedAccount
from app.db.clock import database_now
from app.db.transactions import transaction
from app.errors import (
    Conflict,
    Forbidden,
    NotFound,
    ServiceError,
    StripeDisabled,
    StripeError,
    StripeModeMismatch,
    StripeRefused,
    StripeRejectedPlatform,
)
from app.models import (
    Event,
    Setting,
    StripeAuthorization,
    StripeDeauthorization,
    StripeLinkAttempt,
    User,
)
from app.services import audit
from app.services.deauthorization import outbox
from app.services.linking import attempts, authorization_requests
from app.services.linking.claim import EVENT, Claim

REFUSED = (StripeRefused, StripeModeMismatch, StripeRejectedPlatform)
IS_OPEN = StripeDeauthorization.done_at.is_(None)
# What Stripe was, or is to be, told of the account.
DEBTS = (
    select(
        func.max(outbox.TOLD_UNTIL).label("cut_at"),
        func.max(StripeDeauthorization.claimed_until).filter(IS_OPEN).label("cutting_until"),
        func.count().filter(IS_OPEN).label("owed"),
    )
    .where(
        StripeDeauthorization.stripe_user_id == bindparam("account_id"),
        StripeDeauthorization.livemode == bindparam("mode"),
    )
    .subquery("debts")
)
# Built once: putting it together takes longer than running it.
LOCKED = (
    select(
        StripeLinkAttempt,
        Event,
        StripeAuthorization,
        database_now().label("now"),
        (Setting.stripe_mode == "production").label("livemode"),
        role_rank(Event.id, bindparam("caller_id")).label("rank"),
        or_(User.is_admin, User.is_super_admin).label("is_admin"),
        or_(User.is_blocked, User.deleted_at.is_not(None)).label("is_gone"),
        DEBTS,
    )
    .join(Event, Event.id == StripeLinkAttempt.event_id)
    .join(Setting, Setting.id == 1)
    .join(User, User.id == bindparam("caller_id"))
    .join(DEBTS, true())
    .outerjoin(
        StripeAuthorization,
        (StripeAuthorization.event_id == Event.id)
        & (StripeAuthorization.livemode == bindparam("mode")),
    )
    .where(StripeLinkAttempt.id == bindparam("attempt_id"))
    .with_for_update(key_share=True, of=(Event, StripeLinkAttempt))
    .execution_options(populate_existing=True)
)


@dataclass(frozen=True)
class Settlement:
    """
    What a try came to: a link, a refusal, or doubt whether the account was just cut at Stripe.

    *owed* is what is to be paid to Stripe then. *cut_at* is when Stripe was last told to cut the
    account; somebody still waits for the answer while *is_cutting*.
    """

    authorization: StripeAuthorization | None = None
    error: ServiceError | None = None
    owed: list[int | None] = field(default_factory=list)
    cut_at: datetime | None = None
    is_cutting: bool = False


def keep_once(claim: Claim, account: ConnectedAccount, confirmed: datetime | None) -> Settlement:
    """
    Keep *account* if the attempt is unfinished and everything still allows it.

    *confirmed* is a cut after which Stripe said that the account is connected all the same.
    """
    with transaction() as session:
        found = _lock(session, claim, account.account_id)
        if found is None:
            return _close(session, claim, None, account.account_id, _was_closed())
        if found.StripeLinkAttempt.outcome == "linked":
            made = found.StripeLinkAttempt.authorization_id  # an earlier commit came through
            return Settlement(session.get_one(StripeAuthorization, made))
        error = _judge(found, claim)
        if error is not None:
            return _close(session, claim, found, account.account_id, error)
        if _may_be_cut(found, confirmed):
            is_cutting = found.cutting_until is not None and found.cutting_until > found.now
            return Settlement(cut_at=found.cut_at, is_cutting=is_cutting)
        return _store(session, claim, account, found)


def refuse_once(claim: Claim, account_id: str | None, error: ServiceError) -> Settlement:
    """Finish the attempt with *error*; the account that Stripe named, if any, is given back."""
    with transaction() as session:
        found = _lock(session, claim, account_id)
        return _close(session, claim, found, account_id, error)


def _lock(session: Session, claim: Claim, account_id: str | None) -> Row | None:
    """Lock accounts, attempt and event; return all that the decision needs, as of now."""
    livemode = claim.platform.livemode
    outbox.lock_accounts(session, livemode, *filter(None, (account_id, claim.replaced_account)))
    known = {
        "attempt_id": claim.attempt_id,
        "caller_id": claim.caller.id,
        "account_id": account_id,
        "mode": livemode,
    }
    return session.execute(LOCKED, known).one_or_none()


def _judge(found: Row, claim: Claim) -> ServiceError | None:
    """Return what has changed since the claim so that the account may not be kept."""
    if found.StripeLinkAttempt.finished_at is not None:
        return _was_closed()
    event = found.Event
    role = ADMIN if found.is_admin else Role(found.rank or 0)
    if event.deleted_at is not None:
        return NotFound("There is no such event.", pointer=EVENT)
    if found.is_gone or role < ORGANIZER:
        return Forbidden("You may not connect a Stripe account to this event any more.")
    if not event.can_pay_by_stripe:
        return StripeDisabled("Payment by Stripe was switched off meanwhile.", pointer=EVENT)
    if found.livemode != claim.platform.livemode:
        return StripeModeMismatch(
            "The platform was switched between test and live meanwhile. Please connect again."
        )
    return None


def _was_closed() -> Conflict:
    return Conflict("This attempt took too long and was closed. Please connect again.")


def _may_be_cut(found: Row, confirmed: datetime | None) -> bool:
    """Whether Stripe was told to cut the account since the attempt began, or still is."""
    cut_at = found.cut_at
    return bool(cut_at and cut_at >= found.StripeLinkAttempt.started_at and cut_at != confirmed)


def _close(
    session: Session, claim: Claim, found: Row | None, account_id: str | None, error: ServiceError
) -> Settlement:
    """Finish the attempt, unless it is, and owe the account back to Stripe."""
    if found is not None and found.StripeLinkAttempt.finished_at is None:
        attempt = found.StripeLinkAttempt
        outcome = "refused" if isinstance(error, REFUSED) else "failed"
        if isinstance(error, StripeError) and not error.sent:
            outcome = "not-sent"
            authorization_requests.release(session, attempt.request_id)
        attempts.close(attempt, outcome, found.now, error)
    owed = None
    if account_id is not None:
        owed = outbox.owe(
            session,
            account_id,
            livemode=claim.platform.livemode,
            client_id=claim.platform.client_id,
            event_id=claim.event_id,
        )
    return Settlement(error=error, owed=[owed])


def _store(session: Session, claim: Claim, account: ConnectedAccount, found: Row) -> Settlement:
    """Write the link, new or in the place of the old one, and finish the attempt."""
    authorization = found.StripeAuthorization or StripeAuthorization(event_id=claim.event_id)
    replaced, replaced_client_id = authorization.stripe_user_id, authorization.client_id
    authorization.livemode = account.livemode
    authorization.stripe_user_id = account.account_id
    authorization.stripe_secret_key = account.access_token
    authorization.stripe_refresh_token = account.refresh_token
    authorization.stripe_publishable_key = account.publishable_key
    authorization.stripe_auth_code = claim.code_digest
    authorization.scope = account.scope
    authorization.client_id = claim.platform.client_id
    authorization.linked_by_id = claim.caller.id
    authorization.linked_at = found.now
    authorization.account_status = "unknown"
    authorization.display_name = authorization.account_checked_at = None
    session.add(authorization)
    session.flush()
    if found.owed:
        outbox.cancel(session, account.account_id, account.livemode)
    owed = None
    if replaced is not None and replaced != account.account_id:
        owed = outbox.owe(
            session,
            replaced,
            livemode=account.livemode,
            client_id=replaced_client_id,
            event_id=claim.event_id,
        )
    attempt = found.StripeLinkAttempt
    attempts.close(attempt, "linked", found.now)
    attempt.authorization_id = authorization.id
    audit.record(
        "stripe-authorization.link" if replaced is None else "stripe-authorization.relink",
        account.account_id,
        user_id=claim.caller.id,
        event_id=claim.event_id,
    )
    return Settlement(authorization, owed=[owed])
