"""Secrets that end by themselves: whether it is time to say so."""

from __future__ import annotations

from datetime import date

WARNED_DAYS = 14


def tell_expiry(last_day: date | None, today: date) -> str:
    """An alarm's code: `expired`, `expires-today`, `expires-in-N-days`; empty while there is nothing to tell."""
    if last_day is None:
        return ""
    days = (last_day - today).days
    if days <= 0:
        return "expires-today" if days == 0 else "expired"
    return f"expires-in-{days}-days" if days < WARNED_DAYS else ""
