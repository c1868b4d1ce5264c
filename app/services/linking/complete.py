"""
Completing an attempt, in one transaction: store the account, or refuse and deauthorize it.

Locks are taken in the order event, accounts, attempt. `judge_completion` decides.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Row, bindparam, select, true
from sqlalchemy.orm import Session

from app.auth.policy import ADMIN, ANYONE, Role, role_rank
from app.clients.stripe import ConnectedAccount
from app.db.clock import current_time, database_now
from app.db.transactions import transaction
from app.errors import Conflict, ServiceError
from app.models import Event, Setting, StripeAuthorization, StripeLinkAttempt, User
from app.services import audit
from app.services.accounts import connections
from app.services.accounts.links import AccountKey, account_of, lock_accounts
from app.services.deauthorization import outbox
from app.services.deauthorization.queries import DELIVERY_STATE
from app.services.linking import attempts
from app.services.linking.authorization_requests import consume, release
from app.services.linking.claim import Claim
from app.services.linking.outcome import CompletionFacts, judge_completion, judge_failure
from app.services.linking.source import LinkSource, fill_link, find_source

# Built once: putting them together takes longer than running them.
EVENT = (
    select(Event)
    .where(Event.id == bindparam("event_id"))
    .with_for_update(key_share=True)
    .execution_options(populate_existing=True)
)
# A user who was blocked or deleted meanwhile no longer has a role.
FACTS = (
    select(
        StripeLinkAttempt,
        database_now().label("now"),
        (User.is_admin | User.is_super_admin).label("is_admin"),
        role_rank(StripeLinkAttempt.event_id, User.id).label("rank"),
        (Setting.stripe_mode == "production").label("is_live"),
        DELIVERY_STATE,
    )
    .select_from(StripeLinkAttempt)
    .join(DELIVERY_STATE, true())
    .join(Setting, Setting.id == 1)
    .outerjoin(
        User,
        (User.id == bindparam("caller_id")) & ~User.is_blocked & User.deleted_at.is_(None),
    )
    .where(StripeLinkAttempt.id == bindparam("attempt_id"))
    .with_for_update(of=StripeLinkAttempt)
    .execution_options(populate_existing=True)
)


@dataclass(frozen=True)
class Completion:
    """
    The outcome of completing an attempt: a link, a refusal, or doubt whether Stripe has
    disconnected the account meanwhile.

    *enqueued* are the deauthorizations to deliver then. *disconnected_at* is when Stripe was last
    told to disconnect it; *is_delivering* while the answer is still awaited.
    """

    authorization: StripeAuthorization | None = None
    error: ServiceError | None = None
    enqueued: list[int] = field(default_factory=list)
    disconnected_at: datetime | None = None
    is_delivering: bool = False


def complete_attempt(
    claim: Claim, granted: ConnectedAccount, confirmed: datetime | None
) -> Completion:
    """
    Store the account that was *granted* or confirmed, if the attempt is unfinished and it is still
    allowed.

    *confirmed* is a disconnection after which Stripe said that it is connected all the same.
    """
    account = AccountKey(granted.account_id, granted.livemode)
    with transaction() as session:
        facts, link = _gather(session, claim, account)
        source = find_source(session, claim, granted, is_admin=facts.role == ADMIN)
        facts = replace(facts, may_use=source is not None)
        verdict = judge_completion(facts, claim.platform.livemode, confirmed)
        if isinstance(verdict, ServiceError):
            return _refuse(session, claim, facts, account, verdict)
        if verdict == "doubtful":
            return Completion(
                disconnected_at=facts.disconnected_at, is_delivering=facts.is_delivering
            )
        if verdict == "stored" or source is None:
            return _stored(session, claim, facts, account)
        return _store(session, claim, source, facts, link)


def refuse_attempt(claim: Claim, account_id: str | None, error: ServiceError) -> Completion:
    """Finish the attempt with *error*; deauthorize the account that Stripe named, if any."""
    account = None if account_id is None else AccountKey(account_id, claim.platform.livemode)
    with transaction() as session:
        facts, _ = _gather(session, claim, account)
        return _refuse(session, claim, facts, account, error)


def _gather(
    session: Session, claim: Claim, account: AccountKey | None
) -> tuple[CompletionFacts, StripeAuthorization | None]:
    """
    Lock event, accounts and attempt; return what decides, and the link to be replaced.

    What decides is read after the last lock: a statement that waits for a lock reads other tables
    as they were before it waited.
    """
    event = session.scalars(EVENT, {"event_id": claim.event_id}).one_or_none()
    link = _find_replaced(session, claim)
    accounts = [account, None if link is None else account_of(link)]
    lock_accounts(session, *(each for each in accounts if each is not None))
    if link is not None:
        link = _find_replaced(session, claim)  # its account may have been disconnected meanwhile
    row = _read(session, claim, account)
    if row is None:
        return CompletionFacts(current_time(session), None, event, ANYONE, False), link
    facts = CompletionFacts(
        now=row.now,
        attempt=row.StripeLinkAttempt,
        event=event,
        role=ADMIN if row.is_admin and claim.caller.is_admin else Role(row.rank or ANYONE),
        livemode=row.is_live,
        disconnected_at=row.disconnected_at,
        delivering_until=row.delivering_until,
        has_pending=row.pending > 0,
    )
    return facts, link


def _find_replaced(session: Session, claim: Claim) -> StripeAuthorization | None:
    if claim.replacing is None:
        return None
    return session.get(StripeAuthorization, claim.replacing, populate_existing=True)


def _read(session: Session, claim: Claim, account: AccountKey | None) -> Row[Any] | None:
    """
    Lock the attempt; return it with what the caller is by now (nothing, if they were blocked or
    deleted), the platform's mode, and what Stripe was told of *account*. None if it is gone.
    """
    known = {"attempt_id": claim.attempt_id, "caller_id": claim.caller.id}
    told_of = {"account_id": account.account_id, "livemode": account.livemode} if account else {}
    return session.execute(
        FACTS, {"account_id": None, "livemode": None, **told_of, **known}
    ).one_or_none()


def _refuse(
    session: Session,
    claim: Claim,
    facts: CompletionFacts,
    account: AccountKey | None,
    error: ServiceError,
) -> Completion:
    """Finish the attempt, unless it is, and enqueue the account's deauthorization."""
    attempt = facts.attempt
    if attempt is not None and attempt.finished_at is None:
        outcome = judge_failure(error)
        if outcome == "not-sent":
            release(session, attempt.request_id)
        attempts.finish(attempt, outcome, facts.now, error)
    if account is None or claim.method != "oauth":  # what was connected before stays as it is
        return Completion(error=error)
    enqueued = _give_back(session, claim, account, claim.platform.client_id)
    return Completion(error=error, enqueued=enqueued)


