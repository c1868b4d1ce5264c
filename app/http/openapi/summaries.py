"""What each operation is for, in one sentence. What is not listed says what its view does."""

SUMMARIES = {
    "GET /health/live": "Say whether the process runs.",
    "GET /health/ready": "Say whether the service can work: database, migrations.",
    "GET /metrics": "Return the metrics of this instance in Prometheus' text format.",
    "GET /openapi.json": "Return this document.",
    "GET /docs": "Show this document to people.",
    "GET /docs/<file>": "Return a file that the page for people needs.",
    "GET /assets/<file>": "Return a file that the console's pages need.",
    "POST /auth/session": "Sign in with an e-mail address and a password.",
    "POST /v1/auth/token/refresh": "Exchange a refresh token for another access token.",
    "POST /v1/auth/logout": "End the session; its tokens are refused from then on.",
    "POST /v1/auth/fresh-login": "Give the password again, for what needs a fresh token.",
    "GET /v1/users/<user>": "Read a user; `me` is the caller.",
    "GET /v1/settings": "Read the platform's public keys; administrators see the secrets masked.",
    "PATCH /v1/settings": "Change the platform's keys and its mode.",
    "GET /v1/events": "List published events and one's own.",
    "POST /v1/events": "Create an event, and become its owner.",
    "GET /v1/events/<event>": "Read an event.",
    "PATCH /v1/events/<event>": "Change an event.",
    "DELETE /v1/events/<event>": "Delete an event and disconnect its Stripe accounts.",
    "GET /v1/events/<event>/users-events-roles": "List who has a role at an event.",
    "POST /v1/users-events-roles": "Give a person a role at an event.",
    "DELETE /v1/users-events-roles/<role>": "Take a role away.",
    "GET /v1/stripe-accounts": "List the accounts that the caller has connected.",
    "GET /v1/stripe-accounts/<account>": "Read an account that the caller has connected.",
    "GET /v1/stripe-authorizations": "List the links that the caller may see in full.",
    "POST /v1/stripe-authorizations": "Link a Stripe account to an event, in one of three ways.",
    "GET /v1/stripe-authorizations/<authorization>": "Read a link.",
    "PATCH /v1/stripe-authorizations/<authorization>": "Replace the linked account by another.",
    "DELETE /v1/stripe-authorizations/<authorization>": "Unlink the account and disconnect it.",
    "GET /v1/stripe-authorizations/<authorization>/event": "Read the event of a link.",
    "GET /v1/events/<event>/stripe-authorization": "Read an event's link: the publishable key.",
    "PATCH /v1/events/<event>/stripe-authorization": "Replace the linked account by another.",
    "DELETE /v1/events/<event>/stripe-authorization": "Unlink the account and disconnect it.",
    "GET /v1/events/<event>/stripe-link-attempts": "List the attempts to link, newest first.",
    "POST /v1/stripe-authorization-requests": "Get the address at Stripe that starts connecting.",
    "POST /v1/payment-intents": "Create a payment to the linked account, once per idempotency key.",
    "GET /v1/payment-intents/<payment>": "Read a payment.",
    "PATCH /v1/payment-intents/<payment>": "Cancel a payment.",
    "GET /v1/events/<event>/payment-intents": "List an event's payments, newest first.",
    "POST /v1/stripe-checks": "Check the platform's keys at Stripe.",
    "GET /v1/audit-entries": "List who did what with which key, link or role.",
    "POST /stripe/webhooks": "Receive an event that Stripe has signed.",
}
LINKAGE = {
    "/v1/stripe-authorizations/<authorization>/relationships/event",
    "/v1/events/<event>/relationships/stripe-authorization",
}
SUMMARIES |= {f"GET {address}": "Read the linkage alone." for address in LINKAGE}
SUMMARIES |= {
    f"{method} {address}": "Refused: only connecting and disconnecting change linkage."
    for address in LINKAGE
    for method in ("POST", "PATCH", "DELETE")
}
