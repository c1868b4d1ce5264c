"""The routes that there are."""

from flask import Flask


def api_routes_of(app: Flask) -> set[str]:
    """Return the routes as `routes_of` does, but for the console's pages."""
    table = app.extensions["routes"]
    return {
        route
        for route in routes_of(app)
        if (known := table.get(route.partition(" ")[2])) is None or not known.page
    }


def routes_of(app: Flask) -> set[str]:
    """Return every route as "METHOD /rule", without what Flask adds by itself."""
    return {
        f"{method} {rule.rule}"
        for rule in app.url_map.iter_rules()
        for method in rule.methods or ()
        if method not in ("HEAD", "OPTIONS")
    }
