"""When connected accounts are looked at: soon after somebody was at a door, who never waits."""

from contextlib import suppress
from datetime import UTC, datetime
from typing import Protocol

from flask import current_app

from app.errors import StripeBusy
from app.services.accounts.status import ON_DEMAND, refresh


class Link(Protocol):
    """What is known of a link's account, and since when."""

    @property
    def stripe_user_id(self) -> str: ...
    @property
    def livemode(self) -> bool: ...
    @property
    def account_checked_at(self) -> datetime | None: ...


def look_soon(link: Link) -> None:
    """
    Have the account of *link* looked at in the background if what is known of it is a minute old.

    Called after linking and when somebody sees a link in full. Whether it is really due the
    database decides, by its own clock.
    """
    checked_at = link.account_checked_at
    if checked_at is not None and datetime.now(UTC) - checked_at < ON_DEMAND:
        return
    account_id, livemode = link.stripe_user_id, link.livemode
    stripe = current_app.extensions["stripe"]

    def look() -> None:
        with suppress(StripeBusy):  # linking goes first; the next reader asks again
            refresh(account_id, livemode, stripe)

    current_app.extensions["background"].submit(("account", account_id, livemode), look)
