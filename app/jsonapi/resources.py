"""
The library's resources, made strict: checked queries, checked documents, answers in one shape.

A resource says what may be asked of it (`schema`, `includes`, `filters`, `sorts`); its data layer
does the work. What the library itself does with a query string or a body is never reached
unchecked.
"""

from functools import cache
from typing import Any, ClassVar
from urllib.parse import urljoin

from flask import g, request
from flask_rest_jsonapi_next import ResourceDetail, ResourceList
from flask_rest_jsonapi_next.decorators import check_headers
from flask_rest_jsonapi_next.resource import Resource
from flask_rest_jsonapi_next.schema import compute_schema
from marshmallow_jsonapi import Schema as LibrarySchema
from marshmallow_jsonapi.fields import BaseRelationship
from sqlalchemy import SQLColumnExpression

from app.auth.policy import Role
from app.errors import Forbidden, IdMismatch
from app.jsonapi.documents import checked_document
from app.jsonapi.instances import borrowed
from app.jsonapi.query import Query

VERSION = {"version": "1.0"}


@cache
def dasherize(name: str) -> str:
    """Return the name of a member as JSON:API writes it."""
    return name.replace("_", "-")


class Schema(LibrarySchema):
    """
    A schema that reads only checked documents, and shows private attributes to those who may see
    them.

    `PRIVATE` gives the least role for an attribute; what is shown must then have a `role`.
    """

    PRIVATE: ClassVar[dict[str, Role]] = {}
    SERVICE_NAMES: ClassVar[dict[str, str]] = {}  # what the services call a member, if not its name

    class Meta:
        type_ = "abstract"

    def load(self, data: Any, **kwargs: Any) -> Any:
        return super().load(checked_document(data, self), **kwargs)

    def get_attribute(self, obj: Any, attr: str, default: Any) -> Any:
        if attr in self.PRIVATE and attr in self.hidden(obj):
            return default
        return getattr(obj, attr, default)  # the library asks for an item first

    def hidden(self, obj: Any) -> frozenset[str]:
        """Return which attributes are hidden from the viewer of *obj*."""
        return self._hidden(obj.role) if self.PRIVATE else frozenset()

    def get_resource_links(self, item: dict[str, Any]) -> dict[str, str] | None:
        """Return the links of the dumped *item*; the library would read its template each time."""
        url = self.opts.self_url
        return {"self": url.format(id=item["id"])} if url else None

    @classmethod
    @cache
    def _hidden(cls, role: Role) -> frozenset[str]:
        return frozenset(name for name, least in cls.PRIVATE.items() if role < least)

    def format_error(
        self, field_name: str, message: Any, index: int | None = None
    ) -> dict[str, Any]:
        """
        Point at the relationship itself.

        The library points at its `data`, or among the attributes if the name has a dash.
        """
        error: dict[str, Any] = super().format_error(field_name, message, index)
        field = self.declared_fields.get(field_name.replace("-", "_"))
        if isinstance(field, BaseRelationship):
            error["source"]["pointer"] = f"/data/relationships/{dasherize(field_name)}"
        return error

    @classmethod
    def pointer_to(cls, field: str) -> str | None:
        """Return where *field*, as the services call it, stands in a document; None if nowhere."""
        if field == "id":
            return "/data/id"
        name = cls.SERVICE_NAMES.get(field, field)
        member = cls._declared_fields.get(name)
        if member is None:
            return None
        section = "relationships" if isinstance(member, BaseRelationship) else "attributes"
        return f"/data/{section}/{dasherize(name)}"

    @classmethod
    @cache
    def names(cls) -> frozenset[str]:
        """Return the names that a client may choose among with `fields[type]`."""
        return frozenset(
            name for name, field in cls._declared_fields.items() if not field.load_only
        )


