"""`user`: one's own; for administrators, any."""

from app.api.user_schema import UserSchema
from app.auth.guard import current_caller
from app.jsonapi.resources import DetailResource
from app.services.users import UserView, read_user


class UserDetail(DetailResource):
    """One user, by id or as `me`."""

    schema = UserSchema

    def find(self, user: str) -> UserView:
        return read_user(user, current_caller())
