"""What verdicts and shadows came to in a span of days."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from prefect import task
from prefect.cache_policies import NO_CACHE

from desk.comparing import Comparison, compare_judges
from desk.periods import range_period
from store.judgings import count_silences, list_pairs
from tasks.guard import guarded
from tasks.opening import open_database, open_policy


@dataclass(frozen=True, slots=True)
class Report:
    """A comparison a shadow, and how often shadows had no usable answer."""

    comparisons: tuple[Comparison, ...]
    silences: int


@task(name="compare classifiers", cache_policy=NO_CACHE)
@guarded("compare classifiers")
def compare_window(start: date, end: date) -> Report:
    """Days of judgement, both included. Raises ConfigurationError when they are the wrong way round."""
    period, engine = range_period(start, end, open_policy().calendar.timezone), open_database()
    pairs = list_pairs(engine, period.start, period.end)
    return Report(compare_judges(pairs), count_silences(engine, period.start, period.end))
