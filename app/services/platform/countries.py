"""Which countries Stripe can be told of."""

import pycountry


def country_code(text: str | None) -> str | None:
    """
    Return *text* as an ISO 3166-1 alpha-2 code, or None where it is none (`UK`, `EU`, a name).

    Stripe refuses an account over a country that is none; without one it asks the owner.
    """
    code = (text or "").strip().upper()
    return code if len(code) == 2 and pycountry.countries.get(alpha_2=code) else None
