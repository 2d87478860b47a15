"""When a mailbox is visited again, and when its silence is told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from desk.visits import SLOWEST, Next, Pace, is_silent, plan_visit

FIVE = timedelta(minutes=5)
NOW = datetime(2026, 11, 17, 9, 0, tzinfo=UTC)


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


def test_a_good_visit_is_followed_by_the_next_after_the_interval() -> None:
    assert plan_visit(Pace(FIVE), "") == Next(FIVE, 0, 1)


def test_an_unfinished_visit_goes_on_at_once() -> None:
    assert plan_visit(Pace(FIVE), "", unfinished=True).after == timedelta()


@pytest.mark.parametrize("code", ["network", "protocol", "incident"])
def test_a_server_that_is_down_is_looked_at_as_often_as_ever(code: str) -> None:
    assert [plan_visit(Pace(FIVE, failures), code).after for failures in range(4)] == [FIVE] * 4


@pytest.mark.parametrize("code", ["auth", "app-password", "no-passwords"])
def test_a_refused_sign_in_waits_for_a_person(code: str) -> None:
    assert plan_visit(Pace(FIVE), code).after == timedelta(days=1)


@pytest.mark.parametrize("code", ["throttled", "too-many-connections", "overquota"])
def test_a_server_that_asks_for_a_pause_gets_a_quarter_of_an_hour_then_half_of_one(code: str) -> None:
    assert [plan_visit(Pace(FIVE, failures), code).after for failures in range(4)] == [minutes(15), *[minutes(30)] * 3]


def test_after_a_pause_the_mailbox_is_visited_slower_and_step_by_step_as_before() -> None:
    pace, seen = Pace(FIVE), []
    for code in ("throttled", "throttled", "", "", "", ""):
        following = plan_visit(pace, code)
        seen.append(following.after)
        pace = Pace(FIVE, following.failures, following.slowness)
    assert seen == [minutes(15), minutes(30), minutes(10), FIVE, FIVE, FIVE]


def test_nothing_is_stretched_for_ever() -> None:
    assert plan_visit(Pace(FIVE, 20, SLOWEST), "throttled").slowness == SLOWEST


def test_an_interval_longer_than_the_pause_stays() -> None:
    assert plan_visit(Pace(minutes(60)), "throttled").after == minutes(120)


@pytest.mark.parametrize(
    ("good_ago", "interval", "silent"),
    [(29, 5, False), (31, 5, True), (31, 2, True), (29, 2, False), (119, 20, False), (121, 20, True)],
)
def test_silence_is_told_after_six_intervals_and_never_before_half_an_hour(
    good_ago: int, interval: int, silent: bool
) -> None:
    assert is_silent(NOW - minutes(good_ago), minutes(interval), NOW, visits=6) is silent
