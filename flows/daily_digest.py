"""Tell each reader what happened, as mail and spreadsheet."""

from __future__ import annotations

from datetime import date
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
        last_day: The last day of the range, included.
        at: Rehearsal: decide as if it were this moment. Empty: now.
    """
    policy = open_policy()
    period = choose_period(first_day, last_day, policy.calendar.timezone)
    names = [find_reader(policy, name).name for name in readers] or [one.name for one in policy.digest.readers]
    done = [make_digest(name, at, period) for name in names]
    made = [one for one in done if one.made]
    if made:
        show_table("digest", [{"reader": one.reader, **one.figures} for one in made], "Figures of the digests made")
    sent = drain_sending()
    down = next((count.error_code for count in sent if count.error_code), "")
    said = f"{len(made)} digests made, {len(done) - len(made)} there already or not due"
    return end_partial(f"{said}; SMTP: {down}") if down else end_well(said)


def choose_period(first_day: date | None, last_day: date | None, timezone: str) -> Period | None:
    """The range asked for; None for each reader's own. Raises ConfigurationError when only one end is given."""
    if first_day is None and last_day is None:
        return None
    if first_day is None or last_day is None:
        raise ConfigurationError("a range needs a first and a last day")
    return range_period(first_day, last_day, timezone)
