"""
Authentication: the three ways in which Stripe accepts a secret key, and the one that it refuses.
"""

import base64
import binascii
from dataclasses import dataclass

from .errors import no_authentication, no_such_key


@dataclass(frozen=True)
class Presented:
    """The key as sent (None: nothing was sent) and every form it came in."""

    key: str | None
    forms: tuple

    @classmethod
    def read(cls, request):
        """Read the key; the header takes precedence over the form field."""
        header = request.headers.get("Authorization")
        field = request.form.get("client_secret")
        forms = ("client_secret",) if field is not None else ()
        if header is None:
            return cls(field, forms)
        form, key = read_header(header)
        return cls(key, (form, *forms))


def read_header(header):
    scheme, _, value = header.partition(" ")
    if scheme.lower() == "basic":
        user = basic_user(value)
        return ("basic-client-id" if user.startswith("ca_") else "basic"), user
    if scheme.lower() == "bearer":
        return "bearer", value.strip() or scheme
    return "other", scheme


def basic_user(value):
    """
    Return the user name of Basic authentication, which is the key; Stripe ignores the password.
    """
    try:
        return base64.b64decode(value, validate=True).decode().partition(":")[0]
    except (binascii.Error, UnicodeDecodeError):
        return value


def authenticate(stripe, request):
    """Return the application whose key was sent to connect.stripe.com. Raises its 401."""
    presented = Presented.read(request)
    if presented.key is None:
        raise no_authentication()
    application = stripe.ledger.application_of_key(presented.key)
    if application is None or not is_key_allowed(stripe, presented.key):
        raise no_such_key(presented.key)
    return application


def is_key_allowed(stripe, key):
    return not key.startswith("rk_") or stripe.switches["restricted_keys_accepted"]
