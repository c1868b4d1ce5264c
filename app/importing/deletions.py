"""Deleting here the events that were deleted there."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import LinkInProgress
from app.importing import target
from app.importing.events import FIELDS
from app.importing.facts import Remark
from app.importing.merging import unpack
from app.importing.target import Deletion, Run
from app.models import Event, StripeAuthorization
from app.services import audit
from app.services.accounts.links import account_of, lock_links_of_events
from app.services.deauthorization import outbox
from app.services.linking.attempts import refuse_while_linking

TABLE = target.EVENTS


def linked_accounts(session: Session, event_ids: Iterable[int]) -> set[str]:
    """Return the accounts that links of the events are to."""
    row = StripeAuthorization
    return set(session.scalars(select(row.stripe_user_id).where(row.event_id.in_(event_ids))))


def delete_events(
    run: Run, deletions: Iterable[Deletion], accounts_in_use: Collection[str]
) -> None:
    """
    Delete events softly and unlink them in both modes, in the current transaction.

    The deauthorizations are enqueued, never delivered; for *accounts_in_use* there is none, since
    it would end their links as well. An event that is being linked stays until the next run.
    """
    by_id = {each.event_id: each for each in deletions}
    events = _lock_events(run.session, by_id)
    links = lock_links_of_events(run.session, [event.id for event in events])
    for event in events:
        of_event = [link for link in links if link.event_id == event.id]
        _delete(run, event, of_event, by_id[event.id], accounts_in_use)
    run.session.expunge_all()


def _lock_events(session: Session, ids: Collection[int]) -> Sequence[Event]:
    """Lock those of the events that are not deleted yet, in the order of their ids."""
    statement = (
        select(Event)
        .where(Event.id.in_(ids), Event.deleted_at.is_(None))
        .order_by(Event.id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    return session.scalars(statement).all()


def _delete(
    run: Run,
    event: Event,
    links: Iterable[StripeAuthorization],
    deletion: Deletion,
    accounts_in_use: Collection[str],
) -> None:
    try:
        refuse_while_linking(run.session, event.id)
    except LinkInProgress:
        under_way = Remark("link-in-progress", "not deleted: it is being linked here; run again")
        run.report.refuse(TABLE, event.id, *deletion.remarks, under_way)
        return
    done = [_erase(run.session, link, accounts_in_use) for link in links]
    event.deleted_at = deletion.deleted_at
    audit.record("event.delete", event.identifier, event_id=event.id)
    run.session.flush()
    _remember(run, event)
    run.report.count(TABLE, "deleted")
    run.report.tell(TABLE, event.id, [*deletion.remarks, Remark("deleted", _sentence(done))])


def _erase(session: Session, link: StripeAuthorization, accounts_in_use: Collection[str]) -> str:
    """Erase a link with its tokens, and enqueue its deauthorization; return what became of it."""
    account, event_id = account_of(link), link.event_id
    session.delete(link)
    audit.record("stripe-authorization.delete", account.account_id, event_id=event_id)
    if account.account_id in accounts_in_use:
        return f"{account.account_id} stays connected, other events use it"
    enqueued = outbox.enqueue(session, account, client_id=link.client_id, event_id=event_id)
    if enqueued is None:
        return f"{account.account_id} stays connected, other events use it"
    return f"the deauthorization of {account.account_id} is enqueued"


def _remember(run: Run, event: Event) -> None:
    """Remember the deletion as brought; leave what is remembered of the other values."""
    kept: Mapping[int, str] = target.find_known(run.session, TABLE, [event.id])
    digests = unpack(FIELDS, kept[event.id])
    digests["deleted_at"] = run.digester.digest("deleted_at", event.deleted_at)
    target.remember(run.session, TABLE, {event.id: "".join(digests[name] for name in FIELDS)})


def _sentence(done: list[str]) -> str:
    return "; ".join(["deleted here as there", *done])
