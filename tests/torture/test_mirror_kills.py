"""
The mirror through kills: two instances and Open Event Server's database, ended at any moment while
accounts are linked, relinked and unlinked. In the end that database holds what is linked here, and
nobody who reads it meanwhile ever sees half of it.
"""

import os
import random
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.auth.tokens import issue_access_token, new_session_id
from app.extensions import db
from app.models import StripeAuthorization, User
from tests.callers import document, link_document
from tests.importing.mirrored import Reader, as_there, rows
from tests.importing.open_event import OpenEvent
from tests.postgres import PostgresServer
from tests.processes import run_manage
from tests.simultaneous import until
from tests.torture.world import LINKS, World

pytestmark = [pytest.mark.torture, pytest.mark.timeout(900)]
ROUNDS = int(os.environ.get("KILLS", "5"))
OWNER, EVENTS = 1, range(1, 9)


class Beside:
    """Open Event Server's database on a server of its own: it is ended and started apart."""

    def __init__(self):
        self.server = PostgresServer(fsync=True)

    def __enter__(self):
        self.server.start()
        self.url = self.server.create_database("open_event")
        source = OpenEvent(self.url)
        source.add_user(OWNER, "owner@example.com")
        for number in EVENTS:
            source.add_event(number, owner=OWNER, is_stripe_linked=False)
        source.close()
        return self

    def __exit__(self, *_exc):
        self.server.close()

    def execute(self, statement):
        """Run a statement there."""
        return self.server.execute(statement, database="open_event")

    def crash(self):
        """End it as a machine does that loses its power, and start it again."""
        self.server.stop("immediate")
        self.server.start()


@pytest.fixture(name="there")
def _there():
    with Beside() as there:
        yield there


@pytest.fixture(name="world")
def _world(there):
    beside = {"OPEN_EVENT_DATABASE_URL": there.url, "OPEN_EVENT_MIRROR": "true"}
    with World(stripe_timeout=1, fsync=True, **beside) as world:
        for number in EVENTS:
            assert world.ask("GET", f"/v1/events/{number}").status == 200
        world.token = issue_access_token(db.session.get_one(User, OWNER), new_session_id())
        world._let_go()
        yield world


def change(world, event, code):
    """Link the event; if it is linked, to the code's account, or unlink it."""
    answer = world.ask("POST", LINKS, link_document(event, code))
    if answer.result != "already-linked":
        return
    shown = world.ask("GET", f"/v1/events/{event}/stripe-authorization")
    if shown.status != 200:
        return
    path = f"{LINKS}/{shown.json['data']['id']}"
    if random.random() < 0.5:
        world.ask("DELETE", path)
    else:
        body = document("stripe-authorization", shown.json["data"]["id"], stripe_auth_code=code)
        world.ask("PATCH", path, body)


def change_during(world, accounts, disturb):
    """Change every event at one moment, several times, and *disturb* while that goes on."""
    codes = [world.code(random.choice(accounts)) for _ in range(3 * len(EVENTS))]
    with ThreadPoolExecutor(len(EVENTS)) as pool:
        asked = [
            pool.submit(change, world, event, code)
            for event, code in zip([*EVENTS] * 3, codes, strict=True)
        ]
        soon = random.randrange(len(asked))
        until(lambda: sum(each.done() for each in asked) >= soon, every=0.001)
        disturb()
        for each in asked:
            each.result()


def reconciled(world):
    """Run `stripe reconcile` until it leaves nothing: attempts that were killed end by a lease."""

    def reconcile():
        result = run_manage("stripe", "reconcile", env=world.environ)
        assert "Traceback" not in result.stderr
        return result.returncode == 0

    return until(reconcile, seconds=60, every=0.5)


def link_the_rest(world, account):
    """Link every event that is not linked by now, as can be done once leases have ended."""

    def is_linked(event):
        return world.link(event, world.code(account)).result in (201, "already-linked")

    for event in EVENTS:
        until(lambda event=event: is_linked(event), seconds=30, every=0.5)


def linked_here(world):
    """The rows that are to stand there, and the events that are to be marked."""
    links = sorted(as_there(link) for link in db.session.query(StripeAuthorization))
    world._let_go()
    return links, sorted(event_id for _, event_id, *_ in links)


@pytest.mark.parametrize("lost", ["the service", "their database", "one after the other"])
def test_after_kills_their_database_holds_what_is_linked_here(world, there, figure, lost):
    accounts = world.accounts(3)

    def disturb():
        if lost != "their database":
            world.kill()
        if lost != "the service":
            there.crash()

    with Reader(there.url, accounts) as reader:
        for _ in range(ROUNDS):
            link_the_rest(world, accounts[0])
            change_during(world, accounts, disturb)
            world.restart()
        link_the_rest(world, accounts[0])
        assert reconciled(world)

    links, marked = linked_here(world)
    figure(f"{ROUNDS} times lost, {reader.looks} looks meanwhile")
    assert reader.wrong == []
    assert rows(there) == (links, marked)
    assert marked == [*EVENTS]
