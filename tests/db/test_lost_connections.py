"""Connections that end while the service works: reads and writes that answer all the same."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import event as listening
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app.db import postgresql
from app.db.transactions import transaction
from app.extensions import db
from app.models import Event
from tests.databases import on_postgresql
from tests.factories import Factory

pytestmark = on_postgresql
NEW_EVENT = {
    "type": "event",
    "attributes": {
        "name": "Summit",
        "starts-at": "2027-05-01T09:00:00Z",
        "ends-at": "2027-05-01T19:00:00Z",
        "timezone": "UTC",
    },
}


@pytest.fixture(name="caller")
def _caller(client, make):
    return client.as_(make.user())


@pytest.fixture(name="terminate")
def _terminate(postgres_server, database_url):
    """Ends every connection of the service."""
    return lambda: postgres_server.disconnect_clients(database_url)


@pytest.fixture(name="before")
def _before(app, terminate):
    """`before(words)`: the connections end once, right before a statement with these words."""
    listeners = []

    def arrange(words):
        left = [True]

        def interrupt(connection, cursor, statement, *_):
            if left and words in statement:
                left.clear()
                terminate()

        listening.listen(db.engine, "before_cursor_execute", interrupt)
        listeners.append(interrupt)
        return left

    yield arrange
    for interrupt in listeners:
        listening.remove(db.engine, "before_cursor_execute", interrupt)


def names():
    with db.engine.connect() as connection:
        return connection.execute(text("SELECT name FROM events")).scalars().all()


def test_idle_connections_that_ended_are_replaced_before_they_are_used(caller, terminate, make):
    link = make.link(make.event())
    caller.get("/v1/events")
    assert terminate() > 0

    assert caller.get(f"/v1/events/{link.event_id}/stripe-authorization").status_code == 200
    assert caller.post("/v1/events", {"data": NEW_EVENT}).status_code == 201


def test_a_list_whose_connection_ends_is_read_again(caller, before, make):
    make.event()
    arranged = before("FROM events")

    answer = caller.get("/v1/events")

    assert (answer.status_code, answer.json["meta"]["count"], arranged) == (200, 1, [])


def test_a_write_whose_connection_ends_before_the_commit_is_done_again_once(caller, before):
    arranged = before("INSERT INTO events")

    answer = caller.post("/v1/events", {"data": NEW_EVENT})

    assert (answer.status_code, names(), arranged) == (201, ["Summit"], [])


def test_a_write_whose_connection_ends_after_the_commit_is_answered_as_done(caller, app, terminate):
    committed = []

    def end(session):
        committed.append(terminate())

    listening.listen(db.session, "after_commit", end)
    answer = caller.post("/v1/events", {"data": NEW_EVENT})
    listening.remove(db.session, "after_commit", end)

    assert len(committed) == 1
    assert (answer.status_code, names()) == (201, ["Summit"])


@pytest.fixture(name="lose_the_answer")
def _lose_the_answer(app, terminate, monkeypatch):
    """`lose_the_answer(sent)`: the answer to the next COMMIT is lost; was it *sent*?"""

    def arrange(sent):
        commit = type(db.engine.dialect).do_commit

        def lose(dialect, connection):
            monkeypatch.setattr(type(dialect), "do_commit", commit)
            if sent:
                driver = connection.driver_connection
                driver.cursor().execute("COMMIT; BEGIN")
            terminate()
            commit(dialect, connection)

        monkeypatch.setattr(type(db.engine.dialect), "do_commit", lose)

    return arrange


def test_a_commit_whose_answer_was_lost_is_known_to_be_done(caller, lose_the_answer):
    lose_the_answer(True)

    assert caller.post("/v1/events", {"data": NEW_EVENT}).status_code == 201
    assert names() == ["Summit"]


def test_a_commit_that_did_not_arrive_is_done_again(caller, lose_the_answer):
    lose_the_answer(False)

    assert caller.post("/v1/events", {"data": NEW_EVENT}).status_code == 201
    assert names() == ["Summit"]


def test_a_commit_whose_outcome_nobody_knows_is_not_done_again(
    caller, lose_the_answer, monkeypatch
):
    monkeypatch.setattr(postgresql, "VERDICT_WITHIN", 0)
    lose_the_answer(True)

    answer = caller.post("/v1/events", {"data": NEW_EVENT})

    assert (answer.status_code, names()) == (503, ["Summit"])


def test_a_transaction_that_lost_its_connection_raises_and_the_next_one_works(app, terminate):
    with pytest.raises(DBAPIError), transaction() as session:
        terminate()
        session.execute(text("SELECT 1"))

    Factory().event()
    assert db.session.query(Event).count() == 1


def test_sessions_end_quietly_when_their_connection_has_ended(app, terminate):
    db.session.execute(text("SELECT 1"))
    terminate()

    db.session.remove()
    assert db.session.execute(text("SELECT 2")).scalar() == 2


def test_no_answer_fails_while_connections_end_at_random(
    app, client, make, postgres_server, database_url, monkeypatch
):
    lines = []
    monkeypatch.setattr("app.http.access_log.log.info", lambda what, **facts: lines.append(facts))
    callers = [client.as_(make.user()) for _ in range(6)]

    def ask(number):
        if number % 3 == 0:
            end_one(postgres_server, database_url)
        with app.app_context():
            caller = callers[number % 6]
            if number % 8 < 3:
                body = {**NEW_EVENT, "attributes": {**NEW_EVENT["attributes"], "name": f"{number}"}}
                return number, caller.post("/v1/events", {"data": body}).status_code
            path = ("/v1/events", "/v1/settings", "/v1/users/me")[number % 3]
            return number, caller.get(path).status_code

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(ask, range(90)))

    assert Counter(status for _, status in answers).keys() <= {200, 201}, answers
    made = Counter(names())
    assert set(made) == {str(number) for number, status in answers if status == 201}
    assert set(made.values()) == {1}
    assert len(lines) == 90


def end_one(server, url):
    """End one of the connections to a database, any."""
    server.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = %s ORDER BY random() LIMIT 1",
        (url.rpartition("/")[2],),
    )
