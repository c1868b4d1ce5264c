"""JSON:API 1.0 as a JSON Schema, written from the specification's "Document Structure"."""

from typing import Any

from jsonschema import Draft202012Validator

META = {"type": "object"}
LINK = {"type": ["string", "null"], "pattern": "^/"}
LINKS = {"type": "object", "additionalProperties": LINK}
MEMBER = "^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?$"
IDENTIFIER = {
    "type": "object",
    "required": ["type", "id"],
    "properties": {"type": {"type": "string"}, "id": {"type": "string"}, "meta": META},
    "additionalProperties": False,
}
LINKAGE = {"anyOf": [{"type": "null"}, IDENTIFIER, {"type": "array", "items": IDENTIFIER}]}
RELATIONSHIP = {
    "type": "object",
    "minProperties": 1,
    "properties": {"data": LINKAGE, "links": LINKS, "meta": META},
    "additionalProperties": False,
}
RESOURCE = {
    "type": "object",
    "required": ["type", "id"],
    "properties": {
        "type": {"type": "string", "pattern": MEMBER},
        "id": {"type": "string"},
        "attributes": {
            "type": "object",
            "propertyNames": {"pattern": MEMBER, "not": {"enum": ["id", "type"]}},
        },
        "relationships": {
            "type": "object",
            "propertyNames": {"pattern": MEMBER},
            "additionalProperties": RELATIONSHIP,
        },
        "links": LINKS,
        "meta": META,
    },
    "additionalProperties": False,
}
ERROR = {
    "type": "object",
    "required": ["id", "status", "code", "title", "detail"],
    "properties": {
        "id": {"type": "string"},
        "status": {"type": "string", "pattern": "^[45][0-9]{2}$"},
        "code": {"type": "string", "pattern": "^[a-z]+(-[a-z]+)*$"},
        "title": {"type": "string"},
        "detail": {"type": "string", "minLength": 1},
        "source": {
            "type": "object",
            "minProperties": 1,
            "properties": {
                "pointer": {"type": "string", "pattern": "^(/.*)?$"},
                "parameter": {"type": "string"},
                "header": {"type": "string"},
            },
            "additionalProperties": False,
        },
        "meta": META,
    },
    "additionalProperties": False,
}
DOCUMENT = {
    "type": "object",
    "required": ["jsonapi"],
    "properties": {
        "jsonapi": {"const": {"version": "1.0"}},
        "data": {
            "anyOf": [
                {"type": "null"},
                RESOURCE,
                {"type": "array", "items": RESOURCE},
            ]
        },
        "errors": {"type": "array", "minItems": 1, "items": ERROR},
        "included": {"type": "array", "items": RESOURCE},
        "links": LINKS,
        "meta": META,
    },
    "additionalProperties": False,
    "anyOf": [{"required": ["data"]}, {"required": ["errors"]}, {"required": ["meta"]}],
    "not": {"required": ["data", "errors"]},
    "dependentRequired": {"included": ["data"]},
}
Draft202012Validator.check_schema(DOCUMENT)
_VALIDATOR = Draft202012Validator(DOCUMENT)  # made once: checking the schema takes far longer


def check_document(document: Any) -> None:
    """Raise jsonschema.ValidationError unless *document* is one of JSON:API."""
    _VALIDATOR.validate(document)
