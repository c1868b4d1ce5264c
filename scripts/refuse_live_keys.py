"""
Refuses live Stripe keys in files: `refuse_live_keys.py [FILE…]` (default: all that git knows).

A key that announces itself as made up passes: one with CANARY, FAKE or EXAMPLE in it.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

LIVE_KEY = re.compile(rb"(?:sk|rk)_live_[A-Za-z0-9_]{16,}")
MADE_UP = re.compile(rb"CANARY|FAKE|EXAMPLE", re.IGNORECASE)


def find_live_keys(path: Path) -> Iterator[int]:
    """The numbers of the lines in *path* that hold what looks like a real key."""
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        if any(not MADE_UP.search(key) for key in LIVE_KEY.findall(line)):
            yield number


def main(arguments: list[str]) -> int:
    if not arguments:
        listed = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
            check=True,
            capture_output=True,
            text=True,
        )
        arguments = [name for name in listed.stdout.split("\0") if name]
    found = [
        f"{name}:{number}: this looks like a live Stripe key; roll it, it counts as known"
        for name in arguments
        if Path(name).is_file()
        for number in find_live_keys(Path(name))
    ]
    print("\n".join(found), end="\n" if found else "", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
