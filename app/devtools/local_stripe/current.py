"""The local Stripe of the current request."""

from typing import TYPE_CHECKING

from flask import current_app

if TYPE_CHECKING:
    from .world import LocalStripe


def local_stripe() -> "LocalStripe":
    """Return the local Stripe of the current application."""
    return current_app.extensions["local_stripe"]
