"""Importing a whole database of Open Event Server, sound rows and broken ones."""

import json
from datetime import UTC

import pytest
from sqlalchemy import inspect, select, text

from app.extensions import db
from app.models import (
    Event,
    ImportedRow,
    Setting,
    StripeAuthorization,
    StripeDeauthorization,
    StripeLinkAttempt,
    User,
    UsersEventsRole,
)
from tests.callers import link_document
from tests.databases import on_both, on_sqlite
from tests.importing.open_event import A_DAY, LONG_AGO, OpenEvent, fill_with_faults

pytestmark = on_sqlite

# Every row of `fill_with_faults` that a person should know of, and why.
REASONS = {
    "users": {
        4: "administrator",
        5: "administrator",
        9: "address-twice",
        13: "no-address",
        14: "address-too-long",
        15: "no-password",
        16: "no-password",
        17: "no-password",
    },
    "events": {
        3: "identifier-of-digits",
        4: "unusual-identifier",
        5: "identifier-twice",
        6: "identifier-twice",
        7: "no-identifier",
        8: "identifier-too-long",
        9: "unknown-timezone",
        10: "unknown-timezone",
        12: "unknown-timezone",
        13: "name-too-long, owner-name-too-long",
        15: "unknown-state",
        16: "country-too-long, unknown-currency, no-link",
        17: "ends-before-start, no-link",
        18: "no-time",
        20: "no-link, no-owner",
        21: "no-link, no-owner",
        22: "no-link",
    },
    "stripe_authorizations": {
        3: "no-event",
        4: "event-deleted",
        5: "several-accounts",
        6: "several-accounts",
        7: "same-account",
        9: "both-modes",
        10: "both-modes",
        11: "no-account",
        12: "no-account",
        13: "mode-unknown",
        14: "mode-contradictory",
        15: "mode-unknown",
        16: "no-access-token",
        17: "stripe-disabled",
        18: "event-says-not-linked",
        21: "event-not-imported",
        22: "deleted",
        23: "key-too-long",
    },
}
NOT_IMPORTED = {
    "users": {7, 9, 11, 13, 14},
    "events": {5, 6, 7, 8, 18},
    "stripe_authorizations": {3, 4, 5, 6, 7, 11, 12, 13, 14, 15, 21, 22, 23},
}


def ids_of(model):
    return set(db.session.scalars(select(model.id)))


def by_row(found):
    """The lines of a report, in an order of their own."""
    return sorted(found.lines, key=lambda line: (line["table"], line["id"]))


def everything():
    """All that an import writes, without what chance and the clock make different."""
    by_chance = {"read_at", "linked_at", "started_at", "expires_at", "finished_at", "updated_at"}
    by_chance |= {"stripe_secret_key", "stripe_refresh_token", "at"}
    found = {}
    for table in inspect(db.engine).get_table_names():
        if table in ("settings", "alembic_version", "sqlite_sequence"):
            continue
        rows = db.session.execute(text(f"SELECT * FROM {table}")).mappings()
        kept = [
            {name: value for name, value in row.items() if name not in by_chance} for row in rows
        ]
        found[table] = sorted(kept, key=str)
    db.session.rollback()
    return found


@pytest.fixture(name="broken")
def _broken(open_event: OpenEvent) -> OpenEvent:
    """A database with everything that is found broken in real ones."""
    fill_with_faults(open_event)
    return open_event


@on_both
def test_what_is_sound_comes_and_each_broken_row_is_named_once_with_its_reason(broken, bring):
    found = bring()

    assert found.status == 3, found.output
    named = [(line["table"], line["id"]) for line in found.lines]
    assert len(named) == len(set(named))
    told = {table: {} for table in REASONS}
    for line in found.lines:
        assert set(line) == {"table", "id", "reason", "action"}
        told[line["table"]][line["id"]] = line["reason"]
    assert told == REASONS
    assert ids_of(User) == set(range(1, 19)) - NOT_IMPORTED["users"]
    assert ids_of(Event) == set(range(1, 40)) - NOT_IMPORTED["events"]
    links = set(range(1, 24)) - NOT_IMPORTED["stripe_authorizations"]
    assert ids_of(StripeAuthorization) == links


@on_both
def test_a_second_run_changes_nothing_and_reports_the_same(broken, bring):
    first = bring()
    before = everything()

    second = bring()

    assert second.status == 3
    assert by_row(second) == by_row(first)
    assert everything() == before
    assert "imported\n" not in second.output.replace("not imported\n", "")


@on_both
def test_a_dry_run_reports_the_same_and_changes_nothing(broken, bring):
    before = everything()

    rehearsed = bring("--dry-run")

    assert rehearsed.status == 3
    assert everything() == before
    assert db.session.get(Setting, 1).sealed_stripe_secret_key is None
    assert by_row(rehearsed) == by_row(bring())


