"""What Alembic runs: the application's engine and the models' metadata."""

from typing import Any, Literal

from alembic import context
from flask import current_app
from sqlalchemy.types import TypeDecorator

extension = current_app.extensions["migrate"]


def without_our_types(kind: str, item: Any, _context: Any) -> str | Literal[False]:
    """Write a type of ours as what it is in the database: migrations do not import the service."""
    if kind == "type" and isinstance(item, TypeDecorator):
        return f"sa.{item.impl_instance!r}"
    return False


def run_migrations() -> None:
    """Run all pending migrations, each in a transaction of its own."""
    with extension.db.engine.connect() as connection:
        context.configure(
            connection=connection,
            target_metadata=extension.db.metadata,
            transaction_per_migration=True,
            render_item=without_our_types,
            **extension.configure_args,
        )
        with context.begin_transaction():
            context.run_migrations()


if context.is_offline_mode():
    raise SystemExit("Migrations run against a database; there is no offline mode.")
run_migrations()
