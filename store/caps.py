"""Automatic letters that went out lately: counted for a decision, and again in the commit that adds to them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from desk.errors import StaleDecision
from desk.policy import Limits
from store.engine import reading
from store.tables import Letter, LetterRecipient, table

letters = table(Letter)
recipients = table(LetterRecipient)

_LOCK = 7_302_016  # of PostgreSQL's advisory locks the one that stands for the caps

Sent = tuple[tuple[timedelta, int], ...]  # how many within each span of a cap


@dataclass(frozen=True, slots=True)
class Addition:
    """Automatic letters that are about to be queued: of one mailbox, to one reader each."""

    mailbox_id: int
    readers: tuple[str, ...]
    now: datetime


@dataclass(slots=True)
class SentBook:
    """The counts as they were for a mailbox when first asked for: for the mails of a batch that is near enough, since
    `hold_caps` looks again, and to count for every mail costs more than all its other facts.
    """

    counts: dict[int, tuple[Sent, Sent]] = field(default_factory=dict)

    def tell(self, engine: sa.Engine, mailbox_id: int, now: datetime, limits: Limits) -> tuple[Sent, Sent]:
        if mailbox_id not in self.counts:
            with reading(engine) as connection:
                self.counts[mailbox_id] = count_sent(connection, mailbox_id, now, limits)
        return self.counts[mailbox_id]

    def forget(self) -> None:
        self.counts = {}


def count_sent(connection: sa.Connection, mailbox_id: int, now: datetime, limits: Limits) -> tuple[Sent, Sent]:
    """Automatic letters of this mailbox and of all, within each span of their caps."""
    of_mailbox, in_all = tuple(limits.letters_per_mailbox), tuple(limits.letters_in_all)
    if not (of_mailbox or in_all):
        return (), ()
    cuts = {f"s{number}": now - span for number, span in enumerate((*of_mailbox, *in_all))}
    query = _select_counts(len(of_mailbox), len(in_all))
    row = connection.execute(query, {"mailbox": mailbox_id, "since": min(cuts.values()), **cuts}).one()
    counts = [int(one or 0) for one in row]
    split = len(of_mailbox)
    return tuple(zip(of_mailbox, counts[:split], strict=True)), tuple(zip(in_all, counts[split:], strict=True))


def hold_caps(connection: sa.Connection, added: Iterable[Addition], limits: Limits) -> None:
    """Nobody else adds letters until this is committed, and with these the caps hold. Raises StaleDecision if not.

    Several mails are decided side by side, by several workers: each knows nothing of the letters of the others.
    """
    new = list(added)
    if not new:
        return
    if connection.dialect.name == "postgresql":  # SQLite has one writer at a time in any case
        connection.execute(_TAKE_LOCK, {"lock": _LOCK})
    if any(_list_excess(connection, new, limits)):
        raise StaleDecision("others have sent letters meanwhile")


def _list_excess(connection: sa.Connection, added: list[Addition], limits: Limits) -> Iterator[bool]:
    """One for each cap, whether these letters go beyond it; the moment is that of the first decision."""
    now = min(one.now for one in added)
    for mailbox_id, more in Counter(one.mailbox_id for one in added).items():
        of_mailbox, in_all = count_sent(connection, mailbox_id, now, limits)
        yield _exceeds(of_mailbox, more, limits.letters_per_mailbox)
        yield _exceeds(in_all, len(added), limits.letters_in_all)
    readers = Counter(reader for one in added for reader in one.readers)
    sent = _list_sent(connection, readers, now - max(limits.letters_per_sender))
    for reader, more in readers.items():
        counts = tuple(
            (span, sum(now - at < span for at in sent.get(reader, ()))) for span in limits.letters_per_sender
        )
        yield _exceeds(counts, more, limits.letters_per_sender)


def _exceeds(sent: Sent, more: int, caps: Mapping[timedelta, int]) -> bool:
    return any(count + more > caps[span] for span, count in sent)


def _list_sent(connection: sa.Connection, readers: Iterable[str], since: datetime) -> dict[str, list[datetime]]:
    found: dict[str, list[datetime]] = {}
    for address, at in connection.execute(_SENT_TO, {"readers": sorted(readers), "since": since}):
        found.setdefault(address, []).append(at)
    return found


# --- statements, made once: see store.engine ------------------------------------------------------------------


@lru_cache(maxsize=8)
def _select_counts(of_mailbox: int, in_all: int) -> sa.Select[Any]:
    """A column for each span, those of the mailbox first; all of it is in one index (ix_letter_caps)."""
    later = [letters.c.created_at > sa.bindparam(f"s{number}") for number in range(of_mailbox + in_all)]
    here = letters.c.mailbox_id == sa.bindparam("mailbox")
    wanted = [sa.and_(here, one) for one in later[:of_mailbox]] + later[of_mailbox:]
    columns = [sa.func.sum(sa.case((one, 1), else_=0)) for one in wanted]
    return sa.select(*columns).where(letters.c.automatic, letters.c.created_at > sa.bindparam("since"))


_TAKE_LOCK = sa.select(sa.func.pg_advisory_xact_lock(sa.bindparam("lock")))
_SENT_TO = (
    sa.select(recipients.c.address, letters.c.created_at)
    .join(letters, letters.c.id == recipients.c.letter_id)
    .where(recipients.c.address.in_(sa.bindparam("readers", expanding=True)))
    .where(letters.c.automatic, letters.c.created_at > sa.bindparam("since"))
)
