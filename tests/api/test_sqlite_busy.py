"""SQLite has one writer at a time: whoever waits too long for it is told to come again."""

import sqlite3
from contextlib import closing

import pytest

from app.db import engine
from app.extensions import db
from app.models import StripeAuthorization
from tests.callers import link_document
from tests.databases import on_sqlite

LINKS = "/v1/stripe-authorizations"


@pytest.fixture(name="database_url")
def _database_url(database_url, monkeypatch):
    monkeypatch.setattr(engine, "SQLITE_WAITS", 0.2)
    return database_url


@pytest.fixture(name="writer")
def _writer(database_url):
    """Somebody else's connection to the same file, without any transaction yet."""
    path = database_url.removeprefix("sqlite:///")
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as writer:
        yield writer


pytestmark = on_sqlite


def test_a_link_is_unavailable_while_somebody_else_writes_and_its_code_stays_good(
    organizer, event, platform, stripe, writer
):
    body = link_document(event, stripe.code())
    writer.execute("BEGIN IMMEDIATE")

    busy = organizer.post(LINKS, body)
    writer.execute("ROLLBACK")
    free = organizer.post(LINKS, body)

    assert (busy.status_code, busy.json["errors"][0]["code"]) == (503, "unavailable")
    assert free.status_code == 201


def test_what_stripe_granted_is_kept_once_the_other_writer_is_done(
    organizer, event, platform, stripe, writer, monkeypatch
):
    waits = []

    def wait(seconds):
        waits.append(seconds)
        writer.execute("ROLLBACK")

    def spend(*args, **kwargs):
        account = exchange(*args, **kwargs)
        writer.execute("BEGIN IMMEDIATE")
        return account

    exchange = organizer.app.extensions["stripe"].exchange_code
    monkeypatch.setattr(organizer.app.extensions["stripe"], "exchange_code", spend)
    monkeypatch.setattr("app.services.persistence.time.sleep", wait)

    answer = organizer.post(LINKS, link_document(event, stripe.code()))

    assert answer.status_code == 201
    assert len(waits) == 1
    assert db.session.query(StripeAuthorization).count() == 1
