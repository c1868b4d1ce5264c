"""Beside a running Open Event Server: its events, people and roles as they are at this moment."""

import socket
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import delete, func, select, update

from app.auth.service_tokens import create_token
from app.db.transactions import transaction
from app.extensions import db
from app.importing import on_demand
from app.importing.source import Source, SourceError
from app.models import Event, ImportedRow, StripeAuthorization, User, UsersEventsRole
from app.security.bulkhead import Bulkhead
from tests.callers import assert_error, document, link_document
from tests.databases import on_both, on_sqlite
from tests.importing.open_event import A_DAY
from tests.web.pages import Browser, words

pytestmark = on_sqlite

OWNER = 1
AWAY = "postgresql://nobody@127.0.0.1:1/nothing"


@pytest.fixture(name="environ")
def _environ(open_event):
    return {"OPEN_EVENT_DATABASE_URL": open_event.url}


@pytest.fixture(name="there")
def _there(open_event):
    """An owner, an organizer and an event there; nothing of it is known here."""
    open_event.add_user(OWNER, "owner@example.com", "correct horse")
    open_event.add_user(2, "organizer@example.com", is_admin=True)
    open_event.add_user(3, "stranger@example.com")
    open_event.add_event(7, owner=OWNER, identifier="abcdef01")
    open_event.add_role(2, 7, "organizer")
    return open_event


@pytest.fixture(name="known")
def _known(there, client):
    """The same, known here since a moment ago."""
    assert client.get("/v1/events/7").status_code == 200
    return there


def row(model, row_id):
    db.session.rollback()
    return db.session.get(model, row_id, populate_existing=True)


def make_old(seconds=61):
    """Let all copies be older than they are."""
    past = datetime.now(UTC) - timedelta(seconds=seconds)
    with transaction() as session:
        session.execute(update(ImportedRow).values(read_at=past))


def count_links():
    return db.session.scalar(select(func.count()).select_from(StripeAuthorization))


@pytest.fixture(name="owner")
def _owner(known, client):
    return client.as_(row(User, OWNER))


@pytest.fixture(name="organizer")
def _organizer(known, client):
    return client.as_(row(User, 2))


@on_both
@pytest.mark.parametrize("reference", ["7", "abcdef01"])
def test_an_event_that_is_asked_for_comes_with_its_roles_and_people(there, client, reference):
    found = client.get(f"/v1/events/{reference}")

    assert (found.status_code, found.json["data"]["id"]) == (200, "7")
    roles = select(UsersEventsRole.user_id, UsersEventsRole.role).order_by(UsersEventsRole.user_id)
    assert db.session.execute(roles).all() == [(1, "owner"), (2, "organizer")]


def test_nobody_comes_as_an_administrator(known):
    assert not row(User, 2).is_admin


def test_an_administrator_of_ours_keeps_the_rights_when_an_event_comes_again(known, client):
    with transaction() as session:
        session.execute(update(User).where(User.id == 2).values(is_admin=True))
    make_old()

    assert client.get("/v1/events/7").status_code == 200
    assert row(User, 2).is_admin


def test_of_two_users_with_one_address_the_same_one_comes_as_in_an_import(there, client):
    there.add_user(4, "twin@example.com")
    there.add_user(5, " Twin@example.com")
    there.add_event(8, owner=5)
    there.add_role(4, 8, "organizer")

    client.get("/v1/events/8")

    assert row(User, 4) is not None
    assert row(User, 5) is None


@on_both
def test_the_wizards_save_is_linked_a_moment_later(known, owner, stripe, platform):
    known.add_event(9, owner=OWNER, state="draft")

    linked = owner.post("/v1/stripe-authorizations", link_document(9, stripe.code()))

    assert linked.status_code == 201, linked.text
    assert row(StripeAuthorization, int(linked.json["data"]["id"])).event_id == 9


