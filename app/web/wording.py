"""How times, roles, statuses and outcomes are put in words."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from markupsafe import Markup

TIME = Markup('<time datetime="{}" title="{}">{}</time>')
HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Badge:
    """A status in words, with a sign beside its colour for those who cannot see colours."""

    text: str
    sign: str
    tone: str  # good, warn, bad or calm: a class of our stylesheet


GOOD, WARN, BAD, CALM = "good", "warn", "bad", "calm"
OUTCOMES = {
    "linked": Badge("Connected", "✓", GOOD),
    "refused": Badge("Refused", "✕", BAD),
    "failed": Badge("Failed", "✕", BAD),
    "interrupted": Badge("Interrupted", "!", WARN),
    "not-sent": Badge("Not sent", "!", WARN),
    None: Badge("In progress", "…", CALM),
}
ACCOUNT_STATUSES = {
    "active": Badge("Active", "✓", GOOD),
    "restricted": Badge("Restricted", "!", WARN),
    "unknown": Badge("Not checked yet", "?", CALM),
}
CHECKS = {
    "ok": Badge("OK", "✓", GOOD),
    "failed": Badge("Failed", "✕", BAD),
    "skipped": Badge("Skipped", "–", CALM),
}
PAYMENT_STATUSES = {
    "succeeded": Badge("Paid", "✓", GOOD),
    "processing": Badge("In progress", "…", CALM),
    "requires_payment_method": Badge("Not paid yet", "–", CALM),
    "requires_confirmation": Badge("Not paid yet", "–", CALM),
    "requires_action": Badge("Waiting for the buyer", "…", CALM),
    "requires_capture": Badge("Reserved", "…", CALM),
    "canceled": Badge("Canceled", "✕", CALM),
    "refused": Badge("Refused", "✕", BAD),
    "failed": Badge("Failed", "✕", BAD),
}
# How many decimals a currency's minor unit has at Stripe, where it is not two
# (https://docs.stripe.com/currencies#zero-decimal, #three-decimal).
NONE = (
    "BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA",
    "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF",
)  # fmt: skip
DIGITS = dict.fromkeys(NONE, 0) | dict.fromkeys(["BHD", "JOD", "KWD", "OMR", "TND"], 3)


def payment_badge(status: str) -> Badge:
    """Return the status of a payment; Stripe may have one that is not listed here."""
    return PAYMENT_STATUSES.get(status, Badge(status.replace("_", " ").capitalize(), "…", CALM))


def money(amount: int, currency: str) -> str:
    """Return *amount*, in the minor unit of *currency*, as people write it."""
    code = currency.upper()
    digits = DIGITS.get(code, 2)
    whole, rest = divmod(amount, 10**digits)
    return f"{code} {whole:,}" + (f".{rest:0{digits}}" if digits else "")


def event_badge(event: Any) -> Badge:
    """Return whether an event has an account, or needs one."""
    if event.is_stripe_linked:
        return Badge("Connected", "✓", GOOD)
    if event.stripe_action_needed:
        return Badge("Action needed", "!", WARN)
    return Badge("Not connected", "–", CALM)


def in_words(moment: datetime) -> Markup:
    """Return *moment* as people say it, with the exact time on hover."""
    passed = datetime.now(UTC) - moment
    if timedelta(0) <= passed < timedelta(minutes=1):
        said = "just now"
    elif timedelta(0) <= passed < HOUR:
        said = _ago(passed // timedelta(minutes=1), "minute")
    elif timedelta(0) <= passed < 24 * HOUR:
        said = _ago(passed // HOUR, "hour")
    else:
        said = f"{moment.day} {moment:%B %Y}"
    exactly = f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    return TIME.format(moment.isoformat(timespec="seconds"), exactly, said)


def _ago(count: int, unit: str) -> str:
    return f"{count} {unit}{'' if count == 1 else 's'} ago"


def dates_of(event: Any) -> Markup:
    """Return when *event* takes place, by the clocks of its time zone."""
    zone = zone_of(event.timezone)
    starts, ends = at(zone, event.starts_at), at(zone, event.ends_at)
    if starts.date() == ends.date():
        said = f"{_day(starts)}, {starts:%H:%M} – {ends:%H:%M}"
    else:
        said = f"{_day(starts)}, {starts:%H:%M} – {_day(ends)}, {ends:%H:%M}"
    exactly = f"{event.starts_at:%Y-%m-%d %H:%M} UTC"
    return TIME.format(event.starts_at.isoformat(), exactly, said)


def _day(moment: datetime) -> str:
    return f"{moment:%A}, {moment.day} {moment:%B %Y}"


def at(zone: ZoneInfo, moment: datetime) -> datetime:
    """Return *moment* by the clocks of *zone*; as it is where their calendar has no such day."""
    try:
        return moment.astimezone(zone)
    except OverflowError:
        return moment


def zone_of(name: str) -> ZoneInfo:
    """Return the time zone called *name*; UTC for an imported one that is not known."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")


FILTERS: dict[str, Callable[..., Any]] = {
    "in_words": in_words,
    "dates_of": dates_of,
    "event_badge": event_badge,
    "outcome_badge": OUTCOMES.__getitem__,
    "account_badge": ACCOUNT_STATUSES.__getitem__,
    "check_badge": CHECKS.__getitem__,
    "payment_badge": payment_badge,
    "money": money,
}
