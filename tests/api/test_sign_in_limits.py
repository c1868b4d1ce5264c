"""How often passwords may be guessed, through the front door."""

import socket
import time

import pytest
from flask import Flask
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

from app.auth import passwords, rate_limits
from app.auth.passwords import make_hash
from app.auth.rate_limits import RateLimits, passwords_for
from app.errors import RateLimited
from app.http.hosts import client_address
from app.security.bulkhead import Bulkhead
from tests.callers import JSON_API, Client, assert_error
from tests.conftest import make_app
from tests.databases import on_both, on_sqlite
from tests.simultaneous import at_once

pytestmark = on_sqlite

PASSWORD = "correct horse"
PATHS = ["/auth/session", "/v1/auth/login"]


@pytest.fixture(name="user")
def _user(make):
    return make.user("ada@example.com", password_hash=make_hash(PASSWORD))


def sign_in(client, path=PATHS[0], email="ada@example.com", password=PASSWORD, address="192.0.2.1"):
    response = client.app.test_client().post(
        path,
        json={"email": email, "password": password},
        environ_base={"REMOTE_ADDR": address},
    )
    return response


def fail(client, times, **how):
    return [sign_in(client, password="wrong", **how).status_code for _ in range(times)]


def assert_refused_for_a_while(response):
    assert_error(response, 429, "rate-limited")
    assert response.content_type == JSON_API
    assert 1 <= int(response.headers["Retry-After"]) <= 60


@pytest.mark.parametrize("path", PATHS)
@on_both
def test_after_ten_wrong_passwords_an_account_is_closed_for_a_while(client, user, path):
    assert fail(client, 10, path=path) == [401] * 10

    assert_refused_for_a_while(sign_in(client, path))


def test_an_account_is_one_however_its_address_is_written_and_wherever_one_calls_from(client, user):
    for number in range(10):
        email = ["ada@example.com", " ADA@Example.com "][number % 2]
        fail(client, 1, path=PATHS[number % 2], email=email, address=f"192.0.2.{number}")

    assert_refused_for_a_while(sign_in(client, address="198.51.100.1"))


def test_an_account_that_does_not_exist_is_closed_alike(client):
    assert fail(client, 10, email="nobody@example.com") == [401] * 10

    assert_refused_for_a_while(sign_in(client, email="nobody@example.com"))


def test_a_closed_account_closes_no_other(client, make, user):
    make.user("bob@example.com", password_hash=make_hash(PASSWORD))
    fail(client, 10)

    assert sign_in(client, email="bob@example.com").status_code == 200


def test_right_passwords_and_bodies_without_any_are_not_counted_as_guesses(client, user):
    for _ in range(12):
        assert sign_in(client).status_code == 200
        assert client.post("/v1/auth/login", {}).status_code == 400

    assert fail(client, 10) == [401] * 10


@pytest.fixture(name="twelfth_is_the_last")
def _twelfth_is_the_last(monkeypatch):
    """Sixty guesses can take longer than the minute for which they are counted."""
    assert RateLimitItemPerMinute(60) == rate_limits.PER_ADDRESS
    monkeypatch.setattr(rate_limits, "PER_ADDRESS", RateLimitItemPerMinute(12))


def test_an_address_may_guess_so_many_times_in_all(client, user, twelfth_is_the_last):
    for number in range(4):
        assert fail(client, 3, email=f"{number}@example.com") == [401] * 3

    assert_refused_for_a_while(sign_in(client))
    assert sign_in(client, address="192.0.2.2").status_code == 200


def test_of_ipv6_the_network_of_one_customer_is_one_address(client, user, twelfth_is_the_last):
    for number in range(12):
        fail(client, 1, email=f"{number}@example.com", address=f"2001:db8::{number + 1:x}")

    assert_refused_for_a_while(sign_in(client, address="2001:db8::ffff"))
    assert sign_in(client, address="2001:db8:0:1::1").status_code == 200


@pytest.mark.parametrize(
    ("given", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8::7", "2001:db8::/64"),
        ("unix socket", "unix socket"),
        ("", "unknown"),
    ],
)
def test_an_address_is_counted_by_what_one_customer_has(given, counted):
    with Flask(__name__).test_request_context(environ_base={"REMOTE_ADDR": given}):
        assert client_address() == counted


