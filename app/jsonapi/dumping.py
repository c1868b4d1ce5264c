"""
Resource objects, from what a schema says of them, worked out once.

The schema stays the one place where the wire is described. Per object marshmallow-jsonapi looks
through it again, which for a page of a hundred took longer than all the rest. With an `include` or
chosen fields the library does it; a test holds both to the same result.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

from marshmallow import fields, missing
from marshmallow_jsonapi import Schema as LibrarySchema
from marshmallow_jsonapi.fields import BaseRelationship

Json = dict[str, Any]


class Dumper:
    """Makes the resource objects of one schema. Nothing in it changes, so that threads share it."""

    def __init__(self, schema: LibrarySchema) -> None:
        self._schema = schema
        self._type = schema.opts.type_
        self._self_url = _url(schema.opts.self_url, schema.opts.self_url_kwargs)
        members = [
            (field.data_key, field.attribute or name, field)
            for name, field in schema.dump_fields.items()
            if name != "id"
        ]
        self._attributes = [
            (key, attribute, _ready(field), field._serialize)
            for key, attribute, field in members
            if field._CHECK_ATTRIBUTE and not isinstance(field, BaseRelationship)
        ]
        self._computed = [
            (key, attribute, field._serialize)
            for key, attribute, field in members
            if not field._CHECK_ATTRIBUTE
        ]
        self._visible = cache(self._without)
        self._relationships = [
            (key, _relationship(field, attribute))
            for key, attribute, field in members
            if isinstance(field, BaseRelationship)
        ]

    def document(self, found: Any, *, many: bool) -> Json:
        """Return the document of *found*, with the link to itself if it is one resource."""
        if many:
            return {"data": [self.resource(each) for each in found]}
        data = self.resource(found)
        return {"data": data, "links": data["links"]} if "links" in data else {"data": data}

    def resource(self, found: Any) -> Json:
        """Return the resource object of *found*, without what is hidden from whoever sees it."""
        data: Json = {"type": self._type, "id": str(found.id)}
        attributes: Json = {}
        for key, name, ready, serialize in self._visible(self._schema.hidden(found)):
            value = getattr(found, name, missing)
            if value is None or type(value) is ready:
                attributes[key] = value
            elif value is not missing:
                attributes[key] = serialize(value, name, found)
        for key, name, serialize in self._computed:
            attributes[key] = serialize(None, name, found)
        if attributes:
            data["attributes"] = attributes
        relationships: Json = {}
        for key, relate in self._relationships:
            relationship = relate(found)
            if relationship:
                relationships[key] = relationship
        if relationships:
            data["relationships"] = relationships
        if self._self_url:
            data["links"] = {"self": self._self_url(found)}
        return data

    def _without(self, hidden: frozenset[str]) -> list[tuple]:
        return [member for member in self._attributes if member[1] not in hidden]


def _ready(field: Any) -> type | None:
    """Return the type whose values *field* shows as they are."""
    if isinstance(field, fields.String):
        return str
    return bool if isinstance(field, fields.Boolean) else None


def _relationship(field: Any, name: str) -> Callable[[Any], Json | None]:
    """Return what makes the relationship object; nothing where the object has no such attribute."""
    related = _url(field.related_url, field.related_url_kwargs)
    itself = _url(field.self_url, field.self_url_kwargs)

    def relate(found: Any) -> Json | None:
        made: Json = {}
        links = {}
        if itself and (url := itself(found)):
            links["self"] = url
        if related and (url := related(found)):
            links["related"] = url
        if links:
            made["links"] = links
        if field.include_resource_linkage:
            other = getattr(found, name, missing)
            if other is missing:
                return None
            made["data"] = _linkage(field, other)
        return made

    return relate


def _linkage(field: Any, other: Any) -> Json | list[Json] | None:
    if field.many:
        return [{"type": field.type_, "id": str(each.id)} for each in other or ()]
    return None if other is None else {"type": field.type_, "id": str(other.id)}


def _url(template: str, parameters: dict[str, str] | None) -> Callable[[Any], str | None] | None:
    """Return what fills *template*, which has one parameter: an attribute of the object."""
    if not template:
        return None
    ((parameter, attribute),) = parameters.items()
    before, _, after = template.partition(f"{{{parameter}}}")
    attribute = attribute.strip("<>")

    def fill(found: Any) -> str | None:
        value = getattr(found, attribute)
        return None if value is None else f"{before}{value}{after}"

    return fill
