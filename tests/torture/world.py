"""
A world to break: PostgreSQL, the local Stripe, and the service as several instances, all in
processes of their own and reached over sockets only.

    with World(instances=2, processes=2) as world:
        answers = world.post_at_once([world.body(event, code) for code in codes])
        world.kill()                                  # every process of the service, at once
        world.restart()                               # and back, at the same addresses
"""

import http.client
import itertools
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from app import create_app
from app.auth.tokens import issue_access_token, new_session_id
from app.extensions import db
from app.models import Event, Setting, User
from config import load_config
from tests.callers import JSON_API, link_document
from tests.factories import Factory
from tests.live import LocalStripe, Service, migrate
from tests.postgres import PostgresServer
from tests.processes import environment

LINKS = "/v1/stripe-authorizations"
LEASE = 10  # seconds after STRIPE_TIMEOUT in which an interrupted event must be linkable


@dataclass(frozen=True)
class Answer:
    """What came back; status 0 if nothing did."""

    status: int
    text: str = ""
    seconds: float = 0.0
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def json(self) -> Any:
        """The document."""
        return json.loads(self.text)

    @property
    def result(self) -> Any:
        """The error's code, or the status of what is none."""
        return self.status if self.status < 400 else self.json["errors"][0]["code"]


def ask(
    base: str,
    method: str,
    path: str,
    body: Any = None,
    *,
    token: str = "",
    scheme: str = "JWT",
    timeout: float = 60,
) -> Answer:
    """Send one request over a connection of its own; what the network does is never raised."""
    host = base.removeprefix("http://")
    headers = {"Accept": JSON_API, "Content-Type": JSON_API, "Connection": "close"}
    if token:
        headers["Authorization"] = f"{scheme} {token}"
    started = time.monotonic()
    connection = http.client.HTTPConnection(host, timeout=timeout)
    try:
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        response = connection.getresponse()
        text = response.read().decode()
    except (OSError, http.client.HTTPException):
        return Answer(0, seconds=time.monotonic() - started)
    finally:
        connection.close()
    return Answer(response.status, text, time.monotonic() - started, dict(response.headers))


def let_pass(seconds: float) -> None:
    """Let time pass where the time itself is what is tested: how long something is away."""
    threading.Event().wait(seconds)


def tally(answers: Iterable[Answer]) -> Counter:
    """Count the answers by their results."""
    return Counter(each.result if each.status else "nothing" for each in answers)


