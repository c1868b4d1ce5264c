"""
The table of routes: every address, its resource, the right that each method takes, its limits.

Whatever follows from an address follows from here: registration, the guard at the door, the limits
on bodies and bursts. A new address is one line here and one resource.
"""

from app.api import (
    audit_entries,
    events,
    payment_intents,
    sessions,
    settings,
    stripe_accounts,
    stripe_authorization_requests,
    stripe_authorizations,
    stripe_checks,
    stripe_link_attempts,
    users,
    users_events_roles,
    webhooks,
)
from app.auth.policy import (
    CHANGE_SETTINGS,
    CHECK_PLATFORM,
    CONNECT,
    DELETE_EVENT,
    DISCONNECT,
    EDIT_EVENT,
    LIST_LINKS,
    MANAGE_TEAM,
    MANAGE_USERS,
    PAY,
    PUBLIC,
    READ_AUDIT_TRAIL,
    READ_HISTORY,
    READ_PAYMENTS,
    SEE_LINKS,
    SIGNED_IN,
)
from app.http import docs, health, metrics
from app.http.openapi import document
from app.http.routing import Route
from app.web import admin, admin_settings, assets, callback, connections, event_page, sign_in, team
from app.web import events as event_pages

# Linkage is changed by connecting and disconnecting alone: the resource refuses every write.
LINKAGE = dict.fromkeys(("GET", "POST", "PATCH", "DELETE"), PUBLIC)  # writes are always refused
LINK = {"GET": PUBLIC, "PATCH": CONNECT, "DELETE": DISCONNECT}

READ, SEND = {"GET": SIGNED_IN}, {"POST": SIGNED_IN}
FORM = {**READ, **SEND}
OPEN_FORM = {"GET": PUBLIC, "POST": PUBLIC}

PAGES = (
    Route(("/",), sign_in.home, {"GET": PUBLIC}, page=True),
    Route(("/sign-in",), sign_in.sign_in, OPEN_FORM, page=True, signs_in=True),
    Route(("/sign-out",), sign_in.sign_out, {"POST": PUBLIC}, page=True),
    Route(("/events",), event_pages.show_list, READ, page=True),
    Route(("/events/new",), event_pages.create, FORM, page=True),
    Route(("/events/<event>",), event_page.show, READ, page=True),
    Route(("/events/<event>/edit",), event_pages.edit, FORM, page=True),
    Route(("/events/<event>/connect",), connections.connect, {"POST": CONNECT}, page=True),
    Route(("/events/<event>/reconnect",), connections.reconnect, {"POST": CONNECT}, page=True),
    Route(("/events/<event>/disconnect",), connections.disconnect, {"GET": DISCONNECT}, page=True),
    Route(
        ("/events/<event>/disconnect/<authorization>",),
        connections.disconnect_now,
        {"POST": DISCONNECT},
        page=True,
    ),
    Route(("/events/<event>/finish",), connections.finish, {"POST": CONNECT}, page=True),
    Route(("/events/<event>/account",), connections.use_account, {"POST": CONNECT}, page=True),
    Route(("/events/<event>/test-payment",), connections.pay_for_test, {"POST": PAY}, page=True),
    Route(("/events/<event>/team",), team.give, {"POST": MANAGE_TEAM}, page=True),
    Route(("/events/<event>/team/<role>",), team.take, {"POST": MANAGE_TEAM}, page=True),
    Route(
        ("/admin/settings",),
        admin_settings.settings,
        {"GET": CHANGE_SETTINGS, "POST": CHANGE_SETTINGS},
        page=True,
    ),
    Route(("/admin/settings/check",), admin_settings.check, {"POST": CHECK_PLATFORM}, page=True),
    Route(("/admin/links",), admin.links, {"GET": SEE_LINKS}, page=True),
    Route(("/admin/audit",), admin.audit, {"GET": READ_AUDIT_TRAIL}, page=True),
    Route(("/admin/users",), admin.users, {"GET": MANAGE_USERS}, page=True),
    Route(("/admin/users/<user>/block",), admin.block, {"POST": MANAGE_USERS}, page=True),
    Route(("/admin/users/<user>/unblock",), admin.unblock, {"POST": MANAGE_USERS}, page=True),
    # Who is not signed in is led to the sign-in here too, but what they bring waits for them.
    Route(("/connect/callback",), callback.arrive, {"GET": PUBLIC}, page=True),
    Route(("/assets/<file>",), assets.show, {"GET": PUBLIC}),
)

