"""
Every migration up, down to nothing, and up again, on SQLite and on PostgreSQL; then the models must
be what the migrations make. Run by `make migrations`.
"""

import sys
import tempfile
from pathlib import Path

from tests.postgres import PostgresServer
from tests.processes import run_manage

STEPS = (("upgrade",), ("downgrade", "base"), ("upgrade",), ("check",))


def round_trip(url: str) -> list[str]:
    """Take the steps on an empty database; returns what went wrong (nothing: all is well)."""
    for step in STEPS:
        done = run_manage("db", *step, env={"DATABASE_URL": url})
        if done.returncode:
            return [f"db {' '.join(step)} failed:\n{done.stdout}{done.stderr}"]
    return []


def main() -> int:
    faults = []
    with tempfile.TemporaryDirectory() as folder, PostgresServer() as server:
        urls = {
            "SQLite": f"sqlite:///{Path(folder) / 'app.db'}",
            "PostgreSQL": server.create_database(),
        }
        for name, url in urls.items():
            found = round_trip(url)
            sys.stdout.write(f"Migrations on {name}: {'failed' if found else 'up, down, up'}\n")
            faults += found
    sys.stderr.write("\n".join(faults))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
