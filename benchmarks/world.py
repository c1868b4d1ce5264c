"""What is in the database: organizers, a hundred linked events each, and one who has none yet."""

from collections.abc import Iterator
from dataclasses import dataclass

import psycopg2

from app import create_app
from app.auth.service_tokens import create_token
from app.auth.tokens import issue_access_token, new_session_id
from app.db.transactions import transaction
from app.extensions import db
from app.models import Setting, User
from config import load_config
from tests.processes import environment

DATABASE = {"shared_buffers": "256MB", "max_wal_size": "4GB"}  # of the server's configuration
PER_ORGANIZER = 100
SETTINGS = {
    "stripe_client_id": "ca_live_of_the_benchmark",
    "stripe_publishable_key": "pk_live_of_the_benchmark",
    "stripe_secret_key": "sk_live_FAKE_of_the_benchmark",
    "stripe_test_client_id": "ca_test_of_the_benchmark",
    "stripe_test_publishable_key": "pk_test_of_the_benchmark",
    "stripe_test_secret_key": "sk_test_of_the_benchmark",
}
# Foreign keys are not checked row by row: every row below refers to one that is there.
ROWS = """
    SET session_replication_role = replica;
    INSERT INTO users (id, email, password_hash, is_verified, created_at)
        SELECT i, 'organizer' || i || '@example.com', 'none', true, now()
        FROM generate_series(1, %(organizers)s + 1) i;
    INSERT INTO events (id, identifier, name, starts_at, ends_at, timezone, state,
            payment_currency, can_pay_by_stripe, created_at)
        SELECT i, 'a' || lpad(to_hex(i), 7, '0'), 'Summit ' || i, now(), now() + interval '8 h',
            'Europe/Berlin', 'published', 'EUR', true, now()
        FROM generate_series(1, %(events)s) i;
    INSERT INTO users_events_roles (event_id, user_id, role)
        SELECT i, CASE WHEN i <= %(links)s THEN 1 + i %% %(organizers)s
            ELSE %(organizers)s + 1 END, 'owner' FROM generate_series(1, %(events)s) i;
    INSERT INTO stripe_authorizations (id, event_id, livemode, stripe_user_id, stripe_secret_key,
            stripe_refresh_token, stripe_publishable_key, stripe_auth_code, scope, client_id,
            linked_by_id, linked_at)
        SELECT i, i, false, 'acct_' || lpad(i::text, 16, '0'), repeat('s', 184), repeat('r', 184),
            'pk_test_' || md5(i::text), repeat(md5(i::text), 2), 'read_write', 'ca_bench',
            1 + i %% %(organizers)s, now()
        FROM generate_series(1, %(links)s) i;
    SELECT setval(pg_get_serial_sequence('users', 'id'), %(organizers)s + 1);
    SELECT setval(pg_get_serial_sequence('events', 'id'), %(events)s);
    SELECT setval(pg_get_serial_sequence('stripe_authorizations', 'id'), %(links)s);
"""


@dataclass(frozen=True)
class World:
    """
    A filled database. *token* is the first organizer's, who reads; *linking_token* that of the one
    whose events have no link yet; *service_token* that of a program that creates payments.
    """

    url: str
    token: str
    linking_token: str
    service_token: str
    links: int
    events: int
    organizers: int

    @property
    def first_own(self) -> int:
        """The least id of an event of the first organizer's; the link has the same."""
        return self.organizers

    def unlinked(self) -> Iterator[int]:
        """Return the ids of the events without a link."""
        return iter(range(self.links + 1, self.events + 1))


def fill(url: str, *, links: int, unlinked: int = 0) -> World:
    """Fill the migrated database at *url*; *unlinked* is how many events are to be linked."""
    organizers = max(1, links // PER_ORGANIZER)
    events = links + unlinked
    _insert(url, organizers=organizers, events=events, links=links)
    app = create_app(load_config(environment({"DATABASE_URL": url})))
    with app.app_context():
        _register_platform()
        token, linking_token = _sign_in(1), _sign_in(organizers + 1)
        program = create_token("benchmark", ["payments"], event_ids=None, expires_in=None)
        db.engine.dispose()
    return World(url, token, linking_token, program.token, links, events, organizers)


def _insert(url: str, **counts: int) -> None:
    connection = psycopg2.connect(url)
    with connection, connection.cursor() as cursor:
        cursor.execute(ROWS, counts)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
        cursor.execute("CHECKPOINT")
    connection.close()


def _register_platform() -> None:
    with transaction() as session:
        setting = session.get_one(Setting, 1)
        for name, value in SETTINGS.items():
            setattr(setting, name, value)


def _sign_in(user_id: int) -> str:
    return issue_access_token(db.session.get_one(User, user_id), new_session_id())
