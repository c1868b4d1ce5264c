"""Connecting without OAuth: the platform creates an account, and its owner fills it in."""
