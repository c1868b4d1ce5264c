"""Which names are answered, and who is one client: behind proxies too."""

import pytest
from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.test import create_environ, run_wsgi_app

from app.http.hosts import client_address
from tests.conftest import make_app
from tests.databases import on_sqlite

pytestmark = on_sqlite


def ask(client, path, host):
    """GET *path* with that Host header; None sends none, as HTTP/1.0 may."""
    environ = create_environ(path)
    environ.pop("HTTP_HOST")
    if host is not None:
        environ["HTTP_HOST"] = host
    body, status, _ = run_wsgi_app(client.app.wsgi_app, environ, buffered=True)
    list(body)
    return status


HOSTS = ["evil.example", "10.0.0.7:5000", "[fe80::1]", "a b", "", "a" * 300, "ä.example", None]


@pytest.mark.parametrize("path", ["/health/live", "/health/ready"])
@pytest.mark.parametrize("host", HOSTS)
def test_health_is_told_under_any_name_or_none(client, path, host):
    status = ask(client, path, host)

    assert status == "200 OK"


@pytest.mark.parametrize("path", ["/v1/settings", "/auth/session", "/no", "/health"])
@pytest.mark.parametrize("host", HOSTS)
def test_everything_else_wants_a_name_of_ours_first(client, path, host):
    status = ask(client, path, host)

    assert status == "400 BAD REQUEST"


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("10.0.0.7:5000", 200),
        ("[fd00::7]:5000", 200),
        ("tickets.example.org", 200),
        ("11.0.0.7", 400),
        ("[fe80::1]", 400),
        ("10.0.0.7.evil.example", 400),
        ("10.0.0", 400),
    ],
)
def test_every_address_of_a_network_that_is_allowed_is_answered(database_url, host, status):
    allowed = "tickets.example.org,10.0.0.0/8,fd00::/8"
    client = make_app(database_url, ALLOWED_HOSTS=allowed).test_client()

    assert client.get("/v1/settings", headers={"Host": host}).status_code == status


def address_behind_a_proxy(forwarded, peer="10.0.0.1"):
    """What a client is counted by if one trusted proxy says *forwarded* of it."""
    seen = []
    app = Flask(__name__)
    app.add_url_rule("/", "counted", lambda: seen.append(client_address()) or "")
    app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1)
    app.test_client().get(
        "/", headers={"X-Forwarded-For": forwarded}, environ_base={"REMOTE_ADDR": peer}
    )
    return seen[0]


@pytest.mark.parametrize(
    ("forwarded", "counted"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("203.0.113.9:4711", "203.0.113.9"),
        (" 203.0.113.9:4712 ", "203.0.113.9"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("[::ffff:203.0.113.9]:4711", "203.0.113.9"),
        ("2001:db8::7", "2001:db8::/64"),
        ("[2001:db8::7]", "2001:db8::/64"),
        ('"[2001:DB8::8]:4711"', "2001:db8::/64"),
        ("fe80::1%eth0", "fe80::/64"),
    ],
)
def test_one_client_stays_one_however_the_proxy_writes_its_address(forwarded, counted):
    assert address_behind_a_proxy(forwarded) == counted


@pytest.mark.parametrize(
    "forwarded",
    ["unknown", "_hidden", "_0a1b2c", "203.0.113.9.9", "[::1", "1.2.3.4:x", "ä", "999.1.1.1:1"],
)
def test_clients_without_an_address_are_counted_by_their_proxy(forwarded):
    assert address_behind_a_proxy(forwarded) == "10.0.0.1"
    assert address_behind_a_proxy(forwarded, peer="") == "unknown"
