"""Two processes at one mailbox: one works, the other leaves it alone; whoever lost the lease commits nothing more."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from store.engine import reading, writing
from store.memory import Store
from tasks.intake import SyncReport
from tests.acceptance.dying import BATCH_MAILS, PATIENCE, WORD, Order, Point, register, send_worker, visit
from tests.acceptance.workers import wait_until
from tests.dovecot import Dovecot, run_dovecot
from tests.stores import count_rows, look_up, tables

ALL = 3 * BATCH_MAILS
USERS = tuple(f"user{number}" for number in range(20))  # one a test
SERIAL = count()
AT_THE_LEASE = Point("tests.acceptance.dying.lease_mailbox", "before")
IN_THE_MIDDLE = Point("tasks.intake.keep_batch", "after")  # one batch is committed


@pytest.fixture(scope="module")
def dovecot() -> Iterator[Dovecot]:
    with run_dovecot(dict.fromkeys(USERS, WORD)) as server:
        yield server


@pytest.fixture
def order(url: str, tmp_path: Path, dovecot: Dovecot) -> Order:
    """For a mailbox of this test's own, with mail in it; a worker with this order waits in the middle."""
    user = USERS[next(SERIAL)]
    dovecot.drop(user, (f"Subject: mail {number}\r\n\r\nBonjour\r\n".encode() for number in range(ALL)))
    return Order(url, str(tmp_path / "packs"), dovecot.port, user, point=IN_THE_MIDDLE, waits=True)


def visit_beside(store: Store, order: Order) -> SyncReport:
    """By this process."""
    return visit(store, order.block, register(store, order.block), "beside")


def tell(report: SyncReport) -> tuple[str, int]:
    return report.status, report.kept


def read_state(store: Store) -> dict[str, list[Any]]:
    """All rows that a visit may write."""
    names = ("mailbox", "folder", "pending_uid", "pack", "delivery")
    with reading(store.engine) as connection:
        return {name: list(connection.execute(sa.select(tables()[name]).order_by("id"))) for name in names}


def read_lease(store: Store) -> datetime:
    (until,) = look_up(store, "mailbox", "lease_until")
    assert isinstance(until, datetime)
    return until


def test_while_one_works_the_other_is_told_that_the_mailbox_is_busy(store: Store, order: Order) -> None:
    with send_worker(order) as first:
        assert first.hear() == "here"
        before = read_state(store)
        with send_worker(replace(order, token="other", point=None)) as other:
            assert tell(other.hear()) == ("busy", 0)
        assert read_state(store) == before
        first.go_on()
        assert tell(first.hear()) == ("synced", ALL)
    assert count_rows(store, "delivery") == ALL


def test_of_two_that_come_at_the_same_moment_one_brings_everything(store: Store, order: Order) -> None:
    register(store, order.block)
    first, other = replace(order, point=AT_THE_LEASE), replace(order, point=AT_THE_LEASE, token="other")
    with send_worker(first) as one, send_worker(other) as two:
        assert [one.hear(), two.hear()] == ["here", "here"]
        one.go_on()
        two.go_on()
        ends = sorted(tell(worker.hear()) for worker in (one, two))
    assert ends in ([("busy", 0), ("synced", ALL)], [("synced", 0), ("synced", ALL)])  # or it came when all was done
    assert count_rows(store, "delivery") == ALL


def test_a_worker_that_was_stopped_beyond_its_lease_commits_nothing_once_another_took_over(
    store: Store, order: Order
) -> None:
    with send_worker(order) as worker:
        assert worker.hear() == "here"
        os.kill(worker.pid, signal.SIGSTOP)
        assert visit_beside(store, order).status == "busy"
        end_lease(store)
        assert tell(visit_beside(store, order)) == ("synced", ALL - BATCH_MAILS)
        before = read_state(store)
        os.kill(worker.pid, signal.SIGCONT)
        worker.go_on()
        report = worker.hear()
    assert (report.status, report.error_code, report.kept) == ("error", "claim-lost", BATCH_MAILS)
    assert read_state(store) == before
    assert look_up(store, "mailbox", "kept") == [count_rows(store, "delivery")] == [ALL]


def end_lease(store: Store) -> None:
    """As if its time had passed."""
    with writing(store.engine) as connection:
        passed = datetime.now(UTC) - timedelta(seconds=1)
        connection.execute(sa.update(tables()["mailbox"]).values(lease_until=passed))


def test_the_lease_of_a_dead_worker_ends_by_itself(store: Store, order: Order) -> None:
    with send_worker(replace(order, waits=False, lease_seconds=2)) as worker:
        assert worker.hear_end() == -signal.SIGKILL
    ended, reports = read_lease(store), []

    def is_free() -> bool:
        reports.append(visit_beside(store, order))
        return reports[-1].status != "busy"

    wait_until(is_free, PATIENCE, "the end of a lease")
    assert tell(reports[-1]) == ("synced", ALL - BATCH_MAILS)
    assert datetime.now(UTC) > ended
    assert count_rows(store, "delivery") == ALL


def test_a_living_worker_keeps_its_lease_however_long_it_takes(store: Store, order: Order) -> None:
    lease = timedelta(seconds=3)
    with send_worker(replace(order, lease_seconds=lease.total_seconds())) as worker:
        assert worker.hear() == "here"
        first = read_lease(store)
        wait_until(lambda: datetime.now(UTC) > first, PATIENCE, "the end of the lease as it was taken")
        assert visit_beside(store, order).status == "busy"
        assert read_lease(store) > first
        worker.go_on()
        assert tell(worker.hear()) == ("synced", ALL)
    assert count_rows(store, "delivery") == ALL
