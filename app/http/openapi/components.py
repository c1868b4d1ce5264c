"""Resources as JSON Schema: JSON:API's envelope, written once around every schema's members."""

from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from marshmallow import fields as marshmallow_fields
from marshmallow_jsonapi.fields import BaseRelationship

from app.jsonapi.fields import Moment
from app.jsonapi.resources import Schema, dasherize

Json = dict[str, Any]

LINKS: Json = {"type": "object", "additionalProperties": {"type": ["string", "null"]}}
IDENTIFIER: Json = {
    "type": "object",
    "required": ["type", "id"],
    "properties": {"type": {"type": "string"}, "id": {"type": "string"}},
}
JSONAPI: Json = {
    "type": "object",
    "required": ["version"],
    "properties": {"version": {"const": "1.0"}},
}
ERRORS: Json = {
    "type": "object",
    "required": ["errors", "jsonapi"],
    "properties": {
        "errors": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["id", "status", "code", "title", "detail"],
                "properties": {
                    "id": {"type": "string", "description": "The id of the request."},
                    "status": {"type": "string", "pattern": "^[45][0-9]{2}$"},
                    "code": {"type": "string", "description": "Stable; programs decide by it."},
                    "title": {"type": "string"},
                    "detail": {"type": "string", "description": "One sentence for the reader."},
                    "source": {
                        "type": "object",
                        "properties": {
                            name: {"type": "string"} for name in ("pointer", "parameter", "header")
                        },
                    },
                    "meta": {"type": "object"},
                },
            },
        },
        "jsonapi": JSONAPI,
    },
}
SIGN_IN_REFUSAL: Json = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {"type": "string", "description": "One sentence for the reader."},
        **ERRORS["properties"],
    },
}


class Components:
    """Adds to *spec* what operations refer to, each thing once."""

    def __init__(self, spec: APISpec) -> None:
        plugin = MarshmallowPlugin()
        plugin.init_spec(spec)
        plugin.map_to_openapi_type(Moment, "string", "date-time")
        if plugin.converter is None:
            raise RuntimeError("The plugin is bound to a document before it converts.")
        self._convert = plugin.converter.field2property
        self._spec = spec
        self._known: set[str] = set()

    def document_of(self, schema: type[Schema], *, is_collection: bool) -> Json:
        """Return a reference to the document that shows one resource of *schema*, or a page."""
        name = _name(schema)
        data: Json = {"$ref": f"#/components/schemas/{name}"}
        if is_collection:
            data = {"type": "array", "items": data}
        self._add(name, lambda: self._resource(schema))
        members: Json = {
            "data": data,
            "links": LINKS,
            "meta": {"type": "object"},
            "included": {"type": "array", "items": IDENTIFIER},
            "jsonapi": JSONAPI,
        }
        if is_collection:
            members["meta"] = {
                "type": "object",
                "required": ["count"],
                "properties": {"count": {"type": "integer"}},
            }
        shown = f"{name}{'Collection' if is_collection else 'Document'}"
        self._add(
            shown,
            lambda: {"type": "object", "required": ["data", "jsonapi"], "properties": members},
        )
        return {"$ref": f"#/components/schemas/{shown}"}

    def body_of(self, schema: type[Schema], *, is_change: bool) -> Json:
        """Return a reference to the document that creates a resource of *schema*, or changes it."""
        name = f"{_name(schema)}{'Change' if is_change else 'Creation'}"
        self._add(name, lambda: self._body(schema, is_change=is_change))
        return {"$ref": f"#/components/schemas/{name}"}

    def _add(self, name: str, make: Any) -> None:
        if name not in self._known:
            self._known.add(name)
            self._spec.components.schema(name, make())

    def _resource(self, schema: type[Schema]) -> Json:
        shown = [each for each in _members(schema) if not each[1].load_only]
        return {
            "type": "object",
            "description": _first_paragraph(schema),
            "required": ["type", "id"],
            "properties": {
                "type": {"const": schema.Meta.type_},
                "id": {"type": "string"},
                "attributes": {
                    "type": "object",
                    "properties": {
                        name: self._shown(schema, name, field)
                        for name, field in shown
                        if not isinstance(field, BaseRelationship)
                    },
                },
                "relationships": {
                    "type": "object",
                    "properties": {
                        name: {"type": "object", "properties": {"links": LINKS, "data": {}}}
                        for name, field in shown
                        if isinstance(field, BaseRelationship)
                    },
                },
                "links": LINKS,
            },
        }

    def _shown(self, schema: type[Schema], name: str, field: Any) -> Json:
        """Describe an attribute as it is read: what is not known yet is null."""
        found = self._property(field)
        kind = found.get("type")
        if isinstance(kind, str):
            found["type"] = [kind, "null"]
        if "enum" in found:
            found["enum"] = [*found["enum"], None]
        least = schema.PRIVATE.get(name.replace("-", "_"))
        if least is not None:
            found["description"] = f"Shown from {least.name.lower()} up."
        return found

    def _body(self, schema: type[Schema], *, is_change: bool) -> Json:
        written = [each for each in _members(schema) if not each[1].dump_only]
        attributes = {n: f for n, f in written if not isinstance(f, BaseRelationship)}
        related = {n: f for n, f in written if isinstance(f, BaseRelationship)}
        properties: Json = {"type": {"const": schema.Meta.type_}}
        if is_change:
            properties["id"] = {"type": "string"}
        properties["attributes"] = {
            "type": "object",
            "properties": {name: self._property(field) for name, field in attributes.items()},
            "required": [n for n, f in attributes.items() if f.required and not is_change],
        }
        properties["relationships"] = {
            "type": "object",
            "properties": {name: _linkage(field) for name, field in related.items()},
            "required": [n for n, f in related.items() if f.required and not is_change],
        }
        data: Json = {
            "type": "object",
            "required": ["type", "id"] if is_change else ["type"],
            "properties": properties,
        }
        return {"type": "object", "required": ["data"], "properties": {"data": data}}

    def _property(self, field: marshmallow_fields.Field[Any]) -> Json:
        found: Json = {
            name: value
            for name, value in self._convert(field).items()
            if name not in ("readOnly", "writeOnly", "default")
        }
        if "enum" in found:
            found["enum"] = sorted(found["enum"])  # some are sets, in another order each time
        return found


def _members(schema: type[Schema]) -> list[tuple[str, Any]]:
    declared = schema._declared_fields
    return [(dasherize(name), field) for name, field in declared.items() if name != "id"]


def _linkage(field: BaseRelationship) -> Json:
    identifier = {
        **IDENTIFIER,
        "properties": {"type": {"const": field.type_}, "id": {"type": "string"}},
    }
    data = identifier if field.required else {"oneOf": [identifier, {"type": "null"}]}
    return {"type": "object", "required": ["data"], "properties": {"data": data}}


def _name(schema: type[Schema]) -> str:
    return schema.__name__.removesuffix("Schema")


def _first_paragraph(schema: type[Schema]) -> str:
    return " ".join((schema.__doc__ or "").strip().split("\n\n")[0].split())
