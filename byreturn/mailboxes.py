"""`byreturn mailboxes`: how every mailbox does."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from store.mailboxes import MailboxState


@dataclass(frozen=True, slots=True)
class MailboxLine:
    """A mailbox in one line; `kept_last` by the last visit, `lag_seconds` the longest wait when last mails came."""

    mailbox: str
    status: str
    last_sync: datetime | None
    last_good: datetime | None
    next_visit: datetime | None
    kept_last: int
    kept: int
    withheld: int
    set_aside: int
    lag_seconds: int
    error: str
    remedy: str


def describe_mailbox(state: MailboxState) -> MailboxLine:
    return MailboxLine(
        mailbox=state.name, status=state.status, last_sync=state.last_sync_at, last_good=state.last_good_at,
        next_visit=state.next_due_at, kept_last=state.kept_last, kept=state.kept, withheld=state.withheld,
        set_aside=state.set_aside, lag_seconds=state.lag_seconds, error=state.error_code, remedy=state.remedy,
    )  # fmt: skip
