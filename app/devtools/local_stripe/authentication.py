"""Who is asking: the three ways Stripe takes a secret key, and the one it refuses."""

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
        """The header wins over the field, as with a client that sends both."""
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
    """Stripe takes the user for the key; a password beside it changes nothing."""
    try:
        return base64.b64decode(value, validate=True).decode().partition(":")[0]
    except (binascii.Error, UnicodeDecodeError):
        return value


def authenticate(stripe, request):
    """The application whose key was sent to connect.stripe.com; else a 401 in its words."""
    presented = Presented.read(request)
    if presented.key is None:
        raise no_authentication()
    application = stripe.ledger.application_of_key(presented.key)
    if application is None or not is_key_allowed(stripe, presented.key):
        raise no_such_key(presented.key)
    return application


def is_key_allowed(stripe, key):
    return not key.startswith("rk_") or stripe.switches["restricted_keys_accepted"]
