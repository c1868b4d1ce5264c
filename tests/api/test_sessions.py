"""Signing in and out, through the front door."""

import jwt
import pytest
from argon2 import PasswordHasher

from app.auth import passwords
from app.auth.passwords import make_hash
from app.db.transactions import transaction
from app.extensions import db
from app.models import EndedSession, User
from tests.callers import JSON_API, Client, assert_error
from tests.conftest import SECRETS
from tests.databases import on_both, on_sqlite
from tests.simultaneous import at_once

pytestmark = on_sqlite

PASSWORD = "correct horse"
MISSING = {"error": "username or password missing"}
WRONG = {"error": "Invalid Credentials"}
BOTH_FLAGS = {"remember-me": True, "include-in-response": True}


@pytest.fixture(name="user")
def _user(make):
    return make.user("ada@example.com", password_hash=make_hash(PASSWORD))


def sign_in(client, path="/auth/session", **body):
    given = {"email": "ada@example.com", "password": PASSWORD, **body}
    return client.post(path, given, Content_Type="application/json")


def signed_in(client, **body):
    """Return clients with the access and the refresh token of one sign-in."""
    answer = sign_in(client, **BOTH_FLAGS, **body).json
    return Client(client.app, answer["access_token"]), Client(client.app, answer["refresh_token"])


def claims_of(token):
    return jwt.decode(token, SECRETS["SECRET_KEY"], algorithms=["HS256"])


@pytest.mark.parametrize("path", ["/auth/session", "/v1/auth/login"])
@pytest.mark.parametrize("name", ["email", "username"])
@on_both
def test_an_email_and_its_password_give_an_access_token(client, user, path, name):
    body = {name: " ADA@example.com ", "password": PASSWORD}
    response = client.post(path, body, Content_Type="application/json")

    assert response.status_code == 200
    assert response.content_type == "application/json"
    assert response.headers["Cache-Control"] == "no-store"
    assert list(response.json) == ["access_token"]
    assert Client(client.app, response.json["access_token"]).get("/v1/users/me").status_code == 200


def test_an_access_token_has_exactly_the_claims_that_clients_know(client, user):
    claims = claims_of(sign_in(client).json["access_token"])

    assert set(claims) == {"iat", "nbf", "jti", "exp", "identity", "fresh", "type", "csrf"}
    assert claims["identity"] == user.id
    assert claims["exp"] - claims["iat"] == 24 * 60 * 60
    assert claims["type"] == "access"


def test_the_body_need_not_be_called_json_at_the_upstream_address(client, user):
    body = '{"email": "ada@example.com", "password": "correct horse"}'
    response = client.post("/auth/session", body, Content_Type="application/x-www-form-urlencoded")

    assert response.status_code == 200


@pytest.mark.parametrize(
    ("flags", "has_refresh_token"),
    [
        ({}, False),
        ({"remember-me": True}, False),
        ({"include-in-response": True}, False),
        ({"remember-me": True, "include-in-response": False}, False),
        (BOTH_FLAGS, True),
        ({"remember_me": True, "include_in_response": True}, True),
    ],
)
def test_a_refresh_token_comes_only_when_both_flags_ask_for_it(
    client, user, flags, has_refresh_token
):
    response = sign_in(client, **flags)

    assert ("refresh_token" in response.json) is has_refresh_token


@pytest.mark.parametrize("path", ["/auth/session", "/v1/auth/login"])
@pytest.mark.parametrize(
    "body",
    [
        "",
        "{",
        "[]",
        '"text"',
        "null",
        "NaN",
        "[" * 100_000,
        b"\xff\xfe\xfa",
        "{}",
        '{"email": "ada@example.com"}',
        '{"password": "correct horse"}',
        '{"email": "", "password": "correct horse"}',
        '{"email": "ada@example.com", "password": ""}',
        '{"email": 1, "password": "correct horse"}',
        '{"email": "ada@example.com", "password": ["correct horse"]}',
        '{"email": {"$ne": null}, "password": {"$ne": null}}',
    ],
)
def test_a_body_without_both_is_told_what_is_missing(client, path, body):
    response = client.post(path, body, Content_Type="application/json")

    assert (response.status_code, response.json) == (400, MISSING)
    assert response.content_type == "application/json"


@pytest.mark.parametrize("path", ["/auth/session", "/v1/auth/login"])
@pytest.mark.parametrize(
    "body",
    [
        {"password": "wrong"},
        {"password": PASSWORD + " "},
        {"password": "x" * 100_000},
        {"password": "\x00"},
        {"password": "\ud800"},
        {"email": "nobody@example.com"},
        {"email": "\x00"},
        {"email": "\ud800"},
        {"email": "x" * 10_000},
        {"email": "' OR 1=1 --"},
        {"email": "ad%@example.com"},
    ],
    ids=lambda body: ascii(body)[:30],
)
def test_what_is_not_an_account_and_its_password_is_refused_alike(client, user, path, body):
    response = sign_in(client, path, **body)

    assert (response.status_code, response.json) == (401, WRONG)
    assert response.content_type == "application/json"


