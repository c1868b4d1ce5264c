"""The tables, one file each."""

from app.models.audit_entry import AuditEntry
from app.models.event import Event, UsersEventsRole
from app.models.imported_row import ImportedRole, ImportedRow
from app.models.payment_intent import PaymentIntent
from app.models.service_token import ServiceToken
from app.models.setting import Setting
from app.models.stripe_account import StripeAccount
from app.models.stripe_authorization import StripeAuthorization
from app.models.stripe_authorization_request import StripeAuthorizationRequest
from app.models.stripe_deauthorization import StripeDeauthorization
from app.models.stripe_link_attempt import StripeLinkAttempt
from app.models.stripe_mirror import StripeMirror
from app.models.stripe_webhook_event import StripeWebhookEvent
from app.models.user import EndedSession, User

__all__ = [
    "AuditEntry",
    "EndedSession",
    "Event",
    "ImportedRole",
    "ImportedRow",
    "PaymentIntent",
    "ServiceToken",
    "Setting",
    "StripeAccount",
    "StripeAuthorization",
    "StripeAuthorizationRequest",
    "StripeDeauthorization",
    "StripeLinkAttempt",
    "StripeMirror",
    "StripeWebhookEvent",
    "User",
    "UsersEventsRole",
]
