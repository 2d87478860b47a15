"""Sort each mail, then answer it or hand it over."""

from __future__ import annotations

from collections import Counter
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from flows.shared import At, end_partial, end_well, show_quarantine, show_table
from tasks.deciding import DecideCount, decide_mails
from tasks.filing import FileCount, file_mails
from tasks.guard import guarded
from tasks.reading import ReadCount, read_mails, read_quarantine
from tasks.sending import SendCount, send_letters


@flow(name="classify-and-reply")
@guarded("classify-and-reply")
def classify_and_reply(at: At = None) -> State[Any]:
    """Read, sort, decide, answer or draft or hand over: chunk after chunk until nothing waits.

    Args:
        at: Rehearsal: decide as if it were this moment. Empty: now.
    """
    read = drain_reading()
    decided = drain_deciding(at)
    sent = drain_sending(at)
    filed = drain_filing()
    verdicts = count_verdicts(decided)
    if verdicts:
        rows = [{"verdict": word, "mails": count} for word, count in sorted(verdicts.items())]
        show_table("verdicts", rows, "What became of the mails of this run")
    show_quarantine(read_quarantine())
    return tell_end(read, decided, sent, filed)


def drain_reading() -> list[ReadCount]:
    counts: list[ReadCount] = []
    while (count := read_mails()).claimed:
        counts.append(count)
    return counts


def drain_deciding(at: At) -> list[DecideCount]:
    counts: list[DecideCount] = []
    while (count := decide_mails(at)).claimed:
        counts.append(count)
    return counts


def drain_sending(at: At = None) -> list[SendCount]:
    """Until the outbox is empty, or SMTP is down: then it waits."""
    counts: list[SendCount] = []
    while (count := send_letters(at)).claimed and not count.error_code:
        counts.append(count)
    return [*counts, count]


def drain_filing() -> list[FileCount]:
    """Until a round files nothing: what is left then waits for its next try."""
    counts = [file_mails()]
    while counts[-1].filed:
        counts.append(file_mails())
    return counts


def count_verdicts(decided: list[DecideCount]) -> Counter[str]:
    total: Counter[str] = Counter()
    for count in decided:
        total.update(count.verdicts or {})
    return total


def tell_end(
    read: list[ReadCount], decided: list[DecideCount], sent: list[SendCount], filed: list[FileCount]
) -> State[Any]:
    """Whole, or partial with what stayed behind."""
    troubles = {
        "in quarantine": sum(count.quarantined for count in read) + count_verdicts(decided)["quarantined"],
        "to be tried again": sum(count.postponed for count in decided),
        "not filed": sum(count.postponed for count in filed),
        "of unknown fate": sum(count.unknown for count in sent),
    }
    down = next((count.error_code for count in sent if count.error_code), "")
    said = f"{sum(count.claimed for count in decided)} mails decided, {sum(count.sent for count in sent)} letters sent"
    degraded = next((count.degraded for count in decided if count.degraded), "")
    left = [f"{count} {what}" for what, count in troubles.items() if count]
    left += [f"{system}: {code}" for system, code in (("SMTP", down), ("Mistral", degraded)) if code]
    return end_partial(f"{said}; {', '.join(left)}") if left else end_well(said)
