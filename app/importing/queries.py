"""
What is asked of Open Event Server's database.

Columns are named, and come in the order of the facts' fields; what a version does not have is
written as a constant. Its tables lack indexes, so nothing is looked up row by row: joins are
hashed or merged (the session switches nested loops off).
"""

from app.importing.columns import Columns
from app.importing.roles import ROLES

BLANKS = r"E' \t\n\r\f\v'"
ADDRESS = f"lower(btrim(u._email::text, {BLANKS}))"
ROLE_NAMES = ", ".join(f"'{name}'" for name in ROLES)


class Queries:
    """The statements for a database that has *columns*."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns

    def users(self, where: str = "true", *, are_named: bool = False) -> str:
        """Select UserFacts, by id; *are_named* spares asking whether a role names them."""
        blocked = self._or("u", "users", "is_blocked", "false")
        named = f"SELECT DISTINCT user_id FROM ({self._all_roles()}) AS named"
        if are_named:
            named = "SELECT id AS user_id FROM users"
        return f"""
            SELECT u.id, u._email::text, u._password, u.salt, coalesce(u.is_admin, false),
                   coalesce(u.is_super_admin, false), coalesce(u.is_verified, false),
                   coalesce({blocked}, false), {_moment("u.created_at")}, {_moment("u.deleted_at")},
                   r.user_id IS NOT NULL
            FROM users u LEFT JOIN ({named}) AS r ON r.user_id = u.id
            WHERE {where} ORDER BY u.id"""

    def twins(self, where: str = "true") -> str:
        """
        Select the id of each user whose address another has too, and the id of the one to keep.

        *where* is about `u`, and must not part users of one address.
        """
        return f"""
            WITH addresses AS (
                SELECT u.id, u.deleted_at, {ADDRESS} AS address FROM users u WHERE {where}
            ), shared AS (
                SELECT address FROM addresses WHERE address <> ''
                GROUP BY address HAVING count(*) > 1
            ), named AS (SELECT DISTINCT user_id FROM ({self._all_roles()}) AS r)
            SELECT a.id, first_value(a.id) OVER (
                PARTITION BY a.address
                ORDER BY a.deleted_at IS NOT NULL, named.user_id IS NULL, a.id
            )
            FROM addresses a JOIN shared USING (address) LEFT JOIN named ON named.user_id = a.id"""

    def events(self, where: str = "true", *, with_checks: bool = True) -> str:
        """Select EventFacts, by id; without *with_checks* as if link and owner were in order."""
        owner = self._or(
            "e", "events", "owner_name", self._or("e", "events", "organizer_name", "NULL")
        )
        linked = self._or("e", "events", "is_stripe_linked", "NULL::boolean")
        checks, joins = "true, true", ""
        if with_checks:
            checks = "link.event_id IS NOT NULL, owned.event_id IS NOT NULL"
            joins = f"""LEFT JOIN ({self._linked_events()}) AS link ON link.event_id = e.id
                LEFT JOIN ({self._owned_events()}) AS owned ON owned.event_id = e.id"""
        return f"""
            SELECT e.id, e.identifier, e.name, e.description, {_moment("e.starts_at")},
                   {_moment("e.ends_at")}, e.timezone, e.state, e.payment_country,
                   e.payment_currency, coalesce(e.can_pay_by_stripe, false), {owner},
                   {_moment("e.created_at")}, {_moment("e.deleted_at")}, {linked}, {checks}
            FROM events e {joins} WHERE {where} ORDER BY e.id"""

    def _linked_events(self) -> str:
        return f"""
            SELECT DISTINCT a.event_id FROM stripe_authorizations a
            WHERE a.event_id IS NOT NULL {self._alive("a", "stripe_authorizations")}"""

    def _owned_events(self) -> str:
        blocked = self._or("u", "users", "is_blocked", "false")
        return f"""
            SELECT DISTINCT r.event_id FROM ({self._all_roles()}) AS r
            JOIN users u ON u.id = r.user_id
            WHERE r.role = 'owner' AND u.deleted_at IS NULL AND NOT coalesce({blocked}, false)"""

    def shared_identifiers(self) -> str:
        """Select the identifiers that several events have."""
        return "SELECT identifier FROM events GROUP BY identifier HAVING count(*) > 1"

    def roles(self, where: str = "true") -> str:
        """Select RoleFacts, of the kinds that are known here, by event and user."""
        return f"""
            SELECT DISTINCT event_id, user_id, role FROM ({self._all_roles()}) AS r
            WHERE {where} ORDER BY event_id, user_id, role"""

    def other_roles(self) -> str:
        """Select how many roles there are of each kind that is not known here."""
        return f"""
            SELECT r.name, count(*) FROM users_events_roles x JOIN roles r ON r.id = x.role_id
            WHERE r.name NOT IN ({ROLE_NAMES}) {self._alive("x", "users_events_roles")}
            GROUP BY r.name ORDER BY r.name"""

    def pending_group_roles(self) -> str | None:
        """Select how many group roles were never accepted, or have no account."""
        if not self._has_groups:
            return None
        return "SELECT count(*) FROM users_groups_roles WHERE user_id IS NULL OR NOT accepted"

    def without_counterpart(self) -> dict[tuple[str, str], str]:
        """Return, by table and label, statements that count what nothing here stands for."""
        wanted = (
            ("users", "is_sales_admin", "x.is_sales_admin", "rights of sales administrators"),
            ("users", "is_marketer", "x.is_marketer", "rights of marketers"),
            ("events", "privacy", "x.privacy = 'private'", "marks of private events"),
        )
        return {
            (table, label): f"SELECT count(*) FROM {table} x WHERE {condition}"
            for table, column, condition, label in wanted
            if column in self._columns[table]
        }

    def links(self, where: str = "true") -> str:
        """Select LinkFacts, those of one event together."""
        code = self._or("a", "stripe_authorizations", "stripe_auth_code", "NULL")
        deleted = self._or("a", "stripe_authorizations", "deleted_at", "NULL")
        linked = self._or("e", "events", "is_stripe_linked", "NULL::boolean")
        return f"""
            SELECT a.id, a.event_id, a.stripe_user_id, a.stripe_secret_key, a.stripe_refresh_token,
                   a.stripe_publishable_key, {code}, {deleted} IS NOT NULL, e.id IS NOT NULL,
                   e.deleted_at IS NOT NULL, {linked}, coalesce(e.can_pay_by_stripe, false)
            FROM stripe_authorizations a LEFT JOIN events e ON e.id = a.event_id
            WHERE {where} ORDER BY a.event_id, a.id"""

    def accounts_in_use(self) -> str:
        """Select those of the given accounts that links of live events name."""
        return f"""
            SELECT DISTINCT btrim(a.stripe_user_id) FROM stripe_authorizations a
            JOIN events e ON e.id = a.event_id
            WHERE e.deleted_at IS NULL {self._alive("a", "stripe_authorizations")}
              AND btrim(a.stripe_user_id) = ANY(%(accounts)s)"""

    def settings(self) -> str:
        """Select SettingsFacts, by id."""
        test = ", ".join(
            self._or("s", "settings", f"stripe_test_{name}", "NULL")
            for name in ("client_id", "secret_key", "publishable_key")
        )
        return f"""
            SELECT s.id, s.app_environment, s.stripe_client_id, s.stripe_secret_key,
                   s.stripe_publishable_key, {test} FROM settings s ORDER BY s.id"""

    def ids(self, table: str) -> str:
        """Select every id of *table*, in order."""
        return f"SELECT id FROM {table} ORDER BY id"

    def count(self, table: str) -> str:
        """Select how many rows *table* has."""
        return f"SELECT count(*) FROM {table}"

    @property
    def _has_groups(self) -> bool:
        return (
            "group_id" in self._columns["events"]
            and "deleted_at" in self._columns.get("groups", ())
            and {"group_id", "user_id", "role_id", "accepted"}
            <= self._columns.get("users_groups_roles", frozenset())
        )

    def _all_roles(self) -> str:
        """The roles at events, with those that were accepted at the group of the event itself."""
        direct = f"""
            SELECT x.event_id, x.user_id, r.name AS role
            FROM users_events_roles x JOIN roles r ON r.id = x.role_id
            WHERE r.name IN ({ROLE_NAMES}) AND x.event_id IS NOT NULL AND x.user_id IS NOT NULL
            {self._alive("x", "users_events_roles")}"""
        if not self._has_groups:
            return direct
        return f"""{direct}
            UNION
            SELECT e.id, x.user_id, r.name
            FROM users_groups_roles x JOIN roles r ON r.id = x.role_id
            JOIN groups g ON g.id = x.group_id AND g.deleted_at IS NULL
            JOIN events e ON e.group_id = g.id
            WHERE x.accepted AND x.user_id IS NOT NULL AND r.name IN ({ROLE_NAMES})"""

    def _or(self, alias: str, table: str, column: str, otherwise: str) -> str:
        return f"{alias}.{column}" if column in self._columns[table] else otherwise

    def _alive(self, alias: str, table: str) -> str:
        has_it = "deleted_at" in self._columns[table]
        return f"AND {alias}.deleted_at IS NULL" if has_it else ""


def _moment(column: str) -> str:
    """A moment that Python can hold: `infinity` and years beyond the calendar become NULL."""
    return f"CASE WHEN {column} > '0001-01-02' AND {column} < '9999-12-30' THEN {column} END"
