"""Re-encrypting every stored secret with another key, while the service goes on."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import event as sqlalchemy_event
from sqlalchemy import insert, select, text, update

from app.db.transactions import transaction
from app.extensions import Base, db
from app.models import Event, Setting, StripeAuthorization
from app.security.crypto import Cipher, EncryptedText, Secret, SecretUnreadable
from app.services import rotation
from app.services.rotation import rotate_secrets, secret_columns
from tests.conftest import SECRETS, make_app
from tests.databases import on_postgresql
from tests.factories import A_DAY
from tests.processes import ROOT, environment

OLD = SECRETS["ENCRYPTION_KEYS"]
NEW = Fernet.generate_key().decode()
LOST = Fernet.generate_key().decode()
SETTINGS = [name for name, each in vars(Setting).items() if isinstance(each, Secret)]
LINKS = [name for name, each in vars(StripeAuthorization).items() if isinstance(each, Secret)]


@pytest.fixture(name="stored")
def _stored(app, make):
    """Every secret there is, sealed with the old key: the settings and three links."""
    links = [make.link(make.event(), livemode=livemode) for livemode in (False, True, False)]
    with transaction() as session:
        setting = session.get_one(Setting, 1)
        for name in SETTINGS:
            setattr(setting, name, f"CANARY of {name}")
    return [setting, *links]


def secrets_of(app, cipher):
    """Return all secrets as *cipher* opens them, by their place."""
    app.extensions["cipher"] = cipher
    db.session.rollback()
    rows = [(Setting, SETTINGS), (StripeAuthorization, LINKS)]
    return {
        (model.__tablename__, row.id, name): getattr(row, name)
        for model, names in rows
        for row in db.session.scalars(
            select(model).order_by(model.id).execution_options(populate_existing=True)
        )
        for name in names
    }


def test_every_secret_is_sealed_with_the_first_key_and_opens_where_it_was(app, stored):
    before = secrets_of(app, Cipher([OLD]))

    report = rotate_secrets(Cipher([NEW, OLD]))

    assert secrets_of(app, Cipher([NEW])) == before
    assert (report.rotated, report.unchanged, report.unreadable) == (9 + 3 * 2, 0, [])
    with pytest.raises(SecretUnreadable):
        secrets_of(app, Cipher([OLD]))


def test_a_secret_that_was_rotated_still_opens_nowhere_else(app, stored):
    rotate_secrets(Cipher([NEW, OLD]))
    with transaction() as session:
        session.execute(text("UPDATE settings SET stripe_secret_key = stripe_test_secret_key"))

    with pytest.raises(SecretUnreadable, match="belongs elsewhere"):
        secrets_of(app, Cipher([NEW]))


def test_running_again_changes_and_locks_nothing(app, stored):
    rotate_secrets(Cipher([NEW, OLD]))
    statements = []
    watch = lambda *given: statements.append(given[2])  # noqa: E731
    sqlalchemy_event.listen(db.engine, "before_cursor_execute", watch)

    report = rotate_secrets(Cipher([NEW, OLD]))

    sqlalchemy_event.remove(db.engine, "before_cursor_execute", watch)
    assert (report.rotated, report.unchanged, report.unreadable) == (0, 15, [])
    assert not [each for each in statements if "UPDATE" in each]


def test_no_column_of_secrets_can_be_forgotten():
    declared = {
        (table.name, column.name)
        for table in Base.metadata.tables.values()
        for column in table.columns
        if isinstance(column.type, EncryptedText)
    }

    found = {
        (model.__tablename__, model.__mapper__.column_attrs[name].columns[0].name)
        for model, names in secret_columns().items()
        for name in names
    }

    assert found == declared
    assert len(found) == len(SETTINGS) + len(LINKS) == 11
    for model in secret_columns():
        assert [column.name for column in model.__table__.primary_key] == ["id"]
        assert callable(model.secret_context)


def test_what_cannot_be_read_is_named_and_left_and_stops_nothing(app, stored):
    setting, first, second, third = stored
    with transaction() as session:
        broken = session.get_one(StripeAuthorization, second.id)
        context = broken.secret_context("sealed_stripe_refresh_token")
        broken.sealed_stripe_refresh_token = Cipher([LOST]).seal("rt_CANARY", context)
        elsewhere = session.get_one(StripeAuthorization, third.id)
        elsewhere.sealed_stripe_secret_key = first.sealed_stripe_secret_key
    kept = broken.sealed_stripe_refresh_token, elsewhere.sealed_stripe_secret_key

    report = rotate_secrets(Cipher([NEW, OLD]))

    assert report.rotated == 13
    db.session.expire_all()
    assert [(each.table, each.id, each.column) for each in report.unreadable] == [
        ("stripe_authorizations", second.id, "stripe_refresh_token"),
        ("stripe_authorizations", third.id, "stripe_secret_key"),
    ]
    db.session.rollback()
    assert (
        db.session.get_one(StripeAuthorization, second.id).sealed_stripe_refresh_token,
        db.session.get_one(StripeAuthorization, third.id).sealed_stripe_secret_key,
    ) == kept


def test_rows_beyond_one_batch_are_reached(app, make, monkeypatch):
    monkeypatch.setattr(rotation, "BATCH", 2)
    for _ in range(5):
        make.link(make.event())
    heard = []

    report = rotate_secrets(Cipher([NEW, OLD]), heard.append)

    assert report.rotated == 10
    assert heard == [1, 2, 2, 1]
    assert rotation.count_rows() == 6


class Interrupting(Cipher):
    """A cipher at whose first work somebody else does something: *between* reading and writing."""

    def __init__(self, keys, between):
        super().__init__(keys)
        self.between = between

    def reseal(self, sealed):
        fresh = super().reseal(sealed)
        between, self.between = self.between, None
        if between:
            thread = threading.Thread(target=between)
            thread.start()
            thread.join()
        return fresh


@pytest.mark.parametrize("key", [OLD, NEW], ids=["an old key", "the new key"])
def test_what_somebody_changes_meanwhile_is_kept_whatever_key_they_use(app, make, key):
    """An instance that was not restarted yet still seals with the old key."""
    link = make.link(make.event())

    def relink():
        with app.app_context(), transaction() as session:
            changed = session.get_one(StripeAuthorization, link.id)
            changed.stripe_user_id = "acct_another"
            context = changed.secret_context("sealed_stripe_secret_key")
            changed.sealed_stripe_secret_key = Cipher([key]).seal("sk_test_CANARYnew", context)
            changed.stripe_refresh_token = None

    report = rotate_secrets(Interrupting([NEW, OLD], relink))

    app.extensions["cipher"] = Cipher([NEW])
    db.session.expire_all()
    kept = db.session.get_one(StripeAuthorization, link.id)
    assert kept.stripe_secret_key == "sk_test_CANARYnew"
    assert kept.stripe_refresh_token is None
    assert report.unreadable == []


def test_a_link_that_is_removed_meanwhile_stays_removed(app, make):
    link_id = make.link(make.event()).id

    def unlink():
        with app.app_context(), transaction() as session:
            session.delete(session.get_one(StripeAuthorization, link_id))

    report = rotate_secrets(Interrupting([NEW, OLD], unlink))

    assert (report.rotated, report.unreadable) == (0, [])
    db.session.expire_all()
    assert db.session.get(StripeAuthorization, link_id) is None


def test_several_at_once_share_the_work(app, make):
    for _ in range(60):
        make.link(make.event())
    before = secrets_of(app, Cipher([OLD]))
    barrier = threading.Barrier(4)
    reports = []

    def rotate():
        with app.app_context():
            barrier.wait()
            reports.append(rotate_secrets(Cipher([NEW, OLD])))

    run_together([rotate] * 4)

    assert sum(report.rotated for report in reports) == 120
    assert not any(report.unreadable for report in reports)
    assert secrets_of(app, Cipher([NEW])) == before


@on_postgresql  # SQLite has one writer at a time: there each waits for the other, for long
def test_nothing_is_lost_while_settings_and_links_keep_changing(app, stored, make):
    """Keys go to and fro under a writer who checks that what it wrote is what it finds."""
    links = [make.link(make.event()) for _ in range(20)]
    app.extensions["cipher"] = Cipher([OLD, NEW])
    stop = threading.Event()
    wrote, faults = [], []

    def keep_changing():
        with app.app_context():
            known = {}
            while not stop.is_set():
                link = links[len(wrote) % len(links)]
                with transaction() as session:
                    setting = session.get_one(Setting, 1, with_for_update=True)
                    mine = session.get_one(StripeAuthorization, link.id, with_for_update=True)
                    if known and setting.stripe_secret_key != known["setting"]:
                        faults.append("settings")
                    if link.id in known and mine.stripe_secret_key != known[link.id]:
                        faults.append(link.id)
                    known["setting"] = setting.stripe_secret_key = f"CANARY {len(wrote)}"
                    mine.stripe_user_id = f"acct_{len(wrote)}"
                    known[link.id] = mine.stripe_secret_key = f"sk_test_CANARY {len(wrote)}"
                    mine.stripe_refresh_token = None
                wrote.append(link.id)

    def keep_rotating():
        with app.app_context():
            try:
                for number in range(20):
                    keys = [NEW, OLD] if number % 2 == 0 else [OLD, NEW]
                    faults.extend(rotate_secrets(Cipher(keys)).unreadable)
            finally:
                stop.set()

    run_together([keep_changing, keep_rotating])

    assert faults == []
    assert len(wrote) > 20
    rotate_secrets(Cipher([NEW, OLD]))
    assert secrets_of(app, Cipher([NEW]))


def run_together(tasks):
    failed = []

    def run(task):
        try:
            task()
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=run, args=(task,)) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []


# Killed on the way


@pytest.fixture(name="many")
def _many(migrated_postgres_url):
    """A PostgreSQL database with 120 links, more than two batches, sealed with the old key."""
    app = make_app(migrated_postgres_url)
    with app.app_context():
        with transaction() as session:
            session.execute(insert(Event), [_event(number) for number in range(1, 121)])
            for number in range(1, 121):
                session.add(_link(number))
        yield app
        db.session.remove()
        db.engine.dispose()


def _event(number):
    return {
        "id": number,
        "identifier": f"{number:06d}ef",
        "name": "Summit",
        "starts_at": A_DAY,
        "ends_at": A_DAY,
        "timezone": "UTC",
        "created_at": A_DAY,
    }


def _link(number):
    link = StripeAuthorization(
        id=number,
        event_id=number,
        livemode=False,
        stripe_user_id=f"acct_{number}",
        stripe_auth_code="0" * 64,
        scope="read_write",
        client_id="ca_test",
    )
    link.stripe_secret_key = f"sk_test_CANARY{number}"
    link.stripe_refresh_token = f"rt_CANARY{number}"
    return link


def start_rotation(url):
    env = {"DATABASE_URL": url, "ENCRYPTION_KEYS": f"{NEW},{OLD}", "SECRET_KEY": "x" * 20}
    return subprocess.Popen(
        [sys.executable, "manage.py", "secrets", "rotate", "--json"],
        cwd=ROOT,
        env=environment(env),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_until_blocked(connection, process):
    """Wait until somebody waits for a lock of *connection*'s transaction."""
    waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        if connection.scalar(waiting):
            return
        time.sleep(0.05)  # between two looks; what counts is the look
    raise AssertionError(f"never blocked: {process.communicate()}")


