"""Links to Stripe accounts, the attempts to make them, and what is owed to Stripe."""

import sqlalchemy as sa
from alembic import op

revision = "0003_stripe_authorizations"
down_revision = "0002_settings"
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        "stripe_authorizations",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("event_id", sa.Integer(), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("stripe_user_id", sa.String(length=255), nullable=False),
        sa.Column("stripe_secret_key", sa.Text(), nullable=True),
        sa.Column("stripe_refresh_token", sa.Text(), nullable=True),
        sa.Column("stripe_publishable_key", sa.String(length=500), nullable=True),
        sa.Column("stripe_auth_code", sa.String(length=64), nullable=False),
        sa.Column("scope", sa.String(length=32), nullable=False),
        sa.Column("client_id", sa.String(length=255), nullable=False),
        sa.Column("linked_by_id", sa.Integer(), nullable=True),
        sa.Column("linked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("account_status", sa.String(length=16), server_default="unknown", nullable=False),
        sa.Column("display_name", sa.String(length=300), nullable=True),
        sa.Column("account_checked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["event_id"],
            ["events.id"],
            name="fk_stripe_authorizations_event_id",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["linked_by_id"],
            ["users.id"],
            name="fk_stripe_authorizations_linked_by_id",
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_stripe_authorizations"),
        sa.UniqueConstraint(
            "event_id", "livemode", name="uq_stripe_authorizations_event_id_livemode"
        ),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_stripe_authorizations_stripe_user_id", "stripe_authorizations", ["stripe_user_id"]
    )

    op.create_table(
        "stripe_authorization_requests",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("state_hash", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("event_id", sa.Integer(), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("redirect_uri", sa.String(length=2000), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["event_id"],
            ["events.id"],
            name="fk_stripe_authorization_requests_event_id",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["users.id"],
            name="fk_stripe_authorization_requests_user_id",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_stripe_authorization_requests"),
        sa.UniqueConstraint("state_hash", name="uq_stripe_authorization_requests_state_hash"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_stripe_authorization_requests_expires_at",
        "stripe_authorization_requests",
        ["expires_at"],
    )

    op.create_table(
        "stripe_link_attempts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("event_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("stripe_auth_code", sa.String(length=64), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("state_checked", sa.Boolean(), nullable=False),
        sa.Column("request_id", sa.Integer(), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.String(length=16), nullable=True),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("error_code", sa.String(length=64), nullable=True),
        sa.Column("detail", sa.String(length=1000), nullable=True),
        sa.Column("pointer", sa.String(length=255), nullable=True),
        sa.Column("stripe_error", sa.String(length=300), nullable=True),
        sa.Column("authorization_id", sa.Integer(), nullable=True),
        sa.Column("reported_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "outcome IN ('linked', 'refused', 'failed', 'interrupted', 'not-sent')",
            name="ck_stripe_link_attempts_outcome",
        ),
        sa.CheckConstraint(
            "(outcome IS NULL) = (finished_at IS NULL)", name="ck_stripe_link_attempts_finished"
        ),
        sa.ForeignKeyConstraint(
            ["event_id"], ["events.id"], name="fk_stripe_link_attempts_event_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_stripe_link_attempts_user_id", ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["request_id"],
            ["stripe_authorization_requests.id"],
            name="fk_stripe_link_attempts_request_id",
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_stripe_link_attempts"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_stripe_link_attempts_event_id", "stripe_link_attempts", ["event_id", "id"])
    op.create_index(
        "uq_stripe_link_attempts_code",
        "stripe_link_attempts",
        ["stripe_auth_code"],
        unique=True,
        postgresql_where=sa.text("outcome IS NULL OR outcome <> 'not-sent'"),
        sqlite_where=sa.text("outcome IS NULL OR outcome <> 'not-sent'"),
    )
    op.create_index(
        "uq_stripe_link_attempts_unfinished",
        "stripe_link_attempts",
        ["event_id"],
        unique=True,
        postgresql_where=sa.text("finished_at IS NULL"),
        sqlite_where=sa.text("finished_at IS NULL"),
    )

    op.create_table(
        "stripe_deauthorizations",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("stripe_user_id", sa.String(length=255), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("client_id", sa.String(length=255), nullable=False),
        sa.Column("event_id", sa.Integer(), nullable=True),
        sa.Column("owed_since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("next_try_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("claimed_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error_code", sa.String(length=64), nullable=True),
        sa.Column("needs_person", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.ForeignKeyConstraint(
            ["event_id"],
            ["events.id"],
            name="fk_stripe_deauthorizations_event_id",
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_stripe_deauthorizations"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_stripe_deauthorizations_next_try_at",
        "stripe_deauthorizations",
        ["next_try_at"],
        postgresql_where=sa.text("done_at IS NULL"),
        sqlite_where=sa.text("done_at IS NULL"),
    )
    op.create_index(
        "ix_stripe_deauthorizations_stripe_user_id",
        "stripe_deauthorizations",
        ["stripe_user_id", "livemode"],
    )
    op.create_index(
        "uq_stripe_deauthorizations_owed",
        "stripe_deauthorizations",
        ["stripe_user_id", "livemode", "client_id"],
        unique=True,
        postgresql_where=sa.text("done_at IS NULL"),
        sqlite_where=sa.text("done_at IS NULL"),
    )

    op.create_table(
        "stripe_webhook_events",
        sa.Column("id", sa.String(length=255), nullable=False),
        sa.Column("type", sa.String(length=255), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("stripe_user_id", sa.String(length=255), nullable=True),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_stripe_webhook_events"),
    )
    op.create_index(
        "ix_stripe_webhook_events_received_at", "stripe_webhook_events", ["received_at"]
    )


def downgrade():
    op.drop_table("stripe_webhook_events")
    op.drop_table("stripe_deauthorizations")
    op.drop_table("stripe_link_attempts")
    op.drop_table("stripe_authorization_requests")
    op.drop_table("stripe_authorizations")
