"""
A storm of webhooks: many events, each delivered twice, shuffled, over several connections to all
instances, while some of the accounts are being linked again.
"""

import http.client
import json
import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from app.extensions import db
from app.models import Event, User
from tests.torture.world import Answer, World
from tests.webhooks import UPDATED, deauthorized, event, sign

CONNECTIONS = 8
FORGED = "whsec_of_somebody_else"


@dataclass
class Delivery:
    """One event on its way: what it says, who signed it, and what is to be answered."""

    content: dict[str, Any]
    secret: str
    expected: int = 200


@dataclass
class Storm:
    """
    Accounts in three states, with links: cut at Stripe, connected, and cut but linked again
    meanwhile.
    """

    world: World
    each: int
    seed: int = 20261124
    cut: list[str] = field(default_factory=list)
    connected: list[str] = field(default_factory=list)
    relinked: list[str] = field(default_factory=list)
    codes: list[tuple[int, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        settings = self.world.stripe.settings
        self.secret = settings["stripe-test-webhook-secret"]
        self.client_id = settings["stripe-test-client-id"]
        self.cut, self.connected, self.relinked = (self.world.accounts(self.each) for _ in range(3))
        for account in self.connected:
            self.world.stripe.control("connections", {"account": account})
        for account in [*self.cut, *self.connected, *self.relinked]:
            self._link(account)
        events = self.world.events(len(self.relinked))
        self.codes = [
            (event_id, self.world.code(account))
            for event_id, account in zip(events, self.relinked, strict=True)
        ]

    def _link(self, account: str) -> None:
        owner = db.session.get_one(User, self.world.owner_id)
        made: Event = self.world.make.event(owner)
        self.world.make.link(made, stripe_user_id=account, client_id=self.client_id)
        self.world._let_go()

    def deliveries(self, count: int) -> list[Delivery]:
        """*count* events, each of them twice, in no order."""
        chance = random.Random(self.seed)
        kinds = [self._cut, self._old, self._update, self._foreign, self._forged, self._relinked]
        # Every account that was cut is told of at least once.
        made = [self._about(account) for account in self.cut]
        made += [chance.choice(kinds)(chance) for _ in range(count - len(made))]
        twice = made * 2
        chance.shuffle(twice)
        return twice

    def _about(self, account: str) -> Delivery:
        return Delivery(deauthorized(account, self.client_id), self.secret)

    def _cut(self, chance: random.Random) -> Delivery:
        return self._about(chance.choice(self.cut))

    def _old(self, chance: random.Random) -> Delivery:
        return self._about(chance.choice(self.connected))

    def _relinked(self, chance: random.Random) -> Delivery:
        return self._about(chance.choice(self.relinked))

    def _update(self, chance: random.Random) -> Delivery:
        return Delivery(event(UPDATED, chance.choice(self.connected)), self.secret)

    def _foreign(self, chance: random.Random) -> Delivery:
        return Delivery(deauthorized(chance.choice(self.connected), "ca_foreign"), self.secret)

    def _forged(self, chance: random.Random) -> Delivery:
        return Delivery(self._old(chance).content, FORGED, expected=400)

    def rage(self, count: int) -> tuple[list[tuple[Delivery, int]], list[Answer]]:
        """Deliver all and link meanwhile; return each delivery's status, and the links' answers."""
        deliveries = self.deliveries(count)
        with ThreadPoolExecutor(CONNECTIONS + 1) as pool:
            linking = pool.submit(lambda: [self.world.link(*wish) for wish in self.codes])
            parts = [deliveries[number::CONNECTIONS] for number in range(CONNECTIONS)]
            found = pool.map(self._deliver, range(CONNECTIONS), parts)
            return [pair for part in found for pair in part], linking.result()

    def _deliver(self, number: int, part: list[Delivery]) -> list[tuple[Delivery, int]]:
        """Deliver over one connection that is kept; once more what is to be sent again."""
        services = self.world.services
        host = services[number % len(services)].url.removeprefix("http://")
        connection = http.client.HTTPConnection(host, timeout=60)
        found = [(each, _send(connection, each)) for each in part]
        again = [each for each, status in found if status == 503]
        found = [pair for pair in found if pair[1] != 503]
        found += [(each, _send(connection, each)) for each in again]
        connection.close()
        return found

    def check(self, answers: list[tuple[Delivery, int]], links: list[Answer]) -> None:
        """Nothing but what Stripe confirms has been done, and that once."""
        assert [(each, status) for each, status in answers if status != each.expected] == []
        left = Counter(
            account
            for (account,) in self.world.query("SELECT stripe_user_id FROM stripe_authorizations")
        )
        assert not set(self.cut) & set(left)
        assert Counter(dict.fromkeys(self.connected, 1)) == Counter(
            {account: left[account] for account in self.connected}
        )
        made = {
            account
            for account, answer in zip(self.relinked, links, strict=True)
            if answer.status == 201
        }
        assert made <= set(left)
        assert made <= self.world.connected()
        self._check_records({each.content["id"] for each, status in answers if status == 200})

    def _check_records(self, taken: set[str]) -> None:
        ids = [row[0] for row in self.world.query("SELECT id FROM stripe_webhook_events")]
        assert ids and set(ids) <= taken
        erased = self.world.query(
            "SELECT subject, event_id FROM audit_entries"
            " WHERE action = 'stripe-authorization.deauthorized'"
        )
        assert len(erased) == len(set(erased))
        assert set(self.cut) <= {subject for subject, _ in erased}
        assert {subject for subject, _ in erased} <= {*self.cut, *self.relinked}
        states = self.world.query(
            "SELECT DISTINCT account_status FROM stripe_authorizations"
            f" WHERE stripe_user_id IN ({', '.join(repr(each) for each in self.connected)})"
        )
        assert set(states) <= {("active",), ("unknown",)}


def _send(connection: http.client.HTTPConnection, delivery: Delivery) -> int:
    payload = json.dumps(delivery.content)
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "Stripe-Signature": sign(payload, delivery.secret),
    }
    connection.request("POST", "/stripe/webhooks", payload, headers)
    response = connection.getresponse()
    response.read()
    return response.status