def test_after_three_hundred_sign_ins_a_minute_an_address_is_refused_before_its_body_is_judged(
    client, user
):
    for _ in range(300):
        assert client.post("/auth/session", "{").status_code == 400

    too_many = client.post("/v1/auth/login", "{")
    too_many_inside = client.as_(user).post("/v1/auth/fresh-login", "{")
    wrong_type = client.post("/v1/auth/login", "{", Content_Type="text/plain")
    no_token = client.post("/v1/auth/fresh-login", "{")

    assert_refused_for_a_while(too_many)
    assert_refused_for_a_while(too_many_inside)
    assert_error(wrong_type, 415, "unsupported-media-type")
    assert_error(no_token, 401, "unauthenticated")


def test_wrong_passwords_at_the_front_door_and_inside_are_counted_together(client, user):
    caller = client.as_(user)
    for _ in range(5):
        fail(client, 1)
        assert caller.post("/v1/auth/fresh-login", {"password": "wrong"}).status_code == 401

    assert_refused_for_a_while(caller.post("/v1/auth/fresh-login", {"password": PASSWORD}))
    assert_refused_for_a_while(sign_in(client))


def test_a_burst_gets_hardly_more_guesses_than_the_limit(client, user):
    answers = at_once(40, lambda _: fail(client, 1)[0])

    assert set(answers) == {401, 429}
    assert 10 <= answers.count(401) < 10 + passwords.AT_ONCE


@on_both
def test_many_who_know_their_password_sign_in_at_once(client, user, monkeypatch):
    queue = Bulkhead(passwords.AT_ONCE, 60)  # however slow the machine is
    monkeypatch.setattr(passwords, "_verifying", queue)

    answers = at_once(40, lambda _: sign_in(client).status_code)

    assert answers == [200] * 40


def test_a_sign_in_that_waits_too_long_in_the_bulkhead_is_told_to_come_back(
    client, user, monkeypatch
):
    monkeypatch.setattr(passwords, "_verifying", Bulkhead(passwords.AT_ONCE, 0.01))
    with passwords.admitted(), passwords.admitted():
        response = sign_in(client)

    assert_error(response, 429, "rate-limited")
    assert int(response.headers["Retry-After"]) >= 1
    assert sign_in(client).status_code == 200


def test_each_app_starts_to_count_anew(client, user, database_url):
    fail(client, 10)

    another = Client(make_app(database_url))

    assert sign_in(another).status_code == 200


@pytest.fixture(name="silent_redis")
def _silent_redis():
    """The address of something that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"redis://127.0.0.1:{server.getsockname()[1]}/0"


@pytest.mark.parametrize("redis", ["absent", "silent"])
def test_without_its_redis_signing_in_goes_on_and_failures_are_counted_here(
    client, user, database_url, redis, silent_redis
):
    url = silent_redis if redis == "silent" else "redis://127.0.0.1:1/0"
    another = Client(make_app(database_url, REDIS_URL=url))

    assert sign_in(another).status_code == 200
    assert fail(another, 10) == [401] * 10
    assert_refused_for_a_while(sign_in(another))


def test_when_redis_is_back_it_is_asked_again(monkeypatch):
    monkeypatch.setattr(rate_limits, "PAUSE", 0.0)
    limits, ada = RateLimits("redis://127.0.0.1:1/0"), passwords_for("ada@example.com")
    limits.count(*[ada] * 10)  # here, since there is none
    with pytest.raises(RateLimited):
        limits.check(ada)

    limits._shared = FixedWindowRateLimiter(MemoryStorage())

    limits.check(ada)


@on_both
def test_while_redis_is_away_it_is_not_asked_at_every_sign_in(silent_redis):
    limits, ada = RateLimits(silent_redis), passwords_for("ada@example.com")
    limits.count(ada)

    started = time.monotonic()
    limits.count(*[ada] * 8)

    assert time.monotonic() - started < rate_limits.PATIENCE
