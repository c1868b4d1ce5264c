"""How an account was connected, by which platform, and its country; codes are optional."""

import sqlalchemy as sa
from alembic import op

revision = "0006_methods_of_linking"
down_revision = "0005_imported_rows"
branch_labels = None
depends_on = None

TABLES = ("stripe_authorizations", "stripe_link_attempts")


def upgrade():
    for table in TABLES:
        op.add_column(
            table,
            sa.Column("method", sa.String(length=16), server_default="oauth", nullable=False),
        )
    op.add_column("stripe_authorizations", sa.Column("platform_account_id", sa.String(length=255)))
    op.add_column("stripe_authorizations", sa.Column("country", sa.String(length=300)))
    for table in TABLES:
        _let_code_be_null(table, True)


def downgrade():
    for table in TABLES:
        op.execute(
            f"UPDATE {table} SET stripe_auth_code = 'none-' || id WHERE stripe_auth_code IS NULL"
        )
        _let_code_be_null(table, False)
    op.drop_column("stripe_authorizations", "country")
    op.drop_column("stripe_authorizations", "platform_account_id")
    for table in TABLES:
        op.drop_column(table, "method")


def _let_code_be_null(table, nullable):
    """
    Change whether a code may be null.

    SQLite cannot do that but by building the table anew, so the table's text is corrected instead,
    by the steps that its documentation gives (ALTER TABLE, section 7).
    """
    if op.get_bind().dialect.name == "postgresql":
        op.alter_column(
            table, "stripe_auth_code", existing_type=sa.String(length=64), nullable=nullable
        )
        return
    texts = ["stripe_auth_code VARCHAR(64) NOT NULL", "stripe_auth_code VARCHAR(64)"]
    old, new = texts if nullable else reversed(texts)
    connection = op.get_bind()
    version = connection.exec_driver_sql("PRAGMA schema_version").scalar_one()
    connection.exec_driver_sql("PRAGMA writable_schema = ON")
    connection.exec_driver_sql(
        "UPDATE sqlite_master SET sql = replace(sql, ?, ?) WHERE name = ?", (old, new, table)
    )
    connection.exec_driver_sql(f"PRAGMA schema_version = {version + 1}")
    connection.exec_driver_sql("PRAGMA writable_schema = OFF")
