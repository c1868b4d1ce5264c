"""The local Stripe behind the request that is being answered."""

from typing import TYPE_CHECKING

from flask import current_app

if TYPE_CHECKING:
    from .world import LocalStripe


def local_stripe() -> "LocalStripe":
    """Return the one Stripe of this application."""
    return current_app.extensions["local_stripe"]
