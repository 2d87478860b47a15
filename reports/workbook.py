"""The digest as a workbook to filter, sort and draw from; it bears no formula and names no author."""

from __future__ import annotations

import unicodedata
from collections.abc import Hashable, Iterable, Sequence
from datetime import datetime
from io import BytesIO
from operator import itemgetter
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
from openpyxl import Workbook
from openpyxl.cell import Cell
from openpyxl.chart import BarChart, LineChart, Reference
from openpyxl.styles import Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.table import Table, TableStyleInfo
from openpyxl.worksheet.worksheet import Worksheet

from desk.figures import Ledger
from reports.colours import COLOURS
from reports.digest import FLAGS, INSTANTS, TRENDS, Digest, Spread, Tally, mark_tickets
from reports.words import pick_words

Words = dict[str, str]
Record = dict[Hashable, Any]
Value = str | int | float | datetime | None

# What spreadsheets take for a formula, full-width forms included (OWASP, CSV Injection).
TRIGGERS = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")
UNWRITABLE = {"Cc", "Cs"}  # control characters and lone surrogates: XML 1.0 §2.2 has no place for them
NONCHARACTERS = {"\ufffe", "\uffff"}

DATE_FORMAT, MINUTE_FORMAT = "yyyy-mm-dd hh:mm", "#,##0.0"
NARROWEST, WIDEST = 10, 60  # characters
GROUPS_DRAWN = 15
CHARTED = ("new", "answered", "waiting", "late")
TICKET_COLUMNS = (
    "number",
    "subject",
    "category",
    "team",
    "organisation",
    "priority",
    "status",
    "level",
    *INSTANTS,
)
DEADLINE_COLUMNS = (
    "number",
    "subject",
    "team",
    "priority",
    "level",
    "promise",
    "due_at",
    "minutes_left",
    "is_late",
)


def build_workbook(digest: Digest, ledger: Ledger, language: str, timezone: str) -> bytes:
    """An .xlsx (ECMA-376) with sheets Summary, Tickets, By category, By team, By organisation, Deadlines, and Questions
    without an article.

    Instants are shown in the local time of `timezone` (IANA name), durations in minutes of wall time. Tickets
    are those of the digest's scope. No personal data but the subjects of tickets.
    """
    words, zone = pick_words(language), ZoneInfo(timezone)
    tickets = mark_tickets(ledger, digest.at, digest.scope)
    book = Workbook()
    book.remove(book.worksheets[0])
    _fill_summary(_add_sheet(book, words["summary"]), digest, words, zone)
    _fill_tickets(_add_sheet(book, words["tickets"]), tickets, words, zone)
    for title, column, tallies in (
        ("categories", "category", digest.by_category),
        ("teams", "team", digest.by_team),
        ("organisations", "organisation", digest.by_organisation),
    ):
        _fill_groups(_add_sheet(book, words[title]), tallies, words[column], words)
    _fill_deadlines(_add_sheet(book, words["deadlines"]), tickets, digest.at, words, zone)
    _fill_unanswered(_add_sheet(book, words["articles"]), digest, words)
    return _save_book(book, digest.at)


def _add_sheet(book: Workbook, title: str) -> Worksheet:
    sheet: Worksheet = book.create_sheet(title)
    return sheet


def _fill_summary(sheet: Worksheet, digest: Digest, words: Words, zone: ZoneInfo) -> None:
    _write_cell(sheet.cell(1, 1), words["title"]).font = Font(bold=True, size=16)
    scope = words["everything"] if digest.scope is None else ", ".join(sorted(digest.scope))
    _write_rows(sheet, 2, [[words["period"], digest.label], [words["scope"], scope]])
    _write_rows(sheet, 4, [[words["counted_at"], _to_local(digest.at, zone)]])
    row = 6
    for headings, rows in _list_blocks(digest, words):
        row = _write_block(sheet, row, headings, rows) if rows else row
    _draw_trend(sheet, row, digest, words)
    _fit_columns(sheet)


def _list_blocks(digest: Digest, words: Words) -> Iterable[tuple[list[str], list[list[Value]]]]:
    """The summary from top to bottom: headings and rows."""
    yield [words["figure"], words["count"]], _list_totals(digest, words)
    yield (
        [words[each] for each in ("trend", "current", "mean", "arrow")],
        [[words[each.name], each.current, each.mean, each.arrow] for each in digest.trend],
    )
    yield (
        [words[each] for each in ("times", "count", "median_minutes", "p90_minutes")],
        _list_times(digest, words),
    )
    yield (
        [words[each] for each in ("deadlines", "kept", "missed")],
        [[words[each.name], each.kept, each.missed] for each in digest.promises],
    )
    yield [words["rings"], words["tickets"]], [[level, count] for level, count in digest.rings]
    yield [words["letters"], words["count"]], [[state, count] for state, count in digest.letters]


