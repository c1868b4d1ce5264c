"""A faithful, stateful stand-in for the part of Stripe that Connect OAuth needs."""
