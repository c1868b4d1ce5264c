"""The quick way to dump a resource says what marshmallow-jsonapi says, for every schema of ours."""

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from marshmallow import fields
from marshmallow_jsonapi.fields import BaseRelationship

from app.api import ADDRESSES
from app.auth.policy import Role
from app.jsonapi.dumping import Dumper
from app.jsonapi.fields import Moment

SCHEMAS = sorted(
    {schema for each in ADDRESSES for schema in (each.schema, *each.includes.values())},
    key=lambda schema: schema.__name__,
)
VALUES = {
    fields.Boolean: True,
    fields.Integer: 7,
    fields.Float: 0.5,
    fields.String: "text",
    Moment: datetime(2027, 5, 1, 9, tzinfo=UTC),
    fields.Field: (),
}


def value_of(field):
    """A value that *field* may be given."""
    if isinstance(field, BaseRelationship):
        return [SimpleNamespace(id=3)] if field.many else SimpleNamespace(id=3)
    return next(value for kind, value in VALUES.items() if isinstance(field, kind))


def thing(schema, role, **given):
    """A thing that *schema* can dump, as somebody with *role* sees it."""
    values = {name: value_of(field) for name, field in schema().dump_fields.items()}
    known = {"event_id": 5, "user_id": 6, "has_own_key": True, "role": role}
    return SimpleNamespace(**{**known, **values, "id": 1, "role": role, **given})


def both(schema, found, *, many=False):
    """What the library and what the dumper makes of *found*."""
    return schema().dump(found, many=many), Dumper(schema()).document(found, many=many)


@pytest.mark.parametrize("schema", SCHEMAS)
@pytest.mark.parametrize("role", Role)
def test_every_schema_is_dumped_as_the_library_does_it(schema, role):
    library, ours = both(schema, thing(schema, role))

    assert library == ours


@pytest.mark.parametrize("schema", SCHEMAS)
def test_what_is_null_or_not_there_is_dumped_as_the_library_does_it(schema):
    computed = {name for name, field in schema().dump_fields.items() if value_of(field) == ()}
    for name in set(schema().dump_fields) - computed - {"id", "role"}:
        bare = thing(schema, Role.ADMIN, **{name: None})
        library, ours = both(schema, bare)
        assert library == ours

        delattr(bare, name)
        library, ours = both(schema, bare)
        assert library == ours


@pytest.mark.parametrize("schema", SCHEMAS)
def test_pages_are_dumped_as_the_library_does_it(schema):
    page = [thing(schema, role, id=number) for number, role in enumerate(Role)]
    library, ours = both(schema, page, many=True)

    assert library["data"] == ours["data"]


def test_an_account_without_a_key_of_its_own_is_shown_to_everybody():
    schema = next(each for each in SCHEMAS if each.Meta.type_ == "stripe-authorization")
    for has_own_key in (True, False):
        library, ours = both(schema, thing(schema, Role.ANYONE, has_own_key=has_own_key))

        assert library == ours
        assert ("stripe-user-id" in ours["data"]["attributes"]) is not has_own_key
