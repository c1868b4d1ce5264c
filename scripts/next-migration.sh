#!/bin/sh
# Prints the name of the next migration: 0007_add_colors for "Add colors" where 0006_… is the newest.
set -eu
cd "$(dirname "$0")/../migrations/versions"

last=$(ls | sed -n 's/^\([0-9]\{4\}\)_.*\.py$/\1/p' | sort | tail -n 1)
words=$(printf '%s' "$1" | tr '[:upper:]' '[:lower:]' | sed 's/[^a-z0-9]\{1,\}/_/g; s/^_//; s/_$//')
printf '%04d_%s\n' "$((1${last:-0000} - 10000 + 1))" "$words"