def _stored(
    session: Session, claim: Claim, facts: CompletionFacts, account: AccountKey
) -> Completion:
    """Return the link that an earlier commit stored, unless it has been erased since."""
    link_id = facts.attempt.authorization_id if facts.attempt is not None else None
    link = session.get(StripeAuthorization, link_id) if link_id is not None else None
    if link is None:
        gone = Conflict("The account was disconnected at this moment. Please connect again.")
        return _refuse(session, claim, facts, account, gone)
    return Completion(link)


def _store(
    session: Session,
    claim: Claim,
    source: LinkSource,
    facts: CompletionFacts,
    link: StripeAuthorization | None,
) -> Completion:
    """Store the link, new or in the place of the old one, and finish the attempt."""
    replaced = None if link is None else (account_of(link), link.client_id)
    link = link or StripeAuthorization(event_id=claim.event_id)
    fill_link(link, claim, source, facts.now)
    session.add(link)
    session.flush()
    account = account_of(link)
    _record_connection(session, claim, account, facts)
    if facts.has_pending:
        outbox.cancel(session, account)
    enqueued = []
    if replaced is not None and replaced[0] != account:
        enqueued = _give_back(session, claim, *replaced)
    if facts.attempt is not None:
        attempts.finish(facts.attempt, "linked", facts.now)
        facts.attempt.authorization_id = link.id
    audit.record(
        "stripe-authorization.link" if replaced is None else "stripe-authorization.relink",
        account.account_id,
        user_id=claim.caller.id,
        event_id=claim.event_id,
    )
    return Completion(link, enqueued=enqueued)


def _record_connection(
    session: Session, claim: Claim, account: AccountKey, facts: CompletionFacts
) -> None:
    """Remember who connected the account, so that they may use it for other events as well."""
    if claim.method == "oauth":
        connections.record_oauth(session, account, claim.caller.id, facts.now)
    else:
        connections.finish(session, account, claim.caller.id, facts.now)
    if claim.method == "onboarding" and facts.attempt is not None:
        consume(session, facts.attempt.request_id, facts.now)


def _give_back(session: Session, claim: Claim, account: AccountKey, client_id: str) -> list[int]:
    enqueued = outbox.enqueue(session, account, client_id=client_id, event_id=claim.event_id)
    return [] if enqueued is None else [enqueued]
