"""Forgetting: anonymise-but-count. Rows stay for the figures; every column of desk.forgetting.PLACES is emptied.

Works in chunks, each a transaction of its own that can be repeated: a run that was killed goes on where it stopped.
Packs are removed once no delivery can open anything in them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from desk.forgetting import Cutoffs
from store.certificates import certificates
from store.corrections import corrections
from store.engine import changed, insert_new, reading, writing
from store.facts import letters, participants, recipients, tickets
from store.faq import agent_letters, candidates
from store.intake import deliveries, packs
from store.journal import ErasureJournal
from store.memory import Store
from store.messages import contacts, hash_ref, messages, quarantine, refs, tombstones
from store.outcomes import filings, judgements
from store.sharing import shared_files
from store.suppression import suppressions
from store.tables import LegalHold, RetentionRun, table
from store.troubles import incidents

holds = table(LegalHold)
runs = table(RetentionRun)

_WORDLESS = {"answer": "", "fields": "", "explanation": ""}


@dataclass(frozen=True, slots=True)
class Due:
    """Ids of what has had its time, class by class."""

    mails: tuple[int, ...]
    strays: tuple[int, ...]  # deliveries that never became a mail: unreadable, quarantined
    letters: tuple[int, ...]
    tickets: tuple[int, ...]
    judgements: int
    incidents: int
    examples: int = 0  # texts under pseudonyms
    suppressions: int = 0
    certificates: int = 0


def find_due(store: Store, cutoffs: Cutoffs, now: datetime, limit: int) -> Due:
    """What would go, at most `limit` of each class; nothing of a ticket under legal hold is in it."""
    with reading(store.engine) as connection:
        held = tuple(connection.execute(_held(now)).scalars())
        return Due(
            mails=_ids(connection, _due_mails(cutoffs, held), limit),
            strays=_ids(connection, _due_strays(cutoffs), limit),
            letters=_ids(connection, _due_letters(cutoffs, held), limit),
            tickets=_ids(connection, _due_tickets(cutoffs, held), limit),
            judgements=_count(connection, _old_judgements(cutoffs, held)),
            incidents=_count(connection, sa.select(incidents.c.id).where(_old_incidents(cutoffs))),
            examples=sum(_count(connection, each.old(cutoffs, held)) for each in EXAMPLES),
            suppressions=_count(connection, sa.select(suppressions).where(suppressions.c.until <= now)),
            certificates=_count(connection, sa.select(certificates).where(_ended_certificates(cutoffs))),
        )


def _held(now: datetime) -> sa.Select[Any]:
    return sa.select(holds.c.ticket_id).where(sa.or_(holds.c.until.is_(None), holds.c.until > now))


def _ids(connection: sa.Connection, query: sa.Select[Any], limit: int) -> tuple[int, ...]:
    return tuple(connection.execute(query.limit(limit)).scalars())


def _count(connection: sa.Connection, query: sa.Select[Any]) -> int:
    return int(connection.execute(sa.select(sa.func.count()).select_from(query.subquery())).scalar_one())


def _due_mails(cutoffs: Cutoffs, held: Sequence[int]) -> sa.Select[Any]:
    """Mails of tickets closed long enough, and settled mails without a ticket that came long enough ago."""
    ended = sa.and_(tickets.c.closed_at < cutoffs.mails, tickets.c.id.not_in(held))
    settled = sa.func.coalesce(messages.c.decided_at, messages.c.received_at)
    alone = sa.and_(messages.c.ticket_id.is_(None), settled < cutoffs.mails)
    return (
        sa.select(messages.c.id)
        .outerjoin(tickets, tickets.c.id == messages.c.ticket_id)
        .where(messages.c.state.in_(("decided", "quarantined")), sa.or_(ended, alone))
        .order_by(messages.c.id)
    )


def _due_strays(cutoffs: Cutoffs) -> sa.Select[Any]:
    lost = sa.and_(deliveries.c.state == "quarantined", deliveries.c.message_id.is_(None))
    return (
        sa.select(deliveries.c.id)
        .where(lost, deliveries.c.kept_at < cutoffs.mails, deliveries.c.wrapped_key.is_not(None))
        .order_by(deliveries.c.id)
    )


def _due_letters(cutoffs: Cutoffs, held: Sequence[int]) -> sa.Select[Any]:
    """Letters, and drafts by their own period; those of an open or held ticket wait."""
    old = sa.or_(
        sa.and_(
            letters.c.state.in_(("sent", "partly", "refused", "unknown", "withdrawn")),
            letters.c.created_at < cutoffs.letters,
        ),
        sa.and_(letters.c.state.in_(("draft", "drafted")), letters.c.created_at < cutoffs.drafts),
    )
    ended = sa.or_(
        letters.c.ticket_id.is_(None),
        sa.and_(tickets.c.closed_at < cutoffs.letters, tickets.c.id.not_in(held)),
    )
    return (
        sa.select(letters.c.id)
        .outerjoin(tickets, tickets.c.id == letters.c.ticket_id)
        .where(letters.c.anonymised_at.is_(None), old, ended)
        .order_by(letters.c.id)
    )


def _due_tickets(cutoffs: Cutoffs, held: Sequence[int]) -> sa.Select[Any]:
    ended = sa.and_(tickets.c.closed_at < cutoffs.mails, tickets.c.id.not_in(held))
    return sa.select(tickets.c.id).where(ended, tickets.c.anonymised_at.is_(None)).order_by(tickets.c.id)


def _old_judgements(cutoffs: Cutoffs, held: Sequence[int]) -> sa.Select[Any]:
    """Answers of judges, those about a held ticket kept."""
    return (
        sa.select(judgements.c.id)
        .join(messages, messages.c.id == judgements.c.message_id)
        .where(judgements.c.at < cutoffs.logs, judgements.c.answer != "")
        .where(sa.or_(messages.c.ticket_id.is_(None), messages.c.ticket_id.not_in(held)))
    )


def _old_incidents(cutoffs: Cutoffs) -> sa.ColumnElement[bool]:
    return incidents.c.at < cutoffs.logs


def _ended_certificates(cutoffs: Cutoffs) -> sa.ColumnElement[bool]:
    """Nothing is encrypted to those any more."""
    return certificates.c.expires_at < cutoffs.mails


@dataclass(frozen=True, slots=True)
class Examples:
    """Texts under pseudonyms that people's work left, which have a period of their own."""

    table: sa.Table
    key: sa.Column[Any]
    text: sa.Column[Any]
    emptied: Mapping[str, str]

    def old(self, cutoffs: Cutoffs, held: Sequence[int]) -> sa.Select[Any]:
        """Those that have had their time, but for those of a held ticket."""
        of_ticket = sa.func.coalesce(messages.c.ticket_id, self.table.c.get("ticket_id"))
        return (
            sa.select(self.key)
            .outerjoin(messages, messages.c.id == self.table.c.message_id)
            .where(self.table.c.at < cutoffs.examples, self.text != "")
            .where(sa.or_(of_ticket.is_(None), of_ticket.not_in(held)))
        )

    def empty(self, connection: sa.Connection, where: sa.ColumnElement[bool]) -> int:
        emptied = sa.update(self.table).where(where, self.text != "").values(**self.emptied)
        return changed(connection.execute(emptied))


