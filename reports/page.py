"""A digest as titled tables of ready words: the slots of the letter `digest`."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from typing import Any

from reports.digest import Digest, Spread, Tally
from reports.words import pick_words

FIGURES = ("new", "answered", "waiting", "late", "escalated")
TYPES = (*FIGURES, "categories", "teams", "organisations", "times", "bounces", "quarantine", "trend", "articles")
ROWS_SHOWN = 20  # of a mail's table; the workbook has them all

Words = dict[str, str]
Rows = list[list[str]]


def digest_slots(
    digest: Digest, language: str, types: Collection[str], organisation_name: str, *, chart_cid: str = ""
) -> dict[str, Any]:
    """Slots of the letter `digest`, every cell a string.

    {title, period_label, headline, sections: [{title, columns, rows}], chart_cid, empty}. `types` picks
    from TYPES, whose order it keeps; none means all. `chart_cid` is the Content-ID of the chart (RFC 2392),
    left empty when nothing is to be shown.
    """
    words, chosen = pick_words(language), [each for each in TYPES if not types or each in types]
    sections = _list_sections(digest, words, chosen)
    empty = digest.is_empty or not _says_something(digest, chosen, sections)
    return {
        "title": f"{words['title']} — {organisation_name}",
        "period_label": digest.label,
        "headline": words["nothing"] if empty else _write_headline(digest, words, chosen),
        "sections": [] if empty else sections,
        "chart_cid": "" if empty else chart_cid,
        "empty": empty,
    }


def _list_sections(digest: Digest, words: Words, chosen: list[str]) -> list[dict[str, Any]]:
    """A table read from top to bottom: what, when asked for, how. Sections without rows are left out."""
    table: tuple[tuple[str, bool, list[str], Callable[[], Rows]], ...] = (
        ("overview", True, ["figure", "count"], partial(_list_figures, digest, words, chosen)),
        (
            "trend",
            "trend" in chosen,
            ["figure", "current", "mean", "arrow"],
            partial(_list_trend, digest, words),
        ),
        (
            "categories",
            "categories" in chosen,
            ["category", *FIGURES],
            partial(_list_tallies, digest.by_category),
        ),
        (
            "spikes",
            "categories" in chosen or "new" in chosen,
            ["category", "count", "usual"],
            partial(_list_spikes, digest, words),
        ),
        ("teams", "teams" in chosen, ["team", *FIGURES], partial(_list_tallies, digest.by_team)),
        (
            "organisations",
            "organisations" in chosen,
            ["organisation", *FIGURES],
            partial(_list_tallies, digest.by_organisation),
        ),
        (
            "times",
            "times" in chosen,
            ["measure", "count", "median", "p90"],
            partial(_list_times, digest, words),
        ),
        (
            "articles",
            "articles" in chosen,
            ["category", "count", "shared_words"],
            partial(_list_unanswered, digest),
        ),
    )
    shown = ((title, columns, list_rows()) for title, wanted, columns, list_rows in table if wanted)
    return [
        {"title": words[title], "columns": [words[each] for each in columns], "rows": rows}
        for title, columns, rows in shown
        if rows
    ]


def _find_figures(digest: Digest, chosen: list[str]) -> dict[str, int]:
    """The single numbers asked for, in the order of TYPES."""
    numbers = {name: int(getattr(digest.total, name)) for name in FIGURES}
    numbers |= {"bounces": digest.bounces, "quarantine": digest.quarantined}
    return {name: numbers[name] for name in chosen if name in numbers}


def _says_something(digest: Digest, chosen: list[str], sections: list[dict[str, Any]]) -> bool:
    """Zeros alone, to a reader who asked for nothing else, are nothing to report."""
    figures = _find_figures(digest, chosen)
    return any(figures.values()) or len(sections) > bool(figures)


def _write_headline(digest: Digest, words: Words, chosen: list[str]) -> str:
    figures = _find_figures(digest, chosen) or _find_figures(digest, list(FIGURES))
    return " · ".join(f"{words[name]}{words['colon']}{number}" for name, number in figures.items())


def _list_figures(digest: Digest, words: Words, chosen: list[str]) -> Rows:
    return [[words[name], str(number)] for name, number in _find_figures(digest, chosen).items()]


def _list_trend(digest: Digest, words: Words) -> Rows:
    known = [each for each in digest.trend if each.mean is not None]
    return [[words[each.name], str(each.current), _write_number(each.mean or 0, words), each.arrow] for each in known]


def _list_tallies(tallies: tuple[Tally, ...]) -> Rows:
    shown = tallies[:ROWS_SHOWN]
    return [[each.name or "—", *(str(getattr(each, name)) for name in FIGURES)] for each in shown]


def _list_spikes(digest: Digest, words: Words) -> Rows:
    return [[each.category, str(each.count), _write_number(each.usual, words)] for each in digest.spikes]


def _list_unanswered(digest: Digest) -> Rows:
    shown = digest.unanswered[:ROWS_SHOWN]
    return [[each.category or "—", str(each.count), ", ".join(each.words) or "—"] for each in shown]


def _list_times(digest: Digest, words: Words) -> Rows:
    spreads: tuple[tuple[str, Spread], ...] = (
        ("response", digest.response),
        ("resolution", digest.resolution),
    )
    return [
        [words[name], str(spread.count), write_minutes(spread.median), write_minutes(spread.p90)]
        for name, spread in spreads
        if spread.count
    ]


def _write_number(number: float, words: Words) -> str:
    return f"{number:.2f}".rstrip("0").rstrip(".").replace(".", words["decimal"])


def write_minutes(minutes: float | None) -> str:
    """Wall time as people say it: 45 min, 2 h 05, 76 h 00; — when unknown."""
    if minutes is None:
        return "—"
    hours, rest = divmod(round(minutes), 60)
    return f"{hours} h {rest:02d}" if hours else f"{rest} min"
