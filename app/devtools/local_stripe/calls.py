"""The API calls, by the names that faults use for them."""

import re

# As (method, address); the first that fits counts.
CALLS = {
    "token": ("POST", "/oauth/token"),
    "deauthorize": ("POST", "/oauth/deauthorize"),
    "authorize": ("GET|POST", "/oauth/authorize"),
    "create-account": ("POST", "/v1/accounts"),
    "list-accounts": ("GET", "/v1/accounts"),
    "accounts": ("GET", "/v1/(account|accounts/[^/]+)"),
    "account-links": ("POST", "/v1/account_links"),
    "create-payment-intent": ("POST", "/v1/payment_intents"),
    "list-payment-intents": ("GET", "/v1/payment_intents"),
    "payment-intents": ("GET", "/v1/payment_intents/[^/]+"),
    "confirm-payment-intent": ("POST", "/v1/payment_intents/[^/]+/confirm"),
    "cancel-payment-intent": ("POST", "/v1/payment_intents/[^/]+/cancel"),
}
BY_SERVERS = tuple(name for name in CALLS if name != "authorize")
OF_THE_API = tuple(name for name, (_, path) in CALLS.items() if path.startswith("/v1"))


def call_name(method: str, path: str) -> str | None:
    """Return the name of a call, or None for a page or an unknown path."""
    for name, (methods, address) in CALLS.items():
        if re.fullmatch(methods, method) and re.fullmatch(address, path):
            return name
    return None
