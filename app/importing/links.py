"""What becomes of the links of Open Event Server. Nothing is guessed: money depends on each."""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping

from app.importing.facts import LinkFacts, Mapped, Refused, Remark, check_id, refuse
from app.services.platform.keys import LONGEST_KEY

FIELDS = (
    "event_id",
    "livemode",
    "stripe_user_id",
    "stripe_secret_key",
    "stripe_refresh_token",
    "stripe_publishable_key",
    "stripe_auth_code",
)
# What makes a link another link: these are never changed by an import.
IDENTITY = ("event_id", "livemode", "stripe_user_id")
ACCOUNT = re.compile(r"acct_[A-Za-z0-9_]{1,250}", re.ASCII)
MODE = re.compile(r"(?:sk|rk|pk)_(live|test)_", re.ASCII)


def livemode_of(key: str | None) -> bool | None:
    """Return whether *key*'s prefix says live; None if it tells no mode."""
    found = MODE.match((key or "").strip())
    return None if found is None else found[1] == "live"


def map_links(
    group: Iterable[LinkFacts],
    *,
    client_ids: Mapping[bool, str | None],
    taken: Collection[int] = (),
    known: Collection[int] = (),
) -> dict[int, Mapped | Refused]:
    """
    Return what becomes of each link of one event, by id.

    The values hold the authorization code itself, as `stripe_auth_code`. *client_ids* are the
    platform's by livemode: without one nothing could ever be deauthorized. *taken* are the ids that
    a person has chosen among several, *known* those that came before and are still here.
    """
    group = list(group)
    modes = {facts.id: _judge(facts) for facts in group}
    of_mode: dict[bool, list[LinkFacts]] = defaultdict(list)
    for facts in group:
        mode = modes[facts.id]
        if not isinstance(mode, Refused):
            of_mode[mode].append(facts)
    results: dict[int, Mapped | Refused] = {
        key: found for key, found in modes.items() if isinstance(found, Refused)
    }
    for livemode, candidates in of_mode.items():
        chosen, refusals = _choose(candidates, taken, known)
        results.update(refusals)
        if chosen is not None:
            both = len(of_mode) > 1
            results[chosen.id] = _map_link(chosen, livemode, client_ids.get(livemode), both)
    return results


def _judge(facts: LinkFacts) -> bool | Refused:
    """Return the mode of a link that can be imported, or why it cannot, on its own."""
    if refusal := check_id(facts.id):
        return refusal
    grant = f"not imported: the grant of {_shown(facts)} still exists at Stripe"
    if facts.is_deleted:
        return refuse("deleted", grant)
    if facts.event_id is None or not facts.event_is_there:
        return refuse("no-event", grant)
    if facts.event_is_deleted:
        return refuse("event-deleted", grant)
    if ACCOUNT.fullmatch(_account(facts)) is None:
        return refuse("no-account", "not imported: it names no Stripe account")
    if len(facts.publishable_key or "") > LONGEST_KEY:
        return refuse("key-too-long")
    said = {livemode_of(facts.access_token), livemode_of(facts.publishable_key)} - {None}
    if len(said) != 1:
        return refuse(*(("mode-contradictory",) if said else ("mode-unknown",)))
    return bool(said.pop())


def _shown(facts: LinkFacts) -> str:
    """Return the account's id if it is one: anything else might be a secret."""
    found = ACCOUNT.fullmatch(_account(facts))
    return found[0] if found else "an account that it does not name"


def _choose(
    candidates: list[LinkFacts], taken: Collection[int], known: Collection[int]
) -> tuple[LinkFacts | None, dict[int, Refused]]:
    """
    Return which of an event's links in one mode is imported, and why the others are not.

    Of several to one account it is the latest grant. Of several accounts none comes before a
    person has chosen, or has done so earlier.
    """
    chosen = _only(candidates, known) or _only(candidates, taken)
    if chosen is None and len({_account(each) for each in candidates}) == 1:
        chosen = max(candidates, key=lambda each: each.id)
    if chosen is not None:
        others = [each for each in candidates if each is not chosen]
        return chosen, {each.id: _not_chosen(each, chosen) for each in others}
    ids = sorted(each.id for each in candidates)
    action = (
        f"not imported: choose with --take among {', '.join(map(str, ids))};"
        f" Open Event Server uses whichever comes first, usually {ids[0]}"
    )
    return None, {each.id: refuse("several-accounts", action) for each in candidates}


def _only(candidates: list[LinkFacts], wanted: Collection[int]) -> LinkFacts | None:
    found = [each for each in candidates if each.id in wanted]
    return found[0] if len(found) == 1 else None


def _not_chosen(facts: LinkFacts, chosen: LinkFacts) -> Refused:
    if _account(facts) == _account(chosen):
        return refuse("same-account", f"not imported: {chosen.id} is to the same account, and came")
    return refuse("not-chosen", f"not imported: {chosen.id} is the event's link")


def _account(facts: LinkFacts) -> str:
    return (facts.account_id or "").strip()


def _map_link(
    facts: LinkFacts, livemode: bool, client_id: str | None, both_modes: bool
) -> Mapped | Refused:
    if not client_id:
        mode = "live" if livemode else "test"
        return refuse(
            "no-client-id",
            f"not imported: the platform has no client id of {mode} mode; set it and run again",
        )
    values = {
        "event_id": facts.event_id,
        "livemode": livemode,
        "stripe_user_id": _account(facts),
        "stripe_secret_key": _trimmed(facts.access_token),
        "stripe_refresh_token": _trimmed(facts.refresh_token),
        "stripe_publishable_key": _trimmed(facts.publishable_key),
        "stripe_auth_code": _trimmed(facts.code),
    }
    return Mapped(values, _remarks(facts, both_modes))


def _remarks(facts: LinkFacts, both_modes: bool) -> tuple[Remark, ...]:
    found = []
    if both_modes:
        found.append(Remark("both-modes", "imported; the event has a link in each mode"))
    if facts.event_says_linked is False:
        found.append(
            Remark(
                "event-says-not-linked",
                f"imported; CHECK IT: event {facts.event_id} is marked as not linked there, so the"
                " link may have been moved to it from another event",
            )
        )
    if not facts.event_can_pay:
        found.append(Remark("stripe-disabled", "imported; payment by Stripe is off for its event"))
    if not _trimmed(facts.access_token):
        found.append(
            Remark("no-access-token", "imported; Open Event Server itself cannot charge with it")
        )
    return tuple(found)


def _trimmed(text: str | None) -> str | None:
    return (text or "").strip() or None