def test_users_come_with_what_is_known_of_them(broken, bring):
    bring()

    owner, vague = db.session.get(User, 1), db.session.get(User, 3)
    assert (owner.email, owner.is_verified, owner.created_at) == (
        "owner@example.com",
        True,
        LONG_AGO,
    )
    assert owner.created_at.tzinfo is UTC
    assert (vague.is_verified, vague.created_at is not None) == (False, True)
    assert db.session.get(User, 6).is_blocked
    assert db.session.get(User, 10).email == "twin@example.com"
    assert db.session.get(User, 12).email == "late-twin@example.com"


def test_a_deleted_user_comes_only_where_a_role_names_them_and_without_password(broken, bring):
    bring()

    assert db.session.get(User, 7) is None
    kept = db.session.get(User, 8)
    assert kept.deleted_at == A_DAY
    assert "oes-scrypt" not in kept.password_hash


def test_events_come_with_what_can_be_said_of_them_here(broken, bring):
    bring()

    event = {row.id: row for row in db.session.scalars(select(Event))}
    assert event[2].identifier == "f3a0c9b2-1d5e-4c7a-9b60-0123456789ab"
    assert [event[key].timezone for key in (9, 10, 11, 12)] == [
        "UTC",
        "America/Los_Angeles",
        "Asia/Calcutta",
        "UTC",
    ]
    assert (len(event[13].name), event[13].name[-1]) == (255, "…")
    assert (event[14].state, event[14].payment_currency) == ("draft", None)
    assert (event[15].state, event[15].payment_currency) == ("draft", "USD")
    assert (event[16].payment_currency, event[16].payment_country) == (None, None)
    assert event[19].deleted_at == A_DAY
    assert event[1].starts_at == A_DAY


def test_roles_come_once_and_those_of_a_group_for_its_own_events_alone(broken, bring):
    bring()

    rows = db.session.execute(
        select(UsersEventsRole.user_id, UsersEventsRole.role, UsersEventsRole.event_id).where(
            (UsersEventsRole.event_id == 1) | (UsersEventsRole.user_id != 1)
        )
    ).all()
    assert sorted(rows) == [
        (1, "owner", 1),
        (2, "organizer", 1),
        (2, "organizer", 2),
        (3, "coorganizer", 1),
        (6, "owner", 21),
        (8, "organizer", 1),
        (10, "organizer", 1),
    ]


def test_links_come_sealed_in_the_mode_that_their_keys_tell(broken, bring):
    bring()

    live, test = db.session.get(StripeAuthorization, 1), db.session.get(StripeAuthorization, 2)
    assert (live.livemode, test.livemode) == (True, False)
    assert (live.client_id, test.client_id) == ("ca_live", "ca_test")
    assert live.stripe_secret_key == "sk_live_token1"
    assert live.stripe_refresh_token == "rt_token1"
    assert (live.stripe_user_id, live.stripe_publishable_key) == ("acct_1", "pk_live_key1")
    assert (live.scope, live.linked_by_id, live.account_status) == ("read_write", None, "unknown")
    stored = str(db.session.execute(text("SELECT * FROM stripe_authorizations")).all())
    assert "token" not in stored


@on_both
def test_no_secret_and_no_address_is_told_or_kept_in_clear(broken, bring):
    broken.change("stripe_authorizations", 12, stripe_user_id="sk_live_canary_in_wrong_field")

    found = bring()

    told = json.dumps(found.lines)
    assert "example.com" not in told
    for canary in ("_token", "_platform", "ac_code", "canary", "sk_", "oes-scrypt"):
        assert canary not in told + found.output
    kept = str(everything())
    for canary in ("canary-facebook", "canary-reset", "ac_code", "token1"):
        assert canary not in kept
    assert set(found.output.split()) & {"admin@example.com", "super@example.com"}
    assert "owner@example.com" not in found.output


def test_what_nothing_here_stands_for_is_counted(broken, bring):
    found = bring()

    for line in (
        "users: left out 1 rights of sales administrators",
        "users: left out 1 rights of marketers",
        "events: left out 1 marks of private events",
        "users_events_roles: left out 1 roles named moderator",
        "users_events_roles: left out 2 group roles not accepted, or without an account",
    ):
        assert line in found.output.splitlines(), found.output


def test_the_accounts_of_links_that_cannot_come_are_named_since_their_grants_go_on(broken, bring):
    found = bring()

    assert "acct_3 " in found.action("stripe_authorizations", 3)
    assert "acct_4 " in found.action("stripe_authorizations", 4)
    assert db.session.query(StripeDeauthorization).count() == 0


def test_of_several_accounts_for_one_event_the_one_comes_that_is_named(broken, bring):
    bring()
    found = bring("--take", "6")

    assert db.session.get(StripeAuthorization, 6).stripe_user_id == "acct_second"
    assert found.reason("stripe_authorizations", 6) is None
    assert found.reason("stripe_authorizations", 5) == "not-chosen"
    again = bring()
    assert again.reason("stripe_authorizations", 5) == "not-chosen"
    assert db.session.get(StripeAuthorization, 5) is None


def test_a_link_that_is_not_there_cannot_be_taken(broken, bring):
    found = bring("--take", "99999")

    assert found.status == 1
    assert "There is no row 99999 in stripe_authorizations there." in found.output
    assert db.session.query(User).count() == 0


