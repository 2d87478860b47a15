"""What letters came to, drawn: where they ended, and which wording settles tickets, each with how sure that is."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from desk.results import ALL, Delivery, Results, Wording
from reports.chart import DPI, WIDTH_INCHES
from reports.evaluation_chart import dress_axes, shorten_label
from reports.picture import INK, write_png

# Okabe & Ito, Color Universal Design (2008): told apart without red and green
ENDS = (
    ("read", "#009E73"),
    ("delivered", "#56B4E9"),
    ("sent", "#BBBBBB"),
    ("bounced", "#D55E00"),
    ("refused", "#CC79A7"),
    ("unknown", "#E69F00"),
)
POINT = "#0072B2"
SHOWN = 20  # lines of either picture, the fullest
LINE, MARGIN = 0.3, 1.3  # inches


def draw_results(results: Results) -> bytes:
    """A PNG 1280 pixels wide, to be shown 640 wide; the same bytes for the same figures."""
    groups = sorted(results.deliveries, key=lambda one: (one.name != ALL, -one.letters, one.name))[:SHOWN]
    wordings = sorted(sorted(results.wordings, key=lambda one: -one.letters)[:SHOWN], key=name_wording)
    heights = [MARGIN + LINE * max(len(lines), 1) for lines in (groups, wordings)]
    figure = Figure(figsize=(WIDTH_INCHES, sum(heights)), dpi=DPI, layout="constrained", facecolor="white")
    ends, solved = figure.subplots(2, 1, height_ratios=heights)
    _draw_ends(ends, groups)
    _draw_solved(solved, wordings)
    return write_png(figure)


def name_wording(one: Wording) -> str:
    """As its file is named: "billing.academy@short"."""
    segment = f".{one.segment}" if one.segment else ""
    return f"{one.template}{segment}{f'@{one.variant}' if one.variant else ''}"


def split_ends(one: Delivery) -> dict[str, int]:
    """Recipients by the last that we know of each; they add up."""
    delivered = one.delivered - one.read
    sent = one.sent - one.delivered - one.bounced
    rest = {"bounced": one.bounced, "refused": one.refused, "unknown": one.unknown}
    return {"read": one.read, "delivered": delivered, "sent": sent, **rest}


def _draw_ends(axes: Axes, groups: Sequence[Delivery]) -> None:
    dress_axes(axes, "Where letters ended, by recipient")
    rows = range(len(groups))
    left = [0] * len(groups)
    for name, colour in ENDS:
        counts = [split_ends(one)[name] for one in groups]
        axes.barh(rows, counts, left=left, height=0.7, color=colour, label=name)
        left = [before + count for before, count in zip(left, counts, strict=True)]
    labels = [f"{shorten_label(one.name or '—')}  {one.rate.share:.0%}" for one in groups]
    axes.set_yticks(rows, labels=labels, parse_math=False)
    axes.invert_yaxis()
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True, min_n_ticks=1))
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=len(ENDS), frameon=False, fontsize=7,
                labelcolor=INK, handlelength=1, columnspacing=1)  # fmt: skip


def _draw_solved(axes: Axes, wordings: Sequence[Wording]) -> None:
    """A line is where the share truly lies, 19 times of 20; lines that do not overlap tell wordings apart."""
    dress_axes(axes, "Settled with no further letter, by wording")
    rows = range(len(wordings))
    axes.hlines(rows, [one.solved.low for one in wordings], [one.solved.high for one in wordings], color=POINT)
    axes.plot([one.solved.share for one in wordings], rows, color=POINT, marker="o", linestyle="none", clip_on=False)
    labels = [f"{shorten_label(name_wording(one))}  {one.letters}" for one in wordings]
    axes.set_yticks(rows, labels=labels, parse_math=False)
    axes.set_ylim(len(wordings) - 0.5, -0.5) if wordings else axes.set_yticks([])
    axes.set_xlim(0, 1)
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
