"""What the addresses that are no resources take and answer: plain JSON, by their first address."""

from app.http.openapi.components import Json

PASSWORD: Json = {"type": "string", "minLength": 1, "format": "password"}
ACCESS: Json = {"access_token": {"type": "string"}}
SIGN_IN: Json = {
    "type": "object",
    "required": ["password"],
    "anyOf": [{"required": ["email"]}, {"required": ["username"]}],
    "properties": {
        "email": {"type": "string", "minLength": 1},
        "username": {"type": "string", "minLength": 1, "description": "The same as `email`."},
        "password": PASSWORD,
        "remember-me": {"type": "boolean"},
        "include-in-response": {
            "type": "boolean",
            "description": "With `remember-me`: send a refresh token as well.",
        },
    },
}
BODIES: dict[str, Json] = {
    "/auth/session": SIGN_IN,
    "/v1/auth/fresh-login": {
        "type": "object",
        "required": ["password"],
        "properties": {"password": PASSWORD},
    },
    "/stripe/webhooks": {
        "type": "object",
        "description": "An event, as Stripe sends it.",
    },
}


def _object(**properties: Json) -> Json:
    return {"type": "object", "required": list(properties), "properties": properties}


ANSWERS: dict[str, Json] = {
    "/auth/session": {
        **_object(**ACCESS),
        "properties": {**ACCESS, "refresh_token": {"type": "string"}},
    },
    "/v1/auth/token/refresh": _object(**ACCESS),
    "/v1/auth/fresh-login": _object(**ACCESS),
    "/v1/auth/logout": _object(success={"const": True}),
    "/health/live": _object(status={"const": "ok"}),
    "/health/ready": _object(status={"const": "ok"}),
    "/stripe/webhooks": _object(received={"const": True}),
}
