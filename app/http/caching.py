"""Which answers may be cached."""

from flask import Response, request

VARY = ("Authorization", "Accept", "Origin")


def cache(response: Response) -> None:
    """Let anonymous reads be cached and revalidated by their ETag; nothing else may be cached."""
    if not _is_public(response):
        response.headers["Cache-Control"] = "no-store"
        return
    response.headers["Cache-Control"] = "public, no-cache"
    response.vary.update(VARY)
    response.add_etag()
    response.make_conditional(request)


def _is_public(response: Response) -> bool:
    return (
        response.status_code == 200
        and request.method in ("GET", "HEAD")
        and request.path.startswith("/v1/")
        and "Authorization" not in request.headers
    )
