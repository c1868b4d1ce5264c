"""An import that is killed, and run again."""

import shutil
from collections import Counter

import pytest

from tests.databases import on_both, on_sqlite
from tests.importing.killing import Import, contents, fill, kill_at_random

pytestmark = on_sqlite


def finish(database_url, source_url):
    """Run an import to its end in a process of its own; return its exit status."""
    with Import() as running:
        running.start(database_url, source_url)
        return running.wait()


def sizes_of(found):
    """
    Count the rows of each table that has any.

    What is noted of imported rows is committed with the table they came from, so it counts by that.
    """
    return Counter(
        f"{table} of {row[0]}" if table == "imported_rows" else table
        for table, rows in found.items()
        for row in rows
    )


def check_kills(database_url, open_event, clean_url, rows, seeds):
    """Kill imports, finish, and compare with one import into an empty database."""
    fill(open_event, rows)
    assert finish(clean_url, open_event.url) == 3
    clean = contents(clean_url)
    whole = sizes_of(clean)
    for seed in seeds:
        kill_at_random(database_url, open_event.url, seed)
        sizes = sizes_of(contents(database_url))
        assert all(size == whole[table] for table, size in sizes.items()), (sizes, whole)
    assert finish(database_url, open_event.url) == 3
    assert contents(database_url) == clean


@pytest.fixture(name="clean_url")
def _clean_url(request, database_url, tmp_path):
    """Another database like ours that nothing was imported into."""
    if database_url.startswith("sqlite"):
        shutil.copy(request.getfixturevalue("sqlite_template"), tmp_path / "clean.db")
        yield f"sqlite:///{tmp_path / 'clean.db'}"
        return
    server = request.getfixturevalue("postgres_server")
    url = server.create_database(template=request.getfixturevalue("postgres_template"))
    yield url
    server.drop_database(url)


def test_a_run_that_is_killed_leaves_whole_tables_and_the_next_one_does_the_rest(
    database_url, open_event, clean_url
):
    check_kills(database_url, open_event, clean_url, rows=2000, seeds=[1])


@pytest.mark.torture
@pytest.mark.timeout(900)
@on_both
def test_ten_kills_at_random_moments_and_a_last_run_equal_one_clean_run(
    database_url, open_event, clean_url
):
    check_kills(database_url, open_event, clean_url, rows=10_000, seeds=range(10))
