"""What becomes of a granted account, and how an attempt ends. No database."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from app.auth.policy import ADMIN, ANYONE, COORGANIZER, ORGANIZER
from app.errors import (
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    StripeBusy,
    StripeDisabled,
    StripeModeMismatch,
    StripeRefused,
    StripeRejectedPlatform,
    StripeTimeout,
    StripeUnreachable,
    StripeUnreadable,
)
from app.models import Event, StripeLinkAttempt
from app.services.linking.outcome import CompletionFacts, judge_completion, judge_failure

NOW = datetime(2027, 5, 1, 12, tzinfo=UTC)
STARTED, SECOND = NOW - timedelta(seconds=9), timedelta(seconds=1)


def attempt(**attributes):
    return StripeLinkAttempt(**{"started_at": STARTED, **attributes})


def event(**attributes):
    return Event(**{"can_pay_by_stripe": True, **attributes})


FACTS = CompletionFacts(now=NOW, attempt=attempt(), event=event(), role=ORGANIZER, livemode=False)
# In the order in which they are told.
RECHECKS = [
    (Conflict, 409, {"attempt": None}),
    (Conflict, 409, {"attempt": attempt(finished_at=NOW, outcome="interrupted")}),
    (NotFound, 404, {"event": None}),
    (NotFound, 404, {"event": event(deleted_at=NOW)}),
    (Forbidden, 403, {"role": COORGANIZER}),
    (Forbidden, 403, {"role": ANYONE}),
    (StripeDisabled, 403, {"event": event(can_pay_by_stripe=False)}),
    (StripeModeMismatch, 422, {"livemode": True}),
    (Invalid, 422, {"may_use": False}),
]


def judge(confirmed=None, **facts):
    return judge_completion(replace(FACTS, **facts), False, confirmed)


@pytest.mark.parametrize("role", [ORGANIZER, ADMIN])
def test_what_is_still_allowed_is_stored(role):
    assert judge(role=role) == "store"


@pytest.mark.parametrize(("error", "status", "facts"), RECHECKS)
def test_what_no_longer_holds_is_refused(error, status, facts):
    found = judge(**facts)

    assert isinstance(found, error)
    assert found.status == status


def test_of_several_the_first_is_told():
    everything = {"attempt": None, "event": None, "role": ANYONE, "livemode": True}

    assert isinstance(judge(**everything), Conflict)
    del everything["attempt"]
    assert isinstance(judge(**everything), NotFound)
    del everything["event"]
    assert isinstance(judge(**everything), Forbidden)


def test_an_earlier_commit_that_came_through_is_found_whatever_has_changed():
    done = attempt(finished_at=NOW, outcome="linked")

    assert judge(attempt=done, role=ANYONE, livemode=True) == "stored"


@pytest.mark.parametrize(
    ("disconnected_at", "confirmed", "verdict"),
    [
        (STARTED - SECOND, None, "store"),
        (STARTED, None, "doubtful"),
        (STARTED + SECOND, None, "doubtful"),
        (STARTED + SECOND, STARTED + SECOND, "store"),
        (STARTED + 2 * SECOND, STARTED + SECOND, "doubtful"),
    ],
)
def test_an_account_that_may_just_have_been_disconnected_is_doubtful(
    disconnected_at, confirmed, verdict
):
    assert judge(confirmed, disconnected_at=disconnected_at) == verdict


@pytest.mark.parametrize(("until", "expected"), [(None, False), (NOW, False), (NOW + SECOND, True)])
def test_a_delivery_is_under_way_until_its_lease_ends(until, expected):
    assert replace(FACTS, delivering_until=until).is_delivering is expected


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (StripeRefused, "refused"),
        (StripeModeMismatch, "refused"),
        (StripeRejectedPlatform, "refused"),
        (StripeUnreadable, "failed"),
        (StripeTimeout, "failed"),
        (Conflict, "failed"),
        (Forbidden, "failed"),
        (StripeUnreachable, "not-sent"),
        (StripeBusy, "not-sent"),
    ],
)
def test_an_error_says_how_the_attempt_ends(error, outcome):
    assert judge_failure(error("…")) == outcome
