"""Keeping true in Open Event Server's database what it reads when it charges."""
