"""Straight lines between labels, and one curve that turns their scores into honest chances.

The curve has three parameters whatever the number of labels. Lines fitted without a part of the examples score that
part, and the curve is laid through these scores: as many fits as folds and one more. One sigmoid a label, or a
calibration within a calibration, costs many times the fits and goes astray where a label has five examples.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize  # type: ignore[import-untyped]  # SciPy comes without types, as scikit-learn does
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.exceptions import ConvergenceWarning

Floats = NDArray[np.float64]
Curve = tuple[float, float, float]  # slope, shift, power

FOLDS = 3
MANY = 20_000  # examples: from here a single fold tells enough
MOST_SCORED = 5_000  # examples of a fold that the curve is laid through
START = (1.0, 0.0, 0.0)  # logarithm of the slope, shift, logarithm of the power
BOUNDS = ((-3.0, 4.0), (-10.0, 10.0), (-3.0, 4.0))


class ScaledLines(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # bases without types
    """Probabilities of a classifier with lines, such as LinearSVC. Labels may be rare: of one example, even."""

    def __init__(self, lines: Any, folds: int = FOLDS, random_state: int = 0) -> None:
        self.lines = lines
        self.folds = folds
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> ScaledLines:  # noqa: N803 - scikit-learn's names
        """Raises ValueError when `y` holds fewer than two labels."""
        self.classes_, answers = np.unique(y, return_inverse=True)
        self.lines_ = fit_lines(self.lines, X, answers)
        self.curve_ = fit_curve(*self._score_unseen(X, answers))
        return self

    def predict_proba(self, X: Any) -> Floats:  # noqa: N803 - scikit-learn's name
        return np.exp(bend_scores(score_labels(self.lines_, X), self.curve_))

    def predict(self, X: Any) -> Any:  # noqa: N803 - scikit-learn's name
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

    def _score_unseen(self, features: Any, answers: Any) -> tuple[Floats, Any]:
        """Scores of examples by lines that did not see them, and their true labels."""
        fold_of = deal_folds(answers, self.folds, self.random_state)
        folds = range(self.folds if len(answers) < MANY else 1)
        parts = [thin_out(np.flatnonzero(fold_of == fold)) for fold in folds]
        scored = [(self._score_part(features, answers, fold_of != fold, part), part) for fold, part in enumerate(parts)]
        seen = [(scores, answers[part]) for scores, part in scored if len(part)]
        if not seen:
            return np.empty((0, len(self.classes_))), answers[:0]
        return np.concatenate([scores for scores, _ in seen]), np.concatenate([labels for _, labels in seen])

    def _score_part(self, features: Any, answers: Any, taught: Any, part: Any) -> Floats:
        if not len(part):
            return np.empty((0, len(self.classes_)))
        return score_labels(fit_lines(self.lines, features[np.flatnonzero(taught)], answers[taught]), features[part])


def deal_folds(answers: Any, folds: int, seed: int) -> Any:
    """The fold of each example, dealt out label by label like cards, so that none takes a label's last example away.

    An example that is its label's only one gets −1 and is never put aside.
    """
    mixed = np.random.RandomState(seed).permutation(len(answers))
    fold_of = np.empty(len(answers), np.intp)
    fold_of[mixed[answers[mixed].argsort(kind="stable")]] = np.arange(len(answers)) % folds
    fold_of[np.bincount(answers)[answers] == 1] = -1
    return fold_of


def thin_out(part: Any) -> Any:
    """At most MOST_SCORED of them, from everywhere: sets often come sorted by label."""
    return part[:: -(-len(part) // MOST_SCORED) or 1]


def fit_lines(lines: Any, features: Any, answers: Any) -> Any:
    """Fitted to answers; they may be as many as examples, and lines that are nearly there are good enough."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The number of unique classes", UserWarning)
        warnings.simplefilter("ignore", ConvergenceWarning)
        return clone(lines).fit(features, answers)


def score_labels(lines: Any, features: Any) -> Floats:
    """A column a label; of two labels scikit-learn has one line, whose mirror is the other's."""
    scores: Floats = lines.decision_function(features)
    return np.column_stack((-scores, scores)) if scores.ndim == 1 else scores


def bend_scores(scores: Floats, curve: Curve) -> Floats:
    """Logarithms of the chances: those of a sigmoid, to a power, and made to sum to one."""
    slope, shift, power = curve
    bent = -power * np.logaddexp(0, -(slope * scores + shift))
    bent -= bent.max(axis=1, keepdims=True)
    logs: Floats = bent - np.log(np.exp(bent).sum(axis=1, keepdims=True))
    return logs


def fit_curve(scores: Floats, answers: Any) -> Curve:
    """The likeliest one; no answer counts as wholly certain, or a few easy examples would seem to prove anything."""
    doubt, rows = 1 / (len(answers) + 2), np.arange(len(answers))

    def miss(point: Floats) -> float:
        logs = bend_scores(scores, _open_point(point))
        return -float((1 - doubt) * logs[rows, answers].mean() + doubt * logs.mean())

    return _open_point(minimize(miss, START, method="L-BFGS-B", bounds=BOUNDS).x if len(answers) else START)


def _open_point(point: Any) -> Curve:
    slope, shift, power = map(float, point)
    return float(np.exp(slope)), shift, float(np.exp(power))
