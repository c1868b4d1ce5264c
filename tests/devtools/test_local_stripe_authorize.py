"""The authorize page, V1 to V8 of the vectors in docs/local-stripe.md."""

import re

import pytest

from tests.devtools.conftest import CALLBACK, LIVE_CALLBACK, SECOND_CALLBACK, query_of
from tests.devtools.forms import Forms

UNREGISTERED = (
    "Invalid redirect URI '{}'. Ensure this uri exactly matches one of the uris specified in "
    "your application settings"
)


def test_v1_allowing_sends_a_code_the_scope_and_the_state_back(platform):
    response = platform.allow(redirect_uri=SECOND_CALLBACK)

    assert response.status_code in (302, 303)
    assert response.headers["Location"].startswith(SECOND_CALLBACK + "&")
    query = query_of(response)
    assert re.fullmatch(r"ac_[A-Za-z0-9]{32}", query.pop("code"))
    assert query == {"from": "stripe", "scope": "read_write", "state": "st4te"}


def test_v1_without_a_state_none_comes_back(platform):
    response = platform.allow(state=None)

    assert "state" not in query_of(response)


def test_v2_without_a_redirect_uri_the_first_registered_one_is_used(platform):
    response = platform.allow()

    assert response.headers["Location"].startswith(CALLBACK + "?")


def test_v2_in_live_mode_the_first_https_address_is_used(platform):
    response = platform.allow(application=platform.live)

    assert response.headers["Location"].startswith(LIVE_CALLBACK + "?")


@pytest.mark.parametrize(
    "uri",
    [
        CALLBACK + "/",
        CALLBACK.replace("connect", "Connect"),
        CALLBACK + "?next=1",
        CALLBACK.replace("127.0.0.1", "localhost"),
        SECOND_CALLBACK.partition("?")[0],
        "not a url",
        "",
    ],
)
@pytest.mark.parametrize("method", ["get", "post"])
def test_v3_any_other_redirect_uri_is_refused_here_and_nobody_is_redirected(platform, method, uri):
    response = platform.authorize(method, redirect_uri=uri, decision="allow", account="new")

    assert response.status_code == 400
    assert "Location" not in response.headers
    assert response.json() == {
        "error": "invalid_redirect_uri",
        "error_description": UNREGISTERED.format(uri),
        "state": "st4te",
    }


def test_v4_a_live_client_may_not_use_http(platform):
    response = platform.authorize(application=platform.live, redirect_uri=CALLBACK)

    assert response.status_code == 400
    assert response.json()["error_description"] == UNREGISTERED.format(CALLBACK)


def test_v4_a_switch_lets_a_live_client_use_http(platform):
    platform.control("switches", {"live_http_redirects": True})

    response = platform.authorize(application=platform.live, redirect_uri=CALLBACK)

    assert response.status_code == 200


def test_v5_denying_says_so_in_stripes_words(platform):
    response = platform.authorize("post", decision="deny")

    assert response.headers["Location"] == (
        f"{CALLBACK}?error=access_denied"
        "&error_description=The%20user%20denied%20your%20request&state=st4te"
    )


def test_v5_a_switch_lets_a_denial_forget_the_state(platform):
    platform.control("switches", {"deny_omits_state": True})

    response = platform.authorize("post", decision="deny")

    assert "state" not in query_of(response)


@pytest.mark.parametrize("client_id", ["ca_" + "x" * 32, None])
def test_v6_an_unknown_client_gets_an_error_object(platform, client_id):
    response = platform.authorize(client_id=client_id)

    assert response.status_code == 400
    assert response.json() == {
        "error": {"message": "No application matches the supplied client identifier"}
    }


def test_v6_a_restricted_platform_is_told_so(platform):
    platform.control("switches", {"restricted_platform": True})

    response = platform.authorize()

    assert "Location" not in response.headers
    assert response.json()["error"]["message"].startswith(
        "We've temporarily restricted Standard OAuth for this Stripe integration as a security "
        "measure. If you own this integration, please login to the Stripe Dashboard"
    )


@pytest.mark.parametrize(
    ("response_type", "error", "text"),
    [
        (None, "invalid_request", "Missing response_type parameter"),
        (
            "token",
            "unsupported_response_type",
            "Currently the only supported response_type is code",
        ),
    ],
)
def test_v7_only_the_response_type_code_is_known(platform, response_type, error, text):
    response = platform.authorize(response_type=response_type, state=None)

    assert response.status_code == 400
    assert response.json() == {"error": error, "error_description": text}


