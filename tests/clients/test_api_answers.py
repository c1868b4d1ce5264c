"""What each answer of Stripe's API means, without a network: who may ask again, and how."""

import json
from datetime import UTC, datetime

import pytest

from app.clients.stripe import (
    AccountNotConnected,
    KeyLacksPermission,
    SavedFault,
)
from app.clients.stripe.api_answers import (
    judge_account_link,
    judge_accounts,
    judge_intent,
    judge_intents,
    judge_new_account,
)
from app.clients.stripe.transport import Answer
from app.errors import (
    StripeError,
    StripeRefused,
    StripeRejectedPlatform,
    StripeTimeout,
    StripeUnreachable,
    StripeUnreadable,
)
from tests.clients.described import ACCOUNT, CREATED, INTENT, LINK, page

HIDE = ("sk_test_FAKEkey", "key-CANARY")


def answer(body: object, status: int = 200, *, headers: dict[str, str] | None = None) -> Answer:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Answer(status, data, headers=headers or {})


def fault(kind: str) -> Answer:
    return Answer(None, b"", kind, "what the network said")


def api_error(message: str = "No.", **error: str) -> dict[str, object]:
    return {"error": {"message": message, "type": "invalid_request_error", **error}}


JUDGES = {
    "a new account": lambda given: judge_new_account(given, hide=HIDE),
    "an account link": lambda given: judge_account_link(given, hide=HIDE),
    "accounts": lambda given: judge_accounts(given, hide=HIDE),
    "an intent": lambda given: judge_intent(given, ACCOUNT, livemode=False, hide=HIDE),
    "intents": lambda given: judge_intents(given, ACCOUNT, hide=HIDE),
}


@pytest.fixture(name="judge", params=list(JUDGES))
def _judge(request):
    return JUDGES[request.param]


@pytest.mark.parametrize("status", [400, 402, 404])
def test_a_refusal_is_told_in_stripes_words_and_nothing_was_done(judge, status):
    refused = answer(api_error("Amount must be at least 50 cents.", code="amount_small"), status)
    with pytest.raises(StripeRefused) as caught:
        judge(refused)

    assert caught.value.detail == "Amount must be at least 50 cents."
    assert caught.value.meta == {"stripe-error": "amount_small"}
    assert caught.value.field is None


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        (fault("timeout"), StripeTimeout),
        (fault("broken"), StripeUnreadable),
        (fault("too-large"), StripeUnreadable),
        (answer(api_error(code="idempotency_key_in_use"), 409), StripeUnreadable),
        (answer(api_error(code="rate_limit"), 429), StripeUnreadable),
        (answer(api_error(), 500), StripeUnreadable),
        (answer(api_error(), 503), StripeUnreadable),
        (answer(b"<html>Bad gateway</html>", 502), StripeUnreadable),
        (answer(api_error(), 424), StripeUnreadable),
        (answer(api_error(type="idempotency_error"), 400), StripeUnreadable),
        (answer(b"<html>Bad request</html>", 400), StripeUnreadable),
        (answer(b"", 302), StripeUnreadable),
        (answer(b"{}", 200), StripeUnreadable),
        (answer(b'{"id": "acct_1", "id": "acct_2"}', 200), StripeUnreadable),
    ],
)
def test_what_leaves_it_open_whether_something_was_done_is_no_refusal(judge, given, kind):
    with pytest.raises(StripeError) as caught:
        judge(given)

    assert type(caught.value) is kind
    assert caught.value.sent


@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_fault_that_stripe_has_saved_with_the_key_is_told_apart(judge, status):
    replayed = answer(api_error(), status, headers={"Idempotent-Replayed": "true"})

    with pytest.raises(SavedFault):
        judge(replayed)


@pytest.mark.parametrize("headers", [{}, {"Idempotent-Replayed": "false"}])
def test_a_fault_that_was_not_replayed_may_be_asked_again_under_the_same_key(judge, headers):
    with pytest.raises(StripeUnreadable) as caught:
        judge(answer(api_error(), 500, headers=headers))

    assert not isinstance(caught.value, SavedFault)


@pytest.mark.parametrize("status", [409, 429])
def test_a_busy_stripe_has_saved_nothing_whatever_it_replays(judge, status):
    with pytest.raises(StripeUnreadable) as caught:
        judge(answer(api_error(), status, headers={"Idempotent-Replayed": "true"}))

    assert not isinstance(caught.value, SavedFault)


def test_what_was_not_sent_is_told_apart(judge):
    with pytest.raises(StripeUnreachable) as caught:
        judge(fault("unreachable"))

    assert not caught.value.sent


def test_an_account_without_access_is_not_connected(judge):
    with pytest.raises(AccountNotConnected):
        judge(answer(api_error(code="account_invalid"), 403))


