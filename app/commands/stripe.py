"""`manage.py stripe`: what an operator does about Stripe."""

import click


@click.group("stripe")
def stripe() -> None:
    """Reconcile with Stripe, check the platform's keys, or stand in for Stripe."""
