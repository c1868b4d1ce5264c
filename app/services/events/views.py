"""An event, its people and their roles, each as one caller sees them."""

from dataclasses import dataclass
from datetime import datetime

from app.auth.policy import Role
from app.services.identifiers import event_reference
from app.services.linking.links import AuthorizationView
from app.services.users import UserView


@dataclass(frozen=True, slots=True)
class FoundEvent:
    """What decisions about an event need; *role* is what the caller is to it."""

    id: int
    identifier: str
    state: str
    starts_at: datetime
    ends_at: datetime
    payment_country: str | None
    payment_currency: str | None
    can_pay_by_stripe: bool
    role: Role


@dataclass(frozen=True, slots=True)
class EventView:
    """
    An event as a caller with *role* sees it. The schema hides from them what is private.

    *is_stripe_linked* is derived; *stripe_authorization* is the link of the current mode, unless it
    is hidden. The people are there only if they were asked for.
    """

    id: int
    identifier: str
    name: str
    description: str | None
    starts_at: datetime
    ends_at: datetime
    timezone: str
    state: str
    payment_country: str | None
    payment_currency: str | None
    can_pay_by_stripe: bool
    owner_name: str | None
    created_at: datetime
    deleted_at: datetime | None
    role: Role
    is_stripe_linked: bool
    stripe_authorization: AuthorizationView | None
    owner: UserView | None = None
    organizers: tuple[UserView, ...] = ()
    coorganizers: tuple[UserView, ...] = ()

    @property
    def reference(self) -> str:
        """What names the event in the addresses of pages."""
        return event_reference(self.id, self.identifier)

    @property
    def stripe_action_needed(self) -> bool:
        """Whether buyers should be able to pay by Stripe and cannot: an account is missing."""
        return self.state == "published" and self.can_pay_by_stripe and not self.is_stripe_linked


@dataclass(frozen=True, slots=True)
class RoleView:
    """A role that *user* has at *event*."""

    id: int
    role: str
    user: UserView
    event: FoundEvent | EventView

    @property
    def user_id(self) -> int:
        """The id of the user, for links."""
        return self.user.id

    @property
    def event_id(self) -> int:
        """The id of the event, for links."""
        return self.event.id
