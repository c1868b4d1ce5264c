"""Behind PgBouncer in transaction mode, where clients share the connections to PostgreSQL."""

from concurrent.futures import ThreadPoolExecutor

import psycopg2
import pytest
from sqlalchemy import text

from app.db import postgresql
from app.db.transactions import transaction
from app.extensions import db
from tests.callers import Client
from tests.conftest import make_app, migrate
from tests.factories import Factory

LIMITS = ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout", "timezone")
EVENT = {
    "type": "event",
    "attributes": {
        "name": "Summit",
        "starts-at": "2027-05-01T09:00:00Z",
        "ends-at": "2027-05-01T19:00:00Z",
        "timezone": "UTC",
    },
}


@pytest.fixture(name="app")
def _app(pgbouncer, postgres_server, postgres_template):
    url = postgres_server.create_database(template=postgres_template)
    app = make_app(pgbouncer.url(url))
    with app.app_context():
        yield app
        db.session.remove()
        db.engine.dispose()
    postgres_server.drop_database(url)


@pytest.fixture(name="locked")
def _locked(app, postgres_server):
    """Somebody else holds the links' and the events' tables."""
    with psycopg2.connect(postgres_server.url(app_database())) as holder:
        with holder.cursor() as cursor:
            cursor.execute("LOCK TABLE stripe_authorizations, events IN ACCESS EXCLUSIVE MODE")
        yield
        holder.rollback()
    holder.close()


def app_database():
    return db.engine.url.database


def settings_of(session):
    return [session.execute(text(f"SHOW {name}")).scalar() for name in LIMITS]


def test_migrations_run_through_it(pgbouncer, postgres_url):
    migrate(pgbouncer.url(postgres_url))


def test_several_clients_at_once_get_their_own_answers(app):
    make = Factory()
    people = [make.user(is_verified=True) for _ in range(6)]
    links = [make.link(make.event(person)) for person in people]

    def work(number):
        with app.app_context():
            caller = Client(app).as_(people[number])
            made = caller.post("/v1/events", {"data": EVENT})
            return [made.status_code] + [
                caller.get(f"/v1/stripe-authorizations/{links[number].id}").json["data"]["id"]
                for _ in range(5)
            ]

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(work, range(6)))

    assert answers == [[201] + [str(link.id)] * 5 for link in links]
    assert Client(app).get("/health/ready").status_code == 200


def test_every_transaction_has_its_limits_and_leaves_none_behind(app):
    with transaction() as session:
        assert settings_of(session) == ["15s", "30s", "30s", "UTC"]
    assert settings_of(db.session) == ["15s", "30s", "30s", "UTC"]
    db.session.rollback()

    with db.engine.connect() as connection:
        driver = connection.connection.driver_connection
        driver.cursor().execute("ROLLBACK")
        with driver.cursor() as cursor:
            cursor.execute("SHOW lock_timeout")
            assert cursor.fetchone() == ("0",)
            cursor.execute("SELECT count(*) FROM pg_prepared_statements")
            assert cursor.fetchone() == (0,)


@pytest.fixture(name="short_limits")
def _short_limits(monkeypatch):
    short = {**postgresql.LIMITS, "lock_timeout": "200ms"}
    monkeypatch.setattr(postgresql, "LIMITS", short)


@pytest.mark.usefixtures("short_limits")
@pytest.mark.parametrize("path", ["/v1/events/1/stripe-authorization", "/v1/events"])
def test_a_read_of_a_locked_table_ends_at_its_limit(app, locked, path):
    assert Client(app).get(path).status_code == 503


@pytest.mark.usefixtures("short_limits")
def test_a_write_to_a_locked_table_ends_at_its_limit(app, request):
    caller = Client(app).as_(Factory().user())
    request.getfixturevalue("locked")

    assert caller.post("/v1/events", {"data": EVENT}).status_code == 503
