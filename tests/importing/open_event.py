"""
A database of Open Event Server, as far as an import looks at it, and everything that is found
broken in real ones.

    source = OpenEvent(url)              # creates the tables
    source.add_user(1, "ada@example.com")
    fill_with_faults(source)
"""

import base64
import hashlib
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg2
from psycopg2 import sql

A_DAY = datetime(2024, 5, 1, 9, tzinfo=UTC)
LONG_AGO = datetime(2019, 2, 3, 4, 5, 6, 789000, tzinfo=UTC)
ROLES = ("organizer", "coorganizer", "owner", "track_organizer", "moderator", "registrar")
TABLES = """
CREATE EXTENSION IF NOT EXISTS citext;
CREATE TABLE users (
    salt varchar(128), id serial PRIMARY KEY, _email citext NOT NULL UNIQUE,
    _password varchar(128) NOT NULL, facebook_login_hash varchar, reset_password varchar(128),
    is_super_admin boolean, is_admin boolean, is_sales_admin boolean, is_marketer boolean,
    is_verified boolean,
    is_blocked boolean NOT NULL DEFAULT false, was_registered_with_order boolean,
    first_name varchar, created_at timestamptz DEFAULT now(), deleted_at timestamptz
);
CREATE TABLE groups (
    id serial PRIMARY KEY, name varchar NOT NULL, user_id integer NOT NULL REFERENCES users,
    deleted_at timestamptz
);
CREATE TABLE events (
    id serial PRIMARY KEY, name varchar NOT NULL, identifier varchar, description text,
    starts_at timestamptz NOT NULL, ends_at timestamptz NOT NULL, timezone varchar NOT NULL,
    state varchar, privacy varchar, payment_country varchar, payment_currency varchar,
    can_pay_by_stripe boolean NOT NULL DEFAULT false, is_stripe_linked boolean, owner_name varchar,
    group_id integer REFERENCES groups ON DELETE SET NULL, created_at timestamptz,
    deleted_at timestamptz
);
CREATE TABLE roles (id serial PRIMARY KEY, name varchar NOT NULL UNIQUE, title_name varchar);
CREATE TABLE users_events_roles (
    id serial PRIMARY KEY, event_id integer REFERENCES events ON DELETE CASCADE,
    user_id integer REFERENCES users ON DELETE CASCADE, role_id integer REFERENCES roles,
    deleted_at timestamptz
);
CREATE TABLE users_groups_roles (
    id serial PRIMARY KEY, email citext NOT NULL, user_id integer REFERENCES users,
    accepted boolean NOT NULL, role_id integer REFERENCES roles,
    group_id integer REFERENCES groups, token varchar
);
CREATE TABLE settings (
    id serial PRIMARY KEY, app_name varchar, app_environment varchar DEFAULT 'production',
    stripe_client_id varchar, stripe_secret_key varchar, stripe_publishable_key varchar,
    stripe_test_client_id varchar, stripe_test_secret_key varchar,
    stripe_test_publishable_key varchar, stripe_mode varchar
);
CREATE TABLE stripe_authorizations (
    id serial PRIMARY KEY, stripe_secret_key varchar, stripe_refresh_token varchar,
    stripe_publishable_key varchar, stripe_user_id varchar, stripe_auth_code varchar,
    event_id integer REFERENCES events ON DELETE CASCADE, deleted_at timestamptz
);
CREATE TABLE alembic_version (version_num varchar(32) NOT NULL);
INSERT INTO alembic_version VALUES ('e7e952b58504');
"""


def hash_password(password: str, salt: str) -> str:
    """Hash as Open Event Server does: the salt's base64 text is the salt."""
    made = hashlib.scrypt(password.encode(), salt=salt.encode(), n=16384, r=8, p=1, dklen=64)
    return base64.b64encode(made).decode()


def new_salt() -> str:
    """A salt as Open Event Server makes it."""
    return base64.b64encode(secrets.token_bytes(64)).decode()


NOBODYS_SALT = new_salt()
NOBODYS_HASH = hash_password(secrets.token_hex(16), NOBODYS_SALT)


