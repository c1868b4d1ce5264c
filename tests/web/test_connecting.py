"""The trip to Stripe in a browser: there, back, and everything that may come back instead."""

from urllib.parse import parse_qs, urlsplit

import pytest

from app.auth.passwords import make_hash
from app.db.transactions import transaction
from app.models import StripeAuthorization, StripeAuthorizationRequest
from tests.databases import on_sqlite
from tests.web.pages import Browser, words

pytestmark = on_sqlite

CANCELLED = "You cancelled at Stripe. Nothing was changed."
CALLBACK = "/connect/callback"


@pytest.fixture(autouse=True)
def _platform(make, stripe):
    make.platform(stripe)


@pytest.fixture(name="owner")
def _owner(make):
    return make.user("ada@example.com", password_hash=make_hash("a-password-of-hers"))


@pytest.fixture(name="event")
def _event(make, owner):
    return make.event(owner, name="Fair")


def set_out(browser, event, way="connect"):
    """Start the trip; returns the state."""
    response = browser.send(f"/events/{event.identifier}/{way}")
    assert response.status_code == 303, words(response)
    return parse_qs(urlsplit(response.location).query)["state"][0]


def come_back(browser, **query):
    return browser.get(CALLBACK, query)


def links():
    with transaction() as session:
        return session.query(StripeAuthorization).all()


def test_connecting_leads_to_stripe_with_our_address_to_come_back_to(browser, owner, event, stripe):
    response = browser.as_(owner).send(f"/events/{event.identifier}/connect")

    assert response.location.startswith(f"{stripe.url}/oauth/authorize?")
    query = parse_qs(urlsplit(response.location).query)
    assert query["redirect_uri"] == ["http://127.0.0.1:5000/connect/callback"]
    policy = browser.get("/events").headers["Content-Security-Policy"]
    assert f"form-action 'self' {stripe.url};" in policy


@pytest.mark.parametrize("parameter", ["code", "authorization_code"])
def test_coming_back_links_the_account_and_leads_to_the_event(
    browser, owner, event, stripe, parameter
):
    state = set_out(browser.as_(owner), event)

    response = come_back(browser, state=state, **{parameter: stripe.code()})

    assert response.status_code == 303
    assert response.location == f"/events/{event.identifier}"
    assert response.headers["Referrer-Policy"] == "no-referrer"
    page = browser.get(response.location)
    assert "Stripe account connected." in words(page)
    assert links()[0].stripe_user_id in words(page)


def test_reloading_the_return_is_harmless(browser, owner, event, stripe):
    state, code = set_out(browser.as_(owner), event), stripe.code()
    come_back(browser, state=state, code=code)

    again = come_back(browser, state=state, code=code)

    assert again.location == f"/events/{event.identifier}"
    assert stripe.codes_seen() == [code]
    assert len(links()) == 1


@pytest.mark.parametrize("state", [{}, {"state": ""}, {"state": "made-up"}])
def test_a_code_without_a_state_of_ours_links_nothing(browser, owner, event, stripe, state):
    browser.as_(owner)

    response = come_back(browser, code=stripe.code(), **state)

    assert response.status_code == 400
    assert "Nothing was connected." in words(response)
    assert not links() and not stripe.codes_seen()


def test_a_code_with_somebody_elses_state_links_nothing(app, browser, owner, event, make, stripe):
    state = set_out(Browser(app).as_(owner), event)
    browser.as_(make.admin())

    response = come_back(browser, state=state, code=stripe.code())

    assert response.status_code == 400
    assert not links() and not stripe.codes_seen()


def test_somebody_whose_role_was_taken_meanwhile_links_nothing(browser, make, event, stripe):
    person = make.user()
    role = make.role(person, event, "organizer")
    state = set_out(browser.as_(person), event)
    with transaction() as session:
        session.delete(session.merge(role))

    response = come_back(browser, state=state, code=stripe.code())

    assert response.status_code == 303
    assert not links() and not stripe.codes_seen()


def test_a_denial_says_that_nothing_was_changed(browser, owner, event):
    state = set_out(browser.as_(owner), event)

    response = come_back(browser, state=state, error="access_denied", error_description="<b>No")

    assert response.location == f"/events/{event.identifier}"
    assert CANCELLED in words(browser.get(response.location))


