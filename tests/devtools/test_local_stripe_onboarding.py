"""Accounts that a platform creates: POST and GET /v1/accounts, account links and their page."""

import json

import pytest

from tests.devtools.conftest import fail
from tests.devtools.forms import Forms
from tests.devtools.listener import verify
from tests.simultaneous import until

RETURN = "http://127.0.0.1:5000/connect/callback?state=st4te"
REFRESH = RETURN + "&refresh=1"


def create(platform, key=None, **form):
    wanted = {"type": "standard", "email": "a@example.org", "country": "AT", **form}
    return platform.post("/v1/accounts", wanted, auth=(key or platform.test.secret_key, ""))


def link(platform, account_id, **form):
    wanted = {
        "account": account_id,
        "type": "account_onboarding",
        "return_url": RETURN,
        "refresh_url": REFRESH,
        **form,
    }
    return platform.post("/v1/account_links", wanted, auth=(platform.test.secret_key, ""))


def path_of(platform, response):
    return response.json()["url"].removeprefix(platform.url)


def error_in(response):
    error = response.json()["error"]
    return response.status_code, error.get("code"), error.get("param"), error["message"]


@pytest.fixture
def account_id(platform):
    return create(platform).json()["id"]


@pytest.fixture
def page(platform, account_id):
    """The address of the page that a fresh link opens."""
    return platform.get(path_of(platform, link(platform, account_id))).headers["Location"]


def test_a_new_account_has_submitted_nothing_and_can_charge_nothing(platform):
    account = create(platform, **{"metadata[row]": "7"}).json()

    assert (account["object"], account["type"]) == ("account", "standard")
    assert (account["email"], account["country"]) == ("a@example.org", "AT")
    assert account["metadata"] == {"row": "7"}
    assert account["details_submitted"] is False
    assert account["charges_enabled"] is account["payouts_enabled"] is False
    assert account["requirements"]["currently_due"] != []
    assert account["controller"]["type"] == "application"


def test_the_platform_reads_the_account_that_it_created_and_no_other_mode_does(
    platform, account_id
):
    assert platform.read_account(account_id).json()["id"] == account_id
    assert platform.read_account(account_id, platform.live.secret_key).status_code == 403


@pytest.mark.parametrize(
    ("form", "refusal"),
    [
        ({"country": "UK"}, (400, "country_code_invalid", "country")),
        ({"country": "Germany"}, (400, "country_code_invalid", "country")),
        ({"country": "KP"}, (400, "country_unsupported", "country")),
        ({"email": "nobody"}, (400, "email_invalid", "email")),
        ({"type": "premium"}, (400, None, "type")),
        ({"made_up": "1"}, (400, "parameter_unknown", "made_up")),
        ({"metadata": "1"}, (400, None, "metadata")),
        ({"metadata[a][b]": "1"}, (400, None, "metadata")),
        ({"metadata[" + "n" * 41 + "]": "1"}, (400, None, "metadata")),
        ({"metadata[n]": "v" * 501}, (400, None, "metadata")),
    ],
)
def test_an_account_with_a_wrong_parameter_is_refused(platform, form, refusal):
    count = len(platform.state()["accounts"])

    response = create(platform, **form)

    assert error_in(response)[:3] == refusal
    assert len(platform.state()["accounts"]) == count


def test_only_a_platforms_key_creates_accounts(platform):
    token = platform.exchange(platform.code()).json()["access_token"]

    assert create(platform, key=token).status_code == 403
    assert create(platform, key="sk_test_unknown").status_code == 401


def test_a_switch_says_that_the_platform_may_not_create_accounts(platform):
    platform.control("switches", {"account_creation_refused_text": "Sign up for Connect first."})

    assert error_in(create(platform)) == (400, None, None, "Sign up for Connect first.")


