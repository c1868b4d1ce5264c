"""Running an import again: what changed there comes, what changed here stays."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from app.db.transactions import transaction
from app.db.types import FIRST_OWN_ID
from app.extensions import db
from app.models import (
    AuditEntry,
    Event,
    ImportedRole,
    Setting,
    StripeAuthorization,
    StripeDeauthorization,
    StripeLinkAttempt,
    User,
    UsersEventsRole,
)
from tests.databases import on_both, on_sqlite
from tests.importing.open_event import A_DAY

pytestmark = on_sqlite


@pytest.fixture(name="there")
def _there(open_event):
    """A small, sound database there."""
    open_event.add_user(1, "owner@example.com", "correct horse")
    open_event.add_user(2, "friend@example.com")
    open_event.add_event(1, owner=1)
    open_event.add_event(2, owner=1)
    open_event.add_role(2, 1, "organizer")
    open_event.add_settings()
    open_event.add_link(1, 1)
    open_event.add_link(2, 2)
    return open_event


@pytest.fixture(name="came")
def _came(there, bring):
    """The same, imported once."""
    assert bring().status == 0
    return there


def row(model, row_id):
    db.session.rollback()
    return db.session.get(model, row_id, populate_existing=True)


def change(model, row_id, **values):
    with transaction() as session:
        session.execute(update(model).where(model.id == row_id).values(**values))


def under_way(event_id):
    """Begin an attempt to link the event; return its id."""
    with transaction() as session:
        attempt = StripeLinkAttempt(
            event_id=event_id,
            stripe_auth_code="0" * 64,
            livemode=True,
            state_checked=False,
            expires_at=datetime.now(UTC) + timedelta(hours=1),
        )
        session.add(attempt)
    return attempt.id


LOCKS = r"FROM events\b.* FOR NO KEY UPDATE|pg_advisory_xact_lock"


def roles():
    columns = (UsersEventsRole.user_id, UsersEventsRole.event_id, UsersEventsRole.role)
    return set(db.session.execute(select(*columns)).all())


@on_both
def test_what_changed_there_comes(came, bring):
    came.change("users", 2, _email="Renamed@example.com", is_blocked=True)
    came.change("events", 1, name="Renamed", state="draft", payment_currency="usd")
    came.change("stripe_authorizations", 1, stripe_secret_key="sk_live_fresh")
    came.change("settings", 1, stripe_secret_key="sk_live_rolled")
    came.add_user(3, "new@example.com")
    came.add_event(3, owner=3)
    came.add_link(3, 3)

    found = bring()

    assert found.status == 0, found.output
    friend, event = row(User, 2), row(Event, 1)
    assert (friend.email, friend.is_blocked) == ("renamed@example.com", True)
    assert friend.session_generation == 1
    assert (event.name, event.state, event.payment_currency) == ("Renamed", "draft", "USD")
    assert row(StripeAuthorization, 1).stripe_secret_key == "sk_live_fresh"
    assert row(StripeAuthorization, 1).stripe_refresh_token == "rt_token1"
    assert row(Setting, 1).stripe_secret_key == "sk_live_rolled"
    assert row(StripeAuthorization, 3).event_id == 3
    assert "users: 1 updated" in found.output
    assert bring().output.count("updated") == 0


def test_a_link_made_here_and_mirrored_there_is_nothing_to_import(came, bring, make):
    event = row(Event, 1)
    own = make.link(event, id=FIRST_OWN_ID, stripe_user_id="acct_ours")
    came.execute("DELETE FROM stripe_authorizations")
    came.add_link(own.id, 1)

    found = bring()

    assert found.status == 0, found.output
    assert "id-out-of-range" not in found.output


def test_addresses_that_were_exchanged_there_are_told_until_they_are_settled(came, bring):
    came.change("users", 1, _email="between@example.com")
    came.change("users", 2, _email="owner@example.com")
    came.change("users", 1, _email="friend@example.com")

    for _ in range(2):
        found = bring()
        assert found.status == 3
        assert {found.reason("users", user) for user in (1, 2)} == {"address-taken"}


@on_both
def test_of_two_addresses_that_became_the_same_one_comes(came, bring):
    came.change("users", 1, _email="same@example.com")
    came.change("users", 2, _email=" same@example.com")

    found = bring()

    assert row(User, 1).email == "same@example.com"
    assert row(User, 2).email == "friend@example.com"
    assert found.reason("users", 2) == "address-taken"


def test_what_changed_here_stays_and_the_rest_of_its_row_still_comes(came, bring):
    change(Event, 1, name="Named here")
    change(User, 2, is_blocked=True)
    came.change("events", 1, payment_country="France")

    found = bring()

    assert found.status == 0, found.output
    event = row(Event, 1)
    assert (event.name, event.payment_country) == ("Named here", "France")
    assert row(User, 2).is_blocked
    assert found.lines == []


@on_both
def test_what_changed_on_both_sides_stays_and_is_reported_each_time(came, bring):
    change(Event, 1, name="Named here", payment_country="Spain")
    came.change("events", 1, name="Named there", payment_country="Spain", timezone="UTC")

    for _ in range(2):
        found = bring()

        assert found.status == 3
        assert found.reason("events", 1) == "changed-on-both-sides"
        assert found.action("events", 1) == "left as it is here: name"
        event = row(Event, 1)
        assert (event.name, event.payment_country) == ("Named here", "Spain")
        assert event.timezone == "UTC"


@on_both
def test_roles_taken_away_there_are_taken_away_here_and_those_given_here_stay(came, bring, make):
    mine = make.user()
    make.role(mine, row(Event, 1), "coorganizer")
    came.take_role(2, 1, "organizer")
    came.add_role(2, 2, "coorganizer")

    found = bring()

    assert found.status == 0
    assert roles() == {
        (1, 1, "owner"),
        (1, 2, "owner"),
        (2, 2, "coorganizer"),
        (mine.id, 1, "coorganizer"),
    }
    assert "users_events_roles: 1 taken away" in found.output
    entry = db.session.scalars(
        select(AuditEntry).where(AuditEntry.action == "users-events-role.delete")
    ).one()
    assert (entry.subject, entry.event_id) == ("user 2 as organizer", 1)


def test_a_role_taken_away_here_does_not_come_back(came, bring):
    with transaction() as session:
        session.query(UsersEventsRole).filter_by(user_id=2).delete()

    bring()

    assert roles() == {(1, 1, "owner"), (1, 2, "owner")}
    assert db.session.query(ImportedRole).count() == 3


def test_a_role_that_was_given_on_both_sides_stays_when_it_is_taken_away_there(there, bring, make):
    bring()
    make.role(row(User, 2), row(Event, 2), "organizer")
    there.add_role(2, 2, "organizer")
    bring()
    there.take_role(2, 2, "organizer")
    bring()

    assert (2, 2, "organizer") in roles()


@on_both
def test_when_very_many_roles_are_gone_all_of_them_are_taken_away(came, bring):
    came.execute(
        "INSERT INTO users (id, _email, _password) SELECT n, n || '@many.example.com', ''"
        " FROM generate_series(1000, 3500) AS n"
    )
    came.execute(
        "INSERT INTO users_events_roles (event_id, user_id, role_id)"
        " SELECT 1, n, r.id FROM generate_series(1000, 3500) AS n, roles r"
        " WHERE r.name IN ('organizer', 'coorganizer')"
    )
    bring()
    assert len(roles()) == 3 + 2 * 2501

    came.execute("DELETE FROM users_events_roles WHERE user_id >= 1000")
    bring()

    assert roles() == {(1, 1, "owner"), (1, 2, "owner"), (2, 1, "organizer")}


@on_both
def test_an_event_deleted_there_is_deleted_here_and_its_deauthorization_enqueued(
    came, bring, stripe
):
    came.change("events", 1, deleted_at=A_DAY)

    found = bring()

    assert found.status == 0, found.output
    assert row(Event, 1).deleted_at == A_DAY
    assert row(StripeAuthorization, 1) is None
    owed = db.session.scalars(select(StripeDeauthorization)).one()
    assert (owed.stripe_user_id, owed.livemode, owed.client_id) == ("acct_1", True, "ca_live")
    assert owed.sent_at is None
    assert stripe.asked() == []
    assert "acct_1" in found.action("events", 1)
    assert bring().lines == []


def test_the_account_of_a_deleted_event_is_not_given_back_while_another_event_there_uses_it(
    came, bring
):
    came.add_event(3, owner=1)
    came.add_link(3, 3, stripe_user_id="acct_1")
    came.add_link(4, 3, stripe_user_id="acct_other")  # so that neither of them can come
    came.change("events", 1, deleted_at=A_DAY)

    found = bring()

    assert row(StripeAuthorization, 1) is None
    assert row(StripeAuthorization, 3) is None
    assert db.session.query(StripeDeauthorization).count() == 0
    assert "stays connected" in found.action("events", 1)


@on_both
def test_an_event_that_is_being_linked_here_is_deleted_by_a_later_run(came, bring):
    begun = under_way(1)
    came.change("events", 1, deleted_at=A_DAY, name="Last name")

    found = bring()

    assert found.status == 3
    assert found.reason("events", 1) == "link-in-progress"
    assert (row(Event, 1).deleted_at, row(Event, 1).name) == (None, "Last name")

    change(StripeLinkAttempt, begun, outcome="not-sent", finished_at=A_DAY)
    assert bring().status == 0
    assert row(Event, 1).deleted_at == A_DAY


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_dry_run_locks_every_deleted_event_before_the_first_account(came, bring, statements):
    for event_id in (1, 2):
        came.change("events", event_id, deleted_at=A_DAY)
    statements.clear()

    assert "deauthorization of acct_2" in bring("--dry-run").action("events", 2)

    locked = [text for text in statements if re.search(LOCKS, text, re.DOTALL)]
    of_events = ["events" in text for text in locked]
    assert of_events == [True, False, False]


def test_an_event_deleted_here_stays_deleted(came, bring):
    change(Event, 1, deleted_at=A_DAY)
    came.change("events", 1, name="Alive there")

    assert bring().status == 0
    assert row(Event, 1).deleted_at == A_DAY


def test_a_user_deleted_there_is_deleted_here(came, bring):
    came.change("users", 2, deleted_at=A_DAY, _email="friend@example.com.deleted")

    bring()

    assert row(User, 2).deleted_at == A_DAY
    assert "oes-scrypt" not in row(User, 2).password_hash


@on_both
def test_what_else_is_gone_there_is_reported_and_stays(came, bring):
    came.execute("DELETE FROM stripe_authorizations WHERE id = 2")
    came.execute("DELETE FROM events WHERE id = 2")
    came.add_user(3, "third@example.com")
    bring()
    came.execute("DELETE FROM users WHERE id = 3")

    found = bring()

    assert {(each["table"], each["id"], each["reason"]) for each in found.lines} == {
        ("users", 3, "gone"),
        ("events", 2, "gone"),
        ("stripe_authorizations", 2, "gone"),
    }
    assert row(User, 3) and row(Event, 2) and row(StripeAuthorization, 2)


def test_a_link_disconnected_here_does_not_come_back(came, bring):
    with transaction() as session:
        session.delete(session.get(StripeAuthorization, 1))

    assert bring().status == 0
    assert row(StripeAuthorization, 1) is None


@on_both
def test_a_link_made_here_is_never_overwritten(came, bring, make):
    with transaction() as session:
        session.delete(session.get(StripeAuthorization, 1))
    mine = make.link(row(Event, 1), livemode=True, stripe_user_id="acct_mine")
    came.change("stripe_authorizations", 1, stripe_secret_key="sk_live_fresh")
    came.add_event(3, owner=1)
    bring()
    make.link(row(Event, 3), livemode=True, stripe_user_id="acct_mine_too")
    came.add_link(3, 3)

    found = bring()

    assert found.reason("stripe_authorizations", 3) == "other-account-here"
    links = select(StripeAuthorization.stripe_user_id).order_by(StripeAuthorization.id)
    assert set(db.session.scalars(links)) == {"acct_2", "acct_mine", "acct_mine_too"}
    assert row(StripeAuthorization, mine.id).stripe_secret_key.startswith("sk_test_")


@pytest.mark.parametrize("changed", ["event_id", "stripe_user_id"])
def test_a_link_that_was_moved_there_stays_where_it_is_here_and_is_reported(came, bring, changed):
    came.add_event(3, owner=1)
    came.change("stripe_authorizations", 1, **{changed: 3 if changed == "event_id" else "acct_x"})

    found = bring()

    assert found.status == 3
    assert found.reason("stripe_authorizations", 1) == "moved"
    link = row(StripeAuthorization, 1)
    assert (link.event_id, link.stripe_user_id) == (1, "acct_1")


@on_both
def test_a_key_set_here_stays_and_theirs_is_reported_where_it_differs(there, bring):
    with transaction() as session:
        session.get(Setting, 1).stripe_secret_key = "sk_live_ours"

    found = bring()

    assert found.status == 3
    assert found.reason("settings", 1) == "key-taken"
    setting = row(Setting, 1)
    assert setting.stripe_secret_key == "sk_live_ours"
    assert setting.stripe_client_id == "ca_live"
    assert setting.stripe_mode == "debug"  # there were keys of ours


def test_the_mode_follows_the_pair_in_force_once_and_is_printed(came, bring):
    assert row(Setting, 1).stripe_mode == "production"
    with transaction() as session:
        session.get(Setting, 1).stripe_mode = "debug"
    came.change("settings", 1, stripe_secret_key="sk_live_rolled")

    found = bring()

    assert row(Setting, 1).stripe_mode == "debug"
    assert "stripe-mode" not in found.output
