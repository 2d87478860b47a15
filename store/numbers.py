"""Ticket numbers: YYYY-NNNNNN, given out in blocks so that no counter row is hot; gaps are harmless."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa

from store.engine import insert_new, writing
from store.memory import Store
from store.tables import TicketCounter, table

counters = table(TicketCounter)
BLOCK = 50  # the most that are taken at once


def reserve_numbers(store: Store, year: int, count: int) -> tuple[str, ...]:
    """`count` numbers nobody else gets."""
    with writing(store.engine) as connection:
        insert_new(connection, counters, [{"year": year, "last": 0}])
        step = sa.update(counters).where(counters.c.year == year).values(last=counters.c.last + count)
        last = int(connection.execute(step.returning(counters.c.last)).scalar_one())
    return tuple(f"{year}-{number:06d}" for number in range(last - count + 1, last + 1))


@dataclass(slots=True)
class NumberStock:
    """Numbers in hand during one chunk; those left over at its end are gaps."""

    store: Store
    held: deque[str] = field(default_factory=deque)
    block: int = 1

    def expect(self, count: int) -> None:
        """So many may be wanted."""
        self.block = min(max(count, 1), BLOCK)

    def take(self, now: datetime) -> str:
        if not self.held or not self.held[0].startswith(f"{now.year}-"):
            self.held = deque(reserve_numbers(self.store, now.year, self.block))
        return self.held.popleft()
