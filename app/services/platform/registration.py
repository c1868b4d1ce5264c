"""The platform's registration at Stripe, as the work on links needs it."""

import hmac
import secrets
from dataclasses import dataclass, field
from hashlib import sha256

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.errors import StripeNotConfigured
from app.extensions import db
from app.models import Setting

CURRENT_MODE = select(Setting.stripe_mode == "production").scalar_subquery()


@dataclass(frozen=True)
class Platform:
    """The platform's keys in one mode; empty text where one is not set."""

    livemode: bool
    client_id: str
    secret_key: str = field(repr=False)
    publishable_key: str

    def is_configured(self, method: str) -> bool:
        """Return whether accounts can be linked in this mode by *method*: OAuth has a client id."""
        return bool(
            self.secret_key and self.publishable_key and (self.client_id or method != "oauth")
        )


def platform_of(setting: Setting, livemode: bool) -> Platform:
    """Return the keys that *setting* has for *livemode*. Raises SecretUnreadable."""
    prefix = "stripe_" if livemode else "stripe_test_"
    return Platform(
        livemode=livemode,
        client_id=getattr(setting, f"{prefix}client_id") or "",
        secret_key=getattr(setting, f"{prefix}secret_key") or "",
        publishable_key=getattr(setting, f"{prefix}publishable_key") or "",
    )


def publishable_key_of(setting: Setting, livemode: bool) -> str | None:
    """Return the key that browsers use in the mode; None without one. Raises SecretUnreadable."""
    if livemode:
        return setting.stripe_publishable_key or None
    return setting.stripe_test_publishable_key or None


def read_platform(livemode: bool) -> Platform:
    """
    Return the keys of *livemode* as they are now, for work outside any transaction.

    No connection is held afterwards. Raises SecretUnreadable.
    """
    platform = platform_of(db.session.get_one(Setting, 1, populate_existing=True), livemode)
    db.session.rollback()
    return platform


def current_platform(setting: Setting) -> Platform:
    """
    Return the keys of the current mode.

    Raises StripeNotConfigured unless all are set that the method in force needs.
    """
    platform = platform_of(setting, setting.livemode)
    if not platform.is_configured(setting.stripe_connect_method):
        raise StripeNotConfigured(
            "Stripe is not set up on this platform yet. Please ask the administrator."
        )
    return platform


def digest_code(code: str, setting: Setting, session: Session) -> str:
    """
    Return the keyed digest (HMAC-SHA256, hex) by which an authorization code is remembered.

    Its key is kept sealed in the settings, not derived from a configured one: rotating those must
    not make us forget which codes were spent.
    """
    key = read_digest_key(setting, session)
    return hmac.new(key.encode(), code.encode(), sha256).hexdigest()


def read_digest_key(setting: Setting, session: Session) -> str:
    """Return the key of keyed digests. The first call makes it. Raises SecretUnreadable."""
    if setting.sealed_code_digest_key is None:
        _make_digest_key(setting, session)
    return str(setting.code_digest_key)


def _make_digest_key(setting: Setting, session: Session) -> None:
    draft = Setting()
    draft.code_digest_key = secrets.token_hex(32)
    session.execute(
        update(Setting)
        .where(Setting.id == 1, Setting.sealed_code_digest_key.is_(None))
        .values(sealed_code_digest_key=draft.sealed_code_digest_key)
        .execution_options(synchronize_session=False)
    )
    session.refresh(setting)