def test_an_account_that_the_platform_created_cannot_be_deauthorized(platform, account_id):
    response = platform.deauthorize(account_id)

    assert response.status_code == 401
    assert response.json()["error_description"].startswith("no_deauth_on_controlled_account")
    assert platform.read_account(account_id).status_code == 200


def test_a_link_lives_five_minutes_by_the_clock_of_its_receiver(platform, account_id, clock):
    made = link(platform, account_id).json()

    assert made["object"] == "account_link"
    assert (made["created"], made["expires_at"] - made["created"]) == (int(clock.time), 300)
    assert made["url"].startswith(f"{platform.url}/setup/s/{account_id}/")


@pytest.mark.parametrize(
    ("form", "refusal"),
    [
        ({"type": ""}, (400, "parameter_invalid_empty", "type")),
        ({"type": "account_update"}, (400, None, "type")),
        ({"return_url": "nowhere"}, (400, "url_invalid", "return_url")),
        ({"refresh_url": "javascript:alert(1)"}, (400, "url_invalid", "refresh_url")),
        ({"account": "acct_foreign"}, (403, "account_invalid", None)),
    ],
)
def test_a_link_with_a_wrong_parameter_is_refused(platform, account_id, form, refusal):
    assert error_in(link(platform, account_id, **form))[:3] == refusal


def test_an_account_that_was_connected_by_oauth_gets_no_link(platform):
    platform.exchange(platform.code())

    assert error_in(link(platform, platform.account.id))[:3] == (400, None, "account")


@pytest.mark.parametrize(("is_allowed", "status"), [(False, 400), (True, 200)])
def test_live_links_return_to_https_unless_switched_otherwise(platform, is_allowed, status):
    platform.control("switches", {"live_http_redirects": is_allowed})
    auth = (platform.live.secret_key, "")
    account_id = platform.post("/v1/accounts", {"type": "standard"}, auth=auth).json()["id"]
    wanted = {"account": account_id, "type": "account_onboarding"}

    response = platform.post(
        "/v1/account_links",
        {**wanted, "return_url": RETURN, "refresh_url": REFRESH},
        auth=auth,
    )

    assert response.status_code == status


def test_the_page_shows_a_form_that_needs_no_script(platform, page):
    response = platform.get(page)
    shown = Forms(response.text)

    (form,) = shown.forms
    assert (form["method"], form["action"]) == ("post", page)
    assert form["fields"] == {"email": "a@example.org", "business_name": ""}
    assert form["buttons"] == [("decision", "finish"), ("decision", "leave")]
    assert all(reference.startswith(("/static/", "data:")) for reference in shown.references)


def test_finishing_returns_to_the_platform_and_the_account_can_charge(platform, account_id, page):
    response = platform.post(page, {"decision": "finish", "business_name": "Alpine Nights"})

    account = platform.read_account(account_id).json()
    assert (response.status_code, response.headers["Location"]) == (303, RETURN)
    assert account["details_submitted"] is account["charges_enabled"] is True
    assert account["settings"]["dashboard"]["display_name"] == "Alpine Nights"


def test_leaving_keeps_what_was_typed_but_submits_nothing(platform, account_id, page):
    response = platform.post(page, {"decision": "leave", "business_name": "Alpine Nights"})

    account = platform.read_account(account_id).json()
    assert (response.status_code, response.headers["Location"]) == (303, RETURN)
    assert account["details_submitted"] is False
    assert account["business_profile"]["name"] == "Alpine Nights"


def test_a_form_without_a_decision_is_shown_again(platform, account_id, page):
    response = platform.post(page, {})

    assert response.status_code == 400
    assert "Choose Finish or Leave." in response.text
    assert platform.post(page, {"decision": "finish"}).status_code == 303


def test_a_link_that_was_visited_leads_to_the_refresh_address(platform, account_id):
    path = path_of(platform, link(platform, account_id))
    platform.get(path)

    response = platform.get(path)

    assert (response.status_code, response.headers["Location"]) == (303, REFRESH)


