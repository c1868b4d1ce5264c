"""What connections are made of: the operator's options with ours, and a pool that waits."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import psycopg2
import pytest
from sqlalchemy import select, text

from app.db import engine
from app.db.reads import read
from app.extensions import db
from app.models import User
from config import ConfigError
from tests.callers import Client
from tests.conftest import make_app
from tests.factories import Factory

EVENT = {
    "type": "event",
    "attributes": {
        "name": "Summit",
        "starts-at": "2027-05-01T09:00:00Z",
        "ends-at": "2027-05-01T19:00:00Z",
        "timezone": "UTC",
    },
}


@pytest.fixture(name="url")
def _url(postgres_server, postgres_template):
    url = postgres_server.create_database(template=postgres_template)
    yield url
    postgres_server.drop_database(url)


@pytest.fixture(name="serve")
def _serve():
    """`serve(url)`: the service on it, its application context active."""
    contexts = []

    def start(url, **environ):
        app = make_app(url, **environ)
        contexts.append(app.app_context())
        contexts[-1].push()
        return app

    yield start
    for context in contexts:
        db.session.remove()
        db.engine.dispose()
        context.pop()


def setting(name):
    return db.session.execute(text(f"SHOW {name}")).scalar()


def test_the_operators_options_hold_together_with_ours(serve, url):
    options = "-csearch_path%3Dpublic,pg_temp%20-c%20statement_timeout%3D7s"
    serve(f"{url}?options={options}&application_name=tickets&connect_timeout=9&sslmode=disable")

    assert setting("search_path") == "public,pg_temp"
    assert setting("application_name") == "tickets"
    assert setting("statement_timeout") == "7s"
    assert setting("lock_timeout") == "15s"


def test_several_hosts_are_tried_in_turn(serve, url, postgres_server):
    several = f"@127.0.0.1:1,127.0.0.1:{postgres_server.port}/"
    serve(url.replace(f"@127.0.0.1:{postgres_server.port}/", several) + "?connect_timeout=2")

    assert setting("lock_timeout") == "15s"


def test_the_pool_is_as_large_as_the_operator_says(serve, url):
    serve(url, DATABASE_POOL_SIZE="3")

    assert db.engine.pool.size() == 3


def test_readers_wait_where_their_role_may_not_have_as_many_connections(
    serve, url, postgres_server
):
    role = f"few_{url.rpartition('_')[2]}"
    postgres_server.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'few' CONNECTION LIMIT 2")
    postgres_server.execute(f"GRANT pg_read_all_data, pg_write_all_data TO {role}")
    app = serve(url.replace(f"postgres:{postgres_server.password}@", f"{role}:few@"))
    start = threading.Barrier(8)

    def look(_):
        start.wait()
        return Client(app).get("/v1/settings").status_code

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(look, range(8))) == [200] * 8


def test_the_wait_for_a_connection_has_an_end(serve, url, postgres_server, monkeypatch):
    monkeypatch.setattr(engine, "POOL_TIMEOUT", 1)
    role = f"one_{url.rpartition('_')[2]}"
    postgres_server.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'few' CONNECTION LIMIT 1")
    mine = url.replace(f"postgres:{postgres_server.password}@", f"{role}:few@")
    with psycopg2.connect(mine) as holder:
        app = serve(mine)
        started = time.monotonic()

        assert Client(app).get("/v1/settings").status_code == 503
        assert 1 < time.monotonic() - started < 10
    holder.close()


def test_connections_that_became_read_only_are_replaced(serve, url, postgres_server):
    app = serve(url)
    caller = Client(app).as_(Factory().user())
    name = url.rpartition("/")[2]
    postgres_server.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    db.engine.dispose()
    assert caller.post("/v1/events", {"data": EVENT}).status_code == 503
    assert caller.get("/health/ready").json["reason"] == "The database is read-only."
    assert caller.get("/v1/events").status_code == 200
    postgres_server.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")

    assert caller.post("/v1/events", {"data": EVENT}).status_code == 201
    assert caller.get("/health/ready").status_code == 200


def test_a_read_within_a_transaction_takes_no_second_connection(serve, url):
    serve(url, DATABASE_POOL_SIZE="1")
    db.session.execute(text("SELECT 1"))

    assert read(select(User.id)) == []


@pytest.mark.parametrize("name", ["statement_timeout", "aplication_name"])
def test_an_option_that_postgresql_does_not_know_is_refused_by_name(name):
    with pytest.raises(ConfigError, match=f"DATABASE_URL: PostgreSQL knows no option '{name}'"):
        make_app(f"postgresql://somebody@127.0.0.1:1/x?{name}=1")


@pytest.mark.parametrize("end", ["Canary=1", "canary2=1@h/x", "can-ary@h/x?y=1"])
def test_what_may_be_the_end_of_a_password_is_not_printed_as_an_option(end):
    with pytest.raises(ConfigError, match="does not know one of its options") as caught:
        make_app(f"postgresql://somebody:1@2?{end}")

    assert "anary" not in str(caught.value)
