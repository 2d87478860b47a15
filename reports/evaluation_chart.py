"""An evaluation on one page: who is taken for whom, whether confidence is honest, how much can be had how precisely."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from numpy.typing import NDArray

from reports.colours import COLOURS
from reports.evaluation import TARGETS, Cut, Evaluation
from reports.evaluation_page import tell_cut, tell_headline, tell_interval
from reports.picture import FAINT, INK, draw_letters, write_png

RIGHT, WRONG, NONE = COLOURS["new"], COLOURS["late"], COLOURS["waiting"]
LABELS_SHOWN = 100
LETTERS_SHOWN, LETTERS_BEFORE, LETTERS_AFTER = 24, 14, 9
NO_ANSWER = "(no answer)"

DPI, SMALL_DPI = 150, 90
WIDTH, SQUARE, MARGIN = 10.0, 6.0, 0.8  # inches: of the page at least, of the matrix as a rule, around it
LOWER = (3.0, 0.9)  # inches: of the two pictures below, and of the bars under the first
TITLES = 2.2  # inches: of all titles and scales, one under the other
CELL = (0.16, 0.75)  # inches
LEAST_NUMBERED = 0.2  # inches of a cell that can hold its number
COLOURS_KEPT = 128

Cells = NDArray[np.int64]


def draw_evaluation(evaluation: Evaluation, dpi: int = DPI) -> bytes:
    """A PNG, readable with 2 to 100 labels; of more, the rarest are merged. It grows with them."""
    labels, cells = merge_rare(evaluation)
    side = len(labels) * min(max(SQUARE / len(labels), CELL[0]), CELL[1])
    legend = 0.08 * max(len(NO_ANSWER), *map(len, labels)) + 0.1
    size = (max(WIDTH, side + legend + MARGIN), side + legend + sum(LOWER) + TITLES)
    layout = ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.06)
    figure = Figure(figsize=size, dpi=dpi, layout=layout, facecolor="white")
    figure.suptitle(tell_headline(evaluation), x=0.01, ha="left", fontsize=12, fontweight="bold", color=INK)
    grid = figure.add_gridspec(3, 2, height_ratios=[side, *LOWER])
    draw_matrix(figure.add_subplot(grid[0, :]), labels, cells, side / len(labels))
    reliability = figure.add_subplot(grid[1, 0])
    draw_reliability(reliability, evaluation)
    draw_histogram(figure.add_subplot(grid[2, 0], sharex=reliability), evaluation)
    draw_coverage(figure.add_subplot(grid[1:, 1]), evaluation)
    return write_png(figure, COLOURS_KEPT)


def merge_rare(evaluation: Evaluation) -> tuple[list[str], Cells]:
    """Labels and their square of cells, a last column for mails without an answer."""
    names, cells = list(evaluation.labels), np.array(evaluation.confusion)
    if len(names) <= LABELS_SHOWN:
        return [shorten_label(name) for name in names], cells
    kept = np.sort(np.argsort(-cells.sum(axis=1), kind="stable")[: LABELS_SHOWN - 1])
    places = np.full(len(names) + 1, LABELS_SHOWN - 1)
    places[kept], places[-1] = np.arange(len(kept)), LABELS_SHOWN
    merged = np.zeros((LABELS_SHOWN, LABELS_SHOWN + 1), np.int64)
    np.add.at(merged, np.ix_(places[:-1], places), cells)
    return [*(shorten_label(names[at]) for at in kept), f"… {len(names) - len(kept)} others"], merged


def draw_matrix(axes: Axes, labels: Sequence[str], cells: Cells, inches: float) -> None:
    """Blue is right, orange is wrong, grey is no answer; the deeper, the greater the share of the row."""
    failed = bool(cells[:, -1].any())
    shown = cells if failed else cells[:, :-1]
    names = [*labels, NO_ANSWER] if failed else labels
    shares = shown / np.maximum(cells.sum(axis=1, keepdims=True), 1)
    axes.imshow(paint_cells(shares), aspect="equal", interpolation="nearest")
    points = min(9.0, 45 * inches)
    dress_axes(axes, "Who is taken for whom: rows are the truth, columns the guess")
    axes.set_xticks(range(len(names)), labels=names, rotation=90, fontsize=points, parse_math=False)
    axes.set_yticks(range(len(labels)), labels=labels, fontsize=points, parse_math=False)
    axes.set_xticks(np.arange(len(names) + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(len(labels) + 1) - 0.5, minor=True)
    axes.grid(visible=False)
    axes.grid(which="minor", color=FAINT, linewidth=0.5)
    axes.tick_params(which="minor", length=0)
    if inches >= LEAST_NUMBERED:
        number_cells(axes, shown, shares, min(9.0, 28 * inches))


def paint_cells(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rows × columns × RGB; of what is wrong the root, so that a few mistakes show too."""
    hues, depths = np.empty((*shares.shape, 3)), np.sqrt(shares)
    hues[:] = to_rgb(WRONG)
    hues[:, len(shares) :] = to_rgb(NONE)
    places = np.arange(len(shares))
    hues[places, places], depths[places, places] = to_rgb(RIGHT), shares[places, places]
    painted: NDArray[np.float64] = 1 - depths[..., np.newaxis] * (1 - hues)
    return painted


