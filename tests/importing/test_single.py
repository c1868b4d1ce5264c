"""Importing one event with its people, by the rules of the whole import."""

import pytest
from sqlalchemy import select

from app.db.transactions import transaction
from app.extensions import db
from app.importing.report import ImportReport
from app.importing.run import Options, start_run
from app.importing.single import read_event, read_user, write_event
from app.importing.source import Source
from app.models import Event, User, UsersEventsRole
from tests.databases import on_both, on_sqlite
from tests.importing.open_event import A_DAY

pytestmark = on_sqlite

WITHOUT_ADMINS = Options(with_admin_rights=False)


@pytest.fixture(name="there")
def _there(open_event):
    open_event.add_user(1, "owner@example.com", is_admin=True)
    open_event.add_user(2, "friend@example.com")
    open_event.add_user(3, "stranger@example.com")
    open_event.add_event(1, owner=1, identifier="0a1b2c3d")
    open_event.add_event(2, owner=3)
    open_event.add_role(2, 1, "organizer")
    return open_event


@pytest.fixture(name="fetch")
def _fetch(app, there):
    """Imports the event that is meant; returns the run, or None if there is no such event."""

    def fetch(reference):
        with Source(there.url) as source:
            found = read_event(source, reference=reference)
        if found is None:
            return None
        with transaction() as session:
            run = start_run(session, WITHOUT_ADMINS, ImportReport())
            write_event(run, found)
        return run

    return fetch


@on_both
@pytest.mark.parametrize("reference", [1, "0a1b2c3d"])
def test_an_event_comes_with_its_roles_and_people_and_nothing_else(fetch, reference):
    fetch(reference)

    assert db.session.scalars(select(Event.id)).all() == [1]
    assert sorted(db.session.scalars(select(User.id))) == [1, 2]
    roles = db.session.execute(select(UsersEventsRole.user_id, UsersEventsRole.role)).all()
    assert sorted(roles) == [(1, "owner"), (2, "organizer")]


def test_nobody_becomes_an_administrator_by_it(fetch):
    fetch(1)

    assert not db.session.get(User, 1).is_admin


@pytest.mark.parametrize("reference", [3, 0, "ffffffff", ""])
def test_what_is_not_there_is_none(fetch, reference):
    assert fetch(reference) is None


def test_asked_again_it_follows_what_changed_there(fetch, there):
    fetch(1)
    there.take_role(2, 1, "organizer")
    there.change("events", 1, can_pay_by_stripe=False)

    fetch(1)

    db.session.rollback()
    assert not db.session.get(Event, 1, populate_existing=True).can_pay_by_stripe
    assert db.session.scalars(select(UsersEventsRole.user_id)).all() == [1]


def test_one_that_was_deleted_there_is_to_be_deleted_here(fetch, there):
    fetch(1)
    there.change("events", 1, deleted_at=A_DAY)

    run = fetch(1)

    assert [each.event_id for each in run.deletions] == [1]


def test_a_whole_import_finds_it_as_it_came(fetch, there, bring):
    fetch(1)
    there.add_settings()

    found = bring()

    assert found.status == 0, found.output
    assert db.session.get(User, 1, populate_existing=True).is_admin
    assert "Administrator: user 1" in found.output


def test_one_user_is_read_by_id(there):
    with Source(there.url) as source:
        assert read_user(source, 2).email == "friend@example.com"
        assert read_user(source, 4) is None