class World:
    """See the module. *environ* is for the service; `stripe_url` puts another Stripe in place."""

    def __init__(
        self,
        *,
        instances: int = 2,
        processes: int = 2,
        stripe_timeout: float = 5,
        fsync: bool = False,
        stripe_url: str | None = None,
        **environ: str,
    ) -> None:
        self.processes, self.stripe_timeout = processes, stripe_timeout
        self.services = [Service() for _ in range(instances)]
        self.stripe = LocalStripe()
        self.server = PostgresServer(fsync=fsync)
        self._stripe_url, self._environ = stripe_url, environ
        self._open = ExitStack()

    def __enter__(self) -> "World":
        try:
            self._enter()
        except BaseException:
            self._open.close()
            raise
        return self

    def __exit__(self, *_exc: object) -> None:
        self._open.close()

    def _enter(self) -> None:
        self._open.enter_context(self.server)
        self._open.enter_context(self.stripe)
        template = self.server.make_template("migrated", build=migrate)
        self.database_url = self.server.create_database("world", template=template)
        urls = self.stripe.environment
        if self._stripe_url:
            urls = dict.fromkeys(urls, self._stripe_url)
        self.environ = {
            "DATABASE_URL": self.database_url,
            "LOG_LEVEL": "warning",
            "LOG_FORMAT": "json",
            "STRIPE_TIMEOUT": str(self.stripe_timeout),
            **urls,
            **self._environ,
        }
        self._seed()
        for service in self.services:
            self._open.callback(service.kill)
        self.restart()

    def _seed(self) -> None:
        self.app = create_app(load_config(environment(self.environ)))
        self._open.enter_context(self.app.app_context())
        self._open.callback(self._let_go)
        self.make = Factory()
        setting = db.session.get_one(Setting, 1)
        setting.stripe_mode = "debug"
        for name, value in self.stripe.settings.items():
            setattr(setting, name.replace("-", "_"), value)
        db.session.commit()
        owner = self.make.user()
        self.owner_id, self.token = owner.id, issue_access_token(owner, new_session_id())
        self._let_go()
        self.codes_made: dict[str, str] = {}  # code → account
        self._turn = itertools.count()

    def _let_go(self) -> None:
        """Hold no connection: the database's are the service's then, and it may crash."""
        db.session.remove()
        db.engine.dispose()

    def restart(self) -> None:
        """Start every instance that does not run, at the address it had."""
        idle = [service for service in self.services if not service.running]
        _all(lambda each: each.start(self.environ, self.processes, port=each.port or None), idle)

    def hear_of_events(self) -> None:
        """Have Stripe send its events to one of the instances."""
        url = f"{self.services[0].url}/stripe/webhooks"
        self.stripe.control("webhooks", {"url": url})

    def kill(self) -> None:
        """SIGKILL to every process of every instance, at one moment."""
        _all(Service.kill, self.services)

    def events(self, count: int) -> list[int]:
        """Make *count* events of the owner's; their ids."""
        owner = db.session.get_one(User, self.owner_id)
        made: list[Event] = [self.make.event(owner) for _ in range(count)]
        ids = [each.id for each in made]
        self._let_go()
        return ids

    def accounts(self, count: int) -> list[str]:
        """Make *count* accounts at Stripe."""
        body = {"email": "somebody@example.com", "country": "DE", "display_name": "Somebody"}
        return [self.stripe.control("accounts", body)["id"] for _ in range(count)]

    def codes(self, account: str | None = None, count: int = 1) -> list[str]:
        """Have Stripe issue codes for one account."""
        body = {"count": count} | ({"account": account} if account else {})
        minted = self.stripe.control("codes", body)
        self.codes_made |= dict.fromkeys(minted["codes"], minted["account"])
        return minted["codes"]

    def code(self, account: str | None = None) -> str:
        """Have Stripe issue one code."""
        return self.codes(account)[0]

    def base(self) -> str:
        """The address of an instance, each in turn."""
        return self.services[next(self._turn) % len(self.services)].url

    def ask(self, method: str, path: str, body: Any = None, **options: Any) -> Answer:
        """Send a request as the owner to one of the instances."""
        return ask(self.base(), method, path, body, token=self.token, **options)

    def link(self, event: int, code: str) -> Answer:
        """Link *event* by *code* at one of the instances."""
        return self.ask("POST", LINKS, link_document(event, code))

    def link_at_once(self, wishes: list[tuple[int, str]]) -> list[Answer]:
        """Link each (event, code) in the same moment, over all instances."""
        ready = threading.Barrier(len(wishes))

        def link(wish: tuple[int, str]) -> Answer:
            ready.wait()
            return self.link(*wish)

        with ThreadPoolExecutor(len(wishes)) as pool:
            return list(pool.map(link, wishes))

    def codes_seen(self) -> list[str]:
        """Every code that reached Stripe, each as often as it came."""
        asked = self.stripe.control("requests")["requests"]
        return [each["form"]["code"] for each in asked if each["path"] == "/oauth/token"]

    def codes_twice(self) -> list[str]:
        """The codes that Stripe has seen more than once: there must be none."""
        return self.stripe.control("requests")["codes_presented_twice"]

    def connected(self) -> set[str]:
        """The accounts that are connected to the platform's test application."""
        client_id = self.stripe.settings["stripe-test-client-id"]
        found = self.stripe.control("state")["connections"]
        return {each["account"] for each in found if each["client_id"] == client_id}

    def query(self, statement: str) -> list:
        """Run one statement as the database's administrator."""
        return self.server.execute(statement, database="world")

    @property
    def written(self) -> str:
        """All that the instances have written to their logs."""
        return "".join(service.stderr for service in self.services)


def _all(work: Callable[[Service], Any], services: list[Service]) -> None:
    if services:
        with ThreadPoolExecutor(len(services)) as pool:
            list(pool.map(work, services))
