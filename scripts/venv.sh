#!/bin/sh
# Makes .venv, or makes it again when its Python is gone (the tree was moved, or Python upgraded).
set -eu
cd "$(dirname "$0")/.."

if .venv/bin/python -m pip --version >/dev/null 2>&1; then exit 0; fi

python=$(scripts/find-python.sh)
echo "Making .venv with $("$python" --version) …"
"$python" -m venv --clear .venv