@pytest.mark.parametrize(("age", "is_good"), [(299, True), (301, False)])
def test_a_link_is_good_for_five_minutes(platform, account_id, clock, age, is_good):
    path = path_of(platform, link(platform, account_id))
    platform.control("clock", {"advance": age})

    location = platform.get(path).headers["Location"]

    assert (location == REFRESH) is not is_good


def test_a_page_that_was_sent_leads_to_the_refresh_address(platform, page):
    platform.post(page, {"decision": "leave"})

    answers = [platform.get(page), platform.post(page, {"decision": "finish"})]

    assert [answer.headers["Location"] for answer in answers] == [REFRESH, REFRESH]


def test_a_made_up_link_is_not_found(platform, account_id):
    assert platform.get(f"/setup/s/{account_id}/unknown").status_code == 404
    assert platform.get("/setup/onboarding/unknown").status_code == 404


def test_the_page_can_be_filled_in_by_one_command(platform, account_id):
    path = path_of(platform, link(platform, account_id))

    response = platform.post(path, {"decision": "finish"})

    assert response.headers["Location"] == RETURN
    assert platform.read_account(account_id).json()["details_submitted"] is True


def test_finishing_sends_account_updated_with_the_account_on_top(quiet, listener, account_id):
    path = path_of(quiet, link(quiet, account_id))

    quiet.post(path, {"decision": "finish"})

    event = verify(listener.wait(1)[0], quiet.test.webhook_secret)
    assert (event.type, event.account, event.livemode) == ("account.updated", account_id, False)
    assert event.data.object.details_submitted is True


def test_creating_sends_no_event_unless_switched_on(quiet, listener):
    create(quiet)
    quiet.control("switches", {"creation_sends_event": True})
    made = create(quiet).json()["id"]

    (body, _) = listener.wait(1)[0]
    assert json.loads(body)["type"] == "account.application.authorized"
    assert json.loads(body)["account"] == made


def test_a_test_finishes_an_onboarding_without_the_page(platform, account_id):
    platform.control(f"accounts/{account_id}", {"details_submitted": True})

    assert platform.read_account(account_id).json()["charges_enabled"] is True


def test_finishing_does_not_lift_a_restriction(platform, account_id):
    platform.control(f"accounts/{account_id}", {"disabled_reason": "rejected.fraud"})
    platform.control(f"accounts/{account_id}", {"details_submitted": True})

    account = platform.read_account(account_id).json()
    assert account["charges_enabled"] is False
    assert account["requirements"]["disabled_reason"] == "rejected.fraud"


@pytest.fixture
def created(platform, clock):
    """Five accounts, oldest first, a second apart but for the last two."""
    ids = []
    for number in range(5):
        clock.forward(1 if number < 4 else 0)
        ids.append(create(platform, **{"metadata[number]": str(number)}).json()["id"])
    return ids


def listed(platform, **query):
    response = platform.get("/v1/accounts", params=query, auth=(platform.test.secret_key, ""))
    body = response.json()
    assert (body["object"], body["url"]) == ("list", "/v1/accounts")
    return [each["id"] for each in body["data"]], body["has_more"]


def test_accounts_are_listed_newest_first_in_pages(platform, created):
    newest_first = created[::-1]

    first, more = listed(platform, limit=2)
    second, more_still = listed(platform, limit=2, starting_after=first[-1])
    last, nothing_more = listed(platform, limit=2, starting_after=second[-1])

    assert [*first, *second, *last] == newest_first
    assert (more, more_still, nothing_more) == (True, True, False)
    assert listed(platform, limit=2, ending_before=last[0]) == (second, True)
    assert listed(platform, limit=2, ending_before=second[0]) == (first, False)


