"""When a mailbox is visited again: by its interval, later after a refusal, and not at all before a person has helped.

A login that is refused is never tried again and again: providers lock the account, and then nobody can sign in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

SLOWEST = 8  # the most that an interval is stretched
LEAST_SILENCE = timedelta(minutes=30)  # before anybody is told of a silent mailbox, however short its interval


@dataclass(frozen=True, slots=True)
class Rest:
    """How long a mailbox is left alone after a trouble: `first`, doubled each time in a row up to `longest`.

    `slower`: the server asked for it, so that the interval stays stretched for a while once it lets us in again.
    """

    first: timedelta
    longest: timedelta
    slower: bool = False


# What a person has to mend rests long: saving the block or running the flow by hand ends the rest at once. One look
# a day is left in, because providers refuse good passwords too while they are ill.
STOP = Rest(timedelta(days=1), timedelta(days=1))
ASKED = Rest(timedelta(minutes=15), timedelta(minutes=30), slower=True)
RESTS: Mapping[str, Rest] = {
    "auth": STOP,
    "app-password": STOP,
    "no-passwords": STOP,
    "configuration": Rest(timedelta(hours=1), timedelta(hours=1)),
    "throttled": ASKED,
    "too-many-connections": ASKED,
    "overquota": ASKED,
}


@dataclass(frozen=True, slots=True)
class Pace:
    """How a mailbox is visited at present: its interval, how often in a row visits failed, how much it is stretched."""

    interval: timedelta
    failures: int = 0
    slowness: int = 1


@dataclass(frozen=True, slots=True)
class Next:
    """What follows from a visit; `after` counts from its end."""

    after: timedelta
    failures: int
    slowness: int


def plan_visit(pace: Pace, code: str, *, unfinished: bool = False) -> Next:
    """The next visit. `code` is the error's, empty after a good visit; an unfinished one goes on at once."""
    if not code:
        eased = max(1, pace.slowness // 2)
        return Next(timedelta() if unfinished else pace.interval * eased, 0, eased)
    rest = RESTS.get(code)
    failures = pace.failures + 1
    if rest is None:  # nothing that a pause would mend: as often as ever
        return Next(pace.interval * pace.slowness, failures, pace.slowness)
    slowness = min(SLOWEST, pace.slowness * 2) if rest.slower else pace.slowness
    waited = min(rest.longest, rest.first * 2 ** min(pace.failures, SLOWEST))
    return Next(max(waited, pace.interval * slowness if rest.slower else waited), failures, slowness)


def is_silent(last_good: datetime, interval: timedelta, now: datetime, visits: int) -> bool:
    """Whether a mailbox had no good visit for so many of its intervals."""
    return now - last_good > max(interval * visits, LEAST_SILENCE)
