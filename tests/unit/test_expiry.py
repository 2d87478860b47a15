"""When a secret's end is spoken of."""

from __future__ import annotations

from datetime import date

import pytest

from desk.expiry import tell_expiry

TODAY = date(2026, 11, 20)

ENDS = [
    (None, ""),
    (date(2026, 12, 4), ""),
    (date(2026, 12, 3), "expires-in-13-days"),
    (date(2026, 11, 21), "expires-in-1-days"),
    (date(2026, 11, 20), "expires-today"),
    (date(2026, 11, 19), "expired"),
]


@pytest.mark.parametrize(("last_day", "told"), ENDS)
def test_fewer_than_fourteen_days_are_told_day_by_day(last_day: date | None, told: str) -> None:
    assert tell_expiry(last_day, TODAY) == told
