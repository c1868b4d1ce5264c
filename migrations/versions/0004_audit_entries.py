"""Audit entries, append-only: the database itself refuses to change them."""

import sqlalchemy as sa
from alembic import op

revision = "0004_audit_entries"
down_revision = "0003_stripe_authorizations"
branch_labels = None
depends_on = None

POSTGRESQL_FUNCTION = """
CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'audit entries are append-only'; END $$
"""
POSTGRESQL_ROWS = """
CREATE TRIGGER audit_entries_append_only BEFORE UPDATE OR DELETE ON audit_entries
FOR EACH ROW EXECUTE FUNCTION refuse_audit_change()
"""
POSTGRESQL_TABLE = """
CREATE TRIGGER audit_entries_keep_all BEFORE TRUNCATE ON audit_entries
FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change()
"""
SQLITE = """
CREATE TRIGGER audit_entries_no_{name} BEFORE {deed} ON audit_entries
BEGIN SELECT RAISE(ABORT, 'audit entries are append-only'); END
"""
# REPLACE deletes what it replaces without telling the trigger above.
SQLITE_REPLACE = """
CREATE TRIGGER audit_entries_no_replace BEFORE INSERT ON audit_entries
WHEN EXISTS (SELECT 1 FROM audit_entries WHERE id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'audit entries are append-only'); END
"""


def upgrade():
    op.create_table(
        "audit_entries",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.String(length=255), nullable=False),
        sa.Column("event_id", sa.Integer(), nullable=True),
        sa.Column("request_id", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_audit_entries"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_audit_entries_user_id_action_at", "audit_entries", ["user_id", "action", "at"]
    )

    if op.get_bind().dialect.name == "postgresql":
        op.execute(POSTGRESQL_FUNCTION)
        op.execute(POSTGRESQL_ROWS)
        op.execute(POSTGRESQL_TABLE)
    else:
        op.execute(SQLITE.format(deed="UPDATE", name="update"))
        op.execute(SQLITE.format(deed="DELETE", name="delete"))
        op.execute(SQLITE_REPLACE)


def downgrade():
    op.drop_table("audit_entries")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION refuse_audit_change()")
