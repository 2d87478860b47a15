"""What a digest is about: whole local days, told as two aware UTC instants."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from desk.errors import ConfigurationError, PolicyError

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Period:
    """From `start` (included) to `end` (excluded): aware UTC, local midnights of `timezone` (IANA name)."""

    start: datetime
    end: datetime
    label: str  # YYYY-MM-DD, or YYYY-MM-DD…YYYY-MM-DD with the last day included
    timezone: str


def last_period(frequency: str, weekday: str, timezone: str, now: datetime) -> Period | None:
    """The last period that is over at `now`: None when `frequency` is on_demand.

    daily: yesterday. weekly: the seven days before the last `weekday` (mon … sun; today counts).
    Raises PolicyError on any other frequency or weekday.
    """
    today = now.astimezone(ZoneInfo(timezone)).date()
    match frequency:
        case "on_demand":
            return None
        case "daily":
            return range_period(today - DAY, today - DAY, timezone)
        case "weekly":
            end = _last_weekday(today, weekday)
            return range_period(end - 7 * DAY, end - DAY, timezone)
    raise PolicyError("a digest's frequency is daily, weekly or on_demand")


def range_period(first_day: date, last_day: date, timezone: str) -> Period:
    """Whole local days, both included. Raises ConfigurationError when they are the wrong way round."""
    if last_day < first_day:
        raise ConfigurationError("the last day comes before the first")
    start, end = _find_midnight(first_day, timezone), _find_midnight(last_day + DAY, timezone)
    return Period(start, end, label_days(start, end, timezone), timezone)


def weeks_before(period: Period, n: int = 4) -> tuple[Period, ...]:
    """The `n` periods to compare with, oldest first: as many days, the same weekdays, none overlapping.

    A Monday is compared with Mondays, a week with weeks, thirty days with thirty days five weeks earlier.
    """
    first, last = _list_bounds(period.start, period.end, period.timezone)
    step = 7 * DAY * -(-((last - first).days + 1) // 7)
    return tuple(range_period(first - k * step, last - k * step, period.timezone) for k in range(n, 0, -1))


def label_days(start: datetime, end: datetime, timezone: str) -> str:
    """YYYY-MM-DD for one local day, YYYY-MM-DD…YYYY-MM-DD (last day included) for more."""
    first, last = _list_bounds(start, end, timezone)
    return f"{first}" if first == last else f"{first}…{last}"


def _list_bounds(start: datetime, end: datetime, timezone: str) -> tuple[date, date]:
    zone = ZoneInfo(timezone)
    last_instant = end - datetime.resolution  # the end itself is excluded
    return start.astimezone(zone).date(), last_instant.astimezone(zone).date()


def _last_weekday(today: date, weekday: str) -> date:
    if weekday not in WEEKDAYS:
        raise PolicyError("a weekly digest's weekday is one of " + ", ".join(WEEKDAYS))
    return today - DAY * ((today.weekday() - WEEKDAYS.index(weekday)) % 7)


def _find_midnight(day: date, timezone: str) -> datetime:
    """Where clocks skip midnight (Beirut in March) fold=0 names the very instant of the change (PEP 495)."""
    return datetime.combine(day, time(), ZoneInfo(timezone)).astimezone(UTC)