def _list_totals(digest: Digest, words: Words) -> list[list[Value]]:
    rows: list[list[Value]] = [[words[name], getattr(digest.total, name)] for name in FLAGS]
    others = {"mails": digest.mails, "bounces": digest.bounces, "quarantine": digest.quarantined}
    return rows + [[words[name], number] for name, number in others.items()]


def _list_times(digest: Digest, words: Words) -> list[list[Value]]:
    spreads: tuple[tuple[str, Spread], ...] = (
        ("response", digest.response),
        ("resolution", digest.resolution),
    )
    return [[words[name], each.count, each.median, each.p90] for name, each in spreads]


def _draw_trend(sheet: Worksheet, row: int, digest: Digest, words: Words) -> None:
    rows: list[list[Value]] = [[each.label, *(getattr(each, name) for name in TRENDS)] for each in digest.history]
    _write_block(sheet, row, [words["period"], *(words[name] for name in TRENDS)], rows)
    chart = LineChart()
    chart.title = words["trend"]
    _add_series(chart, sheet, row, len(rows), dict(zip(TRENDS, (2, 3, 4), strict=True)))
    for line in chart.series:
        line.smooth = False
        line.marker.symbol = "circle"
    sheet.add_chart(chart, "F6")


def _fill_tickets(sheet: Worksheet, tickets: pd.DataFrame, words: Words, zone: ZoneInfo) -> None:
    headings = [words[name] for name in (*TICKET_COLUMNS, "is_late")]
    ordered = tickets.sort_values(["opened_at", "number"])
    rows = [_list_ticket(row, words, zone) for row in ordered.to_dict("records")]
    _write_table(sheet, "TicketsTable", headings, rows)


def _list_ticket(ticket: Record, words: Words, zone: ZoneInfo) -> list[Value]:
    cells = [_show_field(name, ticket[name], words, zone) for name in TICKET_COLUMNS]
    return [*cells, words["yes" if ticket["late"] else "no"]]


def _show_field(name: str, value: object, words: Words, zone: ZoneInfo) -> Value:
    if name in INSTANTS:
        return _to_local(value, zone)
    if isinstance(value, int):
        return value
    return words.get(f"{name}.{value}", str(value))


def _fill_groups(sheet: Worksheet, tallies: tuple[Tally, ...], heading: str, words: Words) -> None:
    rows: list[list[Value]] = [[each.name or "—", *(getattr(each, name) for name in FLAGS)] for each in tallies]
    _write_block(sheet, 1, [heading, *(words[name] for name in FLAGS)], rows)
    sheet.freeze_panes = "B2"
    _fit_columns(sheet)
    if rows:
        _draw_groups(sheet, min(len(rows), GROUPS_DRAWN), heading)


def _draw_groups(sheet: Worksheet, count: int, title: str) -> None:
    chart = BarChart()
    chart.title = title
    _add_series(chart, sheet, 1, count, {name: FLAGS.index(name) + 2 for name in CHARTED})
    sheet.add_chart(chart, f"{get_column_letter(len(FLAGS) + 3)}2")


def _fill_deadlines(sheet: Worksheet, tickets: pd.DataFrame, at: datetime, words: Words, zone: ZoneInfo) -> None:
    """Every deadline still running or missed and unmet, the most pressing first."""
    unmet = (
        (ticket[deadline], str(ticket["number"]), promise, ticket)
        for promise, deadline, met in (
            ("respond", "respond_by", "heard_at"),
            ("resolve", "resolve_by", "settled_at"),
        )
        for ticket in tickets[tickets[deadline].notna() & ~(tickets[met] < at)].to_dict("records")
    )
    ordered = sorted(unmet, key=itemgetter(0, 1, 2))
    rows = [_list_deadline(ticket, due, promise, at, words, zone) for due, _, promise, ticket in ordered]
    _write_table(sheet, "DeadlinesTable", [words[name] for name in DEADLINE_COLUMNS], rows)


def _list_deadline(
    ticket: Record, due: pd.Timestamp, promise: str, at: datetime, words: Words, zone: ZoneInfo
) -> list[Value]:
    fields = ("number", "subject", "team", "priority", "level")
    left = round((due - at).total_seconds() / 60, 1)
    cells = [_show_field(name, ticket[name], words, zone) for name in fields]
    return [*cells, words[promise], _to_local(due, zone), left, words["yes" if due < at else "no"]]


