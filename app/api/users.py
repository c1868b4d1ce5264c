"""`user`: oneself, or for an admin anybody."""

from app.api.jsonapi import Detail
from app.api.schemas import UserSchema
from app.auth import current_caller
from app.models import User
from app.services.users import read_user


class UserDetail(Detail):
    """One user, by id or as `me`."""

    schema = UserSchema

    def find(self, user: str) -> User:
        return read_user(user, current_caller())
