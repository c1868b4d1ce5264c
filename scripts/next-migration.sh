#!/bin/sh
# Prints the number of the next migration: 0007 where 0006_… is the newest.
set -eu
cd "$(dirname "$0")/../migrations/versions"

last=$(ls | sed -n 's/^\([0-9]\{4\}\)_.*\.py$/\1/p' | sort | tail -n 1)
printf '%04d\n' "$((1${last:-0000} - 10000 + 1))"