def _fill_unanswered(sheet: Worksheet, digest: Digest, words: Words) -> None:
    headings = [words[name] for name in ("category", "count", "shared_words")]
    rows: list[list[Value]] = [[each.category or "—", each.count, ", ".join(each.words)] for each in digest.unanswered]
    _write_block(sheet, 1, headings, rows)
    sheet.freeze_panes = "B2"
    _fit_columns(sheet)


def _write_table(sheet: Worksheet, name: str, headings: list[str], rows: list[list[Value]]) -> None:
    """A table that Excel knows as one. Excel repairs one without a row: leave it a blank one."""
    _write_block(sheet, 1, headings, rows)
    last = f"{get_column_letter(len(headings))}{max(len(rows), 1) + 1}"
    table = Table(displayName=name, ref=f"A1:{last}")
    table.tableStyleInfo = TableStyleInfo(name="TableStyleMedium2", showRowStripes=True)
    sheet.add_table(table)
    sheet.freeze_panes = "B2"
    _fit_columns(sheet)


def _write_block(sheet: Worksheet, row: int, headings: Sequence[str], rows: Sequence[Sequence[Value]]) -> int:
    """Headings and rows from `row` on; answers the row after a blank line."""
    _write_rows(sheet, row, [headings, *rows])
    for cell in sheet[row][: len(headings)]:
        cell.font = Font(bold=True, color="FFFFFF")
        cell.fill = PatternFill("solid", fgColor=COLOURS["new"].removeprefix("#"))
    return row + len(rows) + 2


def _write_rows(sheet: Worksheet, first: int, rows: Sequence[Sequence[Value]]) -> None:
    for row, values in enumerate(rows, first):
        for column, value in enumerate(values, 1):
            _write_cell(sheet.cell(row, column), value)


def _write_cell(cell: Cell, value: Value) -> Cell:
    """Text stays text: its type says so to this reader, its quote prefix to whoever edits or exports it."""
    if isinstance(value, str):
        cell.value = clean_text(value)
        cell.data_type = "s"
        cell.quotePrefix = value.startswith(TRIGGERS) or str(cell.value).startswith(TRIGGERS)
        return cell
    cell.value = value
    if isinstance(value, datetime):
        cell.number_format = DATE_FORMAT
    elif isinstance(value, float):
        cell.number_format = MINUTE_FORMAT
    return cell


def clean_text(text: str) -> str:
    """`text` without what a workbook can't hold: control characters, lone surrogates, noncharacters."""
    return "".join(c for c in text if unicodedata.category(c) not in UNWRITABLE and c not in NONCHARACTERS)


def _to_local(instant: object, zone: ZoneInfo) -> datetime | None:
    """Workbooks know no time zones: local wall time to the second, without one."""
    if not isinstance(instant, datetime) or pd.isna(instant):
        return None
    return datetime.fromtimestamp(int(instant.timestamp()), zone).replace(tzinfo=None)


def _add_series(chart: Any, sheet: Worksheet, row: int, count: int, columns: dict[str, int]) -> None:
    """One series per figure from its column, headings in `row`, `count` rows under it."""
    for name, column in columns.items():
        chart.add_data(Reference(sheet, column, row, column, row + count), titles_from_data=True)
        line = chart.series[-1].graphicalProperties
        line.solidFill = line.line.solidFill = COLOURS[name].removeprefix("#")
    chart.set_categories(Reference(sheet, 1, row + 1, 1, row + count))
    chart.width, chart.height = 24, 11  # centimetres
    chart.x_axis.delete = chart.y_axis.delete = False  # openpyxl 3.1 hides both unless told
    chart.y_axis.number_format = "0"
    chart.legend.position = "b"
    chart.title.overlay = chart.legend.overlay = False  # left unsaid, Excel lays both over the bars


def _fit_columns(sheet: Worksheet) -> None:
    for column in sheet.columns:
        longest = max(len(_measure_cell(cell)) for cell in column)
        width = min(max(longest + 3, NARROWEST), WIDEST)
        sheet.column_dimensions[column[0].column_letter].width = width


def _measure_cell(cell: Cell) -> str:
    """What the cell takes on screen; a big title may flow over its neighbours."""
    if cell.value is None or (cell.font.size or 0) > 11:
        return ""
    return DATE_FORMAT if isinstance(cell.value, datetime) else str(cell.value)


def _save_book(book: Workbook, at: datetime) -> bytes:
    book.properties.creator = book.properties.lastModifiedBy = None
    book.properties.created = at.replace(tzinfo=None)
    buffer = BytesIO()
    book.save(buffer)
    return buffer.getvalue()
