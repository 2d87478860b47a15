"""Door 7: a plan becomes ticket, history, outbox rows and filings in one transaction, or nothing does."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime

import sqlalchemy as sa

from desk.classification import Classification, Source, Trouble, Usage
from desk.errors import ClaimLost, StaleDecision
from desk.escalation import SETTLED
from desk.facts import Facts
from desk.plan import OpenTicket, Plan, Purpose, TouchTicket, Verdict
from store.after import queue_filings
from store.engine import changed, insert_new, insert_once, writing
from store.facts import letters, participants, recipients, tickets
from store.memory import Store
from store.messages import Waiting, hash_ref, hold_claim, messages, refs
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


def carry_out(store: Store, waiting: Waiting, outcome: Outcome, now: datetime, claim_until: datetime) -> None:
    """Commit one outcome. Raises ClaimLost or StaleDecision with nothing committed.

    The claim's row is written first: on PostgreSQL that locks it, so a worker whose claim lapsed waits and then loses.
    """
    with writing(store.engine) as connection:
        if not hold_claim(connection, waiting.conversation_id, waiting.token, claim_until):
            raise ClaimLost(f"conversation {waiting.conversation_id}")
        _settle_message(connection, waiting, outcome, now)
        decision_id = _keep_decision(connection, waiting, outcome, now)
        ticket_id = _apply_ticket(connection, waiting, outcome, now)
        for letter in outcome.letters:
            _queue_letter(connection, waiting, letter, ticket_id, decision_id, now)
        queue_filings(connection, waiting.id, outcome.plan.folder)
        if outcome.plan.bounced_letter is not None:
            _mark_bounced(connection, outcome.plan.bounced_letter)


def _settle_message(connection: sa.Connection, waiting: Waiting, outcome: Outcome, now: datetime) -> None:
    judged = outcome.judged
    this = sa.and_(
        messages.c.id == waiting.id,
        messages.c.state == "waiting",
        messages.c.conversation_id == waiting.conversation_id,  # else another claim guards it now
    )
    settled = (
        sa.update(messages)
        .where(this)
        .values(
            state="decided",
            decided_at=now,
            verdict=outcome.plan.verdict.value,
            reason=outcome.plan.reason,
            category=judged.category if judged else "",
        )
    )
    if changed(connection.execute(settled)) != 1:
        raise StaleDecision(f"message {waiting.id} is not waiting any more")


def _keep_decision(connection: sa.Connection, waiting: Waiting, outcome: Outcome, now: datetime) -> int:
    judged = outcome.judged
    _keep_judgements(connection, waiting.id, outcome, now)
    earlier = sa.select(sa.func.coalesce(sa.func.max(decisions.c.revision), 0))
    revision = connection.execute(earlier.where(decisions.c.message_id == waiting.id)).scalar_one() + 1
    row = {
        "message_id": waiting.id,
        "revision": revision,
        "at": now,
        "verdict": outcome.plan.verdict.value,
        "reason": outcome.plan.reason,
        "rule": outcome.plan.rule,
        "policy_version": outcome.policy_version,
        "trust": outcome.facts.trust.value,
        "category": judged.category if judged else "",
        "priority": judged.priority if judged else "",
        "language": judged.language if judged else "",
        "confidence": judged.confidence if judged else 0.0,
        "source": judged.source.value if judged else "",
    }
    return int(connection.execute(sa.insert(decisions).values(**row).returning(decisions.c.id)).scalar_one())


def _keep_judgements(connection: sa.Connection, message_id: int, outcome: Outcome, now: datetime) -> None:
    """What every judge said, usable or not, and what it cost."""
    said = [
        {"trouble": one.code, "category": "", "confidence": 0.0, **_cost(one.source, one.answer, one.usage)}
        for one in outcome.troubles
    ]
    if outcome.judged:
        best = outcome.judged
        row = {"trouble": "", "category": best.category, "confidence": best.confidence}
        said.append({**row, **_cost(best.source, best.answer, best.usage)})
    if said:
        connection.execute(sa.insert(judgements), [{"message_id": message_id, "at": now, **row} for row in said])


def _cost(source: Source, answer: str, usage: Usage) -> dict[str, object]:
    return {"source": source.value, "answer": answer, **asdict(usage)}


def _apply_ticket(connection: sa.Connection, waiting: Waiting, outcome: Outcome, now: datetime) -> int | None:
    match outcome.plan.ticket:
        case OpenTicket() as opening:
            return _open_ticket(connection, waiting, opening, outcome, now)
        case TouchTicket() as touch:
            return _touch_ticket(connection, waiting, touch, outcome.plan.verdict, now)
    return None


def _open_ticket(
    connection: sa.Connection, waiting: Waiting, opening: OpenTicket, outcome: Outcome, now: datetime
) -> int:
    answered = outcome.plan.verdict is Verdict.ANSWERED
    organisation = outcome.facts.organisation
    row = {
        "number": outcome.number,
        "version": 1,
        "status": opening.status.value,
        "category": opening.category,
        "priority": opening.priority,
        "level": opening.level,
        "team": opening.team,
        "language": opening.language,
        "organisation": organisation.name if organisation else "",
        "contact_id": waiting.contact_id,
        "linked_to": opening.linked_to,
        "subject": outcome.subject[:500],
        "opened_at": now,
        "respond_by": opening.respond_by,
        "resolve_by": opening.resolve_by,
        "responded_at": now if answered else None,
        "touched_at": now,
    }
    ticket_id = int(connection.execute(sa.insert(tickets).values(**row).returning(tickets.c.id)).scalar_one())
    if insert_new(connection, origins, [{"message_id": waiting.id, "ticket_id": ticket_id}]) != 1:
        raise StaleDecision(f"message {waiting.id} has opened a ticket already")
    _join_ticket(connection, waiting, ticket_id, "opened", opening.status.value, now)
    return ticket_id


def _touch_ticket(
    connection: sa.Connection, waiting: Waiting, touch: TouchTicket, verdict: Verdict, now: datetime
) -> int:
    values: dict[str, object] = {
        "version": touch.version + 1,
        "status": touch.status.value,
        "touched_at": now,
    }
    if verdict is Verdict.CONFIRMED:
        values["resolved_at"] = now
    elif touch.status not in SETTLED:
        values["resolved_at"] = None  # it was opened again
    if touch.event == "agent":
        values["responded_at"] = sa.func.coalesce(tickets.c.responded_at, now)
    this = sa.and_(tickets.c.id == touch.ticket_id, tickets.c.version == touch.version)
    if changed(connection.execute(sa.update(tickets).where(this).values(**values))) != 1:
        raise StaleDecision(f"ticket {touch.ticket_id} changed")
    _join_ticket(connection, waiting, touch.ticket_id, touch.event, touch.status.value, now)
    return touch.ticket_id


def _join_ticket(
    connection: sa.Connection, waiting: Waiting, ticket_id: int, word: str, status: str, now: datetime
) -> None:
    connection.execute(sa.update(messages).where(messages.c.id == waiting.id).values(ticket_id=ticket_id))
    if waiting.contact_id is not None:
        insert_new(connection, participants, [{"ticket_id": ticket_id, "contact_id": waiting.contact_id}])
    row = {"ticket_id": ticket_id, "at": now, "word": word, "status": status, "message_id": waiting.id}
    connection.execute(sa.insert(events).values(**row))


def _queue_letter(
    connection: sa.Connection,
    waiting: Waiting,
    letter: ReadyLetter,
    ticket_id: int | None,
    decision_id: int,
    now: datetime,
) -> None:
    origin = f"decision:{decision_id}"
    letter_id = keep_letter(
        connection,
        letter,
        origin,
        now,
        ticket_id=ticket_id,
        message_id=waiting.id,
        mailbox_id=waiting.mailbox_id,
    )
    if letter_id is None:
        raise StaleDecision(f"{origin} has its {letter.purpose} already")
    insert_new(connection, refs, [{"ref": hash_ref(letter.header_id), "conversation_id": waiting.conversation_id}])
    if letter.draft:
        insert_once(
            connection,
            filings,
            {
                "mailbox_id": waiting.mailbox_id,
                "action": "draft",
                "letter_id": letter_id,
                "folder": "",
                "state": "open",
                "attempts": 0,
                "claimed_by": "",
            },
        )


def keep_letter(
    connection: sa.Connection,
    letter: ReadyLetter,
    origin: str,
    now: datetime,
    *,
    ticket_id: int | None = None,
    message_id: int | None = None,
    mailbox_id: int | None = None,
) -> int | None:
    """Put a letter into the outbox, once for its origin and purpose; None when it is there already."""
    row = {
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
        "attempts": 0,
        "claimed_by": "",
        "created_at": now,
        "error_code": "",
    }
    letter_id = insert_once(connection, letters, row)
    if letter_id is not None:
        insert_new(
            connection,
            recipients,
            [
                {"letter_id": letter_id, "address": address, "state": "queued", "code": ""}
                for address in dict.fromkeys(letter.recipients)
            ],
        )
    return letter_id


def _mark_bounced(connection: sa.Connection, letter_id: int) -> None:
    these = sa.update(recipients).where(recipients.c.letter_id == letter_id)
    connection.execute(these.values(state="bounced"))
