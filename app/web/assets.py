"""
Static files: read once, compressed, under names that change with their content.

So a browser may keep them forever. Bootstrap's stylesheet comes from Bootstrap-Flask.
"""

import gzip
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from importlib.resources import files

from flask import Response, request

from app.errors import NotFound

OURS = files("app.web") / "static"
BOOTSTRAP = files("flask_bootstrap") / "static" / "bootstrap5" / "css"
SOURCES = {
    "bootstrap.css": (BOOTSTRAP / "bootstrap.min.css", "text/css"),
    "console.css": (OURS / "console.css", "text/css"),
    "console.js": (OURS / "console.js", "text/javascript"),
    "icon.svg": (OURS / "icon.svg", "image/svg+xml"),
}
FOR_EVER = "public, max-age=31536000, immutable"


@dataclass(frozen=True)
class Asset:
    """A static file as it is served."""

    name: str
    kind: str
    content: bytes = field(repr=False)
    compressed: bytes = field(repr=False)


@cache
def _assets() -> dict[str, Asset]:
    """Return every file, by its plain name."""
    return {name: _read(name) for name in SOURCES}


@cache
def _by_address() -> dict[str, Asset]:
    return {asset.name: asset for asset in _assets().values()}


def _read(name: str) -> Asset:
    source, kind = SOURCES[name]
    # The map of Bootstrap's sources is not served, and a browser's tools would ask for it.
    content = source.read_bytes().partition(b"/*# sourceMappingURL")[0]
    stem, _, ending = name.rpartition(".")
    hashed = f"{stem}.{sha256(content).hexdigest()[:12]}.{ending}"
    return Asset(hashed, kind, content, gzip.compress(content, mtime=0))


def asset_url(name: str) -> str:
    """Return the address of the file that is called *name* in the sources."""
    return f"/assets/{_assets()[name].name}"


def show(file: str) -> Response:
    """Answer with a static file."""
    asset = _by_address().get(file)
    if asset is None:
        raise NotFound("There is no such file.")
    takes_gzip = request.accept_encodings["gzip"] > 0
    response = Response(asset.compressed if takes_gzip else asset.content, mimetype=asset.kind)
    if takes_gzip:
        response.headers["Content-Encoding"] = "gzip"
    response.headers["Vary"] = "Accept-Encoding"
    response.headers["Cache-Control"] = FOR_EVER
    return response
