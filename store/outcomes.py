"""Door 7: a plan becomes ticket, history, outbox rows and filings in one transaction, or nothing does."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

import sqlalchemy as sa

from desk.classification import Classification, Role, Trouble
from desk.errors import ClaimLost, StaleDecision
from desk.escalation import SETTLED
from desk.facts import Facts
from desk.knowledge import Found
from desk.plan import OpenTicket, Plan, Purpose, TouchTicket, Verdict
from desk.policy import Limits
from store.after import queue_filings
from store.caps import Addition, hold_caps
from store.engine import changed, insert_many, insert_new, insert_once, insert_rows, writing
from store.facts import letters, participants, recipients, tickets
from store.knowledge import keep_lookups
from store.memory import Store
from store.messages import Waiting, contacts, conversations, hash_ref, messages, refs
from store.reported import mark_report
from store.tables import Decision, Event, Filing, Judgement, TicketOrigin, table

decisions = table(Decision)
events = table(Event)
filings = table(Filing)
judgements = table(Judgement)
origins = table(TicketOrigin)


@dataclass(frozen=True, slots=True)
class ReadyLetter:
    """A letter rendered and given its Message-ID, before it is queued."""

    purpose: Purpose
    header_id: str
    sender: str
    recipients: tuple[str, ...]
    body: bytes
    draft: bool = False
    automatic: bool = True
    reason: str = ""  # in a word: why it is a draft
    template: str = ""
    segment: str = ""
    variant: str = ""
    language: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """All that one decision leaves behind; `number` is used only if the plan opens a ticket."""

    plan: Plan
    facts: Facts
    judged: Classification | None
    troubles: tuple[Trouble, ...]  # judges that failed before one answered
    letters: tuple[ReadyLetter, ...]
    number: str
    subject: str
    policy_version: str
    shadows: tuple[Classification | Trouble, ...] = ()  # judged for comparison, without effect
    limits: Limits | None = None  # caps that its letters must hold when they are committed, too
    found: Found | None = None  # what was looked up in the articles


@dataclass(frozen=True, slots=True)
class Work:
    """A claimed mail and what was decided about it, at the moment that this was decided for."""

    waiting: Waiting
    outcome: Outcome
    now: datetime

    @property
    def of(self) -> int:
        """Id of its message."""
        return self.waiting.id


def carry_all(store: Store, works: Sequence[Work], claim_until: datetime) -> None:
    """Commit the outcomes of several mails, each of another conversation, all under one claim: a commit costs more than
    what is in it. Raises ClaimLost or StaleDecision when one of them can't be had, or when their automatic letters go
    beyond the caps, with nothing committed.

    The claims' rows are written first: on PostgreSQL that locks them, so a worker whose claim lapsed waits and then
    loses.
    """
    with writing(store.engine) as connection:
        _hold_claims(connection, works, claim_until)
        _settle_messages(connection, works)
        decided = _keep_decisions(connection, works)
        placed = _apply_tickets(connection, works)
        if limits := works[0].outcome.limits:
            hold_caps(connection, _list_additions(works), limits)
        _queue_letters(connection, works, decided, placed)
        queue_filings(connection, {one.of: one.outcome.plan.folder for one in works})
        for one in works:
            keep_lookups(connection, [one.outcome.found] if one.outcome.found else [], one.now)
        _mark_reports(connection, works)


def _mark_reports(connection: sa.Connection, works: Sequence[Work]) -> None:
    """In the order of the letters that they are about: each is locked, and two workers must not wait for each other."""
    told = [(report, one) for one in works for report in one.outcome.plan.reports]
    for report, one in sorted(told, key=lambda each: each[0].letter_id):
        mark_report(connection, report, one.of, one.now)


def _hold_claims(connection: sa.Connection, works: Sequence[Work], claim_until: datetime) -> None:
    wanted = {one.waiting.conversation_id for one in works}
    token = works[0].waiting.token
    held = connection.execute(_HOLD, {"wanted": list(wanted), "token": token, "until": claim_until}).scalars()
    if lost := wanted - set(held):
        raise ClaimLost(f"conversation {min(lost)}")


def _settle_messages(connection: sa.Connection, works: Sequence[Work]) -> None:
    # The conversation is looked at too: when it is another now, another claim guards the mail.
    pairs = [(one.of, one.waiting.conversation_id) for one in works]
    settled = set(connection.execute(_SETTLE, {"pairs": pairs}).scalars())
    if lost := {one.of for one in works} - settled:
        raise StaleDecision(f"message {min(lost)} is not waiting any more")
    connection.execute(_DESCRIBE, [_describe_verdict(one) for one in works])


def _describe_verdict(work: Work) -> dict[str, object]:
    plan, judged = work.outcome.plan, work.outcome.judged
    return {
        "of": work.of,
        "at": work.now,
        "said": plan.verdict.value,
        "why": plan.reason,
        "about": judged.category if judged else "",
    }


def _keep_decisions(connection: sa.Connection, works: Sequence[Work]) -> list[int]:
    """Ids in the order of `works`."""
    judged = [row for one in works for row in _list_judgements(one)]
    if judged:
        connection.execute(_KEEP_JUDGEMENTS, judged)
    found = connection.execute(_FIND_REVISIONS, {"wanted": [one.of for one in works]})
    revisions = {row.message_id: row.revision for row in found}
    return insert_rows(connection, decisions, [_describe_decision(one, revisions.get(one.of, 0) + 1) for one in works])


def _describe_decision(work: Work, revision: int) -> dict[str, object]:
    outcome, judged = work.outcome, work.outcome.judged
    return {
        "message_id": work.of,
        "revision": revision,
        "at": work.now,
        "verdict": outcome.plan.verdict.value,
        "reason": outcome.plan.reason,
        "rule": outcome.plan.rule,
        "policy_version": outcome.policy_version,
        "trust": _tell_trust(outcome.facts),
        "category": judged.category if judged else "",
        "priority": judged.priority if judged else "",
        "language": judged.language if judged else "",
        "confidence": judged.confidence if judged else 0.0,
        "source": judged.source.value if judged else "",
    }


def _tell_trust(facts: Facts) -> str:
    """What the sender was worth and what decided it: name servers may not say the same again."""
    return f"{facts.trust}: {facts.evidence}" if facts.evidence else facts.trust.value


def _list_judgements(work: Work) -> list[dict[str, object]]:
    """What every judge said, usable or not, and what it cost."""
    outcome = work.outcome
    said = [describe_judgement(one, Role.TROUBLE) for one in outcome.troubles]
    said += [describe_judgement(one, Role.SHADOW) for one in outcome.shadows]
    if outcome.judged:
        said.append(describe_judgement(outcome.judged, Role.VERDICT))
    return [{"message_id": work.of, "at": work.now, "policy_version": outcome.policy_version, **row} for row in said]


def describe_judgement(said: Classification | Trouble, role: Role) -> dict[str, object]:
    """The columns of table judgement but for message, moment and policy."""
    row = {"role": role.value, "source": said.source.value, "answer": said.answer, **asdict(said.usage)}
    if isinstance(said, Trouble):
        return {**_NOT_JUDGED, **row, "trouble": said.code}
    told = {name: getattr(said, name) for name in _JUDGED}
    fields = json.dumps(dict(said.fields), ensure_ascii=False) if said.fields else ""
    return {**told, **row, "trouble": "", "explanation": said.reason, "fields": fields}


# --- tickets -------------------------------------------------------------------------------------------------


def _apply_tickets(connection: sa.Connection, works: Sequence[Work]) -> dict[int, int]:
    """Ticket of each message that has one."""
    opening = [one for one in works if isinstance(one.outcome.plan.ticket, OpenTicket)]
    placed = _open_tickets(connection, opening)
    for one in works:
        if isinstance(touch := one.outcome.plan.ticket, TouchTicket):
            _touch_ticket(connection, touch, one)
            placed[one.of] = touch.ticket_id
    if placed:
        _join_tickets(connection, [one for one in works if one.of in placed], placed)
    return placed


def _open_tickets(connection: sa.Connection, works: Sequence[Work]) -> dict[int, int]:
    asking = [_find_requester(connection, one) for one in works]
    rows = [_describe_ticket(one, contact_id) for one, contact_id in zip(works, asking, strict=True)]
    made = insert_rows(connection, tickets, rows)
    placed = {one.of: ticket_id for one, ticket_id in zip(works, made, strict=True)}
    origin = [{"message_id": of, "ticket_id": ticket_id} for of, ticket_id in placed.items()]
    if insert_new(connection, origins, origin) != len(placed):
        raise StaleDecision("a message has opened a ticket already")
    _take_in(connection, zip(made, asking, strict=True))
    return placed


def _describe_ticket(work: Work, contact_id: int | None) -> dict[str, object]:
    outcome, opening = work.outcome, work.outcome.plan.ticket
    if not isinstance(opening, OpenTicket):
        raise TypeError("a plan that opens no ticket")
    organisation = outcome.facts.organisation
    return {
        "number": outcome.number,
        "version": 1,
        "status": opening.status.value,
        "category": opening.category,
        "priority": opening.priority,
        "level": opening.level,
        "team": opening.team,
        "language": opening.language,
        "organisation": organisation.name if organisation else "",
        "contact_id": contact_id,
        "linked_to": opening.linked_to,
        "subject": outcome.subject[:500],
        "opened_at": work.now,
        "respond_by": opening.respond_by,
        "resolve_by": opening.resolve_by,
        "responded_at": work.now if outcome.plan.verdict is Verdict.ANSWERED else None,
        "touched_at": work.now,
    }


def _find_requester(connection: sa.Connection, work: Work) -> int | None:
    """The sender's contact, or that of somebody whose mail was passed on; a name that we know already stays."""
    opening = work.outcome.plan.ticket
    if not (isinstance(opening, OpenTicket) and opening.requester):
        return work.waiting.contact_id
    address, name = opening.requester.address, opening.requester.name[:200]
    insert_new(connection, contacts, [{"address": address, "name": name}])
    known = sa.select(contacts.c.id).where(contacts.c.address == address)
    return int(connection.execute(known).scalar_one())


