"""Hooks around every request: it is recorded, a fault may apply, headers are added."""

from flask import Response, g, request
from werkzeug.exceptions import HTTPException

from . import guard, keyed
from .callers import check_version
from .calls import call_name
from .current import local_stripe
from .errors import ApiError, ControlError, OAuthError
from .events import API_VERSION
from .identifiers import mint

OWN_PAGES = ("/_control", "/dashboard", "/static")
# As recorded on connect.stripe.com, on every answer.
HEADERS = {
    "Cache-Control": "max-age=0, no-cache, no-store, must-revalidate",
    "Pragma": "no-cache",
    "Expires": "0",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "none",
    "Referrer-Policy": "strict-origin-when-cross-origin",
    "Strict-Transport-Security": "max-age=31556926; includeSubDomains; preload",
}
PAGE_POLICY = "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'"


def install(app):
    app.before_request(begin)
    app.after_request(finish)
    for kind in (OAuthError, ApiError, ControlError):
        app.register_error_handler(kind, render)
    app.register_error_handler(HTTPException, render_http)


def begin():
    """Record the request; a fault that does not commit ends it here."""
    stripe = local_stripe()
    g.request_id = mint("req_", 14)
    g.fault = g.entry = g.key = None
    g.is_saved = True
    guard.check(request, stripe.host_names)
    if request.path.startswith(OWN_PAGES):
        return None
    g.entry = stripe.requests.arrived(request, g.request_id, stripe.clock.real())
    if (known := replay(stripe)) is not None:
        return known
    g.fault = stripe.faults.take(call_name(request.method, request.path))
    if g.fault is not None:
        g.entry["fault"] = g.fault.name
        if g.fault.kind.wire is not None:
            request.environ.get("local_stripe.faults", []).append(g.fault)
    if not is_carried_out(g.fault):
        g.fault.pause()
        return faulty(stripe, None)
    return keyed.begin(stripe) or carry_out(stripe)


def is_carried_out(fault):
    """Return whether the request is processed at all: its Idempotency-Key, if not its endpoint."""
    return fault is None or fault.commits or fault.kind.saves


def carry_out(stripe):
    """Begin the request under its key, and wait if it is slow; None lets the endpoint run."""
    if request.path.startswith("/v1/"):
        check_version()
    if g.fault is None:
        return None
    g.fault.pause()
    return None if g.fault.commits else faulty(stripe, None)


def faulty(stripe, real):
    """Return the fault's answer; faults below HTTP pass the real one on to the wire."""
    if g.fault.kind.answer is not None:
        return g.fault.kind.answer(stripe, g.fault, real)
    return real if real is not None else Response(status=500)


def finish(response):
    stripe = local_stripe()
    failing = g.fault if g.fault is not None and g.fault.commits else None
    if failing is not None and failing.kind.saves and not keyed.is_replayed(response):
        response = faulty(stripe, response)
        g.is_saved = True
    keyed.keep(stripe, response)
    if failing is not None and not failing.kind.saves:
        response = faulty(stripe, response)
    remember(stripe, response)
    dress(stripe, response)
    if request.method in ("POST", "DELETE"):
        stripe.save()
    if g.entry is not None:
        g.entry["status"] = response.status_code
        g.entry["replayed"] = keyed.is_replayed(response)
    return response


def replay(stripe):
    answer = stripe.replays.get(request.headers.get("Idempotency-Key"))
    if answer is None or request.path != "/oauth/token":
        return None
    body, status, kind = answer
    return Response(body, status, {"Idempotent-Replayed": "true"}, content_type=kind)


def remember(stripe, response):
    """
    Replay an answer, with the switch alone: whether connect.stripe.com honours Idempotency-Key is
    unknown.
    """
    key = request.headers.get("Idempotency-Key")
    if key and request.path == "/oauth/token" and stripe.switches["idempotency_on_connect"]:
        stripe.replays[key] = (response.get_data(), response.status_code, response.content_type)


def dress(stripe, response):
    for name, value in HEADERS.items():
        response.headers[name] = value
    if is_named(stripe, response):
        response.headers["Request-Id"] = g.request_id
    if response.status_code == 401:
        response.headers["Www-Authenticate"] = 'Bearer realm="Stripe"'
    if request.path.startswith("/v1/"):
        version = request.headers.get("Stripe-Version", API_VERSION)
        response.headers["Stripe-Version"] = version
        keyed.dress(response)
    elif request.path.startswith("/oauth/"):
        for cookie in ("machine_identifier", "private_machine_identifier"):
            response.set_cookie(cookie, mint("", 22), secure=True, httponly=True, samesite="None")
    if response.mimetype == "text/html":
        response.headers["Content-Security-Policy"] = PAGE_POLICY


def is_named(stripe, response):
    is_foreign = request.path.startswith("/v1/") and response.status_code == 403
    return not is_foreign or stripe.switches["forbidden_account_has_request_id"]


def render(error):
    g.is_saved = getattr(error, "is_saved", True)
    return local_stripe().json(error.body, error.status)


def render_http(error):
    """Render 404, 405 and the like in the API's shape."""
    url = f"{request.method}: {request.path}"
    message = f"Unrecognized request URL ({url})." if error.code == 404 else error.description
    body = {"error": {"message": message, "type": "invalid_request_error"}}
    return local_stripe().json(body, error.code)
