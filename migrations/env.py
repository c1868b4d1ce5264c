"""What Alembic runs: the application's engine and the models' metadata."""

from alembic import context
from flask import current_app

extension = current_app.extensions["migrate"]


def run_migrations() -> None:
    """Run all pending migrations, each in a transaction of its own."""
    with extension.db.engine.connect() as connection:
        context.configure(
            connection=connection,
            target_metadata=extension.db.metadata,
            transaction_per_migration=True,
            **extension.configure_args,
        )
        with context.begin_transaction():
            context.run_migrations()


if context.is_offline_mode():
    raise SystemExit("Migrations run against a database; there is no offline mode.")
run_migrations()
