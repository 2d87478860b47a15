"""What reports make of a letter, and what letters come to: tables and counting, pure.

A recipient's state only ever rises (RANKS), so reports may come in any order: a late "delayed" undoes nothing, whoever
has read a letter has it, whatever came back from where it was passed on to.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from desk.mail import Bounce, Mail, Told, Word
from desk.plan import Fate, Report

# States that a report may change, the surest last: a letter was read once it was read.
RANKS = {"queued": 0, "deferred": 0, "unknown": 0, "sent": 1, "delivered": 2, "bounced": 3, "read": 4}
# What a program's word comes to: who deletes a letter or refuses a receipt has got it.
FATES = {
    Word.FAILED: Fate.BOUNCED,
    Word.DELAYED: Fate.DELAYED,
    Word.RELAYED: Fate.RELAYED,
    Word.DELIVERED: Fate.DELIVERED,
    Word.EXPANDED: Fate.DELIVERED,
    Word.PROCESSED: Fate.DELIVERED,
    Word.DELETED: Fate.DELIVERED,
    Word.DENIED: Fate.DELIVERED,
    Word.DISPLAYED: Fate.READ,
}
# What a fate makes of a recipient; RELAYED by a server that tells no more is as good as sent.
BECOMES = {Fate.RELAYED: "sent", Fate.DELIVERED: "delivered", Fate.BOUNCED: "bounced", Fate.READ: "read"}
ARRIVED = frozenset({"delivered", "read"})  # we were told so


@dataclass(frozen=True, slots=True)
class Patience:
    """So many letters that came back from an address within `within`, and it is written to no more for a while."""

    bounces: int
    within: timedelta


AT_ONCE = Patience(1, timedelta(0))
FULL = Patience(3, timedelta(days=30))

# By reason (desk.mail.bounces.REASONS); what is not here tells of the letter or of the moment, not of the address.
REASONS = {
    "unknown-user": AT_ONCE,
    "unknown-host": AT_ONCE,
    "suspended": AT_ONCE,
    "mailbox-full": FULL,
}
# By permanent status where no reason was told: RFC 3463 §3.2 and §3.3, RFC 7505 §4.2.
STATUSES = {
    "1.0": AT_ONCE,  # other address status
    "1.1": AT_ONCE,  # bad destination mailbox
    "1.2": AT_ONCE,  # bad destination system
    "1.3": AT_ONCE,  # bad syntax of its address
    "1.4": AT_ONCE,  # ambiguous
    "1.6": AT_ONCE,  # moved, no forwarding address
    "1.10": AT_ONCE,  # null MX
    "2.1": AT_ONCE,  # disabled
    "2.2": FULL,
}


def tell_reports(letter_id: int, mail: Mail, until: datetime) -> tuple[Report, ...]:
    """What a bounce or receipt tells of a letter of ours: each recipient's own fate where it tells them apart.

    `until`: how long an address that is to blame is not written to.
    """
    if mail.receipt:
        return tuple(_report_one(letter_id, told, until) for told in mail.receipt.told)
    return (_report_all(letter_id, mail.bounce, until),) if mail.bounce else ()


def _report_one(letter_id: int, told: Told, until: datetime) -> Report:
    fate = FATES[told.word]
    named = (told.recipient,) if told.recipient else ()
    code = told.status or told.reason or told.word.value
    return Report(letter_id, named, fate, code, told.reason, until if fate is Fate.BOUNCED else None)


def _report_all(letter_id: int, bounce: Bounce, until: datetime) -> Report:
    fate = Fate.BOUNCED if bounce.permanent else Fate.DELAYED
    code = bounce.status or bounce.reason
    return Report(letter_id, bounce.recipients, fate, code, bounce.reason, until if bounce.permanent else None)


def tell_patience(code: str, reason: str = "") -> Patience | None:
    """How many letters of this sort an address may send back, for a permanent bounce; None when it is not to blame.

    `code` is an RFC 3463 status or an SMTP reply's code, `reason` one of desk.mail.bounces.REASONS; the reason goes
    first, for servers give one status to many things.
    """
    if reason:
        return REASONS.get(reason)
    kind, _, detail = code.partition(".")
    return STATUSES.get(detail) if kind == "5" else REASONS.get(code)


def rise(state: str, fate: Fate) -> str:
    """The state of a recipient once this was told of it; the same where it tells nothing new."""
    told = BECOMES.get(fate, state)
    return told if RANKS.get(told, -1) > RANKS.get(state, len(RANKS)) else state
