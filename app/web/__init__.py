"""The console: pages for organizers and administrators, over the same services as the API."""
