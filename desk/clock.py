"""The business clock: deadlines run only while the desk is open.

Openings are local wall-clock times. Every instant in is aware, every instant out is UTC, spans are measured
between UTC instants: the night of a change to or from summer time has its true length, and two instants of
one time zone are never compared by their wall times alone (PEP 495).
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import holidays

from desk.errors import PolicyError
from desk.policy import DAY, WEEKDAYS, Calendar, Stretch

LONGEST_CLOSURE = 400 * DAY  # a desk that stays shut for so long does not open again


class BusinessClock:
    """The clock of one calendar of the policy; all costs grow with the days passed over, not with minutes.

    Raises PolicyError when the calendar is never open: at once where no weekday is, and when asked where
    holidays and closed days leave nothing of the openings.
    """

    def __init__(self, calendar: Calendar) -> None:
        if not any(calendar.hours.values()):
            raise never_open()
        country = calendar.holidays
        self._calendar = calendar
        self._zone = ZoneInfo(calendar.timezone)
        self._holidays: Container[date] = holidays.country_holidays(country) if country else ()

    def add(self, start: datetime, span: timedelta) -> datetime:
        """The first instant (UTC) at which `span` ≥ 0 of open time has gone since `start`."""
        if not span:
            return start.astimezone(UTC)
        openings, left = self._list_openings(start), span
        opened, shut = next(openings)
        while left > shut - opened:
            left -= shut - opened
            opened, shut = next(openings)
        return opened + left

    def between(self, a: datetime, b: datetime) -> timedelta:
        """Open time from `a` to `b`; negative when `b` comes first."""
        end, gone = b.astimezone(UTC), timedelta(0)
        if end < a.astimezone(UTC):
            return -self.between(b, a)
        for opened, shut in self._list_openings(a):
            if opened >= end:
                break
            gone += min(shut, end) - opened
        return gone

    def is_open(self, at: datetime) -> bool:
        """Whether `at` lies in an opening; the instant of closing does not."""
        return self.next_open(at) == at.astimezone(UTC)

    def next_open(self, at: datetime) -> datetime:
        """The first open instant (UTC) from `at` on."""
        return next(self._list_openings(at))[0]

    def is_quiet(self, at: datetime) -> bool:
        """Whether `at` lies in the quiet hours; the instant of their end does not."""
        quiet, passed = self._calendar.quiet_hours, read_wall(at.astimezone(self._zone))
        if quiet is None:
            return False
        if quiet.start < quiet.end:
            return quiet.start <= passed < quiet.end
        return passed >= quiet.start or passed < quiet.end  # they pass midnight

    def quiet_end(self, at: datetime) -> datetime:
        """The end (UTC) of the quiet hours that `at` lies in; `at` itself where it lies in none."""
        quiet, local = self._calendar.quiet_hours, at.astimezone(self._zone)
        if quiet is None or not self.is_quiet(at):
            return at.astimezone(UTC)
        day = local.date() if read_wall(local) < quiet.end else local.date() + DAY
        return self._find_instant(day, quiet.end, fold=local.fold)

    def _list_openings(self, at: datetime) -> Iterator[tuple[datetime, datetime]]:
        """What is left of each opening from `at` on, in order and without end: opened and shut (UTC)."""
        reached, day = at.astimezone(UTC), at.astimezone(self._zone).date()
        limit = day + LONGEST_CLOSURE
        while day < limit:
            for opened, shut in self._list_day(day):
                if shut > reached:
                    yield max(opened, reached), shut
                    reached, limit = shut, day + LONGEST_CLOSURE
            day += DAY
        raise never_open()

    def _list_day(self, day: date) -> Iterator[tuple[datetime, datetime]]:
        openings: tuple[Stretch, ...] = self._calendar.hours.get(WEEKDAYS[day.weekday()], ())
        if day in self._calendar.closed or day in self._holidays:
            return
        for opening in openings:
            yield self._find_instant(day, opening.start), self._find_instant(day, opening.end)

    def _find_instant(self, day: date, passed: timedelta, fold: int = 0) -> datetime:
        """The instant (UTC) at which local clocks show `passed` since midnight of `day`, up to 24 h."""
        wall = datetime.combine(day, time.min, self._zone) + passed  # wall-clock arithmetic: one time zone
        return wall.replace(fold=fold).astimezone(UTC)


def read_wall(local: datetime) -> timedelta:
    """What the wall clock shows, as time since midnight."""
    return local - datetime.combine(local.date(), time.min, local.tzinfo)


def never_open() -> PolicyError:
    return PolicyError("calendar.hours is never open", remedy="Give at least one opening that no closed day takes.")
