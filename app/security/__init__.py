"""Secrets at rest, and what may reach a log."""