ROUTES = (
    Route(("/health/live",), health.live, {"GET": PUBLIC}),
    Route(("/health/ready",), health.ready, {"GET": PUBLIC}),
    Route(("/metrics",), metrics.show, {"GET": PUBLIC}),  # asks for METRICS_TOKEN by itself
    Route(("/openapi.json",), document.show, {"GET": PUBLIC}),
    Route(("/docs",), docs.page, {"GET": PUBLIC}),
    Route(("/docs/<file>",), docs.asset, {"GET": PUBLIC}),
    Route(
        ("/auth/session", "/v1/auth/login"),
        sessions.sign_in,
        {"POST": PUBLIC},
        plain_json=True,
        signs_in=True,
    ),
    # The next two ask for their token by themselves: a refresh token, any token.
    Route(("/v1/auth/token/refresh",), sessions.refresh, {"POST": PUBLIC}, plain_json=True),
    Route(("/v1/auth/logout",), sessions.sign_out, {"POST": PUBLIC}, plain_json=True),
    Route(
        ("/v1/auth/fresh-login",),
        sessions.sign_in_again,
        {"POST": SIGNED_IN},
        plain_json=True,
        signs_in=True,
    ),
    Route(("/v1/users/<user>",), users.UserDetail, {"GET": SIGNED_IN}),
    Route(
        ("/v1/settings", "/v1/settings/<setting>"),
        settings.SettingDetail,
        {"GET": PUBLIC, "PATCH": CHANGE_SETTINGS},
    ),
    Route(("/v1/events",), events.EventList, {"GET": PUBLIC, "POST": SIGNED_IN}),
    Route(
        ("/v1/events/<event>",),
        events.EventDetail,
        {"GET": PUBLIC, "PATCH": EDIT_EVENT, "DELETE": DELETE_EVENT},
    ),
    Route(
        ("/v1/events/<event>/users-events-roles",),
        users_events_roles.EventUsersEventsRoles,
        {"GET": MANAGE_TEAM},
    ),
    Route(
        ("/v1/users-events-roles",), users_events_roles.UsersEventsRoleList, {"POST": MANAGE_TEAM}
    ),
    Route(
        ("/v1/users-events-roles/<role>",),
        users_events_roles.UsersEventsRoleDetail,
        {"DELETE": MANAGE_TEAM},
    ),
    Route(
        ("/v1/stripe-authorizations",),
        stripe_authorizations.StripeAuthorizationList,
        {"GET": LIST_LINKS, "POST": CONNECT},
        burst_proof="Authorization",
    ),
    Route(
        ("/v1/stripe-authorizations/<authorization>",),
        stripe_authorizations.StripeAuthorizationDetail,
        LINK,
    ),
    Route(
        ("/v1/stripe-authorizations/<authorization>/event",),
        stripe_authorizations.StripeAuthorizationEvent,
        {"GET": PUBLIC},
    ),
    Route(
        ("/v1/stripe-authorizations/<authorization>/relationships/event",),
        stripe_authorizations.StripeAuthorizationEventLinkage,
        LINKAGE,
    ),
    Route(
        ("/v1/events/<event>/stripe-authorization",),
        stripe_authorizations.EventStripeAuthorization,
        LINK,
    ),
    Route(
        ("/v1/events/<event>/relationships/stripe-authorization",),
        stripe_authorizations.EventStripeAuthorizationLinkage,
        LINKAGE,
    ),
    Route(
        ("/v1/events/<event>/stripe-link-attempts",),
        stripe_link_attempts.EventStripeLinkAttempts,
        {"GET": READ_HISTORY},
    ),
    Route(("/v1/stripe-accounts",), stripe_accounts.StripeAccountList, {"GET": SIGNED_IN}),
    Route(
        ("/v1/stripe-accounts/<account>",),
        stripe_accounts.StripeAccountDetail,
        {"GET": SIGNED_IN},
    ),
    Route(
        ("/v1/stripe-authorization-requests",),
        stripe_authorization_requests.StripeAuthorizationRequestList,
        {"POST": CONNECT},
    ),
    Route(
        ("/v1/payment-intents",),
        payment_intents.PaymentIntentList,
        {"POST": PAY},
        burst_proof="Authorization",
    ),
    Route(
        ("/v1/payment-intents/<payment>",),
        payment_intents.PaymentIntentDetail,
        {"GET": READ_PAYMENTS, "PATCH": PAY},
    ),
    Route(
        ("/v1/events/<event>/payment-intents",),
        payment_intents.EventPaymentIntents,
        {"GET": READ_PAYMENTS},
    ),
    Route(("/v1/stripe-checks",), stripe_checks.StripeCheckList, {"POST": CHECK_PLATFORM}),
    Route(("/v1/audit-entries",), audit_entries.AuditEntryList, {"GET": READ_AUDIT_TRAIL}),
    Route(  # Stripe's signature is the proof
        ("/stripe/webhooks", "/stripe/webhooks/"),
        webhooks.receive_webhook,
        {"POST": PUBLIC},
        largest_body=256 * 1024,
        burst_proof="Stripe-Signature",
    ),
    *PAGES,
)
