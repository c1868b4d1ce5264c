"""Tokens that are no good: 401, everywhere and always."""

import base64
import json
import time
from datetime import UTC, datetime

import jwt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.auth import tokens
from app.auth.tokens import (
    CLAIMS,
    EXPIRED,
    issue_access_token,
    issue_refresh_token,
    new_session_id,
)
from app.db.transactions import transaction
from app.models import User
from tests.callers import Client, assert_error
from tests.conftest import SECRETS
from tests.databases import on_both, on_sqlite

pytestmark = on_sqlite

KEY = SECRETS["SECRET_KEY"]
PUBLIC, PRIVATE, AUTH = "/v1/events", "/v1/users/me", "/v1/auth/fresh-login"


@pytest.fixture(name="user")
def _user(make):
    return make.user()


@pytest.fixture(name="claims")
def _claims(app, user):
    """The claims of a good token."""
    token = issue_access_token(user, new_session_id())
    return jwt.decode(token, KEY, algorithms=["HS256"])


def send(client, header, path=PRIVATE):
    method = "POST" if path == AUTH else "GET"
    headers = {} if header is None else {"Authorization": header}
    return client.send(method, path, None, **headers)


def assert_unauthenticated(response):
    error = assert_error(response, 401, "unauthenticated")
    assert error["source"] == {"header": "Authorization"}
    assert response.headers["WWW-Authenticate"] == "JWT"


def encode(claims, key=KEY, algorithm="HS256", **headers):
    return jwt.encode(claims, key, algorithm=algorithm, headers=headers or None)


def unsigned(header, payload):
    """Return something in the shape of a token; *header* and *payload* may be anything."""
    parts = (part if isinstance(part, str) else json.dumps(part) for part in (header, payload))
    return ".".join(base64.urlsafe_b64encode(part.encode()).decode() for part in parts) + ".AAAA"


@pytest.mark.parametrize("scheme", ["JWT", "jwt", "Bearer", "bearer"])
@pytest.mark.parametrize("space", [" ", "  "])
@on_both
def test_a_token_is_taken_in_the_usual_ways_of_writing(client, claims, scheme, space):
    assert send(client, f"{scheme}{space}{encode(claims)}").status_code == 200


def test_without_a_token_what_needs_one_is_refused(client):
    assert_unauthenticated(send(client, None))


HEADERS = {
    "empty": "",
    "blank": "   ",
    "scheme alone": "JWT",
    "scheme and blank": "JWT ",
    "no scheme": "{token}",
    "unknown scheme": "Token {token}",
    "basic": "Basic YTpi",
    "two tokens": "JWT {token} {token}",
    "two headers as one": "JWT {token},JWT {token}",
    "quoted": 'JWT "{token}"',
    "not a token": "JWT nonsense",
    "dots": "JWT ...",
    "two parts": "JWT a.b",
    "five parts": "JWT a.b.c.d.e",
    "not ASCII": "JWT {token}\u00e9",
    "not ASCII at all": "\u00fc\u00e4\u00f6 \u00ff",
    "no signature": "JWT {head}.",
    "cut off": "JWT {cut}",
    "longer": "JWT {token}A.A",
    "huge": "JWT " + "A" * 100_000,
    "huge parts": "JWT " + ".".join(["QUFB" * 10_000] * 3),
    "nested without end": "JWT " + unsigned("[" * 3000, "{}"),
    "header is a list": "JWT " + unsigned([], {}),
    "header is null": "JWT " + unsigned(None, {}),
    "key id is an object": "JWT " + unsigned({"alg": "HS256", "kid": {}}, {}),
    "algorithm is a list": "JWT " + unsigned({"alg": ["HS256"]}, {}),
    "detached payload": "JWT " + unsigned({"alg": "HS256", "b64": False, "crit": ["b64"]}, {}),
}


@pytest.mark.parametrize("name", HEADERS)
def test_a_header_that_holds_no_token_is_refused_even_where_none_is_needed(client, claims, name):
    token = encode(claims)
    header = HEADERS[name].format(token=token, head=token.rpartition(".")[0], cut=token[:-3])

    for path in (PUBLIC, PRIVATE, AUTH):
        assert_unauthenticated(send(client, header, path))


