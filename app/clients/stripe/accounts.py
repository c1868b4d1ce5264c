"""The accounts that are connected to the platform (https://docs.stripe.com/api/accounts)."""

import re
from collections.abc import Mapping
from datetime import datetime

from app.clients.stripe.api_answers import (
    judge_account,
    judge_account_link,
    judge_accounts,
    judge_new_account,
)
from app.clients.stripe.calls import PAGE_LIMIT, Calls, page_query
from app.clients.stripe.outcomes import AccountNotConnected
from app.clients.stripe.values import AccountLink, AccountSnapshot, ListedAccount, ListPage

_ASKABLE_ID = re.compile(r"[A-Za-z0-9_]{1,100}")


def account_form(email: str, *, country: str | None, metadata: Mapping[str, str]) -> dict[str, str]:
    """
    Return the form that creates a Standard account for its future owner.

    *country* is an ISO 3166-1 alpha-2 code; without one Stripe takes the platform's.
    """
    form = {"type": "standard", "email": email}
    if country is not None:
        form["country"] = country
    return form | {f"metadata[{name}]": value for name, value in metadata.items()}


class Accounts(Calls):
    """Reads accounts, and creates those that need no OAuth."""

    def read_platform_id(self, *, secret_key: str, timeout: float | None = None) -> str:
        """Return the id of the account that *secret_key* belongs to. Raises a StripeError."""
        with self.reserve():
            answer = self._ask_api("GET", "/v1/account", secret_key=secret_key, timeout=timeout)
        return judge_new_account(answer, hide=(secret_key,))

    def read_account(
        self, account_id: str, *, secret_key: str, timeout: float | None = None
    ) -> AccountSnapshot:
        """
        Return the account as Stripe describes it now; acquires its own place.

        Raises AccountNotConnected where Stripe says that the platform has no access to it, and
        without asking for what cannot be an account's id. Raises AccountDeleted, AccountUnknown,
        KeyLacksPermission and StripeRejectedPlatform (401) where a person is needed; else another
        StripeError.
        """
        path = f"/v1/accounts/{require_account_id(account_id)}"
        with self.reserve():
            answer = self._ask_api("GET", path, secret_key=secret_key, timeout=timeout)
        return judge_account(answer, account_id, hide=(secret_key,))

    def create_account(
        self, form: Mapping[str, str], *, secret_key: str, idempotency_key: str
    ) -> str:
        """
        Create an account from an `account_form` and return its id; the caller holds a place
        (`reserve`).

        The same form and key within 24 hours bring the same account. Raises StripeRefused (none
        was created), StripeUnreachable (nothing was sent), StripeRejectedPlatform or a subclass of
        it (a person is needed); after SavedFault, StripeUnreadable and StripeTimeout it is open
        whether one was created.
        """
        answer = self._ask_api(
            "POST",
            "/v1/accounts",
            secret_key=secret_key,
            form=form,
            headers={"Idempotency-Key": idempotency_key},
        )
        return judge_new_account(answer, hide=(secret_key, idempotency_key))

    def list_accounts(
        self, *, secret_key: str, since: datetime, cursor: str | None = None
    ) -> ListPage[ListedAccount]:
        """
        Return a page of the accounts connected since that moment; acquires its own place.

        Raises a StripeError.
        """
        with self.reserve():
            answer = self._ask_api(
                "GET",
                "/v1/accounts",
                secret_key=secret_key,
                query=page_query(since, cursor),
                limit=PAGE_LIMIT,
            )
        return judge_accounts(answer, hide=(secret_key,))

    def create_account_link(
        self, account_id: str, *, return_url: str, refresh_url: str, secret_key: str
    ) -> AccountLink:
        """
        Return a page at Stripe where the account's owner continues; the caller holds a place
        (`reserve`). The address works once, for minutes.

        Raises AccountNotConnected or a StripeError; a link that nobody has seen does no harm.
        """
        form = {
            "account": require_account_id(account_id),
            "type": "account_onboarding",
            "return_url": return_url,
            "refresh_url": refresh_url,
        }
        answer = self._ask_api("POST", "/v1/account_links", secret_key=secret_key, form=form)
        return judge_account_link(answer, hide=(secret_key,))


def require_account_id(account_id: str) -> str:
    """Return *account_id*. Raises AccountNotConnected for what cannot be an account's id."""
    if not _ASKABLE_ID.fullmatch(account_id):
        raise AccountNotConnected(account_id)
    return account_id
