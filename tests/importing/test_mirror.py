"""The mirror: Open Event Server's database holds what is linked here, and nothing else."""

from pathlib import Path

import psycopg2
import pytest
from sqlalchemy import select, update

from app.clients import open_event as theirs
from app.clients.open_event import OpenEventDatabase
from app.commands.stripe import stripe as stripe_commands
from app.db.transactions import transaction
from app.extensions import bound, db
from app.models import Setting, StripeAuthorization, StripeLinkAttempt, StripeMirror, User
from app.services.mirror import state
from tests.callers import link_document
from tests.databases import on_both, on_postgresql, on_sqlite
from tests.importing.mirrored import Reader, as_there, rows

pytestmark = on_sqlite

OWNER = 1
AWAY = "postgresql://nobody@127.0.0.1:1/nothing"
DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(name="environ")
def _environ(open_event):
    return {"OPEN_EVENT_DATABASE_URL": open_event.url, "OPEN_EVENT_MIRROR": "true"}


@pytest.fixture(name="there")
def _there(open_event, client):
    """An event there that is not linked, known here."""
    open_event.add_user(OWNER, "owner@example.com")
    open_event.add_event(7, owner=OWNER, is_stripe_linked=False)
    assert client.get("/v1/events/7").status_code == 200
    return open_event


@pytest.fixture(name="owner")
def _owner(there, client, platform):
    db.session.rollback()
    return client.as_(db.session.get(User, OWNER))


@pytest.fixture(name="link")
def _link(owner, stripe):
    def link(event=7, account=0):
        code = stripe.code(stripe.accounts[account])
        answer = owner.post("/v1/stripe-authorizations", link_document(event, code))
        assert answer.status_code == 201, answer.text
        db.session.rollback()
        return db.session.get(StripeAuthorization, int(answer.json["data"]["id"]))

    return link


@pytest.fixture(name="reconcile")
def _reconcile(app):
    def reconcile(*options):
        result = app.test_cli_runner().invoke(stripe_commands, ["reconcile", *options])
        db.session.rollback()
        return result

    return reconcile


@on_both
def test_a_link_is_there_when_it_is_answered(there, link):
    made = link()
    assert rows(there) == ([as_there(made)], [7])


def test_another_account_takes_the_row_of_the_first(there, link, owner, stripe):
    made_id = link().id
    body = link_document(7, stripe.code(stripe.accounts[1]))
    body["data"]["id"] = str(made_id)
    assert owner.patch(f"/v1/stripe-authorizations/{made_id}", body).status_code == 200

    now = db.session.get_one(StripeAuthorization, made_id)
    assert now.stripe_user_id == stripe.accounts[1]
    assert rows(there) == ([as_there(now)], [7])


def test_an_unlinked_event_has_no_row_there(there, link, owner):
    link()
    meta = owner.delete("/v1/events/7/stripe-authorization").json["meta"]

    assert (meta["deauthorization"], meta["mirror"]) == ("done", "done")
    assert rows(there) == ([], [])


def test_a_switch_of_the_mode_rewrites_all(there, link):
    made = link()
    with transaction() as session:
        session.get(Setting, 1).stripe_mode = "production"
    db.session.rollback()
    bound("mirror").wait()
    assert rows(there) == ([], [])

    with transaction() as session:
        session.get(Setting, 1).stripe_mode = "debug"
    bound("mirror").wait()
    assert rows(there) == ([as_there(made)], [7])


def test_an_account_that_disconnected_at_stripe_leaves_no_row(there, link, stripe, reconcile):
    made = link()
    stripe.disconnect(made.stripe_user_id)

    reconcile()
    bound("mirror").wait()

    assert rows(there) == ([], [])


