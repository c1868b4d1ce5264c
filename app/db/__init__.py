"""How the service speaks to SQLite and PostgreSQL alike."""
