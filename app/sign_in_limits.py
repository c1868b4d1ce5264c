"""How many sign-ins one network address may try, at every door that takes a password."""

from ipaddress import ip_address, ip_network

from flask import request

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


# Goes around a view. Failures are counted more strictly, in app/services/failed_sign_ins.py.
limit_attempts = limiter.shared_limit("300/minute", scope="sign-in", key_func=client_address)
