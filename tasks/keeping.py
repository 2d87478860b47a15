"""Keep what no cursor leads to: gaps that a reconciliation found, and mails of a backfill."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from desk.errors import ClaimLost
from desk.facts import Arrival
from store.intake import Batch, keep_batch
from store.mailboxes import Cursor, lease_mailbox, release_lease
from store.memory import Store

LEASE = timedelta(minutes=1)  # of one commit
PATIENCE = timedelta(minutes=5)
POLL_SECONDS = 0.5


def keep_apart(
    store: Store, mailbox_id: int, cursor: Cursor, batch: Batch, choose: Callable[[datetime], Arrival]
) -> int:
    """Keep a batch and leave the cursor where it is; `choose` tells the arrival from INTERNALDATE. Returns mails kept.

    The mailbox is leased for this commit only, so that a long backfill keeps no live mail waiting.
    """
    kept = 0
    for arrival, part in split_batch(replace(batch, last_uid=0), choose):
        with borrow_mailbox(store, mailbox_id) as token:
            now = datetime.now(UTC)
            kept += keep_batch(store, mailbox_id, cursor, part, token=token, now=now, lease=LEASE, arrival=arrival)
    return kept


def split_batch(batch: Batch, choose: Callable[[datetime], Arrival]) -> Iterator[tuple[Arrival, Batch]]:
    """A batch per arrival; what is withheld goes with the first."""
    rest = batch
    for arrival in (Arrival.BACKFILL, Arrival.LIVE):
        mails = tuple(mail for mail in batch.mails if choose(mail.received_at) is arrival)
        large = tuple(mail for mail in batch.oversized if choose(mail.received_at) is arrival)
        if mails or large or rest.withheld:
            yield arrival, replace(rest, mails=mails, oversized=large)
        rest = replace(rest, withheld=())


@contextmanager
def borrow_mailbox(store: Store, mailbox_id: int) -> Iterator[str]:
    """The mailbox's lease for a moment, once whoever has it gives it back; ClaimLost when that takes too long."""
    token, deadline = uuid.uuid4().hex, datetime.now(UTC) + PATIENCE
    while not lease_mailbox(store.engine, mailbox_id, token, datetime.now(UTC), LEASE):
        if datetime.now(UTC) > deadline:
            raise ClaimLost("the mailbox is being synced", remedy="Run it again: it goes on where it stopped.")
        time.sleep(POLL_SECONDS)
    try:
        yield token
    finally:
        release_lease(store.engine, mailbox_id, token)
