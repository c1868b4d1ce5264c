"""Request bodies: read whole, and refused where they are too large, broken or no JSON."""

from typing import NoReturn

from flask import Request as FlaskRequest
from flask import g, request
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from app.errors import BadRequest, MalformedJson
from app.http.routing import LARGEST_BODY
from app.security.logs import log

MOST_DISCARDED = 16 * LARGEST_BODY


class Request(FlaskRequest):
    """A request whose body is JSON or refused as malformed, empty ones too."""

    def on_json_loading_failed(self, e: ValueError | None) -> NoReturn:
        raise MalformedJson("The body is not JSON.")


def read_body() -> None:
    """
    Read the body, so that one that is too large is refused (413) before anything else is asked.

    One byte more than the limit is let in, because a chunked body is cut at the library's limit
    and not refused.
    """
    if request.method in ("GET", "HEAD", "OPTIONS"):
        return
    largest = g.route.largest_body if g.route else LARGEST_BODY
    request.max_content_length = largest + 1
    if (request.content_length or 0) > largest or len(_body()) > largest:
        _discard_rest()
        raise RequestEntityTooLarge
    g.has_whole_body = True


def _body() -> bytes:
    """Return the body. Raises BadRequest if it breaks off, or comes in pieces that are none."""
    try:
        return request.get_data()
    except HTTPException:
        raise
    except Exception as error:  # because every server has an error of its own for it
        log.info("body not read", kind=type(error).__name__)
        raise BadRequest("The body cannot be read.") from None


def _discard_rest() -> None:
    """Read the rest, within reason: a client that is still sending does not see our refusal."""
    left = request.content_length or MOST_DISCARDED
    if left <= MOST_DISCARDED:
        while left > 0 and (piece := request.environ["wsgi.input"].read(min(left, 65536))):
            left -= len(piece)
