"""Ids and keys that look like Stripe's: same prefixes, alphabets and lengths."""

import hashlib
import hmac
import secrets
import string

ALPHABET = string.ascii_letters + string.digits


def derive(seed, label, length):
    """The same *seed* and *label* always give the same text, so that keys survive a restart."""
    digits = bytearray()
    block = 0
    while len(digits) < length:
        digits += hmac.digest(seed.encode(), f"{label}/{block}".encode(), hashlib.sha256)
        block += 1
    return spell(digits[:length])


def mint(prefix, length):
    """Fresh on every call and after every restart: a code seen twice means a code used twice."""
    return prefix + spell(secrets.token_bytes(length))


def spell(digits):
    """Not quite evenly spread, which is good enough for keys that open nothing."""
    return "".join(ALPHABET[byte % len(ALPHABET)] for byte in digits)


def mode_name(livemode):
    return "live" if livemode else "test"


def mask(key):
    """As Stripe's error texts show a key: prefix and last four characters."""
    head = 8 if key[2:8] in ("_test_", "_live_") else 0
    return key[:head] + "*" * max(len(key) - head - 4, 0) + key[-4:]
