"""Dates as people say them, in the languages of the letters; no locale of the machine is asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from desk.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Speech:
    """How a language says an instant; `days` start on Monday, `first` is said for the 1 of a month."""

    days: tuple[str, ...]
    months: tuple[str, ...]
    first: str
    moment: str
    zone: str


SPEECH: Mapping[str, Speech] = {
    "fr": Speech(
        days=("lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche"),
        months=("janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre",
                "octobre", "novembre", "décembre"),
        first="1er",
        moment="{day} à {hour} h {minute:02}",
        zone="heure de {place}",
    ),
    "en": Speech(
        days=("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
        months=("January", "February", "March", "April", "May", "June", "July", "August", "September",
                "October", "November", "December"),
        first="1",
        moment="{day} at {hour:02}:{minute:02}",
        zone="{place} time",
    ),
}  # fmt: skip


def say_day(day: date, language: str) -> str:
    """'mardi 17 novembre 2026', 'Tuesday 17 November 2026'; ConfigurationError for an unknown language."""
    speech = _find_speech(language)
    number = speech.first if day.day == 1 else str(day.day)
    return f"{speech.days[day.weekday()]} {number} {speech.months[day.month - 1]} {day.year}"


def say_date(written: str, language: str) -> str:
    """A day as fields write it, ISO 8601 or without a year (RFC 6350 §4.3.1): "--11-24" is '24 novembre'; anything
    else stays as it is.
    """
    yearless = written.startswith("--")
    try:
        day = date.fromisoformat(f"2000{written[1:]}" if yearless else written)
    except ValueError:
        return written
    said = say_day(day, language)
    return said.split(" ", 1)[1].rpartition(" ")[0] if yearless else said


def say_moment(moment: datetime, language: str, timezone: str) -> str:
    """'mardi 17 novembre 2026 à 11 h 30': an aware `moment` on the clocks of the IANA zone `timezone`."""
    if moment.tzinfo is None:
        raise ConfigurationError("a letter was given an instant without a time zone")
    local = moment.astimezone(ZoneInfo(timezone))
    day = say_day(local, language)
    return _find_speech(language).moment.format(day=day, hour=local.hour, minute=local.minute)


def say_zone(timezone: str, language: str) -> str:
    """'heure de Paris', 'Paris time': the place named by an IANA zone."""
    place = timezone.rpartition("/")[2].replace("_", " ")
    return "UTC" if place == "UTC" else _find_speech(language).zone.format(place=place)


def say_span(span: timedelta) -> str:
    """'45 min', '2 h 05', '76 h 00': the length of `span`, its sign left out; the same in every language."""
    hours, minutes = divmod(round(abs(span).total_seconds() / 60), 60)
    return f"{hours} h {minutes:02}" if hours else f"{minutes} min"


def _find_speech(language: str) -> Speech:
    if language not in SPEECH:
        raise ConfigurationError(f"letters have no dates in the language {language!r}")
    return SPEECH[language]
