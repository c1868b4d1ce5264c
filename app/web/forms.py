"""What the console's forms share."""

from collections.abc import Mapping
from typing import Any

from flask_wtf import FlaskForm
from wtforms import DateTimeLocalField, SelectField
from wtforms.fields import SelectChoice
from wtforms.validators import InputRequired

from app.db.types import is_plain
from app.errors import ManyInvalid, ServiceError

REQUIRED = "This is required."
NOT_PLAIN = "This contains characters that are not allowed."
NO_MOMENT = "Enter a date and a time."


class Form(FlaskForm):
    """A form whose token was checked before its view was asked (`app/web/console.py`)."""

    class Meta(FlaskForm.Meta):
        csrf = False

    def validate(self, *args: Any, **kwargs: Any) -> bool:
        """Refuse what no database takes at the field where it was sent, and what the form does."""
        is_valid: bool = super().validate(*args, **kwargs)
        for field in self._fields.values():
            if isinstance(field.data, str) and not is_plain(field.data):
                field.errors = [*field.errors, NOT_PLAIN]
                is_valid = False
        return is_valid

    def take(self, error: ServiceError) -> bool:
        """Put *error* at the field that it is about; False if it is about none of them."""
        faults = error.faults if isinstance(error, ManyInvalid) else [error]
        known = [fault for fault in faults if fault.field in self._fields]
        for fault in known:
            field = self._fields[str(fault.field)]
            field.errors = [*field.errors, fault.detail]
        return bool(known)


def choices(labels: Mapping[str, str]) -> list[SelectChoice]:
    """Return what can be chosen: the label of each value."""
    return [SelectChoice(value=value, label=label) for value, label in labels.items()]


def required() -> Any:
    """Return the validator of a field that may not be empty, said in our words."""
    return InputRequired(REQUIRED)


class MomentField(DateTimeLocalField):
    """A date and a time by the clocks of a place, as browsers send them."""

    def __init__(self, label: str, **kwargs: Any) -> None:
        super().__init__(
            label, format=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M"], **kwargs
        )

    def process_formdata(self, valuelist: Any) -> None:
        try:
            super().process_formdata(valuelist)
        except ValueError:
            raise ValueError(NO_MOMENT) from None


def control(field: Any, hint: str = "", **attributes: Any) -> Any:
    """Return the control of *field*, which tells of its hint and of what is wrong with it."""
    about = [f"{field.id}-hint"] if hint else []
    kind = "form-select" if isinstance(field, SelectField) else "form-control"
    if field.errors:
        about.append(f"{field.id}-problem")
        kind += " is-invalid"
        attributes["aria-invalid"] = "true"
    if about:
        attributes["aria-describedby"] = " ".join(about)
    return field(**{"class": kind, **attributes})