FORGERIES = {
    "algorithm none": lambda claims: encode(claims, None, "none"),
    "another key": lambda claims: encode(claims, "another key, and quite a long one at that, mind"),
    "HS512": lambda claims: encode(claims, algorithm="HS512"),
    "HS384": lambda claims: encode(claims, algorithm="HS384"),
    "expired": lambda claims: encode({**claims, "exp": time.time() - 1}),
    "not yet valid": lambda claims: encode({**claims, "nbf": time.time() + 60}),
    "issued in the future": lambda claims: encode({**claims, "iat": time.time() + 60}),
    "expiry is text": lambda claims: encode({**claims, "exp": "tomorrow"}),
    "expiry is infinite": lambda claims: encode({**claims, "exp": float("inf")}),
    "identity is text": lambda claims: encode({**claims, "identity": str(claims["identity"])}),
    "identity is true": lambda claims: encode({**claims, "identity": True}),
    "identity is a fraction": lambda claims: encode({**claims, "identity": 1.0}),
    "identity is null": lambda claims: encode({**claims, "identity": None}),
    "identity is a list": lambda claims: encode({**claims, "identity": [1]}),
    "identity is zero": lambda claims: encode({**claims, "identity": 0}),
    "identity is negative": lambda claims: encode({**claims, "identity": -1}),
    "identity is nobody's": lambda claims: encode({**claims, "identity": 999_999}),
    "identity is huge": lambda claims: encode({**claims, "identity": 2**31}),
    "identity is beyond all bounds": lambda claims: encode({**claims, "identity": 10**1000}),
    "type is refresh": lambda claims: encode({**claims, "type": "refresh"}),
    "type is a list": lambda claims: encode({**claims, "type": ["access"]}),
    "type is null": lambda claims: encode({**claims, "type": None}),
    "token id is random": lambda claims: encode({**claims, "jti": "f47ac10b-58cc-4372"}),
    "token id is null": lambda claims: encode({**claims, "jti": None}),
    "token id holds NUL": lambda claims: encode({**claims, "jti": "0.\x00.0"}),
    "another generation": lambda claims: encode({**claims, "jti": "7" + claims["jti"]}),
    "generation in other digits": lambda claims: encode(
        {**claims, "jti": "\u0660" + claims["jti"][1:]}
    ),
    **{
        f"no {name}": lambda claims, name=name: encode(
            {each: claims[each] for each in claims if each != name}
        )
        for name in sorted(CLAIMS)
    },
}


@pytest.mark.parametrize("claim", ["iat", "nbf"])
@on_both
def test_a_token_from_an_instance_whose_clock_is_a_little_ahead_is_taken(client, claims, claim):
    token = encode({**claims, claim: time.time() + 10})

    assert send(client, f"JWT {token}").status_code == 200


@on_both
def test_an_expired_token_says_that_the_session_has_expired(client, claims):
    response = send(client, f"JWT {encode({**claims, 'exp': time.time() - 1})}")
    long_ago = send(client, f"JWT {encode({**claims, 'exp': 1})}")

    for each in (response, long_ago):
        assert assert_error(each, 401, "unauthenticated")["detail"] == EXPIRED


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")  # the forger's
@pytest.mark.parametrize("name", FORGERIES)
def test_a_token_that_says_anything_else_than_ours_do_is_refused(client, claims, name):
    header = f"JWT {FORGERIES[name](claims)}"

    for path in (PUBLIC, PRIVATE):
        assert_unauthenticated(send(client, header, path))


def test_no_part_of_a_token_can_be_changed(client, claims):
    head, body, signature = encode(claims).split(".")
    for position in range(0, len(signature) - 1, 5):
        assert send(client, f"JWT {head}.{body}.{changed(signature, position)}").status_code == 401
    for position in range(0, len(body) - 1, 20):
        assert send(client, f"JWT {head}.{changed(body, position)}.{signature}").status_code == 401
    for position in range(0, len(head) - 1, 5):
        assert send(client, f"JWT {changed(head, position)}.{body}.{signature}").status_code == 401


def changed(text, position):
    other = "B" if text[position] == "A" else "A"
    return text[:position] + other + text[position + 1 :]


@given(header=st.text(st.characters(max_codepoint=255, exclude_categories=["Cc"]), max_size=200))
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_no_header_whatever_is_more_than_refused(client, header):
    for each in (header, f"JWT {header}"):
        assert_unauthenticated(send(client, each))


anything = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
anything |= st.lists(anything, max_size=3)


@given(
    header=anything,
    payload=st.dictionaries(
        st.sampled_from(["identity", "jti", "exp", "iat", "nbf", "type", "fresh", "csrf"]), anything
    ),
)
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_nothing_in_the_shape_of_a_token_is_more_than_refused(client, header, payload):
    assert_unauthenticated(send(client, f"JWT {unsigned(header, payload)}"))
    assert_unauthenticated(send(client, f"JWT {_signed(payload)}"))


def _signed(payload):
    return jwt.api_jws.encode(json.dumps(payload).encode(), KEY)


@pytest.mark.parametrize("path", [PUBLIC, PRIVATE])
@pytest.mark.parametrize("state", ["blocked", "deleted", "of another generation"])
def test_a_user_who_may_sign_in_no_more_is_out_with_the_next_request(client, user, state, path):
    caller = client.as_(user)
    assert caller.get(path).status_code == 200
    with transaction() as session:
        row = session.get_one(User, user.id)
        row.is_blocked = state == "blocked"
        row.deleted_at = datetime.now(UTC) if state == "deleted" else None
        row.session_generation += state == "of another generation"

    assert_unauthenticated(caller.get(path))


def test_a_refresh_token_is_no_access_token(client, user):
    caller = Client(client.app, issue_refresh_token(user, new_session_id()))

    assert_unauthenticated(caller.get(PUBLIC))


@pytest.mark.parametrize("path", ["/health/live", "/health/ready"])
def test_where_no_token_is_read_none_is_refused(client, path):
    assert send(client, "JWT nonsense", path).status_code == 200


def test_a_token_that_was_good_before_ends_in_time(client, user, monkeypatch):
    header = f"JWT {issue_access_token(user, new_session_id())}"
    assert send(client, header).status_code == 200

    monkeypatch.setattr(tokens, "time", lambda: time.time() + 25 * 3600)

    assert_unauthenticated(send(client, header))
