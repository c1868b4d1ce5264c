"""Starting an onboarding: the account, and a page at Stripe where its owner continues."""

import secrets
from collections.abc import Sequence
from datetime import timedelta
from urllib.parse import urlencode, urlsplit, urlunsplit

from app.auth.policy import Caller
from app.clients.stripe import AccountLink, AccountNotConnected, StripeConnect
from app.db.clock import current_time
from app.db.transactions import transaction
from app.errors import StripeRejectedPlatform
from app.models import StripeAccount, StripeAuthorizationRequest
from app.services.accounts.status import ANSWER_TIME
from app.services.linking.authorization_requests import (
    AuthorizationRequest,
    checked_uri,
    hash_state,
)
from app.services.linking.confirm import denied
from app.services.linking.links import LinkedEvent
from app.services.onboarding.claim import Claim, claim_account
from app.services.onboarding.create import obtain_account
from app.services.platform.identity import find_platform_id

LIFETIME = timedelta(days=7)  # of a state; the address at Stripe lives for minutes


def start_onboarding(
    event_reference: str,
    caller: Caller,
    *,
    redirect_uri: str | None,
    allowed_uris: Sequence[str],
    stripe: StripeConnect,
) -> AuthorizationRequest:
    """
    Return a page at Stripe where *caller* fills in an account for the event, in the current mode.

    Asking again brings the same account, a new address and a new state, until the account is
    linked. The address opens the account to anyone who has it, and is neither stored nor logged.
    Its owner comes back to the redirect URI with the state alone, and with `refresh=1` where the
    address no longer worked. Raises Invalid (redirect URI), NotFound, Forbidden,
    StripeNotConfigured, Conflict (another request is creating it), or a StripeError.
    """
    redirect_uri = checked_uri(redirect_uri, allowed_uris)
    claim = claim_account(event_reference, caller, stripe)
    account_id = obtain_account(claim, stripe)
    state = secrets.token_urlsafe(32)
    page = _open_page(claim, account_id, redirect_uri, state, stripe)
    time = min(ANSWER_TIME, stripe.timeout)
    platform_id = find_platform_id(claim.platform, stripe, time)
    return _issue(claim, caller, redirect_uri, state, page.url, platform_id)


def _open_page(
    claim: Claim, account_id: str, redirect_uri: str, state: str, stripe: StripeConnect
) -> AccountLink:
    try:
        with stripe.reserve():
            return stripe.create_account_link(
                account_id,
                return_url=add_query(redirect_uri, state=state),
                refresh_url=add_query(redirect_uri, state=state, refresh="1"),
                secret_key=claim.platform.secret_key,
            )
    except (AccountNotConnected, StripeRejectedPlatform) as error:
        raise denied(account_id, claim.platform.livemode, error, stripe) from None


def _issue(
    claim: Claim,
    caller: Caller,
    redirect_uri: str,
    state: str,
    url: str,
    platform_id: str | None,
) -> AuthorizationRequest:
    """Store the state, as a hash; until then nothing of it is known outside of this request."""
    with transaction() as session:
        row = session.get_one(StripeAccount, claim.row_id, populate_existing=True)
        row.platform_account_id = row.platform_account_id or platform_id
        request = StripeAuthorizationRequest(
            state_hash=hash_state(state),
            user_id=caller.id,
            event_id=claim.event_id,
            livemode=claim.platform.livemode,
            account_id=claim.row_id,
            redirect_uri=redirect_uri,
            expires_at=current_time(session) + LIFETIME,
        )
        session.add(request)
    return AuthorizationRequest(
        id=request.id,
        event=LinkedEvent(claim.event_id),
        authorize_url=url,
        state=state,
        redirect_uri=redirect_uri,
        expires_at=request.expires_at,
    )


def add_query(uri: str, **parameters: str) -> str:
    """Return *uri* with more parameters in its query."""
    parts = urlsplit(uri)
    query = "&".join(filter(None, (parts.query, urlencode(parameters))))
    return urlunsplit(parts._replace(query=query))
