"""An audit of a desk that has settled: what was delivered against what is in its books, its letters and its mailboxes.

FLAWS is the table of what must not be; an empty answer of `find_flaws` means nothing lost and nothing twice.
"""

from __future__ import annotations

import email
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from demo.house import MAILBOXES
from demo.servers import read_folder
from store.engine import reading
from store.memory import Store
from tests.acceptance.scene import Scene
from tests.acceptance.workers import Written
from tests.stores import tables

Row = sa.Row[Any]
OPENING_LETTERS = (("answer",), ("acknowledgement", "draft", "handover"), ("acknowledgement", "handover"))
REPLY_LETTERS = (("handover",),)
LAST_STATES = ("sent", "unknown", "drafted")


@dataclass(frozen=True, slots=True)
class Books:
    """Everything the audit looks at."""

    mails: Sequence[Written]
    deliveries: Sequence[Row]
    messages: Sequence[Row]
    decisions: Sequence[Row]
    tickets: Sequence[Row]
    letters: Sequence[Row]
    filings: Sequence[Row]
    reached: Counter[str]  # Message-IDs at the SMTP server
    laid: Counter[str]  # Message-IDs in the Drafts folders


def read_books(scene: Scene, mails: Sequence[Written]) -> Books:
    store = scene.store
    return Books(
        mails=mails,
        deliveries=read_rows(store, "delivery"),
        messages=read_rows(store, "message"),
        decisions=read_rows(store, "decision"),
        tickets=read_rows(store, "ticket"),
        letters=read_rows(store, "letter"),
        filings=read_rows(store, "filing"),
        reached=count_ids(one.raw for one in scene.sink.accepted),
        laid=count_ids(raw for name in MAILBOXES for raw in read_folder(scene.imap, name, "Drafts").values()),
    )


def read_rows(store: Store, name: str) -> Sequence[Row]:
    with reading(store.engine) as connection:
        return connection.execute(sa.select(tables()[name])).all()


def count_ids(raws: Iterable[bytes]) -> Counter[str]:
    return Counter(str(email.message_from_bytes(raw)["Message-ID"]) for raw in raws)


def find_flaws(scene: Scene, mails: Sequence[Written]) -> dict[str, list[Any]]:
    """Rows of FLAWS that found something, with the first few of it."""
    books = read_books(scene, mails)
    found = {name: sorted(find(books), key=str)[:5] for name, find in FLAWS}
    return {name: some for name, some in found.items() if some}


def find_lost(books: Books) -> set[str]:
    return {one.header_id for one in books.mails} - {one.header_id for one in books.messages}


def find_doubled(books: Books) -> list[str]:
    return repeat(one.header_id for one in books.messages)


def find_unread(books: Books) -> list[int]:
    return [one.id for one in books.deliveries if one.state != "read" or one.message_id is None]


def find_undecided(books: Books) -> list[int]:
    return [one.id for one in books.messages if one.state != "decided"]


def find_redecided(books: Books) -> list[int]:
    return repeat(one.message_id for one in books.decisions)


def find_torn(books: Books) -> list[int]:
    """Threads whose mails are not all on one ticket."""
    ticket_of = {one.header_id: one.ticket_id for one in books.messages}
    joined: dict[int, set[int | None]] = {}
    for mail in books.mails:
        joined.setdefault(mail.thread, set()).add(ticket_of.get(mail.header_id))
    return [thread for thread, found in joined.items() if len(found) != 1 or None in found]


def find_odd_tickets(books: Books) -> set[int]:
    """Tickets that no mail of a thread is on, such as a second one somebody opened and left."""
    return {one.id for one in books.tickets} - {one.ticket_id for one in books.messages}


def find_odd_letters(books: Books) -> list[tuple[str, tuple[str, ...]]]:
    """Mails that caused other letters than they must: an opening has one word to its sender, a reply rings the team."""
    purposes: dict[int, list[str]] = {}
    for letter in books.letters:
        purposes.setdefault(letter.message_id, []).append(letter.purpose)
    caused = {one.header_id: tuple(sorted(purposes.get(one.id, ()))) for one in books.messages}
    wanted = {mail.header_id: REPLY_LETTERS if mail.turn else OPENING_LETTERS for mail in books.mails}
    return [(name, caused.get(name, ())) for name, allowed in wanted.items() if caused.get(name, ()) not in allowed]


def find_resent(books: Books) -> list[str]:
    return [one.header_id for one in books.letters if books.reached[one.header_id] > 1]


def find_unsent(books: Books) -> list[str]:
    """Letters that are said to be sent and did not reach the server."""
    return [one.header_id for one in books.letters if one.state == "sent" and not books.reached[one.header_id]]


def find_unsettled(books: Books) -> list[tuple[int, str]]:
    return [(one.id, one.state) for one in books.letters if one.state not in LAST_STATES]


def find_misplaced(books: Books) -> list[str]:
    """Drafts that do not lie in their mailbox exactly once."""
    drafted = Counter(one.header_id for one in books.letters if one.state == "drafted")
    return list(((books.laid - drafted) + (drafted - books.laid)).elements())


def find_unfiled(books: Books) -> list[int]:
    return [one.id for one in books.filings if one.state != "done"]


def repeat(values: Iterable[Any]) -> list[Any]:
    """Those that come more than once."""
    return [value for value, count in Counter(values).items() if count > 1]


FLAWS: tuple[tuple[str, Callable[[Books], Iterable[Any]]], ...] = (
    ("mails that are no message", find_lost),
    ("mails that are two messages", find_doubled),
    ("deliveries that were not read", find_unread),
    ("messages that were not decided", find_undecided),
    ("messages that were decided twice", find_redecided),
    ("threads that are not on one ticket", find_torn),
    ("tickets of no mail", find_odd_tickets),
    ("mails with letters that do not fit", find_odd_letters),
    ("letters that went out twice", find_resent),
    ("letters that never arrived", find_unsent),
    ("letters that are in no last state", find_unsettled),
    ("drafts that are missing or laid twice", find_misplaced),
    ("filings that are not done", find_unfiled),
)
