"""Ids of what is made here never meet those that Open Event Server gives out."""

import pytest

from app.db.transactions import transaction
from app.extensions import db
from app.models import Event, StripeAuthorization, User
from tests.databases import on_both, on_sqlite

pytestmark = on_sqlite

FIRST = 1_000_000_000


def make_one_of_each(make):
    """Return the ids of a user, an event and a link that are made here now."""
    user = make.user()
    event = make.event(user)
    return [user.id, event.id, make.link(event).id]


@on_both
def test_once_an_import_has_run_ids_begin_at_a_thousand_millions(open_event, bring, make):
    open_event.add_user(7, "owner@example.com")
    open_event.add_event(7, owner=7)
    open_event.add_settings()
    open_event.add_link(7, 7)
    assert bring().status == 0

    assert make_one_of_each(make) == [FIRST] * 3
    assert bring().status == 0
    assert make_one_of_each(make) == [FIRST + 1] * 3


@on_both
def test_a_dry_run_leaves_the_ids_alone(bring, make):
    bring("--dry-run")

    assert make_one_of_each(make) == [1] * 3


class TestBesideARunningOne:
    """With any of the settings, before an import has ever run."""

    @pytest.fixture(name="environ")
    def _environ(self):
        return {"OPEN_EVENT_JWT_SECRET_KEY": "their key their key their key"}

    @on_both
    def test_ids_begin_at_a_thousand_millions(self, make):
        assert make_one_of_each(make) == [FIRST] * 3
        assert make_one_of_each(make) == [FIRST + 1] * 3

    @on_both
    def test_and_they_do_where_the_first_try_came_to_nothing(self, app, make):
        with pytest.raises(ZeroDivisionError), transaction() as session:
            session.add(User(email="never@example.com", password_hash=""))
            session.flush()
            raise ZeroDivisionError

        assert min(make_one_of_each(make)) >= FIRST


@on_both
def test_without_them_ids_begin_at_one_and_the_largest_is_understood(make, client):
    assert make_one_of_each(make) == [1] * 3
    owner = db.session.get(User, 1)
    largest = make.event(owner, id=2_147_483_647)
    make.link(largest, id=2_147_483_647, livemode=False)
    caller = client.as_(owner)

    assert caller.get(f"/v1/events/{largest.id}").status_code == 200
    assert caller.get(f"/v1/stripe-authorizations/{largest.id}").status_code == 200
    listed = caller.get(f"/v1/stripe-authorizations?filter[event]={largest.id}")
    assert [each["id"] for each in listed.json["data"]] == [str(largest.id)]
    assert caller.get("/v1/stripe-authorizations?filter[event]=2147483648").status_code == 400
    assert db.session.query(Event).count() == db.session.query(StripeAuthorization).count() == 2
