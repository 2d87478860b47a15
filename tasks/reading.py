"""Door 3: a chunk of kept mails becomes messages. Each mail in its own try: one bad mail never holds up another."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.logging import get_run_logger

from desk.errors import MailTrouble
from desk.mail import Unreadable, read_mail
from desk.policy import Policy
from store.intake import Claimed, claim_deliveries, open_mail, quarantine_delivery
from store.memory import Store
from store.messages import ReadMail, SavedCount, save_read
from store.troubles import Quarantined, list_quarantine, requeue_due
from tasks.guard import guarded, keep_cause
from tasks.opening import open_database, open_policy, open_store


@dataclass(frozen=True, slots=True)
class ReadCount:
    """What became of a chunk; `claimed` 0 means that nothing waits."""

    claimed: int = 0
    new: int = 0
    repeated: int = 0
    buried: int = 0
    quarantined: int = 0


@task(name="read mails", cache_policy=NO_CACHE)
@guarded("read mails")
def read_mails() -> ReadCount:
    """Read one chunk of kept mails."""
    store, policy = open_store(), open_policy()
    if back := requeue_due(store, datetime.now(UTC)):  # of this door and the next: each run reads before it decides
        get_run_logger().info("put back %d mails from quarantine", back)
    token = uuid.uuid4().hex
    claimed = claim_deliveries(store, token, datetime.now(UTC), policy.limits.claim, policy.limits.chunk)
    read = [one for one in (_read_one(store, policy, token, place) for place in claimed) if one]
    counts = _save_all(store, token, read)
    kept = counts.new + counts.repeated + counts.buried
    done = ReadCount(len(claimed), counts.new, counts.repeated, counts.buried, len(claimed) - kept)
    if claimed:
        get_run_logger().info(
            "read %d mails: %d new, %d seen elsewhere, %d quarantined",
            done.claimed,
            done.new,
            done.repeated,
            done.quarantined,
        )
    return done


def read_quarantine() -> tuple[Quarantined, ...]:
    """Every mail that is set aside, for the run's table."""
    return list_quarantine(open_database())


def _read_one(store: Store, policy: Policy, token: str, place: Claimed) -> ReadMail | None:
    """The mail, or None once it is in quarantine. A mail that killed its reader too often is not opened again."""
    cause, incident = "crashed-readers", ""
    if place.attempts <= policy.limits.attempts:
        try:
            mail = read_mail(open_mail(store, place))
            if not isinstance(mail, Unreadable):
                return ReadMail(place, mail)
            cause = mail.reason
        except MailTrouble as trouble:
            cause, incident = trouble.detail.replace(" ", "-"), ""
        except Exception as trouble:  # noqa: BLE001 - promise 3
            cause, incident = type(trouble).__name__, keep_cause("read mails", trouble)
    quarantine_delivery(store, place.id, token, cause, incident, place.attempts, datetime.now(UTC))
    return None


def _save_all(store: Store, token: str, read: Sequence[ReadMail]) -> SavedCount:
    """All in one transaction; when a row of it is refused, one by one, so that only the bad mail stays behind."""
    try:
        return save_read(store, token, read)
    except Exception as trouble:  # noqa: BLE001 - promise 3
        if len(read) == 1:
            incident = keep_cause("read mails", trouble)
            place = read[0].place
            quarantine_delivery(
                store, place.id, token, type(trouble).__name__, incident, place.attempts, datetime.now(UTC)
            )
            return SavedCount(0, 0, 0)
    parts = [_save_all(store, token, [one]) for one in read]
    return SavedCount(sum(p.new for p in parts), sum(p.repeated for p in parts), sum(p.buried for p in parts))
