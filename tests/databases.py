"""
Which databases a test runs on: both, unless the test, its class or its module says otherwise.

    pytestmark = on_sqlite      # a module whose cases are decided before the database is asked

    @on_both                    # and the one in it that is not
    def test_something(client): ...
"""

import pytest

on_sqlite = pytest.mark.databases("sqlite")
on_postgresql = pytest.mark.databases("postgresql")
on_both = pytest.mark.databases("sqlite", "postgresql")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give a test that asks for a database each of its databases; the closest mark counts."""
    if "database_url" not in metafunc.fixturenames or _names_its_own(metafunc.definition):
        return
    mark = metafunc.definition.get_closest_marker("databases") or on_both.mark
    metafunc.parametrize("database_url", mark.args, indirect=True)


def _names_its_own(definition: pytest.Item) -> bool:
    """Whether the databases are part of a table of cases."""
    tables = definition.iter_markers("parametrize")
    return any("database_url" in table.args[0] for table in tables)
