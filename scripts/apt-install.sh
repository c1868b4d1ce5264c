#!/bin/sh
# Installs Debian packages without asking anything. Usage: scripts/apt-install.sh PACKAGE…
# Fails (status 3) where that is not possible, so that the caller can try something else.
set -eu

if ! command -v apt-get >/dev/null 2>&1; then
    echo "apt-get is not on this machine; install $* by hand." >&2
    exit 3
fi
if [ "$(id -u)" -ne 0 ]; then
    echo "Installing needs root: sudo apt-get install $*" >&2
    exit 3
fi

export DEBIAN_FRONTEND=noninteractive
apt() { apt-get -qq -y -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 "$@" >&2 </dev/null; }

apt update
apt install --no-install-recommends "$@"
