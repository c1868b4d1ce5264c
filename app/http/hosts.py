"""Which names the service answers to, and who is calling: also behind proxies."""

import re
from collections.abc import Iterable
from ipaddress import ip_address, ip_network
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from flask import Flask, current_app, request
from werkzeug.middleware.proxy_fix import ProxyFix

from app.errors import BadRequest
from config_checks import is_network

HOST = re.compile(r"(\[(?P<address>[0-9a-f:.]+)\]|(?P<name>[\w.-]+))(:[0-9]{0,5})?", re.ASCII)
# What proxies write for a client: 192.0.2.1, 192.0.2.1:4711, 2001:db8::1, [2001:db8::1]:4711.
CLIENT = re.compile(r"\[([^\]]*)\](?::[0-9]*)?|([0-9.]+):[0-9]*")
PROBES = "/health/"


def init_app(app: Flask, allowed: Iterable[str], trusted_proxies: int) -> None:
    """
    Answer to *allowed* names, addresses and networks only; trust the `X-Forwarded-*` of that many
    proxies.
    """
    named = {host.lower().strip("[]") for host in allowed}
    networks = {host for host in named if is_network(host)}
    app.extensions["allowed_hosts"] = named - networks
    app.extensions["allowed_networks"] = [ip_network(each) for each in networks]
    app.wsgi_app = _forgetting_the_host_of_probes(app.wsgi_app)  # type: ignore[method-assign,assignment]
    if trusted_proxies:
        count = trusted_proxies
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            app.wsgi_app, x_for=count, x_proto=count, x_host=count, x_port=count
        )


def _forgetting_the_host_of_probes(wsgi_app: WSGIApplication) -> WSGIApplication:
    """Routing itself refuses hosts that cannot be one, before anything of ours is asked."""

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"].startswith(PROBES):
            environ["HTTP_HOST"] = "localhost"
        return wsgi_app(environ, start_response)

    return answer


def check_host() -> None:
    """
    Refuse a name that is not ours; a leading dot in the list allows every name below it, a network
    every address in it.

    Health is told under any name or none, because load balancers ask by address.
    """
    if request.path.startswith(PROBES):
        return
    found = HOST.fullmatch(request.environ.get("HTTP_HOST", "").lower())
    name = (found["address"] or found["name"]) if found else ""
    allowed = current_app.extensions["allowed_hosts"]
    parents = (name[dot:] for dot, character in enumerate(name) if character == ".")
    if name in allowed or not allowed.isdisjoint(parents) or _is_in_network(name):
        return
    raise BadRequest("This service does not answer to that name.", header="Host")


def _is_in_network(name: str) -> bool:
    try:
        address = ip_address(name)
    except ValueError:
        return False
    return any(address in network for network in current_app.extensions["allowed_networks"])


def client_address() -> str:
    """
    Return what one client is counted by: its address; of IPv6 the 64 bits of one customer.

    Some proxies add a port, which changes with every connection. Where a proxy says what is no
    address, all its clients of that kind are counted together, by its own.
    """
    said = request.remote_addr or ""
    before = request.environ.get("werkzeug.proxy_fix.orig")
    peer = (before["REMOTE_ADDR"] or "") if before else said
    return _network(said) or _network(peer) or peer or "unknown"


def _network(text: str) -> str | None:
    """Return the address in *text* as it is counted; None if there is none."""
    found = CLIENT.fullmatch(text.strip())
    try:
        address = ip_address((found[1] or found[2] or "") if found else text.strip())
    except ValueError:
        return None
    if address.version == 4:
        return str(address)
    return str(address.ipv4_mapped or ip_network((int(address), 64), strict=False))
