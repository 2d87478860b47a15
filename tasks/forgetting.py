"""Retention carried out: chunk by chunk, repeatable, with a dry run that lists what would go."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.logging import get_run_logger

from desk.forgetting import Cutoffs, tell_cutoffs
from store.cases import close_idle
from store.memory import Store
from store.retention import (
    Due,
    find_due,
    find_orphans,
    forget_certificates,
    forget_contacts,
    forget_examples,
    forget_letters,
    forget_logs,
    forget_mails,
    forget_strays,
    forget_tickets,
    keep_run,
)
from store.sharing import list_expired
from store.suppression import forget_suppressed
from tasks.guard import guarded
from tasks.opening import open_policy, open_store
from tasks.sharing import clear_shared

CHUNK = 200


@dataclass(frozen=True, slots=True)
class Forgotten:
    """How much went, or would go. `places` names it by ids, for the report."""

    counts: dict[str, int]
    places: dict[str, tuple[str, ...]]
    dry_run: bool


@task(name="forget", cache_policy=NO_CACHE)
@guarded("forget")
def forget_old(at: datetime | None = None, dry_run: bool = False) -> Forgotten:
    """Close what is idle, anonymise what has had its time, remove packs that nothing can open."""
    store, policy = open_store(), open_policy()
    now = at or datetime.now(UTC)
    cutoffs = tell_cutoffs(policy, now, datetime.now(UTC))
    done = _list_due(store, cutoffs, now) if dry_run else _forget_all(store, cutoffs, now)
    keep_run(store, done.counts, dry_run, now)
    get_run_logger().info("%s: %s", "would go" if dry_run else "gone", done.counts)
    return done


def _list_due(store: Store, cutoffs: Cutoffs, now: datetime) -> Forgotten:
    due = find_due(store, cutoffs, now, limit=1_000_000)
    orphans = find_orphans(store, cutoffs)
    counts = {
        "mails": len(due.mails),
        "strays": len(due.strays),
        "letters": len(due.letters),
        "tickets": len(due.tickets),
        "answers": due.judgements,
        "incidents": due.incidents,
        "examples": due.examples,
        "suppressions": due.suppressions,
        "certificates": due.certificates,
        "files": len(list_expired(store, now)),
        "packs": len(orphans),
    }
    places = {
        "mails": tuple(map(str, due.mails)),
        "strays": tuple(map(str, due.strays)),
        "letters": tuple(map(str, due.letters)),
        "tickets": tuple(map(str, due.tickets)),
        "packs": orphans,
    }
    return Forgotten(counts, places, dry_run=True)


def _forget_all(store: Store, cutoffs: Cutoffs, now: datetime) -> Forgotten:
    closed = _close_all(store, cutoffs, now)
    gone: dict[str, tuple[str, ...]] = {"mails": (), "strays": (), "letters": (), "tickets": ()}
    while _forget_chunk(store, find_due(store, cutoffs, now, CHUNK), gone, now, cutoffs.examples):
        pass
    answers, incidents = forget_logs(store, cutoffs, now)
    orphans = find_orphans(store, cutoffs)
    for name in orphans:
        store.packs.remove(name)
    counts = {
        "closed": closed,
        **{name: len(ids) for name, ids in gone.items()},
        "contacts": forget_contacts(store),
        "answers": answers,
        "incidents": incidents,
        "examples": forget_examples(store, cutoffs, now),
        "suppressions": forget_suppressed(store, now),
        "certificates": forget_certificates(store, cutoffs),
        "files": clear_shared(store, now),
        "packs": len(orphans),
    }
    return Forgotten(counts, gone | {"packs": orphans}, dry_run=False)


def _close_all(store: Store, cutoffs: Cutoffs, now: datetime) -> int:
    closed = 0
    while chunk := close_idle(store, cutoffs.idle, now, CHUNK):
        closed += len(chunk)
    return closed


def _forget_chunk(
    store: Store, due: Due, gone: dict[str, tuple[str, ...]], now: datetime, keep_examples: datetime
) -> bool:
    """Forget what one look found; true while there may be more."""
    forget_mails(store, due.mails, now, keep_examples)
    forget_strays(store, due.strays, now)
    forget_letters(store, due.letters, now)
    forget_tickets(store, due.tickets, now)
    found = {"mails": due.mails, "strays": due.strays, "letters": due.letters, "tickets": due.tickets}
    for name, ids in found.items():
        gone[name] += tuple(map(str, ids))
    return any(found.values())
