#!/bin/sh
# Makes sure that the tests find PgBouncer: the machine's own, else Debian's package.
# Starts nothing: tests/pgbouncer.py runs a private one.
set -eu
cd "$(dirname "$0")/.."

found() { PATH="$PATH:/usr/sbin" command -v pgbouncer; }

if found >/dev/null; then exit 0; fi

echo "PgBouncer is not on this machine: installing it (once)." >&2
# Debian's package starts a pooler of its own where services are run; ours listens elsewhere.
sh scripts/apt-install.sh pgbouncer
if ! found >/dev/null; then
    echo "No PgBouncer to be had. Install it (Debian: apt-get install pgbouncer) and try again." >&2
    exit 1
fi
