#!/bin/sh
# Makes sure that the tests find nginx and Redis: the machine's own, else Debian's packages.
# Starts nothing: tests/servers.py runs private ones. Usage: scripts/install-servers.sh nginx|redis-server…
set -eu
cd "$(dirname "$0")/.."

for program in "$@"; do
    if PATH="$PATH:/usr/sbin" command -v "$program" >/dev/null; then continue; fi
    echo "$program is not on this machine: installing it (once)." >&2
    sh scripts/apt-install.sh "$program"
    if ! PATH="$PATH:/usr/sbin" command -v "$program" >/dev/null; then
        echo "No $program to be had. Install it (Debian: apt-get install $program) and try again." >&2
        exit 1
    fi
done
