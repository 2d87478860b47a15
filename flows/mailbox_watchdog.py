"""Tell of mailboxes that have been silent for too long."""

from __future__ import annotations

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from flows.shared import end_partial, end_well, show_table, tell_instant
from tasks.guard import guarded
from tasks.silence import Silence, find_silence


@flow(name="mailbox-watchdog")
@guarded("mailbox-watchdog")
def mailbox_watchdog() -> State[Any]:
    """Tell once of a mailbox without a good visit for limits.silent_visits of its intervals, and once when it recovers.

    It notices too when sync-inbox does not run at all.
    """
    found = find_silence()
    show_table("silence", [describe_silence(one) for one in found], "When each mailbox last had a good visit")
    silent = [one.mailbox for one in found if one.silent]
    return end_partial(f"silent: {', '.join(silent)}") if silent else end_well(f"{len(found)} mailboxes are well")


def describe_silence(one: Silence) -> dict[str, Any]:
    return {
        "mailbox": one.mailbox,
        "silent": one.silent,
        "last good visit": tell_instant(one.last_good_at),
        "error": one.error_code,
    }
