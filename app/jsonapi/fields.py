"""Fields that our schemas share."""

from datetime import UTC, datetime
from typing import Any

from marshmallow import ValidationError
from marshmallow_jsonapi import fields

from app.db.types import is_plain

NO_MOMENT = "This must be a date and time in ISO 8601, such as 2027-01-31T10:00:00Z."
WORDS: dict[str, str | list[Any] | dict[Any, Any]] = {
    "required": "This is required.",
    "null": "This cannot be empty.",
}


class Text(fields.Str):
    """Text that any database takes: no NUL, no other controls but line breaks and tabs, bounded."""

    default_error_messages = {**WORDS, "invalid": "This must be text."}

    def __init__(self, *, longest: int = 255, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.longest = longest

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        text: str = super()._deserialize(value, attr, data, **kwargs)
        if len(text) > self.longest:
            raise ValidationError(f"This can have at most {self.longest} characters.")
        if not is_plain(text):
            raise ValidationError("This contains characters that are not allowed.")
        return text


class Moment(fields.Field):
    """
    A moment as ISO 8601 with an offset; without one it is taken for UTC, as the frontend means it.
    """

    default_error_messages = WORDS

    def _serialize(self, value: datetime | None, attr: Any, obj: Any, **kwargs: Any) -> str | None:
        return None if value is None else value.isoformat()

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> datetime:
        if not isinstance(value, str) or len(value) > 40:
            raise ValidationError(NO_MOMENT)
        try:
            moment = datetime.fromisoformat(value)
            moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            return moment.astimezone(UTC)
        except (ValueError, OverflowError):
            raise ValidationError(NO_MOMENT) from None


class Flag(fields.Bool):
    """True or false, and nothing that merely looks like it."""

    default_error_messages = WORDS

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> bool:
        if not isinstance(value, bool):
            raise ValidationError("This must be true or false.")
        return value


class Related(fields.Relationship):
    """
    To what a resource is related, in words of ours where it cannot be read.

    Addresses are made here, since the library reads their templates for every resource it dumps.
    """

    default_error_messages = WORDS

    def get_self_url(self, obj: Any) -> str | None:
        return _address(self.self_url, self.self_url_kwargs, obj)

    def get_related_url(self, obj: Any) -> str | None:
        return _address(self.related_url, self.related_url_kwargs, obj)

    def extract_value(self, data: dict[str, Any]) -> Any:
        if data["type"] != self.type_:
            raise ValidationError(f"The type must be {self.type_}.")
        return super().extract_value(data)


def _address(url: str, names: dict[str, str], obj: Any) -> str | None:
    """Return *url* with the attributes of *obj* that *names* (`<id>`) says; None without one."""
    values = {name: getattr(obj, attribute[1:-1]) for name, attribute in names.items()}
    return url.format(**values) if url and None not in values.values() else None
