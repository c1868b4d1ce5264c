"""Idempotency keys of api.stripe.com: replayed, refused, in use, a day long; 500s kept."""

import threading

import pytest
import requests

from tests.devtools.conftest import fail
from tests.simultaneous import until

FORM = {"type": "standard", "email": "a@example.org", "country": "AT", "metadata[row]": "7"}


def create(platform, form=None, key="once", auth=None, **headers):
    return platform.post(
        "/v1/accounts",
        FORM if form is None else form,
        auth=(auth or platform.test.secret_key, ""),
        headers={"Idempotency-Key": key, **headers},
    )


def created(platform):
    return sum(each["metadata"] == {"row": "7"} for each in platform.state()["accounts"])


def error_in(response):
    error = response.json()["error"]
    return response.status_code, error["type"], error.get("code")


def test_the_same_request_again_is_answered_from_memory(platform):
    first, second = create(platform), create(platform)

    assert second.json() == first.json()
    assert created(platform) == 1
    assert "Idempotent-Replayed" not in first.headers
    assert second.headers["Idempotent-Replayed"] == "true"
    assert second.headers["Original-Request"] == first.headers["Request-Id"]
    assert second.headers["Request-Id"] != first.headers["Request-Id"]
    assert first.headers["Idempotency-Key"] == "once"


def test_the_order_of_parameters_makes_no_difference(platform):
    first = create(platform)
    second = create(platform, dict(reversed(FORM.items())))

    assert second.json()["id"] == first.json()["id"]


def test_without_a_key_every_request_runs(platform):
    for _ in range(2):
        platform.post("/v1/accounts", FORM, auth=(platform.test.secret_key, ""))

    assert created(platform) == 2


@pytest.mark.parametrize("change", [{"country": "DE"}, {"metadata[other]": "1"}])
def test_other_parameters_under_a_known_key_are_refused(platform, change):
    create(platform)

    response = create(platform, {**FORM, **change})

    assert error_in(response) == (400, "idempotency_error", None)
    assert response.json()["error"]["message"] == (
        "Keys for idempotent requests can only be used with the same parameters they were first "
        "used with. Try using a key other than 'once' if you meant to execute a different request."
    )
    assert created(platform) == 1


def test_a_known_key_at_another_endpoint_is_refused(platform):
    create(platform)

    response = platform.post(
        "/v1/account_links",
        FORM,
        auth=(platform.test.secret_key, ""),
        headers={"Idempotency-Key": "once"},
    )

    assert error_in(response) == (400, "idempotency_error", None)
    assert "for the same endpoint they were first used for" in response.json()["error"]["message"]


def test_a_key_whose_first_request_still_runs_is_in_use(platform):
    fail(platform, "slow", seconds=60, times=1)
    first = []
    asking = threading.Thread(target=lambda: first.append(create_apart(platform)))
    asking.start()
    until(lambda: asked(platform)[-1]["fault"] == "slow")

    second = create(platform)
    fail(platform, None)
    asking.join(10)

    assert error_in(second) == (409, "idempotency_error", "idempotency_key_in_use")
    assert second.headers["Stripe-Should-Retry"] == "true"
    assert create(platform).json()["id"] == first[0].json()["id"]
    assert created(platform) == 1


def create_apart(platform):
    """From another thread, which must not share the session."""
    return requests.post(
        platform.url + "/v1/accounts",
        FORM,
        auth=(platform.test.secret_key, ""),
        headers={"Idempotency-Key": "once"},
        timeout=30,
    )


def asked(platform):
    found = platform.get("/_control/requests").json()["requests"]
    return [each for each in found if each["path"] == "/v1/accounts"] or [{"fault": None}]


@pytest.mark.parametrize(("age", "count"), [(86_399, 1), (86_400, 2)])
def test_a_key_lives_a_day_by_stripes_own_clock(platform, age, count):
    create(platform)
    platform.control("clock", {"advance": age})
    create(platform)

    assert created(platform) == count