def number_cells(axes: Axes, cells: Cells, shares: NDArray[np.float64], points: float) -> None:
    for row, column in zip(*cells.nonzero(), strict=True):
        colour = "white" if shares[row, column] > 0.5 else INK
        axes.text(column, row, str(cells[row, column]), ha="center", va="center", fontsize=points, color=colour)


def draw_reliability(axes: Axes, evaluation: Evaluation) -> None:
    """On the line, confidence is honest; below it, the judge thinks too well of itself."""
    dress_axes(axes, f"Is confidence honest? ECE {tell_interval(evaluation.ece)}")
    axes.plot([0, 1], [0, 1], color=INK, linewidth=1, linestyle="--")
    said, was = [one.confidence for one in evaluation.bins], [one.accuracy for one in evaluation.bins]
    axes.vlines(said, np.minimum(said, was), np.maximum(said, was), color=WRONG, linewidth=3, alpha=0.5)
    axes.plot(said, was, color=RIGHT, marker="o", linewidth=1.5, clip_on=not said)
    axes.set(xlim=(0, 1), ylim=(0, 1), ylabel="share that is right")
    axes.tick_params(labelbottom=False)


def draw_histogram(axes: Axes, evaluation: Evaluation) -> None:
    dress_axes(axes, "")
    counts = evaluation.histogram
    edges = np.linspace(0, 1, len(counts) + 1)
    axes.bar(edges[:-1], counts, width=1 / len(counts), align="edge", color=COLOURS["answered"], edgecolor="white")
    axes.set(xlim=(0, 1), xlabel="confidence", ylabel="mails")
    axes.locator_params(axis="y", nbins=3, integer=True)


def draw_coverage(axes: Axes, evaluation: Evaluation) -> None:
    dress_axes(axes, "How much can be had how precisely?")
    curve = evaluation.curve
    coverages, precisions = [one.coverage for one in curve], [one.precision for one in curve]
    axes.plot(coverages, precisions, color=RIGHT, linewidth=1.5, marker="o" if len(curve) == 1 else "")
    lowest = min([*precisions, min(TARGETS)])
    axes.set(xlim=(0, 1), ylim=(max(0, lowest - 0.05), 1.01), xlabel="share of all mails (coverage)")
    axes.set_ylabel("precision")
    for cut, colour in zip(evaluation.cuts, (COLOURS["answered"], WRONG), strict=True):
        mark_cut(axes, cut, colour)
    axes.legend(loc="lower left", frameon=True, edgecolor="none", labelcolor=INK, fontsize=9)


def mark_cut(axes: Axes, cut: Cut, colour: str) -> None:
    axes.axhline(cut.target, color=colour, linewidth=1, linestyle="--")
    place = ([cut.coverage], [cut.target]) if cut.covered else ([], [])
    # unclipped, a line without a point would take its place at the page's corner, and the layout would give way to it
    axes.plot(*place, color=colour, marker="D", linestyle="none", label=tell_cut(cut), clip_on=not cut.covered)


def dress_axes(axes: Axes, title: str) -> None:
    axes.set_title(title, loc="left", fontsize=11, fontweight="bold", color=INK)
    axes.tick_params(colors=INK, labelsize=9, length=0)
    axes.grid(color=FAINT, linewidth=0.6)
    axes.set_axisbelow(True)
    for side in axes.spines.values():
        side.set_visible(False)


def shorten_label(label: str) -> str:
    """Cut in the middle, for many labels begin alike."""
    drawn = draw_letters(label)
    return drawn if len(drawn) <= LETTERS_SHOWN else f"{drawn[:LETTERS_BEFORE]}…{drawn[-LETTERS_AFTER:]}"
