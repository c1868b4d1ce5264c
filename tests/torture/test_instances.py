"""
Two instances behind nginx, with one PostgreSQL and one Redis: what one of them does, all know.

nginx runs the file that is shipped for compose, with other addresses in it.
"""

import json
import re
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.auth.service_tokens import create_token, revoke_token
from app.auth.tokens import issue_access_token, new_session_id
from config import ROOT
from tests.callers import document
from tests.pgbouncer import PgBouncer
from tests.servers import Nginx, Redis
from tests.torture.world import LINKS, World, ask, tally

pytestmark = [pytest.mark.torture, pytest.mark.timeout(600)]
SHIPPED = (ROOT / "deploy/compose/nginx.conf").read_text()


class Instances(World):
    """A world whose instances share a Redis, behind an nginx; perhaps also behind a pooler."""

    def __init__(self, *, through_pooler: bool) -> None:
        self.redis = Redis()
        super().__init__(instances=2, processes=2, REDIS_URL=self.redis.url, TRUSTED_PROXIES="1")
        self.through_pooler = through_pooler

    def _enter(self) -> None:
        self._open.enter_context(self.redis)
        super()._enter()
        self.nginx = self._open.enter_context(Nginx(self._configuration()))

    def restart(self) -> None:
        if self.through_pooler and "pooler" not in self.__dict__:
            self.pooler = self._open.enter_context(PgBouncer(self.server))
            self.environ["DATABASE_URL"] = self.pooler.url(self.database_url)
        super().restart()

    def _configuration(self) -> str:
        first, second = (f"127.0.0.1:{each.port}" for each in self.services)
        text = SHIPPED.replace("first:5000", first).replace("second:5000", second)
        text = text.replace("listen 8080", "listen 127.0.0.1:{port}")
        return re.sub(r"/tmp/(\w+)", r"{folder}/\1", text).replace("/dev/stdout", "{folder}/access")

    def through(self, method, path, body=None, **options):
        """Send a request as the owner through nginx."""
        return ask(self.nginx.url, method, path, body, **{"token": self.token, **options})

    def each(self, method, path, body=None, **options):
        """Send the same request to each instance; return their answers."""
        given = {"token": self.token, **options}
        return [ask(each.url, method, path, body, **given) for each in self.services]


@pytest.fixture(scope="module", params=[False, True], ids=["direct", "pooler"], name="world")
def _world(request):
    with Instances(through_pooler=request.param) as world:
        yield world


def test_who_signs_out_at_one_instance_is_out_at_every_other(world):
    user = world.make.user()
    token = issue_access_token(user, new_session_id())
    world._let_go()
    before = [each.status for each in world.each("GET", "/v1/users/me", token=token)]

    ask(world.services[0].url, "POST", "/v1/auth/logout", token=token)

    after = [each.status for each in world.each("GET", "/v1/users/me", token=token)]
    assert (before, after) == ([200, 200], [401, 401])


def test_settings_that_one_instance_changed_are_in_force_at_every_other(world):
    admin = world.make.admin()
    token = issue_access_token(admin, new_session_id())
    world._let_go()
    for mode in ("production", "debug"):
        body = document("setting", 1, stripe_mode=mode)
        ask(world.services[0].url, "PATCH", "/v1/settings", body, token=token)

        found = [each.json["data"]["attributes"] for each in world.each("GET", "/v1/settings")]
        assert [each["stripe-mode"] for each in found] == [mode, mode]


def test_a_service_token_that_was_revoked_is_refused_everywhere(world):
    made = create_token("test", ["read"], event_ids=None, expires_in=None)
    headers = {"scheme": "Bearer", "token": made.token}
    before = [each.status for each in world.each("GET", LINKS, **headers)]

    revoke_token(made.id)
    world._let_go()

    after = [each.status for each in world.each("GET", LINKS, **headers)]
    assert (before, after) == ([200, 200], [401, 401])


def test_failed_sign_ins_are_counted_over_all_instances(world):
    user = world.make.user()
    world._let_go()
    body = {"email": user.email, "password": "not the password"}

    statuses = [world.through("POST", "/auth/session", body).status for _ in range(14)]

    assert Counter(statuses) == {401: 10, 429: 4}


def test_of_twenty_links_through_nginx_one_wins_and_every_instance_shows_it(world):
    (event,) = world.events(1)
    codes = world.codes(count=20)

    def link(code):
        body = document(
            "stripe-authorization",
            relationships={"event": {"type": "event", "id": str(event)}},
            stripe_auth_code=code,
        )
        return world.through("POST", LINKS, body)

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(link, codes))

    assert tally(answers)[201] == 1
    shown = [
        each.json["data"]["id"]
        for each in world.each("GET", f"/v1/events/{event}/stripe-authorization")
    ]
    assert len(set(shown)) == 1
    assert not world.codes_twice()


def test_fifty_payments_with_one_key_over_two_instances_are_one(world):
    (event,) = world.events(1)
    account = world.accounts(1)[0]
    assert world.link(event, world.code(account)).status == 201
    admin = issue_access_token(world.make.admin(), new_session_id())
    world._let_go()
    body = document(
        "payment-intent",
        relationships={"event": {"type": "event", "id": str(event)}},
        amount=1999,
        currency="EUR",
        idempotency_key="order-1",
    )

    def pay(number):
        url = world.services[number % 2].url
        return ask(url, "POST", "/v1/payment-intents", body, token=admin)

    with ThreadPoolExecutor(50) as pool:
        results = tally(pool.map(pay, range(50)))

    assert results[201] == 1, results
    assert set(results) <= {201, 200, "conflict"}
    made = world.stripe.control("state")["payment_intents"]
    assert len([each for each in made if each["account_id"] == account]) == 1


def test_a_rolling_restart_loses_no_request_and_no_link(world, figure):
    events = world.events(40)
    answers, stop = [], threading.Event()

    def read():
        while not stop.is_set():
            answers.append(world.through("GET", "/v1/events"))
            stop.wait(0.02)

    def link(event):
        body = document(
            "stripe-authorization",
            relationships={"event": {"type": "event", "id": str(event)}},
            stripe_auth_code=world.code(),
        )
        return world.through("POST", LINKS, body)

    reader = threading.Thread(target=read)
    reader.start()
    started = time.monotonic()
    try:
        with ThreadPoolExecutor(4) as pool:
            linked = pool.map(link, events)
            for service in world.services:
                service.stop()
                world.restart()
            results = tally(linked)
    finally:
        stop.set()
        reader.join()

    reads = tally(answers)
    figure(f"{len(answers)} reads, {len(events)} links in {time.monotonic() - started:.1f} s")
    assert reads == {200: len(answers)}
    assert results == {201: len(events)}


def test_signing_in_goes_on_while_redis_is_away_and_is_counted_together_again(world):
    user = world.make.user()
    world._let_go()
    body = {"email": user.email, "password": "not the password"}
    world.redis.kill()

    away = [world.through("POST", "/auth/session", body).status for _ in range(4)]

    world.redis.start()
    assert away == [401] * 4
    assert all(each.status == 401 for each in world.each("POST", "/auth/session", body))


def test_no_code_that_came_through_nginx_is_in_a_log(world):
    world.through("GET", "/connect/callback?code=ac_CANARY&state=x")

    logs = (world.nginx.folder / "access").read_text() + world.written
    assert "ac_CANARY" not in json.dumps(logs)
