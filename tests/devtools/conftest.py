"""A local Stripe per test, on a real socket, with a clock of the test's own."""

import time
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
import stripe
from pytest_httpserver import HTTPServer

from app.devtools.stripe_emulator import Emulator, Options
from tests.devtools.listener import Listener

CALLBACK = "http://127.0.0.1:5000/connect/callback"
SECOND_CALLBACK = "http://localhost:4200/torii/redirect.html?from=stripe"
LIVE_CALLBACK = "https://events.example.com/connect/callback"

NO_AUTHENTICATION = (
    "No authentication was provided. Send your secret API key using the Authorization header, "
    "or as a client_secret POST parameter."
)
REUSED = (
    "This authorization code has already been used. "
    "All tokens issued with this code have been revoked."
)


class HandClock:
    """Stands still unless a test moves it."""

    def __init__(self):
        self.time = time.time()

    def __call__(self):
        return self.time

    def forward(self, seconds):
        self.time += seconds


class Platform:
    """A platform's developer at a keyboard: raw requests, keys of both modes at hand."""

    def __init__(self, emulator):
        self.emulator = emulator
        self.url = emulator.url
        self.world = emulator.stripe
        self.test = self.world.application(False)
        self.live = self.world.application(True)
        self.account = self.world.offered_accounts()[0]
        self.http = requests.Session()
        self.http.trust_env = False

    def get(self, path, **options):
        return self.http.get(self.url + path, timeout=10, allow_redirects=False, **options)

    def post(self, path, data=None, **options):
        send = self.http.post
        return send(self.url + path, data=data, timeout=10, allow_redirects=False, **options)

    def control(self, path, body):
        answer = self.http.post(f"{self.url}/_control/{path}", json=body, timeout=30)
        answer.raise_for_status()
        return answer.json()

    def state(self):
        return self.get("/_control/state").json()

    def authorize(self, method="get", application=None, **parameters):
        """Ask for the page, or with post for its outcome; None leaves a parameter out."""
        asked = {
            "client_id": (application or self.test).client_id,
            "response_type": "code",
            "scope": "read_write",
            "state": "st4te",
            **parameters,
        }
        asked = {name: value for name, value in asked.items() if value is not None}
        if method == "get":
            return self.get("/oauth/authorize", params=asked)
        return self.post("/oauth/authorize", asked)

    def allow(self, **parameters):
        """Choose the first account and press Connect."""
        chosen = {"account": self.account.id, "decision": "allow", **parameters}
        return self.authorize("post", **chosen)

    def code(self, **grant):
        """A fresh code for the first account, in test mode unless told otherwise."""
        return self.control("codes", {"account": self.account.id, **grant})["code"]

    def exchange(self, code, key=None, **form):
        asked = {"grant_type": "authorization_code", "code": code, **form}
        asked["client_secret"] = key or self.test.secret_key
        return self.post("/oauth/token", asked)

    def deauthorize(self, account_id=None, application=None, **form):
        application = application or self.test
        asked = {
            "client_id": application.client_id,
            "stripe_user_id": account_id or self.account.id,
            **form,
        }
        return self.post("/oauth/deauthorize", asked, auth=(application.secret_key, ""))

    def read_account(self, account_id=None, key=None):
        path = f"/v1/accounts/{account_id or self.account.id}"
        return self.get(path, auth=(key or self.test.secret_key, ""))

    def is_connected(self, application=None):
        """By the truth of the ledger, not by an answer to the platform."""
        client_id = (application or self.test).client_id
        pairs = [(each["client_id"], each["account"]) for each in self.state()["connections"]]
        return (client_id, self.account.id) in pairs

    def sdk(self, key=None, client_id=None):
        """The public stripe package, pointed here and told not to retry."""
        return stripe.StripeClient(
            key or self.test.secret_key,
            client_id=client_id or self.test.client_id,
            base_addresses={"connect": self.url, "api": self.url},
            max_network_retries=0,
        )


def query_of(response):
    """The parameters of the redirect in *response*."""
    values = parse_qs(urlsplit(response.headers["Location"]).query)
    return {name: value for name, (value,) in values.items()}


def error_of(response):
    body = response.json()
    return response.status_code, body["error"], body["error_description"]


def fail(platform, name, **args):
    return platform.control("faults", {"fault": name, **args})


def other_platform(platform, livemode=False):
    return next(
        each
        for each in platform.state()["applications"]
        if each["platform"] == "Other Platform" and each["livemode"] is livemode
    )


def is_used(platform, code):
    return next(each["used"] for each in platform.state()["codes"] if each["code"] == code)


@pytest.fixture
def clock():
    return HandClock()


@pytest.fixture
def webhook_url(request):
    """None, unless the test listens."""
    if "listener" in request.fixturenames:
        return request.getfixturevalue("listener").url
    return None


@pytest.fixture
def emulator(clock, webhook_url):
    uris = (CALLBACK, SECOND_CALLBACK, LIVE_CALLBACK)
    with Emulator(Options(redirect_uris=uris, webhook_url=webhook_url, clock=clock)) as running:
        yield running


@pytest.fixture
def platform(emulator):
    developer = Platform(emulator)
    yield developer
    developer.http.close()


@pytest.fixture(scope="session")
def server():
    with HTTPServer(host="127.0.0.1", port=0) as server:
        yield server


@pytest.fixture
def listener(server):
    server.clear()
    return Listener(server)


@pytest.fixture
def quiet(platform):
    """Deliver each event once, and only those that tests ask for."""
    platform.control(
        "switches", {"test_events_to_live_endpoint": False, "exchange_sends_event": False}
    )
    return platform
