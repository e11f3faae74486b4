"""What the notifier does when something is due: send what is owed."""

from collections.abc import Mapping
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from libs.common import testclock
from libs.common.clock import system_now
from libs.common.deadlines import Deadline, Job, take
from libs.common.service import Running
from services.notifier import store, usecases
from services.notifier.clients import contacts, letters, mail
from services.notifier.clients.contacts import ContactUnavailable
from services.notifier.domain.notices import (
    NO_ADDRESS,
    NO_POLICY,
    STAFF,
    UNKNOWN_POLICY,
    Attempt,
    Cover,
    Delayed,
    Notice,
    Notification,
    Unreachable,
)
from services.notifier.settings import NotifierSettings

_UTC = ZoneInfo("UTC")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Who a letter goes to. The address is kept no longer than the sending takes."""

    email: str
    locale: str
    order_ref: str


class NotSentYet(Exception):
    """The deadline stays and comes again, after the runner's backoff."""


def jobs(running: Running) -> Mapping[str, Job]:
    async def send_notification(deadline: Deadline) -> None:
        await _send_notification(running, deadline)

    return {usecases.SEND: send_notification}


async def _send_notification(running: Running, deadline: Deadline) -> None:
    """Send between two transactions; the second writes down what became of it.

    A crash before the second leaves the deadline, so the mail goes out again: at least once.
    `sent_at` is the tenant's business time, for a retry may succeed long after the due instant.
    """
    db, tenant_id = running.db, deadline.tenant_id
    settings = running.settings
    assert isinstance(settings, NotifierSettings)
    async with db.transaction(tenant_id) as tx:
        owed = await store.get_notification(tx, deadline.subject, tenant_id=tenant_id)
        cover = await store.find_cover(tx, owed.notice.policy_id or "", tenant_id=tenant_id)
    if owed.state != "PENDING":
        # Another process was faster, and took the deadline with it.
        return
    attempt = await _attempt(running, settings, owed, cover)
    now = await testclock.business_now(db, tenant_id)
    async with db.transaction(tenant_id) as tx:
        settled = await usecases.settle(
            tx,
            deadline.subject,
            attempt,
            tenant_id=tenant_id,
            most_attempts=settings.mail_attempts,
            now=now,
        )
        if settled.state != "PENDING":
            await take(tx, deadline)
    if settled.state == "PENDING":
        raise NotSentYet(settled.cause)


async def _attempt(
    running: Running, settings: NotifierSettings, owed: Notification, cover: Cover | None
) -> Attempt:
    notice = owed.notice
    is_for_staff = notice.recipient == STAFF
    reader = _staff(running, notice) if is_for_staff else await _customer(running, notice)
    if not isinstance(reader, Reader):
        return reader
    letter = letters.write(
        notice,
        locale=reader.locale,
        order_ref=reader.order_ref,
        zone=_zone(running, cover),
    )
    return await mail.send(
        settings,
        letter,
        notification_id=owed.notification_id,
        address=reader.email,
        now=system_now(),
    )


async def _customer(running: Running, notice: Notice) -> Reader | Unreachable | Delayed:
    if notice.policy_id is None:
        return Unreachable(cause=NO_POLICY)
    try:
        contact = await contacts.fetch_contact(
            running.http,
            running.settings.policy_url,
            notice.policy_id,
            headers=running.signer.headers(notice.tenant_id),
        )
    except ContactUnavailable as failure:
        return Delayed(cause=str(failure))
    if contact is None:
        return Unreachable(cause=UNKNOWN_POLICY)
    if not contact.email:
        return Unreachable(cause=NO_ADDRESS)
    return Reader(email=contact.email, locale=contact.locale, order_ref=contact.order_ref)


def _staff(running: Running, notice: Notice) -> Reader | Unreachable:
    """The tenant's own, in the first of its languages; a sandbox's are its tenant's."""
    tenant = running.tenants.get(notice.tenant_id)
    if tenant is None or tenant.staff_email is None:
        return Unreachable(cause=NO_ADDRESS)
    return Reader(email=tenant.staff_email, locale=tenant.languages[0], order_ref="")


def _zone(running: Running, cover: Cover | None) -> ZoneInfo:
    """The plan's (G-03); UTC, which the letter says, where the plan's file is not here."""
    plan = running.plans.by_sha256(cover.plan_sha256) if cover else None
    return plan.zone if plan else _UTC
