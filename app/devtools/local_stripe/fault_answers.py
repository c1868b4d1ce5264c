"""The answers of faults. Each function gets (stripe, fault, the real answer or None)."""

import json

from flask import Response, request

from .accounts import deleted, no_such_account
from .authentication import Presented
from .callers import forbidden
from .errors import documented
from .identifiers import mask

GATEWAY_PAGE = (
    "<!DOCTYPE html>\n<html><head><title>Bad gateway</title></head>"
    "<body><h1>We are having trouble</h1><p>Please try again.</p></body></html>\n"
)
SERVER_ERROR = "An unknown error occurred"
TOO_MANY = "Too many requests hit the API too quickly. We recommend an exponential backoff."
HISTORIC = ("access_token", "refresh_token", "stripe_publishable_key")


def server_error(stripe, fault, real):
    body = {"error": {"message": SERVER_ERROR, "type": "api_error"}}
    return stripe.json(body, status_of(fault))


def rate_limited(stripe, fault, real):
    """Return a 429 in the shape that the switch says: the OAuth host's is unknown."""
    status = status_of(fault)
    shape = stripe.switches["rate_limit_shape"]
    if shape == "html":
        return Response(GATEWAY_PAGE, status, content_type="text/html")
    if shape == "oauth":
        return stripe.json({"error": "rate_limit", "error_description": TOO_MANY}, status)
    error = {"message": TOO_MANY, "type": "invalid_request_error", "code": "rate_limit"}
    return stripe.json({"error": error}, status)


def html(stripe, fault, real):
    return Response(GATEWAY_PAGE, status_of(fault), content_type="text/html; charset=utf-8")


def empty(stripe, fault, real):
    return Response(b"", status_of(fault), content_type="application/json")


def cut_json(stripe, fault, real):
    whole = real.get_data()
    return Response(whole[: len(whole) // 2], real.status_code, content_type="application/json")


def no_description(stripe, fault, real):
    return stripe.json({"error": "invalid_grant"}, 400)


def error_object(stripe, fault, real):
    error = {"message": "Something is wrong with this request", "type": "invalid_request_error"}
    return stripe.json({"error": error}, 400)


def unknown_error(stripe, fault, real):
    body = {"error": "temporarily_unavailable", "error_description": "Please try again later"}
    return stripe.json(body, 400)


def account_403(stripe, fault, real):
    refused = forbidden(sent_key(), last_of_path())
    return stripe.json(refused.body, refused.status)


def account_404(stripe, fault, real):
    refused = no_such_account(last_of_path())
    return stripe.json(refused.body, refused.status)


def account_deleted(stripe, fault, real):
    return stripe.json(deleted(last_of_path()))


def key_expired(stripe, fault, real):
    message = f"Expired API Key provided: {mask(sent_key())}"
    return key_refused(stripe, 401, message, "api_key_expired")


def key_invalid(stripe, fault, real):
    return key_refused(stripe, 401, f"Invalid API Key provided: {mask(sent_key())}")


def key_restricted(stripe, fault, real):
    message = (
        f"Permission denied. The provided key '{mask(sent_key())}' does not have the required "
        "permissions for this endpoint."
    )
    return key_refused(stripe, 403, message)


def not_a_platform(stripe, fault, real):
    message = (
        "Only Stripe Connect platforms can work with other accounts. If you specified a client_id "
        "parameter, make sure it's correct."
    )
    return key_refused(stripe, 403, message)


def key_refused(stripe, status, message, code=None):
    """Return a 401 in the shape of the host; the one of connect.stripe.com is a guess."""
    if request.path.startswith("/oauth/"):
        return stripe.json({"error": "invalid_client", "error_description": message}, status)
    error = {"message": message, "type": "invalid_request_error", **documented(code)}
    return stripe.json({"error": error}, status)


def sent_key():
    return Presented.read(request).key or ""


def last_of_path():
    return request.path.rpartition("/")[2]


def redirect(stripe, fault, real):
    response = stripe.json({}, status_of(fault))
    response.headers["Location"] = request.host_url + "elsewhere"
    return response


def four_fields(stripe, fault, real):
    return changed(stripe, real, **dict.fromkeys(HISTORIC))


def wrong_types(stripe, fault, real):
    return changed(stripe, real, livemode="no", stripe_user_id=["acct"], scope=7)


def wrong_livemode(stripe, fault, real):
    return changed(stripe, real, livemode=not grant_in(real).get("livemode"))


def wrong_scope(stripe, fault, real):
    return changed(stripe, real, scope="read_only")


def no_account(stripe, fault, real):
    return changed(stripe, real, stripe_user_id=None)


def wrong_publishable_key(stripe, fault, real):
    grant = grant_in(real)
    mode = "test" if grant.get("livemode") else "live"
    tail = str(grant.get("stripe_publishable_key"))[8:]
    return changed(stripe, real, stripe_publishable_key=f"pk_{mode}_{tail}")


def flood(stripe, fault, real):
    return changed(stripe, real, padding="x" * int(fault.args["bytes"]))


def status_of(fault):
    return int(fault.args["status"])


def grant_in(real):
    return json.loads(real.get_data())


def changed(stripe, real, **fields):
    """
    Return the real answer with some fields replaced, or left out where None; errors stay as they
    are.
    """
    if real.status_code != 200 or not real.is_json:
        return real
    body = {**grant_in(real), **fields}
    return stripe.json({name: value for name, value in body.items() if value is not None})
