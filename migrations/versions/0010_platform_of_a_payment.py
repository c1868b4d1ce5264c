"""Which platform first asked Stripe for a payment: another one's idempotency keys are its own."""

import sqlalchemy as sa
from alembic import op

revision = "0010_platform_of_a_payment"
down_revision = "0009_stripe_mirrors"
branch_labels = None
depends_on = None


def upgrade():
    op.add_column("payment_intents", sa.Column("client_id", sa.String(length=255)))


def downgrade():
    op.drop_column("payment_intents", "client_id")