class OpenEvent:
    """A database there; every method is a transaction of its own."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._connection = psycopg2.connect(url)
        self._connection.autocommit = True
        self.execute(TABLES)
        self._roles = {}
        for name in (*ROLES, "attendee"):
            [(self._roles[name],)] = self.execute(
                "INSERT INTO roles (name, title_name) VALUES (%s, %s) RETURNING id", name, name
            )

    def close(self) -> None:
        """Hang up."""
        self._connection.close()

    def execute(self, statement: Any, *values: Any) -> list[tuple]:
        """Run one statement; returns its rows."""
        with self._connection.cursor() as cursor:
            cursor.execute(statement, values or None)
            return cursor.fetchall() if cursor.description else []

    def insert(self, table: str, **values: Any) -> None:
        """Insert one row."""
        self.execute(
            sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
                sql.Identifier(table),
                sql.SQL(", ").join(map(sql.Identifier, values)),
                sql.SQL(", ").join([sql.Placeholder()] * len(values)),
            ),
            *values.values(),
        )

    def change(self, table: str, row_id: int, **values: Any) -> None:
        """Change one row."""
        pairs = [sql.SQL("{} = %s").format(sql.Identifier(name)) for name in values]
        statement = sql.SQL("UPDATE {} SET {} WHERE id = %s").format(
            sql.Identifier(table), sql.SQL(", ").join(pairs)
        )
        self.execute(statement, *values.values(), row_id)

    def add_user(
        self, user_id: int, email: str, password: str | None = None, **values: Any
    ) -> None:
        """A verified user; without *password* with one that nobody knows."""
        salt, made = NOBODYS_SALT, NOBODYS_HASH
        if password is not None:
            salt = new_salt()
            made = hash_password(password, salt)
        given = {
            "id": user_id,
            "_email": email,
            "_password": made,
            "salt": salt,
            "is_admin": False,
            "is_super_admin": False,
            "is_verified": True,
            "created_at": LONG_AGO,
            "facebook_login_hash": f"canary-facebook-{user_id}",
            "reset_password": f"canary-reset-{user_id}",
        }
        self.insert("users", **{**given, **values})

    def add_event(self, event_id: int, owner: int | None = None, **values: Any) -> None:
        """A published event that is paid by Stripe, with its owner."""
        given = {
            "id": event_id,
            "name": f"Event {event_id}",
            "identifier": f"{event_id:07x}e",
            "starts_at": A_DAY,
            "ends_at": A_DAY + timedelta(hours=8),
            "timezone": "Europe/Berlin",
            "state": "published",
            "privacy": "public",
            "payment_country": "Germany",
            "payment_currency": "EUR",
            "can_pay_by_stripe": True,
            "is_stripe_linked": True,
            "created_at": LONG_AGO,
        }
        self.insert("events", **{**given, **values})
        if owner is not None:
            self.add_role(owner, event_id, "owner")

    def add_role(self, user_id: int | None, event_id: int | None, role: str, **values: Any) -> None:
        """A role at an event."""
        given = {"user_id": user_id, "event_id": event_id, "role_id": self._roles[role]}
        self.insert("users_events_roles", **{**given, **values})

    def take_role(self, user_id: int, event_id: int, role: str) -> None:
        """Take a role away."""
        self.execute(
            "DELETE FROM users_events_roles WHERE user_id = %s AND event_id = %s AND role_id = %s",
            user_id,
            event_id,
            self._roles[role],
        )

    def add_group(self, group_id: int, owner: int, **values: Any) -> None:
        """A group of events."""
        self.insert("groups", id=group_id, name="Group", user_id=owner, **values)

    def add_group_role(
        self, user_id: int | None, group_id: int, role: str, *, accepted: bool = True
    ) -> None:
        """A role at a group."""
        self.insert(
            "users_groups_roles",
            email=f"{user_id}@groups.example.com",
            user_id=user_id,
            group_id=group_id,
            role_id=self._roles[role],
            accepted=accepted,
        )

    def add_settings(self, row_id: int = 1, **values: Any) -> None:
        """A row of settings with live keys."""
        given = {
            "id": row_id,
            "app_environment": "production",
            "stripe_client_id": "ca_live",
            "stripe_secret_key": "sk_live_platform",
            "stripe_publishable_key": "pk_live_platform",
            "stripe_test_client_id": "ca_test",
            "stripe_test_secret_key": "sk_test_platform",
            "stripe_test_publishable_key": "pk_test_platform",
        }
        self.insert("settings", **{**given, **values})

    def add_link(self, link_id: int, event_id: int | None, **values: Any) -> None:
        """A link of live mode."""
        given = {
            "id": link_id,
            "event_id": event_id,
            "stripe_user_id": f"acct_{link_id}",
            "stripe_secret_key": f"sk_live_token{link_id}",
            "stripe_refresh_token": f"rt_token{link_id}",
            "stripe_publishable_key": f"pk_live_key{link_id}",
            "stripe_auth_code": f"ac_code{link_id}",
        }
        self.insert("stripe_authorizations", **{**given, **values})


def fill_with_faults(source: OpenEvent) -> None:
    """Everything that is found in real databases, sound rows and broken ones."""
    _add_users(source)
    _add_events(source)
    _add_roles(source)
    source.add_settings()
    _add_links(source)


def _add_users(source: OpenEvent) -> None:
    source.add_user(1, "Owner@Example.com", "correct horse")
    source.add_user(
        2, "organizer@example.com", "p\u00e4ssw\u00f6rd-\ufb01n-2099", is_sales_admin=True
    )
    source.add_user(3, "coorganizer@example.com", is_verified=None, created_at=None)
    source.add_user(4, "admin@example.com", "administrator", is_admin=True)
    source.add_user(5, "super@example.com", is_super_admin=True, is_admin=None)
    source.add_user(6, "blocked@example.com", is_blocked=True)
    source.add_user(7, "gone@example.com.deleted", deleted_at=A_DAY)
    source.add_user(8, "gone-owner@example.com.deleted", "deleted there", deleted_at=A_DAY)
    source.add_user(9, "twin@example.com")
    source.add_user(10, " twin@example.com ")
    source.add_user(11, "late-twin@example.com", deleted_at=A_DAY)
    source.add_user(12, " Late-Twin@example.com")
    source.add_user(13, "", is_admin=True)
    source.add_user(14, "x" * 250 + "@example.com")
    source.add_user(15, "saltless@example.com", salt=None)
    source.add_user(16, "hashless@example.com", _password="")
    source.add_user(17, "short@example.com", _password="c2hvcnQ=")
    source.add_user(18, "buyer@example.com", was_registered_with_order=True, is_marketer=True)


def _add_events(source: OpenEvent) -> None:
    source.add_event(1, owner=1, description="<p>Sound.</p>")
    source.add_event(2, owner=1, identifier="f3a0c9b2-1d5e-4c7a-9b60-0123456789ab")
    source.add_event(3, owner=1, identifier="20160417")
    source.add_event(4, owner=1, identifier="Summit_2016")
    source.add_event(5, owner=1, identifier="deadbeef")
    source.add_event(6, owner=1, identifier="deadbeef")
    source.add_event(7, owner=1, identifier=None)
    source.add_event(8, owner=1, identifier="x" * 37)
    source.add_event(9, owner=1, timezone="Mars/Olympus")
    source.add_event(10, owner=1, timezone="US/Pacific-New")
    source.add_event(11, owner=1, timezone="Asia/Calcutta")
    source.add_event(12, owner=1, timezone="")
    source.add_event(13, owner=1, name="n" * 300, owner_name="o" * 256)
    source.add_event(14, owner=1, state=None, payment_currency="", payment_country="")
    source.add_event(15, owner=1, state="archived", payment_currency="usd")
    source.add_event(16, owner=1, payment_currency="XXQ", payment_country="c" * 65)
    source.add_event(17, owner=1, ends_at=A_DAY - timedelta(days=1))
    source.add_event(18, owner=1, starts_at="infinity", ends_at="infinity")
    source.add_event(19, owner=1, deleted_at=A_DAY)
    source.add_event(20)
    source.add_event(21, owner=6)
    source.add_event(22, owner=1, privacy="private", state="draft")
    source.add_event(23, owner=1, can_pay_by_stripe=False)
    source.add_event(24, owner=1, is_stripe_linked=False)
    for event_id in range(25, 40):
        source.add_event(event_id, owner=1, is_stripe_linked=None)


def _add_roles(source: OpenEvent) -> None:
    source.add_role(2, 1, "organizer")
    source.add_role(3, 1, "coorganizer")
    source.add_role(3, 1, "coorganizer")
    source.add_role(8, 1, "organizer")
    source.add_role(10, 1, "organizer")
    source.add_role(18, 1, "attendee")
    source.add_role(18, 1, "moderator")
    source.add_role(18, None, "organizer")
    source.add_role(None, 1, "organizer")
    source.add_role(18, 1, "organizer", deleted_at=A_DAY)
    source.add_group(1, owner=1)
    source.add_group(2, owner=1, deleted_at=A_DAY)
    source.change("events", 2, group_id=1)
    source.change("events", 3, group_id=2)
    source.add_group_role(2, 1, "organizer")
    source.add_group_role(3, 1, "organizer", accepted=False)
    source.add_group_role(3, 2, "organizer")
    source.add_group_role(None, 1, "organizer")


def _add_links(source: OpenEvent) -> None:
    test = {"stripe_secret_key": "sk_test_token", "stripe_publishable_key": "pk_test_key"}
    source.add_link(1, 1)
    source.add_link(2, 2, **test)
    source.add_link(3, None)
    source.add_link(4, 19)
    source.add_link(5, 3, stripe_user_id="acct_first")
    source.add_link(6, 3, stripe_user_id="acct_second")
    source.add_link(7, 4, stripe_user_id="acct_same")
    source.add_link(8, 4, stripe_user_id="acct_same")
    source.add_link(9, 9)
    source.add_link(10, 9, **test)
    source.add_link(11, 10, stripe_user_id=None)
    source.add_link(12, 11, stripe_user_id="example")
    source.add_link(13, 12, stripe_secret_key="example", stripe_publishable_key="example")
    source.add_link(14, 13, stripe_publishable_key="pk_test_other")
    source.add_link(15, 14, stripe_secret_key=None, stripe_publishable_key=None)
    source.add_link(16, 15, stripe_secret_key="", stripe_refresh_token="")
    source.add_link(17, 23)
    source.add_link(18, 24)
    source.add_link(19, 25, stripe_auth_code=None)
    source.add_link(20, 26, stripe_auth_code="ac_code1")
    source.add_link(21, 5)
    source.add_link(22, 27, deleted_at=A_DAY)
    source.add_link(23, 28, stripe_publishable_key="pk_live_" + "x" * 500)
