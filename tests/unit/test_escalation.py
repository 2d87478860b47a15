"""Levels are rung in order, once each, on the business clock, and not at night."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from desk.clock import BusinessClock
from desk.escalation import OpenCase, Ring, due_rings, tell_deadlines
from desk.facts import Status
from desk.policy import WEEKDAYS, Calendar, Level, Policy, PriorityTimes

HOUR = timedelta(hours=1)
NOTHING = timedelta(0)

CALENDAR = Calendar.model_validate({
    "timezone": "UTC",
    "hours": {day: ["09:00-17:00"] for day in WEEKDAYS[:5]},
    "quiet_hours": "20:00-07:00",
    "break_quiet": ["urgent"],
})  # fmt: skip
CLOCK = BusinessClock(CALENDAR)
SHARES = {4: 2.0, 1: 0.75, 2: 1.0, 3: 1.5}  # out of order, as YAML may be
PARTS: dict[str, Any] = {  # of a policy, as far as deadlines go
    "calendar": CALENDAR,
    "priorities": {
        "normal": PriorityTimes.model_validate({"respond_in": "8h", "resolve_in": "40h"}),
        "urgent": PriorityTimes.model_validate({"respond_in": "1h", "resolve_in": "4h"}),
    },
    "levels": {
        number: Level(name=f"level {number}", address=f"level{number}@desk.example", at=share)
        for number, share in SHARES.items()
    },
}
POLICY = Policy.model_construct(**PARTS)


def at(text: str) -> datetime:
    """An instant of November 2026: the 20th is a Friday."""
    return datetime.fromisoformat(f"2026-11-{text}").replace(tzinfo=UTC)


FRESH = OpenCase(  # 8 open hours for the first answer, 40 for the solution
    id=1,
    number="BR-1",
    priority="normal",
    level=1,
    opened_at=at("19 13:00"),
    respond_by=at("20 13:00"),
    responded_at=None,
    resolve_by=at("26 13:00"),
    status=Status.NEW,
)
ANSWERED = replace(FRESH, responded_at=at("20 10:00"), status=Status.IN_ANALYSIS)


def list_levels(ticket: OpenCase, now: str) -> list[int]:
    return [ring.level for ring in due_rings(POLICY, CLOCK, ticket, at(now))]


@pytest.mark.parametrize(("priority", "now", "respond_by", "resolve_by"), [
    ("normal", "19 13:00", "20 13:00", "26 13:00"),
    ("urgent", "20 16:30", "23 09:30", "23 12:30"),
    ("urgent", "21 12:00", "23 10:00", "23 13:00"),  # a Saturday
])  # fmt: skip
def test_deadlines_run_in_open_hours(priority: str, now: str, respond_by: str, resolve_by: str) -> None:
    assert tell_deadlines(POLICY, CLOCK, priority, at(now)) == (at(respond_by), at(resolve_by))


@pytest.mark.parametrize(("now", "levels"), [
    ("19 13:00", []),
    ("20 10:59:59", []),
    ("20 11:00", [1]),  # 6 of 8 hours
    ("20 12:59:59", [1]),
    ("20 13:00", [1, 2]),  # 8 hours
    ("20 17:00", [1, 2, 3]),  # 12 hours
    ("22 12:00", [1, 2, 3]),  # a Sunday: no time goes by
    ("23 12:59", [1, 2, 3]),
    ("23 13:00", [1, 2, 3, 4]),  # 16 hours
])  # fmt: skip
def test_each_level_is_rung_when_its_share_of_open_time_is_gone(now: str, levels: list[int]) -> None:
    assert list_levels(FRESH, now) == levels


@pytest.mark.parametrize(("rung", "levels"), [
    (set(), [1, 2, 3, 4]),  # the desk was down: nobody is left out
    ({1}, [2, 3, 4]),
    ({2, 3}, [1, 4]),
    ({1, 2, 3, 4}, []),
])  # fmt: skip
def test_a_level_is_rung_once(rung: set[int], levels: list[int]) -> None:
    assert list_levels(replace(FRESH, rung=frozenset(rung)), "24 09:00") == levels


@pytest.mark.parametrize(("now", "levels"), [
    ("20 17:00", []),  # the answer's deadline is past, but it was given
    ("25 10:59", []),
    ("25 11:00", [1]),  # 30 of 40 hours
    ("26 13:00", [1, 2]),
])  # fmt: skip
def test_once_answered_the_solution_is_waited_for(now: str, levels: list[int]) -> None:
    assert list_levels(ANSWERED, now) == levels


def test_a_late_answer_stops_the_first_deadline_too() -> None:
    assert list_levels(replace(FRESH, responded_at=at("20 16:00")), "20 17:00") == []


@pytest.mark.parametrize(("status", "rings"), [
    (Status.NEW, True),
    (Status.IN_ANALYSIS, True),
    (Status.SOLUTION_PROPOSED, True),
    (Status.RESOLVED, False),
    (Status.CLOSED, False),
])  # fmt: skip
def test_a_settled_ticket_never_rings(status: Status, rings: bool) -> None:
    assert bool(list_levels(replace(FRESH, status=status), "24 09:00")) is rings


@pytest.mark.parametrize(("priority", "now", "rings"), [
    ("normal", "20 19:59", True),
    ("normal", "20 20:00", False),
    ("normal", "21 06:59", False),
    ("normal", "21 07:00", True),  # held back, not lost
    ("important", "20 23:00", False),
    ("urgent", "20 23:00", True),
])  # fmt: skip
def test_nobody_is_rung_at_night_but_for_what_breaks_the_quiet(priority: str, now: str, rings: bool) -> None:
    assert bool(list_levels(replace(FRESH, priority=priority), now)) is rings


def test_a_ring_says_whom_why_and_how_late() -> None:
    early, due = due_rings(POLICY, CLOCK, FRESH, at("20 15:00"))
    assert early == Ring(1, "level1@desk.example", 0.75, at("20 13:00"), late_by=2 * HOUR)
    assert due == Ring(2, "level2@desk.example", 1.0, at("20 13:00"), late_by=2 * HOUR)


def test_before_the_deadline_nothing_is_late() -> None:
    (early,) = due_rings(POLICY, CLOCK, FRESH, at("20 12:00"))
    assert early.late_by == NOTHING


def test_lateness_is_open_time() -> None:
    *_, last = due_rings(POLICY, CLOCK, FRESH, at("23 10:00"))
    assert last.late_by == 5 * HOUR


def test_without_a_deadline_nobody_is_rung() -> None:
    assert list_levels(replace(FRESH, respond_by=None, resolve_by=None), "30 12:00") == []


def test_without_a_deadline_for_the_answer_that_of_the_solution_runs() -> None:
    assert list_levels(replace(FRESH, respond_by=None), "25 11:00") == [1]


@pytest.mark.parametrize(("now", "levels"), [("21 11:59", []), ("21 12:00", [1, 2])])
def test_a_deadline_in_time_that_is_open_no_more_counts_by_the_instant(now: str, levels: list[int]) -> None:
    weekend = replace(FRESH, opened_at=at("21 10:00"), respond_by=at("21 12:00"))
    assert list_levels(weekend, now) == levels
