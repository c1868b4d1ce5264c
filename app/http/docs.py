"""`GET /docs`: the API for people, by Swagger UI's own files, without any other server."""

from importlib.resources import files

from flask import Response, send_from_directory

from app.errors import NotFound

DIST = files("flask_swagger_ui") / "dist"
ASSETS = ("swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png")
# Swagger UI draws its icons from data: addresses; nothing may run but its own script and ours.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
START = """\
window.ui = SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  validatorUrl: null,
  defaultModelsExpandDepth: 0,
});
"""
PAGE = """\
<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>API of Stripe linking for Open Event</title>
  <link rel="stylesheet" href="docs/swagger-ui.css">
  <link rel="icon" href="docs/favicon-32x32.png">
</head>
<body>
  <div id="swagger-ui"><noscript>
    This page needs JavaScript. The same is at <a href="openapi.json">openapi.json</a>.
  </noscript></div>
  <script src="docs/swagger-ui-bundle.js"></script>
  <script src="docs/start.js"></script>
</body>
</html>
"""


def page() -> Response:
    """Show the API's documentation for people."""
    return _guarded(Response(PAGE, mimetype="text/html"))


def asset(file: str) -> Response:
    """Return one of the files that the page consists of."""
    if file == "start.js":
        return _guarded(Response(START, mimetype="text/javascript"))
    if file not in ASSETS:
        raise NotFound("There is no such file.")
    response = send_from_directory(str(DIST), file)
    response.headers["Cache-Control"] = "public, max-age=86400"
    return _guarded(response)


def _guarded(response: Response) -> Response:
    response.headers["Content-Security-Policy"] = POLICY
    return response
