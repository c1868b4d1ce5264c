"""`manage.py secrets`, as an operator runs it."""

import json
import os
import pty
import subprocess
import sys

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import select, text

from app.commands.secrets import secrets
from app.db.transactions import transaction
from app.extensions import db
from app.models import AuditEntry, Setting, StripeAuthorization
from app.security.crypto import Cipher
from tests.conftest import SECRETS
from tests.databases import on_both, on_sqlite
from tests.postgres import free_port
from tests.processes import ROOT, environment, run_manage

pytestmark = on_sqlite

OLD = SECRETS["ENCRYPTION_KEYS"]
NEW = Fernet.generate_key().decode()
LOST = Fernet.generate_key().decode()


@pytest.fixture(name="link")
def _link(app, make):
    """A platform with one key and one link: three secrets."""
    with transaction() as session:
        session.get_one(Setting, 1).stripe_secret_key = "sk_live_CANARY"
    return make.link(make.event())


def rotate(database_url, keys=f"{NEW},{OLD}", *arguments, **options):
    env = {"DATABASE_URL": database_url, "ENCRYPTION_KEYS": keys}
    return run_manage("secrets", "rotate", "--json", *arguments, env=env, **options)


@on_both
def test_a_generated_key_is_one_that_the_service_takes():
    done = run_manage("secrets", "generate")

    key = done.stdout.strip()
    assert done.returncode == 0
    assert Cipher([key]).open(Cipher([key]).seal("CANARY", "place"), "place") == "CANARY"
    assert run_manage("secrets", "generate").stdout.strip() != key


def test_generating_a_key_needs_no_configuration():
    nothing = {
        "APP_ENV": "production",
        "ENCRYPTION_KEYS": "",
        "SECRET_KEY": "",
        "DATABASE_URL": "!",
    }

    done = run_manage("secrets", "generate", env=nothing)

    assert done.returncode == 0, done.stderr
    assert Fernet(done.stdout.strip())


def test_rotating_prints_counts_and_leaves_every_secret_under_the_first_key(
    app, link, database_url
):
    done = rotate(database_url)
    again = rotate(database_url)

    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == {"rotated": 3, "unchanged": 0, "unreadable": 0}
    assert json.loads(again.stdout) == {"rotated": 0, "unchanged": 3, "unreadable": 0}
    app.extensions["cipher"] = Cipher([NEW])
    db.session.expire_all()
    assert db.session.get_one(Setting, 1).stripe_secret_key == "sk_live_CANARY"
    assert db.session.get_one(StripeAuthorization, link.id).stripe_refresh_token


def test_an_unreadable_secret_is_named_without_its_content_and_the_exit_status_is_1(
    link, database_url
):
    with transaction() as session:
        broken = session.get_one(StripeAuthorization, link.id)
        context = broken.secret_context("sealed_stripe_refresh_token")
        broken.sealed_stripe_refresh_token = Cipher([LOST]).seal("rt_CANARY", context)
    sealed = str(broken.sealed_stripe_refresh_token)

    done = rotate(database_url)

    assert done.returncode == 1
    assert json.loads(done.stdout) == {"rotated": 2, "unchanged": 0, "unreadable": 1}
    named = f"unreadable: stripe_authorizations id {link.id}, stripe_refresh_token"
    assert named in done.stderr.splitlines()
    assert "ENCRYPTION_KEYS" in done.stderr and "Traceback" not in done.stderr
    assert "CANARY" not in done.stdout + done.stderr
    assert sealed[:20] not in done.stdout + done.stderr


@on_both
def test_once_its_key_is_back_an_unreadable_secret_is_rotated_too(link, database_url):
    rotate(database_url, keys=LOST)

    done = rotate(database_url, keys=f"{LOST},{NEW},{OLD}")

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"rotated": 3, "unchanged": 0, "unreadable": 0}