def test_what_could_not_be_written_is_pending_and_reconciled(there, link, owner, app, reconcile):
    link()
    courier = app.extensions["mirror"]
    courier._retry_soon = lambda: None
    courier.database = OpenEventDatabase(AWAY)
    object.__setattr__(app.extensions["config"], "open_event_mirror", True)

    meta = owner.delete("/v1/events/7/stripe-authorization").json["meta"]
    assert (meta["deauthorization"], meta["mirror"]) == ("done", "pending")
    assert len(rows(there)[0]) == 1
    courier.database = OpenEventDatabase(there.url)
    result = reconcile()

    assert result.exit_code == 0, result.output
    assert "Events mirrored to Open Event Server: 1 done, 0 pending" in result.output
    assert rows(there) == ([], [])


@on_both
def test_what_was_moved_or_changed_there_is_put_right_and_reported(there, link, reconcile):
    made = link()
    there.add_event(8, owner=OWNER, is_stripe_linked=True)
    there.change("stripe_authorizations", made.id, event_id=8, stripe_secret_key="sk_of_another")

    result = reconcile()

    assert result.exit_code == 0, result.output
    assert "Put right in Open Event Server's database: event 7" in result.output
    assert rows(there) == ([as_there(made)], [7])
    assert "Put right" not in reconcile().output


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM stripe_authorizations",
        "UPDATE events SET is_stripe_linked = false",
        "UPDATE stripe_authorizations SET stripe_user_id = 'acct_of_another'",
        "UPDATE stripe_authorizations SET event_id = NULL",
    ],
)
def test_whatever_is_wrong_there_is_put_right(there, link, reconcile, statement):
    made = link()
    there.execute(statement)

    assert "event 7" in reconcile().output
    assert rows(there) == ([as_there(made)], [7])


def test_an_event_with_a_row_that_is_not_ours_is_not_mirrored_and_needs_a_person(
    there, link, reconcile
):
    there.add_link(5, 7)
    foreign = rows(there)[0]

    link()

    assert rows(there) == (foreign, [])
    result = reconcile()
    assert result.exit_code == 1
    assert "Event 7 is not mirrored to Open Event Server: it has a row" in result.output
    there.execute("DELETE FROM stripe_authorizations WHERE id = 5")
    assert reconcile().exit_code == 0
    assert len(rows(there)[0]) == 1


def test_a_link_without_an_access_token_is_not_mirrored_and_the_history_says_why(
    there, link, owner, reconcile
):
    made = link()
    with transaction() as session:
        session.get(StripeAuthorization, made.id).stripe_secret_key = None
    bound("mirror").wait()

    assert rows(there) == ([], [])
    details = [
        each["attributes"]["detail"]
        for each in owner.get("/v1/events/7/stripe-link-attempts").json["data"]
    ]
    assert "no access token" in details[0]
    assert reconcile().exit_code == 0


def test_an_event_of_ours_is_not_written_there(there, client, make, stripe, platform):
    person = make.user()
    event = make.event(person)
    body = link_document(event.id, stripe.code())
    assert client.as_(person).post("/v1/stripe-authorizations", body).status_code == 201

    assert rows(there) == ([], [])
    assert db.session.scalars(select(StripeMirror)).all() == []


def test_a_role_with_too_few_rights_and_a_missing_column_are_named(there, link, app, reconcile):
    link()
    there.execute("CREATE ROLE reader LOGIN PASSWORD 'reader'")
    try:
        there.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader")
        host = there.url.rpartition("@")[2]
        app.extensions["mirror"].database = OpenEventDatabase(f"postgresql://reader:reader@{host}")
        with transaction() as session:
            session.execute(update(StripeMirror).values(done_at=None))
        result = reconcile()
        assert result.exit_code == 1
        assert "missing-rights" in result.output
    finally:
        there.execute("DROP OWNED BY reader; DROP ROLE reader")
    app.extensions["mirror"].database = OpenEventDatabase(there.url)
    there.execute("ALTER TABLE stripe_authorizations DROP COLUMN stripe_publishable_key")
    assert "lacks" in reconcile().output


def test_a_role_with_too_many_rights_is_told(there, link, reconcile):
    link()
    result = reconcile()
    assert result.exit_code == 0
    assert "may write more than the mirror needs" in result.output