def test_accounts_are_listed_by_the_time_of_their_creation(platform, created, clock):
    last = int(clock.time)

    assert listed(platform, **{"created[gte]": last}) == (created[:2:-1], False)
    assert listed(platform, **{"created[gt]": last - 2, "created[lt]": last})[0] == [created[2]]
    assert listed(platform, **{"created[lte]": last - 3})[0] == [created[0]]
    assert listed(platform, created=last - 3)[0] == [created[0]]


def test_accounts_connected_by_oauth_are_listed_and_other_platforms_are_not(platform, created):
    platform.exchange(platform.code())

    ids, _ = listed(platform)

    assert set(ids) == {*created, platform.account.id}
    managed = next(each for each in platform.state()["accounts"] if each["controlled_by"])
    assert managed["id"] not in ids


@pytest.mark.parametrize(
    ("query", "refusal"),
    [
        ({"limit": 0}, (400, "parameter_invalid_integer", "limit")),
        ({"limit": 101}, (400, None, "limit")),
        ({"limit": "ten"}, (400, "parameter_invalid_integer", "limit")),
        ({"starting_after": "acct_unknown"}, (400, "resource_missing", "starting_after")),
        ({"created[after]": 1}, (400, "parameter_unknown", "after")),
        ({"page": 2}, (400, "parameter_unknown", "page")),
        ({"starting_after": "a", "ending_before": "b"}, (400, None, "starting_after")),
    ],
)
def test_a_list_with_a_wrong_parameter_is_refused(platform, query, refusal):
    response = platform.get("/v1/accounts", params=query, auth=(platform.test.secret_key, ""))

    assert error_in(response)[:3] == refusal


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [
        ("account-403", 403, "account_invalid"),
        ("account-404", 404, "resource_missing"),
        ("key-expired", 401, "api_key_expired"),
        ("key-invalid", 401, None),
        ("key-restricted", 403, None),
        ("not-a-platform", 403, None),
    ],
)
def test_a_key_or_an_account_that_is_not_good_any_more(platform, account_id, name, status, code):
    fail(platform, name)

    response = platform.read_account(account_id)

    assert error_in(response)[:2] == (status, code)
    assert platform.test.secret_key not in response.text


def test_a_deleted_account_is_shown_as_deleted(platform, account_id):
    fail(platform, "account-deleted")

    response = platform.read_account(account_id)

    assert response.json() == {"id": account_id, "object": "account", "deleted": True}


def test_an_expired_key_is_refused_on_the_other_host_in_its_shape(platform):
    fail(platform, "key-expired")

    body = platform.exchange(platform.code()).json()

    assert body["error"] == "invalid_client"
    assert body["error_description"].startswith("Expired API Key provided: sk_test_****")


@pytest.mark.parametrize(
    ("call", "name"), [("create-account", "html"), ("account-links", "429"), ("accounts", "empty")]
)
def test_each_call_can_fail_alone(platform, account_id, call, name):
    fail(platform, name, on=call)

    create(platform)
    link(platform, account_id)
    platform.read_account(account_id)

    asked = platform.get("/_control/requests").json()["requests"][-3:]
    assert {"create-account": 0, "account-links": 1, "accounts": 2}[call] == next(
        index for index, each in enumerate(asked) if each["fault"] == name
    )


def test_created_accounts_survive_a_restart(tmp_path):
    from app.devtools.stripe_emulator import Emulator, Options
    from tests.devtools.conftest import Platform

    options = Options(state_file=str(tmp_path / "stripe.json"))
    with Emulator(options) as emulator:
        account_id = create(Platform(emulator), **{"metadata[row]": "7"}).json()["id"]
    with Emulator(options) as emulator:
        account = Platform(emulator).read_account(account_id).json()

    assert (account["metadata"], account["details_submitted"]) == ({"row": "7"}, False)


def test_a_lost_answer_leaves_the_account_made(platform):
    fail(platform, "500-after", on="create-account")
    count = len(platform.state()["accounts"])

    response = create(platform)

    assert response.status_code == 500
    until(lambda: len(platform.state()["accounts"]) == count + 1)