def test_stripe_that_was_ticked_there_a_moment_ago_counts(known, owner, stripe, platform):
    known.change("events", 7, can_pay_by_stripe=False)
    refused = owner.post("/v1/stripe-authorizations", link_document(7, stripe.code()))
    assert_error(refused, 403, "stripe-disabled")

    known.change("events", 7, can_pay_by_stripe=True)

    linked = owner.post("/v1/stripe-authorizations", link_document(7, stripe.code()))
    assert linked.status_code == 201


def test_an_organizer_who_was_removed_there_a_moment_ago_links_nothing(
    known, organizer, stripe, platform
):
    known.take_role(2, 7, "organizer")

    refused = organizer.post("/v1/stripe-authorizations", link_document(7, stripe.code()))

    assert_error(refused, 403, "forbidden")
    assert stripe.codes_seen() == []


def test_an_organizer_who_was_removed_there_a_moment_ago_ends_nothing(
    known, owner, organizer, stripe, platform
):
    link = owner.post("/v1/stripe-authorizations", link_document(7, stripe.code())).json["data"]
    known.take_role(2, 7, "organizer")

    for address in (f"/v1/stripe-authorizations/{link['id']}", "/v1/events/7/stripe-authorization"):
        assert_error(organizer.delete(address), 403, "forbidden")

    assert count_links() == 1


def test_an_organizer_who_was_added_there_a_moment_ago_may(known, owner, client, stripe, platform):
    owner.post("/v1/stripe-authorizations", link_document(7, stripe.code()))
    client.get("/v1/users/3")
    known.add_event(8, owner=3)
    client.get("/v1/events/8")
    known.add_role(3, 7, "organizer")

    added = client.as_(row(User, 3))

    assert added.delete("/v1/events/7/stripe-authorization").status_code == 200


def test_somebody_who_was_blocked_there_a_moment_ago_changes_nothing(
    known, owner, stripe, platform
):
    known.change("users", OWNER, is_blocked=True)

    refused = owner.post("/v1/stripe-authorizations", link_document(7, stripe.code()))

    assert_error(refused, 401, "unauthenticated")
    assert row(User, OWNER).is_blocked


def test_an_event_that_was_deleted_there_is_deleted_here_and_its_account_given_back(
    known, owner, client, stripe, platform
):
    owner.post("/v1/stripe-authorizations", link_document(7, stripe.code()))
    known.change("events", 7, deleted_at=A_DAY)

    refused = owner.delete("/v1/events/7/stripe-authorization")

    assert_error(refused, 404, "not-found")
    assert row(Event, 7).deleted_at is not None
    assert count_links() == 0


def test_a_read_is_content_with_a_copy_of_the_last_minute(known, client):
    known.change("events", 7, state="draft", name="Later")
    assert client.get("/v1/events/7").json["data"]["attributes"]["name"] == "Event 7"

    make_old()

    assert_error(client.get("/v1/events/7"), 404, "not-found")


def test_what_decides_is_theirs_although_both_sides_changed_it(known, client):
    with transaction() as session:
        session.execute(update(Event).where(Event.id == 7).values(payment_currency="USD"))
    known.change("events", 7, payment_currency="CHF")
    make_old()

    client.get("/v1/events/7")

    assert row(Event, 7).payment_currency == "CHF"


def test_a_user_who_is_asked_for_comes(there, client, make):
    admin = client.as_(make.user(is_admin=True))

    assert admin.get("/v1/users/3").status_code == 200
    assert_error(admin.get("/v1/users/4"), 404, "not-found")


def test_what_they_do_not_have_is_remembered_for_ten_seconds(there, client, monkeypatch):
    assert_error(client.get("/v1/events/8"), 404, "not-found")
    there.add_event(8, owner=OWNER)
    assert_error(client.get("/v1/events/8"), 404, "not-found")

    monkeypatch.setattr(on_demand.time, "monotonic", lambda: on_demand.time.time() + 10**9)

    assert client.get("/v1/events/8").status_code == 200


