"""Mails set aside: what each cause wants, and when a mail is tried again by itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Cause:
    """Whether a mail with this cause waits for a person, and what that person can do."""

    waits: bool
    remedy: str


MEND = "Write it to a file (`show --out`), mend it there, bring it back (`replay --eml`)."
RESTORE = "Restore the pack folder from its backup, then replay it."
OF_THE_HOUSE = Cause(False, "Mend the cause, which its incident tells; then replay it, or let the desk try again.")

# A cause that lies in the mail itself waits for a person. What is not in this table is an error's code or name, and
# lies in the house.
CAUSES: Mapping[str, Cause] = {
    "empty": Cause(True, "There is nothing in it: look at it in its mailbox."),
    "headerless": Cause(True, MEND),
    "nesting": Cause(True, MEND),
    "parts": Cause(True, MEND),
    "damaged": Cause(True, MEND),
    "crashed-readers": Cause(True, f"It killed its reader again and again: report it. {MEND}"),
    "too-large": Cause(True, "Raise `limits.mail_bytes` and replay it: the next sync fetches the whole of it."),
    "its-pack-is-missing": Cause(False, RESTORE),
    "its-pack-is-cut-short": Cause(True, RESTORE),
    "stored-bytes-are-damaged": Cause(True, RESTORE),
}

RESTS = (timedelta(hours=1), timedelta(hours=4), timedelta(hours=12), timedelta(hours=24))


def find_cause(cause: str) -> Cause:
    return CAUSES.get(cause, OF_THE_HOUSE)


def plan_retry(cause: str, attempts: int, now: datetime) -> datetime | None:
    """When a mail set aside is tried again by itself; None: it waits for a person.

    `attempts` counts from 1, the one that has set it aside; each try of the desk's own adds one.
    """
    if find_cause(cause).waits or attempts > len(RESTS):
        return None
    return now + RESTS[max(attempts, 1) - 1]
