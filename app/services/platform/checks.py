"""Checks whether the platform's keys are right, without disconnecting any account."""

import secrets
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select

from app.auth.policy import Caller
from app.clients.stripe import StripeConnect
from app.db.clock import database_now
from app.db.reads import read
from app.errors import Forbidden
from app.extensions import bound, db
from app.models import Setting
from app.services.platform.mode_checks import Check, ModeKeys


@dataclass(frozen=True)
class PlatformChecks:
    """All checks, of both modes. Nothing is kept of them; the id is only a name."""

    stripe_mode: str
    checked_at: datetime
    checks: list[Check]
    is_set_up: bool
    id: str = field(default_factory=lambda: secrets.token_hex(8))

    @property
    def ok(self) -> bool:
        """Whether nothing has failed, and the current mode has keys at all."""
        return self.is_set_up and all(each.result != "failed" for each in self.checks)


def check_platform_for(caller: Caller, stripe: StripeConnect) -> PlatformChecks:
    """Return what `check_platform` finds. Raises Forbidden unless *caller* is an administrator."""
    if not caller.is_admin:
        raise Forbidden("Only an administrator may check the platform's keys.")
    return check_platform(stripe)


def check_platform(stripe: StripeConnect) -> PlatformChecks:
    """
    Check the keys of both modes, asking Stripe about each mode that is set up.

    A mode without any key is skipped, and so is what cannot be recognized: only what is known to
    be right is `ok`. Beside an Open Event Server its client ids must be ours: its frontend sends
    organizers to Stripe with them. No database connection is held while Stripe is asked.
    """
    setting = db.session.get_one(Setting, 1, populate_existing=True)
    stripe_mode = setting.stripe_mode
    keys = [ModeKeys.read(setting, livemode) for livemode in (False, True)]
    is_set_up = any(each.livemode is setting.livemode and each.is_set_up for each in keys)
    db.session.rollback()
    open_event = bound("open_event")
    theirs = {} if open_event is None else open_event.client_ids()
    checks = [each.compare(check, theirs) for each in keys for check in each.check(stripe)]
    return PlatformChecks(stripe_mode, read(select(database_now()))[0][0], checks, is_set_up)
