"""Connected accounts: how they are doing at Stripe."""
