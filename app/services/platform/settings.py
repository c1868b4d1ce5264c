"""
The platform's settings: what each caller sees of them, and changing them.

A stored value that does not open is never taken for a missing one. Where it would have to be shown
the request fails (SecretUnreadable; the log says which and what to do). Administrators see `…` in
its place, so that they can write it anew.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from sqlalchemy import Row, select

from app.auth.policy import Caller, Role
from app.db.clock import database_now
from app.db.compiled import CompiledSelect
from app.db.reads import read
from app.db.transactions import transaction
from app.errors import Forbidden, Invalid, ManyInvalid
from app.models import Setting
from app.security.crypto import Cipher, SecretUnreadable, cipher
from app.security.logs import log
from app.security.redaction import ELLIPSIS, mask_secret
from app.services import audit

PUBLIC_KEYS = (
    "stripe_client_id",
    "stripe_publishable_key",
    "stripe_test_client_id",
    "stripe_test_publishable_key",
)
SECRET_KEYS = (
    "stripe_secret_key",
    "stripe_test_secret_key",
    "stripe_webhook_secret",
    "stripe_test_webhook_secret",
)
KEYS = PUBLIC_KEYS + SECRET_KEYS
CHOICES = ("stripe_mode", "stripe_connect_method")
# Built once, and alone in an anonymous GET.
STORED = CompiledSelect(
    select(
        Setting.stripe_mode,
        Setting.stripe_connect_method,
        *(getattr(Setting, f"sealed_{name}").label(name) for name in KEYS),
    ).where(Setting.id == 1)
)
CONTEXTS = {name: Setting().secret_context(f"sealed_{name}") for name in KEYS}


@dataclass(frozen=True, slots=True)
class SettingsView:
    """The settings as a caller with *role* sees them; the schema hides the rest."""

    role: Role
    stripe_mode: str
    stripe_connect_method: str
    is_stripe_activated: bool
    unreadable: tuple[str, ...]
    stripe_client_id: str | None
    stripe_publishable_key: str | None
    stripe_test_client_id: str | None
    stripe_test_publishable_key: str | None
    stripe_secret_key: str | None = field(default=None, repr=False)
    stripe_test_secret_key: str | None = field(default=None, repr=False)
    stripe_webhook_secret: str | None = field(default=None, repr=False)
    stripe_test_webhook_secret: str | None = field(default=None, repr=False)
    id: int = 1


def read_settings(caller: Caller) -> SettingsView:
    """
    Return the settings as *caller* sees them, the secrets masked, in one statement.

    Raises SecretUnreadable if a value to be shown does not open; for administrators it is `…`.
    """
    return to_view(read(STORED)[0], caller)


def to_view(
    stored: Row[Any], caller: Caller, clear: Mapping[str, str] | None = None
) -> SettingsView:
    """Return *stored* as *caller* sees it, with what is in *clear* shown as it is."""
    unreadable: list[str] = []
    shown: dict[str, Any] = {}
    for name in KEYS if caller.is_admin else PUBLIC_KEYS:
        known = _open(name, getattr(stored, name), unreadable if caller.is_admin else None)
        shown[name] = mask_of(name, known) if name in SECRET_KEYS else known
    prefix = "stripe_" if stored.stripe_mode == "production" else "stripe_test_"
    needed = ("client_id", "secret_key", "publishable_key")
    has_keys = all(getattr(stored, f"{prefix}{name}") for name in needed)
    return SettingsView(
        role=caller.role(),
        stripe_mode=stored.stripe_mode,
        stripe_connect_method=stored.stripe_connect_method,
        is_stripe_activated=has_keys and stored.stripe_connect_method == "oauth",
        unreadable=tuple(unreadable),
        **{**shown, **(clear or {})},
    )


def mask_of(name: str, known: str | None) -> str | None:
    """Return what stands for the value *known* where it is not shown; None for a public one."""
    if known is None or known == ELLIPSIS:
        return known
    return mask_secret(known) if name in SECRET_KEYS else None


def change_settings(values: Mapping[str, Any], caller: Caller) -> SettingsView:
    """
    Change what *values* says, all of it or nothing, and return the settings as they are then.

    Text is trimmed already. Empty text clears; None clears a public key and leaves a secret as it
    is; the mask that stands for the current value changes nothing. Raises Forbidden, and
    ManyInvalid for masks of something else.
    """
    if not caller.is_admin:
        raise Forbidden("Only administrators can change the settings.")
    with transaction() as session:
        setting = session.scalars(
            select(Setting)
            .where(Setting.id == 1)
            .with_for_update(key_share=True)
            .execution_options(populate_existing=True)
        ).one()
        known = {name: _open(name, getattr(setting, f"sealed_{name}"), []) for name in KEYS}
        known |= {name: getattr(setting, name) for name in CHOICES}
        faults = _stale_masks(values, known)
        if faults:
            raise ManyInvalid(faults)
        for name in [name for name in values if name in known]:
            if _is_change(name, values[name], known[name]):
                setattr(setting, name, values[name] or None)
                setting.updated_at = database_now()
                _record_change(name, values[name], caller)
    return read_settings(caller)


def find_stale_masks(values: Mapping[str, Any]) -> list[Invalid]:
    """Return what is wrong with the masks among *values*, to be told with other faults."""
    stored = read(STORED)[0]
    return _stale_masks(values, {name: _open(name, getattr(stored, name), []) for name in KEYS})


def _stale_masks(values: Mapping[str, Any], known: Mapping[str, str | None]) -> list[Invalid]:
    return [
        Invalid(
            "This is a shortened value that does not match the current one."
            " Enter the whole value, or leave it as it was.",
            field=name,
        )
        for name in KEYS
        if ELLIPSIS in (values.get(name) or "") and values[name] != mask_of(name, known[name])
    ]


def _is_change(name: str, value: str | None, known: str | None) -> bool:
    if value is None and name in SECRET_KEYS:
        return False
    if value and ELLIPSIS in value:
        return False
    return (value or None) != known


def _record_change(name: str, value: str | None, caller: Caller) -> None:
    attribute = name.replace("_", "-")
    subject = f"{attribute}={value}" if name in CHOICES else attribute
    audit.record("settings.change", subject, user_id=caller.id)


def _open(name: str, sealed: str | None, unreadable: list[str] | None) -> str | None:
    """
    Return the value; `…` for one that does not open, whose name is then added to *unreadable*.

    Raises SecretUnreadable instead if there is no such list.
    """
    if sealed is None:
        return None
    try:
        if name in PUBLIC_KEYS:
            return _open_public(cipher(), sealed, CONTEXTS[name])
        return cipher().open(sealed, CONTEXTS[name])
    except SecretUnreadable as error:
        if unreadable is None:
            raise
        log.error("secret unreadable", reason=str(error))
        unreadable.append(name)
        return ELLIPSIS


@lru_cache(maxsize=64)
def _open_public(opener: Cipher, sealed: str, context: str) -> str:
    """Open a public value. Kept by its ciphertext, which changes whenever the value does."""
    return opener.open(sealed, context)
