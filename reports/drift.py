"""How far people agree with the verdicts, drawn: the share of corrected verdicts by week, a line for each category."""

from __future__ import annotations

from base64 import b64encode
from collections import Counter
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from desk.drift import DriftRow, Spike
from reports.chart import DPI, WIDTH_INCHES
from reports.evaluation_chart import dress_axes, shorten_label
from reports.picture import INK, write_png

HEIGHT_INCHES = 3.2
LINES = 6  # the categories that were corrected most
# Okabe & Ito, Color Universal Design (2008), with a marker each: told apart without colour too
STYLES = (("#0072B2", "o"), ("#D55E00", "^"), ("#009E73", "s"), ("#CC79A7", "D"), ("#E69F00", "v"), ("#56B4E9", "x"))
ALL = "all"


def draw_drift(rows: Sequence[DriftRow]) -> bytes:
    """A PNG 1280 pixels wide, at most 60 KB, to be shown 640 wide."""
    figure = Figure(figsize=(WIDTH_INCHES, HEIGHT_INCHES), dpi=DPI, layout="constrained", facecolor="white")
    axes = figure.subplots()
    dress_axes(axes, "Verdicts that people corrected")
    weeks = sorted({row.week for row in rows})
    for name, (colour, marker) in zip((ALL, *choose_categories(rows)), (("#333333", "."), *STYLES), strict=False):
        shares = [share_of(rows, name, week) for week in weeks]
        axes.plot(range(len(weeks)), shares, color=colour, marker=marker, markersize=5, label=shorten_label(name))
    _label_axes(axes, weeks)
    return write_png(figure)


def choose_categories(rows: Sequence[DriftRow]) -> tuple[str, ...]:
    corrected: Counter[str] = Counter()
    for row in rows:
        corrected[row.category] += row.corrected
    ordered = sorted(corrected, key=lambda name: (-corrected[name], name))
    return tuple(name for name in ordered if corrected[name])[:LINES]


def share_of(rows: Sequence[DriftRow], category: str, week: str) -> float:
    """0…1, of one category's verdicts of a week or of all; nan of none, which leaves a gap in the line."""
    own = [row for row in rows if row.week == week and category in (row.category, ALL)]
    verdicts = sum(row.verdicts for row in own)
    return sum(row.corrected for row in own) / verdicts if verdicts else float("nan")


def _label_axes(axes: Axes, weeks: Sequence[str]) -> None:
    axes.set_xticks(range(len(weeks)), labels=[week[-3:] for week in weeks])
    axes.set_ylim(bottom=0, top=max(axes.get_ylim()[1], 0.05))
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    if weeks:
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False, labelcolor=INK, fontsize=8)


def write_drift(rows: Sequence[DriftRow], spikes: Sequence[Spike]) -> str:
    """Markdown for the run's artifact, the picture inside: the browser that shows it can't read the worker's files."""
    shown = f"![Share of corrected verdicts](data:image/png;base64,{b64encode(draw_drift(rows)).decode('ascii')})"
    told = "\n".join(f"- **{one.category}**: {one.count}, {one.usual:g} on a usual day" for one in spikes) or "None."
    lines = "\n".join(write_row(row) for row in rows)
    head = "| week | category | verdicts | corrected | rewritten | share |\n| --- | --- | --- | --- | --- | --- |"
    return f"## Drift\n\n{shown}\n\n{head}\n{lines}\n\n## More tickets than usual in 24 hours\n\n{told}\n"


def write_row(row: DriftRow) -> str:
    cells = (row.week, row.category, row.verdicts, row.corrected, row.rewritten, f"{row.share:.0%}")
    return f"| {' | '.join(map(str, cells))} |"
