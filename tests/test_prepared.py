"""Statements planned once per connection: the same rows, whatever happens to the connection."""

import pytest
from sqlalchemy import bindparam, select
from sqlalchemy.exc import DBAPIError

from app.db.prepared import Prepared
from app.db.reads import read
from app.extensions import db
from app.models import User

BY_EMAIL = select(User.id, User.created_at).where(
    User.email == bindparam("email"), User.session_generation == 0, User.email.like("%@%")
)
PREPARED = Prepared(BY_EMAIL)


@pytest.fixture(name="on_postgresql")
def _on_postgresql(app):
    return db.engine.dialect.name == "postgresql"


def test_a_prepared_statement_finds_the_same_rows(make):
    people = [make.user(email=f"{name}@example.com") for name in ("ann", "bob")]
    for person in people * 2:
        known = {"email": person.email}

        assert read(PREPARED, known) == read(BY_EMAIL, known) == [(person.id, person.created_at)]
    assert read(PREPARED, {"email": "nobody"}) == []


def test_only_the_name_goes_over_the_wire_once_it_is_prepared(make, app, statements, on_postgresql):
    known = {"email": make.user().email}
    read(PREPARED, known)
    statements.clear()

    read(PREPARED, known)

    assert [sent.startswith("EXECUTE ") for sent in statements] == [on_postgresql]


def test_a_connection_that_forgot_its_statements_is_asked_plainly(make, on_postgresql):
    person = make.user()
    read(PREPARED, {"email": person.email})
    if on_postgresql:
        with db.engine.connect() as connection:
            connection.exec_driver_sql("DEALLOCATE ALL")

    assert read(PREPARED, {"email": person.email})[0].id == person.id


def test_a_connection_that_was_cut_is_replaced(make, on_postgresql):
    person = make.user()
    read(PREPARED, {"email": person.email})
    if on_postgresql:
        with db.engine.connect() as connection, pytest.raises(DBAPIError):
            connection.exec_driver_sql("SELECT pg_terminate_backend(pg_backend_pid())")
        db.engine.raw_connection().driver_connection.close()

    assert read(PREPARED, {"email": person.email})[0].id == person.id


def test_a_column_that_changed_its_type_is_read_all_the_same(make, on_postgresql):
    person = make.user()
    read(PREPARED, {"email": person.email})
    if on_postgresql:
        with db.engine.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE users ALTER COLUMN id TYPE bigint")

    assert read(PREPARED, {"email": person.email})[0].id == person.id
