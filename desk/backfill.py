"""What a backfill decides: which mails it is about, and whether one of them may still be answered."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from desk.errors import ConfigurationError
from desk.facts import Arrival

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Window:
    """Days of arrival, both included; None: open at that end. `timezone` is an IANA name."""

    first_day: date | None
    last_day: date | None
    timezone: str

    def __post_init__(self) -> None:
        """Raises ConfigurationError when the days are the wrong way round."""
        if self.first_day and self.last_day and self.last_day < self.first_day:
            raise ConfigurationError("the last day comes before the first")

    def holds(self, received_at: datetime) -> bool:
        day = received_at.astimezone(ZoneInfo(self.timezone)).date()
        return (self.first_day or day) <= day <= (self.last_day or day)

    def search(self) -> list[str | date]:
        """As an IMAP SEARCH on INTERNALDATE, whose days are the server's own (RFC 3501 §6.4.4)."""
        since: list[str | date] = ["SINCE", self.first_day] if self.first_day else []
        before: list[str | date] = ["BEFORE", self.last_day + DAY] if self.last_day else []
        return [*since, *before] or ["ALL"]


def choose_arrival(received_at: datetime, replies: bool, answer_within: timedelta, now: datetime) -> Arrival:
    """Live only if replies are asked for and the mail is young enough to be answered: else nobody is written to."""
    return Arrival.LIVE if replies and now - received_at <= answer_within else Arrival.BACKFILL
