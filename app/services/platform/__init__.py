"""The platform's registration at Stripe."""