class StrictResource(Resource):
    """What every resource of ours adds to the library's."""

    schema: ClassVar[type[Schema]]
    includes: ClassVar[dict[str, type[Schema]]] = {}
    includes_nothing: ClassVar[frozenset[str]] = frozenset()  # names that are known and not held
    parameters: ClassVar[tuple[str, ...]] = ()  # of its own, besides JSON:API's
    filters: ClassVar[dict[str, SQLColumnExpression[Any]]] = {}
    sorts: ClassVar[dict[str, SQLColumnExpression[Any]]] = {}
    is_collection: ClassVar[bool] = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.decorators = tuple(each for each in cls.decorators if each is not check_headers)

    def dispatch_request(self, *args: Any, **kwargs: Any) -> Any:
        """Check the query before anything else; what follows reads `g.query`."""
        reads = request.method in ("GET", "HEAD")
        schemas = [self.schema, *self.includes.values()] if reads else []
        g.query = Query(
            request.args,
            names={schema.Meta.type_: schema.names() for schema in schemas},
            includes=tuple(self.includes) if reads else (),
            includes_nothing=self.includes_nothing if reads else (),
            filters=self.filters,
            sorts=self.sorts,
            is_collection=reads and self.is_collection,
        )
        return super().dispatch_request(*args, **kwargs)

    @classmethod
    def check_document(cls) -> None:
        """
        Raise what is wrong with the document of this request: the guard asks before it refuses.
        """
        cls.schema(partial=request.method == "PATCH").load(request.get_json())

    def dump(self, found: Any, *, many: bool = False) -> dict[str, Any]:
        """
        Return *found* as a document, with what the query includes and only the fields it wants.
        """
        query = g.query
        document: dict[str, Any]
        if query.include or query.fields:
            schema = compute_schema(self.schema, {}, query, query.include)
            document = schema.dump(found, many=many)
        else:
            with borrowed(self.schema) as schema:
                document = schema.dump(found, many=many)
        document["jsonapi"] = VERSION
        return document


class CollectionResource(StrictResource, ResourceList):
    """A collection. `get_page` gives the count and the page that `g.query` asks for."""

    is_collection = True

    def get(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        count, page = self.get_page(**kwargs)
        document = self.dump(page, many=True)
        document["links"] = g.query.links(request.path, count)
        document["meta"] = {"count": count}
        return document

    def get_page(self, *args: Any, **kwargs: Any) -> tuple[int, list[Any]]:
        """Return how many there are, and the page."""
        raise NotImplementedError

    def post(self, *args: Any, **kwargs: Any) -> Any:
        """
        Create what the document says: the library's own way, but with a schema that is there.

        The library makes five for each document.
        """
        with borrowed(self.schema) as schema:
            data = schema.load(request.get_json())
        document = self.dump(self.create_object(data, kwargs))
        location = document["data"].get("links", {}).get("self")
        headers = ({"Location": location},) if location else ()
        return self.after_post((document, 201, *headers))

    def after_post(self, result: Any) -> Any:
        """Make `Location` absolute; the document's own links have no host."""
        if len(result) == 3:
            result[2]["Location"] = urljoin(request.url_root, result[2]["Location"])
        return result


class DetailResource(StrictResource, ResourceDetail):
    """
    One resource. `find` gives it, `change` takes a document's content; the data layer does the
    rest.
    """

    may_be_missing: ClassVar[bool | tuple[str, ...]] = True  # what a PATCH need not name

    def get(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        return self.dump(self.find(**kwargs))

    def find(self, *args: Any, **kwargs: Any) -> Any:
        """Return what is shown at this address, or raise NotFound."""
        raise NotImplementedError

    def patch(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        data = self.schema(partial=self.may_be_missing).load(request.get_json())
        return self.dump(self.change(data, **kwargs))

    def change(self, *args: Any, **kwargs: Any) -> Any:
        """Apply *data* and return the changed resource."""
        raise NotImplementedError


class RelationshipResource(StrictResource):
    """A relationship's own address: its linkage to read. Writing there is refused, to everybody."""

    def get(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        return self.find(**kwargs)

    def find(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Return the linkage document, or raise NotFound."""
        raise NotImplementedError

    def refuse(self, *args: Any, **kwargs: Any) -> Any:
        raise Forbidden("This relationship changes only by connecting or disconnecting an account.")

    post = patch = delete = refuse


def check_id(data: dict[str, Any], expected: int) -> None:
    """Raise IdMismatch unless the document speaks of the resource that its address means."""
    if data.pop("id") != str(expected):
        raise IdMismatch("The id is not the one in the address.", field="id")
