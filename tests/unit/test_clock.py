"""Deadlines run in open hours only, whatever the season, the holiday or the hour of the night."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desk.clock import BusinessClock
from desk.errors import PolicyError
from desk.policy import WEEKDAYS, Calendar, Weekday

PARIS = ZoneInfo("Europe/Paris")
ZONES = ("Europe/Paris", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo", "Asia/Kathmandu", "UTC")
ALL_DAY = ["00:00-24:00"]
HALF_DAYS = ["08:30-12:30", "13:30-18:00"]
NOTHING = timedelta(0)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


def make_calendar(hours: Mapping[Weekday, list[str]], timezone: str = "Europe/Paris", **more: object) -> Calendar:
    return Calendar.model_validate({"timezone": timezone, "hours": hours, **more})


def make_clock(hours: Mapping[Weekday, list[str]], **more: object) -> BusinessClock:
    return BusinessClock(make_calendar(hours, **more))  # type: ignore[arg-type]


WEEK = make_clock(
    dict.fromkeys(WEEKDAYS[:5], HALF_DAYS),
    holidays="FR",
    closed=["2026-12-24"],
    quiet_hours="20:00-07:00",
)
NIGHT = make_clock(dict.fromkeys(WEEKDAYS, ALL_DAY), quiet_hours="12:00-13:00")


def paris(text: str) -> datetime:
    """A local instant; `!` at the end means the second time in the night when clocks go back."""
    return datetime.fromisoformat(text.rstrip("!")).replace(tzinfo=PARIS, fold=int(text.endswith("!")))


@pytest.mark.parametrize(("start", "hours", "end"), [
    ("2026-11-20 09:00", 2, "2026-11-20 11:00"),
    ("2026-11-20 12:00", 1, "2026-11-20 14:00"),  # over lunch
    ("2026-11-20 12:00", 0.5, "2026-11-20 12:30"),  # up to the last instant before lunch
    ("2026-11-20 12:45", 1, "2026-11-20 14:30"),  # written at lunch
    ("2026-11-20 17:00", 2, "2026-11-23 09:30"),  # over a weekend
    ("2026-11-20 23:59", 1, "2026-11-23 09:30"),
    ("2026-11-20 09:00", 40, "2026-11-26 16:00"),  # 8.5 hours a day
    ("2026-12-23 17:00", 2, "2026-12-28 09:30"),  # over a closed day, Christmas and a weekend
    ("2026-12-31 17:00", 2, "2027-01-04 09:30"),  # over New Year, which is in another year
    ("2027-05-05 17:00", 2, "2027-05-07 09:30"),  # over Ascension Day, which moves
    ("2027-05-07 17:00", 2, "2027-05-10 09:30"),  # over 8 May, a Saturday anyway
    ("2026-07-13 17:00", 2, "2026-07-15 09:30"),  # over 14 July
])  # fmt: skip
def test_a_span_ends_after_so_much_open_time(start: str, hours: float, end: str) -> None:
    assert WEEK.add(paris(start), hours * HOUR) == paris(end).astimezone(UTC)
    assert WEEK.between(paris(start), paris(end)) == hours * HOUR


def test_no_span_ends_where_it_starts_even_when_closed() -> None:
    assert WEEK.add(paris("2026-11-21 10:00"), NOTHING) == paris("2026-11-21 10:00").astimezone(UTC)


@pytest.mark.parametrize(("start", "hours", "end"), [
    ("2026-03-28 20:00", 8, "2026-03-29 05:00"),  # 02:00 to 03:00 does not happen
    ("2026-03-29 01:30", 1, "2026-03-29 03:30"),
    ("2026-10-24 20:00", 8, "2026-10-25 03:00"),  # 02:00 to 03:00 happens twice
    ("2026-10-25 02:30", 1, "2026-10-25 02:30!"),
    ("2026-10-25 02:30!", 1, "2026-10-25 03:30"),
    ("2026-03-28 00:00", 47, "2026-03-30 00:00"),
    ("2026-10-24 00:00", 49, "2026-10-26 00:00"),
    ("2026-10-25 02:30", 0.75, "2026-10-25 02:15!"),  # later, though the wall clock shows less
])  # fmt: skip
def test_a_night_in_which_clocks_change_has_its_true_length(start: str, hours: float, end: str) -> None:
    assert NIGHT.add(paris(start), hours * HOUR) == paris(end).astimezone(UTC)
    assert NIGHT.between(paris(start), paris(end)) == hours * HOUR


def test_openings_around_a_skipped_hour_are_not_counted_twice() -> None:
    clock = make_clock({"sun": ["02:00-02:30", "03:00-04:00"]})
    assert clock.between(paris("2026-03-29 00:00"), paris("2026-03-30 00:00")) == HOUR


def test_quiet_hours_that_end_in_a_repeated_hour_end_after_they_were_asked_for() -> None:
    clock = make_clock({"mon": HALF_DAYS}, quiet_hours="22:00-02:45")
    for asked, end in [("2026-10-25 02:30", "2026-10-25 02:45"), ("2026-10-25 02:30!", "2026-10-25 02:45!")]:
        assert clock.quiet_end(paris(asked)) == paris(end).astimezone(UTC)


def test_an_opening_keeps_its_wall_clock_time_over_a_change() -> None:
    friday, monday = paris("2026-03-27 17:00"), paris("2026-03-30 09:30")
    assert WEEK.add(friday, 2 * HOUR) == monday.astimezone(UTC)
    assert monday.utcoffset() != friday.utcoffset()


@pytest.mark.parametrize(("at", "is_open", "next_open"), [
    ("2026-11-20 08:29:59", False, "2026-11-20 08:30"),
    ("2026-11-20 08:30", True, "2026-11-20 08:30"),
    ("2026-11-20 12:29:59", True, "2026-11-20 12:29:59"),
    ("2026-11-20 12:30", False, "2026-11-20 13:30"),
    ("2026-11-20 18:00", False, "2026-11-23 08:30"),
    ("2026-11-11 10:00", False, "2026-11-12 08:30"),  # Armistice Day
    ("2026-12-24 10:00", False, "2026-12-28 08:30"),
])  # fmt: skip
def test_the_desk_is_open_from_the_first_instant_to_before_the_last(at: str, is_open: bool, next_open: str) -> None:
    assert WEEK.is_open(paris(at)) is is_open
    assert WEEK.next_open(paris(at)) == paris(next_open).astimezone(UTC)


def test_without_a_country_holidays_are_days_like_others() -> None:
    clock = make_clock(dict.fromkeys(WEEKDAYS, HALF_DAYS))
    assert clock.is_open(paris("2026-12-25 10:00"))


@pytest.mark.parametrize(("at", "end"), [
    ("2026-11-20 19:59", ""),
    ("2026-11-20 20:00", "2026-11-21 07:00"),
    ("2026-11-20 23:00", "2026-11-21 07:00"),
    ("2026-11-21 00:00", "2026-11-21 07:00"),
    ("2026-11-21 06:59:59", "2026-11-21 07:00"),
    ("2026-11-21 07:00", ""),
    ("2026-03-28 23:00", "2026-03-29 07:00"),
    ("2026-10-25 02:30!", "2026-10-25 07:00"),
    ("2026-12-31 22:00", "2027-01-01 07:00"),
])  # fmt: skip
def test_quiet_hours_pass_midnight(at: str, end: str) -> None:
    assert WEEK.is_quiet(paris(at)) is bool(end)
    assert WEEK.quiet_end(paris(at)) == paris(end or at).astimezone(UTC)


@pytest.mark.parametrize(("at", "end"), [
    ("2026-11-20 11:59", ""), ("2026-11-20 12:00", "2026-11-20 13:00"), ("2026-11-20 13:00", "")
])  # fmt: skip
def test_quiet_hours_may_lie_within_a_day(at: str, end: str) -> None:
    assert NIGHT.is_quiet(paris(at)) is bool(end)
    assert NIGHT.quiet_end(paris(at)) == paris(end or at).astimezone(UTC)


def test_without_quiet_hours_it_is_never_quiet() -> None:
    clock = make_clock({"mon": HALF_DAYS}, quiet_hours="")
    assert not clock.is_quiet(paris("2026-11-20 03:00"))
    assert clock.quiet_end(paris("2026-11-20 03:00")) == paris("2026-11-20 03:00").astimezone(UTC)


@pytest.mark.parametrize("hours", [{}, {"mon": []}])
def test_a_clock_that_never_opens_is_refused(hours: dict[Weekday, list[str]]) -> None:
    with pytest.raises(PolicyError, match="never open"):
        make_clock(hours)


def test_a_clock_whose_openings_are_all_closed_says_so_instead_of_searching_for_ever() -> None:
    mondays = [date(2026, 1, 5) + timedelta(weeks=week) for week in range(200)]
    clock = make_clock({"mon": HALF_DAYS}, closed=mondays)
    with pytest.raises(PolicyError, match="never open"):
        clock.next_open(paris("2026-01-04 10:00"))


# --- whatever the calendar ----------------------------------------------------------------------------------


def write_openings(marks: set[int]) -> list[str]:
    """Quarters of an hour since midnight, two by two."""
    walls = [f"{mark // 4:02}:{mark % 4 * 15:02}" for mark in sorted(marks)]
    return [f"{start}-{end}" for start, end in zip(walls[::2], walls[1::2], strict=False)]


def some_openings(earliest: int = 0) -> st.SearchStrategy[list[str]]:
    return st.sets(st.integers(earliest * 4, 96), min_size=2, max_size=6).map(write_openings)


def some_calendars(earliest: int = 0, countries: tuple[str, ...] = ("", "FR")) -> st.SearchStrategy[Calendar]:
    return st.builds(
        make_calendar,
        st.dictionaries(st.sampled_from(WEEKDAYS), some_openings(earliest), min_size=1),
        st.sampled_from(ZONES),
        holidays=st.sampled_from(countries),
    )


CLOCKS = some_calendars().map(BusinessClock)
BY_DAY = some_calendars(earliest=4, countries=("",))  # clear of the hours that a night may skip or repeat


SPANS = st.timedeltas(NOTHING, 60 * HOUR)
INSTANTS = st.datetimes(
    datetime(2025, 9, 1),  # noqa: DTZ001 - hypothesis wants them naive and adds the zone
    datetime(2027, 5, 1),  # noqa: DTZ001
    timezones=st.sampled_from([ZoneInfo(name) for name in ZONES]),
)


@given(CLOCKS, INSTANTS, SPANS)
@settings(deadline=None)
def test_between_takes_back_what_add_has_added(clock: BusinessClock, start: datetime, span: timedelta) -> None:
    assert clock.between(start, clock.add(start, span)) == span


@given(CLOCKS, INSTANTS, INSTANTS, SPANS)
@settings(deadline=None)
def test_who_starts_later_ends_no_earlier(
    clock: BusinessClock, one: datetime, other: datetime, span: timedelta
) -> None:
    early, late = sorted([one.astimezone(UTC), other.astimezone(UTC)])
    assert clock.add(early, span) <= clock.add(late, span)


@given(CLOCKS, INSTANTS, SPANS, SPANS)
@settings(deadline=None)
def test_two_spans_one_after_the_other_are_their_sum(
    clock: BusinessClock, start: datetime, first: timedelta, second: timedelta
) -> None:
    assert clock.add(clock.add(start, first), second) == clock.add(start, first + second)


@given(CLOCKS, st.lists(INSTANTS, min_size=3, max_size=3))
@settings(deadline=None)
def test_open_time_adds_up_in_both_directions(clock: BusinessClock, instants: list[datetime]) -> None:
    a, b, c = instants
    assert clock.between(a, b) + clock.between(b, c) == clock.between(a, c)


@given(CLOCKS, INSTANTS)
@settings(deadline=None)
def test_the_next_opening_is_open_and_nothing_before_it_counts(clock: BusinessClock, at: datetime) -> None:
    opening = clock.next_open(at)
    assert clock.is_open(opening)
    assert clock.between(at, opening) == NOTHING


@given(BY_DAY, INSTANTS)
@settings(deadline=None)
def test_the_desk_is_open_where_the_wall_clock_shows_an_opening(calendar: Calendar, at: datetime) -> None:
    assert BusinessClock(calendar).is_open(at) == shows_opening(calendar, at)


@given(BY_DAY, INSTANTS, st.integers(0, 3000))
@settings(deadline=None, max_examples=50)
def test_open_time_is_what_one_counts_minute_by_minute(calendar: Calendar, at: datetime, minutes: int) -> None:
    start = at.astimezone(UTC).replace(second=0, microsecond=0)
    counted = sum(shows_opening(calendar, start + minute * MINUTE) for minute in range(minutes))
    assert BusinessClock(calendar).between(start, start + minutes * MINUTE) == counted * MINUTE


def shows_opening(calendar: Calendar, at: datetime) -> bool:
    local = at.astimezone(ZoneInfo(calendar.timezone))
    passed = local.replace(tzinfo=None) - datetime.combine(local.date(), time.min)
    openings = calendar.hours.get(WEEKDAYS[local.weekday()], ())
    return any(opening.start <= passed < opening.end for opening in openings)


@given(INSTANTS, st.sampled_from(ZONES), st.lists(st.integers(0, 95), min_size=2, max_size=2, unique=True))
@settings(deadline=None)
def test_the_end_of_quiet_hours_is_not_quiet(at: datetime, timezone: str, marks: list[int]) -> None:
    start, end = (f"{mark // 4:02}:{mark % 4 * 15:02}" for mark in marks)
    clock = make_clock({"mon": HALF_DAYS}, timezone=timezone, quiet_hours=f"{start}-{end}")
    assert clock.quiet_end(at) >= at.astimezone(UTC)
    assert not clock.is_quiet(clock.quiet_end(at))
