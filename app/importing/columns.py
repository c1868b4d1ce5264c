"""Which tables and columns Open Event Server's database has, as it says itself."""

from collections.abc import Mapping

# Without these it is no database of Open Event Server, or one too far from those that are known.
REQUIRED: dict[str, tuple[str, ...]] = {
    "users": (
        "id",
        "_email",
        "_password",
        "salt",
        "is_admin",
        "is_super_admin",
        "is_verified",
        "created_at",
        "deleted_at",
    ),
    "events": (
        "id",
        "identifier",
        "name",
        "description",
        "starts_at",
        "ends_at",
        "timezone",
        "state",
        "payment_country",
        "payment_currency",
        "can_pay_by_stripe",
        "created_at",
        "deleted_at",
    ),
    "users_events_roles": ("event_id", "user_id", "role_id"),
    "roles": ("id", "name"),
    "settings": (
        "id",
        "app_environment",
        "stripe_client_id",
        "stripe_secret_key",
        "stripe_publishable_key",
    ),
    "stripe_authorizations": (
        "id",
        "event_id",
        "stripe_user_id",
        "stripe_secret_key",
        "stripe_refresh_token",
        "stripe_publishable_key",
    ),
}

Columns = Mapping[str, frozenset[str]]


def find_missing(columns: Columns) -> list[str]:
    """Return the tables, and the columns as `table.column`, that an import cannot do without."""
    missing = []
    for table, names in REQUIRED.items():
        if table not in columns:
            missing.append(table)
        else:
            missing += [f"{table}.{name}" for name in names if name not in columns[table]]
    return missing