@pytest.mark.parametrize(
    "state", ["there", "unknown", "blocked", "deleted", "without a password", "hopelessly long"]
)
def test_a_refusal_takes_one_verification_whatever_is_wrong(client, make, monkeypatch, state):
    kept = {"password_hash": make_hash(PASSWORD)}
    if state == "blocked":
        make.user("ada@example.com", is_blocked=True, **kept)
    elif state == "deleted":
        make.user("ada@example.com", deleted_at=make.event().starts_at, **kept)
    elif state == "without a password":
        make.user("ada@example.com")
    elif state != "unknown":
        make.user("ada@example.com", **kept)
    hasher = CountingHasher(passwords.hasher)
    monkeypatch.setattr(passwords, "hasher", hasher)

    response = sign_in(client, password="x" * (2000 if state == "hopelessly long" else 5))

    assert (response.status_code, response.json) == (401, WRONG)
    assert hasher.verified == 1


class CountingHasher:
    """Counts the hashes that were really computed: what is not a hash costs nothing."""

    def __init__(self, hasher):
        self.hasher, self.verified = hasher, 0

    def verify(self, kept, password):
        self.verified += kept.startswith("$argon2id$")
        return self.hasher.verify(kept, password)


@pytest.mark.parametrize("state", [{"is_blocked": True}, {"deleted_at": "now"}])
@on_both
def test_the_right_password_opens_no_blocked_or_deleted_account(client, make, state):
    if "deleted_at" in state:
        state = {"deleted_at": make.event().starts_at}
    make.user("ada@example.com", password_hash=make_hash(PASSWORD), **state)

    response = sign_in(client)

    assert (response.status_code, response.json) == (401, WRONG)


def test_a_password_of_older_parameters_is_hashed_anew_when_it_is_given(client, make):
    old = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
    user = make.user("ada@example.com", password_hash=old)

    assert sign_in(client).status_code == 200

    db.session.rollback()
    kept = db.session.get(User, user.id, populate_existing=True)
    assert kept.password_hash != old and not passwords.is_outdated(kept.password_hash)
    assert kept.session_generation == 0
    assert sign_in(client).status_code == 200


@on_both
def test_no_connection_is_held_while_a_password_is_verified(app, client, user, monkeypatch):
    held = []

    class LookingHasher(CountingHasher):
        def verify(self, kept, password):
            held.append(db.engine.pool.checkedout())
            return super().verify(kept, password)

    db.session.close()
    monkeypatch.setattr(passwords, "hasher", LookingHasher(passwords.hasher))
    monkeypatch.setattr(passwords, "is_outdated", lambda kept: False)
    caller = Client(app, sign_in(client).json["access_token"])

    response = caller.post("/v1/auth/fresh-login", {"password": PASSWORD})

    assert response.status_code == 200
    assert held == [0, 0]


@pytest.mark.parametrize("path", ["/auth/session", "/v1/auth/login"])
def test_whoever_sends_a_token_that_has_ended_can_sign_in(client, user, path):
    response = sign_in(Client(client.app, "that.has.ended"), path)

    assert response.status_code == 200


def test_a_refresh_token_gives_another_access_token_that_is_not_fresh(client, user):
    _, refreshing = signed_in(client)

    response = refreshing.post("/v1/auth/token/refresh")

    assert response.status_code == 200
    assert list(response.json) == ["access_token"]
    assert claims_of(response.json["access_token"])["fresh"] is False
    assert Client(client.app, response.json["access_token"]).get("/v1/users/me").status_code == 200


@pytest.mark.parametrize(
    ("which", "path"),
    [
        ("access", "/v1/auth/token/refresh"),
        ("refresh", "/v1/auth/fresh-login"),
        ("refresh", "/v1/users/me"),
        ("refresh", "/v1/events"),
        ("none", "/v1/auth/token/refresh"),
        ("none", "/v1/auth/fresh-login"),
        ("none", "/v1/auth/logout"),
    ],
)
def test_a_token_of_another_type_or_none_is_refused(client, user, which, path):
    access, refreshing = signed_in(client)
    caller = {"access": access, "refresh": refreshing, "none": client}[which]
    method = "POST" if path.startswith("/v1/auth") else "GET"

    response = caller.send(method, path, None)

    assert_error(response, 401, "unauthenticated")
    assert response.content_type == JSON_API
    assert response.headers["WWW-Authenticate"] == "JWT"


@pytest.mark.parametrize("which", ["access", "refresh", "derived"])
def test_signing_out_with_any_token_ends_all_tokens_of_the_session(client, user, which):
    access, refreshing = signed_in(client)
    other, _ = signed_in(client)
    derived = Client(client.app, refreshing.post("/v1/auth/token/refresh").json["access_token"])
    token = {"access": access, "refresh": refreshing, "derived": derived}[which]

    response = token.post("/v1/auth/logout")

    assert (response.status_code, response.json) == (200, {"success": True})
    assert access.get("/v1/users/me").status_code == 401
    assert derived.get("/v1/users/me").status_code == 401
    assert refreshing.post("/v1/auth/token/refresh").status_code == 401
    assert access.post("/v1/auth/fresh-login", {"password": PASSWORD}).status_code == 401
    assert other.get("/v1/users/me").status_code == 200


