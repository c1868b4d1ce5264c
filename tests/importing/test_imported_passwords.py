"""Signing in with a password that was imported."""

from time import process_time

import pytest

from app.auth import passwords
from app.extensions import db
from app.models import User
from tests.databases import on_sqlite
from tests.importing.open_event import fill_with_faults

pytestmark = on_sqlite

AS_TYPED = "p\u00e4ssw\u00f6rd-\ufb01n-2099"

CLOSED = (
    "saltless@example.com",
    "hashless@example.com",
    "short@example.com",
    "blocked@example.com",
    "gone-owner@example.com.deleted",
)


@pytest.fixture(name="sign_in")
def _sign_in(client, open_event, bring):
    """Signs in, after an import, and returns the status."""
    fill_with_faults(open_event)
    bring()

    def sign_in(email, password):
        body = {"email": email, "password": password}
        response = client.post("/v1/auth/login", body)
        db.session.rollback()
        return response.status_code

    return sign_in


def kept(user_id):
    return db.session.get(User, user_id, populate_existing=True).password_hash


def test_an_imported_password_goes_on_working_and_becomes_argon2id_at_the_next_sign_in(sign_in):
    assert kept(1).startswith("oes-scrypt$")

    assert sign_in("owner@example.com", "correct horse") == 200

    assert kept(1).startswith("$argon2id$")
    assert sign_in("owner@example.com", "correct horse") == 200
    assert sign_in("owner@example.com", "correct hors") == 401


def test_an_imported_password_is_compared_as_it_was_typed(sign_in):
    assert sign_in("organizer@example.com", AS_TYPED.replace("\ufb01", "fi")) == 401
    assert sign_in("organizer@example.com", AS_TYPED) == 200


def test_nothing_opens_an_account_that_nobody_could_open_there(sign_in):
    for email in CLOSED:
        assert sign_in(email, "deleted there") == 401
    for password in ("", "canary-facebook-15", "canary-reset-15"):
        assert sign_in("saltless@example.com", password) in (400, 401)


def test_a_new_hash_of_the_same_password_is_no_change_of_it_here(sign_in, bring, open_event):
    sign_in("owner@example.com", "correct horse")
    assert bring().reason("users", 1) is None
    [(salt, made)] = open_event.execute("SELECT salt, _password FROM users WHERE id = 4")
    open_event.change("users", 1, salt=salt, _password=made)

    bring()

    assert kept(1) == f"oes-scrypt${salt}${made}"
    assert sign_in("owner@example.com", "administrator") == 200


def test_a_password_chosen_here_stays_and_is_reported_where_it_changed_there_too(
    sign_in, bring, open_event, app
):
    from app.commands.users import users

    app.test_cli_runner().invoke(
        users, ["password", "owner@example.com", "--password-stdin"], input="battery staple"
    )
    assert bring().reason("users", 1) is None
    open_event.change("users", 1, salt="another salt")

    found = bring()

    assert found.reason("users", 1) == "changed-on-both-sides"
    assert sign_in("owner@example.com", "battery staple") == 200


def test_a_short_password_that_was_allowed_there_is_hashed_anew_like_any_other():
    imported = passwords.encode_imported_hash("salt", "")

    assert passwords.is_outdated(imported)
    assert passwords.verify("x", passwords.hash_again("x"))


def test_every_failed_sign_in_computes_the_same_whatever_is_kept():
    kinds = {
        "none": None,
        "argon2id": passwords.make_hash("another password"),
        "imported": passwords.encode_imported_hash("salt", "A" * 88),
        "unusable": "imported without a password",
    }
    spent = {}
    for name, each in kinds.items():
        times = []
        for _ in range(5):
            began = process_time()
            assert not passwords.verify("a wrong password", each)
            times.append(process_time() - began)
        spent[name] = min(times)

    assert max(spent.values()) < 1.5 * min(spent.values()), spent
