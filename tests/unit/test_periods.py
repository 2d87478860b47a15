"""Periods are whole local days, whatever the clocks do."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk.errors import ConfigurationError, PolicyError
from desk.periods import Period, last_period, range_period, weeks_before

PARIS = "Europe/Paris"
FRIDAY = datetime(2026, 11, 20, 6, 0, tzinfo=UTC)


def read_utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("frequency", "weekday", "now", "start", "end", "label"),
    [
        ("daily", "", "2026-11-20T06:00", "2026-11-18T23:00", "2026-11-19T23:00", "2026-11-19"),
        ("daily", "", "2026-11-19T23:00", "2026-11-18T23:00", "2026-11-19T23:00", "2026-11-19"),
        ("daily", "", "2026-11-19T22:59", "2026-11-17T23:00", "2026-11-18T23:00", "2026-11-18"),
        ("daily", "", "2026-03-30T05:00", "2026-03-28T23:00", "2026-03-29T22:00", "2026-03-29"),
        ("daily", "", "2026-10-26T06:00", "2026-10-24T22:00", "2026-10-25T23:00", "2026-10-25"),
        (
            "weekly",
            "mon",
            "2026-11-20T06:00",
            "2026-11-08T23:00",
            "2026-11-15T23:00",
            "2026-11-09…2026-11-15",
        ),
        (
            "weekly",
            "fri",
            "2026-11-20T06:00",
            "2026-11-12T23:00",
            "2026-11-19T23:00",
            "2026-11-13…2026-11-19",
        ),
        (
            "weekly",
            "sat",
            "2026-11-20T06:00",
            "2026-11-06T23:00",
            "2026-11-13T23:00",
            "2026-11-07…2026-11-13",
        ),
        (
            "weekly",
            "mon",
            "2026-10-26T06:00",
            "2026-10-18T22:00",
            "2026-10-25T23:00",
            "2026-10-19…2026-10-25",
        ),
    ],
    ids=[
        "yesterday",
        "at midnight the day is over",
        "a minute before midnight it is not",
        "a day of 23 hours",
        "a day of 25 hours",
        "the week before last Monday",
        "today's weekday counts",
        "tomorrow's weekday was last week",
        "a week with a change of clocks",
    ],
)
def test_the_last_period_is_over_and_starts_at_local_midnight(
    frequency: str, weekday: str, now: str, start: str, end: str, label: str
) -> None:
    expected = Period(read_utc(start), read_utc(end), label, PARIS)
    assert last_period(frequency, weekday, PARIS, read_utc(now)) == expected


def test_a_day_begins_when_the_clocks_skip_midnight() -> None:
    day = range_period(date(2026, 3, 29), date(2026, 3, 29), "Asia/Beirut")
    assert (day.start, day.end - day.start) == (datetime(2026, 3, 28, 22, tzinfo=UTC), timedelta(hours=23))
    assert day.label == "2026-03-29"


def test_a_reader_on_demand_has_no_last_period() -> None:
    assert last_period("on_demand", "", PARIS, FRIDAY) is None


@pytest.mark.parametrize(("frequency", "weekday"), [("hourly", ""), ("", ""), ("weekly", ""), ("weekly", "monday")])
def test_an_unknown_frequency_or_weekday_is_an_error_of_the_policy(frequency: str, weekday: str) -> None:
    with pytest.raises(PolicyError):
        last_period(frequency, weekday, PARIS, FRIDAY)


def test_a_range_holds_its_last_day() -> None:
    month = range_period(date(2026, 10, 1), date(2026, 10, 31), PARIS)
    assert month.start == datetime(2026, 9, 30, 22, tzinfo=UTC)
    assert month.end == datetime(2026, 10, 31, 23, tzinfo=UTC)
    assert month.label == "2026-10-01…2026-10-31"


def test_a_range_the_wrong_way_round_is_refused() -> None:
    with pytest.raises(ConfigurationError):
        range_period(date(2026, 10, 2), date(2026, 10, 1), PARIS)


@pytest.mark.parametrize(
    ("first", "last", "labels"),
    [
        (date(2026, 11, 19), date(2026, 11, 19), ("2026-10-22", "2026-10-29", "2026-11-05", "2026-11-12")),
        (
            date(2026, 11, 9),
            date(2026, 11, 15),
            (
                "2026-10-12…2026-10-18",
                "2026-10-19…2026-10-25",
                "2026-10-26…2026-11-01",
                "2026-11-02…2026-11-08",
            ),
        ),
    ],
    ids=["a Thursday with Thursdays", "a week with weeks"],
)
def test_the_trend_compares_with_the_four_before(first: date, last: date, labels: tuple[str, ...]) -> None:
    assert tuple(each.label for each in weeks_before(range_period(first, last, PARIS))) == labels


def test_periods_before_keep_local_midnight_across_a_change_of_clocks() -> None:
    (before,) = weeks_before(range_period(date(2026, 11, 1), date(2026, 11, 1), PARIS), 1)
    assert (before.start, before.end - before.start) == (
        datetime(2026, 10, 24, 22, tzinfo=UTC),
        timedelta(hours=25),
    )


@given(
    first=st.dates(date(2000, 1, 1), date(2090, 1, 1)),
    days=st.integers(1, 100),
    timezone=st.sampled_from([PARIS, "America/New_York", "Asia/Beirut", "Pacific/Auckland"]),
)
def test_periods_before_never_overlap_and_keep_their_days(first: date, days: int, timezone: str) -> None:
    period = range_period(first, first + timedelta(days=days - 1), timezone)
    row = (*weeks_before(period), period)
    firsts = [date.fromisoformat(each.label[:10]) for each in row]
    lasts = [date.fromisoformat(each.label[-10:]) for each in row]
    assert all(earlier.end <= later.start for earlier, later in pairwise(row))
    assert {each.weekday() for each in firsts} == {first.weekday()}
    assert {(b - a).days + 1 for a, b in zip(firsts, lasts, strict=True)} == {days}
