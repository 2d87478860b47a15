"""How good a judge is, and from which confidence on its word may go out unread: figures of labelled mails."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from desk.evaluation import Guess

RESAMPLES = 1_000
MIDDLE = (0.025, 0.975)  # of the resamples: the 95 % interval
BINS = 10
BARS = 20  # of the histogram
TARGETS = (0.95, 0.99)
SURE = 1.6449  # standard deviations: one-sided 95 %
GRID = np.linspace(0, 1, 101).round(2)  # thresholds as a person writes them
CURVE_POINTS = 200
DRAWN_AT_ONCE = 2_000_000  # mails: bounds memory
MOST_MISSING = 20_000

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure, and where 95 % of the resamples have it."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class CategoryRow:
    """`support` mails bear the label, `guessed` were given it; None is a share of nothing."""

    label: str
    support: int
    guessed: int
    precision: float | None
    recall: float | None
    f1: float | None


@dataclass(frozen=True, slots=True)
class Bin:
    """Guesses of like confidence, from `low` to `high`: what the judge said of itself, and how often it was right."""

    low: float
    high: float
    count: int
    confidence: float
    accuracy: float


@dataclass(frozen=True, slots=True)
class Point:
    """The guesses from this confidence on: their share of all mails, and the share of them that is right."""

    threshold: float
    coverage: float
    precision: float


@dataclass(frozen=True, slots=True)
class Cut:
    """The most mails that can be had at `target` precision with one threshold for all; None: not even one."""

    target: float
    threshold: float | None
    covered: int
    coverage: float


@dataclass(frozen=True, slots=True)
class Proposal:
    """A category's threshold at which precision is at least `target`, with 95 % of certainty; None: there is none.

    `best` is the threshold, or what comes nearest to one; `guesses`, `right`, `precision` and `bound` (the least that
    precision is) are those from there on. `reach` is the share of the category's mails that it lets through. `missing`
    guesses more without a fault would show that it is safe; zero when it is, or when precision itself is too low.
    """

    label: str
    target: float
    threshold: float | None
    best: float
    guesses: int
    right: int
    precision: float | None
    bound: float
    reach: float
    missing: int


@dataclass(frozen=True, slots=True)
class Release:
    """What all proposals of a target together let through, as share of all mails, and how much of that is right."""

    target: float
    categories: int
    covered: int
    coverage: float
    precision: float | None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """`failed` mails got no answer: they count as wrong and uncovered, and say nothing of calibration.

    Rows of `confusion` are the truth, columns the guess, both in the order of `labels`, the last column no answer.
    `ece` is None when nothing was answered.
    """

    source: str
    count: int
    failed: int
    accuracy: float
    macro_f1: Interval
    ece: Interval | None
    labels: tuple[str, ...]
    categories: tuple[CategoryRow, ...]
    confusion: tuple[tuple[int, ...], ...]
    bins: tuple[Bin, ...]
    histogram: tuple[int, ...]  # of confidences, in steps of 0.05 from 0 to 1
    curve: tuple[Point, ...]
    cuts: tuple[Cut, ...]
    proposals: tuple[Proposal, ...]
    releases: tuple[Release, ...]
    seconds: float
    cost_eur: float
    seed: int

    @property
    def seconds_per_1000(self) -> float:
        return 1_000 * self.seconds / self.count

    @property
    def cost_per_1000_eur(self) -> float:
        return 1_000 * self.cost_eur / self.count

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        rates = {"seconds_per_1000": self.seconds_per_1000, "cost_per_1000_eur": self.cost_per_1000_eur}
        return asdict(self) | rates


@dataclass(frozen=True, slots=True, eq=False)
class Marks:
    """The guesses as columns; `guesses` of no answer are `len(labels)`."""

    truths: Counts
    guesses: Counts
    confidences: Floats
    right: NDArray[np.bool_]
    answered: NDArray[np.bool_]


def evaluate_guesses(guesses: Sequence[Guess], labels: Sequence[str], seed: int = 0, seconds: float = 0) -> Evaluation:
    """Every figure of the guesses; the same for the same seed. `seconds` is the time they took together.

    `labels` that neither a mail nor a guess bears count nowhere; others than `labels` are added. Raises ValueError
    without a guess.
    """
    if not guesses:
        raise ValueError("an evaluation needs a guess")
    named = list_labels(guesses, labels)
    marks, draw = mark_guesses(guesses, named), np.random.default_rng(seed)
    confusion = count_confusion(marks, len(named))
    bins, ece = measure_calibration(marks, draw)
    curve = draw_curve(marks)
    proposals = tuple(propose_threshold(marks, at, label, t) for at, label in enumerate(named) for t in TARGETS)
    return Evaluation(
        source=next((one.source for one in guesses if one.source), ""),
        count=len(guesses),
        failed=int((~marks.answered).sum()),
        accuracy=float(marks.right.mean()),
        macro_f1=measure_f1(confusion, draw),
        ece=ece,
        labels=named,
        categories=tuple(describe_categories(confusion, named)),
        confusion=tuple(tuple(row) for row in confusion.tolist()),
        bins=bins,
        histogram=tuple(np.histogram(marks.confidences[marks.answered], BARS, (0, 1))[0].tolist()),
        curve=thin_curve(curve),
        cuts=tuple(cut_curve(curve, target, len(guesses)) for target in TARGETS),
        proposals=proposals,
        releases=tuple(sum_releases(proposals, target, len(guesses)) for target in TARGETS),
        seconds=seconds,
        cost_eur=sum(one.cost_eur for one in guesses),
        seed=seed,
    )


def list_labels(guesses: Sequence[Guess], labels: Sequence[str]) -> tuple[str, ...]:
    met = {one.truth for one in guesses} | {one.label for one in guesses if one.label}
    known = tuple(label for label in dict.fromkeys(labels) if label in met)
    return known + tuple(sorted(met.difference(known)))


def mark_guesses(guesses: Sequence[Guess], labels: Sequence[str]) -> Marks:
    places = {label: at for at, label in enumerate(labels)}
    truths = np.array([places[one.truth] for one in guesses])
    marked = np.array([places.get(one.label, len(labels)) for one in guesses])
    confidences = np.array([one.confidence for one in guesses], np.float64)
    return Marks(truths, marked, confidences, truths == marked, marked < len(labels))


def count_confusion(marks: Marks, labels: int) -> Counts:
    cells = np.bincount(marks.truths * (labels + 1) + marks.guesses, minlength=labels * (labels + 1))
    return cells.reshape(labels, labels + 1)


# --- accuracy ------------------------------------------------------------------------------------------------


def describe_categories(confusion: Counts, labels: Sequence[str]) -> Iterator[CategoryRow]:
    right, support, guessed = sum_confusion(confusion)
    for at, label in enumerate(labels):
        hit, there, said = int(right[at]), int(support[at]), int(guessed[at])
        shares = (divide(hit, said), divide(hit, there), divide(2 * hit, there + said))
        yield CategoryRow(label, there, said, *shares)


def sum_confusion(confusion: Counts) -> tuple[Counts, Counts, Counts]:
    """Right guesses, mails and guesses of each label."""
    guessed = confusion[:, :-1]
    return guessed.diagonal(), confusion.sum(axis=1), guessed.sum(axis=0)


def divide(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def measure_f1(confusion: Counts, draw: np.random.Generator) -> Interval:
    """Mean F1 of the labels that are there. To draw mails again is to draw cells of the confusion matrix again."""
    rows, columns = confusion.nonzero()
    cells = confusion[rows, columns]
    drawn = draw.multinomial(cells.sum(), cells / cells.sum(), RESAMPLES)
    labels = len(confusion)
    right = pool_cells(drawn, np.where(rows == columns, rows, labels), labels)
    marked = pool_cells(drawn, rows, labels) + pool_cells(drawn, columns, labels)
    hits, support, guessed = sum_confusion(confusion)
    (value,) = mean_f1(hits[np.newaxis], (support + guessed)[np.newaxis])
    return make_interval(float(value), mean_f1(right, marked))


def pool_cells(drawn: Counts, places: Counts, labels: int) -> Counts:
    """Draws × cells → draws × labels; what is in the place `labels` is left out."""
    order = places.argsort(kind="stable")
    starts = places[order].searchsorted(np.arange(labels + 1))
    sums = np.zeros((len(drawn), drawn.shape[1] + 1), np.int64)
    np.cumsum(drawn[:, order], axis=1, out=sums[:, 1:])
    return np.diff(sums[:, starts], axis=1)


def mean_f1(right: Counts, marked: Counts) -> Floats:
    """Row by row over the labels that are marked at all, as scikit-learn does; no label at all can't be."""
    met = marked > 0
    shares = np.divide(2 * right, marked, out=np.zeros(marked.shape), where=met)
    mean: Floats = shares.sum(axis=1) / met.sum(axis=1)
    return mean


