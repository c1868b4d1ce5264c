"""
JSON:API documents coming in: their shape is judged before any schema sees them.

What passes holds nothing but the members that the schema may write, so that neither an unknown
attribute, nor one named like a relationship, nor an `included` ever gets further.
"""

from typing import Any

from flask.json.provider import DefaultJSONProvider
from marshmallow_jsonapi.fields import BaseRelationship

from app.errors import Forbidden, Invalid, WrongType
from app.security.strict_json import read_json


class StrictJSONProvider(DefaultJSONProvider):
    """JSON that means one thing only; anything else is malformed (ValueError)."""

    sort_keys = False
    compact = True

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        return read_json(s)


def checked_document(document: Any, schema: Any) -> dict[str, Any]:
    """
    Return *document* reduced to what *schema* (an instance) may write.

    Raises Invalid with a pointer where the shape is wrong, WrongType where the type is, Forbidden
    if a resource that is created brings its own id.
    """
    data = document.get("data") if isinstance(document, dict) else None
    if not isinstance(data, dict):
        raise Invalid("The document must hold a resource object in data.", pointer="/data")
    _check_type(data, schema.opts.type_)
    clean: dict[str, Any] = {"type": data["type"]}
    if schema.partial:
        clean["id"] = _checked_id(data)
    elif "id" in data:
        raise Forbidden("The id is assigned by the service: leave it out.", pointer="/data/id")
    for section in ("attributes", "relationships"):
        members = data.get(section, {})
        if not isinstance(members, dict):
            raise Invalid(f"The {section} must be an object.", pointer=f"/data/{section}")
        names = _writable(schema, relationships=section == "relationships")
        clean[section] = {name: value for name, value in members.items() if name in names}
    for name, value in clean["relationships"].items():
        _check_relationship(name, value)
    return {"data": clean}


def _check_type(data: dict[str, Any], expected: str) -> None:
    given = data.get("type")
    if not isinstance(given, str):
        raise Invalid("The resource object must have a type.", pointer="/data/type")
    if given != expected:
        raise WrongType(f"The type must be {expected}.", pointer="/data/type")


def _checked_id(data: dict[str, Any]) -> str:
    """Return the id of a resource that is changed; a number is taken for its text."""
    given = data.get("id")
    if isinstance(given, bool) or not isinstance(given, str | int) or given == "":
        raise Invalid("The resource object must have its id.", pointer="/data/id")
    return str(given)


def _writable(schema: Any, *, relationships: bool) -> set[str]:
    return {
        field.data_key
        for name, field in schema.load_fields.items()
        if name != "id" and isinstance(field, BaseRelationship) == relationships
    }


def _check_relationship(name: str, value: Any) -> None:
    """A to-one linkage is null or an object with a type and an id, both text."""
    pointer = f"/data/relationships/{name}"
    if not isinstance(value, dict) or "data" not in value:
        raise Invalid("A relationship must be an object with data.", pointer=pointer)
    linkage = value["data"]
    if linkage is None:
        return
    if not isinstance(linkage, dict) or not isinstance(linkage.get("type"), str):
        raise Invalid("Linkage must be an object with a type and an id.", pointer=pointer)
    given = linkage.get("id")
    if isinstance(given, bool) or not isinstance(given, str | int):
        raise Invalid("Linkage must have an id.", pointer=pointer)
    linkage["id"] = str(given)
