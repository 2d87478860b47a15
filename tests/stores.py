"""What tests of the store build with: key rings, mails, plans, and short ways through the doors."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlmodel import SQLModel

from desk.classification import Classification, Source, Trouble, Usage
from desk.facts import Facts, Status, Trust
from desk.forgetting import Cutoffs
from desk.mail import Address, Kind, Mail
from desk.plan import OpenTicket, Plan, Purpose, TouchTicket, Verdict
from store.engine import reading
from store.intake import Batch, RawMail, claim_deliveries, keep_batch
from store.keys import KeyRing
from store.mailboxes import Account, Cursor, Shown, lease_mailbox, open_cursor, register_mailbox
from store.memory import Store
from store.messages import ReadMail, SavedCount, Waiting, claim_conversations, find_places, release_claims, save_read
from store.outcomes import Outcome, ReadyLetter, Work, carry_all

Result = TypeVar("Result")

NOW = datetime(2026, 11, 17, 9, 0, tzinfo=UTC)
LEASE = timedelta(minutes=5)
LATER = NOW + 2 * LEASE  # every lease taken at NOW has ended
VALIDITY = 4_294_967_295  # the highest UIDVALIDITY and UID there is (RFC 3501 §2.3.1.1)
INBOX = "INBOX"

PERSON = "lea.martin@ecole.example"
NAME = "Léa Martin"


def make_keys(master: Sequence[str] = ("m1",), tombstone: Sequence[str] = ("t1",), salt: str = "") -> KeyRing:
    """A ring whose last names are current; the same names and salt give the same keys."""
    return KeyRing(
        {name: _stretch(f"master {salt}{name}") for name in master},
        master[-1],
        {name: _stretch(f"tombstone {salt}{name}") for name in tombstone},
        tombstone[-1],
    )


def _stretch(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()


def make_mail(name: str, *references: str, sender: str = PERSON, **more: Any) -> Mail:
    """A mail whose Message-ID is `<name@…>`, naming those of `references`."""
    plain = Mail(
        message_id=name_id(name),
        references=tuple(name_id(one) for one in references),
        sender=Address(NAME, sender),
        reply_to=(),
        to=(Address("", "support@atelier.example"),),
        cc=(),
        subject=f"{NAME}: {name}",
        date=NOW,
        text=name,
        reply_text=name,
        attachments=(),
        kind=Kind.PERSON,
        evidence="",
        bounce=None,
        authentication=(),
        size_bytes=100,
        fingerprint=hashlib.sha256(name.encode()).hexdigest(),
    )
    return replace(plain, **more)


def name_id(name: str) -> str:
    return f"<{name}@mail.example>"


def add_mailbox(store: Store, name: str = "support", after_intake: str = "keep") -> int:
    address = f"{name}@atelier.example"
    account = Account(f"block-{name}", name, "imap.atelier.example", address, address, after_intake)
    return register_mailbox(store.engine, account)


def take_mailbox(store: Store, mailbox_id: int, token: str = "intake", now: datetime = NOW) -> Cursor:
    """The lease and the cursor of a mailbox's INBOX."""
    assert lease_mailbox(store.engine, mailbox_id, token, now, LEASE)
    return open_cursor(store.engine, mailbox_id, INBOX, Shown(VALIDITY), now)


def make_batch(*uids: int, withheld: Sequence[int] = ()) -> Batch:
    mails = tuple(RawMail(uid, NOW, f"Subject: mail {uid}\r\n\r\nfor your eyes".encode()) for uid in uids)
    return Batch(mails, tuple(withheld), (), max((*uids, *withheld), default=0))


def keep_mails(store: Store, mailbox_id: int, batch: Batch, token: str = "intake", now: datetime = NOW) -> int:
    cursor = take_mailbox(store, mailbox_id, token, now)
    return keep_batch(store, mailbox_id, cursor, batch, token=token, now=now, lease=LEASE)


def keep_some(store: Store, mailbox_id: int, count: int) -> None:
    """`count` more mails, under the next UIDs."""
    last = take_mailbox(store, mailbox_id).last_uid
    keep_mails(store, mailbox_id, make_batch(*range(last + 1, last + 1 + count)))


def claim_read(store: Store, mails: Sequence[Mail], token: str = "reader", mailbox: str = "support") -> list[ReadMail]:
    """As many kept mails, claimed, each with what is to have been read from it."""
    keep_some(store, add_mailbox(store, mailbox), len(mails))
    claimed = claim_deliveries(store, token, NOW, LEASE, len(mails))
    return [ReadMail(place, mail) for place, mail in zip(claimed, mails, strict=True)]


