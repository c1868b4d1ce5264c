"""Stripe Connect's OAuth endpoints (https://docs.stripe.com/connect/oauth-reference)."""

import secrets

from app.clients.stripe.calls import Calls, authorize
from app.clients.stripe.oauth_answers import judge_deauthorization, judge_exchange, judge_platform
from app.clients.stripe.transport import Answer
from app.clients.stripe.values import ConnectedAccount, PlatformCheck
from app.errors import StripeBusy, StripeRejectedPlatform


class OAuth(Calls):
    """Connects accounts, disconnects them, and finds out whether the platform's keys are right."""

    def exchange_code(self, code: str, *, secret_key: str, livemode: bool) -> ConnectedAccount:
        """
        Spend *code* at Stripe and return the account it grants; the caller holds a place
        (`reserve`).

        Exactly one POST, never repeated: a code that comes twice revokes the connection. Raises
        StripeRefused, StripeModeMismatch, StripeRejectedPlatform, StripeUnreadable, StripeTimeout
        (the code counts as spent) or StripeUnreachable (it was not sent). `granted_account` of
        the error is an account that must be disconnected again.
        """
        form = {"client_secret": secret_key, "code": code, "grant_type": "authorization_code"}
        answer = self._transport.send(
            "POST", f"{self._connect_url}/oauth/token", timeout=self._timeout, form=form
        )
        return judge_exchange(answer, livemode=livemode, hide=(code, secret_key))

    def deauthorize(self, account_id: str, *, client_id: str, secret_key: str) -> None:
        """
        Disconnect *account_id* from the platform; acquires its own place. Idempotent.

        Disconnects the account, not one grant of it: every link to this account in this mode ends.
        Raises AccountControlled for one that a platform created, else a StripeError.
        """
        with self.reserve():
            answer = self._deauthorize(account_id, client_id, secret_key)
        judge_deauthorization(answer, account_id, hide=(secret_key,))

    def check_platform(self, *, client_id: str, secret_key: str) -> PlatformCheck:
        """
        Say whether *secret_key* and *client_id* are right and belong together. Never raises a
        StripeError.

        Asks Stripe to disconnect an account that cannot exist, and judges by what it complains
        about; so nobody is disconnected. Takes a place itself.
        """
        account_id = f"acct_check{secrets.token_hex(20)}"
        try:
            with self.reserve():
                answer = self._deauthorize(account_id, client_id, secret_key)
        except StripeBusy as error:
            return PlatformCheck("unreachable", error.detail)
        except StripeRejectedPlatform as error:
            return PlatformCheck("wrong-key", error.detail, error.cause)
        return judge_platform(answer, account_id, hide=(secret_key,))

    def _deauthorize(self, account_id: str, client_id: str, secret_key: str) -> Answer:
        return self._transport.send(
            "POST",
            f"{self._connect_url}/oauth/deauthorize",
            timeout=self._timeout,
            form={"client_id": client_id, "stripe_user_id": account_id},
            headers=authorize(secret_key),
        )
