"""The accounts that are connected to the platform (https://docs.stripe.com/api/accounts)."""

import re

from app.clients.stripe.answers import judge_account
from app.clients.stripe.calls import Calls, authorize
from app.clients.stripe.values import AccountNotConnected, AccountSnapshot

_ASKABLE_ID = re.compile(r"[A-Za-z0-9_]{1,100}")


class Accounts(Calls):
    """Reads accounts."""

    def read_account(
        self, account_id: str, *, secret_key: str, timeout: float | None = None
    ) -> AccountSnapshot:
        """
        Return the account as Stripe describes it now; takes a place itself.

        Raises AccountNotConnected where Stripe says that the platform has no access to it, and
        without asking for what cannot be an account's id; else a StripeError.
        """
        if not _ASKABLE_ID.fullmatch(account_id):
            raise AccountNotConnected(account_id)
        headers = authorize(secret_key)
        with self.reserve():
            answer = self._transport.send(
                "GET",
                f"{self._api_url}/v1/accounts/{account_id}",
                timeout=self._timeout if timeout is None else timeout,
                headers=headers,
            )
        return judge_account(answer, account_id, hide=(secret_key,))