def _touch_ticket(connection: sa.Connection, touch: TouchTicket, work: Work) -> None:
    values: dict[str, object] = {
        "version": touch.version + 1,
        "status": touch.status.value,
        "touched_at": work.now,
    }
    if work.outcome.plan.verdict is Verdict.CONFIRMED:
        values["resolved_at"] = work.now
    elif touch.status not in SETTLED:
        values["resolved_at"] = None  # it was opened again
    if touch.event == "agent":
        values["responded_at"] = sa.func.coalesce(tickets.c.responded_at, work.now)
    this = sa.and_(tickets.c.id == touch.ticket_id, tickets.c.version == touch.version)
    if changed(connection.execute(sa.update(tickets).where(this).values(**values))) != 1:
        raise StaleDecision(f"ticket {touch.ticket_id} changed")


def _join_tickets(connection: sa.Connection, works: Sequence[Work], placed: Mapping[int, int]) -> None:
    connection.execute(_JOIN, [{"of": one.of, "joined": placed[one.of]} for one in works])
    _take_in(connection, ((placed[one.of], one.waiting.contact_id) for one in works))
    connection.execute(_KEEP_EVENTS, [_describe_event(one, placed[one.of]) for one in works])


def _describe_event(work: Work, ticket_id: int) -> dict[str, object]:
    change = work.outcome.plan.ticket
    word = change.event if isinstance(change, TouchTicket) else "opened"
    status = change.status.value if change else ""
    return {"ticket_id": ticket_id, "at": work.now, "word": word, "status": status, "message_id": work.of}