def test_what_stripe_says_is_shown_as_plain_text(browser, owner, event):
    state = set_out(browser.as_(owner), event)
    said = "<script>alert(1)</script> sk_live_abcdefgh\x07"

    response = come_back(browser, state=state, error="invalid_scope", error_description=said)

    page = browser.get(response.location).text
    assert "<script>alert" not in page and "sk_live_abcdefgh" not in page and "\x07" not in page


@pytest.mark.parametrize("state", ["nobodys", "somebody_elses", "signed_out"])
def test_a_sentence_that_a_strangers_link_brings_is_never_repeated(
    app, browser, owner, event, make, state
):
    known = set_out(Browser(app).as_(owner), event)
    if state != "signed_out":
        browser.as_(make.user())
    given = "made-up" if state == "nobodys" else known

    response = come_back(browser, state=given, error="x", error_description="Call 555 now")

    page = words(browser.get(response.location))
    assert "Stripe did not connect the account. Please try again." in page
    assert "Call 555" not in page


def test_a_refusal_of_stripe_is_told_on_the_events_page(browser, owner, event, stripe):
    state = set_out(browser.as_(owner), event)

    response = come_back(browser, state=state, code="ac_never_issued")

    assert "Authorization code does not exist" in words(browser.get(response.location))
    assert "ac_never_issued" not in browser.get(response.location).text


class TestWithoutASignIn:
    def sign_in(self, browser, there):
        known = {"email": "ada@example.com", "password": "a-password-of-hers"}
        return browser.send(there, known)

    def test_the_code_waits_encrypted_until_somebody_has_signed_in(
        self, app, owner, event, stripe, browser
    ):
        state, code = set_out(Browser(app).as_(owner), event), stripe.code()

        sent_away = come_back(browser, state=state, code=code)

        assert sent_away.location.startswith("/sign-in?next=")
        assert code not in sent_away.location and state not in sent_away.location
        (waiting,) = (each for each in browser.cookies() if each.path == CALLBACK)
        assert waiting.http_only and waiting.same_site == "Lax" and waiting.max_age == 300
        assert code not in waiting.value and state not in waiting.value
        back = self.sign_in(browser, sent_away.location)
        assert back.status_code == 303, words(back)
        assert back.location.startswith(f"{CALLBACK}?waiting=")
        arrived = browser.get(back.location)
        assert arrived.location == f"/events/{event.identifier}"
        assert "Stripe account connected." in words(browser.get(arrived.location))
        assert not any(each.path == CALLBACK for each in browser.cookies())
        assert stripe.codes_seen() == [code]

    @pytest.mark.parametrize("state", [None, "made-up", "used", "expired"])
    def test_nothing_waits_for_a_state_that_is_not_live(
        self, app, owner, event, stripe, browser, state
    ):
        known = set_out(Browser(app).as_(owner), event)
        with transaction() as session:
            row = session.query(StripeAuthorizationRequest).one()
            if state == "used":
                row.used_at = row.created_at
            if state == "expired":
                row.expires_at = row.created_at
        given = known if state in ("used", "expired") else state

        response = come_back(browser, code=stripe.code(), **({"state": given} if given else {}))

        assert response.location == "/sign-in?next=/events"
        assert not any(each.path == CALLBACK for each in browser.cookies())

    def test_what_waits_is_good_for_the_user_of_the_state_alone(
        self, app, owner, event, stripe, browser, make
    ):
        state = set_out(Browser(app).as_(owner), event)
        sent_away = come_back(browser, state=state, code=stripe.code())
        name = sent_away.location.rpartition("%3D")[2]
        browser.as_(make.user())

        response = browser.get(f"{CALLBACK}?waiting={name}")

        assert response.location == "/events"
        assert not links() and not stripe.codes_seen()
        assert not any(each.path == CALLBACK for each in browser.cookies())

    def test_what_waited_for_more_than_five_minutes_is_forgotten(
        self, app, owner, event, stripe, browser, monkeypatch
    ):
        state = set_out(Browser(app).as_(owner), event)
        sent_away = come_back(browser, state=state, code=stripe.code())
        name = sent_away.location.rpartition("%3D")[2]
        browser.as_(owner)
        now = __import__("time").time()
        monkeypatch.setattr("app.web.returning.time", lambda: now + 301)

        response = browser.get(f"{CALLBACK}?waiting={name}")

        assert response.location == "/events"
        assert not links() and not stripe.codes_seen()