@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        (401, {"code": "api_key_expired"}, StripeRejectedPlatform),
        (401, {"code": "account_invalid"}, StripeRejectedPlatform),
        (403, {"code": "more_permissions_required"}, KeyLacksPermission),
        (403, {}, KeyLacksPermission),
    ],
)
def test_a_key_that_is_not_accepted_needs_a_person_and_the_cause_is_for_the_log(
    judge, status, error, kind
):
    message = "Expired API Key provided: sk_test_FAKEkey for key-CANARY"
    with pytest.raises(StripeRejectedPlatform) as caught:
        judge(answer(api_error(message, **error), status))

    assert type(caught.value) is kind
    assert "administrator" in caught.value.detail
    assert f"HTTP {status}" in caught.value.cause
    assert "FAKEkey" not in caught.value.cause
    assert "CANARY" not in caught.value.cause


def test_a_new_account_is_told_by_its_id():
    assert judge_new_account(answer(CREATED), hide=HIDE) == ACCOUNT


def test_an_account_link_is_an_address_that_is_not_in_its_repr():
    link = judge_account_link(answer(LINK), hide=HIDE)

    assert link.url == LINK["url"]
    assert link.expires_at == datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)
    assert "setup" not in repr(link)


@pytest.mark.parametrize(
    "changes",
    [
        *({"url": bad} for bad in (None, "", 7, "javascript:alert(1)", "https://a b", "https://")),
        *({"expires_at": bad} for bad in (None, "1", True, 1.5, -1, 2**60)),
    ],
)
def test_an_account_link_that_cannot_be_one_is_unreadable(changes):
    with pytest.raises(StripeUnreadable) as caught:
        judge_account_link(answer({**LINK, **changes}), hide=HIDE)

    assert "setup" not in f"{caught.value} {caught.value.cause}"


def test_a_page_of_accounts_has_what_we_named_them_by_and_the_way_to_the_next():
    other = {"id": "acct_2", "metadata": {"request": 7, "other": "text"}}
    first = judge_accounts(answer(page(CREATED, other, has_more=True)), hide=HIDE)
    last = judge_accounts(answer(page(CREATED)), hide=HIDE)

    assert [(each.account_id, each.metadata) for each in first.items] == [
        (ACCOUNT, {"request": "7"}),
        ("acct_2", {"other": "text"}),
    ]
    assert (first.cursor, last.cursor) == ("acct_2", None)


@pytest.mark.parametrize(
    "body",
    [
        {"data": {}, "has_more": False},
        {"data": [], "has_more": "no"},
        {"data": []},
        page(has_more=True),
        page("acct_1"),
        page({"metadata": {}}),
        page(None),
    ],
)
@pytest.mark.parametrize("judge", [JUDGES["accounts"], JUDGES["intents"]], ids=["accounts", "pi"])
def test_a_list_that_cannot_be_one_is_unreadable(judge, body):
    with pytest.raises(StripeUnreadable):
        judge(answer(body))


def test_an_empty_list_is_one():
    assert judge_accounts(answer(page()), hide=HIDE).items == ()


def test_an_intent_is_told_with_whole_numbers_and_its_secret_is_not_in_the_repr():
    intent = judge_intent(answer(INTENT), ACCOUNT, livemode=False, hide=HIDE)

    assert (intent.intent_id, intent.status) == ("pi_1Some", "requires_payment_method")
    assert (intent.amount, intent.currency, intent.livemode) == (1234, "eur", False)
    assert intent.created_at == datetime.fromtimestamp(1792000000, UTC)
    assert intent.metadata == {"payment": "9"}
    assert intent.client_secret == "pi_1Some_secret_CANARY"
    assert "CANARY" not in repr(intent)


def test_an_intent_may_come_without_its_secret():
    without = {**INTENT, "client_secret": None}

    assert judge_intent(answer(without), ACCOUNT, livemode=False, hide=HIDE).client_secret is None


@pytest.mark.parametrize(
    "changes",
    [
        *({"amount": bad} for bad in (None, "1234", 12.0, True, -1)),
        *({"id": bad} for bad in (None, "", "pi_", "ch_1", "pi_1/2", 7)),
        *({"status": bad} for bad in (None, "", "Odd!", 7)),
        *({"currency": bad} for bad in (None, "EUR", "euro", 7)),
        *({"livemode": bad} for bad in (None, "false", 0, True)),
        *({"created": bad} for bad in (None, "1", True, 2**60)),
        *({"client_secret": bad} for bad in ("", 7, "a b")),
    ],
)
def test_an_intent_with_a_value_that_cannot_be_leaves_it_open_whether_it_was_made(changes):
    with pytest.raises(StripeUnreadable) as caught:
        judge_intent(answer({**INTENT, **changes}), ACCOUNT, livemode=False, hide=HIDE)

    assert "CANARY" not in f"{caught.value} {caught.value.cause}"


def test_a_page_of_intents_has_the_way_to_the_next():
    found = judge_intents(answer(page(INTENT, has_more=True)), ACCOUNT, hide=HIDE)

    assert [each.metadata for each in found.items] == [{"payment": "9"}]
    assert found.cursor == "pi_1Some"
