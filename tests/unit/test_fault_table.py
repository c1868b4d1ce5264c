"""What each answer of Stripe's to an exchange comes to: the table of faults, row by row."""

import json

import pytest

from app.clients.stripe.oauth_answers import judge_exchange
from app.clients.stripe.transport import Answer
from app.errors import StripeBusy, StripeError
from app.services.linking.outcome import judge_failure

GRANT = {
    "stripe_user_id": "acct_1",
    "livemode": False,
    "scope": "read_write",
    "access_token": "sk_test_1",
    "refresh_token": "rt_1",
    "stripe_publishable_key": "pk_test_1",
}
DEPRECATED = ("access_token", "refresh_token", "stripe_publishable_key")
REFUSED = (422, "stripe-refused", "refused")
MIXED = (422, "stripe-mode-mismatch", "refused")
REJECTED = (502, "stripe-rejected-platform", "refused")
UNREADABLE = (502, "stripe-unreadable", "failed")


def granted(without=(), **changed):
    content = {name: value for name, value in GRANT.items() if name not in without}
    return Answer(200, json.dumps({**content, **changed}).encode())


def refused(status, description=None, error="invalid_grant"):
    content = {"error": error} | ({"error_description": description} if description else {})
    return Answer(status, json.dumps(content).encode())


def failed(fault, body=b""):
    return Answer(None, body, fault)


TABLE = {
    "400 with words": (refused(400, "Authorization code does not exist: ac_1"), REFUSED),
    "400 without words": (refused(400), REFUSED),
    "an error as an object": (refused(400, error={"message": "No."}), REFUSED),
    "403": (refused(403, "This code does not belong to you."), REFUSED),
    "403 as a page": (Answer(403, b"<html>Forbidden"), REFUSED),
    "401": (refused(401, "Invalid API Key provided: sk_test_*", "invalid_client"), REJECTED),
    "modes mixed": (refused(400, "Passed in livemode API key with test code."), MIXED),
    "the other mode": (granted(livemode=True), MIXED),
    "another scope": (granted(scope="read_only"), REFUSED),
    "no account": (granted(without=["stripe_user_id"]), UNREADABLE),
    "a key of the other mode": (granted(stripe_publishable_key="pk_live_1"), UNREADABLE),
    "429": (refused(429), UNREADABLE),
    "500": (refused(500), UNREADABLE),
    "HTML": (Answer(200, b"<html>"), UNREADABLE),
    "no JSON": (Answer(200, b"{"), UNREADABLE),
    "wrong types": (granted(livemode="false"), UNREADABLE),
    "a redirect": (Answer(302, b""), UNREADABLE),
    "cannot connect": (failed("unreachable"), (502, "stripe-unreachable", "not-sent")),
    "lost after sending": (failed("broken"), UNREADABLE),
    "too large": (failed("too-large"), UNREADABLE),
    "no answer in time": (failed("timeout"), (504, "stripe-timeout", "failed")),
}


@pytest.mark.parametrize(("answer", "expected"), TABLE.values(), ids=TABLE.keys())
def test_each_fault_has_its_status_its_code_and_its_outcome(answer, expected):
    with pytest.raises(StripeError) as raised:
        judge_exchange(answer, livemode=False, hide=("ac_1",))

    error = raised.value
    assert (error.status, error.code, judge_failure(error)) == expected


@pytest.mark.parametrize("without", [(), DEPRECATED])
def test_a_good_answer_is_an_account_with_or_without_the_deprecated_fields(without):
    account = judge_exchange(granted(without), livemode=False, hide=())

    assert (account.account_id, account.livemode, account.scope) == ("acct_1", False, "read_write")
    assert (account.access_token is None) == bool(without)


@pytest.mark.parametrize("fault", ["the other mode", "another scope", "a key of the other mode"])
def test_an_account_that_came_with_a_fault_is_named_so_that_it_is_given_back(fault):
    with pytest.raises(StripeError) as raised:
        judge_exchange(TABLE[fault][0], livemode=False, hide=())

    assert raised.value.granted_account == "acct_1"


def test_our_own_bound_sends_nothing():
    error = StripeBusy("…")

    assert (error.status, error.code, judge_failure(error)) == (503, "stripe-busy", "not-sent")