def bring_in(store: Store, *mails: Mail, mailbox: str = "support") -> SavedCount:
    """Doors 1 to 3 at once."""
    return save_read(store, "reader", claim_read(store, mails, mailbox=mailbox))


def claim_all(store: Store, token: str = "worker", now: datetime = NOW, limit: int = 100) -> tuple[Waiting, ...]:
    return claim_conversations(store, token, now, LEASE, limit)


def bring_one(store: Store, name: str = "help", *references: str, **more: Any) -> Waiting:
    """One mail, claimed for deciding."""
    bring_in(store, make_mail(name, *references, **more))
    (waiting,) = claim_all(store)
    return waiting


OPENING = OpenTicket(
    category="installation",
    priority="normal",
    level=1,
    team="support",
    language="fr",
    respond_by=NOW + timedelta(hours=8),
    resolve_by=NOW + timedelta(days=3),
)
JUDGED = Classification(
    "installation",
    "normal",
    "fr",
    0.9,
    Source.MISTRAL,
    fields=(("name", NAME),),
    answer=f"asked by {NAME}",
    usage=Usage("small", "v1", 90, 12, 300),
)
IGNORED = Plan(Verdict.IGNORED, "newsletter", "list")
HANDED_OVER = Plan(Verdict.HANDED_OVER, "unsure", "low-confidence", OPENING)
ANSWERED = Plan(Verdict.ANSWERED, "known", "answer", OPENING)


def make_letter(name: str = "letter", purpose: Purpose = Purpose.ACKNOWLEDGEMENT, **more: Any) -> ReadyLetter:
    plain = ReadyLetter(purpose, name_id(name), "support@atelier.example", (PERSON,), f"Bonjour {NAME}".encode())
    return replace(plain, **more)


def make_outcome(plan: Plan = HANDED_OVER, *letters: ReadyLetter, number: str = "2026-000001") -> Outcome:
    return Outcome(
        plan=plan,
        facts=Facts(mailbox="support", trust=Trust.VERIFIED),
        judged=JUDGED,
        troubles=(Trouble(Source.MISTRAL, "model-answer", f"gibberish about {NAME}"),),
        letters=letters,
        number=number,
        subject=f"{NAME} needs help",
        policy_version="v1",
    )


def touch_plan(ticket_id: int, version: int, verdict: Verdict = Verdict.APPENDED, **more: Any) -> Plan:
    plain = TouchTicket(ticket_id, version, "2026-000001", Status.IN_ANALYSIS, "support", "joined")
    return Plan(verdict, "reply", "known-ticket", replace(plain, **more))


def settle(store: Store, waiting: Waiting, outcome: Outcome, now: datetime = NOW) -> None:
    """Door 7, and the claim given back."""
    carry_out(store, waiting, outcome, now, NOW + LEASE)
    release_claims(store, waiting.token)


def open_ticket(store: Store, *letters: ReadyLetter, number: str = "2026-000001", plan: Plan = HANDED_OVER) -> int:
    """A ticket that a mail opened; its id."""
    settle(store, bring_one(store, f"mail of {number}"), make_outcome(plan, *letters, number=number))
    return int(look_up(store, "ticket", "id", number=number)[0])


def cut_at(instant: datetime) -> Cutoffs:
    """Everything that ended before `instant` has had its time."""
    return Cutoffs(*[instant] * 7)


def look_up(store: Store, name: str, column: str, **where: Any) -> list[Any]:
    """One column of the rows that match, in the order they came."""
    found = _find_table(name)
    query = sa.select(found.c[column]).where(*(found.c[key] == value for key, value in where.items()))
    with reading(store.engine) as connection:
        return list(connection.execute(query.order_by(*found.primary_key.columns)).scalars())


def count_rows(store: Store, name: str, **where: Any) -> int:
    return len(look_up(store, name, next(iter(_find_table(name).primary_key.columns)).name, **where))


def _find_table(name: str) -> sa.Table:
    return SQLModel.metadata.tables[name]


def tables() -> dict[str, sa.Table]:
    return dict(SQLModel.metadata.tables)


def run_together(*works: Callable[[], Result]) -> list[Result]:
    """Each work in a thread of its own, all let go at once; what they return, in order, or the first error."""
    start = Barrier(len(works), timeout=30)

    def run(work: Callable[[], Result]) -> Result:
        start.wait()
        return work()

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(run, works))


def find_one_place(store: Store, message_id: int) -> int | None:
    return find_places(store, [message_id]).get(message_id)


def carry_out(store: Store, waiting: Waiting, outcome: Outcome, now: datetime, claim_until: datetime) -> None:
    """Commit one outcome alone."""
    carry_all(store, [Work(waiting, outcome, now)], claim_until)
