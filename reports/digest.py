"""What happened in a period, counted: one frozen value behind the mail, the workbook and the chart."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from operator import attrgetter
from typing import cast

import pandas as pd

from desk.drift import Spike
from desk.figures import Ledger, TicketFigure
from desk.mail import Kind
from desk.periods import label_days
from desk.unanswered import Unanswered

COLUMNS = tuple(field.name for field in fields(TicketFigure))
INSTANTS = ("opened_at", "respond_by", "responded_at", "resolve_by", "resolved_at", "closed_at")
TRENDS = ("new", "answered", "late")


@dataclass(frozen=True, slots=True)
class Tally:
    """Tickets of one group (`name`; "" for all, or for those without one)."""

    name: str
    new: int  # opened in the period
    answered: int  # first answered in the period
    resolved: int  # resolved in the period
    waiting: int  # neither answered nor settled at its end
    late: int  # a deadline was over and still not met at its end
    escalated: int  # rung for in the period, at whatever level

    @property
    def is_zero(self) -> bool:
        return not any((self.new, self.answered, self.resolved, self.waiting, self.late, self.escalated))


FLAGS = tuple(field.name for field in fields(Tally))[1:]


@dataclass(frozen=True, slots=True)
class Spread:
    """Times of wall clock in minutes; None when `count` is zero."""

    count: int
    median: float | None = None
    p90: float | None = None


@dataclass(frozen=True, slots=True)
class Promise:
    """Deadlines that fell in the period: `name` is respond or resolve."""

    name: str
    kept: int
    missed: int


@dataclass(frozen=True, slots=True)
class Point:
    """One period of the trend."""

    label: str
    new: int
    answered: int
    late: int


@dataclass(frozen=True, slots=True)
class Trend:
    """A figure beside its mean over the periods before; no mean and no arrow when there is none before."""

    name: str
    current: int
    mean: float | None
    arrow: str  # ▲ ▼ =, or empty


@dataclass(frozen=True, slots=True)
class Digest:
    """A period's figures as they stood at `at`; plain numbers and tuples, no person in it.

    `scope` names the teams whose tickets were counted, None for all of them. Mails, letters, bounces and
    quarantine belong to the whole desk, whatever the scope.
    """

    start: datetime
    end: datetime
    at: datetime
    label: str
    scope: frozenset[str] | None
    total: Tally
    by_category: tuple[Tally, ...]
    by_team: tuple[Tally, ...]
    by_organisation: tuple[Tally, ...]
    response: Spread
    resolution: Spread
    promises: tuple[Promise, ...]
    rings: tuple[tuple[int, int], ...]  # (highest level rung, tickets)
    mails: int
    letters: tuple[tuple[str, int], ...]  # (state, letters)
    bounces: int
    quarantined: int
    history: tuple[Point, ...]  # oldest first, this period last
    trend: tuple[Trend, ...]
    spikes: tuple[Spike, ...] = ()  # of the last 24 hours
    unanswered: tuple[Unanswered, ...] = ()  # questions without an article

    @property
    def is_empty(self) -> bool:
        """Nothing worth a reader's time. Letters don't count: yesterday's digest was one."""
        return self.total.is_zero and not self.bounces and not self.quarantined and not self.unanswered

    def as_dict(self) -> dict[str, str | int | float | None]:
        """One flat JSON-able row, for a Prefect table artifact; organisations stay out of Prefect."""
        row: dict[str, str | int | float | None] = {"period": self.label}
        row |= {name: getattr(self.total, name) for name in FLAGS}
        row |= {f"response_{name}": value for name, value in asdict(self.response).items()}
        row |= {f"resolution_{name}": value for name, value in asdict(self.resolution).items()}
        row |= {f"{each.name}_missed": each.missed for each in self.promises}
        row |= {f"letters_{state}": count for state, count in self.letters}
        return row | {"mails": self.mails, "bounces": self.bounces, "quarantined": self.quarantined}


def count_ledger(
    ledger: Ledger,
    earlier: tuple[Ledger, ...],
    now: datetime,
    *,
    teams: frozenset[str] | None,
    timezone: str,
) -> Digest:
    """Count what `ledger` holds, beside the `earlier` periods, as it stood at its end (or `now`, if sooner).

    `teams` limits the tickets (None: all teams); `timezone` (IANA name) is for the labels only.
    """
    at = min(now, ledger.end)
    tickets = mark_tickets(ledger, at, teams)
    total = _sum_flags(tickets)
    past = tuple(_find_point(each, now, teams, timezone) for each in sorted(earlier, key=attrgetter("start")))
    point = Point(label_days(ledger.start, ledger.end, timezone), total.new, total.answered, total.late)
    return Digest(
        start=ledger.start,
        end=ledger.end,
        at=at,
        label=point.label,
        scope=teams,
        total=total,
        by_category=_group_flags(tickets, "category"),
        by_team=_group_flags(tickets, "team"),
        by_organisation=_group_flags(tickets, "organisation"),
        response=_measure_times(tickets, "answered", "responded_at"),
        resolution=_measure_times(tickets, "resolved", "resolved_at"),
        promises=(
            _count_promise(tickets, "respond", ledger.start, at),
            _count_promise(tickets, "resolve", ledger.start, at),
        ),
        rings=_count_rings(ledger, tickets, at),
        mails=sum(ledger.start <= mail.at < at for mail in ledger.mails),
        letters=_count_letters(ledger, at),
        bounces=sum(ledger.start <= mail.at < at and mail.kind == Kind.BOUNCE for mail in ledger.mails),
        quarantined=ledger.quarantined,
        history=(*past, point),
        trend=tuple(_compare_past(name, point, past) for name in TRENDS),
    )