def test_killed_on_the_way_it_has_done_half_and_does_the_rest_when_run_again(many):
    url = many.extensions["config"].database_url
    before = secrets_of(many, Cipher([OLD]))
    with db.engine.connect() as holder:
        holder.execute(text("SELECT 1 FROM stripe_authorizations WHERE id = 75 FOR UPDATE"))
        process = start_rotation(url)
        wait_until_blocked(holder, process)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        holder.rollback()

    rotated = [place for place, secret in _opened_by(many, NEW).items() if secret is not None]
    assert {place[1] for place in rotated} == set(range(1, 75))
    assert secrets_of(many, Cipher([NEW, OLD])) == before

    again = start_rotation(url)
    written, complaints = again.communicate(timeout=60)

    assert again.returncode == 0, complaints
    assert written == '{"rotated": 92, "unchanged": 148, "unreadable": 0}\n'
    assert secrets_of(many, Cipher([NEW])) == before


def test_while_it_waits_for_a_row_it_holds_no_other(many):
    """Else somebody who holds that row and wants another would end in a deadlock."""
    url = many.extensions["config"].database_url
    with db.engine.connect() as holder:
        holder.execute(text("SELECT 1 FROM stripe_authorizations WHERE id = 75 FOR UPDATE"))
        process = start_rotation(url)
        wait_until_blocked(holder, process)

        taken = holder.execute(text("SELECT id FROM stripe_authorizations FOR UPDATE NOWAIT")).all()
        holder.execute(update(StripeAuthorization).values(display_name="changed meanwhile"))
        holder.commit()
    written, complaints = process.communicate(timeout=60)

    assert len(taken) == 120
    assert process.returncode == 0, complaints
    assert written == '{"rotated": 240, "unchanged": 0, "unreadable": 0}\n'


def _opened_by(app, key):
    """Return which secrets *key* opens; None for the others."""
    cipher = Cipher([key])
    found = {}
    for link in db.session.scalars(select(StripeAuthorization)):
        try:
            secret = cipher.open(
                link.sealed_stripe_secret_key, link.secret_context("sealed_stripe_secret_key")
            )
        except SecretUnreadable:
            secret = None
        found["stripe_authorizations", link.id] = secret
    db.session.rollback()
    return found
