"""The JSON:API library made strict. Knows nothing of Stripe."""
