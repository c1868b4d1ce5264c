"""What becomes of a user of Open Event Server."""

import base64
import binascii

from app.auth.passwords import encode_imported_hash
from app.importing.facts import Mapped, Omitted, Refused, Remark, UserFacts, check_id, refuse
from app.services.users import LONGEST_EMAIL

FIELDS = (
    "email",
    "password_hash",
    "is_admin",
    "is_super_admin",
    "is_verified",
    "is_blocked",
    "created_at",
    "deleted_at",
)
ADMIN_FIELDS = ("is_admin", "is_super_admin")
HASH_BYTES = 64
LONGEST_HASH = 255  # our column
NO_PASSWORD = "imported without a password"  # no hash: opens no account  # nosec B105


def map_user(
    facts: UserFacts, *, with_admin_rights: bool, is_known: bool = False
) -> Mapped | Refused | Omitted:
    """
    Return what becomes of a user.

    A user who was deleted there is left out unless a role names them, or they are here already
    (*is_known*). Without *with_admin_rights* administrators come as plain users. `created_at` is
    None where it is unknown.
    """
    if refusal := check_id(facts.id):
        return refusal
    if facts.deleted_at is not None and not (facts.has_role or is_known):
        return Omitted("deleted users without a role")
    email = (facts.email or "").strip().lower()
    if not email:
        return refuse("no-address")
    if len(email) > LONGEST_EMAIL:
        return refuse("address-too-long", f"not imported: longer than {LONGEST_EMAIL} characters")
    kept_hash = None if facts.deleted_at is not None else _password_hash(facts)
    values = {
        "email": email,
        "password_hash": kept_hash or NO_PASSWORD,
        "is_admin": facts.is_admin and with_admin_rights,
        "is_super_admin": facts.is_super_admin and with_admin_rights,
        "is_verified": facts.is_verified,
        "is_blocked": facts.is_blocked,
        "created_at": facts.created_at,
        "deleted_at": facts.deleted_at,
    }
    return Mapped(values, _remarks(facts, kept_hash, with_admin_rights))


def _password_hash(facts: UserFacts) -> str | None:
    """
    Return the hash to keep; None if no password can match it.

    The salt is the text of the column, not what its base64 stands for.
    """
    try:
        size = len(base64.b64decode(facts.password or "", validate=True))
    except (binascii.Error, ValueError):
        return None
    if size != HASH_BYTES or not facts.salt or not facts.salt.isascii() or "$" in facts.salt:
        return None
    encoded = encode_imported_hash(facts.salt, facts.password or "")
    return encoded if len(encoded) <= LONGEST_HASH else None


def _remarks(
    facts: UserFacts, kept_hash: str | None, with_admin_rights: bool
) -> tuple[Remark, ...]:
    found = []
    if facts.is_admin or facts.is_super_admin:
        how = "with" if with_admin_rights else "without"
        found.append(Remark("administrator", f"imported {how} administrator's rights"))
    if kept_hash is None and facts.deleted_at is None:
        found.append(
            Remark("no-password", "imported; give a password with `manage.py users password`")
        )
    return tuple(found)
