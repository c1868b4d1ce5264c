"""`manage.py users`, as an operator types it."""

import json

import pytest

from app.auth.passwords import make_hash
from app.commands.users import users
from app.extensions import db
from app.models import AuditEntry, User
from app.services.users import LastAdministrator, UserExists, create_user, revoke_admin
from tests.callers import Client
from tests.databases import on_both, on_sqlite
from tests.processes import run_manage
from tests.simultaneous import at_once

pytestmark = on_sqlite

FROM_STDIN = "--password-stdin"


@pytest.fixture(name="run")
def _run(app):
    """Runs one of the commands in this process."""

    def run(*arguments, input=None):
        result = app.test_cli_runner().invoke(users, arguments, input=input)
        db.session.rollback()
        return result

    return run


@pytest.fixture(name="ada")
def _ada(make):
    return make.user("ada@example.com", password_hash=make_hash("correct horse"))


def sign_in(client, password, email="ada@example.com"):
    response = client.post("/v1/auth/login", {"email": email, "password": password})
    return response.status_code


def signed_in(client, password="correct horse"):
    body = {"email": "ada@example.com", "password": password}
    return Client(client.app, client.post("/v1/auth/login", body).json["access_token"])


def user_of(email):
    return db.session.query(User).filter_by(email=email).one_or_none()


@on_both
def test_a_user_is_created_verified_and_can_sign_in(run, client):
    result = run("create", "Ada@Example.com", FROM_STDIN, input="correct horse\n")

    assert result.exit_code == 0, result.output
    user = user_of("ada@example.com")
    assert json.loads(result.stdout) == {"id": user.id, "email": "ada@example.com"}
    assert result.stdout.count("\n") == 1
    assert (user.is_verified, user.is_admin) == (True, False)
    assert sign_in(client, "correct horse") == 200


def test_an_admin_is_created_on_demand(run):
    run("create", "ada@example.com", "--admin", FROM_STDIN, input="correct horse")

    assert user_of("ada@example.com").is_admin


@pytest.mark.parametrize(
    ("given", "password"),
    [
        ("a-secret", "a-secret"),
        ("a-secret\n", "a-secret"),
        ("a-secret\r\n", "a-secret"),
        ("a-secret\n\n", "a-secret\n"),
        ("a-secret\r", "a-secret\r"),
        (" secret \n", " secret "),
        ("sehr sch\u00f6n \U0001f511\n", "sehr sch\u00f6n \U0001f511"),
        ("\U0001f511" * 1024 + "\r\n", "\U0001f511" * 1024),
    ],
    ids=lambda text: ascii(text)[:20],
)
def test_of_standard_input_one_line_end_is_taken_off_and_nothing_else(run, client, given, password):
    result = run("create", "ada@example.com", FROM_STDIN, input=given)

    assert result.exit_code == 0, result.output
    assert sign_in(client, password) == 200


@pytest.mark.parametrize("command", ["create", "password"])
@pytest.mark.parametrize("given", ["", "\n", "1234567\n", "x" * 1025, "x" * 100_000, b"\xff\xfe"])
def test_what_cannot_be_a_password_is_refused(run, make, command, given):
    if command == "password":
        make.user("ada@example.com")

    result = run(command, "ada@example.com", FROM_STDIN, input=given)

    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.startswith("Error: The password")
    assert db.session.query(AuditEntry).count() == 0


@on_both
def test_a_password_is_asked_for_twice_and_not_shown(run, client):
    result = run("create", "ada@example.com", input="a-secret\nanother-one\na-secret\na-secret\n")

    assert result.exit_code == 0, result.output
    assert "a-secret" not in result.output
    assert "do not match" in result.output
    assert sign_in(client, "a-secret") == 200


def test_a_password_is_never_an_argument(run):
    result = run("create", "ada@example.com", "secret")

    assert result.exit_code == 2
    assert user_of("ada@example.com") is None


@pytest.mark.parametrize("email", ["ada@example.com", " ADA@example.com"])
def test_an_email_has_one_user_even_one_that_was_deleted(run, make, email):
    make.user("ada@example.com", deleted_at=make.event().starts_at)

    result = run("create", email, FROM_STDIN, input="another-one")

    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr == "Error: There is a user ada@example.com already.\n"


@on_both
def test_of_many_who_create_the_same_user_at_once_one_does_and_the_others_are_told(app):
    def create(_):
        with app.app_context():
            try:
                return create_user("ada@example.com", "a-secret").email
            except UserExists as error:
                return error

    answers = at_once(6, create)

    assert answers.count("ada@example.com") == 1
    assert sum(isinstance(each, UserExists) for each in answers) == 5


@pytest.mark.parametrize(
    "email",
    ["", "ada", "@example.com", "ada@", "a b@example.com", "a@b@c", "a\x07@b", "x" * 255 + "@b"],
)
def test_what_is_no_email_address_is_refused_before_a_password_is_asked_for(run, email):
    result = run("create", "--", email)

    assert result.exit_code == 1
    assert "is not an e-mail address" in result.stderr
    assert "Password" not in result.output