EXAMPLES = (
    Examples(corrections, corrections.c.id, corrections.c.text, {"text": ""}),
    Examples(agent_letters, agent_letters.c.ref, agent_letters.c.text, {"text": ""}),
    Examples(candidates, candidates.c.id, candidates.c.answer, {"question": "", "answer": ""}),
)


def forget_mails(store: Store, ids: Sequence[int], now: datetime, keep_examples: datetime | None = None) -> int:
    """Anonymise messages: key dropped, texts emptied, a tombstone left. Journal first, so a restore can repeat it.

    Texts that people's work left go too, but for those made since `keep_examples`: they have a period of their own.
    Without it this is an erasure that a person asked for, which waits for nothing: what is kept of the address itself,
    its certificate and that it is not written to, goes as well.
    """
    with reading(store.engine) as connection:
        columns = (messages.c.id, messages.c.fingerprint, messages.c.header_id)
        rows = connection.execute(sa.select(*columns).where(messages.c.id.in_(ids))).all()
    stones = [store.keys.bury(row.fingerprint) for row in rows if row.fingerprint]
    open_journal(store).append(stones, now)
    header_refs = [hash_ref(row.header_id or row.fingerprint) for row in rows if row.fingerprint]
    with writing(store.engine) as connection:
        insert_new(connection, tombstones, [{"key_version": v, "digest": d, "at": now} for v, d in stones])
        if keep_examples is None:
            _forget_addresses(connection, ids)
        _empty_mails(connection, ids, header_refs, now)
        _empty_examples(connection, ids, keep_examples)
    return len(rows)


def open_journal(store: Store) -> ErasureJournal:
    return ErasureJournal(Path(store.packs.path) / "erasures.jsonl")


