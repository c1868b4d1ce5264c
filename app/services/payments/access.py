"""What a caller is told where Stripe denies the platform the account of a payment."""

from sqlalchemy import select

from app.clients.stripe import AccountNotConnected, StripeConnect
from app.db.reads import read, read_time
from app.errors import NotLinked, ServiceError, StripeRejectedPlatform
from app.models import StripeAuthorization
from app.services.accounts import status
from app.services.accounts.links import AccountKey, is_link_to
from app.services.payments.outcome import answer_for


def denied(
    account: AccountKey, error: AccountNotConnected | StripeRejectedPlatform, stripe: StripeConnect
) -> ServiceError:
    """
    Record that Stripe denies *account*, and return the error for the caller.

    Its links are erased only if the key that was used belongs to the platform that made them.
    Raises StripeBusy.
    """
    status.refresh(account.account_id, account.livemode, stripe, unless_since=read_time())
    if isinstance(error, AccountNotConnected) and not is_linked(account):
        return NotLinked("The Stripe account of this payment is no longer connected.")
    return answer_for(error)


def is_linked(account: AccountKey) -> bool:
    """Return whether any event is linked to *account*."""
    return bool(read(select(StripeAuthorization.id).where(is_link_to(account)).limit(1)))
