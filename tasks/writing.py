"""The letters of a plan, rendered, with their Message-IDs: what is queued when the plan is committed."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from desk.errors import LetterHole
from desk.facts import Facts, Trust
from desk.fields import Fields
from desk.knowledge import Passage
from desk.mail import Address, Mail
from desk.passing import is_passed_on
from desk.plan import OpenTicket, Plan, PlannedLetter, Purpose, TouchTicket
from desk.policy import Policy, Preferences
from desk.tokens import make_message_id, make_plus_address
from letters.compose import compose_letter
from letters.manners import Manners, choose_signature, read_manners
from letters.render import Rendered, render_letter
from letters.variants import Wording, choose_variant, find_segment
from store.history import find_open_request
from store.messages import Waiting
from store.outcomes import ReadyLetter
from tasks.hearing import Desk

FILES = 10  # named in a letter
SOLVING = frozenset({Purpose.ANSWER, Purpose.DRAFT})


@dataclass(frozen=True, slots=True)
class Occasion:
    """What letters are written about: a mail, what is known and was decided, the number reserved for a ticket that is
    opened, and what was found in the mail and in articles.
    """

    waiting: Waiting
    mail: Mail
    facts: Facts
    plan: Plan
    reserved: str
    fields: Fields = ()
    passages: Sequence[Passage] = ()

    @property
    def number(self) -> str:
        """The ticket's."""
        ticket = self.plan.ticket
        return ticket.number if isinstance(ticket, TouchTicket) else self.reserved

    @property
    def proven(self) -> bool:
        """Whether the mail is its sender's own and nobody else's."""
        return self.facts.trust is Trust.VERIFIED and not is_passed_on(self.facts)


def write_letter(desk: Desk, occasion: Occasion, planned: PlannedLetter, now: datetime) -> ReadyLetter:
    """Render a planned letter and fix its Message-ID. Raises LetterHole when one that goes to the requester by itself
    lacks a value that its words ask for; drafts and letters to our own people show a gap there.
    """
    mail = occasion.mail
    internal = planned.purpose is Purpose.HANDOVER
    sender = desk.policy.organisation.sender if internal else desk.addresses[occasion.waiting.mailbox_id]
    header_id = make_message_id(occasion.number, uuid.uuid4().hex, desk.tokens, desk.policy.organisation.domain)
    wording, rendered = _render(desk, occasion, planned)
    body = compose_letter(
        rendered,
        message_id=header_id,
        sender=Address(desk.policy.organisation.name, sender),
        recipients=planned.recipients,
        date=now,
        in_reply_to="" if internal else mail.message_id,
        references=() if internal else mail.references,
        automatic=not planned.draft,
        **_choose_manners(desk, occasion, planned, sender),
    )
    return ReadyLetter(
        planned.purpose,
        header_id,
        sender,
        planned.recipients,
        body,
        planned.draft,
        automatic=not internal and not planned.draft,
        reason=occasion.plan.reason if planned.draft else "",
        template=wording.template,
        segment=wording.segment,
        variant=wording.variant,
        language=planned.language,
    )


# --- words ---------------------------------------------------------------------------------------------------


def _render(desk: Desk, occasion: Occasion, planned: PlannedLetter) -> tuple[Wording, Rendered]:
    """An acknowledgement must not fail, for the person would hear nothing at all: where the organisation's own words
    for it have a hole, it is ours that go.
    """
    slots = _fill_slots(desk, occasion, planned)
    wording = _choose_wording(desk.policy, planned, occasion.number)
    folder = desk.policy.letters.templates
    try:
        return wording, _render_as(wording, planned, slots, folder)
    except LetterHole:
        if planned.purpose is not Purpose.ACKNOWLEDGEMENT:
            raise
        plain = Wording(planned.template)
        return plain, _render_as(plain, planned, slots, "")


def _render_as(wording: Wording, planned: PlannedLetter, slots: dict[str, object], folder: str) -> Rendered:
    return render_letter(
        wording.template,
        planned.language,
        slots,
        segment=wording.segment,
        variant=wording.variant,
        folder=folder,
        gaps=planned.draft or planned.purpose is Purpose.HANDOVER,
    )


def _choose_wording(policy: Policy, planned: PlannedLetter, number: str) -> Wording:
    known = (planned.template, planned.language)
    segment = find_segment(*known, planned.segment, policy.letters.templates)
    return Wording(planned.template, segment, choose_variant(*known, segment, number, policy.letters.templates))


def _fill_slots(desk: Desk, occasion: Occasion, planned: PlannedLetter) -> dict[str, object]:
    """Checked fields and store facts only; see letters.slots for what each means."""
    waiting, mail, facts, plan = occasion.waiting, occasion.mail, occasion.facts, occasion.plan
    policy, ticket = desk.policy, plan.ticket
    opened = ticket if isinstance(ticket, OpenTicket) else None
    solving = planned.purpose in SOLVING
    return {
        "organisation": policy.organisation.name,
        "signature": choose_signature(policy.organisation, planned.language, _find_reader(policy, plan, planned)),
        "requester_name": mail.sender.name if occasion.proven else "",
        "requester_organisation": facts.organisation.name if facts.organisation else "",
        "number": occasion.number,
        "earlier": _find_earlier(desk, occasion) if opened and planned.purpose is not Purpose.HANDOVER else "",
        "fields": dict(occasion.fields) if occasion.proven or planned.draft else {},
        "passages": [quote_passage(one) for one in occasion.passages] if solving else [],
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


def _find_earlier(desk: Desk, occasion: Occasion) -> str:
    who = occasion.waiting.contact_id
    return find_open_request(desk.store.engine, who) if who is not None and occasion.proven else ""


def quote_passage(passage: Passage) -> dict[str, object]:
    return {"title": passage.title, "text": passage.text, "cites": list(passage.cites)}


# --- headers -------------------------------------------------------------------------------------------------


def _find_reader(policy: Policy, plan: Plan, planned: PlannedLetter) -> Preferences | None:
    """Whose preferences count: the team's for what is handed to it."""
    handed = planned.purpose is Purpose.HANDOVER and plan.ticket is not None
    return policy.teams.get(plan.ticket.team) if handed and plan.ticket else None


def _choose_manners(desk: Desk, occasion: Occasion, planned: PlannedLetter, sender: str) -> Manners:
    if planned.purpose is Purpose.HANDOVER:
        return read_manners(_find_reader(desk.policy, occasion.plan, planned) or Preferences(), sender)
    asked = "read" in desk.policy.letters.receipts and not planned.draft  # a person sends a draft, and asks or not
    return {
        "html": True,
        "reply_to": _make_reply_to(desk, sender, occasion.number),
        "importance": "",
        "read_receipt": sender if asked else "",
    }


def _make_reply_to(desk: Desk, address: str, number: str) -> str:
    """Where answers on a ticket go, if the organisation's server takes such addresses; empty for the plain one."""
    wanted = desk.policy.letters.plus_address and bool(number)
    return (make_plus_address(address, number, desk.tokens) or "") if wanted else ""
