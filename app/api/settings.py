"""`setting`: the platform's registration at Stripe."""

from typing import Any

from flask import request
from marshmallow import ValidationError

from app.api.setting_schema import SettingSchema
from app.auth.guard import current_caller
from app.errors import ManyInvalid, NotFound
from app.http.error_handlers import faults_of
from app.jsonapi.resources import DetailResource
from app.services.platform.reveal import reveal_secret
from app.services.platform.settings import (
    SettingsView,
    change_settings,
    find_stale_masks,
    read_settings,
)


class SettingDetail(DetailResource):
    """The one row of settings, at `/settings` and at `/settings/1`."""

    schema = SettingSchema
    parameters = ("reveal",)

    def find(self, setting: str = "1") -> SettingsView:
        _check_address(setting)
        if wanted := request.args.getlist("reveal"):
            return reveal_secret(wanted, current_caller())
        return read_settings(current_caller())

    def patch(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Change the settings, or tell every fault at once and change nothing."""
        try:
            data = self.schema(partial=True).load(request.get_json())
        except ValidationError as error:
            faults = faults_of(error)
            if current_caller().is_admin:
                faults += find_stale_masks(dict(error.valid_data or {}))
            raise ManyInvalid(faults) from None
        return self.dump(self.change(data, **kwargs))

    def change(self, data: dict[str, Any], setting: str = "1") -> SettingsView:
        _check_address(setting)
        return change_settings(data, current_caller())

    def dump(self, found: SettingsView, *, many: bool = False) -> dict[str, Any]:
        """Return the document; it tells administrators which values could not be read."""
        document = super().dump(found, many=many)
        if found.unreadable:
            names = [name.replace("_", "-") for name in found.unreadable]
            document["meta"] = {"unreadable": names}
        return document


def _check_address(setting: str) -> None:
    if setting != "1":
        raise NotFound("There are no such settings.")
