"""Statements planned once per connection: the same rows, whatever happens to the connection."""

import pytest
from sqlalchemy import bindparam, event, select

from app.database import read
from app.extensions import db
from app.models import User

BY_EMAIL = select(User.id, User.created_at).where(
    User.email == bindparam("email"), User.session_generation == 0, User.email.like("%@%")
)
PREPARED = BY_EMAIL.execution_options(prepared=True)


@pytest.fixture(name="sent")
def _sent(app):
    """What is sent to the database, as far as SQLAlchemy sends it."""
    sent: list[str] = []

    def note(connection, cursor, statement, parameters, context, many):
        sent.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    yield sent
    event.remove(db.engine, "before_cursor_execute", note)


@pytest.fixture(name="on_postgresql")
def _on_postgresql(app):
    return db.engine.dialect.name == "postgresql"


def test_a_prepared_statement_finds_the_same_rows(make):
    people = [make.user(email=f"{name}@example.com") for name in ("ann", "bob")]
    for person in people * 2:
        known = {"email": person.email}

        assert read(PREPARED, known) == read(BY_EMAIL, known) == [(person.id, person.created_at)]
    assert read(PREPARED, {"email": "nobody"}) == []


def test_only_the_name_goes_over_the_wire_once_it_is_prepared(make, sent, on_postgresql):
    known = {"email": make.user().email}
    read(PREPARED, known)
    sent.clear()

    read(PREPARED, known)

    assert [statement.startswith("EXECUTE ") for statement in sent] == [on_postgresql]


def test_a_connection_that_forgot_its_statements_is_asked_plainly(make, on_postgresql):
    person = make.user()
    read(PREPARED, {"email": person.email})
    if on_postgresql:
        with db.engine.connect() as connection:
            connection.exec_driver_sql("DEALLOCATE ALL")

    assert read(PREPARED, {"email": person.email})[0].id == person.id


def test_a_column_that_changed_its_type_is_read_all_the_same(make, on_postgresql):
    person = make.user()
    read(PREPARED, {"email": person.email})
    if on_postgresql:
        with db.engine.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE users ALTER COLUMN id TYPE bigint")

    assert read(PREPARED, {"email": person.email})[0].id == person.id
