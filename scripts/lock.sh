#!/bin/sh
# Writes the lock files: exact versions with the hashes of all their files, for Python 3.11 and later on any
# system. Versions already in the lock stay unless an .in file or --upgrade says otherwise.
set -eu
cd "$(dirname "$0")/.."

lock() {
    in=$1
    shift
    .venv/bin/uv pip compile --quiet --no-config --universal --python-version 3.11 --generate-hashes \
        --no-header --no-emit-index-url --no-emit-find-links --output-file "${in%.in}.txt" "$@" "$in"
}

lock requirements.in "$@"
lock requirements-dev.in "$@"
lock requirements-postgres.in "$@"
