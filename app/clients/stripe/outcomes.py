"""
Outcomes of a call to Stripe that callers must distinguish, besides the errors of `app.errors`.

Each calls for a different action, though most get the same answer.
"""

from app.errors import StripeRejectedPlatform, StripeUnreadable


class AccountNotConnected(Exception):
    """
    Stripe says 403 `account_invalid`: the platform has no access to the account (any more).

    A key of another platform is told the same.
    """


class AccountControlled(Exception):
    """Stripe says `no_deauth_on_controlled_account`: a platform created it, so it stays."""


class KeyLacksPermission(StripeRejectedPlatform):
    """Stripe says 403 for another reason: the key is restricted, or the platform itself is."""


class AccountUnknown(StripeRejectedPlatform):
    """Stripe says 404: under this key there is no such account."""


class AccountDeleted(StripeRejectedPlatform):
    """Stripe still knows the account's id, and says that the account was deleted."""


class SavedFault(StripeUnreadable):
    """
    A 5xx that Stripe has saved with the Idempotency-Key, and will say again until it forgets the
    key: whether the work was done has to be found out in another way.
    """
