"""
`kill -9` of the whole service at random moments under load: after each restart every event is
linked or can be linked, and what Stripe and we know of each other is accounted for.
"""

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.extensions import db
from app.models import StripeAuthorization
from tests.callers import document
from tests.processes import run_manage
from tests.simultaneous import until
from tests.torture.world import LEASE, LINKS, World, let_pass

pytestmark = [pytest.mark.torture, pytest.mark.timeout(1500)]
KILLS, EVENTS = 50, 8
WATCHED = 5  # kills after which the time until every event is linkable is measured
TIMEOUT = 1
UNKNOWN_TO_US = {"interrupted", "failed"}


@pytest.fixture(name="world")
def _world():
    with World(stripe_timeout=TIMEOUT) as world:
        yield world


class Organizer:
    """Links, looks, links anew and unlinks one event for as long as anybody answers."""

    def __init__(self, world, event, accounts):
        self.world, self.event, self.accounts = world, event, accounts
        self.acknowledged, self.asked = None, 0

    def work(self, over):
        while not over.is_set():
            account = random.choice(self.accounts)
            if not self.try_to_link(account):
                return
            step = random.choice([self.look, self.replay, self.relink, self.unlink])
            if not step():
                return

    def try_to_link(self, account):
        self.code = self.world.code(account)
        answer = self.send("POST", LINKS, self.code)
        if answer.status == 201:
            self.link_id, self.acknowledged = answer.json["data"]["id"], account
        return answer.status

    def look(self):
        return self.world.ask("GET", f"/v1/events/{self.event}/stripe-authorization").status

    def replay(self):
        return self.send("POST", LINKS, self.code).status

    def relink(self):
        self.code = self.world.code(random.choice(self.accounts))
        if self.acknowledged is None:
            return True
        account, self.acknowledged = self.world.codes_made[self.code], None
        body = document("stripe-authorization", self.link_id, stripe_auth_code=self.code)
        answer = self.world.ask("PATCH", f"{LINKS}/{self.link_id}", body)
        if answer.status == 200:
            self.acknowledged = account
        return answer.status

    def unlink(self):
        if self.acknowledged is None:
            return True
        self.acknowledged = None
        return self.world.ask("DELETE", f"{LINKS}/{self.link_id}").status

    def send(self, method, path, code):
        answer = self.world.link(self.event, code)
        assert answer.status < 500 or answer.result.startswith("stripe-"), answer.text
        return answer


def is_linked_or_linkable(world, organizer):
    """Try to link: once that says yes, or that a link is there, all is well."""
    answer = world.link(organizer.event, world.code(organizer.accounts[0]))
    return answer.result in (201, "already-linked")


def seconds_until_linkable(world, organizers, killed):
    """Ask for all until the last could be linked; return how long after the kill that was."""
    left = killed + TIMEOUT + LEASE - time.monotonic()

    def wait(organizer):
        until(lambda: is_linked_or_linkable(world, organizer), seconds=left, every=0.25)

    with ThreadPoolExecutor(len(organizers)) as pool:
        list(pool.map(wait, organizers))
    return time.monotonic() - killed


def work_until_killed(world):
    organizers = [Organizer(world, event, world.accounts(2)) for event in world.events(EVENTS)]
    over = threading.Event()
    with ThreadPoolExecutor(EVENTS) as pool:
        works = [pool.submit(each.work, over) for each in organizers]
        let_pass(random.uniform(0.05, 1.2))
        world.kill()
        over.set()
        for work in works:
            work.result()
    return organizers


def test_no_kill_loses_doubles_or_halves_a_link(world, figure):
    delay = {"fault": "slow", "on": "token", "seconds": 0.15}
    world.stripe.control("faults", delay)
    organizers, waits, unfinished = [], [], 0

    for kill in range(KILLS):
        worked = work_until_killed(world)
        killed = time.monotonic()
        left = "SELECT count(*) FROM stripe_link_attempts WHERE finished_at IS NULL"
        unfinished += world.query(left)[0][0] if kill < WATCHED else 0
        world.restart()
        check_acknowledged(world, worked)
        organizers += worked
        if kill < WATCHED or kill == KILLS - 1:
            waits.append(seconds_until_linkable(world, worked, killed))

    for each in organizers:
        assert is_linked_or_linkable(world, each)
    attempts = world.query("SELECT outcome, count(*) FROM stripe_link_attempts GROUP BY outcome")
    figure(f"{KILLS} kills, {len(organizers)} events, attempts {dict(attempts)}")
    figure(f"{unfinished} attempts were cut off by the first {WATCHED} kills")
    figure(f"linked or linkable at most {max(waits):.1f} s after the kill ({len(waits)} measured)")
    assert world.codes_twice() == []
    unknown = check_books(world, organizers)
    figure(f"{unknown} accounts connected at Stripe and not linked here, each accounted for")


def test_a_kill_during_an_unlink_is_made_good_by_the_next_reconcile(world):
    """The lease of the dead process is waited for, not passed over."""
    (event,), (account,) = world.events(1), world.accounts(1)
    link_id = world.link(event, world.code(account)).json["data"]["id"]
    world.stripe.control("faults", {"fault": "hang", "on": "deauthorize"})
    with ThreadPoolExecutor(1) as pool:
        unlinking = pool.submit(world.ask, "DELETE", f"{LINKS}/{link_id}")
        until(lambda: asked_to_disconnect(world), seconds=10, every=0.01)
        world.kill()
        unlinking.result()
    world.stripe.control("faults", {"fault": None})

    due = run_manage("stripe", "reconcile", "--due", env=world.environ)
    done = run_manage("stripe", "reconcile", env=world.environ)

    assert due.returncode == 0, due.stderr
    assert "another process is delivering: 1" in due.stdout
    assert done.returncode == 0, done.stderr
    assert "1 done, 0 pending" in done.stdout
    assert account not in world.connected()


def asked_to_disconnect(world):
    asked = world.stripe.control("requests")["requests"]
    return any(each["path"] == "/oauth/deauthorize" for each in asked)


def check_acknowledged(world, organizers):
    """What was answered with 201 and not touched since is there."""
    for each in organizers:
        if each.acknowledged is not None:
            rows = world.query(
                f"SELECT stripe_user_id FROM stripe_authorizations WHERE event_id = {each.event}"
            )
            assert rows == [(each.acknowledged,)]


def check_books(world, organizers):
    """Compare our rows with Stripe's; return how many accounts only Stripe knows."""
    state = world.stripe.control("state")
    valid = {each["access_token"]: each["account"] for each in state["tokens"] if each["valid"]}
    linked = db.session.query(StripeAuthorization).all()
    for link in linked:
        assert valid.get(link.stripe_secret_key) == link.stripe_user_id
    here = {link.stripe_user_id for link in linked}
    db.session.remove()
    owed = world.query("SELECT stripe_user_id FROM stripe_deauthorizations WHERE done_at IS NULL")
    unknown = world.connected() - here - {account for (account,) in owed}
    events = {account: each.event for each in organizers for account in each.accounts}
    for account in unknown:
        found = world.query(
            f"SELECT outcome FROM stripe_link_attempts WHERE event_id = {events[account]}"
        )
        assert {outcome for (outcome,) in found} & UNKNOWN_TO_US, (account, found)
    return len(unknown)
