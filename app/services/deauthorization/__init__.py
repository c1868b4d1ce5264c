"""Telling Stripe to disconnect accounts, and hearing from Stripe that it happened."""
