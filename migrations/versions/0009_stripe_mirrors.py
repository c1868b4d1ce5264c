"""What Open Event Server's database is to hold of our links."""

import sqlalchemy as sa
from alembic import op

revision = "0009_stripe_mirrors"
down_revision = "0008_stripe_accounts"
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        "stripe_mirrors",
        sa.Column("event_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("problem", sa.String(length=64)),
        sa.Column("enqueued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("next_try_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("claimed_until", sa.DateTime(timezone=True)),
        sa.Column("sent_at", sa.DateTime(timezone=True)),
        sa.Column("done_at", sa.DateTime(timezone=True)),
        sa.Column("error_code", sa.String(length=64)),
        sa.Column("needs_person", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.ForeignKeyConstraint(
            ["event_id"], ["events.id"], name="fk_stripe_mirrors_event_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("event_id", name="pk_stripe_mirrors"),
    )
    op.create_index(
        "ix_stripe_mirrors_next_try_at",
        "stripe_mirrors",
        ["next_try_at"],
        postgresql_where=sa.text("done_at IS NULL"),
        sqlite_where=sa.text("done_at IS NULL"),
    )


def downgrade():
    op.drop_index("ix_stripe_mirrors_next_try_at", table_name="stripe_mirrors")
    op.drop_table("stripe_mirrors")