@on_both
def test_another_password_ends_every_session_at_once(run, client, ada):
    caller = signed_in(client)

    result = run("password", "ADA@example.com", FROM_STDIN, input="battery staple\n")

    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == {"id": ada.id, "email": "ada@example.com"}
    assert caller.get("/v1/users/me").status_code == 401
    assert sign_in(client, "correct horse") == 401
    assert sign_in(client, "battery staple") == 200


@on_both
def test_a_block_ends_every_session_at_once_and_lets_nobody_in(run, client, ada):
    caller = signed_in(client)

    result = run("block", "ada@example.com")

    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == {"id": ada.id, "email": "ada@example.com"}
    assert caller.get("/v1/users/me").status_code == 401
    assert sign_in(client, "correct horse") == 401


@on_both
def test_whoever_is_unblocked_signs_in_again_but_old_sessions_stay_dead(run, client, ada):
    caller = signed_in(client)
    run("block", "ada@example.com")
    run("block", "ada@example.com")

    result = run("unblock", "ada@example.com")

    assert result.exit_code == 0, result.output
    assert caller.get("/v1/users/me").status_code == 401
    assert sign_in(client, "correct horse") == 200


def test_the_shortest_password_has_8_characters(run, client):
    result = run("create", "ada@example.com", FROM_STDIN, input="12345678\n")

    assert result.exit_code == 0, result.output
    assert sign_in(client, "12345678") == 200


def test_the_rights_of_an_administrator_are_given_and_taken_on_the_audit_trail(run, make, ada):
    make.user("bob@example.com", is_admin=True)

    given = run("admin", "Ada@example.com", "--grant")
    assert json.loads(given.stdout) == {"id": ada.id, "email": "ada@example.com"}
    assert user_of("ada@example.com").is_admin
    taken = run("admin", "ada@example.com", "--revoke")

    assert json.loads(taken.stdout) == {"id": ada.id, "email": "ada@example.com"}
    assert not user_of("ada@example.com").is_admin
    actions = [(each.action, each.subject) for each in db.session.query(AuditEntry)]
    assert actions == [(f"user.{verb}-admin", f"user {ada.id}") for verb in ("grant", "revoke")]


@pytest.mark.parametrize(
    "other", [{}, {"is_admin": True, "is_blocked": True}, {"is_admin": True, "deleted": True}]
)
def test_the_last_administrator_stays(run, make, other):
    if other.pop("deleted", False):
        other["deleted_at"] = make.event().starts_at
    make.user("ada@example.com", is_super_admin=True)
    make.user("bob@example.com", **other)

    result = run("admin", "ada@example.com", "--revoke")

    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.startswith("Error: ada@example.com is the last administrator.")
    assert user_of("ada@example.com").is_super_admin
    assert db.session.query(AuditEntry).count() == 0


def test_a_blocked_administrator_stays_one_where_nobody_else_is(run, make):
    make.user("ada@example.com", is_admin=True, is_blocked=True)

    assert run("admin", "ada@example.com", "--revoke").exit_code == 1
    assert user_of("ada@example.com").is_admin


@on_both
def test_of_two_administrators_who_are_revoked_at_once_one_stays(app, make):
    emails = ["ada@example.com", "bob@example.com"]
    for email in emails:
        make.user(email, is_admin=True)

    def revoke(number):
        with app.app_context():
            try:
                return revoke_admin(emails[number]).email
            except LastAdministrator:
                return None

    answers = at_once(2, revoke)

    assert answers.count(None) == 1
    db.session.rollback()
    assert [user_of(email).is_admin for email in emails].count(True) == 1


@pytest.mark.parametrize("options", [[], ["--grant", "--revoke"]])
def test_whether_to_grant_or_to_revoke_must_be_said(run, ada, options):
    assert run("admin", "ada@example.com", *options).exit_code == 2


@pytest.mark.parametrize("command", ["password", "block", "unblock", "admin"])
@pytest.mark.parametrize("is_deleted", [False, True])
def test_a_user_who_is_not_there_is_an_error(run, make, command, is_deleted):
    if is_deleted:
        make.user("ada@example.com", deleted_at=make.event().starts_at)
    options = {"password": [FROM_STDIN], "admin": ["--grant"]}.get(command, [])

    result = run(command, "ada@example.com", *options, input="a-secret")

    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr == "Error: There is no user ada@example.com.\n"


def test_what_an_operator_did_is_recorded_and_no_password_with_it(run):
    run("create", "ada@example.com", FROM_STDIN, input="correct horse")
    run("password", "ada@example.com", FROM_STDIN, input="battery staple")
    run("block", "ada@example.com")
    run("unblock", "ada@example.com")

    entries = db.session.query(AuditEntry).order_by(AuditEntry.id).all()
    user_id = user_of("ada@example.com").id
    assert [each.action for each in entries] == [
        "user.create",
        "user.password",
        "user.block",
        "user.unblock",
    ]
    assert {(each.user_id, each.subject) for each in entries} == {(None, f"user {user_id}")}


def test_the_program_prints_json_and_nothing_else_on_standard_output(database_url):
    result = run_manage(
        "users",
        "create",
        "ada@example.com",
        FROM_STDIN,
        env={"DATABASE_URL": database_url, "LOG_LEVEL": "debug"},
        input="correct horse\n",
    )

    assert result.returncode == 0, result.stderr
    assert set(json.loads(result.stdout)) == {"id", "email"}
