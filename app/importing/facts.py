"""What is read in Open Event Server's database, row by row, and what can become of a row."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from app.db.types import FIRST_OWN_ID


@dataclass(frozen=True, slots=True)
class UserFacts:
    """A row of `users`. *has_role* says whether a role of a kind that is known here names it."""

    id: int
    email: str | None = field(repr=False)
    password: str | None = field(repr=False)
    salt: str | None = field(repr=False)
    is_admin: bool
    is_super_admin: bool
    is_verified: bool
    is_blocked: bool
    created_at: datetime | None
    deleted_at: datetime | None
    has_role: bool


@dataclass(frozen=True, slots=True)
class EventFacts:
    """
    A row of `events`. *says_linked* is the copy of whether it is linked that is kept there,
    *has_link* whether it is; *has_owner* says whether somebody who can sign in owns it.
    """

    id: int
    identifier: str | None
    name: str | None
    description: str | None
    starts_at: datetime | None
    ends_at: datetime | None
    timezone: str | None
    state: str | None
    payment_country: str | None
    payment_currency: str | None
    can_pay_by_stripe: bool
    owner_name: str | None
    created_at: datetime | None
    deleted_at: datetime | None
    says_linked: bool | None
    has_link: bool
    has_owner: bool


@dataclass(frozen=True, slots=True, order=True)
class RoleFacts:
    """A role at an event: one of `users_events_roles`, or an accepted one of the event's group."""

    event_id: int
    user_id: int
    role: str


@dataclass(frozen=True, slots=True)
class LinkFacts:
    """A row of `stripe_authorizations`, with what decides about it of its event."""

    id: int
    event_id: int | None
    account_id: str | None
    access_token: str | None = field(repr=False)
    refresh_token: str | None = field(repr=False)
    publishable_key: str | None
    code: str | None = field(repr=False)
    is_deleted: bool
    event_is_there: bool
    event_is_deleted: bool
    event_says_linked: bool | None
    event_can_pay: bool


@dataclass(frozen=True, slots=True)
class SettingsFacts:
    """A row of `settings`: the platform's keys as they stand in its fields."""

    id: int
    app_environment: str | None
    stripe_client_id: str | None
    stripe_secret_key: str | None = field(repr=False)
    stripe_publishable_key: str | None
    stripe_test_client_id: str | None
    stripe_test_secret_key: str | None = field(repr=False)
    stripe_test_publishable_key: str | None


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A row whose text is in no encoding that can be told. *event_id* is a link's."""

    id: int
    event_id: int | None = None


@dataclass(frozen=True, slots=True)
class Remark:
    """
    What a person should know of a row: *reason* is a stable code, *action* a sentence.

    Neither holds a secret or an e-mail address.
    """

    reason: str
    action: str


@dataclass(frozen=True, slots=True)
class Mapped:
    """A row to import: its values by the names of our columns, secrets still in clear."""

    values: dict[str, Any] = field(repr=False)
    remarks: tuple[Remark, ...] = ()


@dataclass(frozen=True, slots=True)
class Refused:
    """A row that cannot be imported, and why."""

    remark: Remark


@dataclass(frozen=True, slots=True)
class Omitted:
    """A row that is left out on purpose and only counted, under *label*."""

    label: str


def refuse(reason: str, action: str = "not imported") -> Refused:
    """Return the refusal of a row for *reason*."""
    return Refused(Remark(reason, action))


def check_id(row_id: int) -> Refused | None:
    """Return the refusal of an id that would meet those of what is made here."""
    if 0 < row_id < FIRST_OWN_ID:
        return None
    return refuse("id-out-of-range", "not imported: ids from 1000000000 up are given out here")
