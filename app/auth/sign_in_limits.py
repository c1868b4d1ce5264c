"""How many sign-ins one network address may try, at every door that takes a password."""

from ipaddress import ip_address, ip_network
from math import ceil
from time import time

from flask import Response, request
from flask_limiter import RequestLimit

from app.extensions import limiter


def client_address() -> str:
    """Return the caller's address; of IPv6 the 64 bits that all addresses of one customer share."""
    given = request.remote_addr or "unknown"
    try:
        address = ip_address(given)
    except ValueError:  # a Unix socket
        return given
    if address.version == 4:
        return given
    return str(address.ipv4_mapped or ip_network((address, 64), strict=False))


def _tell_when(limit: RequestLimit) -> Response:
    """Say when to try again; the rest of the answer is written where all refusals are."""
    return Response(headers={"Retry-After": str(max(1, ceil(limit.window.reset_time - time())))})


# Goes around a view. Failures are counted more strictly, in app/auth/failed_sign_ins.py.
limit_attempts = limiter.shared_limit(
    "300/minute", scope="sign-in", key_func=client_address, on_breach=_tell_when
)
