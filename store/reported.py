"""What bounces and receipts change: recipients' states, the letter's own, suppressed addresses, the ticket.

Everything within the transaction that carries out the decision on the mail that reported it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from desk.delivery import rise
from desk.plan import Fate, Purpose, Report
from store.facts import letters, recipients
from store.letterlog import note_letters
from store.outbox import GOT, WAITING, retry_plain, settle_sent
from store.reopening import open_again, tell_history
from store.suppression import weigh_bounce

_UNSENT = frozenset({*WAITING, "withdrawn"})  # letters that nobody can have but those who got them in an earlier try
_OPEN = frozenset({*WAITING, "sent", "unknown"})  # recipients of whom a delay tells something
SPAM = "refused-as-spam"
_READERS = frozenset({Purpose.ANSWER.value, Purpose.ACKNOWLEDGEMENT.value, Purpose.DRAFT.value})
_MOMENTS = {Fate.DELIVERED: "delivered_at", Fate.READ: "read_at"}

Row = sa.Row[Any]


def mark_report(connection: sa.Connection, report: Report, message_id: int, now: datetime) -> None:
    """Keep what `message_id` reports of a letter; in whatever order reports come, the end is the same."""
    letter = connection.execute(_READ_LETTER, {"letter": report.letter_id}).first()
    everybody = connection.execute(_READ_PEOPLE, {"letter": report.letter_id}).all() if letter else []
    about = [one for one in _pick_people(report, everybody) if letter and _may_have_it(letter, one)]
    if letter is None or not about:
        return
    risen = [one for one in about if _mark_one(connection, one, report, now)]
    _settle_letter(connection, letter, now)
    note_letters(connection, [letter.id], report.fate.value, now, report.reason or report.code)
    if report.fate is not Fate.BOUNCED or not risen:
        return
    if report.reason == SPAM and retry_plain(connection, letter.id, now):
        return
    _tell_ticket(connection, letter, message_id, now)
    _weigh_addresses(connection, letter, report, everybody, now)


def _pick_people(report: Report, everybody: Sequence[Row]) -> Sequence[Row]:
    """Whom a report names; else the only one, who may have it passed on to where it then failed. A bounce that names
    nobody we wrote to may be of any of them.
    """
    named = [one for one in everybody if one.address in report.recipients]
    if named or len(everybody) == 1 or report.fate is Fate.BOUNCED:
        return named or everybody
    return ()


def _may_have_it(letter: Row, person: Row) -> bool:
    return person.state not in WAITING or letter.state not in _UNSENT


def _mark_one(connection: sa.Connection, person: Row, report: Report, now: datetime) -> bool:
    """Whether its state has changed."""
    state = rise(person.state, report.fate)
    risen: bool = state != person.state
    values: dict[str, object] = {"state": state}
    if risen or person.state in _OPEN:
        values["code"] = report.code
    moment = _MOMENTS.get(report.fate)
    if moment and getattr(person, moment) is None:
        values[moment] = now
    connection.execute(sa.update(recipients).where(recipients.c.id == person.id).values(values))
    return risen


def _settle_letter(connection: sa.Connection, letter: Row, now: datetime) -> None:
    """A letter of which anything is told has gone out, whatever became of the worker that sent it; one that is in hand
    is left to its worker until all of its recipients are known to have been served.
    """
    if letter.state == "unknown":
        settle_sent(connection, [letter.id], now, "reported")
    if letter.state == "sending" and _list_states(connection, letter) <= {*GOT}:
        connection.execute(_WENT_OUT, {"letter": letter.id, "now": now})
        note_letters(connection, [letter.id], "sent", now, "reported")


def _weigh_addresses(
    connection: sa.Connection, letter: Row, report: Report, everybody: Sequence[Row], now: datetime
) -> None:
    """Only an address that the report names, of letters to requesters: those of our own people are the policy's."""
    if report.until is None or letter.purpose not in _READERS:
        return
    for one in everybody:
        if one.address and one.address in report.recipients:
            weigh_bounce(connection, one.address, report.code, report.reason, now, report.until)


def _tell_ticket(connection: sa.Connection, letter: Row, message_id: int, now: datetime) -> None:
    """Its history says that the letter came back; one that was answered by it is not answered."""
    if letter.ticket_id is None:
        return
    if letter.purpose == Purpose.ANSWER.value and not _has_a_reader(connection, letter):
        open_again(connection, letter.ticket_id, letter.created_at, now)
    tell_history(connection, letter.ticket_id, now, "bounced", message_id)


def _has_a_reader(connection: sa.Connection, letter: Row) -> bool:
    return not _list_states(connection, letter) <= {"bounced", "refused", "suppressed"}


def _list_states(connection: sa.Connection, letter: Row) -> set[str]:
    return {one.state for one in connection.execute(_READ_PEOPLE, {"letter": letter.id})}


# --- statements, made once: see store.engine ------------------------------------------------------------------

_READ_LETTER = (  # and lock it: two workers may read two reports of one letter
    sa.select(letters.c.id, letters.c.purpose, letters.c.state, letters.c.ticket_id, letters.c.created_at)
    .where(letters.c.id == sa.bindparam("letter"))
    .with_for_update()
)
_READ_PEOPLE = (
    sa.select(
        recipients.c.id, recipients.c.address, recipients.c.state, recipients.c.delivered_at, recipients.c.read_at
    )
    .where(recipients.c.letter_id == sa.bindparam("letter"))
    .order_by(recipients.c.id)
)
_WENT_OUT = (
    sa.update(letters)
    .where(letters.c.id == sa.bindparam("letter"))
    .values(state="sent", claimed_by="", claimed_until=None, error_code="", sent_at=sa.bindparam("now"))
)
