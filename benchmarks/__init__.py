"""How fast the service is, against a bare Flask view on the same machine at the same time."""
