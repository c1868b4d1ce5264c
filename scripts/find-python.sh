#!/bin/sh
# Prints a Python that can build .venv: 3.11 or later, with venv and pip's installer.
# PYTHON=… chooses one by hand.
set -u

fits() {
    "$1" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

if [ -n "${PYTHON:-}" ]; then
    candidates=$PYTHON
else
    candidates="python3 python3.13 python3.12 python3.11 python3.14 python /usr/bin/python3"
fi
for candidate in $candidates; do
    if fits "$candidate"; then
        command -v "$candidate"
        exit 0
    fi
done

{
    echo "No usable Python among: $candidates"
    echo "This needs Python 3.11 or later with venv (Debian and Ubuntu: apt-get install python3 python3-venv)."
    echo "If yours has another name: make PYTHON=/where/it/is …"
} >&2
exit 1