@pytest.mark.parametrize("fault", ["500-after", "timeout-after", "close-after-commit", "truncated"])
def test_an_answer_that_was_lost_is_there_for_the_next_try(platform, fault):
    fail(platform, fault, times=1, **({"seconds": 0} if fault == "timeout-after" else {}))
    try:
        assert create(platform).status_code == 500
    except requests.RequestException as lost:
        assert not isinstance(lost, requests.Timeout)

    again = create(platform)

    assert again.status_code == 200
    assert again.headers["Idempotent-Replayed"] == "true"
    assert created(platform) == 1


@pytest.mark.parametrize("fault", ["500-before", "429", "html", "close-after-request"])
def test_a_request_that_never_reached_stripe_leaves_its_key_free(platform, fault):
    fail(platform, fault, times=1)
    try:
        assert create(platform).status_code in (500, 429, 502)
    except requests.ConnectionError:
        assert fault == "close-after-request"

    again = create(platform)

    assert again.status_code == 200
    assert "Idempotent-Replayed" not in again.headers


@pytest.mark.parametrize(("fault", "count"), [("500-saved-before", 0), ("500-saved-after", 1)])
def test_a_500_of_stripes_own_is_kept_and_replayed(platform, fault, count):
    fail(platform, fault, times=1)

    first, second = create(platform), create(platform)

    assert (first.status_code, second.status_code) == (500, 500)
    assert second.headers["Idempotent-Replayed"] == "true"
    assert created(platform) == count
    assert create(platform, key="another").status_code == 200


@pytest.mark.parametrize(
    ("form", "auth", "status"),
    [
        ({**FORM, "country": "UK"}, None, 400),
        ({**FORM, "made_up": "1"}, None, 400),
        (FORM, "sk_test_unknown", 401),
    ],
)
def test_nothing_is_kept_of_a_request_that_was_refused_before_it_began(
    platform, form, auth, status
):
    assert create(platform, form, auth=auth).status_code == status

    assert create(platform).status_code == 200


def test_a_switch_keeps_refusals_too(platform):
    platform.control("switches", {"refusals_are_saved": True})
    wrong = {**FORM, "country": "UK"}
    create(platform, wrong)

    assert create(platform, wrong).headers["Idempotent-Replayed"] == "true"
    assert error_in(create(platform))[1] == "idempotency_error"


def test_modes_platforms_and_accounts_have_keys_of_their_own(platform):
    platform.exchange(platform.code())
    ids = {
        create(platform).json()["id"],
        create(platform, auth=platform.live.secret_key).json()["id"],
        create(platform, **{"Stripe-Account": platform.account.id}).json()["id"],
    }

    assert len(ids) == 3


def test_a_key_may_have_255_characters(platform):
    assert create(platform, key="k" * 255).status_code == 200
    assert create(platform, key="k" * 256).status_code == 400


def test_reading_takes_no_notice_of_a_key(platform):
    options = {"auth": (platform.test.secret_key, ""), "headers": {"Idempotency-Key": "once"}}

    answers = [platform.get("/v1/account", **options), platform.get("/v1/accounts", **options)]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert all("Idempotency-Key" not in answer.headers for answer in answers)


def test_the_version_key_and_account_of_a_request_are_in_the_log_and_its_secrets_are_not(platform):
    real = "sk_live_" + "51HNotOneOfOurs" * 2
    headers = {"Stripe-Version": "2026-10-28.endive", "Stripe-Account": "acct_1"}
    create(platform, auth=real, **headers)

    entry = asked(platform)[-1]

    assert (entry["stripe_version"], entry["stripe_account"]) == ("2026-10-28.endive", "acct_1")
    assert entry["idempotency_key"] == "once"
    assert "Authorization" not in entry["headers"]
    assert real not in str(entry)


def test_a_version_that_is_no_date_is_refused(platform):
    response = platform.get(
        "/v1/account",
        auth=(platform.test.secret_key, ""),
        headers={"Stripe-Version": "newest"},
    )

    assert response.status_code == 400
    assert response.json()["error"]["message"] == "Invalid Stripe API version: newest"
