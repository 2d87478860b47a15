"""Deadlines and who is rung when they near: the levels of the policy on the business clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from desk.clock import BusinessClock
from desk.facts import Status
from desk.policy import Policy

SETTLED = frozenset({Status.RESOLVED, Status.CLOSED})


@dataclass(frozen=True, slots=True)
class OpenCase:
    """A ticket as the sweep sees it; instants are aware UTC; `rung` holds the levels rung before."""

    id: int
    number: str
    priority: str
    level: int
    opened_at: datetime
    respond_by: datetime | None
    responded_at: datetime | None
    resolve_by: datetime | None
    status: Status
    rung: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Ring:
    """One level to be told now: `share` is its `at`, `late_by` the open time since the deadline, or 0."""

    level: int
    address: str
    share: float
    deadline: datetime
    late_by: timedelta


def tell_deadlines(policy: Policy, clock: BusinessClock, priority: str, now: datetime) -> tuple[datetime, datetime]:
    """When a ticket opened `now` must have its first answer, and when its solution (UTC)."""
    times = policy.priorities[priority]
    return clock.add(now, times.respond_in), clock.add(now, times.resolve_in)


def due_rings(policy: Policy, clock: BusinessClock, ticket: OpenCase, now: datetime) -> tuple[Ring, ...]:
    """Every level whose share of the running deadline is gone and that was not rung, lowest first.

    None while it is quiet (they come when the quiet hours end), none for a settled ticket.
    """
    deadline = find_deadline(ticket)
    if deadline is None or ticket.status in SETTLED or keep_quiet(policy, clock, ticket.priority, now):
        return ()
    gone, late_by = measure_share(clock, ticket.opened_at, deadline, now), measure_delay(clock, deadline, now)
    return tuple(
        Ring(number, level.address, level.at, deadline, late_by)
        for number, level in sorted(policy.levels.items())
        if level.at <= gone and number not in ticket.rung
    )


def find_deadline(ticket: OpenCase) -> datetime | None:
    """The deadline that runs: that of the first answer until it is given, then that of the solution."""
    answering = ticket.responded_at is None and ticket.respond_by is not None
    return ticket.respond_by if answering else ticket.resolve_by


def keep_quiet(policy: Policy, clock: BusinessClock, priority: str, now: datetime) -> bool:
    return clock.is_quiet(now) and priority not in policy.calendar.break_quiet


def measure_share(clock: BusinessClock, start: datetime, deadline: datetime, now: datetime) -> float:
    """How much of the open time from `start` to `deadline` is gone: 0.0 … 1.0, and more past it."""
    whole = clock.between(start, deadline)
    if not whole:  # the calendar was changed since: only the instant itself still says something
        return 1.0 if now >= deadline else 0.0
    return clock.between(start, now) / whole


def measure_delay(clock: BusinessClock, deadline: datetime, now: datetime) -> timedelta:
    return max(clock.between(deadline, now), timedelta(0))
