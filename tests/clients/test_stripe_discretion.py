"""Secrets stay inside, and nothing of the surroundings goes out with a request."""

import logging
import traceback
from pathlib import Path

import pytest

from app.clients.stripe import AccountNotConnected
from app.errors import StripeError
from tests.clients.certificates import make_self_signed
from tests.clients.conftest import exchange_failure
from tests.clients.raw_server import (
    GOOD_GRANT,
    answering,
    closing,
    dripping,
    hanging,
    http,
    resetting,
    serving,
)

# Without any of Stripe's prefixes, so that nothing but discretion hides them.
CODE = "code-CANARY"
KEY = "key-CANARY"
ECHO = f"{CODE} {KEY}".encode()

FAILURES = {
    "closes": closing,
    "resets": resetting,
    "hangs": hanging,
    "drips": dripping(b"HTTP/1.1 200 OK\r\n\r\n", ECHO),
    "HTML": answering(http(b"<html>" + ECHO)),
    "a list": answering(http(b'["' + ECHO + b'"]')),
    "half a document": answering(http(b'{"access_token": "' + ECHO)),
    "cut off": answering(http(b'{"access_token": "' + ECHO, length=5000)),
    "no account": answering(http(b'{"access_token": "' + ECHO + b'", "livemode": false}')),
    "no HTTP": answering(ECHO + b"\r\n\r\n"),
    "a refusal": answering(
        http(b'{"error": "' + ECHO + b'", "error_description": "' + ECHO + b'"}', status="400 No")
    ),
    "a rejection": answering(
        http(b'{"error": "' + ECHO + b'", "error_description": "' + ECHO + b'"}', status="401 No")
    ),
    "an object": answering(
        http(b'{"error": {"code": "' + ECHO + b'", "message": "' + ECHO + b'"}}', status="403 No")
    ),
    "a redirect": answering(http(b"", status="302 Found", headers=b"Location: /" + ECHO + b"\r\n")),
    "a wrong status": answering(http(ECHO, status="999 " + ECHO.decode())),
}


@pytest.fixture(name="told")
def _told(caplog):
    """Everything that an error and the log tell."""
    caplog.set_level(logging.DEBUG)

    def told(error: BaseException) -> str:
        assert error.__cause__ is None
        assert error.__context__ is None
        logged = [
            f"{record.getMessage()} {record.args} {record.exc_text}" for record in caplog.records
        ]
        shown = "".join(traceback.format_exception(error))
        return " ".join([*logged, caplog.text, shown, repr(error), str(error), repr(vars(error))])

    return told


@pytest.mark.parametrize("name", FAILURES)
def test_no_failed_exchange_tells_the_code_or_the_key(make_stripe, told, name):
    with serving(FAILURES[name]) as server:
        error = exchange_failure(make_stripe(server.url), code=CODE, secret_key=KEY)

    assert "CANARY" not in told(error)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "https://stripe.invalid", "nowhere"])
def test_no_connection_that_fails_tells_the_code_or_the_key(make_stripe, told, url):
    error = exchange_failure(make_stripe(url), code=CODE, secret_key=KEY)

    assert "CANARY" not in told(error)


def test_what_cannot_be_encoded_is_for_stripe_to_judge_and_not_told(make_stripe, told):
    with serving(closing) as server:
        error = exchange_failure(
            make_stripe(server.url), code=f"{CODE}\ud800", secret_key=f"{KEY}\ud800"
        )

        assert len(server.requests) == 1
        assert "CANARY" not in told(error)


@pytest.mark.parametrize("key", [KEY, f"{KEY}\r\nX: y", f"{KEY}\ud800", f" {KEY}"])
@pytest.mark.parametrize("name", FAILURES)
def test_no_other_failed_call_tells_the_key(make_stripe, told, name, key):
    with serving(FAILURES[name]) as server:
        stripe = make_stripe(server.url, timeout=0.2)
        with pytest.raises((StripeError, AccountNotConnected)) as reading:
            stripe.read_account("acct_1", secret_key=key)
        with pytest.raises(StripeError) as cutting:
            stripe.deauthorize("acct_1", client_id="ca_1", secret_key=key)
        check = stripe.check_platform(client_id="ca_1", secret_key=key)

    assert "key-CANARY" not in told(reading.value) + told(cutting.value) + repr(check)


def test_a_good_exchange_logs_no_secret(make_stripe, caplog):
    caplog.set_level(logging.DEBUG)
    with (
        serving(answering(http(GOOD_GRANT))) as server,
        (stripe := make_stripe(server.url)).reserve(),
    ):
        stripe.exchange_code(CODE, secret_key=KEY, livemode=False)

    assert "POST /oauth/token" in caplog.text
    assert "CANARY" not in caplog.text


def test_no_cookie_is_sent_back(make_stripe):
    cookies = b"Set-Cookie: a=b; Path=/\r\nSet-Cookie: c=d\r\n"
    with serving(answering(http(GOOD_GRANT, headers=cookies))) as server:
        stripe = make_stripe(server.url)
        for _ in range(2):
            stripe.exchange_code(CODE, secret_key=KEY, livemode=False)

        assert len(server.requests) == 2
        assert b"cookie" not in b"".join(server.requests).lower()


def test_no_password_is_taken_from_the_home_directory(make_stripe, monkeypatch, tmp_path):
    Path(tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    with serving(answering(http(GOOD_GRANT))) as server:
        make_stripe(server.url).exchange_code(CODE, secret_key=KEY, livemode=False)

        assert b"authorization:" not in server.requests[0].lower()


def test_no_proxy_is_taken_from_the_environment(make_stripe, monkeypatch):
    with serving(answering(http(GOOD_GRANT))) as server, serving(closing) as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        make_stripe(server.url).exchange_code(CODE, secret_key=KEY, livemode=False)

        assert (len(server.requests), len(proxy.requests)) == (1, 0)


def test_no_authority_is_taken_from_the_environment(make_stripe, monkeypatch, tmp_path):
    context, certificate = make_self_signed(tmp_path)
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.setenv(name, certificate)
    with serving(answering(http(GOOD_GRANT)), context) as server:
        error = exchange_failure(make_stripe(server.url), code=CODE, secret_key=KEY)

        assert error.code == "stripe-unreachable"
        assert server.requests == []
