"""The only file that speaks HTTP to Stripe."""

import re
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote

from app.clients.stripe_answers import (
    judge_account,
    judge_deauthorization,
    judge_exchange,
    judge_platform,
)
from app.clients.stripe_values import (
    AccountNotConnected,
    AccountSnapshot,
    ConnectedAccount,
    PlatformCheck,
)
from app.clients.transport import Answer, Transport, start_over_after_fork
from app.errors import StripeBusy, StripeRejectedPlatform

__all__ = [
    "AccountNotConnected",
    "AccountSnapshot",
    "ConnectedAccount",
    "PlatformCheck",
    "StripeConnect",
]

USER_AGENT = "stripe-linking-service/1.0"

_HEADER_VALUE = re.compile(r"[!-~]{1,500}")
_ASKABLE_ID = re.compile(r"[A-Za-z0-9_]{1,100}")


class StripeConnect:
    """
    Stripe Connect's OAuth endpoints and the account's own, for any number of threads.

    *timeout* is the total of one call in seconds, connecting (at most 3 of them) included;
    *max_in_flight* bounds the calls of this process at any moment. Keys are arguments of each
    call, so that no call can use another's. Every failure is a StripeError: with `sent` false,
    nothing reached Stripe. No error, nor its context, holds a secret.
    """

    def __init__(
        self, *, connect_url: str, api_url: str, timeout: float, max_in_flight: int
    ) -> None:
        self._connect_url = connect_url.rstrip("/")
        self._api_url = api_url.rstrip("/")
        self._timeout = timeout
        self._max_in_flight = max_in_flight
        self._transport = Transport(user_agent=USER_AGENT)
        self.start_over()
        start_over_after_fork(self)

    @property
    def timeout(self) -> float:
        """The total of one call, in seconds."""
        return self._timeout

    def start_over(self) -> None:
        """Free every slot: in a forked child nobody holds one."""
        self._slots = threading.Semaphore(self._max_in_flight)

    @contextmanager
    def reserve(self) -> Iterator[None]:
        """Hold one of this process's slots for a call to Stripe, or raise StripeBusy at once."""
        slots = self._slots
        if not slots.acquire(blocking=False):
            raise StripeBusy(
                "Too many accounts are being connected at this moment and nothing was sent:"
                " please try again in a few seconds.",
                headers={"Retry-After": "2"},
            )
        try:
            yield
        finally:
            slots.release()

    def exchange_code(self, code: str, *, secret_key: str, livemode: bool) -> ConnectedAccount:
        """
        Spend *code* at Stripe and return the account it grants; the caller holds a slot
        (`reserve`).

        Exactly one POST, never repeated: a code that comes twice revokes the connection. Raises
        StripeRefused, StripeModeMismatch, StripeRejectedPlatform, StripeUnreadable, StripeTimeout
        (the code counts as spent) or StripeUnreachable (it was not sent). `granted_account` of
        the error is an account that is to be given back.
        """
        form = {"client_secret": secret_key, "code": code, "grant_type": "authorization_code"}
        answer = self._transport.send(
            "POST", f"{self._connect_url}/oauth/token", timeout=self._timeout, form=form
        )
        return judge_exchange(answer, livemode=livemode, hide=(code, secret_key))

    def deauthorize(self, account_id: str, *, client_id: str, secret_key: str) -> None:
        """
        Cut the platform off from *account_id*; takes a slot itself. Returns when it is cut, also
        if it was before.

        Cuts the account, not one grant of it: every link to this account in this mode ends.
        Raises a StripeError.
        """
        with self.reserve():
            answer = self._ask_to_cut(account_id, client_id, secret_key)
        judge_deauthorization(answer, account_id, hide=(secret_key,))

    def read_account(
        self, account_id: str, *, secret_key: str, timeout: float | None = None
    ) -> AccountSnapshot:
        """
        Return the account as Stripe describes it now; takes a slot itself.

        Raises AccountNotConnected where Stripe says that the platform has no access to it, and
        without asking for what cannot be an account's id; else a StripeError.
        """
        if not _ASKABLE_ID.fullmatch(account_id):
            raise AccountNotConnected(account_id)
        _require_header_value(secret_key)
        with self.reserve():
            answer = self._transport.send(
                "GET",
                f"{self._api_url}/v1/accounts/{quote(account_id, safe='')}",
                timeout=self._timeout if timeout is None else timeout,
                bearer=secret_key,
            )
        return judge_account(answer, account_id, hide=(secret_key,))

    def check_platform(self, *, client_id: str, secret_key: str) -> PlatformCheck:
        """
        Say whether *secret_key* and *client_id* are right and belong together. Never raises a
        StripeError.

        Asks Stripe to cut off an account that cannot exist, and judges by what it complains
        about; so nobody is disconnected. Takes a slot itself.
        """
        account_id = f"acct_check{secrets.token_hex(20)}"
        try:
            with self.reserve():
                answer = self._ask_to_cut(account_id, client_id, secret_key)
        except StripeBusy as error:
            return PlatformCheck("unreachable", error.detail)
        except StripeRejectedPlatform as error:
            return PlatformCheck("wrong-key", error.detail, error.cause)
        return judge_platform(answer, account_id, hide=(secret_key,))

    def close(self) -> None:
        """Let go of the watchdog's thread and of the session."""
        self._transport.close()

    def _ask_to_cut(self, account_id: str, client_id: str, secret_key: str) -> Answer:
        _require_header_value(secret_key)
        return self._transport.send(
            "POST",
            f"{self._connect_url}/oauth/deauthorize",
            timeout=self._timeout,
            form={"client_id": client_id, "stripe_user_id": account_id},
            bearer=secret_key,
        )


def _require_header_value(secret_key: str) -> None:
    """Raise StripeRejectedPlatform for a key that no header carries, before a library tells it."""
    if not _HEADER_VALUE.fullmatch(secret_key):
        raise StripeRejectedPlatform(
            "The secret key cannot be one of Stripe's: please ask the administrator to check it.",
            cause="the secret key is empty, too long or not visible ASCII",
        )