def _empty_mails(connection: sa.Connection, ids: Sequence[int], header_refs: Sequence[str], now: datetime) -> None:
    connection.execute(
        sa.update(deliveries).where(deliveries.c.message_id.in_(ids)).values(wrapped_key=None, state="erased")
    )
    connection.execute(sa.update(judgements).where(judgements.c.message_id.in_(ids)).values(**_WORDLESS))
    _resolve_quarantine(connection, quarantine.c.message_id.in_(ids), now)
    brought = sa.select(deliveries.c.id).where(deliveries.c.message_id.in_(ids))
    _resolve_quarantine(connection, quarantine.c.delivery_id.in_(brought), now)  # it was too large to be read
    connection.execute(
        sa.update(messages)
        .where(messages.c.id.in_(ids))
        .values(state="anonymised", anonymised_at=now, fingerprint=None, header_id="", subject="", contact_id=None)
    )
    _forget_refs(connection, ids, header_refs)


def _forget_addresses(connection: sa.Connection, ids: Sequence[int]) -> None:
    """What is kept of these mails' senders by their address alone."""
    theirs = sa.select(contacts.c.address).join(messages, messages.c.contact_id == contacts.c.id)
    addresses = theirs.where(messages.c.id.in_(ids))
    connection.execute(sa.delete(certificates).where(certificates.c.address.in_(addresses)))
    connection.execute(sa.delete(suppressions).where(suppressions.c.address.in_(addresses)))


def _empty_examples(connection: sa.Connection, ids: Sequence[int], keep_since: datetime | None) -> None:
    """Texts of these mails, and what people answered in their tickets."""
    of_tickets = agent_letters.c.ticket_id.in_(sa.select(messages.c.ticket_id).where(messages.c.id.in_(ids)))
    for each in EXAMPLES:
        old = each.table.c.at < keep_since if keep_since else sa.true()
        theirs = each.table.c.message_id.in_(ids)
        each.empty(connection, sa.and_(old, sa.or_(theirs, of_tickets) if each.table is agent_letters else theirs))
    _forget_agents(connection)


def _forget_agents(connection: sa.Connection) -> None:
    """People's letters without text, in a conversation of which no mail lives any more: as with all its refs."""
    answered = messages.alias("answered")
    same = sa.select(answered.c.conversation_id).where(answered.c.id == agent_letters.c.message_id)
    conversation = messages.c.conversation_id == same.correlate(agent_letters).scalar_subquery()
    nearby = sa.or_(conversation, messages.c.ticket_id == agent_letters.c.ticket_id)
    living = sa.exists().where(messages.c.state != "anonymised", nearby).correlate(agent_letters)
    connection.execute(sa.delete(agent_letters).where(agent_letters.c.text == "", ~living))


def _forget_refs(connection: sa.Connection, ids: Sequence[int], header_refs: Sequence[str]) -> None:
    """Refs of these mails, and all that others named in a conversation of which no mail lives any more."""
    living = sa.exists().where(messages.c.conversation_id == refs.c.conversation_id, messages.c.state != "anonymised")
    touched = sa.select(messages.c.conversation_id).where(messages.c.id.in_(ids))
    dead = sa.and_(refs.c.conversation_id.in_(touched), ~living)
    connection.execute(sa.delete(refs).where(sa.or_(refs.c.ref.in_(header_refs), dead)))


def _resolve_quarantine(connection: sa.Connection, where: sa.ColumnElement[bool], now: datetime) -> None:
    """What is erased can't be replayed and is no longer listed; it still counts."""
    connection.execute(sa.update(quarantine).where(where, quarantine.c.resolved_at.is_(None)).values(resolved_at=now))


def forget_strays(store: Store, ids: Sequence[int], now: datetime) -> int:
    """Drop the keys of mails that could never be read."""
    with writing(store.engine) as connection:
        connection.execute(
            sa.update(deliveries).where(deliveries.c.id.in_(ids)).values(wrapped_key=None, state="erased")
        )
        _resolve_quarantine(connection, quarantine.c.delivery_id.in_(ids), now)
    return len(ids)


def forget_letters(store: Store, ids: Sequence[int], now: datetime) -> int:
    """Letters without words or recipients; a draft that was never laid is laid no more, links to files end now."""
    unlaid = sa.and_(filings.c.letter_id.in_(ids), filings.c.state == "open")
    with writing(store.engine) as connection:
        connection.execute(sa.update(recipients).where(recipients.c.letter_id.in_(ids)).values(address=None))
        connection.execute(sa.update(letters).where(letters.c.id.in_(ids)).values(body=None, anonymised_at=now))
        connection.execute(sa.update(filings).where(unlaid).values(state="given_up"))
        linked = sa.and_(shared_files.c.letter_id.in_(ids), shared_files.c.expires_at > now)
        connection.execute(sa.update(shared_files).where(linked).values(expires_at=now))
    return len(ids)


