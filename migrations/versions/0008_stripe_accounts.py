"""Accounts, by whom and how they were connected; the method by which organizers connect."""

import sqlalchemy as sa
from alembic import op

revision = "0008_stripe_accounts"
down_revision = "0007_payments"
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        "stripe_accounts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("stripe_user_id", sa.String(length=255)),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("origin", sa.String(length=16), nullable=False),
        sa.Column("platform_account_id", sa.String(length=255)),
        sa.Column("connected_by_id", sa.Integer()),
        sa.Column("connected_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True)),
        sa.Column("disconnected_at", sa.DateTime(timezone=True)),
        sa.Column("account_status", sa.String(length=16), server_default="unknown", nullable=False),
        sa.Column("display_name", sa.String(length=300)),
        sa.Column("country", sa.String(length=300)),
        sa.Column("account_checked_at", sa.DateTime(timezone=True)),
        sa.Column("event_id", sa.Integer()),
        sa.Column("reference", sa.String(length=64)),
        sa.Column("idempotency_key", sa.String(length=64)),
        sa.Column("parameters", sa.Text()),
        sa.Column("first_sent_at", sa.DateTime(timezone=True)),
        sa.Column("claimed_until", sa.DateTime(timezone=True)),
        sa.Column("is_key_spent", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.CheckConstraint("origin IN ('oauth', 'onboarding')", name="ck_stripe_accounts_origin"),
        sa.ForeignKeyConstraint(
            ["connected_by_id"],
            ["users.id"],
            name="fk_stripe_accounts_connected_by_id",
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["event_id"], ["events.id"], name="fk_stripe_accounts_event_id", ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_stripe_accounts"),
        sa.UniqueConstraint("reference", name="uq_stripe_accounts_reference"),
        sa.UniqueConstraint(
            "stripe_user_id",
            "livemode",
            "connected_by_id",
            name="uq_stripe_accounts_stripe_user_id_livemode_connected_by_id",
        ),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_stripe_accounts_connected_by_id", "stripe_accounts", ["connected_by_id"])
    unfinished = sa.text("finished_at IS NULL AND disconnected_at IS NULL")
    op.create_index(
        "uq_stripe_accounts_unfinished",
        "stripe_accounts",
        ["connected_by_id", "event_id", "livemode"],
        unique=True,
        postgresql_where=unfinished,
        sqlite_where=unfinished,
    )
    op.execute(
        "INSERT INTO stripe_accounts (stripe_user_id, livemode, origin, platform_account_id,"
        " connected_by_id, connected_at, finished_at)"
        " SELECT stripe_user_id, livemode, 'oauth', max(platform_account_id), linked_by_id,"
        " max(linked_at), max(linked_at) FROM stripe_authorizations"
        " WHERE linked_by_id IS NOT NULL GROUP BY stripe_user_id, livemode, linked_by_id"
    )
    op.add_column(
        "settings",
        sa.Column(
            "stripe_connect_method", sa.String(length=16), server_default="oauth", nullable=False
        ),
    )
    op.add_column("stripe_authorization_requests", sa.Column("account_id", sa.Integer()))


def downgrade():
    op.drop_column("stripe_authorization_requests", "account_id")
    op.drop_column("settings", "stripe_connect_method")
    op.drop_table("stripe_accounts")
