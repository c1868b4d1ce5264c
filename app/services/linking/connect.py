"""Starting to connect an account, by OAuth or by onboarding."""

from collections.abc import Sequence

from sqlalchemy import select

from app.auth.policy import Caller
from app.clients.stripe import StripeConnect
from app.db.reads import read
from app.models import Setting
from app.services.linking.authorization_requests import AuthorizationRequest, create_request
from app.services.onboarding.start import start_onboarding


def request_connection(
    event_reference: str,
    caller: Caller,
    *,
    redirect_uri: str | None,
    allowed_uris: Sequence[str],
    connect_url: str,
    stripe: StripeConnect,
) -> AuthorizationRequest:
    """
    Return where the browser of *caller* goes to connect an account to the event, and the state with
    which it comes back: by OAuth or by onboarding, as the setting `stripe-connect-method` says.

    What both doors call for "Connect with Stripe", also to go on with an onboarding.
    Raises Invalid (redirect URI), NotFound, Forbidden, StripeNotConfigured; by onboarding, which
    asks Stripe, also Conflict and StripeError.
    """
    method = read(select(Setting.stripe_connect_method).where(Setting.id == 1))[0][0]
    if method == "onboarding":
        return start_onboarding(
            event_reference,
            caller,
            redirect_uri=redirect_uri,
            allowed_uris=allowed_uris,
            stripe=stripe,
        )
    return create_request(
        event_reference,
        caller,
        redirect_uri=redirect_uri,
        allowed_uris=allowed_uris,
        connect_url=connect_url,
    )