def test_a_session_that_has_ended_cannot_be_ended_again(client, user):
    access, _ = signed_in(client)
    access.post("/v1/auth/logout")

    assert_error(access.post("/v1/auth/logout"), 401, "unauthenticated")


@on_both
def test_signing_out_from_many_places_at_once_succeeds_once_or_more_and_never_fails(client, user):
    access, _ = signed_in(client)

    answers = at_once(8, lambda _: access.post("/v1/auth/logout"))

    assert {response.status_code for response in answers} <= {200, 401}
    assert 200 in {response.status_code for response in answers}
    assert db.session.query(EndedSession).count() == 1


@on_both
def test_signing_out_forgets_sessions_whose_tokens_have_expired(client, make, user):
    past = make.event().starts_at.replace(year=2020)
    with transaction() as session:
        session.add(EndedSession(id="old", user_id=user.id, expires_at=past))
    access, _ = signed_in(client)

    access.post("/v1/auth/logout")

    (left,) = db.session.query(EndedSession).all()
    assert left.id != "old"
    assert (left.expires_at - past).days > 365


def test_a_password_given_again_makes_the_same_session_fresh(client, user):
    _, refreshing = signed_in(client)
    stale = Client(client.app, refreshing.post("/v1/auth/token/refresh").json["access_token"])

    response = stale.post("/v1/auth/fresh-login", {"password": PASSWORD})

    assert response.status_code == 200
    claims = claims_of(response.json["access_token"])
    assert claims["fresh"] == pytest.approx(claims["iat"] + 300, abs=2)
    refreshing.post("/v1/auth/logout")
    fresh = Client(client.app, response.json["access_token"])
    assert fresh.get("/v1/users/me").status_code == 401


def test_another_password_makes_no_session_fresh(client, user, make):
    make.user("bob@example.com", password_hash=make_hash("of bob"))
    access, _ = signed_in(client)

    response = access.post("/v1/auth/fresh-login", {"password": "of bob"})

    assert (response.status_code, response.json) == (401, WRONG)


@pytest.mark.parametrize("body", [None, "{", "[]", {}, {"password": 1}, {"password": ""}])
def test_making_a_session_fresh_needs_a_password(client, user, body):
    access, _ = signed_in(client)

    response = access.post("/v1/auth/fresh-login", body)

    assert (response.status_code, response.json) == (400, MISSING)


def test_the_content_type_is_judged_before_anything_else_under_v1(client):
    response = client.post("/v1/auth/login", "x", Content_Type="text/plain")

    assert_error(response, 415, "unsupported-media-type")


@pytest.mark.parametrize("path", ["/auth/session", "/v1/auth/login"])
def test_a_body_that_is_too_large_is_refused(client, path):
    response = client.post(path, "x" * 1_100_000, Content_Type="application/json")

    assert_error(response, 413, "payload-too-large")


ADDRESSES = ["/auth/session", "/v1/auth/login", "/v1/auth/token/refresh", "/v1/auth/logout"]
ADDRESSES += ["/v1/auth/fresh-login"]
REFUSED = {
    "another method": (405, {"method": "PUT"}),
    "too large": (413, {"data": b" " * (2 * 1024 * 1024)}),
    "another host": (400, {"headers": {"Host": "evil.example"}}),
    "unreadable type": (415, {"headers": {"Content-Type": "text/plain"}, "data": "x"}),
    "unreadable answer": (406, {"headers": {"Accept": "text/html"}}),
}


@pytest.mark.parametrize("kind", REFUSED)
@pytest.mark.parametrize("path", ADDRESSES)
def test_every_refusal_of_these_addresses_has_the_sentence_that_the_form_shows(
    client, app, path, kind
):
    status, request = REFUSED[kind]

    response = app.test_client().open(path, **{"method": "POST", **request})

    if status in (406, 415) and not path.startswith("/v1/"):
        assert response.status_code == 400  # no JSON:API there: the body is what is wrong
    else:
        assert response.status_code == status
        assert response.json["error"] == response.json["errors"][0]["detail"]
    assert response.json["error"].endswith((".", "missing"))


def test_a_failure_of_ours_at_sign_in_has_the_sentence_that_the_form_shows(client, monkeypatch):
    def fail(*_):
        raise RuntimeError("a bug")

    monkeypatch.setattr("app.auth.sessions.sign_in", fail)
    response = client.app.test_client().post("/v1/auth/login", json={"email": "a", "password": "b"})

    assert response.status_code == 500
    assert response.json["error"] == response.json["errors"][0]["detail"]
