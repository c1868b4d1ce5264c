"""What the answers of Stripe's OAuth endpoints mean, question by question."""

import re
from collections.abc import Iterable
from typing import Any

from app.clients.stripe.outcomes import AccountControlled
from app.clients.stripe.reading import ACCOUNT_ID, LINKING, MAINTENANCE, Reading
from app.clients.stripe.transport import Answer
from app.clients.stripe.values import (
    CheckOutcome,
    ConnectedAccount,
    PlatformCheck,
)
from app.errors import StripeError, StripeModeMismatch, StripeRefused

CONTROLLED = "no_deauth_on_controlled_account"
_TOKEN = re.compile(r"[!-~]{1,500}")
_TOKENS = ("access_token", "refresh_token", "stripe_publishable_key")
_MODES_MIXED = re.compile(
    r"\b(live|test)[ -]?mode (api )?key|only supports returning (live|test) keys", re.IGNORECASE
)


def judge_exchange(answer: Answer, *, livemode: bool, hide: Iterable[str]) -> ConnectedAccount:
    """
    Return what Stripe granted for an authorization code, in the mode that *livemode* says.

    Raises a StripeError for everything else, with `granted_account` where the answer names an
    account. An answer without `livemode` is unreadable: the mode cannot be guessed, so the
    account is deauthorized. Facts: https://docs.stripe.com/connect/oauth-reference (POST
    /oauth/token).
    """
    reading = Reading(answer, LINKING, hide)
    reading.require_judgement()
    if reading.status == 401:
        raise reading.rejected_platform()
    if reading.status == 403:
        raise _refusal(reading, livemode)
    content = reading.require_object()
    if reading.refused:
        raise _refusal(reading, livemode)
    if content.get("error") is not None:
        raise reading.unreadable("an error of an unknown kind")
    return _granted(reading, content, livemode)


def judge_deauthorization(answer: Answer, account_id: str, *, hide: Iterable[str]) -> None:
    """
    Return if the account is disconnected, now or before. Raises a StripeError otherwise.

    Stripe answers 401 both where nothing is connected and where it knows no such application;
    only the first is done. Raises AccountControlled where it never will be.
    """
    reading = Reading(answer, MAINTENANCE, hide)
    reading.require_judgement()
    if _is_gone(reading, account_id):
        return
    if reading.error_code == CONTROLLED or reading.says(CONTROLLED):
        raise AccountControlled(account_id)
    if reading.status == 401:
        raise reading.rejected_platform()
    content = reading.require_object()
    if reading.refused:
        raise reading.refusal()
    if content.get("stripe_user_id") != account_id or content.get("error") is not None:
        raise reading.unreadable("the answer is not about this account")


def judge_platform(answer: Answer, account_id: str, *, hide: Iterable[str]) -> PlatformCheck:
    """
    Return what refusing to disconnect the made-up *account_id* tells about our key and client id.

    Stripe looks at the key first, then at the client id, then at the account; a complaint about
    the account means that the other two are right.
    """
    reading = Reading(answer, MAINTENANCE, hide)
    try:
        reading.require_judgement()
    except StripeError as error:
        return PlatformCheck("unreachable", error.detail, error.cause)
    if _is_gone(reading, account_id):
        return PlatformCheck("ok", "Stripe accepts the secret key and the client id.")
    if reading.says("api key") or reading.says("authentication"):
        return _fault_found(reading, "wrong-key", "Stripe does not accept the secret key.")
    if reading.says("application") or reading.says("client_id"):
        return _fault_found(
            reading, "wrong-client-id", "The client id does not belong to the secret key."
        )
    if reading.status in (401, 403):
        return _fault_found(reading, "wrong-key", "Stripe does not accept the secret key.")
    return _fault_found(reading, "unreachable", "Stripe's answer could not be understood.")


def _is_gone(reading: Reading, account_id: str) -> bool:
    """Whether Stripe says that nothing is connected or (seen in the wild) does not exist."""
    if reading.status == 200 or reading.says("no such application"):
        return False
    return reading.says("not connected to stripe account") or reading.says(
        f"no such user: {account_id}"
    )


def _fault_found(reading: Reading, outcome: CheckOutcome, detail: str) -> PlatformCheck:
    return PlatformCheck(outcome, detail, reading.summary)


def _refusal(reading: Reading, livemode: bool) -> StripeError:
    """Return the error for a code that Stripe refuses, in Stripe's words if it has any."""
    if _MODES_MIXED.search(reading.words):
        return _mode_mismatch(reading, livemode)
    return reading.error(
        StripeRefused,
        reading.description
        or "Stripe refused the connection without a reason: please connect with Stripe again.",
        meta={"stripe-error": reading.error_code} if reading.error_code else None,
    )


def _mode_mismatch(reading: Reading, livemode: bool) -> StripeModeMismatch:
    ours, theirs = ("live", "test") if livemode else ("test", "live")
    return reading.error(
        StripeModeMismatch,
        f"The account was connected in {theirs} mode but this platform works in {ours} mode:"
        " please connect with Stripe again.",
    )


def _granted(reading: Reading, content: dict[str, Any], livemode: bool) -> ConnectedAccount:
    account_id = content.get("stripe_user_id")
    if not isinstance(account_id, str) or not ACCOUNT_ID.fullmatch(account_id):
        raise reading.unreadable("no account id")
    unusable = [name for name in _TOKENS if not _is_token_or_missing(content.get(name))]
    if unusable or not isinstance(content.get("livemode"), bool):
        raise reading.unreadable(f"not usable: {', '.join(unusable) or 'livemode'}")
    if content["livemode"] is not livemode:
        raise _mode_mismatch(reading, livemode)
    _require_full_access(reading, content.get("scope"))
    _require_publishable_key_of_mode(reading, content.get(_TOKENS[2]), livemode)
    access_token, refresh_token, publishable_key = (content.get(name) or None for name in _TOKENS)
    return ConnectedAccount(
        account_id, livemode, "read_write", access_token, refresh_token, publishable_key
    )


def _is_token_or_missing(value: object) -> bool:
    if value is None or value == "":
        return True
    return isinstance(value, str) and _TOKEN.fullmatch(value) is not None


def _require_full_access(reading: Reading, scope: object) -> None:
    if scope is not None and not isinstance(scope, str):
        raise reading.unreadable("the scope is no string")
    if scope != "read_write":
        raise reading.error(
            StripeRefused,
            "Stripe did not grant full access to the account: please connect with Stripe again.",
        )


def _require_publishable_key_of_mode(reading: Reading, key: str | None, livemode: bool) -> None:
    """Refuse anything else: a publishable key is shown to every buyer."""
    wrong = "pk_test_" if livemode else "pk_live_"
    if key and (not key.startswith("pk_") or key.startswith(wrong)):
        raise reading.unreadable("the publishable key is none, or of the other mode")
