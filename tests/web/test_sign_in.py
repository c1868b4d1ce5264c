"""Signing in at the console: cookies, forms, and where it leads."""

import re

import pytest

from app.auth.guard import COOKIE
from app.auth.passwords import make_hash
from app.services.users import block_user
from tests.databases import on_sqlite
from tests.web.pages import Browser, words

pytestmark = on_sqlite

PASSWORD = "a-password-of-hers"


@pytest.fixture(name="ada")
def _ada(make):
    return make.user("ada@example.com", password_hash=make_hash(PASSWORD))


def sign_in(browser, password=PASSWORD, path="/sign-in", **options):
    return browser.send(path, {"email": "ada@example.com", "password": password}, **options)


def test_the_start_leads_to_the_sign_in_and_signed_in_to_the_events(browser, ada):
    assert browser.get("/").location == "/sign-in"
    assert Browser(browser._client.application).as_(ada).get("/").location == "/events"


def test_a_sign_in_sets_a_cookie_that_no_script_can_read(browser, ada):
    response = sign_in(browser)

    assert response.status_code == 303
    assert response.location == "/events"
    cookie = browser.cookie(COOKIE)
    assert cookie.http_only and cookie.same_site == "Lax" and not cookie.secure
    assert browser.get("/events").status_code == 200


@pytest.mark.parametrize("environ", [{"PUBLIC_URL": "https://console.example.org"}])
def test_behind_https_every_cookie_is_for_https_alone(app, ada, environ):
    browser = Browser(app)
    base = "https://console.example.org"
    shown = browser._client.get("/sign-in", base_url=base)
    assert "Secure" in shown.headers["Set-Cookie"]
    token = shown.text.split('name="csrf_token" value="')[1].split('"')[0]
    given = {"email": ada.email, "password": PASSWORD, "csrf_token": token}

    response = browser._client.post("/sign-in", data=given, base_url=base)

    assert response.status_code == 303
    cookies = response.headers.getlist("Set-Cookie")
    assert cookies and all("Secure" in cookie and "HttpOnly" in cookie for cookie in cookies)


@pytest.mark.parametrize("password", ["a-wrong-one", "x" * 2000])
def test_a_failure_does_not_tell_what_was_wrong(browser, ada, password):
    response = sign_in(browser, password)

    assert response.status_code == 401
    assert "E-mail or password is wrong." in words(response)
    assert password not in response.text
    assert browser.cookie(COOKIE) is None


def test_too_many_failures_are_refused_as_at_the_api(browser, ada, client):
    answers = [sign_in(browser, "wrong").status_code for _ in range(11)]

    assert answers == [401] * 10 + [429]
    known = {"email": ada.email, "password": PASSWORD}
    assert client.post("/auth/session", known).status_code == 429


def test_a_form_without_its_token_does_nothing(browser, ada):
    assert sign_in(browser, token=False).status_code == 400
    assert browser.cookie(COOKIE) is None


def test_a_page_that_needs_a_sign_in_leads_there_and_back(browser, ada):
    response = browser.get("/events?q=Fair")

    assert response.status_code == 303
    assert response.location == "/sign-in?next=%2Fevents%3Fq%3DFair"
    assert sign_in(browser, path=response.location).location == "/events?q=Fair"


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/%09/evil.example",
        "/\t/evil.example",
        "javascript:alert(1)",
        "/v1/events",
        " //evil.example",
        "///evil.example",
        "http:evil.example",
        "/" + "a" * 1000,
    ],
)
def test_next_never_leaves_the_service(browser, ada, elsewhere):
    token = browser.token()
    known = {"email": ada.email, "password": PASSWORD, "csrf_token": token}
    query = {"next": elsewhere}

    response = browser._client.post("/sign-in", data=known, query_string=query)

    assert response.location in ("/events", "/%09/evil.example")


def test_signing_out_ends_the_session_also_for_a_kept_cookie(browser, ada):
    sign_in(browser)
    kept = browser.cookie(COOKIE).value

    response = browser.send("/sign-out")

    assert response.location == "/sign-in"
    browser._client.set_cookie(COOKIE, kept)
    assert browser.get("/events").status_code == 303


def test_signing_out_takes_a_form_of_ours(browser, ada):
    sign_in(browser)

    assert browser.send("/sign-out", token=False).status_code == 400
    assert browser.get("/events").status_code == 200


def test_a_blocked_user_is_out_at_once(browser, ada):
    sign_in(browser)

    block_user(ada.email)

    assert browser.get("/events").location.startswith("/sign-in")


def test_the_api_reads_no_cookie_and_the_pages_no_header(browser, ada, client):
    token = client.as_(ada).token
    sign_in(browser)

    assert browser._client.get("/v1/users/me").status_code == 401
    fresh = Browser(client.app)
    assert fresh.get("/events", Authorization=f"JWT {token}").status_code == 303


def test_a_sign_in_that_has_ended_leads_a_form_back_to_the_page_that_has_it(browser, make):
    event = make.event()

    response = browser.send(f"/events/{event.identifier}/connect")

    assert response.status_code == 303
    assert response.location == f"/sign-in?next=%2Fevents%2F{event.identifier}"


def test_no_form_does_anything_without_its_token(app, browser, make):
    browser.as_(make.admin())
    forms = [
        rule.rule
        for rule in app.url_map.iter_rules()
        if "POST" in rule.methods and not rule.rule.startswith(("/v1", "/auth", "/stripe"))
    ]
    assert len(forms) >= 14

    for form in forms:
        refused = browser.send(re.sub("<[^>]+>", "1", form), token=False)

        assert refused.status_code == 400, form
        assert "nothing was changed" in words(refused), form
