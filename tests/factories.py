"""Things a test needs to be there, made with only the fact that matters."""

import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

from app.db.transactions import transaction
from app.extensions import db
from app.models import (
    Event,
    PaymentIntent,
    Setting,
    StripeAuthorization,
    StripeDeauthorization,
    User,
    UsersEventsRole,
)
from tests.stripe_world import StripeWorld

NO_PASSWORD = "no password opens this account"
A_DAY = datetime(2027, 5, 1, 9, tzinfo=UTC)


class Factory:
    """Makes rows in the database of the app context that is active."""

    def user(self, email: str | None = None, **attributes: Any) -> User:
        """A verified user; with `is_admin=True` an admin."""
        email = email or f"{secrets.token_hex(4)}@example.com"
        given = {"is_verified": True, "password_hash": NO_PASSWORD, **attributes}
        return self._add(User(email=email, **given))

    def admin(self) -> User:
        """An admin."""
        return self.user(is_admin=True)

    def event(self, owner: User | None = None, **attributes: Any) -> Event:
        """A published event that takes payments by Stripe, with its owner in the role."""
        given = {
            "identifier": f"{secrets.token_hex(3)}ef",
            "name": "Summit",
            "starts_at": A_DAY,
            "ends_at": A_DAY + timedelta(hours=8),
            "timezone": "Europe/Berlin",
            "state": "published",
            "can_pay_by_stripe": True,
            "payment_currency": "EUR",
            **attributes,
        }
        event = self._add(Event(**given))
        self.role(owner or self.user(), event, "owner")
        return event

    def role(self, user: User, event: Event, role: str) -> UsersEventsRole:
        """A role of *user* at *event*."""
        return self._add(UsersEventsRole(user_id=user.id, event_id=event.id, role=role))

    def person(self, event: Event, role: str) -> User:
        """Somebody with that role at *event*."""
        user = self.user()
        self.role(user, event, role)
        return user

    def platform(self, stripe: StripeWorld, mode: str = "debug") -> Setting:
        """The platform, registered at the local Stripe in both modes."""
        with transaction() as session:
            setting = session.get_one(Setting, 1)
            setting.stripe_mode = mode
            for name, value in stripe.settings.items():
                setattr(setting, name.replace("-", "_"), value)
        return setting

    def link(self, event: Event, **attributes: Any) -> StripeAuthorization:
        """A link that nobody had to make at Stripe."""
        given = {
            "livemode": False,
            "stripe_user_id": f"acct_{secrets.token_hex(8)}",
            "stripe_publishable_key": f"pk_test_{secrets.token_hex(12)}",
            "stripe_auth_code": secrets.token_hex(32),
            "scope": "read_write",
            "client_id": "ca_test",
            **attributes,
        }
        link = StripeAuthorization(event_id=event.id, **given)
        link.stripe_secret_key = f"sk_test_{secrets.token_hex(12)}"
        link.stripe_refresh_token = f"rt_{secrets.token_hex(12)}"
        return self._add(link)

    def payment(self, event: Event, link: StripeAuthorization, **attributes: Any) -> PaymentIntent:
        """Return a payment to *link* that Stripe has made and that is canceled again."""
        given = {
            "event_id": event.id,
            "livemode": link.livemode,
            "stripe_user_id": link.stripe_user_id,
            "idempotency_key": secrets.token_hex(8),
            "request_digest": "-",
            "stripe_key": secrets.token_hex(16),
            "parameters": "{}",
            "amount": 1999,
            "currency": "EUR",
            "outcome": "created",
            "stripe_payment_intent_id": f"pi_{secrets.token_hex(12)}",
            "stripe_status": "canceled",
        }
        return self._add(PaymentIntent(**{**given, **attributes}))

    def deauthorization(self, **attributes: Any) -> StripeDeauthorization:
        """Return a pending deauthorization."""
        given = {"stripe_user_id": "acct_pending", "livemode": False, "client_id": "ca_test"}
        return self._add(StripeDeauthorization(**{**given, **attributes}))

    def _add(self, row: Any) -> Any:
        with transaction():
            db.session.add(row)
        return row
