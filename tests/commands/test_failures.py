"""What stands in a command's way is told in one sentence, with exit status 1 and no traceback."""

import pytest
from click.testing import CliRunner
from sqlalchemy import create_engine, make_url, text

from app.commands import COMMANDS
from manage import cli
from tests.postgres import free_port
from tests.processes import environment

VERBS = [
    ["users", "block", "ada@example.com"],
    ["users", "admin", "ada@example.com", "--grant"],
    ["secrets", "rotate"],
    ["stripe", "reconcile", "--due"],
    ["stripe", "check"],
]
MIGRATING = [["db", "upgrade"], ["db", "current"]]


@pytest.fixture(name="run")
def _run():
    """Runs a command of manage.py in this process, on some database."""

    def run(verb, database_url):
        env = environment({"DATABASE_URL": database_url, "LOG_LEVEL": "critical"})
        return CliRunner().invoke(cli, verb, env=env)

    return run


def assert_told(result, beginning):
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(f"Error: {beginning}")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("verb", [*VERBS, *MIGRATING], ids=" ".join)
def test_a_database_that_is_down_is_told(run, verb):
    result = run(verb, f"postgresql://ada:hush@127.0.0.1:{free_port()}/nothing")

    assert_told(result, "The database cannot be reached")
    assert "hush" not in result.output


@pytest.mark.parametrize("verb", [*VERBS, *MIGRATING], ids=" ".join)
def test_a_file_that_cannot_be_opened_is_told(run, verb, tmp_path):
    assert_told(run(verb, f"sqlite:///{tmp_path}/no/such/folder/x.db"), "The database cannot be")


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_a_database_without_migrations_is_told_with_what_to_run(run, verb, tmp_path):
    result = run(verb, f"sqlite:///{tmp_path}/empty.db")

    assert_told(result, "The database lacks migrations. Run: python manage.py db upgrade")


@pytest.fixture(name="as_stranger")
def _as_stranger(migrated_postgres_url):
    """The URL of a migrated database for a role without any rights in it."""
    url = make_url(migrated_postgres_url).set(drivername="postgresql+psycopg2")
    owner = create_engine(url)
    with owner.begin() as connection:
        connection.execute(text("DROP ROLE IF EXISTS stranger"))
        connection.execute(text("CREATE ROLE stranger LOGIN PASSWORD 'stranger'"))
        connection.execute(text("REVOKE ALL ON SCHEMA public FROM PUBLIC"))
    stranger = url.set(username="stranger", password="stranger")
    yield stranger.render_as_string(hide_password=False)
    with owner.begin() as connection:
        connection.execute(text("DROP ROLE stranger"))
    owner.dispose()


@pytest.mark.parametrize("verb", [*VERBS, ["db", "upgrade"]], ids=" ".join)
def test_a_role_without_rights_on_the_schema_is_told(run, verb, as_stranger):
    assert_told(run(verb, as_stranger), "The database's role lacks rights.")


def every_command(commands, *names):
    for command in commands:
        inner = getattr(command, "commands", {}).values()
        yield from every_command(inner, *names, command.name) if inner else [[*names, command.name]]


@pytest.mark.parametrize("verb", list(every_command(COMMANDS)), ids=" ".join)
def test_the_help_of_every_command_has_an_example(verb):
    result = CliRunner().invoke(cli, [*verb, "--help"])

    assert result.exit_code == 0
    assert f"python manage.py {' '.join(verb)}" in result.stdout
