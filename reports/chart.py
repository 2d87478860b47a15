"""The digest's picture: new, answered and late by category, and the trend under it."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from reports.colours import COLOURS
from reports.digest import FLAGS, Digest, Tally
from reports.picture import FAINT, INK, draw_letters, write_png
from reports.words import pick_words

SERIES = ("new", "answered", "late")
MARKERS = {"new": "o", "answered": "s", "late": "^"}

WIDTH_INCHES, DPI = 6.4, 200  # 1280 pixels for the 640 of a mail's column: sharp on dense screens
CATEGORIES_SHOWN, LETTERS_SHOWN = 8, 24
BAR = 0.26

Words = dict[str, str]


def draw_chart(digest: Digest, language: str) -> bytes:
    """A PNG 1280 pixels wide, at most 60 KB, to be shown 640 wide. Beyond eight, categories are merged."""
    words, tallies = pick_words(language), _merge_rest(digest.by_category)
    heights = [0.55 + 0.48 * max(len(tallies), 1), 1.9]
    figure = Figure(figsize=(WIDTH_INCHES, sum(heights) + 0.75), dpi=DPI, layout="constrained", facecolor="white")
    bars, lines = figure.subplots(2, 1, height_ratios=heights)
    _draw_bars(bars, tallies, words)
    _draw_lines(lines, digest, words)
    handles, labels = lines.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=len(SERIES), frameon=False, labelcolor=INK)
    return write_png(figure)


def _merge_rest(tallies: tuple[Tally, ...]) -> list[Tally]:
    if len(tallies) <= CATEGORIES_SHOWN:
        return list(tallies)
    shown, rest = tallies[: CATEGORIES_SHOWN - 1], tallies[CATEGORIES_SHOWN - 1 :]
    return [*shown, Tally("…", *(sum(getattr(each, name) for each in rest) for name in FLAGS))]


def _draw_bars(axes: Axes, tallies: list[Tally], words: Words) -> None:
    _dress_axes(axes, words["categories"])
    if not tallies:
        _write_nothing(axes, words)
        return
    for place, name in enumerate(SERIES):
        counts = [getattr(each, name) for each in tallies]
        rows = [row + (place - 1) * BAR for row in range(len(tallies))]
        drawn = axes.barh(rows, counts, height=BAR * 0.9, color=COLOURS[name])
        axes.bar_label(drawn, [str(count) for count in counts], padding=3, fontsize=7, color=INK)
    names = [_shorten_name(each.name) for each in tallies]
    axes.set_yticks(range(len(tallies)), labels=names, parse_math=False)
    axes.invert_yaxis()
    axes.xaxis.set_visible(False)  # each bar bears its number
    axes.grid(visible=False)
    axes.margins(x=0.08)


def _draw_lines(axes: Axes, digest: Digest, words: Words) -> None:
    _dress_axes(axes, words["trend"])
    places = range(len(digest.history))
    for name in SERIES:
        counts = [getattr(each, name) for each in digest.history]
        axes.plot(places, counts, color=COLOURS[name], marker=MARKERS[name], label=words[name], clip_on=False)
    axes.set_xticks(places, labels=[each.label.replace("…", "…\n") for each in digest.history])
    axes.yaxis.set_major_locator(MaxNLocator(nbins=4, integer=True, min_n_ticks=1))
    axes.set_ylim(bottom=0, top=max(axes.get_ylim()[1], 1))
    axes.margins(x=0.08)


def _dress_axes(axes: Axes, title: str) -> None:
    axes.set_title(title, loc="left", fontsize=11, fontweight="bold", color=INK)
    axes.tick_params(colors=INK, labelsize=8, length=0)
    axes.grid(axis="y", color=FAINT, linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left", "bottom"):
        axes.spines[side].set_visible(False)


def _write_nothing(axes: Axes, words: Words) -> None:
    axes.xaxis.set_visible(False)
    axes.yaxis.set_visible(False)
    axes.text(0.5, 0.5, words["nothing"], transform=axes.transAxes, ha="center", va="center", color=INK)


def _shorten_name(name: str) -> str:
    name = draw_letters(name) or "—"
    return name if len(name) <= LETTERS_SHOWN else name[: LETTERS_SHOWN - 1] + "…"
