"""JSON:API in: one file per resource. A resource translates, a service decides."""
