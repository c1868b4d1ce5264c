"""The proxy of the guide, in Debian's nginx: two servers behind one address, the console beside."""

import json
import re
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from uuid import uuid4

import jwt
import pytest
import requests
from werkzeug.serving import make_server

from app.extensions import db
from config import ROOT
from tests.databases import on_postgresql
from tests.importing.open_event import OpenEvent
from tests.postgres import free_port
from tests.webhooks import UPDATED, event, sign

API, CONSOLE = "api.events.example", "payments.events.example"
KEY = "the key of an Open Event Server, of its tests"
OURS = [
    "/v1/stripe-authorizations",
    "/v1/stripe-authorizations/1/event",
    "/v1/stripe-authorization-requests",
    "/v1/stripe-accounts",
    "/v1/stripe-checks",
    "/v1/events/1/stripe-authorization",
    "/v1/events/abcdef01/stripe-link-attempts",
    "/v1/events/1/relationships/stripe-authorization",
    "/v1/events/1/payment-intents",
    "/v1/payment-intents",
    "/v1/payment-intents/1",
    "/v1/audit-entries",
    "/stripe/webhooks",
    "/stripe/webhooks/",
]
THEIRS = [
    "/",
    "/auth/session",
    "/v1/auth/login",
    "/v1/settings",
    "/v1/users/1",
    "/v1/events",
    "/v1/events/1",
    "/v1/events/stripe-authorization",
    "/v1/events/1/orders",
    "/v1/events/1/relationships/owner",
    "/v1/orders/1/charge",
    "/connect/callback",
]


