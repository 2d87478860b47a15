"""The confusion of two judges as a picture: verdicts down, the shadow's words across, how many mails in each cell."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from desk.comparing import Comparison, tell_grid
from reports.colours import COLOURS
from reports.picture import INK, write_png

AGREED, APART = COLOURS["answered"], COLOURS["late"]
CELL_INCHES, MARGIN_INCHES, DPI = 0.55, 2.2, 120


def draw_confusion(comparison: Comparison) -> bytes:
    """A PNG; the same bytes for the same figures."""
    grid = tell_grid(comparison)
    size = MARGIN_INCHES + CELL_INCHES * len(grid)
    figure = Figure(figsize=(size, size), dpi=DPI, layout="constrained", facecolor="white")
    axes = figure.subplots()
    _name_axes(axes, list(grid))
    most = max(one.mails for one in comparison.cells)
    for down, (verdict, row) in enumerate(grid.items()):
        for across, (shadow, mails) in enumerate(row.items()):
            if mails:
                _fill_cell(axes, across, down, mails, mails / most, AGREED if verdict == shadow else APART)
    return write_png(figure)


def _name_axes(axes: Axes, names: list[str]) -> None:
    places = range(len(names))
    axes.set_xticks(places, labels=names, rotation=90, parse_math=False)
    axes.set_yticks(places, labels=names, parse_math=False)
    axes.set_xlim(-0.5, len(names) - 0.5)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xlabel("shadow", color=INK)
    axes.set_ylabel("verdict", color=INK)
    axes.tick_params(colors=INK, labelsize=8, length=0)
    axes.set_aspect("equal")
    for side in ("top", "right", "left", "bottom"):
        axes.spines[side].set_visible(False)


def _fill_cell(axes: Axes, across: int, down: int, mails: int, share: float, colour: str) -> None:
    edges = (across - 0.5, across + 0.5)
    axes.fill_between(edges, down - 0.5, down + 0.5, color=colour, alpha=0.15 + 0.85 * share, linewidth=0)
    axes.text(across, down, str(mails), ha="center", va="center", fontsize=8, color=INK)
