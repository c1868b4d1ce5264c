"""What the answers of Stripe's API mean (https://docs.stripe.com/api)."""

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, TypeVar

from app.clients.stripe.outcomes import (
    AccountDeleted,
    AccountNotConnected,
    AccountUnknown,
    KeyLacksPermission,
)
from app.clients.stripe.reading import ACCOUNT_ID, MAINTENANCE, ONBOARDING, PAYING, Reading
from app.clients.stripe.transport import Answer
from app.clients.stripe.values import (
    AccountLink,
    AccountSnapshot,
    ListedAccount,
    ListPage,
    PaymentIntent,
)
from app.errors import StripeRefused
from app.security.redaction import plain_text

_INTENT_ID = re.compile(r"pi_[A-Za-z0-9_]{1,100}")
_CURRENCY = re.compile(r"[a-z]{3}")
_STATUS = re.compile(r"[a-z_]{1,40}")
_SECRET = re.compile(r"[!-~]{1,500}")
_URL = re.compile(r"https?://[!-~]{1,2000}")
_LATEST = 2**37  # seconds; any later time is none
T = TypeVar("T")


def judge_account(answer: Answer, account_id: str, *, hide: Iterable[str]) -> AccountSnapshot:
    """
    Return the account as Stripe describes it.

    Raises AccountNotConnected, AccountDeleted, AccountUnknown, KeyLacksPermission, else a
    StripeError.
    """
    reading = Reading(answer, MAINTENANCE, hide)
    if reading.is_whole and reading.status == 404:
        raise reading.rejected_platform(AccountUnknown)
    content = _require_done(reading, account_id)
    if content.get("id") == account_id and content.get("deleted") is True:
        raise reading.rejected_platform(AccountDeleted)
    if content.get("id") != account_id or not isinstance(content.get("charges_enabled"), bool):
        raise reading.unreadable("the answer is not an account, or another one")
    return _snapshot(account_id, content)


def judge_new_account(answer: Answer, *, hide: Iterable[str]) -> str:
    """Return the id of an account that was created, or of the platform itself."""
    reading = Reading(answer, ONBOARDING, hide)
    return _text(reading, _require_done(reading), "id", ACCOUNT_ID)


def judge_accounts(answer: Answer, *, hide: Iterable[str]) -> ListPage[ListedAccount]:
    """Return a page of accounts."""
    reading = Reading(answer, ONBOARDING, hide)
    accounts, has_more = _page(reading, _listed_account)
    return ListPage(accounts, accounts[-1].account_id if has_more else None)


def judge_account_link(answer: Answer, *, hide: Iterable[str]) -> AccountLink:
    """Return the address of the page where an account's owner continues."""
    reading = Reading(answer, ONBOARDING, hide)
    content = _require_done(reading)
    url = _text(reading, content, "url", _URL)
    return AccountLink(url, _time(reading, content, "expires_at"))


def judge_intent(
    answer: Answer, account_id: str, *, livemode: bool, hide: Iterable[str]
) -> PaymentIntent:
    """Return the payment intent of the account; one of the other mode makes no sense."""
    reading = Reading(answer, PAYING, hide)
    intent = _intent(reading, _require_done(reading, account_id))
    if intent.livemode is not livemode:
        raise reading.unreadable("the payment intent is of the other mode")
    return intent


def judge_intents(
    answer: Answer, account_id: str, *, hide: Iterable[str]
) -> ListPage[PaymentIntent]:
    """Return a page of payment intents of the account."""
    reading = Reading(answer, PAYING, hide)
    intents, has_more = _page(reading, _intent, account_id)
    return ListPage(intents, intents[-1].intent_id if has_more else None)


def require_intent_id(intent_id: str) -> str:
    """Return *intent_id*. Raises StripeRefused for what cannot be a payment intent's id."""
    if not _INTENT_ID.fullmatch(intent_id):
        raise StripeRefused("Stripe knows no such payment intent.", cause="not asked for")
    return intent_id


