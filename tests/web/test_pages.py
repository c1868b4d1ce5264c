"""What every page keeps: who may see it, its policy, its refusals, and what is not on it."""

import re
from datetime import UTC, datetime, timedelta
from html import unescape

import pytest

from app.db.transactions import transaction
from app.extensions import db
from app.models import Event, Setting, UsersEventsRole
from app.services import audit
from app.web.assets import asset_url
from tests.databases import on_both, on_sqlite
from tests.web.pages import words

pytestmark = on_sqlite

EVENT = {
    "name": "Fair",
    "timezone": "Europe/Berlin",
    "starts_at": "2027-05-01T10:00",
    "ends_at": "2027-05-01T18:00",
    "payment_currency": "EUR",
    "can_pay_by_stripe": "y",
    "is_published": "y",
}
ADMIN_PAGES = ["/admin/settings", "/admin/links", "/admin/audit", "/admin/users"]
OF_EVENT = ["", "/edit", "/disconnect"]


@pytest.mark.parametrize("path", ["/events", "/events/new", *ADMIN_PAGES])
def test_a_page_for_people_who_are_signed_in_leads_others_to_the_sign_in(browser, path):
    assert browser.get(path).location.startswith("/sign-in?next=")


@pytest.mark.parametrize("path", ADMIN_PAGES)
def test_administrators_pages_are_theirs_alone(browser, make, path):
    assert browser.as_(make.user()).get(path).status_code == 403
    assert browser.as_(make.admin()).get(path).status_code == 200


@pytest.mark.parametrize("page", OF_EVENT)
def test_the_pages_of_an_event_are_for_those_who_work_there(browser, make, page):
    event, draft = make.event(), make.event(state="draft")
    browser.as_(make.user())

    assert browser.get(f"/events/{event.identifier}{page}").status_code == 403
    assert browser.get(f"/events/{draft.identifier}{page}").status_code == 404


def test_a_coorganizer_sees_no_button_that_is_not_theirs(browser, make, stripe):
    make.platform(stripe)
    event = make.event()

    said = words(browser.as_(make.person(event, "coorganizer")).get(f"/events/{event.identifier}"))

    assert "Payments" in said and "Team" in said
    assert "Connect with Stripe" not in said and "Remove" not in said and "History" not in said


@pytest.mark.parametrize(("path", "status"), [("/nothing", 404), ("/admin/users", 403)])
def test_refusals_are_pages_with_the_id_of_the_request(browser, make, path, status):
    response = browser.as_(make.user()).get(path)

    assert response.status_code == status
    assert response.content_type.startswith("text/html")
    assert response.headers["X-Request-ID"] in words(response)
    assert "Sign out" in words(response)


def test_nothing_under_v1_is_ever_a_page(browser):
    assert browser.get("/v1/nothing").content_type == "application/vnd.api+json"


@pytest.mark.parametrize("path", ["/sign-in", "/nothing"])
def test_pages_let_nothing_run_but_our_own_files(browser, path):
    response = browser.get(path)

    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert response.headers["Cache-Control"] == "no-store"
    assert not re.search(r"<script(?! src)|\sstyle=|\son[a-z]+=", response.text)


def test_static_files_are_compressed_and_kept_for_a_year(browser):
    total = 0
    for name in ("bootstrap.css", "console.css", "console.js", "icon.svg"):
        response = browser._client.get(asset_url(name), headers={"Accept-Encoding": "gzip"})
        assert response.headers["Content-Encoding"] == "gzip"
        assert "immutable" in response.headers["Cache-Control"]
        total += len(response.data)

    assert total + len(browser.get("/sign-in").data) < 100_000


def test_no_secret_is_in_the_source_of_a_page(browser, make, stripe):
    make.platform(stripe)
    event = make.event()
    link = make.link(event)
    browser.as_(make.admin())

    for path in (f"/events/{event.identifier}", *ADMIN_PAGES):
        source = browser.get(path).text
        assert link.stripe_secret_key not in source
        secrets = [value for name, value in stripe.settings.items() if "secret" in name]
        assert not [secret for secret in secrets if secret in source]


class TestNewEvent:
    def test_it_is_created_by_the_clocks_of_its_place(self, browser, make):
        response = browser.as_(make.user()).send("/events/new", EVENT)

        assert response.status_code == 303
        said = words(browser.get(response.location))
        assert "Saturday, 1 May 2027, 10:00 – 18:00" in said and "Action needed" in said

    @pytest.mark.parametrize(
        ("changed", "sentence"),
        [
            ({"name": " "}, "Give the event a name."),
            ({"timezone": "Mars/Olympus"}, "This is not a known time zone."),
            ({"starts_at": "soon"}, "Enter a date and a time."),
            ({"starts_at": "2027-03-28T02:30"}, "The clocks of this time zone skip this time."),
            ({"ends_at": "2027-05-01T09:00"}, "The event must end after it starts."),
            ({"payment_currency": "XYZ"}, "This is not a known currency."),
        ],
    )
    def test_what_is_wrong_stands_at_its_field_and_what_was_typed_stays(
        self, browser, make, changed, sentence
    ):
        response = browser.as_(make.user()).send("/events/new", {**EVENT, **changed})

        assert response.status_code == 422
        assert sentence in words(response)
        assert "2027-05-01T18:00" in response.text or "ends_at" in changed
        assert "No events yet" in words(browser.get("/events"))

    def test_a_form_that_is_sent_twice_creates_one_event(self, browser, make):
        browser.as_(make.user())
        given = {**EVENT, "form": "the-same-form"}

        first, second = browser.send("/events/new", given), browser.send("/events/new", given)

        assert first.location == second.location


