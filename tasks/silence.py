"""The watchdog: tell once of a mailbox that had no good visit for long, and once when it has recovered."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from prefect import task
from prefect.cache_policies import NO_CACHE

from blocks import ImapMailbox, list_blocks
from desk.errors import ConfigurationError
from desk.visits import is_silent
from store.mailboxes import MailboxState
from store.memory import Store
from tasks.alarm import end_trouble, tell_trouble
from tasks.guard import guarded
from tasks.intake import SILENT, open_block
from tasks.opening import open_policy, open_store

REMEDY = "`byreturn mailboxes` tells its last error. Is sync-inbox scheduled, and is a worker running?"


@dataclass(frozen=True, slots=True)
class Silence:
    """A mailbox as the watchdog saw it; `last_good_at`: when it was first heard of, if it never had a good visit."""

    mailbox: str
    silent: bool
    last_good_at: datetime
    error_code: str


@task(name="find silence", cache_policy=NO_CACHE)
@guarded("find silence")
def find_silence() -> tuple[Silence, ...]:
    """Every mailbox that is switched on. One whose block can't be used is sync-inbox's to tell of."""
    store, visits = open_store(), open_policy().limits.silent_visits
    found = (look_up(store, name) for name in list_blocks(ImapMailbox))
    return tuple(judge_silence(store, state, visits, datetime.now(UTC)) for state in found if state is not None)


def look_up(store: Store, name: str) -> MailboxState | None:
    try:
        _, state = open_block(store, name)
    except ConfigurationError:
        return None
    if state is None:
        end_trouble(store, f"{SILENT}:{name}")  # somebody has switched it off
    return state


def judge_silence(store: Store, state: MailboxState, visits: int, now: datetime) -> Silence:
    last_good, key = state.last_good_at or state.since, f"{SILENT}:{state.name}"
    silent = is_silent(last_good, timedelta(minutes=state.interval_minutes), now, visits)
    if silent:
        tell_trouble(store, key, f"no good visit since {last_good:%Y-%m-%d %H:%M} UTC", state.remedy or REMEDY)
    else:
        end_trouble(store, key)
    return Silence(state.name, silent, last_good, state.error_code)