def test_v8_the_scope_is_read_only_unless_asked_otherwise(platform):
    response = platform.allow(scope=None)

    assert query_of(response)["scope"] == "read_only"


def test_v8_a_switch_refuses_read_only_to_platforms(platform):
    platform.control("switches", {"platform_refuses_read_only": True})

    response = platform.authorize(scope=None)

    assert (response.status_code, response.json()["error"]) == (400, "invalid_scope")


def test_an_unknown_scope_is_refused(platform):
    response = platform.authorize(scope="admin")

    assert (response.status_code, response.json()["error"]) == (400, "invalid_scope")


def test_the_page_can_be_filled_in_and_sent_without_scripts(platform):
    page = Forms(platform.authorize(redirect_uri=CALLBACK).text)
    (form,) = page.forms
    chosen = form["choices"]["account"][1]

    response = platform.post(
        form["action"], {**form["fields"], "account": chosen, "decision": "allow"}
    )

    assert ("decision", "allow") in form["buttons"]
    assert ("decision", "deny") in form["buttons"]
    assert form["method"] == "post"
    (code,) = platform.state()["codes"]
    assert (code["code"], code["account"]) == (query_of(response)["code"], chosen)


def test_the_page_offers_three_different_accounts_or_more_and_a_new_one(platform):
    (form,) = Forms(platform.authorize().text).forms

    assert len(set(form["choices"]["account"])) >= 4
    assert form["choices"]["account"][-1] == "new"


def test_the_page_asks_nothing_of_anybody_else(platform):
    response = platform.authorize()

    assert all(each.startswith(("/static/", "data:")) for each in Forms(response.text).references)
    assert "<script" not in response.text
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]


def test_a_new_account_is_made_from_what_the_platform_prefilled(platform):
    prefilled = {
        "stripe_user[email]": "organizer@example.org",
        "stripe_user[country]": "fr",
        "stripe_user[business_name]": "Fête",
    }
    (form,) = Forms(platform.authorize(**prefilled).text).forms
    fields = {**form["fields"], "account": "new", "decision": "allow"}

    platform.post("/oauth/authorize", fields)

    made = platform.state()["accounts"][-1]
    assert (made["email"], made["country"], made["display_name"]) == (
        "organizer@example.org",
        "FR",
        "Fête",
    )


def test_prefilled_values_that_make_no_sense_are_ignored(platform):
    odd = {"stripe_user[email]": "nobody", "stripe_user[country]": "Atlantis"}
    (form,) = Forms(platform.authorize(**odd).text).forms

    assert (form["fields"]["email"], form["fields"]["country"]) == ("", "")


def test_one_command_is_enough_for_a_new_account(platform):
    response = platform.allow(account="new")

    assert "code" in query_of(response)


def test_in_test_mode_the_account_form_can_be_skipped(platform):
    response = platform.authorize("post", decision="skip")

    assert "code" in query_of(response)


def test_what_a_person_sends_is_escaped_on_the_page(platform):
    response = platform.authorize(state='"><script>alert(1)</script>')

    assert "<script>" not in response.text


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"decision": None}, "Choose Connect or Cancel."),
        ({"account": "acct_unknown"}, "Choose an account."),
        ({"account": None}, "Choose an account."),
        ({"account": "new", "email": "nobody"}, "Enter a valid e-mail address."),
        ({"account": "new", "country": "Atlantis"}, "Enter a country as two letters."),
        (
            {"account": "new", "email": "open-event@example.com"},
            "Account cannot connect to itself",
        ),
    ],
)
def test_a_choice_that_cannot_be_is_explained_on_the_page(platform, fields, text):
    response = platform.allow(**fields)

    assert response.status_code == 400
    assert text in response.text
    assert platform.state()["codes"] == []


def test_the_platforms_own_account_cannot_be_connected(platform):
    response = platform.allow(account=platform.test.owner)

    assert "Account cannot connect to itself" in response.text


def test_an_account_of_another_platform_cannot_be_connected(platform):
    managed = next(each for each in platform.state()["accounts"] if each["controlled_by"])

    response = platform.allow(account=managed["id"])

    assert (
        "This account is connected to another platform. Please create a new account."
        in response.text
    )
