"""No route comes or goes unnoticed."""

from tests.contract.routes import routes_of

ROUTES = """
DELETE /v1/events/<event>
DELETE /v1/events/<event>/relationships/stripe-authorization
DELETE /v1/events/<event>/stripe-authorization
DELETE /v1/stripe-authorizations/<authorization>
DELETE /v1/stripe-authorizations/<authorization>/relationships/event
DELETE /v1/users-events-roles/<role>
GET /
GET /admin/audit
GET /admin/links
GET /admin/settings
GET /admin/users
GET /assets/<file>
GET /connect/callback
GET /docs
GET /docs/<file>
GET /events
GET /events/<event>
GET /events/<event>/disconnect
GET /events/<event>/edit
GET /events/new
GET /health/live
GET /health/ready
GET /metrics
GET /openapi.json
GET /sign-in
GET /v1/audit-entries
GET /v1/events
GET /v1/events/<event>
GET /v1/events/<event>/payment-intents
GET /v1/events/<event>/relationships/stripe-authorization
GET /v1/events/<event>/stripe-authorization
GET /v1/events/<event>/stripe-link-attempts
GET /v1/events/<event>/users-events-roles
GET /v1/payment-intents/<payment>
GET /v1/settings
GET /v1/settings/<setting>
GET /v1/stripe-accounts
GET /v1/stripe-accounts/<account>
GET /v1/stripe-authorizations
GET /v1/stripe-authorizations/<authorization>
GET /v1/stripe-authorizations/<authorization>/event
GET /v1/stripe-authorizations/<authorization>/relationships/event
GET /v1/users/<user>
PATCH /v1/events/<event>
PATCH /v1/events/<event>/relationships/stripe-authorization
PATCH /v1/events/<event>/stripe-authorization
PATCH /v1/payment-intents/<payment>
PATCH /v1/settings
PATCH /v1/settings/<setting>
PATCH /v1/stripe-authorizations/<authorization>
PATCH /v1/stripe-authorizations/<authorization>/relationships/event
POST /admin/settings
POST /admin/settings/check
POST /admin/users/<user>/block
POST /admin/users/<user>/unblock
POST /auth/session
POST /events/<event>/account
POST /events/<event>/connect
POST /events/<event>/disconnect/<authorization>
POST /events/<event>/edit
POST /events/<event>/finish
POST /events/<event>/reconnect
POST /events/<event>/team
POST /events/<event>/team/<role>
POST /events/<event>/test-payment
POST /events/new
POST /sign-in
POST /sign-out
POST /stripe/webhooks
POST /stripe/webhooks/
POST /v1/auth/fresh-login
POST /v1/auth/login
POST /v1/auth/logout
POST /v1/auth/token/refresh
POST /v1/events
POST /v1/events/<event>/relationships/stripe-authorization
POST /v1/payment-intents
POST /v1/stripe-authorization-requests
POST /v1/stripe-authorizations
POST /v1/stripe-authorizations/<authorization>/relationships/event
POST /v1/stripe-checks
POST /v1/users-events-roles
"""


def test_the_routes_are_the_ones_we_promise(app):
    promised = set(ROUTES.strip().splitlines())

    found = routes_of(app)

    assert promised == found, "Change the list here together with contract, README and rights."
