"""Tickets whose deadlines run: rings, statuses and their end."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from desk.escalation import OpenCase, Ring
from desk.facts import Status
from desk.plan import Purpose
from store.cases import change_status, close_idle, keep_ring, list_running, read_card
from store.engine import reading, writing
from store.facts import tickets
from store.memory import Store
from tests.stores import (
    LATER,
    LEASE,
    NOW,
    OPENING,
    count_rows,
    look_up,
    make_letter,
    open_ticket,
    run_together,
)

NUMBER = "2026-000001"
SECOND = timedelta(seconds=1)


def make_ring(level: int = 2) -> Ring:
    return Ring(level, "second@atelier.example", 0.5, NOW, timedelta(0))


def ring(store: Store, ticket: int, level: int = 2, name: str = "ring") -> bool:
    return keep_ring(store, ticket, make_ring(level), make_letter(name, Purpose.RING), NOW)


def test_an_open_ticket_is_running_with_its_deadlines(store: Store) -> None:
    ticket = open_ticket(store)
    assert list_running(store) == (
        OpenCase(
            ticket, NUMBER, "normal", 1, NOW, OPENING.respond_by, None, OPENING.resolve_by, Status.NEW, frozenset()
        ),
    )
    card = read_card(store, ticket)
    assert (card.number, card.team, card.language) == (NUMBER, "support", "fr")


@pytest.mark.parametrize(
    ("status", "running"),
    [(one, one not in (Status.RESOLVED, Status.CLOSED)) for one in Status],
)
def test_a_ticket_runs_until_it_is_resolved_or_closed(store: Store, status: Status, running: bool) -> None:
    open_ticket(store)
    assert change_status(store, NUMBER, status, "set", NOW)
    assert bool(list_running(store)) is running


def test_a_level_is_rung_once_for_a_ticket(store: Store) -> None:
    ticket = open_ticket(store)
    assert [ring(store, ticket, name="a"), ring(store, ticket, name="b"), ring(store, ticket, 3, "c")] == [
        True, False, True,
    ]  # fmt: skip
    assert look_up(store, "letter", "origin") == [f"ring:{ticket}:2", f"ring:{ticket}:3"]
    (running,) = list_running(store)
    assert (running.level, running.rung) == (3, frozenset({2, 3}))
    assert look_up(store, "event", "word") == ["opened", "rung-2", "rung-3"]
    assert look_up(store, "ring", "deadline") == [NOW, NOW]


def test_of_two_sweeps_at_once_one_rings(store: Store) -> None:
    ticket = open_ticket(store)
    rung = run_together(lambda: ring(store, ticket, name="a"), lambda: ring(store, ticket, name="b"))
    assert sorted(rung) == [False, True]
    assert (count_rows(store, "letter"), count_rows(store, "ring")) == (1, 1)


def test_a_lower_level_rung_late_does_not_lower_the_ticket(store: Store) -> None:
    ticket = open_ticket(store)
    ring(store, ticket, 3, "a")
    ring(store, ticket, 1, "b")
    assert look_up(store, "ticket", "level") == [3]


def test_a_ring_changes_the_ticket_under_a_decision(store: Store) -> None:
    ring(store, open_ticket(store))
    assert look_up(store, "ticket", "version") == [2]


# --- statuses ---


@pytest.mark.parametrize(
    ("status", "stamps"),
    [
        (Status.IN_ANALYSIS, (None, None, None)),
        (Status.SOLUTION_PROPOSED, (LATER, None, None)),
        (Status.RESOLVED, (None, LATER, None)),
        (Status.CLOSED, (None, LATER, LATER)),
    ],
)
def test_a_status_sets_its_instants(
    store: Store, status: Status, stamps: tuple[datetime | None, datetime | None, datetime | None]
) -> None:
    open_ticket(store)
    change_status(store, NUMBER, status, "set", LATER)
    assert read_stamps(store) == stamps
    assert look_up(store, "event", "word") == ["opened", "set"]
    assert look_up(store, "ticket", "version") == [2]


def read_stamps(store: Store) -> tuple[datetime | None, ...]:
    names = ("responded_at", "resolved_at", "closed_at")
    return tuple(look_up(store, "ticket", name)[0] for name in names)


def test_the_first_answer_and_the_solution_keep_their_instants(store: Store) -> None:
    open_ticket(store)
    for status, at in ((Status.SOLUTION_PROPOSED, NOW), (Status.SOLUTION_PROPOSED, LATER)):
        change_status(store, NUMBER, status, "set", at)
    assert look_up(store, "ticket", "responded_at") == [NOW]
    for status, at in ((Status.RESOLVED, NOW), (Status.CLOSED, LATER)):
        change_status(store, NUMBER, status, "set", at)
    assert read_stamps(store) == (NOW, NOW, LATER)


@pytest.mark.parametrize("ended", [Status.RESOLVED, Status.CLOSED])
def test_a_ticket_that_is_opened_again_is_neither_resolved_nor_closed(store: Store, ended: Status) -> None:
    open_ticket(store)
    change_status(store, NUMBER, ended, "set", NOW)
    change_status(store, NUMBER, Status.IN_ANALYSIS, "reopened", LATER)
    assert read_stamps(store) == (None, None, None)


def test_there_is_no_status_for_a_ticket_that_is_not_there(store: Store) -> None:
    assert not change_status(store, "2026-999999", Status.CLOSED, "set", NOW)
    assert count_rows(store, "event") == 0


# --- idle tickets ---


@pytest.mark.parametrize(
    ("status", "closes"),
    [
        (Status.NEW, False),
        (Status.IN_ANALYSIS, False),
        (Status.SOLUTION_PROPOSED, True),
        (Status.RESOLVED, True),
    ],
)
def test_only_what_was_answered_or_resolved_closes_by_itself(store: Store, status: Status, closes: bool) -> None:
    ticket = open_ticket(store)
    change_status(store, NUMBER, status, "set", NOW)
    assert close_idle(store, NOW, LATER, 10) == []
    assert close_idle(store, NOW + SECOND, LATER, 10) == ([ticket] if closes else [])
    assert close_idle(store, NOW + SECOND, LATER, 10) == []
    assert look_up(store, "ticket", "closed_at") == [LATER if closes else None]


def test_idle_tickets_close_chunk_by_chunk(store: Store) -> None:
    for number in ("2026-000001", "2026-000002", "2026-000003"):
        open_ticket(store, number=number)
        change_status(store, number, Status.RESOLVED, "set", NOW)
    assert [len(close_idle(store, LATER, LATER, 2)) for _ in range(3)] == [2, 1, 0]
    assert look_up(store, "event", "word").count("closed") == 3


def test_a_ticket_that_is_answered_while_it_closes_stays_open(store: Store) -> None:
    open_ticket(store)
    change_status(store, NUMBER, Status.RESOLVED, "set", NOW)
    closed = while_touched(store, lambda: list(close_idle(store, NOW + SECOND, LATER, 10)))
    assert closed == []
    assert look_up(store, "ticket", "status") == ["in_analysis"]


def while_touched(store: Store, work: Callable[[], list[int]]) -> list[int]:
    """Runs `work` while a reply holds the ticket's row, until work waits for it or, on SQLite, for the database."""
    with ThreadPoolExecutor(1) as pool:
        with writing(store.engine) as connection:
            answered = {"status": "in_analysis", "touched_at": LATER + LEASE}
            connection.execute(sa.update(tickets).values(**answered))
            done = pool.submit(work)
            wait_blocked(store.engine)
        return done.result(timeout=30)


def wait_blocked(engine: sa.Engine) -> None:
    """Until some connection waits for a lock; SQLite can't be asked, there the transaction's order decides."""
    waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    while engine.dialect.name == "postgresql":
        with reading(engine) as connection:
            if connection.execute(sa.text(waits)).scalar_one():
                return
