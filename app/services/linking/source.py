"""What a link is stored with: as Stripe granted it, or taken over from another link."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.clients.stripe import ConnectedAccount
from app.models import StripeAccount, StripeAuthorization
from app.services.accounts import connections
from app.services.accounts.links import AccountKey, is_link_to
from app.services.linking.claim import Claim
from app.services.platform.identity import known_platform_id


@dataclass(frozen=True)
class LinkSource:
    """An account with its tokens, if it has any, and the application that it is connected to."""

    account: ConnectedAccount
    client_id: str
    platform_account_id: str | None


def find_source(
    session: Session, claim: Claim, granted: ConnectedAccount, *, is_admin: bool
) -> LinkSource | None:
    """
    Return what the link of *claim* is stored with; None if it may no longer be taken from there.

    The caller holds the account's lock, so what is copied stands until the transaction ends. The
    tokens are opened here, since each is sealed to its place.
    """
    own = LinkSource(granted, claim.platform.client_id, known_platform_id(claim.platform))
    if claim.method == "oauth":
        return own
    account = AccountKey(granted.account_id, granted.livemode)
    if claim.method == "onboarding":
        row = session.get(StripeAccount, claim.connection_id, populate_existing=True)
        return own if row is not None and row.disconnected_at is None else None
    if not connections.may_use(session, account, claim.caller.id, is_admin=is_admin):
        return None
    link = _find_link(session, account, claim.caller.id)
    return own if link is None else _copy(link)


def fill_link(link: StripeAuthorization, claim: Claim, source: LinkSource, now: datetime) -> None:
    """Write what *source* holds into the link; its event is set already."""
    granted = source.account
    link.livemode = granted.livemode
    link.stripe_user_id = granted.account_id
    link.stripe_secret_key = granted.access_token
    link.stripe_refresh_token = granted.refresh_token
    link.stripe_publishable_key = granted.publishable_key
    link.stripe_auth_code = claim.code_digest
    link.method = claim.method
    link.scope = granted.scope
    link.client_id = source.client_id
    link.platform_account_id = source.platform_account_id
    link.linked_by_id = claim.caller.id
    link.linked_at = now
    link.account_status = "unknown"
    link.display_name = link.country = link.account_checked_at = None


def _find_link(
    session: Session, account: AccountKey, user_id: int | None
) -> StripeAuthorization | None:
    """Return the newest link to *account*, one that the user made if there is any."""
    is_own = StripeAuthorization.linked_by_id.is_not_distinct_from(user_id)
    links = select(StripeAuthorization).where(is_link_to(account))
    newest = links.order_by(is_own.desc(), StripeAuthorization.id.desc()).limit(1)
    return session.scalars(newest.execution_options(populate_existing=True)).one_or_none()


def _copy(link: StripeAuthorization) -> LinkSource:
    account = ConnectedAccount(
        account_id=link.stripe_user_id,
        livemode=link.livemode,
        scope=link.scope,
        access_token=link.stripe_secret_key,
        refresh_token=link.stripe_refresh_token,
        publishable_key=link.stripe_publishable_key,
    )
    return LinkSource(account, link.client_id, link.platform_account_id)
