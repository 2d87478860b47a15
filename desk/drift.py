"""How far people agree with the verdicts, week by week, and which category has more tickets than usual."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import sqrt
from zoneinfo import ZoneInfo

from desk.corrections import RELABELLED, Kind

DAY = timedelta(days=1)
WINDOWS = 28  # days that a day is compared with
SPAN = (WINDOWS + 1) * DAY  # of tickets that are looked at
LEAST_WINDOWS = 7  # a younger desk has no habits yet
SIGMAS, SPARE = 3.0, 3.0  # of a count that varies as chance has it (Poisson), and for categories that are nearly empty


@dataclass(frozen=True, slots=True)
class Judged:
    """A verdict: when, and the category that the desk had for the mail."""

    message_id: int
    at: datetime
    category: str


@dataclass(frozen=True, slots=True)
class Corrected:
    """What a person did with it."""

    message_id: int
    kind: str


@dataclass(frozen=True, slots=True)
class DriftRow:
    """A category's verdicts of one week (ISO 8601, 2026-W47) and what people made of them; `share` is 0…1."""

    week: str
    category: str
    verdicts: int
    corrected: int  # to another category
    rewritten: int  # another letter was written than the draft
    share: float  # of the verdicts that were corrected


@dataclass(frozen=True, slots=True)
class Spike:
    """A category whose tickets of the last 24 hours are more than its last four weeks let expect."""

    category: str
    count: int
    usual: float  # a day


def count_drift(verdicts: Iterable[Judged], corrections: Iterable[Corrected], timezone: str) -> tuple[DriftRow, ...]:
    """The latest week first. Corrections count in the week of their verdict, whenever they were made."""
    done: defaultdict[int, set[str]] = defaultdict(set)
    for one in corrections:
        done[one.message_id].add(one.kind)
    groups: defaultdict[tuple[str, str], list[set[str]]] = defaultdict(list)
    for verdict in verdicts:
        groups[tell_week(verdict.at, timezone), verdict.category].append(done[verdict.message_id])
    rows = [_count_row(week, category, kinds) for (week, category), kinds in sorted(groups.items())]
    return tuple(sorted(rows, key=lambda row: row.week, reverse=True))


def _count_row(week: str, category: str, kinds: Sequence[set[str]]) -> DriftRow:
    corrected = sum(not one.isdisjoint(RELABELLED) for one in kinds)
    rewritten = sum(Kind.REWRITTEN in one for one in kinds)
    return DriftRow(week, category, len(kinds), corrected, rewritten, round(corrected / len(kinds), 4))


def tell_week(at: datetime, timezone: str) -> str:
    """ISO 8601 week of the local day."""
    year, week, _ = at.astimezone(ZoneInfo(timezone)).isocalendar()
    return f"{year}-W{week:02}"


def begin_weeks(now: datetime, weeks: int, timezone: str) -> datetime:
    """Local midnight of the Monday with which the last `weeks` begin, the current one included."""
    today = now.astimezone(ZoneInfo(timezone)).replace(hour=0, minute=0, second=0, microsecond=0)
    return today - timedelta(days=today.weekday(), weeks=weeks - 1)


def find_spikes(opened: Iterable[tuple[str, datetime]], now: datetime) -> tuple[Spike, ...]:
    """Categories with more tickets (category, opened at) in the 24 hours before `now` than chance explains, judged by
    the days before; the strongest first. A desk of less than a week has none.
    """
    ages = [(category, (now - at) // DAY) for category, at in opened if at <= now]
    windows = min(max((age for _, age in ages), default=0), WINDOWS)
    if windows < LEAST_WINDOWS:
        return ()
    today = Counter(category for category, age in ages if age == 0)
    before = Counter(category for category, age in ages if 1 <= age <= windows)
    usual = {category: before[category] / windows for category in today}
    spikes = [Spike(one, today[one], round(usual[one], 2)) for one in today if today[one] > bound_count(usual[one])]
    return tuple(sorted(spikes, key=lambda one: (one.usual - one.count, one.category)))


def bound_count(usual: float) -> float:
    """The most that chance explains: mean + 3 √mean + 3."""
    return usual + SIGMAS * sqrt(usual) + SPARE