def mark_tickets(ledger: Ledger, at: datetime, teams: frozenset[str] | None) -> pd.DataFrame:
    """A row per ticket opened before `at`: fields of TicketFigure, `heard_at`, `settled_at`, flags of Tally.

    An event at the very instant `at` has not happened yet; a deadline at that instant can still be met.
    A ticket that was settled without an answer waits for none.
    """
    tickets = _load_tickets(ledger.tickets, at, teams)
    tickets["settled_at"] = tickets[["resolved_at", "closed_at"]].min(axis=1)
    tickets["heard_at"] = tickets[["responded_at", "settled_at"]].min(axis=1)
    heard, settled = tickets["heard_at"] < at, tickets["settled_at"] < at
    rung = {ring.ticket for ring in ledger.rings if ledger.start <= ring.at < at}
    tickets["new"] = _falls_within(tickets["opened_at"], ledger.start, at)
    tickets["answered"] = _falls_within(tickets["responded_at"], ledger.start, at)
    tickets["resolved"] = _falls_within(tickets["resolved_at"], ledger.start, at)
    tickets["waiting"] = ~heard
    tickets["late"] = ((tickets["respond_by"] < at) & ~heard) | ((tickets["resolve_by"] < at) & ~settled)
    tickets["escalated"] = tickets["number"].isin(rung)
    return tickets


def _load_tickets(figures: tuple[TicketFigure, ...], at: datetime, teams: frozenset[str] | None) -> pd.DataFrame:
    chosen = [each for each in figures if each.opened_at < at and (teams is None or each.team in teams)]
    tickets = pd.DataFrame(map(attrgetter(*COLUMNS), chosen), columns=list(COLUMNS))
    for name in INSTANTS:
        tickets[name] = pd.to_datetime(tickets[name], utc=True)
    return tickets


def _falls_within(instants: pd.Series, start: datetime, end: datetime) -> pd.Series:
    return instants.between(start, end, inclusive="left")


def _sum_flags(tickets: pd.DataFrame) -> Tally:
    return Tally("", *(int(tickets[flag].sum()) for flag in FLAGS))


def _group_flags(tickets: pd.DataFrame, column: str) -> tuple[Tally, ...]:
    """Busiest first, then by name; groups in which nothing happened are left out."""
    sums = tickets.groupby(column)[list(FLAGS)].sum()
    tallies = [Tally(str(name), *map(int, counts)) for name, *counts in sums.itertuples()]
    return tuple(sorted((each for each in tallies if not each.is_zero), key=lambda each: (-each.new, each.name)))


def _measure_times(tickets: pd.DataFrame, flag: str, until: str) -> Spread:
    chosen = tickets[tickets[flag]]
    if chosen.empty:
        return Spread(0)
    minutes = (chosen[until] - chosen["opened_at"]).dt.total_seconds() / 60
    return Spread(len(chosen), round(float(minutes.median()), 1), round(float(minutes.quantile(0.9)), 1))


def _count_promise(tickets: pd.DataFrame, name: str, start: datetime, at: datetime) -> Promise:
    deadline, met = f"{name}_by", {"respond": "heard_at", "resolve": "settled_at"}[name]
    due = tickets[_falls_within(tickets[deadline], start, at)]
    kept = int((due[met] <= due[deadline]).sum())
    return Promise(name, kept, len(due) - kept)


def _count_rings(ledger: Ledger, tickets: pd.DataFrame, at: datetime) -> tuple[tuple[int, int], ...]:
    known, highest = set(tickets["number"]), cast(dict[str, int], {})
    for ring in ledger.rings:
        if ring.ticket in known and ledger.start <= ring.at < at:
            highest[ring.ticket] = max(ring.level, highest.get(ring.ticket, 0))
    return tuple(sorted(Counter(highest.values()).items()))


def _count_letters(ledger: Ledger, at: datetime) -> tuple[tuple[str, int], ...]:
    states = Counter(letter.state for letter in ledger.letters if ledger.start <= letter.at < at)
    return tuple(sorted(states.items()))


def _find_point(ledger: Ledger, now: datetime, teams: frozenset[str] | None, timezone: str) -> Point:
    total = _sum_flags(mark_tickets(ledger, min(now, ledger.end), teams))
    return Point(label_days(ledger.start, ledger.end, timezone), total.new, total.answered, total.late)


def _compare_past(name: str, point: Point, past: tuple[Point, ...]) -> Trend:
    current = int(getattr(point, name))
    if not past:
        return Trend(name, current, None, "")
    mean = sum(getattr(each, name) for each in past) / len(past)
    return Trend(name, current, round(mean, 2), _draw_arrow(current - mean))


def _draw_arrow(change: float) -> str:
    """Less than half a ticket away from the mean is no change."""
    if abs(change) < 0.5:
        return "="
    return "▲" if change > 0 else "▼"