def _take_in(connection: sa.Connection, people: Iterable[tuple[int, int | None]]) -> None:
    """Make contacts participants of tickets, once."""
    named = sorted({(ticket_id, contact_id) for ticket_id, contact_id in people if contact_id is not None})
    insert_new(connection, participants, [{"ticket_id": ticket, "contact_id": contact} for ticket, contact in named])


# --- letters -------------------------------------------------------------------------------------------------


def _queue_letters(
    connection: sa.Connection, works: Sequence[Work], decided: Sequence[int], placed: Mapping[int, int]
) -> None:
    queued = [
        (one, letter, decision_id)
        for one, decision_id in zip(works, decided, strict=True)
        for letter in _list_letters(one)
    ]
    rows = [
        _describe_letter(letter, f"decision:{decision_id}", one.now, placed.get(one.of), one.of, one.waiting.mailbox_id)
        for one, letter, decision_id in queued
    ]
    made = insert_rows(connection, letters, rows)
    addressed = zip(made, (letter for _, letter, _ in queued), strict=True)
    insert_many(connection, recipients, [row for one, letter in addressed for row in _list_recipients(one, letter)])
    named = {hash_ref(letter.header_id): one.waiting.conversation_id for one, letter, _ in queued}
    insert_many(connection, refs, [{"ref": ref, "conversation_id": named[ref]} for ref in sorted(named)])
    drafts = [
        _describe_draft(letter_id, one)
        for letter_id, (one, letter, _) in zip(made, queued, strict=True)
        if letter.draft
    ]
    insert_many(connection, filings, drafts)


