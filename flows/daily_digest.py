"""Tell each reader what happened, as mail and spreadsheet."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from desk.errors import ConfigurationError
from desk.periods import Period, range_period
from flows.classify_and_reply import drain_sending
from flows.shared import At, end_partial, end_well, show_table
from tasks.digesting import find_reader, make_digest
from tasks.guard import guarded
from tasks.opening import open_policy


@flow(name="daily-digest")
@guarded("daily-digest")
def daily_digest(
    readers: list[str] = [],  # noqa: B006 - Prefect shows it in the form and never changes it
    first_day: date | None = None,
    last_day: date | None = None,
    at: At = None,
) -> State[Any]:
    """A digest per reader and period, once, whatever is run again.

    Args:
        readers: Names from policy.yaml. Empty: every reader, each for the last period of their own that is over.
        first_day: With a last day: a digest of this range of days.
        last_day: The last day of the range, included; it must be over.
        at: Rehearsal: decide as if it were this moment. Empty: now.
    """
    policy = open_policy()
    period = choose_period(first_day, last_day, policy.calendar.timezone, at or datetime.now(UTC))
    names = [find_reader(policy, name).name for name in readers] or [one.name for one in policy.digest.readers]
    done = [make_digest(name, at, period) for name in names]
    made = [one for one in done if one.made]
    if made:
        show_table("digest", [{"reader": one.reader, **one.figures} for one in made], "Figures of the digests made")
    sent = drain_sending(at)
    down = next((count.error_code for count in sent if count.error_code), "")
    said = f"Digests made: {len(made)}; there already or not due: {len(done) - len(made)}"
    return end_partial(f"{said}; SMTP: {down}") if down else end_well(said)


def choose_period(first_day: date | None, last_day: date | None, timezone: str, now: datetime) -> Period | None:
    """The range asked for; None for each reader's own. Raises ConfigurationError when an end is missing or to come.

    A digest is made once: one of a day that is not over would take the place of that day's own.
    """
    if first_day is None and last_day is None:
        return None
    if first_day is None or last_day is None:
        raise ConfigurationError("a range needs a first and a last day")
    period = range_period(first_day, last_day, timezone)
    if period.end > now:
        raise ConfigurationError("the range is not over yet", remedy="Choose a last day that is.")
    return period
