"""An evaluation as a workbook to filter and sort; it bears no formula and no mail."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from io import BytesIO

from openpyxl import Workbook
from openpyxl.cell import Cell
from openpyxl.formatting.rule import ColorScaleRule
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet

from reports.colours import COLOURS
from reports.evaluation import Evaluation, Interval, Proposal
from reports.evaluation_page import judge_proposal
from reports.workbook import TRIGGERS, clean_text

NARROWEST, WIDEST = 8, 70  # characters
SHARE, EXACT = "0.000", "#,##0"

Value = str | int | float | None
Rows = Sequence[Sequence[Value]]


def build_book(evaluation: Evaluation, notes: Sequence[str], at: datetime) -> bytes:
    """An .xlsx (ECMA-376) with the sheets Summary, Categories, Confusion, Calibration, Thresholds."""
    book = Workbook()
    book.remove(book.worksheets[0])
    for title, headings, rows in (
        ("Summary", ("figure", "value", "low", "high"), list_summary(evaluation, notes)),
        ("Categories", ("category", "mails", "guessed", "precision", "recall", "F1"), list_categories(evaluation)),
        ("Confusion", ("truth ↓ guess →", *evaluation.labels, "(no answer)"), list_confusion(evaluation)),
        ("Calibration", ("from", "to", "mails", "confidence", "right", "gap"), list_bins(evaluation)),
        ("Thresholds", THRESHOLDS, [list_proposal(one) for one in evaluation.proposals]),
    ):
        fill_sheet(book.create_sheet(title), headings, rows)
    shade_confusion(book["Confusion"], len(evaluation.labels))
    return save_book(book, at)


def list_summary(evaluation: Evaluation, notes: Sequence[str]) -> Rows:
    """Figures, with their 95 % interval where they have one."""
    rows: list[Sequence[Value]] = [
        ("classifier", evaluation.source),
        ("mails", evaluation.count),
        ("mails without an answer", evaluation.failed),
        ("accuracy", evaluation.accuracy),
        ("macro-F1", *spread_interval(evaluation.macro_f1)),
        ("calibration error (ECE)", *spread_interval(evaluation.ece)),
    ]
    for cut in evaluation.cuts:
        rows.append((f"coverage at precision {cut.target}", cut.coverage))
        rows.append((f"confidence for precision {cut.target}", cut.threshold))
    for release in evaluation.releases:
        rows.append((f"safe categories at {release.target}", release.categories))
        rows.append((f"share of mails they let through at {release.target}", release.coverage))
        rows.append((f"share of those that is right at {release.target}", release.precision))
    rows += [
        ("seconds", evaluation.seconds),
        ("seconds per 1,000 mails", evaluation.seconds_per_1000),
        ("cost in euros", evaluation.cost_eur),
        ("cost in euros per 1,000 mails", evaluation.cost_per_1000_eur),
        ("seed of the resamples", evaluation.seed),
    ]
    return rows + [("note", note) for note in notes]


def spread_interval(figure: Interval | None) -> Sequence[Value]:
    return (figure.value, figure.low, figure.high) if figure else ()


def list_categories(evaluation: Evaluation) -> Rows:
    return [(one.label, one.support, one.guessed, one.precision, one.recall, one.f1) for one in evaluation.categories]


def list_confusion(evaluation: Evaluation) -> Rows:
    return [(label, *row) for label, row in zip(evaluation.labels, evaluation.confusion, strict=True)]


def list_bins(evaluation: Evaluation) -> Rows:
    return [
        (one.low, one.high, one.count, one.confidence, one.accuracy, one.confidence - one.accuracy)
        for one in evaluation.bins
    ]


THRESHOLDS = (
    "category", "precision wanted", "threshold", "from", "guesses", "right", "precision", "surely at least",
    "share of its mails", "guesses missing", "verdict",
)  # fmt: skip


def list_proposal(one: Proposal) -> Sequence[Value]:
    return (
        one.label, one.target, one.threshold, one.best, one.guesses, one.right, one.precision, one.bound, one.reach,
        one.missing, judge_proposal(one),
    )  # fmt: skip


def fill_sheet(sheet: Worksheet, headings: Sequence[str], rows: Rows) -> None:
    for row, values in enumerate((headings, *rows), 1):
        for column, value in enumerate(values, 1):
            write_cell(sheet.cell(row, column), value)
    for cell in sheet[1]:
        cell.font = Font(bold=True, color="FFFFFF")
        cell.fill = PatternFill("solid", fgColor=COLOURS["new"].removeprefix("#"))
    sheet.freeze_panes = "B2"
    sheet.auto_filter.ref = sheet.dimensions
    fit_columns(sheet)


def write_cell(cell: Cell, value: Value) -> None:
    """Text stays text, whatever it begins with: its type and its quote prefix say so."""
    if not isinstance(value, str):
        cell.value = value
        cell.number_format = SHARE if isinstance(value, float) else EXACT
        return
    cell.value = clean_text(value)
    cell.data_type = "s"
    cell.quotePrefix = value.startswith(TRIGGERS) or str(cell.value).startswith(TRIGGERS)


def fit_columns(sheet: Worksheet) -> None:
    for column in sheet.columns:
        longest = max(len(show_width(cell)) for cell in column)
        letter = get_column_letter(column[0].column)
        sheet.column_dimensions[letter].width = min(max(longest + 3, NARROWEST), WIDEST)


def show_width(cell: Cell) -> str:
    """What the cell takes on screen; floats show three places."""
    if cell.value is None:
        return ""
    return f"{cell.value:,.3f}" if isinstance(cell.value, float) else str(cell.value)


def shade_confusion(sheet: Worksheet, labels: int) -> None:
    """The more mails, the darker; headings upright, so that a hundred labels stay in sight."""
    blue = COLOURS["new"].removeprefix("#")
    scale = ColorScaleRule(start_type="num", start_value=0, start_color="FFFFFF", end_type="max", end_color=blue)
    last = f"{get_column_letter(labels + 2)}{labels + 1}"
    sheet.conditional_formatting.add(f"B2:{last}", scale)
    for column in range(2, labels + 3):
        sheet.cell(1, column).alignment = Alignment(text_rotation=90)
        sheet.column_dimensions[get_column_letter(column)].width = NARROWEST


def save_book(book: Workbook, at: datetime) -> bytes:
    book.properties.creator = book.properties.lastModifiedBy = None
    book.properties.created = at.replace(tzinfo=None)
    buffer = BytesIO()
    book.save(buffer)
    return buffer.getvalue()
