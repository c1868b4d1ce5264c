"""Secrets at rest, what may reach a log, and bulkheads against too much at once."""
