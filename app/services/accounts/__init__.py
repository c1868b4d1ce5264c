"""Connected accounts, and their status at Stripe."""
