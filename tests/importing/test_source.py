"""Databases that cannot be imported from, and those that break off."""

import psycopg2
import pytest

from app.extensions import db
from app.importing import source as source_module
from app.models import Event, User
from tests.databases import on_sqlite
from tests.importing.open_event import OpenEvent, fill_with_faults
from tests.postgres import free_port
from tests.processes import run_manage

pytestmark = on_sqlite


def test_without_a_url_it_says_where_to_put_one(database_url):
    done = run_manage("import", "open-event", env={"DATABASE_URL": database_url})

    assert done.returncode == 1
    assert "OPEN_EVENT_DATABASE_URL" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://reader:canary@127.0.0.1/open_event",
        "postgresql+psycopg2://reader:canary@127.0.0.1/open_event",
        "postgresql://127.0.0.1/open_event?user=reader&password=canary",
        "host=127.0.0.1 password=canary",
    ],
)
def test_a_password_on_the_command_line_is_refused_and_not_repeated(bring, url):
    found = bring("--from", url)

    assert found.status == 1
    assert "OPEN_EVENT_DATABASE_URL" in found.output
    assert "canary" not in found.output


@pytest.mark.parametrize(
    "url", ["mysql://127.0.0.1/open_event", "sqlite:///open_event.db", "nonsense", "postgresql://["]
)
def test_what_is_no_url_of_a_postgresql_is_refused(bring, url):
    found = bring("--from", url)

    assert found.status == 1
    assert "postgresql://" in found.output


def test_a_database_that_is_away_is_an_error_without_its_url(bring):
    found = bring(url=f"postgresql://reader:canary@127.0.0.1:{free_port()}/open_event")

    assert found.status == 1
    assert "canary" not in found.output


def test_a_database_that_is_none_of_open_event_server_is_refused_naming_what_is_missing(
    bring, postgres_url
):
    found = bring(url=postgres_url)

    assert found.status == 1
    assert "users, events, users_events_roles, roles, settings, stripe_auth" in found.output


@pytest.mark.parametrize(
    "column",
    ["users._email", "users.salt", "events.identifier", "stripe_authorizations.stripe_user_id"],
)
def test_missing_columns_are_named_and_nothing_is_imported(open_event, bring, column):
    open_event.add_user(1, "owner@example.com")
    table, name = column.split(".")
    open_event.execute(f"ALTER TABLE {table} DROP COLUMN {name}")

    found = bring()

    assert found.status == 1
    assert column in found.output
    assert db.session.query(User).count() == 0


def test_columns_that_came_with_time_need_not_be_there(open_event, bring):
    open_event.add_user(1, "owner@example.com")
    open_event.add_event(1, owner=1, owner_name="Old name")
    open_event.add_settings()
    open_event.add_link(1, 1)
    open_event.execute("ALTER TABLE users DROP COLUMN is_blocked")
    open_event.execute("ALTER TABLE events RENAME COLUMN owner_name TO organizer_name")
    open_event.execute("ALTER TABLE events DROP COLUMN group_id, DROP COLUMN is_stripe_linked")
    open_event.execute("ALTER TABLE stripe_authorizations DROP COLUMN stripe_auth_code")
    open_event.execute("ALTER TABLE stripe_authorizations DROP COLUMN deleted_at")
    open_event.execute("ALTER TABLE users_events_roles DROP COLUMN deleted_at")
    open_event.execute(
        "ALTER TABLE settings DROP COLUMN stripe_test_client_id,"
        " DROP COLUMN stripe_test_secret_key, DROP COLUMN stripe_test_publishable_key"
    )
    open_event.execute("DROP TABLE users_groups_roles, groups")

    found = bring()

    assert found.status == 0, found.output
    assert db.session.get(Event, 1).owner_name == "Old name"


def test_a_role_that_may_not_read_is_an_error_that_says_so(open_event, bring, postgres_server):
    open_event.execute("DROP ROLE IF EXISTS newcomer")
    open_event.execute("CREATE ROLE newcomer LOGIN PASSWORD 'canary'")
    url = open_event.url.replace(f"postgres:{postgres_server.password}", "newcomer:canary")

    found = bring(url=url)

    assert found.status == 1
    assert "not readable for this role" in found.output


def test_tables_of_groups_that_may_not_be_read_are_not_taken_for_missing(
    open_event, bring, postgres_server
):
    open_event.add_user(1, "owner@example.com")
    open_event.execute("DROP ROLE IF EXISTS halfblind")
    open_event.execute("CREATE ROLE halfblind LOGIN PASSWORD 'canary'")
    open_event.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO halfblind")
    open_event.execute("REVOKE SELECT ON groups, users_groups_roles FROM halfblind")
    url = open_event.url.replace(f"postgres:{postgres_server.password}", "halfblind:canary")

    found = bring(url=url)

    assert found.status == 1
    assert "not readable for this role: groups, users_groups_roles." in found.output
    assert db.session.query(User).count() == 0


def test_nothing_is_ever_written_there(open_event):
    refused = pytest.raises(psycopg2.errors.ReadOnlySqlTransaction)
    with source_module.Source(open_event.url) as reader, refused:
        reader._connection.cursor().execute("DELETE FROM users")


def test_all_of_it_is_one_moment_whatever_changes_there_meanwhile(open_event):
    open_event.add_user(1, "owner@example.com")
    with source_module.Source(open_event.url) as reader:
        assert len(list(reader.users())) == 1
        open_event.add_user(2, "late@example.com")
        assert len(list(reader.users())) == 1


@pytest.mark.parametrize("lost_at", ["users", "roles", "links"])
def test_a_connection_that_is_lost_half_way_leaves_whole_tables_and_the_next_run_does_the_rest(
    open_event, bring, monkeypatch, postgres_server, lost_at
):
    fill_with_faults(open_event)
    honest = getattr(source_module.Source, lost_at)

    def lose(reader, *arguments, **values):
        for number, facts in enumerate(honest(reader, *arguments, **values)):
            if number == 3:
                postgres_server.execute(
                    "SELECT pg_terminate_backend(%s)", (reader._connection.info.backend_pid,)
                )
                list(reader.settings())
            yield facts

    with monkeypatch.context() as patched:
        patched.setattr(source_module.Source, lost_at, lose)
        broken = bring()
    assert broken.status == 1
    assert "connection to Open Event Server's database was lost" in broken.output
    assert (db.session.query(User).count() == 0) == (lost_at == "users")

    assert bring().status == 3
    assert db.session.query(User).count() == 13


def test_text_in_no_encoding_is_reported_and_the_rest_comes(postgres_server, bring):
    postgres_server.execute("DROP DATABASE IF EXISTS raw WITH (FORCE)")
    postgres_server.execute(
        "CREATE DATABASE raw ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
    )
    raw = OpenEvent(postgres_server.url("raw"))
    raw.add_user(1, "owner@example.com")
    raw.add_event(1, owner=1, name="Fine")
    raw.add_event(2, owner=1, name="Broken")
    raw.add_event(3, owner=1, name="Cafe")
    raw.execute("UPDATE events SET name = E'Broken \\xff' WHERE id = 2")
    raw.execute("UPDATE events SET name = E'Caf\\xc3\\xa9' WHERE id = 3")
    raw.add_settings()

    found = bring(url=raw.url)
    raw.close()

    assert found.reason("events", 2) == "unreadable-text"
    assert db.session.get(Event, 1).name == "Fine"
    assert db.session.get(Event, 3).name == "Caf\u00e9"
