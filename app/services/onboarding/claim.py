"""Claiming an account that is to be created: every check, and the row that is committed first."""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.auth.policy import CONNECT, Caller, require
from app.clients.stripe import StripeConnect, account_form
from app.db.clock import current_time
from app.db.transactions import transaction
from app.errors import Conflict, StripeNotConfigured
from app.models import Setting, StripeAccount, User
from app.services.events.queries import lock_event
from app.services.events.theirs import confirm_event
from app.services.events.views import FoundEvent
from app.services.keyed_calls import Step, lease_end, next_step, retry_after
from app.services.linking.admission import NOT_CONFIGURED
from app.services.platform.countries import country_code
from app.services.platform.registration import Platform, platform_of

UNDER_WAY = "Your account at Stripe is being created right now. Please try again in a moment."
OUR_METADATA = "open_event_account"  # names the row, so that the account is found at Stripe again


@dataclass(frozen=True)
class Claim:
    """
    The right to create one account, until the lease ends; *account_id* where it is there already.

    *parameters* and *idempotency_key* are the row's; *fresh_parameters* go with another key, where
    Stripe has no account with our *reference* since *created_at*.
    """

    row_id: int
    event_id: int
    platform: Platform
    step: Step
    account_id: str | None
    reference: str
    idempotency_key: str = field(repr=False)
    parameters: Mapping[str, str]
    fresh_parameters: Mapping[str, str]
    created_at: datetime
    sent_before: datetime | None


def claim_account(event_reference: str, caller: Caller, stripe: StripeConnect) -> Claim:
    """
    Commit the row of the account that *caller* connects to the event, unless it is there.

    It is unique per user, event and mode until it is linked. Raises NotFound, Forbidden,
    StripeNotConfigured, Conflict while another request creates it, and what `confirm_event` raises.
    """
    confirm_event(event_reference, caller)
    with transaction() as session:
        event, setting = lock_event(event_reference, caller, field="event")
        require(event.role, CONNECT)
        platform = _platform(setting)
        now = current_time(session)
        reference = secrets.token_hex(16)
        row = _find(session, event, caller, platform.livemode)
        form = _form(session, event, caller, row.reference or "" if row else reference)
        if row is None:
            row = _add(session, event, caller, platform.livemode, reference, form)
        return _take(row, event, platform, form, now, stripe)


def _platform(setting: Setting) -> Platform:
    platform = platform_of(setting, setting.livemode)
    if not platform.is_configured("onboarding"):
        raise StripeNotConfigured(NOT_CONFIGURED)
    return platform


def _find(
    session: Session, event: FoundEvent, caller: Caller, livemode: bool
) -> StripeAccount | None:
    row = StripeAccount
    unfinished = select(row).where(
        row.connected_by_id == caller.id,
        row.event_id == event.id,
        row.livemode == livemode,
        row.finished_at.is_(None),
        row.disconnected_at.is_(None),
    )
    locked = unfinished.with_for_update().execution_options(populate_existing=True)
    return session.scalars(locked).one_or_none()


def _form(session: Session, event: FoundEvent, caller: Caller, reference: str) -> dict[str, str]:
    email = session.scalars(select(User.email).where(User.id == caller.id)).one()
    country = country_code(event.payment_country)
    return account_form(email, country=country, metadata={OUR_METADATA: reference})


def _add(
    session: Session,
    event: FoundEvent,
    caller: Caller,
    livemode: bool,
    reference: str,
    form: Mapping[str, str],
) -> StripeAccount:
    row = StripeAccount(
        livemode=livemode,
        origin="onboarding",
        connected_by_id=caller.id,
        event_id=event.id,
        reference=reference,
        idempotency_key=secrets.token_hex(16),
        parameters=json.dumps(form),
    )
    session.add(row)
    session.flush()
    return row


def _take(
    row: StripeAccount,
    event: FoundEvent,
    platform: Platform,
    form: Mapping[str, str],
    now: datetime,
    stripe: StripeConnect,
) -> Claim:
    sent_before = row.first_sent_at
    step = next_step(now, row.claimed_until, sent_before, is_key_spent=row.is_key_spent)
    if row.stripe_user_id is None:
        if step == "wait":
            headers = retry_after(row.claimed_until or now, now)
            raise Conflict(UNDER_WAY, headers=headers)
        row.first_sent_at = sent_before or now
        row.claimed_until = lease_end(now, stripe.timeout)
    return Claim(
        row_id=row.id,
        event_id=event.id,
        platform=platform,
        step=step,
        account_id=row.stripe_user_id,
        reference=row.reference or "",
        idempotency_key=row.idempotency_key or "",
        parameters=json.loads(row.parameters or "{}"),
        fresh_parameters=form,
        created_at=row.connected_at,
        sent_before=sent_before,
    )