def test_administrators_are_listed_and_come_without_their_rights_on_demand(broken, bring):
    found = bring("--no-admins")

    assert "Administrator: user 4, admin@example.com" not in found.output
    assert "without administrator's rights" in found.action("users", 4)
    staff = select(User.id).where(User.is_admin | User.is_super_admin)
    assert db.session.scalars(staff).all() == []

    found = bring()

    assert "Administrator: user 4, admin@example.com" in found.output
    assert "Administrator: user 5, super@example.com" in found.output
    assert sorted(db.session.scalars(staff)) == [4, 5]


def test_a_sound_database_comes_with_status_0_though_administrators_are_listed(open_event, bring):
    open_event.add_user(1, "owner@example.com", is_admin=True)
    open_event.add_event(1, owner=1)
    open_event.add_settings()
    open_event.add_link(1, 1)

    found = bring()

    assert found.status == 0, found.output
    assert [line["reason"] for line in found.lines] == ["administrator"]


@on_both
def test_nothing_of_theirs_reaches_a_row_of_ours_that_has_its_id_or_address(
    open_event, bring, make
):
    ours = make.user("ada@example.com")
    event = make.event(ours)
    open_event.add_user(ours.id, "grace@example.com")
    open_event.add_user(500, "Ada@example.com")
    open_event.add_user(501, "organizer@example.com")
    open_event.add_event(event.id, owner=501)
    open_event.add_event(500, owner=501, identifier=event.identifier)
    open_event.add_event(501, owner=500)
    open_event.add_role(ours.id, 501, "organizer")
    open_event.add_settings()
    open_event.add_link(500, event.id)
    open_event.add_link(501, 500)

    found = bring()

    assert found.status == 3
    assert found.reason("users", ours.id) == "id-taken"
    assert found.reason("users", 500) == "address-taken"
    assert found.reason("events", event.id) == "id-taken"
    assert found.reason("events", 500) == "identifier-taken"
    assert found.reason("stripe_authorizations", 500) == "event-not-imported"
    assert found.reason("stripe_authorizations", 501) == "event-not-imported"
    db.session.refresh(ours)
    assert ours.email == "ada@example.com"
    roles = db.session.execute(select(UsersEventsRole.user_id, UsersEventsRole.event_id)).all()
    assert roles == [(ours.id, event.id)]
    assert ids_of(StripeAuthorization) == set()


@pytest.mark.parametrize("row_id", [0, -1, 1_000_000_000, 2_147_483_647])
def test_an_id_that_is_ours_to_give_does_not_come(open_event, bring, row_id):
    open_event.add_user(1, "owner@example.com")
    open_event.add_user(row_id, "far@example.com")
    open_event.add_event(row_id)
    open_event.add_event(2)
    open_event.add_settings()
    open_event.add_link(row_id, 2)

    found = bring()

    for table in ("users", "events", "stripe_authorizations"):
        assert found.reason(table, row_id) == "id-out-of-range"


def test_a_code_that_was_imported_answers_for_its_event_and_is_used_for_any_other(
    broken, bring, client
):
    bring()
    owner = client.as_(db.session.get(User, 1))

    again = owner.post("/v1/stripe-authorizations", link_document(1, "ac_code1"))
    elsewhere = owner.post("/v1/stripe-authorizations", link_document(26, "ac_code8"))

    assert again.status_code == 200, again.json
    assert again.json["data"]["id"] == "1"
    assert elsewhere.status_code == 422
    assert elsewhere.json["errors"][0]["code"] == "code-already-used"
    codes = select(StripeLinkAttempt.outcome).distinct()
    assert db.session.scalars(codes).all() == ["linked"]


def test_identifiers_of_36_characters_and_ids_up_to_the_largest_are_understood(
    broken, bring, client
):
    bring()
    owner = client.as_(db.session.get(User, 1))

    for reference in ("f3a0c9b2-1d5e-4c7a-9b60-0123456789ab", "Summit_2016", "2"):
        assert owner.get(f"/v1/events/{reference}").status_code == 200
        assert owner.get(f"/v1/events/{reference}/stripe-authorization").status_code in (200, 404)
    found = owner.get("/v1/events/f3a0c9b2-1d5e-4c7a-9b60-0123456789ab")
    assert found.json["data"]["id"] == "2"
    assert owner.get("/v1/events/20160417").status_code == 404
    for number in (2_147_483_647, 2_147_483_648, 9_999_999_999, 10**30):
        assert owner.get(f"/v1/events/{number}").status_code == 404
        assert owner.get(f"/v1/stripe-authorizations/{number}").status_code == 404


def test_what_was_brought_is_remembered_by_digests_alone(broken, bring):
    bring()

    kept = db.session.scalars(select(ImportedRow.digests)).all()
    assert all(len(each) % 8 == 0 for each in kept)
    assert {len(each) for each in kept} == {6 * 8, 7 * 8, 8 * 8, 13 * 8}
