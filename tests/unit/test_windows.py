"""What a backfill is about, and whom it may answer."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from desk.backfill import Window, choose_arrival
from desk.errors import ConfigurationError
from desk.facts import Arrival

NOW = datetime(2026, 11, 17, 9, 0, tzinfo=UTC)
FIRST, LAST = date(2026, 11, 3), date(2026, 11, 5)
PARIS = "Europe/Paris"


@pytest.mark.parametrize(
    ("moment", "first", "last", "held"),
    [
        ("2026-11-02T22:59:59", FIRST, LAST, False),
        ("2026-11-02T23:00:00", FIRST, LAST, True),  # midnight in Paris
        ("2026-11-05T22:59:59", FIRST, LAST, True),
        ("2026-11-05T23:00:00", FIRST, LAST, False),
        ("2026-11-05T23:00:00", FIRST, None, True),
        ("1999-01-01T00:00:00", None, LAST, True),
        ("1999-01-01T00:00:00", None, None, True),
    ],
)
def test_a_window_holds_whole_local_days_both_included(
    moment: str, first: date | None, last: date | None, held: bool
) -> None:
    assert Window(first, last, PARIS).holds(datetime.fromisoformat(moment).replace(tzinfo=UTC)) is held


@pytest.mark.parametrize(
    ("first", "last", "criteria"),
    [
        (None, None, ["ALL"]),
        (FIRST, None, ["SINCE", FIRST]),
        (None, LAST, ["BEFORE", date(2026, 11, 6)]),
        (FIRST, LAST, ["SINCE", FIRST, "BEFORE", date(2026, 11, 6)]),
    ],
)
def test_a_window_searches_up_to_the_day_after_its_last(
    first: date | None, last: date | None, criteria: list[object]
) -> None:
    assert Window(first, last, PARIS).search() == criteria


def test_a_window_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="before the first"):
        Window(LAST, FIRST, PARIS)


@pytest.mark.parametrize(
    ("age", "replies", "arrival"),
    [
        (timedelta(days=3), True, Arrival.LIVE),
        (timedelta(days=3, seconds=1), True, Arrival.BACKFILL),
        (timedelta(0), False, Arrival.BACKFILL),
    ],
)
def test_only_young_mail_is_answered_and_only_when_asked_for(age: timedelta, replies: bool, arrival: Arrival) -> None:
    assert choose_arrival(NOW - age, replies, timedelta(days=3), NOW) is arrival