def make_interval(value: float, resampled: Floats) -> Interval:
    low, high = np.quantile(resampled, MIDDLE)
    return Interval(value, float(low), float(high))


# --- calibration ---------------------------------------------------------------------------------------------


def measure_calibration(marks: Marks, draw: np.random.Generator) -> tuple[tuple[Bin, ...], Interval | None]:
    """Ten bins of as many guesses each, equal confidences together, and the expected calibration error over them."""
    confidences, right = marks.confidences[marks.answered], marks.right[marks.answered]
    if not len(confidences):
        return (), None
    places = place_bins(confidences)
    gaps = confidences - right
    value = float(np.abs(np.bincount(places, gaps)).sum() / len(gaps))
    found = make_interval(value, np.concatenate(list(resample_gaps(gaps, places, draw))))
    # chance adds to the error and never takes away: of a sound judge nearly every resample looks worse than the whole
    ece = Interval(value, min(value, found.low), max(value, found.high))
    return tuple(describe_bins(confidences, right, places)), ece


def place_bins(confidences: Floats) -> Counts:
    """The bin of each guess, from 0, none empty. Equal ones share a bin, so that their order plays no part."""
    edges = np.unique(np.quantile(confidences, np.linspace(0, 1, BINS + 1)[1:-1]))
    _, places = np.unique(edges.searchsorted(confidences, side="right"), return_inverse=True)
    return places


