"""Payment intents on linked accounts, and the tokens of programs that create them."""

import sqlalchemy as sa
from alembic import op

revision = "0007_payments"
down_revision = "0006_methods_of_linking"
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        "payment_intents",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("event_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer()),
        sa.Column("idempotency_key", sa.String(length=255), nullable=False),
        sa.Column("request_digest", sa.String(length=64), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("stripe_user_id", sa.String(length=255), nullable=False),
        sa.Column("stripe_key", sa.String(length=64), nullable=False),
        sa.Column("parameters", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("application_fee_amount", sa.BigInteger(), nullable=False),
        sa.Column("description", sa.Text()),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("first_sent_at", sa.DateTime(timezone=True)),
        sa.Column("claimed_until", sa.DateTime(timezone=True)),
        sa.Column("has_saved_fault", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("needs_person", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("outcome", sa.String(length=16)),
        sa.Column("stripe_payment_intent_id", sa.String(length=255)),
        sa.Column("stripe_status", sa.String(length=40)),
        sa.Column("checked_at", sa.DateTime(timezone=True)),
        sa.Column("error_status", sa.Integer()),
        sa.Column("error_code", sa.String(length=64)),
        sa.Column("detail", sa.String(length=1000)),
        sa.Column("stripe_error", sa.String(length=300)),
        sa.CheckConstraint(
            "outcome IN ('created', 'refused', 'failed')", name="ck_payment_intents_outcome"
        ),
        sa.ForeignKeyConstraint(
            ["event_id"], ["events.id"], name="fk_payment_intents_event_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_payment_intents_user_id", ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_payment_intents"),
        sa.UniqueConstraint(
            "event_id", "idempotency_key", name="uq_payment_intents_event_id_idempotency_key"
        ),
        sa.UniqueConstraint("stripe_key", name="uq_payment_intents_stripe_key"),
        sa.UniqueConstraint(
            "stripe_payment_intent_id", name="uq_payment_intents_stripe_payment_intent_id"
        ),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_payment_intents_event_id_created_at", "payment_intents", ["event_id", "created_at"]
    )
    unclear = sa.text("outcome IS NULL")
    op.create_index(
        "ix_payment_intents_unclear",
        "payment_intents",
        ["created_at"],
        postgresql_where=unclear,
        sqlite_where=unclear,
    )
    op.create_index(
        "ix_payment_intents_stripe_user_id",
        "payment_intents",
        ["stripe_user_id", "livemode", "created_at"],
    )
    op.create_table(
        "service_tokens",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("event_ids", sa.JSON()),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True)),
        sa.Column("last_used_at", sa.DateTime(timezone=True)),
        sa.Column("revoked_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name="pk_service_tokens"),
        sa.UniqueConstraint("token_hash", name="uq_service_tokens_token_hash"),
        sqlite_autoincrement=True,
    )


def downgrade():
    op.drop_table("service_tokens")
    op.drop_table("payment_intents")
