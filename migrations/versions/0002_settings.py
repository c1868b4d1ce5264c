"""The platform's registration at Stripe: one row, there from the start."""

import sqlalchemy as sa
from alembic import op

revision = "0002_settings"
down_revision = "0001_users_and_events"
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        "settings",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("stripe_mode", sa.String(length=16), server_default="debug", nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("stripe_client_id", sa.Text(), nullable=True),
        sa.Column("stripe_secret_key", sa.Text(), nullable=True),
        sa.Column("stripe_publishable_key", sa.Text(), nullable=True),
        sa.Column("stripe_webhook_secret", sa.Text(), nullable=True),
        sa.Column("stripe_test_client_id", sa.Text(), nullable=True),
        sa.Column("stripe_test_secret_key", sa.Text(), nullable=True),
        sa.Column("stripe_test_publishable_key", sa.Text(), nullable=True),
        sa.Column("stripe_test_webhook_secret", sa.Text(), nullable=True),
        sa.Column("code_digest_key", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "stripe_mode IN ('debug', 'production')", name="ck_settings_stripe_mode"
        ),
        sa.CheckConstraint("id = 1", name="ck_settings_one_row"),
        sa.PrimaryKeyConstraint("id", name="pk_settings"),
    )

    op.execute("INSERT INTO settings (id, stripe_mode) VALUES (1, 'debug')")


def downgrade():
    op.drop_table("settings")
