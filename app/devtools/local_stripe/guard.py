"""Who may use the local Stripe: programs that address it by its own name, and its own pages.

A foreign page, open in a developer's browser, can send requests here. It cannot choose the
Host (a name of its own that it lets resolve to this machine stays in it), cannot hide the Origin
of a form, and cannot send JSON without asking first, which is never allowed.
"""

import ipaddress
from urllib.parse import urlsplit

from flask import Request

from .errors import ControlError

OWN_NAMES = ("localhost", "127.0.0.1", "::1")
FOR_PEOPLE = ("/dashboard", "/setup", "/oauth/authorize", "/_control")


def check(request: Request, more_names: tuple[str, ...]) -> None:
    """Refuse what a foreign page may have sent."""
    check_host(request, more_names)
    if request.method == "POST" and request.path.startswith(FOR_PEOPLE):
        check_origin(request)
    if request.method == "POST" and request.path.startswith("/_control"):
        check_control(request)


def check_host(request: Request, more_names: tuple[str, ...]) -> None:
    """Refuse foreign Host names: a name can be rebound to this machine, an address cannot."""
    name = host_name(request.host)
    if name in OWN_NAMES or name in more_names or is_address_of_many(name, more_names):
        return
    raise ControlError(f"This is the local Stripe, and not {name!r}.", status=403)


def host_name(host: str) -> str:
    """Return the name without port and brackets, in lower case."""
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


def is_address_of_many(name: str, more_names: tuple[str, ...]) -> bool:
    """Whether we listen on every address of the machine and *name* is one."""
    if not {"0.0.0.0", "::"} & set(more_names):
        return False
    try:
        return bool(ipaddress.ip_address(name))
    except ValueError:
        return False


def check_origin(request: Request) -> None:
    """Refuse foreign origins: browsers name the page that sent a form, programs name none."""
    origin = request.headers.get("Origin")
    if origin is not None and origin != request.host_url.rstrip("/"):
        raise ControlError("This was sent by a page of another origin.", status=403)


def check_control(request: Request) -> None:
    """
    Refuse commands that are not JSON: browsers ask before they send it, and no origin is allowed.
    """
    if request.mimetype != "application/json":
        raise ControlError("Send Content-Type: application/json.", status=415)
