"""The API, described from the table of routes, the schemas and the error classes."""
