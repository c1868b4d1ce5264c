#!/bin/sh
# Writes the lock files: exact versions with the hashes of all their files, for Python 3.11 and later on any
# system. Versions already in the lock stay unless an .in file or --upgrade says otherwise.
set -eu
cd "$(dirname "$0")/.."

lock() {
    in=$1
    out=${in%.in}.txt
    shift
    cp -p "$out" "$out.before"
    .venv/bin/uv pip compile --quiet --no-config --universal --python-version 3.11 --generate-hashes \
        --no-header --no-emit-index-url --no-emit-find-links --output-file "$out" "$@" "$in"
    # Unchanged: keep its date too, or make would fill .venv again for nothing.
    if cmp -s "$out" "$out.before"; then mv "$out.before" "$out"; else rm "$out.before"; fi
}

lock requirements.in "$@"
lock requirements-dev.in "$@"
lock requirements-postgres.in "$@"
