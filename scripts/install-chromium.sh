#!/bin/sh
# Makes sure there is a Chromium for browser tests and prints its path. `make test` does not call this:
# the first test that needs a browser does.
set -eu
cd "$(dirname "$0")/.."

find_browser() { command -v chromium || command -v chromium-browser || command -v google-chrome; }

if ! find_browser; then
    echo "Chromium is not on this machine: installing it (once)." >&2
    sh scripts/apt-install.sh chromium
    find_browser
fi