@pytest.mark.parametrize("reference", ["1000000000", "2147483647", "not*one"])
def test_ids_that_are_given_out_here_are_not_asked_for(there, client, app, reference):
    there.close()
    app.extensions["open_event"]._url = "postgresql://127.0.0.1:1/nothing"

    assert_error(client.get(f"/v1/events/{reference}"), 404, "not-found")


@pytest.mark.parametrize("method", ["patch", "delete"])
def test_an_imported_event_is_changed_and_deleted_there(owner, client, method):
    body = document("event", 7, name="Mine") if method == "patch" else None

    assert_error(getattr(owner, method)("/v1/events/7", body), 409, "conflict")
    assert_error(getattr(client, method)("/v1/events/7", body), 401, "unauthenticated")


def test_the_team_of_an_imported_event_is_changed_there(owner, known):
    linkage = {"event": {"type": "event", "id": "7"}}
    body = document("users-events-role", None, linkage, role="owner", email="organizer@example.com")
    given = select(UsersEventsRole.id).where(UsersEventsRole.user_id == 2)
    role = db.session.scalar(given)

    assert_error(owner.post("/v1/users-events-roles", body), 409, "conflict")
    assert_error(owner.delete(f"/v1/users-events-roles/{role}"), 409, "conflict")


def test_roles_that_were_given_or_taken_here_do_not_outlast_theirs(
    known, organizer, stripe, platform
):
    with transaction() as session:
        session.execute(delete(UsersEventsRole).where(UsersEventsRole.user_id == 2))
        session.add(UsersEventsRole(event_id=7, user_id=OWNER, role="coorganizer"))
    make_old()

    answer = organizer.post("/v1/stripe-authorizations", link_document(7, stripe.code()))

    assert answer.status_code == 201, answer.text
    roles = select(UsersEventsRole.user_id, UsersEventsRole.role).order_by(UsersEventsRole.user_id)
    db.session.rollback()
    assert db.session.execute(roles).all() == [(OWNER, "owner"), (2, "organizer")]


def test_pages_of_an_imported_event_offer_no_change_that_is_theirs(app, known):
    browser = Browser(app).as_(row(User, OWNER))

    page = browser.get("/events/abcdef01")
    refused = browser.get("/events/abcdef01/edit")

    said = words(page)
    assert "This event and its team are managed in Open Event." in said
    assert "Edit" not in said and "Add to team" not in said and "Remove" not in said
    assert refused.location == "/events/abcdef01"


def test_an_event_of_ours_is_changed_here_as_ever(there, client, make):
    person = make.user()
    event = make.event(person)

    changed = client.as_(person).patch(
        f"/v1/events/{event.id}", document("event", event.id, name="Mine")
    )

    assert changed.status_code == 200


class TestWhileStripeIsAsked:
    """What changes there during the exchange counts before the link is stored."""

    @pytest.fixture(name="link_while")
    def _link_while(self, owner, organizer, app, stripe, platform, monkeypatch):
        """`link_while(change)` has the organizer link the event; *change* comes before it ends."""
        code, client = stripe.code(), app.extensions["stripe"]
        exchange = client.exchange_code

        def link_while(change):
            def exchange_and_change(*args, **options):
                account = exchange(*args, **options)
                change()
                return account

            monkeypatch.setattr(client, "exchange_code", exchange_and_change)
            return organizer.post("/v1/stripe-authorizations", link_document(7, code))

        return link_while

    def test_an_organizer_who_was_removed_links_nothing(self, known, link_while, stripe):
        answer = link_while(lambda: known.take_role(2, 7, "organizer"))

        assert_error(answer, 403, "forbidden")
        assert (count_links(), stripe.connections()) == (0, set())

    def test_an_organizer_who_was_blocked_links_nothing(self, known, link_while, stripe):
        answer = link_while(lambda: known.change("users", 2, is_blocked=True))

        assert_error(answer, 401, "unauthenticated")
        assert (count_links(), stripe.connections()) == (0, set())

    def test_an_event_that_was_deleted_is_not_linked(self, known, link_while, stripe):
        answer = link_while(lambda: known.change("events", 7, deleted_at=A_DAY))

        assert_error(answer, 404, "not-found")
        assert (count_links(), stripe.connections()) == (0, set())

    def test_a_database_that_went_away_keeps_nothing_from_being_stored(self, app, link_while):
        def go_away():
            app.extensions["open_event"]._url = AWAY

        assert link_while(go_away).status_code == 201
        assert count_links() == 1


