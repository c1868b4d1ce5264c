"""SELECTs compiled once: the right rows, whatever a pooler or another release does."""

import pytest
from sqlalchemy import bindparam, select
from sqlalchemy.exc import DBAPIError

from app.db.compiled import CompiledSelect
from app.db.reads import read
from app.extensions import db
from app.models import User

BY_EMAIL = select(User.id, User.created_at).where(
    User.email == bindparam("email"), User.session_generation == 0, User.email.like("%@%")
)
COMPILED = CompiledSelect(BY_EMAIL)


@pytest.fixture(name="on_postgresql")
def _on_postgresql(app):
    return db.engine.dialect.name == "postgresql"


def exchange_plans():
    """Give every plan that our connection keeps the text of another with the same parameters."""
    with db.engine.connect() as connection:
        kept = connection.exec_driver_sql(
            "SELECT name, statement, parameter_types::text FROM pg_prepared_statements"
        ).all()
        for name, statement, kinds in kept:
            others = [row.statement for row in kept if row[2] == kinds and row.name != name]
            text = (others or [statement])[0].partition(" AS ")[2]
            connection.exec_driver_sql(f"DEALLOCATE {name}")
            connection.exec_driver_sql(f"PREPARE {name} ({kinds.strip('{}')}) AS {text}")
        connection.commit()


def test_a_compiled_statement_finds_the_same_rows(make):
    people = [make.user(email=f"{name}@example.com") for name in ("ann", "bob")]
    for person in people * 2:
        known = {"email": person.email}

        assert read(COMPILED, known) == read(BY_EMAIL, known) == [(person.id, person.created_at)]
    assert read(COMPILED, {"email": "nobody"}) == []


def test_no_answer_comes_from_another_statements_plan(client, make, on_postgresql):
    owner = make.user()
    of_event_5001 = make.link(make.event(owner, id=5001))
    number_5001 = make.link(make.event(owner), id=5001)

    def answers():
        paths = ("/v1/stripe-authorizations/5001", "/v1/events/5001/stripe-authorization")
        return [client.as_(owner).get(path).json["data"]["id"] for path in paths]

    assert answers() == [str(number_5001.id), str(of_event_5001.id)]
    if on_postgresql:
        exchange_plans()

    assert answers() == [str(number_5001.id), str(of_event_5001.id)]


def test_the_server_is_left_without_plans_of_ours(client, make, on_postgresql):
    owner = make.user()
    link = make.link(make.event(owner))
    client.as_(owner).get(f"/v1/stripe-authorizations/{link.id}")
    client.as_(owner).get("/v1/stripe-authorizations")

    if on_postgresql:
        with db.engine.connect() as connection:
            kept = connection.exec_driver_sql("SELECT name FROM pg_prepared_statements").all()
        assert kept == []


def test_a_connection_that_was_terminated_is_replaced(make, on_postgresql):
    person = make.user()
    read(COMPILED, {"email": person.email})
    if on_postgresql:
        with db.engine.connect() as connection, pytest.raises(DBAPIError):
            connection.exec_driver_sql("SELECT pg_terminate_backend(pg_backend_pid())")
        db.engine.raw_connection().driver_connection.close()

    assert read(COMPILED, {"email": person.email})[0].id == person.id


def test_a_column_that_changed_its_type_is_read_all_the_same(make, on_postgresql):
    person = make.user()
    read(COMPILED, {"email": person.email})
    if on_postgresql:
        with db.engine.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE users ALTER COLUMN id TYPE bigint")

    assert read(COMPILED, {"email": person.email})[0].id == person.id