def _list_additions(works: Sequence[Work]) -> Iterable[Addition]:
    """What counts towards the caps."""
    for one in works:
        automatic = (letter for letter in one.outcome.letters if letter.automatic and not letter.draft)
        yield from (Addition(one.waiting.mailbox_id, letter.recipients, one.now) for letter in automatic)


def _list_letters(work: Work) -> tuple[ReadyLetter, ...]:
    found = work.outcome.letters
    if len({one.purpose for one in found}) != len(found):
        raise StaleDecision(f"message {work.of} has two letters of one purpose")
    return found


def _describe_draft(letter_id: int, work: Work) -> dict[str, object]:
    return {
        "mailbox_id": work.waiting.mailbox_id,
        "action": "draft",
        "letter_id": letter_id,
        "folder": "",
        "state": "open",
        "attempts": 0,
        "claimed_by": "",
    }


def _describe_letter(
    letter: ReadyLetter,
    origin: str,
    now: datetime,
    ticket_id: int | None,
    message_id: int | None,
    mailbox_id: int | None,
) -> dict[str, object]:
    return {
        "origin": origin,
        "purpose": letter.purpose.value,
        "header_id": letter.header_id,
        "ticket_id": ticket_id,
        "message_id": message_id,
        "mailbox_id": mailbox_id,
        "sender": letter.sender,
        "body": letter.body,
        "automatic": letter.automatic,
        "state": "draft" if letter.draft else "queued",
        "reason": letter.reason,
        "template": letter.template,
        "segment": letter.segment,
        "variant": letter.variant,
        "language": letter.language,
        "shape": "",
        "attempts": 0,
        "claimed_by": "",
        "created_at": now,
        "error_code": "",
    }


def _list_recipients(letter_id: int, letter: ReadyLetter) -> list[dict[str, object]]:
    addresses = dict.fromkeys(letter.recipients)
    return [{"letter_id": letter_id, "address": one, "state": "queued", "code": ""} for one in addresses]


def keep_letter(
    connection: sa.Connection, letter: ReadyLetter, origin: str, now: datetime, *, ticket_id: int | None = None
) -> int | None:
    """Put a letter into the outbox, once for its origin and purpose; None when it is there already."""
    letter_id = insert_once(connection, letters, _describe_letter(letter, origin, now, ticket_id, None, None))
    if letter_id is not None:
        insert_new(connection, recipients, _list_recipients(letter_id, letter))
    return letter_id


_JUDGED = ("category", "priority", "language", "complexity", "impact", "wants_human", "confirms_solved", "steering",
           "confidence")  # fmt: skip
_NOT_JUDGED: dict[str, object] = {
    **dict.fromkeys(("category", "priority", "language", "complexity", "impact", "explanation", "fields"), ""),
    **dict.fromkeys(("wants_human", "confirms_solved", "steering"), False),
    "confidence": 0.0,
}

# --- statements, made once: see store.engine ------------------------------------------------------------------

_HOLD = (
    sa.update(conversations)
    .where(conversations.c.id.in_(sa.bindparam("wanted", expanding=True)))
    .where(conversations.c.claimed_by == sa.bindparam("token"))
    .values(claimed_until=sa.bindparam("until"))
    .returning(conversations.c.id)
)
_SETTLE = (
    sa.update(messages)
    .where(messages.c.state == "waiting")
    .where(sa.tuple_(messages.c.id, messages.c.conversation_id).in_(sa.bindparam("pairs", expanding=True)))
    .values(state="decided")
    .returning(messages.c.id)
)
_DESCRIBE = (
    sa.update(messages)
    .where(messages.c.id == sa.bindparam("of"))
    .values(
        decided_at=sa.bindparam("at"),
        verdict=sa.bindparam("said"),
        reason=sa.bindparam("why"),
        category=sa.bindparam("about"),
    )
)
_JOIN = sa.update(messages).where(messages.c.id == sa.bindparam("of")).values(ticket_id=sa.bindparam("joined"))
_KEEP_JUDGEMENTS = sa.insert(judgements)
_KEEP_EVENTS = sa.insert(events)
_FIND_REVISIONS = (
    sa.select(decisions.c.message_id, sa.func.max(decisions.c.revision).label("revision"))
    .where(decisions.c.message_id.in_(sa.bindparam("wanted", expanding=True)))
    .group_by(decisions.c.message_id)
)
