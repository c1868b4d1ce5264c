"""Connecting a Stripe account to an event, and disconnecting it."""