def test_events_are_found_by_a_part_of_their_name(browser, make):
    owner = make.user()
    make.event(owner, name="Spring 100%")
    make.event(owner, name="Autumn")

    said = words(browser.as_(owner).get("/events?q=100%25"))

    assert "Spring" in said and "Autumn" not in said


def test_names_from_outside_are_text(browser, make):
    owner = make.user()
    event = make.event(owner, name="<script>alert(1)</script>")

    assert "<script>alert" not in browser.as_(owner).get(f"/events/{event.identifier}").text


def test_an_owner_gives_and_takes_a_role(browser, make):
    owner, friend = make.user(), make.user("friend@example.com")
    event = make.event(owner)
    there = f"/events/{event.identifier}"
    browser.as_(owner)

    browser.send(f"{there}/team", {"email": friend.email, "role": "organizer"})
    page = browser.get(there)

    assert "friend@example.com Organizer" in words(page)
    role = re.findall(r"/team/([0-9]+)", page.text)[-1]
    browser.send(f"{there}/team/{role}")
    assert "friend@example.com Organizer" not in words(browser.get(there))


def test_an_unknown_address_is_refused_at_its_field(browser, make):
    owner = make.user()
    event = make.event(owner)

    given = {"email": "nobody@example.com", "role": "organizer"}
    response = browser.as_(owner).send(f"/events/{event.identifier}/team", given)

    assert response.status_code == 422
    assert "There is no such user." in words(response)


class TestSettings:
    def test_a_mask_that_comes_back_changes_nothing(self, browser, make, stripe, client):
        setting = make.platform(stripe)
        admin = make.admin()
        browser.as_(admin)
        mask = re.search(r'value="(sk_test_…[^"]*)"', browser.get("/admin/settings").text)[1]

        given = {"stripe_mode": "production", "stripe_connect_method": "onboarding"}
        response = browser.send("/admin/settings", {**given, "stripe_test_secret_key": mask})

        assert response.status_code == 303
        shown = client.as_(admin).get("/v1/settings").json["data"]["attributes"]
        assert shown["stripe-mode"] == "production"
        assert shown["stripe-connect-method"] == "onboarding"
        assert setting.stripe_test_secret_key == stripe.settings["stripe-test-secret-key"]

    def test_a_key_in_the_wrong_field_is_refused_and_not_shown_again(self, browser, make):
        given = {
            "stripe_mode": "debug",
            "stripe_connect_method": "oauth",
            "stripe_test_publishable_key": "sk_test_abcdefghijk",
        }
        response = browser.as_(make.admin()).send("/admin/settings", given)

        assert response.status_code == 422
        assert "This looks like a secret key" in words(response)
        assert "sk_test_abcdefghijk" not in response.text


class TestUsers:
    def test_a_blocked_user_is_shown_so_and_the_deed_is_on_the_trail(self, browser, make):
        admin, user = make.admin(), make.user("eve@example.com")
        browser.as_(admin)

        browser.send(f"/admin/users/{user.id}/block")

        assert "eve@example.com ✕ Blocked" in words(browser.get("/admin/users?q=eve"))
        assert f"{admin.email} · user {user.id}" in words(browser.get("/admin/audit"))

    def test_nobody_blocks_themselves(self, browser, make):
        admin = make.admin()
        browser.as_(admin).send(f"/admin/users/{admin.id}/block")

        assert "You cannot block yourself." in words(browser.get("/admin/users"))


def test_links_that_need_attention_come_first_with_what_to_do(browser, make):
    make.link(make.event(name="Bad"), account_status="restricted")
    make.link(make.event(name="Good"), account_status="active")

    said = words(browser.as_(make.admin()).get("/admin/links"))

    assert said.index("Bad") < said.index("Good")
    assert "Ask the organizer to finish what Stripe asks for" in said
    assert "Bad" not in words(browser.get("/admin/links?state=active"))