@on_both
def test_what_a_lost_key_sealed_is_erased_if_it_is_told_to_and_that_is_on_record(
    link, database_url
):
    done = rotate(database_url, LOST, "--forget-unreadable", "--yes")

    assert (done.returncode, json.loads(done.stdout)["forgotten"]) == (0, 3)
    db.session.expire_all()
    assert db.session.get_one(Setting, 1).sealed_stripe_secret_key is None
    assert db.session.get_one(StripeAuthorization, link.id).sealed_stripe_refresh_token is None
    subjects = set(db.session.scalars(select(AuditEntry.subject)))
    assert subjects == {
        "settings 1, stripe_secret_key",
        f"stripe_authorizations {link.id}, stripe_secret_key",
        f"stripe_authorizations {link.id}, stripe_refresh_token",
    }
    assert json.loads(rotate(database_url, LOST).stdout)["unreadable"] == 0


def test_nothing_is_erased_before_somebody_says_yes(link, database_url):
    done = rotate(database_url, LOST, "--forget-unreadable", stdin=subprocess.DEVNULL)

    assert done.returncode == 1
    assert "Is the key lost for good?" in done.stderr
    assert json.loads(rotate(database_url, OLD).stdout)["unchanged"] == 3


def test_what_can_be_read_is_not_erased(link, database_url):
    done = rotate(database_url, f"{NEW},{OLD}", "--forget-unreadable", "--yes")

    assert json.loads(done.stdout) == {"rotated": 3, "unchanged": 0, "forgotten": 0}


def test_a_database_that_is_away_is_told_in_a_sentence():
    done = rotate(f"postgresql://nobody@127.0.0.1:{free_port()}/nothing")

    assert done.returncode == 1
    assert done.stderr.startswith("Error: The database cannot be reached")
    assert done.stderr.count("\n") == 1


def test_a_person_reads_a_sentence(app, link):
    done = app.test_cli_runner().invoke(secrets, ["rotate"])

    assert done.stdout == "Re-encrypted: 0, up to date: 3, unreadable: 0\n"


def test_a_progress_bar_is_drawn_on_a_terminal_alone(link, database_url):
    ours, theirs = pty.openpty()
    env = {"DATABASE_URL": database_url, "ENCRYPTION_KEYS": f"{NEW},{OLD}", "TERM": "xterm"}

    with subprocess.Popen(
        [sys.executable, "manage.py", "secrets", "rotate", "--json"],
        cwd=ROOT,
        env={**environment(env), "TERM": "xterm"},
        stdout=subprocess.PIPE,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        written = process.stdout.read()
        drawn = read_all(ours)

    assert json.loads(written)["rotated"] == 3
    assert b"Re-encrypting" in drawn and b"100%" in drawn


def read_all(terminal):
    """Return everything that was written to *terminal*; reading ends when nobody holds it."""
    drawn = b""
    while True:
        try:
            drawn += os.read(terminal, 4096)
        except OSError:  # EIO: the other side is closed
            os.close(terminal)
            return drawn


def test_a_new_key_is_brought_in_without_a_moment_when_an_instance_cannot_read(
    app, link, database_url
):
    """The two phases of a deployment, as the help tells them; each instance sees all secrets."""

    def reads(keys):
        app.extensions["cipher"] = Cipher(keys)
        db.session.expire_all()
        return db.session.scalars(select(Setting)).one().stripe_secret_key

    phases = [[OLD], [OLD, NEW], [NEW, OLD]]
    beside = [(phases[0], phases[1]), (phases[1], phases[2])]
    for number, neighbours in enumerate(beside):
        for writer in neighbours:
            app.extensions["cipher"] = Cipher(writer)
            with transaction() as session:
                session.get_one(Setting, 1).stripe_secret_key = f"sk_live_CANARY{number}"
            assert {reads(keys) for keys in neighbours} == {f"sk_live_CANARY{number}"}
    rotate(database_url)

    assert {reads(keys) for keys in ([NEW, OLD], [NEW])} == {"sk_live_CANARY1"}


def test_the_help_says_how_a_key_is_replaced():
    done = run_manage("secrets", "rotate", "--help")

    said = " ".join(done.stdout.split())
    assert "append it at the END of ENCRYPTION_KEYS everywhere, then put it first" in said


def test_a_row_that_nothing_is_stored_in_counts_for_nothing(app, database_url):
    with transaction() as session:
        session.execute(text("UPDATE settings SET stripe_mode = 'debug'"))

    assert json.loads(rotate(database_url).stdout) == {
        "rotated": 0,
        "unchanged": 0,
        "unreadable": 0,
    }