def _require_done(reading: Reading, account_id: str = "") -> dict[str, Any]:
    """
    Return the object that Stripe answers with where it did what was asked.

    Raises StripeRefused for 400, 402 and 404 (nothing was done, and that will not change),
    StripeRejectedPlatform, KeyLacksPermission or AccountNotConnected for 401 and 403, and for
    what leaves it open whether something was done StripeTimeout, StripeUnreadable or SavedFault:
    409 too, and 400 where the key was first used with other parameters
    (https://docs.stripe.com/api/errors, https://docs.stripe.com/api/idempotent_requests).
    """
    reading.require_judgement()
    if reading.status == 401:
        raise reading.rejected_platform()
    if reading.status == 403 and reading.error_code == "account_invalid":
        raise AccountNotConnected(account_id)
    if reading.status == 403:
        raise reading.rejected_platform(KeyLacksPermission)
    content = reading.require_object()
    if reading.status not in (200, 400, 402, 404) or reading.error_type == "idempotency_error":
        raise reading.unreadable(reading.summary)
    if reading.refused:
        raise reading.refusal()
    return content


def _page(
    reading: Reading, judge: Callable[[Reading, dict[str, Any]], T], account_id: str = ""
) -> tuple[tuple[T, ...], bool]:
    """Return what is on the page, and whether there are more pages."""
    content = _require_done(reading, account_id)
    items, has_more = content.get("data"), content.get("has_more")
    if not isinstance(items, list) or not isinstance(has_more, bool) or (has_more and not items):
        raise reading.unreadable("the answer is no list")
    found = tuple(judge(reading, each if isinstance(each, dict) else {}) for each in items)
    return found, has_more


def _listed_account(reading: Reading, content: dict[str, Any]) -> ListedAccount:
    return ListedAccount(_text(reading, content, "id", ACCOUNT_ID), _metadata(content))


def _intent(reading: Reading, content: dict[str, Any]) -> PaymentIntent:
    amount, livemode = content.get("amount"), content.get("livemode")
    if type(amount) is not int or amount < 0 or not isinstance(livemode, bool):
        raise reading.unreadable("the amount or the mode of a payment intent is none")
    secret = content.get("client_secret")
    return PaymentIntent(
        intent_id=_text(reading, content, "id", _INTENT_ID),
        status=_text(reading, content, "status", _STATUS),
        amount=amount,
        currency=_text(reading, content, "currency", _CURRENCY),
        livemode=livemode,
        created_at=_time(reading, content, "created"),
        metadata=_metadata(content),
        client_secret=None if secret is None else _text(reading, content, "client_secret", _SECRET),
    )


def _snapshot(account_id: str, content: dict[str, Any]) -> AccountSnapshot:
    charges_enabled = content["charges_enabled"]
    disabled_reason = _text_at(content, "requirements", "disabled_reason")
    name = _text_at(content, "business_profile", "name") or _text_at(
        content, "settings", "dashboard", "display_name"
    )
    return AccountSnapshot(
        account_id=account_id,
        status="active" if charges_enabled and not disabled_reason else "restricted",
        display_name=name,
        charges_enabled=charges_enabled,
        payouts_enabled=content.get("payouts_enabled") is True,
        details_submitted=content.get("details_submitted") is True,
        disabled_reason=disabled_reason,
        country=_text_at(content, "country"),
        default_currency=_text_at(content, "default_currency"),
    )


def _text(reading: Reading, content: dict[str, Any], name: str, pattern: re.Pattern[str]) -> str:
    value = content.get(name)
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise reading.unreadable(f"not usable: {name}")
    return value


def _time(reading: Reading, content: dict[str, Any], name: str) -> datetime:
    value = content.get(name)
    if type(value) is not int or not 0 <= value < _LATEST:
        raise reading.unreadable(f"not usable: {name}")
    return datetime.fromtimestamp(value, UTC)


def _metadata(content: dict[str, Any]) -> dict[str, str]:
    metadata = content.get("metadata")
    found = metadata.items() if isinstance(metadata, dict) else ()
    return {name: value for name, value in found if isinstance(value, str)}


def _text_at(content: dict[str, Any], *path: str) -> str | None:
    """Return the plain text at *path*, None where there is none."""
    value: Any = content
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return (plain_text(value) or None) if isinstance(value, str) else None
