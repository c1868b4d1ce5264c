"""Access tokens of Open Event Server: whose they are, and what is none of them."""

import time
from uuid import uuid4

import jwt
import pytest
from sqlalchemy import update

from app.db.transactions import transaction
from app.extensions import db
from app.importing.on_demand import OnDemand
from app.models import User
from app.services.users import block_user, change_password, unblock_user
from tests.callers import Client, assert_error
from tests.conftest import SECRETS
from tests.databases import on_sqlite

pytestmark = on_sqlite

KEY = "the key of an Open Event Server, of its tests"
OWN_KEY = SECRETS["SECRET_KEY"]
ME, OWNER, STAFF = "/v1/users/me", 1, 2


@pytest.fixture(name="environ")
def _environ(open_event):
    """With both settings; a test may take the database away."""
    return {"OPEN_EVENT_DATABASE_URL": open_event.url, "OPEN_EVENT_JWT_SECRET_KEY": KEY}


@pytest.fixture(name="there", autouse=True)
def _there(open_event):
    open_event.add_user(OWNER, "owner@example.com", "correct horse")
    open_event.add_user(STAFF, "staff@example.com", is_admin=True, is_super_admin=True)
    open_event.add_user(3, "blocked@example.com", is_blocked=True)
    open_event.add_event(7, owner=OWNER, state="draft")
    return open_event


def claims(user_id=OWNER, age=0, **changed):
    now = int(time.time()) - age
    given = {
        "iat": now,
        "nbf": now,
        "exp": now + 24 * 60 * 60,
        "jti": str(uuid4()),
        "identity": user_id,
        "fresh": True,
        "type": "access",
        "csrf": str(uuid4()),
    }
    return {name: value for name, value in {**given, **changed}.items() if value is not None}


def sign(said, key=KEY, algorithm="HS256"):
    return jwt.encode(said, key, algorithm=algorithm)


def as_(app, token):
    return Client(app, token)


@pytest.fixture(name="send")
def _send(app):
    """Sends a token with these claims and returns the answer."""
    return lambda said, key=KEY, path=ME: as_(app, sign(said, key)).get(path)


def test_it_signs_in_the_imported_user_of_that_id(send):
    answer = send(claims())
    assert (answer.status_code, answer.json["data"]["id"]) == (200, "1")


def test_its_user_has_the_roles_that_came_along(send):
    assert send(claims(), path="/v1/events/7").status_code == 200


def test_staff_have_no_rights_of_an_administrator(send, app):
    send(claims(STAFF))
    with transaction() as session:
        session.execute(update(User).values(is_admin=True))

    assert_error(send(claims(STAFF), path="/v1/audit-entries"), 403, "forbidden")
    assert_error(send(claims(STAFF), path="/v1/events/7"), 404, "not-found")


def test_it_is_never_fresh(send, app):
    with transaction() as session:
        session.execute(update(User).values(is_admin=True))
    refused = send(claims(), path="/v1/settings?reveal=stripe-secret-key")
    assert_error(refused, 403, "forbidden")


@pytest.mark.parametrize(
    "changed",
    [
        {"iat": None},
        {"nbf": None},
        {"exp": None},
        {"jti": None},
        {"identity": None},
        {"fresh": None},
        {"type": None},
        {"csrf": None},
        {"type": "refresh"},
        {"jti": "0." + "a" * 32 + "." + "b" * 16},
        {"jti": "{" + str(uuid4()) + "}"},
        {"jti": 7},
        {"fresh": 1},
        {"fresh": int(time.time()) + 900},
        {"identity": "1"},
        {"identity": True},
        {"identity": 0},
        {"identity": 9},
        {"identity": 3},
        {"identity": 1_000_000_000},
        {"exp": int(time.time()) + 25 * 60 * 60},
        {"exp": int(time.time()) - 1},
        {"iat": int(time.time()) - 25 * 60 * 60},
        {"iat": int(time.time()) + 3600},
        {"nbf": int(time.time()) + 3600},
        {"iat": 1.5},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_what_is_not_exactly_such_a_token_is_none(send, changed):
    assert_error(send(claims(**changed)), 401, "unauthenticated")


def test_a_forged_one_is_none(send, app):
    assert_error(
        send(claims(), key="another key that is quite long enough"), 401, "unauthenticated"
    )
    assert_error(as_(app, sign(claims(), None, "none")).get(ME), 401, "unauthenticated")
    assert_error(as_(app, sign(claims(), KEY.ljust(64), "HS512")).get(ME), 401, "unauthenticated")


def test_neither_sides_tokens_are_taken_for_the_others(send, app, make):
    user = make.user()
    token = Client(app).as_(user).token
    said = jwt.decode(token, OWN_KEY, algorithms=["HS256"])

    assert_error(send(claims(), key=OWN_KEY), 401, "unauthenticated")
    assert_error(send(said), 401, "unauthenticated")
    assert as_(app, token).get(ME).status_code == 200


def test_a_user_who_was_created_here_has_no_token_of_theirs(send, app, make):
    user = make.user(id=9)
    app.extensions["open_event"] = None
    assert_error(send(claims(user.id)), 401, "unauthenticated")


@pytest.mark.parametrize(
    "deed",
    [lambda email: change_password(email, "another horse"), block_user],
    ids=["password", "block"],
)
def test_one_that_is_older_than_a_password_or_a_block_here_is_refused(send, deed):
    said = claims(age=5)
    assert send(said).status_code == 200
    deed("owner@example.com")
    unblock_user("owner@example.com")

    assert_error(send(said), 401, "unauthenticated")


def test_the_rehash_of_an_imported_password_ends_none(send, client):
    said = claims(age=5)
    send(said)
    signed_in = client.post(
        "/auth/session", {"email": "owner@example.com", "password": "correct horse"}
    )

    assert signed_in.status_code == 200
    assert send(said).status_code == 200


def test_one_that_was_logged_out_here_is_refused_and_others_go_on(send, app):
    said, other = claims(), claims()
    assert as_(app, sign(said)).post("/v1/auth/logout").json == {"success": True}

    assert_error(send(said), 401, "unauthenticated")
    assert_error(send({**said, "jti": said["jti"].upper()}), 401, "unauthenticated")
    assert send(other).status_code == 200


def test_it_gets_no_further_tokens(app):
    answer = as_(app, sign(claims())).post("/v1/auth/token/refresh")
    assert answer.status_code == 401


def test_somebody_deleted_here_is_refused(send):
    send(claims())
    with transaction() as session:
        session.execute(update(User).values(deleted_at=User.created_at))
    assert_error(send(claims()), 401, "unauthenticated")


def test_somebody_unknown_is_unavailable_while_their_database_is_away(send, app):
    app.extensions["open_event"] = OnDemand("postgresql://nobody@127.0.0.1:1/nothing")
    assert_error(send(claims()), 503, "unavailable")


def test_without_the_key_there_are_no_such_tokens(send, app):
    object.__setattr__(app.extensions["config"], "open_event_jwt_secret_key", "")
    db.session.rollback()
    assert_error(send(claims()), 401, "unauthenticated")
