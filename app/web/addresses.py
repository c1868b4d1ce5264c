"""Where pages are, and where a sign-in leads back to."""

from urllib.parse import urlencode, urlsplit

from flask import Request

HOME = "/events"
LONGEST = 500


def next_after(request: Request) -> str:
    """
    Return the part of a query that leads back to the page of *request*.

    What was sent to an address without a page of its own leads to the page that had the form:
    that of the event, or of the administration.
    """
    if request.method in ("GET", "HEAD"):
        page = request.full_path if request.query_string else request.path
    else:
        page = "/".join(request.path.split("/")[:3])
    return urlencode({"next": page})


def safe_next(wanted: str | None) -> str:
    """Return *wanted* if it is a page of ours, else the console's first page."""
    path = wanted or ""
    is_path = path.startswith("/") and not path.startswith(("//", "/\\", "/v1/", "/sign-"))
    is_plain = path.isprintable() and "\\" not in path and len(path) <= LONGEST
    try:
        parts = urlsplit(path)
    except ValueError:
        return HOME
    return path if is_path and is_plain and not (parts.scheme or parts.netloc) else HOME
