"""The letters of a plan, rendered, with their Message-IDs: what is queued when the plan is committed."""

from __future__ import annotations

import uuid
from datetime import datetime

from desk.facts import Facts, Trust
from desk.mail import Address, Mail
from desk.passing import is_passed_on
from desk.plan import OpenTicket, Plan, PlannedLetter, Purpose, TouchTicket
from desk.tokens import make_message_id, make_plus_address
from letters.compose import compose_letter
from letters.render import render_letter
from store.messages import Waiting
from store.outcomes import ReadyLetter
from tasks.hearing import Desk

FILES = 10  # named in a letter


def write_letter(
    desk: Desk,
    waiting: Waiting,
    mail: Mail,
    facts: Facts,
    plan: Plan,
    planned: PlannedLetter,
    number: str,
    now: datetime,
) -> ReadyLetter:
    """Render a planned letter and fix its Message-ID."""
    of_ticket = plan.ticket.number if isinstance(plan.ticket, TouchTicket) else number
    slots = _fill_slots(desk, waiting, mail, facts, plan, planned, of_ticket)
    rendered = render_letter(planned.template, planned.language, slots)
    internal = planned.purpose is Purpose.HANDOVER
    sender = desk.policy.organisation.sender if internal else desk.addresses[waiting.mailbox_id]
    header_id = make_message_id(of_ticket, uuid.uuid4().hex, desk.tokens, desk.policy.organisation.domain)
    body = compose_letter(
        rendered,
        message_id=header_id,
        sender=Address(desk.policy.organisation.name, sender),
        recipients=planned.recipients,
        date=now,
        in_reply_to="" if internal else mail.message_id,
        references=() if internal else mail.references,
        reply_to="" if internal else _make_reply_to(desk, sender, of_ticket),
        automatic=not planned.draft,
    )
    return ReadyLetter(
        planned.purpose,
        header_id,
        sender,
        planned.recipients,
        body,
        planned.draft,
        automatic=not internal and not planned.draft,
    )


def _make_reply_to(desk: Desk, address: str, number: str) -> str:
    """Where answers on a ticket go, if the organisation's server takes such addresses; empty for the plain one."""
    wanted = desk.policy.letters.plus_address and bool(number)
    return (make_plus_address(address, number, desk.tokens) or "") if wanted else ""


def _fill_slots(
    desk: Desk, waiting: Waiting, mail: Mail, facts: Facts, plan: Plan, planned: PlannedLetter, number: str
) -> dict[str, object]:
    """Checked fields and store facts only; see letters.slots for what each means."""
    policy, ticket = desk.policy, plan.ticket
    opened = ticket if isinstance(ticket, OpenTicket) else None
    return {
        "organisation": policy.organisation.name,
        "signature": policy.organisation.signature.get(planned.language, policy.organisation.name),
        "requester_name": mail.sender.name if facts.trust is Trust.VERIFIED and not is_passed_on(facts) else "",
        "requester_organisation": facts.organisation.name if facts.organisation else "",
        "number": number,
        "subject": mail.subject,
        "received_at": mail.date or waiting.received_at,  # the day that its writer remembers
        "respond_by": opened.respond_by if opened else None,
        "timezone": policy.calendar.timezone,
        "retention_days": policy.retention.mails.days,
        "automatic": not planned.draft,
        "category": opened.category if opened else facts.joined.category if facts.joined else "",
        "priority": opened.priority if opened else facts.joined.priority if facts.joined else "",
        "sender": mail.sender.address,
        "requester_phone": mail.signature.phone if mail.signature else "",
        "files": [{"name": one.name, "warning": one.warning} for one in mail.attachments if not one.inline][:FILES],
        "excerpt": mail.reply_text,
        "reason": plan.reason,
        "drafted": any(one.draft for one in plan.letters),
        "limit_mb": policy.limits.mail_bytes // 10**6,
    }