def resample_gaps(gaps: Floats, places: Counts, draw: np.random.Generator) -> Iterator[Floats]:
    """The error of each resample, some at a time."""
    bins, at_once = int(places.max()) + 1, max(1, DRAWN_AT_ONCE // len(gaps))
    for start in range(0, RESAMPLES, at_once):
        rows = min(at_once, RESAMPLES - start)
        picked = draw.integers(len(gaps), size=(rows, len(gaps)))
        keys = places[picked] + bins * np.arange(rows)[:, np.newaxis]
        sums = np.bincount(keys.ravel(), gaps[picked].ravel(), minlength=rows * bins)
        yield np.abs(sums).reshape(rows, bins).sum(axis=1) / len(gaps)


def describe_bins(confidences: Floats, right: NDArray[np.bool_], places: Counts) -> Iterator[Bin]:
    for at in range(int(places.max()) + 1):
        own, hits = confidences[places == at], right[places == at]
        yield Bin(float(own.min()), float(own.max()), len(own), float(own.mean()), float(hits.mean()))


# --- coverage and thresholds ---------------------------------------------------------------------------------


def draw_curve(marks: Marks) -> tuple[Point, ...]:
    """A point for each confidence that occurs, the highest first."""
    confidences, right = marks.confidences[marks.answered], marks.right[marks.answered]
    order = np.argsort(-confidences, kind="stable")
    ordered, hits = confidences[order], right[order].cumsum()
    last = np.flatnonzero(np.append(np.diff(ordered) != 0, True)[: len(ordered)])
    coverages, precisions = (last + 1) / len(marks.truths), hits[last] / (last + 1)
    columns = (ordered[last].tolist(), coverages.tolist(), precisions.tolist())
    return tuple(map(Point, *columns))


def thin_curve(curve: tuple[Point, ...]) -> tuple[Point, ...]:
    if len(curve) <= CURVE_POINTS:
        return curve
    return tuple(curve[at] for at in np.linspace(0, len(curve) - 1, CURVE_POINTS).astype(int))


def cut_curve(curve: Sequence[Point], target: float, count: int) -> Cut:
    good = [point for point in curve if point.precision >= target]
    if not good:
        return Cut(target, None, 0, 0.0)
    return Cut(target, good[-1].threshold, round(good[-1].coverage * count), good[-1].coverage)


def propose_threshold(marks: Marks, place: int, label: str, target: float) -> Proposal:
    """The lowest of GRID whose guesses reach the target beyond doubt: a few lucky mails don't open the gate."""
    own = marks.guesses == place
    guesses = count_above(marks.confidences[own])
    right = count_above(marks.confidences[own & marks.right])
    bounds = bound_share(right, guesses)
    safe = np.flatnonzero(bounds >= target)
    first = int(safe[0]) if len(safe) else find_best(right, guesses, bounds, target)
    at = int(np.flatnonzero(guesses == guesses[first])[-1])  # the same guesses, and none of less confidence than theirs
    n, k = int(guesses[at]), int(right[at])
    return Proposal(
        label=label,
        target=target,
        threshold=float(GRID[at]) if len(safe) else None,
        best=float(GRID[at]),
        guesses=n,
        right=k,
        precision=divide(k, n),
        bound=float(bounds[at]),
        reach=k / max(int((marks.truths == place).sum()), 1),
        missing=0 if len(safe) or n == 0 or k < target * n else count_missing(k, n, target),
    )


def count_above(confidences: Floats) -> Counts:
    """How many are at least as high, for each threshold of GRID."""
    ordered = np.sort(confidences)
    return len(ordered) - ordered.searchsorted(GRID)


def bound_share(right: Counts, count: Counts) -> Floats:
    """The least that the share is, with 95 % of certainty (Wilson 1927, score interval, one side); zero of nothing."""
    n = np.maximum(count, 1)
    share, square = right / n, SURE**2
    spread = SURE * np.sqrt(share * (1 - share) / n + square / (4 * n**2))
    bound: Floats = np.where(count > 0, (share + square / (2 * n) - spread) / (1 + square / n), 0)
    return bound


def find_best(right: Counts, guesses: Counts, bounds: Floats, target: float) -> int:
    """Where the target is reached with the least doubt; else where it is missed by the least."""
    reached = (guesses > 0) & (right >= target * guesses)
    return int(np.where(reached, bounds, 0).argmax() if reached.any() else bounds.argmax())


def count_missing(right: int, guesses: int, target: float) -> int:
    """How many guesses more without a fault would reach the target beyond doubt."""
    more = np.arange(MOST_MISSING)
    return int((bound_share(right + more, guesses + more) >= target).argmax())


def sum_releases(proposals: Sequence[Proposal], target: float, count: int) -> Release:
    safe = [one for one in proposals if one.target == target and one.threshold is not None]
    covered, right = sum(one.guesses for one in safe), sum(one.right for one in safe)
    return Release(target, len(safe), covered, covered / count, divide(right, covered))
