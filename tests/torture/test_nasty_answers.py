"""A Stripe on a bare socket that drips, hangs, closes, floods and lies, asked through gunicorn."""

import gzip
import time

import pytest

from tests.clients.raw_server import (
    GOOD_GRANT,
    answering,
    closing,
    dripping,
    flooding,
    hanging,
    http,
    resetting,
    serving,
)
from tests.torture.world import World

pytestmark = [pytest.mark.torture, pytest.mark.timeout(180)]
TIMEOUT = 1.5
OK = b"HTTP/1.1 200 OK\r\n"
JSON = OK + b"Content-Type: application/json\r\n"
CHUNKED = JSON + b"Transfer-Encoding: chunked\r\n\r\n"
ENDLESS = JSON + b"Content-Length: 1000000000\r\n\r\n"
BOMB = gzip.compress(b" " * 20_000_000 + GOOD_GRANT)
DEEP = b"[" * 60_000
KILOBYTE = b" " * 1024

# behaviour, status, error code
ANSWERS = {
    "hangs": (hanging, 504, "stripe-timeout"),
    "drips a status line": (dripping(b"HTTP/1.1 2", b"0"), (502, 504), None),
    "drips headers": (dripping(OK + b"X-Slow: ", b"x"), 504, "stripe-timeout"),
    "drips header lines": (dripping(OK, b"X-Slow: x\r\n"), (502, 504), None),
    "drips a body": (dripping(ENDLESS, b" "), 504, "stripe-timeout"),
    "drips chunks": (dripping(CHUNKED, b"1\r\n \r\n"), 504, "stripe-timeout"),
    "drips 100 Continue": (dripping(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), (502, 504), None),
    "closes at once": (closing, 502, "stripe-unreadable"),
    "resets": (resetting, 502, "stripe-unreadable"),
    "closes in the headers": (answering(JSON + b"Content-Le"), 502, "stripe-unreadable"),
    "closes in the body": (answering(http(GOOD_GRANT, length=500)), 502, "stripe-unreadable"),
    "closes in a chunk": (answering(CHUNKED + b"40\r\n{"), 502, "stripe-unreadable"),
    "floods headers": (flooding(OK, b"X-Much: " + KILOBYTE + b"\r\n"), 502, "stripe-unreadable"),
    "floods one header": (flooding(OK + b"X-Much: ", KILOBYTE), 502, "stripe-unreadable"),
    "floods a body": (flooding(ENDLESS, KILOBYTE * 64), 502, "stripe-unreadable"),
    "floods without length": (flooding(JSON + b"\r\n", KILOBYTE * 64), 502, "stripe-unreadable"),
    "floods chunks": (flooding(CHUNKED, b"400\r\n" + KILOBYTE + b"\r\n"), 502, "stripe-unreadable"),
    "sends a bomb": (
        answering(http(BOMB, headers=b"Content-Encoding: gzip\r\n")),
        502,
        "stripe-unreadable",
    ),
    "claims to be gzip": (
        answering(http(GOOD_GRANT, headers=b"Content-Encoding: gzip\r\n")),
        502,
        "stripe-unreadable",
    ),
    "speaks no HTTP": (answering(b"\x00\xff\x15\x03\x01 who is there?\r\n\r\n"), 502, None),
    "sends HTML": (answering(http(b"<html>busy</html>")), 502, "stripe-unreadable"),
    "sends no UTF-8": (answering(http(b'{"error": "\xff\xfe"}')), 502, "stripe-unreadable"),
    "nests too deep": (answering(http(DEEP)), 502, "stripe-unreadable"),
    "sends NaN": (answering(http(b'{"livemode": NaN}')), 502, "stripe-unreadable"),
    "sends nothing": (answering(http(b"")), 502, "stripe-unreadable"),
    "sends 204": (answering(http(b"", status="204 No Content")), 502, "stripe-unreadable"),
    "sends a good body with 500": (
        answering(http(GOOD_GRANT, status="500 Oh")),
        502,
        "stripe-unreadable",
    ),
    "sends elsewhere": (
        answering(http(b"", status="307 Away", headers=b"Location: http://127.0.0.1:1/\r\n")),
        502,
        "stripe-unreadable",
    ),
}


class Nasty:
    """What the one Stripe of this module does at the moment."""

    behave = staticmethod(closing)

    def __call__(self, connection, server):
        if server.requests[-1].startswith(b"POST /oauth/deauthorize"):
            connection.sendall(http(b"{}", status="500 Oh"))
        else:
            self.behave(connection, server)


@pytest.fixture(scope="module", name="nasty")
def _nasty():
    return Nasty()


@pytest.fixture(scope="module", name="server")
def _server(nasty):
    with serving(nasty) as server:
        yield server


@pytest.fixture(scope="module", name="world")
def _world(server):
    with World(instances=1, stripe_timeout=TIMEOUT, stripe_url=server.url) as world:
        yield world


def exchanges(server):
    return [each for each in server.requests if each.startswith(b"POST /oauth/token")]


@pytest.mark.parametrize("name", ANSWERS)
def test_what_is_no_answer_is_told_in_time_and_the_code_never_sent_again(
    world, server, nasty, name, figure
):
    nasty.behave, status, error = ANSWERS[name]
    (event,), code = world.events(1), f"ac_{name.replace(' ', '_')}"
    asked = len(exchanges(server))
    started = time.monotonic()

    answer = world.link(event, code)

    took = time.monotonic() - started
    again = world.link(event, code)
    figure(f"{answer.status} {answer.result} after {took:.2f} s")
    assert answer.status in (status if isinstance(status, tuple) else (status,)), answer.text
    assert answer.result in ((error,) if error else ("stripe-unreadable", "stripe-timeout"))
    assert took < TIMEOUT + 2
    assert (again.status, again.result) == (answer.status, answer.result)
    assert len(exchanges(server)) == asked + 1
    assert code not in answer.text + world.written


def test_a_good_answer_between_nasty_ones_links(world, server, nasty):
    nasty.behave = answering(http(GOOD_GRANT))
    (event,) = world.events(1)

    assert world.link(event, "ac_good").status == 201


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://name.invalid"])
def test_what_was_not_sent_leaves_the_code_free(url, figure):
    with World(instances=1, processes=1, stripe_timeout=TIMEOUT, stripe_url=url) as world:
        (event,), code = world.events(1), "ac_never_sent"

        first, again = world.link(event, code), world.link(event, code)

        figure(f"{first.status} {first.result} after {first.seconds:.2f} s")
        assert (first.status, first.result) == (502, "stripe-unreachable")
        assert (again.status, again.result) == (502, "stripe-unreachable")
        assert first.seconds < TIMEOUT + 2
        history = world.ask("GET", f"/v1/events/{event}/stripe-link-attempts").json["data"]
        assert [each["attributes"]["outcome"] for each in history] == ["not-sent"] * 2