class TestReconnecting:
    def test_another_account_takes_the_place_of_the_one_that_was_connected(
        self, browser, owner, event, stripe
    ):
        first, second = stripe.accounts[:2]
        browser.as_(owner)
        come_back(browser, state=set_out(browser, event), code=stripe.code(first))

        state = set_out(browser, event, "reconnect")
        response = come_back(browser, state=state, code=stripe.code(second))

        assert "Stripe account connected." in words(browser.get(response.location))
        assert [link.stripe_user_id for link in links()] == [second]

    def test_an_account_that_came_meanwhile_is_not_replaced(self, browser, owner, event, stripe):
        first, second, third = stripe.accounts[:3]
        browser.as_(owner)
        come_back(browser, state=set_out(browser, event), code=stripe.code(first))
        slow, quick = (set_out(browser, event, "reconnect") for _ in range(2))
        come_back(browser, state=quick, code=stripe.code(second))
        code = stripe.code(third)

        response = come_back(browser, state=slow, code=code)

        said = words(browser.get(response.location))
        assert "Another account was connected to this event in the meantime." in said
        assert [link.stripe_user_id for link in links()] == [second]
        assert code not in stripe.codes_seen()

    def test_a_trip_that_was_no_reconnecting_replaces_nothing(self, browser, owner, event, stripe):
        first, second = stripe.accounts[:2]
        browser.as_(owner)
        one, other = set_out(browser, event), set_out(browser, event)
        come_back(browser, state=one, code=stripe.code(first))

        response = come_back(browser, state=other, code=stripe.code(second))

        assert "connected" in words(browser.get(response.location))
        assert [link.stripe_user_id for link in links()] == [first]


class TestDisconnecting:
    def test_it_is_asked_first_with_the_events_that_share_the_account(
        self, browser, owner, event, make
    ):
        link = make.link(event, stripe_user_id="acct_shared")
        make.link(make.event(name="Open", state="published"), stripe_user_id="acct_shared")
        make.link(make.event(name="Secret", state="draft"), stripe_user_id="acct_shared")
        browser.as_(owner)

        page = browser.get(f"/events/{event.identifier}/disconnect")

        said = words(page)
        assert "Disconnect this account?" in said and "Open" in said and "1 more" in said
        assert "Secret" not in said
        done = browser.send(f"/events/{event.identifier}/disconnect/{link.id}")
        assert done.location == f"/events/{event.identifier}"
        assert "disconnected" in words(browser.get(done.location))
        assert len(links()) == 2

    def test_a_second_click_disconnects_no_account_that_came_meanwhile(
        self, browser, owner, event, make
    ):
        old = make.link(event)
        browser.as_(owner).send(f"/events/{event.identifier}/disconnect/{old.id}")
        new = make.link(event)

        browser.send(f"/events/{event.identifier}/disconnect/{old.id}")

        assert [link.id for link in links()] == [new.id]

    def test_only_the_account_that_was_shown_is_disconnected(self, browser, owner, event, make):
        link = make.link(event)
        browser.as_(owner)
        page = browser.get(f"/events/{event.identifier}/disconnect").text
        assert f'name="account" value="{link.stripe_user_id}"' in page

        address = f"/events/{event.identifier}/disconnect/{link.id}"
        response = browser.send(address, {"account": "acct_before"})

        assert "not connected any more" in words(browser.get(response.location))
        assert [each.id for each in links()] == [link.id]

    def test_it_takes_an_organizer_and_a_form_of_ours(self, browser, make, event):
        link = make.link(event)
        address = f"/events/{event.identifier}/disconnect/{link.id}"

        assert browser.as_(make.person(event, "coorganizer")).send(address).status_code == 403
        browser.as_(make.person(event, "organizer"))
        assert browser.send(address, token=False).status_code == 400
        assert len(links()) == 1
