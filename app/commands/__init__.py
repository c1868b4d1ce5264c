"""The commands of manage.py, one file per group."""

from app.commands.import_open_event import import_
from app.commands.openapi import openapi
from app.commands.secrets import secrets
from app.commands.stripe import stripe
from app.commands.tokens import tokens
from app.commands.users import users

COMMANDS = [import_, openapi, secrets, stripe, tokens, users]