def forget_tickets(store: Store, ids: Sequence[int], now: datetime) -> int:
    """The ticket stays as a figure: no subject, no requester, no participants."""
    with writing(store.engine) as connection:
        connection.execute(sa.delete(participants).where(participants.c.ticket_id.in_(ids)))
        connection.execute(
            sa.update(tickets).where(tickets.c.id.in_(ids)).values(subject="", contact_id=None, anonymised_at=now)
        )
    return len(ids)


def forget_logs(store: Store, cutoffs: Cutoffs, now: datetime) -> tuple[int, int]:
    """Answers of judges are emptied, incidents deleted: (answers, incidents)."""
    with writing(store.engine) as connection:
        held = tuple(connection.execute(_held(now)).scalars())
        old = _old_judgements(cutoffs, held)
        answers = connection.execute(sa.update(judgements).where(judgements.c.id.in_(old)).values(**_WORDLESS))
        gone = connection.execute(sa.delete(incidents).where(_old_incidents(cutoffs)))
        return int(answers.rowcount), int(gone.rowcount)


def forget_examples(store: Store, cutoffs: Cutoffs, now: datetime) -> int:
    """Texts that people's work left are emptied; that there was a correction, an answer, a proposal stays."""
    with writing(store.engine) as connection:
        held = tuple(connection.execute(_held(now)).scalars())
        gone = sum(each.empty(connection, each.key.in_(each.old(cutoffs, held))) for each in EXAMPLES)
        _forget_agents(connection)
    return gone


def forget_certificates(store: Store, cutoffs: Cutoffs) -> int:
    """Those that ended long enough ago."""
    with writing(store.engine) as connection:
        return changed(connection.execute(sa.delete(certificates).where(_ended_certificates(cutoffs))))


def forget_contacts(store: Store) -> int:
    """Contacts that no mail, ticket or participant names any more are deleted."""
    named = (messages.c.contact_id, tickets.c.contact_id, participants.c.contact_id)
    unused = sa.and_(*(~sa.exists().where(column == contacts.c.id) for column in named))
    with writing(store.engine) as connection:
        return int(connection.execute(sa.delete(contacts).where(unused)).rowcount)


def find_orphans(store: Store, cutoffs: Cutoffs) -> tuple[str, ...]:
    """Packs that nothing can open any more, and packs of crashed intakes, old enough that no intake writes them."""
    living = sa.select(packs.c.name).join(deliveries, deliveries.c.pack_id == packs.c.id)
    with reading(store.engine) as connection:
        needed = set(connection.execute(living.where(deliveries.c.wrapped_key.is_not(None)).distinct()).scalars())
    return tuple(
        name for name, written in store.packs.list_packs() if name not in needed and written < cutoffs.orphan_packs
    )


def keep_run(store: Store, counts: dict[str, int], dry_run: bool, now: datetime) -> None:
    with writing(store.engine) as connection:
        connection.execute(sa.insert(runs).values(at=now, dry_run=dry_run, counts=json.dumps(counts)))


def hold_ticket(store: Store, number: str, reason: str, now: datetime, until: datetime | None = None) -> bool:
    """Legal hold: nothing of this ticket is erased until it ends. False when there is no such ticket."""
    with writing(store.engine) as connection:
        ticket_id = connection.execute(sa.select(tickets.c.id).where(tickets.c.number == number)).scalar()
        if ticket_id is None:
            return False
        connection.execute(sa.insert(holds).values(ticket_id=ticket_id, reason=reason, since=now, until=until))
    return True


def release_ticket(store: Store, number: str, now: datetime) -> bool:
    """End every running hold of a ticket; False when there was none."""
    ticket = sa.select(tickets.c.id).where(tickets.c.number == number).scalar_subquery()
    running = sa.and_(holds.c.ticket_id == ticket, sa.or_(holds.c.until.is_(None), holds.c.until > now))
    with writing(store.engine) as connection:
        return bool(connection.execute(sa.update(holds).where(running).values(until=now)).rowcount)


def replay_journal(store: Store, now: datetime) -> int:
    """After a restore: bury again what was erased since the backup; how many mails were found and erased."""
    stones = open_journal(store).read()
    buried = set(stones)
    with reading(store.engine) as connection:
        living = connection.execute(
            sa.select(messages.c.id, messages.c.fingerprint).where(messages.c.fingerprint.is_not(None))
        ).all()
    back = [row.id for row in living if buried.intersection(store.keys.bury_all(row.fingerprint))]
    with writing(store.engine) as connection:
        insert_new(connection, tombstones, [{"key_version": v, "digest": d, "at": now} for v, d in sorted(buried)])
    return forget_mails(store, back, now) if back else 0
