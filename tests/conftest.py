"""
What every test may ask for: the service on SQLite and on PostgreSQL, callers, and a local Stripe.

A test that asks for `app` or `client` runs on both databases (or those that `databases.py` lets it
name), each time on a fresh one.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from flask import Flask
from flask_migrate import upgrade

from app import create_app
from app.db.migrations import bind_migrations
from app.devtools.stripe_emulator import Emulator, Options
from app.extensions import db
from config import load_config
from tests.callers import Client
from tests.factories import Factory
from tests.stripe_world import StripeWorld

if TYPE_CHECKING:
    from tests.postgres import PostgresServer

pytest_plugins = [
    "tests.databases",
    "tests.postgres",
    "tests.pgbouncer",
    "tests.live",
    "tests.browser",
    "tests.stories",
    "tests.statements",
]

SECRETS = {
    "SECRET_KEY": "tests-only-tests-only-tests-only-tests-only",
    "ENCRYPTION_KEYS": "pGwrZsCtFP1ZoNjEmCTbVYjKqIO2H4Kz7JPK1v3DhzE=",
}


def make_app(database_url: str, **environ: str) -> Flask:
    """Return the service on a database, with *environ* over the tests' environment."""
    given = {"APP_ENV": "testing", "LOG_LEVEL": "warning", "DATABASE_URL": database_url}
    app = create_app(load_config({**given, **SECRETS, **environ}))
    app.testing = False  # errors are rendered as in production
    app.extensions["refreshes"].hold()  # until the test drains it
    return app


def migrate(database_url: str) -> None:
    """Run all migrations on a database."""
    app = make_app(database_url)
    bind_migrations(app)
    with app.app_context():
        upgrade()
        db.engine.dispose()


@pytest.fixture(scope="session", name="sqlite_template")
def _sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session", name="postgres_template")
def _postgres_template(postgres_server: "PostgresServer") -> str:
    return postgres_server.make_template("migrated", build=migrate)


@pytest.fixture(name="database_url")
def _database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a fresh, migrated database."""
    if request.param == "sqlite":
        template = request.getfixturevalue("sqlite_template")
        shutil.copy(template, tmp_path / "app.db")
        yield f"sqlite:///{tmp_path / 'app.db'}"
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    template = request.getfixturevalue("postgres_template")
    url = server.create_database(template=template)
    yield url
    server.drop_database(url.rpartition("/")[2])


@pytest.fixture(scope="session", name="emulator")
def _emulator() -> Iterator[Emulator]:
    """One local Stripe for the whole session, on a real socket of this process."""
    with Emulator(Options(seed="tests")) as running:
        yield running


@pytest.fixture(name="stripe")
def _stripe(emulator: Emulator) -> Iterator[StripeWorld]:
    """The local Stripe as a test sees it, as after a start."""
    world = StripeWorld(emulator)
    yield world
    world.calm()


@pytest.fixture(name="environ")
def _environ() -> dict[str, str]:
    """More environment for `app`; a test module overrides it."""
    return {}


@pytest.fixture(name="app")
def _app(database_url: str, emulator: Emulator, environ: dict[str, str]) -> Iterator[Flask]:
    urls = {"STRIPE_CONNECT_URL": emulator.url, "STRIPE_API_URL": emulator.url}
    app = make_app(database_url, **{**urls, **environ})
    with app.app_context():
        yield app
        db.session.remove()
        db.engine.dispose()


@pytest.fixture(name="make")
def _make(app: Flask) -> Factory:
    """Makes users, events, links …, with only the fact that matters given."""
    return Factory()


@pytest.fixture(name="client")
def _client(app: Flask) -> Client:
    """A client that has not signed in; `client.as_(user)` is one that has."""
    return Client(app)
