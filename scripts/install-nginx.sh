#!/bin/sh
# Makes sure that the tests find nginx: the machine's own, else Debian's package. Starts nothing.
set -eu
cd "$(dirname "$0")/.."

if command -v nginx >/dev/null 2>&1 || [ -x /usr/sbin/nginx ]; then exit 0; fi
echo "nginx is not on this machine: installing it (once)." >&2
sh scripts/apt-install.sh nginx-light
