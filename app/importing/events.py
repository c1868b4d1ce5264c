"""What becomes of an event of Open Event Server."""

from app.importing.facts import EventFacts, Mapped, Refused, Remark, check_id, refuse
from app.services.events.choices import CURRENCIES, TIME_ZONES

FIELDS = (
    "identifier",
    "name",
    "description",
    "starts_at",
    "ends_at",
    "timezone",
    "state",
    "payment_country",
    "payment_currency",
    "can_pay_by_stripe",
    "owner_name",
    "created_at",
    "deleted_at",
)
LONGEST_IDENTIFIER, LONGEST_NAME, LONGEST_COUNTRY = 36, 255, 64
HEX_DIGITS = frozenset("0123456789abcdef-")
# Zones that the IANA database has dropped.
DROPPED_ZONES = {"US/Pacific-New": "America/Los_Angeles"}


def map_event(facts: EventFacts, *, is_twin: bool = False) -> Mapped | Refused:
    """
    Return what becomes of an event.

    *is_twin* says that another event there has the same identifier: then neither comes, since an
    identifier must name one. `created_at` is None where it is unknown.
    """
    refusal = check_id(facts.id) or _check_identifier(facts.identifier, is_twin)
    if refusal is not None:
        return refusal
    if facts.starts_at is None or facts.ends_at is None:
        return refuse("no-time", "not imported: start or end is missing or beyond the calendar")
    remarks = list(_identifier_remarks(facts.identifier or ""))
    values = {
        "identifier": facts.identifier,
        "name": _shorten(facts.name or "", "name", remarks),
        "description": facts.description,
        "starts_at": facts.starts_at,
        "ends_at": facts.ends_at,
        "timezone": _zone(facts.timezone or "", remarks),
        "state": _state(facts.state, remarks),
        "payment_country": _country(facts.payment_country or "", remarks),
        "payment_currency": _currency(facts.payment_currency or "", remarks),
        "can_pay_by_stripe": facts.can_pay_by_stripe,
        "owner_name": _shorten(facts.owner_name, "owner-name", remarks),
        "created_at": facts.created_at,
        "deleted_at": facts.deleted_at,
    }
    remarks += _state_remarks(facts)
    return Mapped(values, tuple(remarks))


def _state_remarks(facts: EventFacts) -> list[Remark]:
    """Say what a person should look at, although it is imported as it is."""
    found = []
    if facts.starts_at and facts.ends_at and facts.ends_at <= facts.starts_at:
        found.append(Remark("ends-before-start", "imported as it is"))
    if facts.deleted_at is not None:
        return found
    if facts.says_linked and not facts.has_link:
        found.append(Remark("no-link", "imported; it is marked as linked there, and has no link"))
    if not facts.has_owner:
        found.append(
            Remark("no-owner", "imported; nobody who can sign in owns it: only staff can link it")
        )
    return found


def _check_identifier(identifier: str | None, is_twin: bool) -> Refused | None:
    if not identifier:
        return refuse("no-identifier")
    if is_twin:
        return refuse("identifier-twice", "not imported: several events there share the identifier")
    if len(identifier) > LONGEST_IDENTIFIER:
        return refuse("identifier-too-long")
    return None


def _identifier_remarks(identifier: str) -> list[Remark]:
    if identifier.isdigit():
        return [Remark("identifier-of-digits", "imported; reachable by its id only")]
    if not HEX_DIGITS.issuperset(identifier):
        return [Remark("unusual-identifier", "imported with it")]
    return []


def _shorten(text: str | None, field: str, remarks: list[Remark]) -> str | None:
    if text is None or len(text) <= LONGEST_NAME:
        return text
    remarks.append(Remark(f"{field}-too-long", f"imported; cut to {LONGEST_NAME} characters"))
    return text[: LONGEST_NAME - 1] + "…"


def _zone(zone: str, remarks: list[Remark]) -> str:
    if zone in TIME_ZONES:
        return zone
    known = DROPPED_ZONES.get(zone, "UTC")
    remarks.append(Remark("unknown-timezone", f"imported; its time zone is {known} here"))
    return known


def _state(state: str | None, remarks: list[Remark]) -> str:
    if state in ("draft", "published"):
        return state
    if state is not None:
        remarks.append(Remark("unknown-state", "imported as a draft"))
    return "draft"


def _country(country: str, remarks: list[Remark]) -> str | None:
    if len(country) <= LONGEST_COUNTRY:
        return country or None
    remarks.append(Remark("country-too-long", "imported without its payment country"))
    return None


def _currency(currency: str, remarks: list[Remark]) -> str | None:
    code = currency.strip().upper()
    if not code or code in CURRENCIES:
        return code or None
    remarks.append(Remark("unknown-currency", "imported without its currency"))
    return None
