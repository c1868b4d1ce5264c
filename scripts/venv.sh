#!/bin/sh
# Makes .venv, or makes it again when its Python is gone (the tree was moved, or Python upgraded).
set -eu
cd "$(dirname "$0")/.."

if ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
    python=$(sh scripts/find-python.sh)
    echo "Making .venv with $("$python" --version) …"
    "$python" -m venv --clear .venv
fi

# gunicorn converts WEB_CONCURRENCY to a number before it reads any file of ours, and an empty one is none.
# Python runs this line at its start.
site=$(.venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
echo 'import os; os.environ.get("WEB_CONCURRENCY", "1").strip() or os.environ.pop("WEB_CONCURRENCY")' \
    >"$site/empty-web-concurrency.pth"
