"""Payments on linked accounts: one payment intent at Stripe per event and idempotency key, ever."""
