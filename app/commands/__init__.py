"""manage.py's verbs, one file per noun."""

from app.commands.secrets import secrets
from app.commands.stripe import stripe
from app.commands.users import users

COMMANDS = [secrets, stripe, users]
