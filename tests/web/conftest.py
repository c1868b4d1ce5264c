"""What tests of the console may ask for."""

import pytest
from flask import Flask

from tests.web.pages import Browser


@pytest.fixture(name="database_url", params=["sqlite"])
def _database_url(request: pytest.FixtureRequest, tmp_path, sqlite_template) -> str:
    """Return a fresh database: pages depend on no other, since the services are tried on both."""
    import shutil

    shutil.copy(sqlite_template, tmp_path / "app.db")
    return f"sqlite:///{tmp_path / 'app.db'}"


@pytest.fixture(name="browser")
def _browser(app: Flask) -> Browser:
    """Nobody who is signed in."""
    return Browser(app)
