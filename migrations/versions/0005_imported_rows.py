"""What was brought from Open Event Server, and room for its identifiers."""

import sqlalchemy as sa
from alembic import op

revision = "0005_imported_rows"
down_revision = "0004_audit_entries"
branch_labels = None
depends_on = None


def upgrade():
    _resize_identifier(8, 36)
    op.add_column("users", sa.Column("password_changed_at", sa.DateTime(timezone=True)))
    op.add_column("users", sa.Column("sessions_ended_at", sa.DateTime(timezone=True)))
    op.create_table(
        "imported_rows",
        sa.Column("source", sa.String(length=32), nullable=False),
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("digests", sa.Text(), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("source", "id", name="pk_imported_rows"),
    )
    op.create_table(
        "imported_roles",
        sa.Column("event_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("user_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.PrimaryKeyConstraint("event_id", "user_id", "role", name="pk_imported_roles"),
    )


def downgrade():
    op.drop_table("imported_roles")
    op.drop_table("imported_rows")
    op.drop_column("users", "sessions_ended_at")
    op.drop_column("users", "password_changed_at")
    _resize_identifier(36, 8)


def _resize_identifier(old, new):
    """
    Change how long an event's identifier may be.

    SQLite cannot change a column's type but by building the table anew, and dropping the old one
    would take along every row that refers to an event. The length is only a note there, so the
    note is corrected, by the steps that SQLite's documentation gives (ALTER TABLE, section 7).
    """
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        op.alter_column(
            "events",
            "identifier",
            type_=sa.String(length=new),
            existing_type=sa.String(length=old),
            existing_nullable=False,
        )
        return
    version = connection.exec_driver_sql("PRAGMA schema_version").scalar_one()
    connection.exec_driver_sql("PRAGMA writable_schema = ON")
    connection.exec_driver_sql(
        "UPDATE sqlite_master SET sql = replace(sql, ?, ?) WHERE name = 'events'",
        (f"identifier VARCHAR({old})", f"identifier VARCHAR({new})"),
    )
    connection.exec_driver_sql(f"PRAGMA schema_version = {version + 1}")
    connection.exec_driver_sql("PRAGMA writable_schema = OFF")
