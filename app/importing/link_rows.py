"""The rows that an imported link becomes: the link, with sealed tokens, and its attempt."""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from secrets import token_hex
from typing import Any

from app.importing.facts import Mapped, Refused
from app.importing.links import IDENTITY
from app.models import StripeAuthorization

SCOPE = "read_write"  # not kept there; its frontend asks for no other
TOKENS = ("stripe_secret_key", "stripe_refresh_token")


@dataclass(frozen=True)
class LinkSettings:
    """What links need of our settings: the client ids by livemode, and the key of code digests."""

    client_ids: Mapping[bool, str | None]
    code_digest_key: str = field(repr=False)

    def with_digest(self, result: Mapped | Refused) -> Mapped | Refused:
        """Return *result* with the digest that its code is known by in the place of the code."""
        if isinstance(result, Refused) or result.values["stripe_auth_code"] is None:
            return result
        code = result.values["stripe_auth_code"]
        digest = hmac.new(self.code_digest_key.encode(), code.encode(), sha256).hexdigest()
        return Mapped({**result.values, "stripe_auth_code": digest}, result.remarks)


def link_row(
    link_id: int, values: Mapping[str, Any], platform: LinkSettings, moment: datetime
) -> dict[str, Any]:
    """Return a new link's row: linked at *moment*, since the real time is not known."""
    return {
        "id": link_id,
        **values,
        **sealed_tokens(values),
        "stripe_auth_code": stored_code(values["stripe_auth_code"]),
        "scope": SCOPE,
        "client_id": platform.client_ids[values["livemode"]],
        "linked_at": moment,
    }


def stored_code(digest: str | None) -> str:
    """Return the digest of a code; a random one, which no code has, where none is known."""
    return digest or token_hex(32)


def sealed_tokens(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the tokens sealed, bound to the link that the other values make."""
    draft = StripeAuthorization(**{name: values[name] for name in IDENTITY})
    for name in TOKENS:
        setattr(draft, name, values[name])
    return {name: getattr(draft, f"sealed_{name}") for name in TOKENS}


def attempt_row(link_id: int, values: Mapping[str, Any], moment: datetime) -> dict[str, Any]:
    """
    Return the attempt by which the code of an imported link is known.

    The same code again then finds the link, and for another event it is refused as used.
    """
    return {
        "event_id": values["event_id"],
        "stripe_auth_code": values["stripe_auth_code"],
        "livemode": values["livemode"],
        "state_checked": False,
        "started_at": moment,
        "expires_at": moment,
        "finished_at": moment,
        "outcome": "linked",
        "status": 201,
        "authorization_id": link_id,
    }
