"""What load balancers ask: is the process alive, and can it work?"""

import subprocess
import sys

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import text

from app.db.migrations import newest_migration
from app.extensions import db
from config import ROOT
from tests.conftest import make_app
from tests.processes import environment

AWAY = {"status": "unavailable", "reason": "The database cannot be reached."}
BEHIND = {"status": "unavailable", "reason": "The database lacks migrations."}


def ask(app, path):
    response = app.test_client().get(path)
    return response.status_code, response.json


def test_a_process_with_its_database_and_every_migration_is_ready(app):
    assert ask(app, "/health/ready") == (200, {"status": "ok"})


@pytest.mark.parametrize(
    "deed",
    [
        "UPDATE alembic_version SET version_num = '0001_users_and_events'",
        "DELETE FROM alembic_version",
        "DROP TABLE alembic_version",
    ],
)
def test_a_database_without_every_migration_is_not_ready(app, deed):
    with app.app_context(), db.engine.begin() as connection:
        connection.execute(text(deed))

    assert ask(app, "/health/ready") == (503, BEHIND)
    assert ask(app, "/health/live") == (200, {"status": "ok"})


def test_a_database_that_is_ahead_of_the_code_is_ready(app):
    with app.app_context(), db.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999_of_tomorrow'"))

    assert ask(app, "/health/ready") == (200, {"status": "ok"})


@pytest.mark.parametrize("url", ["postgresql://x@127.0.0.1:1/x", "sqlite:////nowhere/app.db"])
def test_without_a_database_the_process_lives_and_is_not_ready(url):
    app = make_app(url)

    assert ask(app, "/health/ready") == (503, AWAY)
    assert ask(app, "/health/live") == (200, {"status": "ok"})


def test_the_newest_migration_is_the_head_of_their_history():
    assert newest_migration() == ScriptDirectory(str(ROOT / "migrations")).get_current_head()


def test_a_serving_process_does_not_carry_alembic_around():
    code = "import sys, app; app.create_app(); print('alembic' in sys.modules)"
    command = [sys.executable, "-c", code]
    result = subprocess.run(
        command, cwd=ROOT, env=environment({}), capture_output=True, text=True, check=True
    )

    assert result.stdout == "False\n"
