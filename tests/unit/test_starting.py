"""Whether an attempt to link may start: every check alone, and their order. No database."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from app.auth.policy import COORGANIZER, ORGANIZER, Caller
from app.errors import (
    AlreadyLinked,
    CodeAlreadyUsed,
    Forbidden,
    Invalid,
    LinkInProgress,
    NotFound,
    RememberedFailure,
    StateInvalid,
    StripeDisabled,
    StripeModeMismatch,
    StripeNotConfigured,
)
from app.models import (
    StripeAccount,
    StripeAuthorization,
    StripeAuthorizationRequest,
    StripeLinkAttempt,
)
from app.services.linking.admission import StartFacts, judge_start
from app.services.linking.request import LinkRequest, choose_method
from app.services.platform.registration import Platform

NOW = datetime(2027, 5, 1, 12, tzinfo=UTC)
SOON, BEFORE = NOW + timedelta(seconds=7), NOW - timedelta(seconds=7)
EVENT, OTHER_EVENT, OWNER = 1, 2, 5
PLATFORM = Platform(
    livemode=False, client_id="ca_1", secret_key="sk_test_1", publishable_key="pk_test_1"
)
UNCONFIGURED = replace(PLATFORM, secret_key="")
REQUEST = LinkRequest(event="1", caller=Caller(id=OWNER), code="ac_1")
FACTS = StartFacts(
    now=NOW, event_id=EVENT, role=ORGANIZER, can_pay_by_stripe=True, platform=PLATFORM
)


def attempt(**attributes):
    given = {"event_id": EVENT, "stripe_auth_code": "digest", "expires_at": SOON, **attributes}
    given["finished_at"] = None if given.get("outcome") is None else NOW
    return StripeLinkAttempt(**given)


def link(**attributes):
    given = {"id": 9, "event_id": EVENT, "livemode": False, "stripe_auth_code": "digest"}
    return StripeAuthorization(**{**given, **attributes})


def trip(**attributes):
    given = {"user_id": OWNER, "event_id": EVENT, "livemode": False, "expires_at": SOON}
    return StripeAuthorizationRequest(**{**given, **attributes})


# Each check fails by one fact of its own, in the order of the contract.
CHECKS = [
    (Forbidden, {"role": COORGANIZER}, {}),
    (CodeAlreadyUsed, {"known": attempt(outcome="interrupted")}, {}),
    (StripeDisabled, {"can_pay_by_stripe": False}, {}),
    (LinkInProgress, {"current": attempt()}, {}),
    (AlreadyLinked, {"link": link()}, {}),
    (StripeNotConfigured, {"platform": UNCONFIGURED}, {}),
    (StripeModeMismatch, {}, {"publishable_key": "pk_live_1"}),
    (StateInvalid, {}, {"state": "unknown"}),
]


def judge(facts=None, asked=None):
    return judge_start(replace(REQUEST, **asked or {}), replace(FACTS, **facts or {}))


def test_where_nothing_stands_against_it_an_attempt_may_start():
    assert judge() is None


@pytest.mark.parametrize(("error", "facts", "asked"), CHECKS)
def test_each_check_refuses_alone(error, facts, asked):
    with pytest.raises(error):
        judge(facts, asked)


@pytest.mark.parametrize("first", range(len(CHECKS)))
def test_of_several_faults_the_first_in_order_is_told(first):
    facts, asked = {}, {}
    for _, more_facts, more_asked in CHECKS[first:]:
        facts, asked = {**more_facts, **facts}, {**more_asked, **asked}

    with pytest.raises(CHECKS[first][0]):
        judge(facts, asked)


@pytest.mark.parametrize(
    ("known", "known_link", "error"),
    [
        (attempt(outcome="linked", event_id=OTHER_EVENT), link(), CodeAlreadyUsed),
        (attempt(event_id=OTHER_EVENT), None, CodeAlreadyUsed),
        (attempt(outcome="linked"), None, CodeAlreadyUsed),
        (attempt(outcome="linked"), link(stripe_auth_code="a later code"), CodeAlreadyUsed),
        (attempt(outcome="interrupted"), None, CodeAlreadyUsed),
        (attempt(), None, LinkInProgress),
        (attempt(outcome="refused", status=422, error_code="x"), None, RememberedFailure),
        (attempt(outcome="failed", status=502, error_code="x"), None, RememberedFailure),
    ],
)
def test_a_known_code_is_answered_from_memory(known, known_link, error):
    with pytest.raises(error):
        judge({"known": known, "known_link": known_link})


def test_the_code_that_made_the_link_gives_it_again_whatever_has_changed():
    made = link()
    facts = {"known": attempt(outcome="linked"), "known_link": made, "can_pay_by_stripe": False}

    assert judge(facts) is made
    assert judge(facts, {"replacing": made.id}) is made


def test_the_code_of_the_other_modes_link_does_not_count_for_the_link_to_be_replaced():
    facts = {"known": attempt(outcome="linked"), "known_link": link()}

    with pytest.raises(CodeAlreadyUsed):
        judge(facts, {"replacing": 10})


@pytest.mark.parametrize(
    ("place", "source", "field"),
    [
        ("/data/attributes/state", {"pointer": "/data/attributes/state"}, None),
        ("code", {}, "code"),
        (None, {}, None),
    ],
)
def test_a_remembered_failure_is_the_same_answer(place, source, field):
    known = attempt(
        outcome="refused",
        status=422,
        error_code="stripe-refused",
        detail="No.",
        pointer=place,
        stripe_error="invalid_grant",
    )

    with pytest.raises(RememberedFailure) as raised:
        judge({"known": known})

    error = raised.value
    assert (error.status, error.code, error.detail) == (422, "stripe-refused", "No.")
    assert (error.source, error.field) == (source, field)
    assert error.meta == {"stripe-error": "invalid_grant"}


def test_an_attempt_under_way_says_when_to_come_back_and_an_expired_one_nothing():
    with pytest.raises(LinkInProgress) as raised:
        judge({"current": attempt()})

    assert raised.value.headers == {"Retry-After": "7"}
    assert judge({"current": attempt(expires_at=BEFORE)}) is None


@pytest.mark.parametrize(
    ("facts", "error"),
    [
        ({"link": link(id=9)}, None),
        ({"link": None, "replaced": None}, NotFound),
        ({"link": None, "replaced": link(id=9, livemode=True)}, StripeModeMismatch),
        ({"link": link(id=8), "replaced": link(id=9, livemode=True)}, StripeModeMismatch),
    ],
)
def test_a_replacement_needs_its_link_in_this_mode(facts, error):
    if error is None:
        assert judge(facts, {"replacing": 9}) is None
        return
    with pytest.raises(error):
        judge(facts, {"replacing": 9})


@pytest.mark.parametrize("key", [None, "", "pk_test_x", "pk_x", "sk_live_x", "anything"])
def test_a_frontends_key_that_is_not_recognizably_of_the_other_mode_is_no_matter(key):
    assert judge(asked={"publishable_key": key}) is None


def test_a_frontend_of_the_other_mode_is_the_administrators_business():
    with pytest.raises(StripeModeMismatch, match="administrator") as raised:
        judge(asked={"publishable_key": "pk_live_x"})

    assert raised.value.field == "stripe_publishable_key"


@pytest.mark.parametrize(
    "wrong",
    [
        {"user_id": 6},
        {"event_id": OTHER_EVENT},
        {"livemode": True},
        {"expires_at": NOW},
        {"used_at": BEFORE},
    ],
)
def test_a_state_is_bound_to_user_event_mode_and_time_and_works_once(wrong):
    assert judge({"trip": trip()}, {"state": "s"}) is None
    with pytest.raises(StateInvalid):
        judge({"trip": trip(**wrong)}, {"state": "s"})


def test_a_state_is_required_only_where_the_operator_says_so():
    with pytest.raises(StateInvalid):
        judge(asked={"state_required": True})
    assert judge({"trip": trip()}, {"state_required": True, "state": "s"}) is None


@pytest.mark.parametrize(
    ("source", "method"),
    [
        (("ac_1", None, None), "oauth"),
        (("ac_1", None, "state"), "oauth"),
        ((None, "acct_1", None), "account"),
        ((None, None, "state"), "onboarding"),
    ],
)
def test_a_document_says_one_way_of_connecting(source, method):
    assert choose_method(*source) == method


@pytest.mark.parametrize(
    "source",
    [
        (None, None, None),
        ("ac_1", "acct_1", None),
        (None, "acct_1", "state"),
        ("ac_1", "acct_1", "state"),
    ],
)
def test_none_or_several_ways_are_refused_about_the_code(source):
    with pytest.raises(Invalid) as raised:
        choose_method(*source)

    assert raised.value.field == "code"


BY_ACCOUNT = {"code": None, "account_id": "acct_1"}
BY_STATE = {"code": None, "state": "s"}
MINE = {"may_use": True}


def onboarding(**attributes):
    given = {"id": 3, "stripe_user_id": "acct_1", "livemode": False, "connected_by_id": OWNER}
    return StripeAccount(**{**given, **attributes})


def test_an_account_of_the_callers_own_may_start_in_either_method():
    for method in ("oauth", "onboarding"):
        assert judge({**MINE, "connect_method": method}, BY_ACCOUNT) is None


@pytest.mark.parametrize(
    ("error", "facts"),
    [
        (Forbidden, {"role": COORGANIZER, "may_use": False}),
        (Invalid, {"may_use": False, "can_pay_by_stripe": False}),
        (StripeDisabled, {"can_pay_by_stripe": False, "current": attempt()}),
        (LinkInProgress, {"current": attempt(), "link": link(stripe_user_id="acct_2")}),
        (AlreadyLinked, {"link": link(stripe_user_id="acct_2"), "platform": UNCONFIGURED}),
        (StripeNotConfigured, {"platform": UNCONFIGURED}),
    ],
)
def test_the_checks_of_an_account_have_their_order(error, facts):
    with pytest.raises(error):
        judge({**MINE, **facts}, BY_ACCOUNT)


def test_an_account_needs_no_client_id():
    assert judge({**MINE, "platform": replace(PLATFORM, client_id="")}, BY_ACCOUNT) is None


def test_the_account_that_is_linked_already_is_the_answer():
    made = link(stripe_user_id="acct_1")
    facts = {**MINE, "link": made, "can_pay_by_stripe": False}

    assert judge(facts, BY_ACCOUNT) is made
    assert judge(facts, {**BY_ACCOUNT, "replacing": made.id}) is made


def test_a_code_alone_is_no_way_to_connect_where_organizers_onboard():
    with pytest.raises(Invalid) as refusal:
        judge({"connect_method": "onboarding"})
    assert refusal.value.field == "code"


def test_an_onboarding_starts_by_its_state_whatever_the_setting_is():
    for method in ("oauth", "onboarding"):
        facts = {"trip": trip(), "onboarded": onboarding(), "connect_method": method}
        assert judge(facts, BY_STATE) is None


@pytest.mark.parametrize(
    ("error", "facts"),
    [
        (StateInvalid, {}),
        (StateInvalid, {"trip": trip(user_id=OWNER + 1), "onboarded": onboarding()}),
        (StateInvalid, {"trip": trip(event_id=OTHER_EVENT), "onboarded": onboarding()}),
        (StateInvalid, {"trip": trip(livemode=True), "onboarded": onboarding()}),
        (StateInvalid, {"trip": trip(expires_at=BEFORE), "onboarded": onboarding()}),
        (StateInvalid, {"trip": trip(used_at=BEFORE), "onboarded": onboarding()}),
        (StateInvalid, {"trip": trip(), "onboarded": onboarding(disconnected_at=BEFORE)}),
        (Invalid, {"trip": trip()}),
    ],
)
def test_a_state_alone_must_be_of_an_onboarding_of_the_callers(error, facts):
    with pytest.raises(error):
        judge(facts, BY_STATE)


def test_a_code_does_not_come_with_the_state_of_an_onboarding():
    with pytest.raises(StateInvalid):
        judge({"trip": trip(), "onboarded": onboarding()}, {"state": "s"})


def test_the_state_that_made_the_link_gives_it_again_to_its_user_alone():
    made = link(stripe_user_id="acct_1")
    spent = trip(used_at=BEFORE)
    facts = {"trip": spent, "onboarded": onboarding(), "known_link": made, "link": made}

    assert judge(facts, BY_STATE) is made
    with pytest.raises(AlreadyLinked):
        judge({**facts, "trip": trip(used_at=BEFORE, user_id=OWNER + 1)}, BY_STATE)
