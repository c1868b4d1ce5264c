"""
Linking an event to a Stripe account: claim, ask Stripe, complete.

Claiming and completing are short transactions; no connection to the database is held while Stripe
is asked. The attempt is committed before anything is sent, so the database decides which request
may ask, and a code goes to Stripe at most once, ever.
"""

import time
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from app.clients.stripe import AccountNotConnected, ConnectedAccount, StripeConnect
from app.errors import NotSaved, ServiceError, StripeError, StripeUnreadable
from app.models import StripeAuthorization
from app.security.logs import log
from app.services.deauthorization import outbox
from app.services.events.theirs import confirm_event, confirm_once_more
from app.services.linking.claim import Claim, claim_attempt
from app.services.linking.complete import Completion, complete_attempt, refuse_attempt
from app.services.linking.confirm import confirm_account
from app.services.linking.request import LinkRequest, LinkResult
from app.services.persistence import DATABASE_AWAY, pause, persist

VERIFYING = 3  # seconds to find out whether an account was just disconnected


@dataclass(frozen=True)
class Grant:
    """An account that Stripe has granted, for what was claimed."""

    claim: Claim
    account: ConnectedAccount


def link_account(request: LinkRequest, stripe: StripeConnect) -> LinkResult:
    """
    Link the event as *request* says, and return the link; it may have been there before.

    Raises what `obtain_grant` and `store_grant` raise.
    """
    grant = obtain_grant(request, stripe)
    if isinstance(grant, LinkResult):
        return grant
    return LinkResult(store_grant(grant, stripe), created=True)


def obtain_grant(request: LinkRequest, stripe: StripeConnect) -> Grant | LinkResult:
    """
    Claim the attempt and ask Stripe; or return the link that the same request made before.

    Raises what `confirm_event` and `claim_attempt` raise, with nothing sent; or a StripeError or
    OnboardingIncomplete, which is stored with the attempt.
    """
    confirm_event(request.event, request.caller)
    with ExitStack() as place:
        # Reading an account takes a place by itself, and spends nothing where there is none.
        exchanges = request.method == "oauth"
        claim = claim_attempt(
            request,
            reserve=lambda: place.enter_context(stripe.reserve()) if exchanges else None,
        )
        if isinstance(claim, LinkResult):
            return claim
        try:
            account = _ask(request, claim, stripe)
        except ServiceError as error:
            place.close()
            _close_failed(claim, error, stripe)
            raise
    return Grant(claim, account)


def _ask(request: LinkRequest, claim: Claim, stripe: StripeConnect) -> ConnectedAccount:
    """Ask Stripe for the account, in the way of the claim's method."""
    if claim.method != "oauth":
        return confirm_account(claim, stripe)
    return stripe.exchange_code(
        request.code or "",
        secret_key=claim.platform.secret_key,
        livemode=claim.platform.livemode,
    )


def store_grant(grant: Grant, stripe: StripeConnect) -> StripeAuthorization:
    """
    Store the account and finish the attempt, in one transaction, or deauthorize the account.

    Tried again while the database is away; asking Stripe never is. Raises NotFound, Forbidden,
    StripeDisabled, StripeModeMismatch or Conflict if what was checked before no longer holds,
    StripeUnreadable if the account was disconnected meanwhile, and NotSaved if the database stays
    away: the log then has the account's id, as `needs-person`.
    """
    try:
        completion = _complete(grant, stripe)
    except Exception as error:
        raise _not_saved(grant, error) from error
    _deliver(completion, stripe)
    if completion.authorization is None:
        raise completion.error or _was_disconnected()
    return completion.authorization


def _complete(grant: Grant, stripe: StripeConnect) -> Completion:
    """Store the account; where it is doubtful whether it is still connected, find out first."""
    claim, account = grant.claim, grant.account
    refusal = confirm_once_more(claim.event_id, claim.caller)
    if refusal is not None:
        return persist(partial(refuse_attempt, claim, account.account_id, refusal), stripe.waiting)
    confirmed: datetime | None = None
    give_up = time.monotonic() + VERIFYING
    while True:
        completion = persist(partial(complete_attempt, claim, account, confirmed), stripe.waiting)
        if completion.disconnected_at is None:
            return completion
        if completion.is_delivering and time.monotonic() < give_up:
            pause(stripe.waiting)  # until the process that is telling Stripe hears back
        elif completion.is_delivering or not _is_connected(grant, stripe):
            refuse = partial(refuse_attempt, claim, account.account_id, _was_disconnected())
            return persist(refuse, stripe.waiting)
        else:
            confirmed = completion.disconnected_at


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


def _close_failed(claim: Claim, error: ServiceError, stripe: StripeConnect) -> None:
    """
    Store what Stripe answered. What was not sent frees code and state; an account that was granted
    is deauthorized.

    Without a database the attempt stays as it is, until its lease ends.
    """
    granted = error.granted_account if isinstance(error, StripeError) else None
    try:
        completion = persist(partial(refuse_attempt, claim, granted, error), stripe.waiting)
    except DATABASE_AWAY:
        log.error("attempt not closed", attempt=claim.attempt_id, account=granted)
        return
    _deliver(completion, stripe)


def _deliver(completion: Completion, stripe: StripeConnect) -> None:
    """Deliver the deauthorizations. One that fails stays pending, and never fails the link."""
    for deauthorization_id in completion.enqueued:
        try:
            outbox.deliver(deauthorization_id, stripe)
        except DATABASE_AWAY:
            log.error("deauthorization stays pending", deauthorization=deauthorization_id)


def _was_disconnected() -> StripeUnreadable:
    return StripeUnreadable(
        "Stripe disconnected the account while it was being connected."
        " Please connect with Stripe again.",
        field="code",
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
        field="code",
    )
