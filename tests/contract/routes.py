"""The routes that there are."""

from flask import Flask


def routes_of(app: Flask) -> set[str]:
    """Return every route as "METHOD /rule", without what Flask adds by itself."""
    return {
        f"{method} {rule.rule}"
        for rule in app.url_map.iter_rules()
        for method in rule.methods or ()
        if method not in ("HEAD", "OPTIONS")
    }
