"""A POST to api.stripe.com under its Idempotency-Key: begun, stored, replayed."""

from typing import TYPE_CHECKING

from flask import Response, g, request

from .callers import identify
from .errors import NotExecuted
from .idempotency import Entry, Request

if TYPE_CHECKING:
    from .world import LocalStripe


def begin(stripe: "LocalStripe") -> Response | None:
    """Return the answer kept under the request's key, or None: then it runs, under that key.

    A request without a known key of a platform or account has no scope: its endpoint refuses it.
    """
    key = request.headers.get("Idempotency-Key")
    if request.method != "POST" or not request.path.startswith("/v1/") or not key:
        return None
    try:
        name = (*scope(stripe), key)
    except NotExecuted:
        return None
    form = tuple(sorted(request.form.items(multi=True)))
    entry = Entry(Request(request.path, form), g.request_id, stripe.clock.now())
    known = stripe.keys.begin(name, entry)
    if known is not None:
        return known.replay()
    g.key = name
    return None


def scope(stripe: "LocalStripe") -> tuple[str, str, str]:
    """Return the scope: keys belong to a platform or an account, per mode and account acted for."""
    with stripe.ledger.lock:
        caller = identify(stripe)
    owner = caller.own_account.id
    mode = "live" if caller.livemode else "test"
    return owner, mode, request.headers.get("Stripe-Account", owner)


def keep(stripe: "LocalStripe", response: Response) -> None:
    """Store the first answer under the key, or free the key if nothing was executed."""
    if g.get("key") is None:
        return
    name, g.key = g.key, None
    if g.is_saved or stripe.switches["refusals_are_saved"]:
        stripe.keys.keep(name, (response.get_data(), response.status_code, response.content_type))
    else:
        stripe.keys.release(name)


def is_replayed(response: Response) -> bool:
    """Return whether this answer was replayed."""
    return "Idempotent-Replayed" in response.headers


def dress(response: Response) -> None:
    """Add the headers that answers to POSTs have."""
    key = request.headers.get("Idempotency-Key")
    if request.method != "POST":
        return
    if key:
        response.headers["Idempotency-Key"] = key
        response.headers.setdefault("Original-Request", g.request_id)
    if response.status_code < 500:
        response.headers["Stripe-Should-Retry"] = "true" if response.status_code == 409 else "false"
