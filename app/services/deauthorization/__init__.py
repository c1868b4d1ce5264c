"""Telling Stripe to disconnect accounts, and handling its webhooks about disconnections."""