def test_the_rights_and_the_trigger_of_the_guide_let_only_the_mirror_write(
    there, link, owner, app, reconcile
):
    script = (DOCS / "open-event-mirror.sql").read_text()
    try:
        there.execute(script)
        there.execute("ALTER ROLE stripe_linking PASSWORD 'linking'")
        host = there.url.rpartition("@")[2]
        url = f"postgresql://stripe_linking:linking@{host}"
        app.extensions["mirror"].database = OpenEventDatabase(url)
        made = link()

        for change in ("event_id = NULL", "stripe_user_id = 'acct_x'", "stripe_secret_key = 'x'"):
            with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                there.execute(f"UPDATE stripe_authorizations SET {change}")
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            there.execute("DELETE FROM stripe_authorizations")
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            there.add_link(5, 7)
        assert rows(there) == ([as_there(made)], [7])
        result = reconcile()
        assert result.exit_code == 0, result.output
        assert "more than the mirror needs" not in result.output
        assert owner.delete("/v1/events/7/stripe-authorization").json["meta"]["mirror"] == "done"
        assert rows(there) == ([], [])
    finally:
        there.execute("DROP OWNED BY stripe_linking CASCADE; DROP ROLE stripe_linking")


def poll_during(there, owner, stripe, rounds):
    with Reader(there.url, stripe.accounts[:2]) as reader:
        for _ in range(rounds):
            body = link_document(7, stripe.code(stripe.accounts[0]))
            made = owner.post("/v1/stripe-authorizations", body).json["data"]["id"]
            body = link_document(7, stripe.code(stripe.accounts[1]))
            body["data"]["id"] = made
            assert owner.patch(f"/v1/stripe-authorizations/{made}", body).status_code == 200
            assert owner.delete(f"/v1/stripe-authorizations/{made}").status_code == 200
    assert reader.wrong == []
    assert reader.looks > rounds
    assert rows(there) == ([], [])


def test_a_reader_never_sees_half_of_it(there, owner, stripe):
    poll_during(there, owner, stripe, rounds=5)


@pytest.mark.torture
@pytest.mark.timeout(900)
@on_postgresql
def test_a_reader_never_sees_half_of_it_in_two_hundred_rounds(there, owner, stripe):
    poll_during(there, owner, stripe, rounds=200)


@pytest.mark.parametrize("step", ["_write_link", "own_ids"])
def test_their_database_lost_at_a_step_holds_in_the_end_what_is_linked_here(
    there, link, reconcile, monkeypatch, step, app
):
    app.extensions["mirror"]._retry_soon = lambda: None
    module = theirs if step == "_write_link" else state
    real = getattr(module, step)

    def lose(*args, **kwargs):
        found = real(*args, **kwargs)
        there.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name LIKE '%mirror%'"
        )
        return found

    with monkeypatch.context() as broken:
        broken.setattr(module, step, lose)
        made = link()
        assert rows(there) == ([], [])
    assert reconcile().exit_code == 0
    assert rows(there) == ([as_there(made)], [7])


def test_the_attempt_is_told_nothing_where_all_is_mirrored(there, link):
    link()
    assert db.session.scalars(select(StripeLinkAttempt.detail)).all() == [None]


@pytest.mark.parametrize("differs", [False, True])
def test_stripe_check_fails_if_open_event_has_another_client_id(there, app, platform, differs):
    live, test = platform.stripe_client_id, platform.stripe_test_client_id
    there.add_settings(
        stripe_client_id="ca_of_another" if differs else live, stripe_test_client_id=test
    )
    db.session.rollback()

    result = app.test_cli_runner().invoke(stripe_commands, ["check"])

    assert result.exit_code == int(differs), result.output
    assert ("Open Event Server has another one" in result.output) is differs


def test_a_process_that_died_before_it_wrote_leaves_it_to_reconcile(
    there, link, reconcile, app, monkeypatch
):
    monkeypatch.setattr(app.extensions["mirror"], "deliver", lambda event_ids: None)
    made = link()
    assert rows(there) == ([], [])
    monkeypatch.undo()

    assert "1 done, 0 pending" in reconcile().output
    assert rows(there) == ([as_there(made)], [7])