@pytest.mark.parametrize(
    "moments",
    [
        ("9999-12-31T20:00:00+00:00", "9999-12-31T21:00:00+00:00", "Asia/Tokyo"),
        ("0001-01-01T00:00:00+00:00", "0001-01-01T01:00:00+00:00", "America/New_York"),
    ],
)
@pytest.mark.parametrize("page", ["/events", "/events/{}", "/events/{}/edit"])
def test_an_event_at_the_edge_of_the_calendar_has_pages(browser, make, moments, page):
    starts, ends, zone = moments
    owner = make.user()
    event = make.event(
        owner,
        starts_at=datetime.fromisoformat(starts),
        ends_at=datetime.fromisoformat(ends),
        timezone=zone,
    )

    assert browser.as_(owner).get(page.format(event.identifier)).status_code == 200


@on_both
@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/events/new", EVENT | {"name": "a\0b"}),
        ("team", {"email": "a\0@x.example", "role": "owner"}),
    ],
)
def test_characters_that_no_database_takes_are_refused_at_the_field(browser, make, path, fields):
    owner = make.user()
    event = make.event(owner)
    address = path if path.startswith("/") else f"/events/{event.identifier}/{path}"

    answer = browser.as_(owner).send(address, fields)

    assert answer.status_code == 422
    assert "This contains characters that are not allowed." in answer.text


def test_times_that_were_not_changed_stay_to_the_second(browser, make):
    """The clocks of Berlin show half past two twice that night."""
    second = datetime(2027, 10, 31, 1, 30, 20, tzinfo=UTC)
    owner = make.user()
    event = make.event(owner, starts_at=second, ends_at=second + timedelta(hours=9))
    facts = EVENT | {"starts_at": "2027-10-31T02:30", "ends_at": "2027-10-31T11:30"}

    assert browser.as_(owner).send(f"/events/{event.identifier}/edit", facts).status_code == 303

    db.session.expire_all()
    assert db.session.get_one(Event, event.id).starts_at == second
    facts["starts_at"] = "2027-10-31T04:00"
    browser.send(f"/events/{event.identifier}/edit", facts)
    db.session.expire_all()
    assert db.session.get_one(Event, event.id).starts_at == second.replace(
        hour=3, minute=0, second=0
    )


@pytest.mark.parametrize("identifier", ["00000041", "20160417", "a/b", "x?y#z", "new", "é"])
def test_an_event_whose_identifier_means_something_else_is_named_by_its_id(
    browser, make, identifier
):
    owner = make.user()
    make.event(owner, id=41)
    event = make.event(owner, id=42, identifier=identifier)
    make.link(event)

    pages = [
        browser.as_(owner).get(f"/events{path}").text for path in ("", "/42", "/42/disconnect")
    ]
    pages.append(browser.as_(make.admin()).get("/admin/links").text)

    for page in pages:
        addresses = set(re.findall(r'(?:href|action)="/events/([^"]+)"', page))
        named = {address.partition("/")[0] for address in addresses} - {"new"}
        assert "42" in named
        assert all(each == "42" or len(each) == 8 and not each.isdigit() for each in named)


def test_saving_the_settings_leaves_what_another_administrator_changed_meanwhile(
    browser, make, stripe
):
    make.platform(stripe)
    opened = shown_fields(browser.as_(make.admin()).get("/admin/settings").text)
    with transaction() as session:
        setting = session.get_one(Setting, 1)
        setting.stripe_test_client_id, setting.stripe_mode = "ca_new", "production"

    opened["stripe_publishable_key"] = "pk_live_changed"
    assert browser.send("/admin/settings", opened).status_code == 303

    db.session.expire_all()
    setting = db.session.get_one(Setting, 1)
    assert (setting.stripe_test_client_id, setting.stripe_mode) == ("ca_new", "production")
    assert setting.stripe_publishable_key == "pk_live_changed"


def shown_fields(page):
    """Return what a browser would send of the settings' form if nothing was changed."""
    fields = {}
    for tag in re.findall(r"<input [^>]+>", page):
        found = dict(re.findall(r'(\w+)="([^"]*)"', tag))
        if found.get("type") != "radio" or " checked" in tag:
            fields[found["name"]] = unescape(found.get("value", ""))
    return fields


@pytest.mark.parametrize("path", ["/admin/users", "/admin/links", "/admin/audit", "/events"])
def test_past_the_last_page_there_is_a_way_back(browser, make, path):
    admin = make.admin()
    make.link(make.event(admin))
    with transaction():
        audit.record("user.create", "user 1")

    said = browser.as_(admin).get(f"{path}?page=88")

    assert "There is nothing on this page." in said.text
    assert f'<a href="{path}">Show the first page</a>' in said.text


def test_an_owner_who_gives_up_their_role_is_led_to_their_events(browser, make):
    event = make.event(state="draft")
    owner = make.person(event, "owner")
    role = db.session.query(UsersEventsRole).filter_by(user_id=owner.id).one().id

    left = browser.as_(owner).send(f"/events/{event.identifier}/team/{role}")

    assert left.location == "/events"
    assert "This role was taken away." in words(browser.get("/events"))


def test_an_event_without_a_name_can_be_opened(browser, make):
    owner = make.user()
    make.event(owner, name="")

    assert "Untitled event" in words(browser.as_(owner).get("/events"))