class Side:
    """A server that remembers what it was sent, and answers with its name."""

    def __init__(self, name, answer=None):
        self.received = []
        side = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _answer(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                side.received.append((self.command, self.path, dict(self.headers), body))
                said = answer(self.command, self.path, body) if answer else {"side": name}
                text = json.dumps(said).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            do_GET = do_POST = do_PATCH = do_DELETE = _answer

            def log_message(self, *_arguments):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture(scope="module", name="nginx")
def _nginx():
    found = subprocess.run(
        ["sh", "scripts/install-nginx.sh"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stderr
    return next(path for path in ("/usr/sbin/nginx", "/usr/bin/nginx") if (ROOT / path).exists())


@pytest.fixture(name="proxy")
def _proxy(nginx, tmp_path):
    """Starts the file of the guide before two ports, privately; returns its address."""
    running = []

    def start(open_event_port, linking_port):
        port = free_port()
        text = (ROOT / "docs/open-event-proxy.conf").read_text()
        text = text.replace("127.0.0.1:8080", f"127.0.0.1:{open_event_port}")
        text = text.replace("127.0.0.1:5000", f"127.0.0.1:{linking_port}")
        text = text.replace("/var/log/nginx/", f"{tmp_path}/")
        text = re.sub(r"listen 80;.*", f"listen 127.0.0.1:{port};", text)
        folders = "".join(
            f"{name}_temp_path {tmp_path}/{name};"
            for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        (tmp_path / "nginx.conf").write_text(
            f"daemon off; master_process off; pid {tmp_path}/nginx.pid;"
            f" error_log {tmp_path}/start.log; events {{}}"
            f" http {{ {folders}\n{text}\n}}"
        )
        command = [nginx, "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf")]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        running.append(process)
        address = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                requests.get(address, timeout=5, headers={"Host": API})
                return address
            except requests.ConnectionError:
                assert process.poll() is None, (tmp_path / "start.log").read_text()
        raise AssertionError("nginx does not answer")

    yield start
    for process in running:
        process.terminate()
        process.wait(timeout=10)


@pytest.fixture(name="sides")
def _sides():
    sides = Side("open-event"), Side("linking")
    yield sides
    for side in sides:
        side.close()


def test_each_address_goes_to_the_right_side_as_it_was_sent(proxy, sides, tmp_path):
    open_event, linking = sides
    address = proxy(open_event.port, linking.port)
    body, signature = b'{"raw":  "\xc3\xa9 \\u00e9"}\r\n', "t=1,v1=abc,v1=def"
    headers = {"Host": API, "Stripe-Signature": signature, "Content-Type": "application/json"}

    for path, side in [(p, "linking") for p in OURS] + [(p, "open-event") for p in THEIRS]:
        answer = requests.post(
            f"{address}{path}?code=ac_of_somebody", data=body, headers=headers, timeout=10
        )
        assert answer.json() == {"side": side}, path
        _, target, arrived, raw = (linking if side == "linking" else open_event).received[-1]
        assert (target, raw) == (f"{path}?code=ac_of_somebody", body)
        assert (arrived["Stripe-Signature"], arrived["Host"]) == (signature, API)
    console = requests.get(
        f"{address}/connect/callback?code=ac_of_somebody&state=s",
        headers={"Host": CONSOLE},
        timeout=10,
    )
    assert console.json() == {"side": "linking"}
    for log in tmp_path.glob("*.log"):
        assert "ac_of_somebody" not in log.read_text(), log.name
    assert "/connect/callback" in (tmp_path / "stripe-linking.log").read_text()


def test_a_callback_that_finds_nobody_leaves_no_code_in_a_log(proxy, sides, tmp_path):
    open_event, _ = sides
    address = proxy(open_event.port, free_port())
    answer = requests.get(
        f"{address}/connect/callback?code=ac_of_somebody", headers={"Host": CONSOLE}, timeout=10
    )
    assert answer.status_code == 502
    for log in tmp_path.glob("*.log"):
        assert "ac_of_somebody" not in log.read_text(), log.name


class TestBeside:
    """This service and a stand-in for Open Event Server, on its database."""

    @pytest.fixture(name="open_event")
    def _open_event(self, postgres_server):
        url = postgres_server.create_database()
        source = OpenEvent(url)
        source.add_user(1, "owner@example.com")
        yield source
        source.close()
        postgres_server.drop_database(url)

    @pytest.fixture(name="environ")
    def _environ(self, open_event):
        return {
            "OPEN_EVENT_DATABASE_URL": open_event.url,
            "OPEN_EVENT_MIRROR": "true",
            "OPEN_EVENT_JWT_SECRET_KEY": KEY,
            "ALLOWED_HOSTS": f"{API},{CONSOLE}",
        }

    @pytest.fixture(name="address")
    def _address(self, app, open_event, proxy):
        def answer(method, path, _body):
            """Create, change and show the event 7, as far as the wizard's save goes."""
            if method == "POST":
                open_event.add_event(7, owner=1, identifier="abcdef01", is_stripe_linked=False)
            return {
                "linked": open_event.execute("SELECT is_stripe_linked FROM events WHERE id = 7"),
                "keys": open_event.execute(
                    "SELECT stripe_publishable_key FROM stripe_authorizations WHERE event_id = 7"
                ),
            }

        stand_in = Side("open-event", answer)
        server = make_server("127.0.0.1", 0, app, threaded=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield proxy(stand_in.port, server.server_port)
        server.shutdown()
        server.server_close()
        stand_in.close()

    @on_postgresql
    def test_the_wizards_whole_save_shows_buyers_the_key(self, address, stripe, platform):
        now = int(time.time())
        token = jwt.encode(
            {
                "iat": now,
                "nbf": now,
                "exp": now + 3600,
                "jti": str(uuid4()),
                "identity": 1,
                "fresh": False,
                "type": "access",
                "csrf": str(uuid4()),
            },
            KEY,
        )
        headers = {
            "Host": API,
            "Authorization": f"JWT {token}",
            "Content-Type": "application/vnd.api+json",
        }

        def send(method, path, body=None):
            answer = requests.request(
                method, address + path, json=body, headers=headers, timeout=30
            )
            assert answer.status_code < 400, answer.text
            return answer.json()

        send("POST", "/v1/events", {})
        linked = send(
            "POST",
            "/v1/stripe-authorizations",
            {
                "data": {
                    "type": "stripe-authorization",
                    "attributes": {
                        "stripe-auth-code": stripe.code(),
                        "stripe-publishable-key": platform.stripe_test_publishable_key,
                    },
                    "relationships": {"event": {"data": {"type": "event", "id": "7"}}},
                }
            },
        )
        there = send("PATCH", "/v1/events/7", {})

        key = linked["data"]["attributes"]["stripe-publishable-key"]
        assert there == {"linked": [[True]], "keys": [[key]]}
        shown = requests.get(
            f"{address}/v1/events/abcdef01/stripe-authorization", headers={"Host": API}, timeout=30
        )
        assert shown.json()["data"]["attributes"]["stripe-publishable-key"] == key

    @on_postgresql
    def test_a_signed_webhook_arrives_as_it_was_signed(self, address, stripe, platform):
        body = json.dumps(event(UPDATED, stripe.accounts[0]), indent=2)
        db.session.rollback()
        for text, status in ((body, 200), (body + " ", 400)):
            answer = requests.post(
                f"{address}/stripe/webhooks",
                data=text,
                headers={
                    "Host": API,
                    "Stripe-Signature": sign(body, platform.stripe_test_webhook_secret),
                },
                timeout=30,
            )
            assert answer.status_code == status, answer.text
