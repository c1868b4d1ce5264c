"""Which databases a test runs on, where it is not the two of them."""

import pytest

# For many cases of one refusal that is decided before the database is asked.
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
on_postgresql = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
