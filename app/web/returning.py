"""
What a browser keeps for its return from Stripe, each in a cookie that only the callback gets.

A code that comes back when no user is signed in waits, encrypted, until one is. Cookies are named
after a digest of the state: neither code nor state appears in an address or a page of ours.
"""

import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from time import time
from typing import NamedTuple

from flask import Response, current_app, request

from app.extensions import bound
from app.security.crypto import SecretUnreadable, cipher

PATH = "/connect/callback"
PATIENCE = 5 * 60  # seconds to sign in: as long as a code lives
PLACE = "console.callback"
NAME_LENGTH = 32
REPLACED = re.compile(r"([0-9]{1,10})\.([A-Za-z0-9_]{1,255})", re.ASCII)


@dataclass(frozen=True)
class Arrival:
    """What Stripe sent along. *code* is None where an onboarding ends without one."""

    state: str = field(repr=False)
    code: str | None = field(repr=False)


def own_address() -> str:
    """Return where Stripe sends browsers back to."""
    return f"{bound('config').public_url}{PATH}"


def name_of(state: str) -> str:
    """Return the name of a state where the state itself must not appear."""
    return sha256(state.encode()).hexdigest()[:NAME_LENGTH]


class Replaced(NamedTuple):
    """The link that is to be replaced, and the account that it was to when the user decided."""

    authorization_id: int
    account_id: str


def remember_replaced(response: Response, state: str, replaced: Replaced, until: datetime) -> None:
    """Remember for as long as *state* lives what the account that it brings replaces."""
    seconds = int((until - datetime.now(UTC)).total_seconds())
    value = f"{replaced.authorization_id}.{replaced.account_id}"
    _set(response, f"replacing_{name_of(state)}", value, seconds)


def replaced_by(state: str) -> Replaced | None:
    """Return what is to be replaced; whether it still stands is checked where it is replaced."""
    found = REPLACED.fullmatch(request.cookies.get(f"replacing_{name_of(state)}", ""))
    return Replaced(int(found[1]), found[2]) if found else None


def keep_waiting(response: Response, arrival: Arrival) -> None:
    """Keep *arrival* in the browser until the user has signed in."""
    inside = {"state": arrival.state, "code": arrival.code, "until": time() + PATIENCE}
    name = name_of(arrival.state)
    sealed = cipher().seal(json.dumps(inside), f"{PLACE}:{name}")
    _set(response, f"waiting_{name}", sealed, PATIENCE)


def read_waiting(name: str) -> Arrival | None:
    """Return what waits under *name*; None if nothing does, or for too long."""
    sealed = request.cookies.get(f"waiting_{name}", "")
    try:
        inside = json.loads(cipher().open(sealed, f"{PLACE}:{name}"))
    except SecretUnreadable:
        return None
    return Arrival(inside["state"], inside["code"]) if time() < inside["until"] else None


def forget_waiting(response: Response, name: str) -> None:
    """Forget what waited under *name*: it is read once."""
    _set(response, f"waiting_{name}", "", 0)


def _set(response: Response, name: str, value: str, seconds: int) -> None:
    response.set_cookie(
        name,
        value,
        max_age=seconds,
        path=PATH,
        httponly=True,
        samesite="Lax",
        secure=current_app.config["SESSION_COOKIE_SECURE"],
    )