class TestPayments:
    """A ticketing server pays here for an event of theirs."""

    @pytest.fixture(name="pay")
    def _pay(self, owner, client, stripe, platform):
        linked = owner.post("/v1/stripe-authorizations", link_document(7, stripe.code()))
        assert linked.status_code == 201
        token = create_token("tickets", ["payments"], event_ids=None, expires_in=None).token
        body = document(
            "payment-intent",
            relationships={"event": {"type": "event", "id": "7"}},
            amount=1999,
            currency="EUR",
            idempotency_key="order-1",
        )
        return lambda: client.post("/v1/payment-intents", body, Authorization=f"Bearer {token}")

    def test_a_service_token_pays_for_it(self, pay):
        assert pay().status_code == 201

    def test_stripe_that_was_switched_off_there_a_moment_ago_counts(self, known, pay):
        known.change("events", 7, can_pay_by_stripe=False)
        assert_error(pay(), 403, "stripe-disabled")

    def test_nothing_is_paid_while_their_database_is_away(self, app, pay):
        app.extensions["open_event"]._url = AWAY
        assert_error(pay(), 503, "unavailable")


class TestAway:
    """Their database does not answer."""

    @pytest.fixture(autouse=True)
    def _away(self, known, owner, app):
        app.extensions["open_event"]._url = AWAY

    def test_what_is_not_known_is_unavailable(self, client):
        assert_error(client.get("/v1/events/8"), 503, "unavailable")

    def test_what_decides_a_change_is_unavailable(self, owner, stripe, platform):
        code = stripe.code()
        refused = owner.post("/v1/stripe-authorizations", link_document(7, code))
        assert_error(refused, 503, "unavailable")
        assert stripe.codes_seen() == []

    def test_what_is_known_is_read_as_ever(self, client):
        make_old()
        assert client.get("/v1/events/7").status_code == 200

    def test_the_service_is_ready(self, client):
        assert client.get("/health/ready").status_code == 200


def test_a_database_that_accepts_and_says_nothing_is_given_up_after_five_seconds(
    known, client, app, monkeypatch
):
    assert on_demand.PATIENCE == 5
    monkeypatch.setattr(on_demand, "PATIENCE", 2)  # the least that libpq waits to be let in
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        app.extensions["open_event"]._url = f"postgresql://nobody@127.0.0.1:{port}/nothing"

        assert_error(client.get("/v1/events/8"), 503, "unavailable")


def test_a_database_that_falls_silent_while_it_is_read_is_given_up(known):
    with Source(known.url, patience=1) as source, pytest.raises(SourceError):
        source.rows("SELECT pg_sleep(60)")


def test_at_most_four_look_ups_run_at_a_time(known, client, app):
    open_event = app.extensions["open_event"]
    open_event._bulkhead = Bulkhead(4, patience=0.1)
    with ExitStack() as places:
        for _ in range(4):
            places.enter_context(open_event._bulkhead.admitted())
        assert_error(client.get("/v1/events/8"), 503, "unavailable")
        assert client.get("/v1/events/7").status_code == 200
    assert on_demand.AT_ONCE == 4
    assert_error(client.get("/v1/events/8"), 404, "not-found")
