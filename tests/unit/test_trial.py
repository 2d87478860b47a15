"""The trial: mails written apart from the examples, to tell how the local judge does on what it never saw."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import f1_score

from classifiers.local import EXAMPLES, load_classifier, read_examples
from desk.classification import Classification, Question
from desk.policy import read_policy
from tests.likeness import find_likenesses, find_repeats

TRIAL = EXAMPLES.with_name("trial.csv")
POLICY = read_policy(Path(__file__).parents[2] / "policy.yaml")
CATEGORIES = tuple(POLICY.categories)
PRIORITIES = tuple(POLICY.priorities)
LEAST_F1 = 0.85
MOST_ECE = 0.08
PRECISION = 0.95  # wanted of the mails that are judged surely enough
BINS = 10
RESAMPLES = 1_000

MAIL = """Réservation du gymnase refusée
Bonjour, je souhaite réserver le gymnase le jeudi de 14 h à 15 h pour ma classe de CM2, mais l'écran répond que la
salle n'existe pas. À qui faut-il s'adresser pour qu'elle soit ajoutée à la liste ? Bien cordialement, Élise Garnier"""
EDITED = """RESERVATION DU GYMNASE REFUSEE !
bonjour, je voudrais reserver le gymnase le mardi de 14h a 15h pour ma classe de CE1, mais l'ecran répond que la salle
n'existe pas. A qui faut-il s'adresser pour qu'elle soit ajoutee a la liste ? Merci, Paul Renard"""
REWORDED = """Réservation du gymnase refusée
Bonjour, je veux réserver le gymnase le jeudi de 9 h à 10 h pour ma classe de CP, mais l'écran dit que la
salle n'existe pas. À qui faut-il demander qu'elle soit ajoutée à la liste ? Bien à vous, Paul Renard-Lemercier-Roy"""
SHORTENED = """Gymnase
Je souhaite réserver le gymnase le jeudi de 14 h à 15 h pour ma classe de CM2, mais l'écran répond que la salle
n'existe pas."""
FELLOW = """Gymnase du jeudi
Bonjour, le gymnase est pris par le club de judo tous les jeudis jusqu'en juin. Pouvez-vous nous proposer une autre
salle à la même heure ? Les CM2 n'ont plus fait de sport depuis trois semaines. Bien cordialement, Élise Garnier"""

Numbers = NDArray[np.intp]
Measure = Callable[[Numbers], float]  # of the mails at these places


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was true, what was judged, and how surely: a place a mail."""

    truths: Numbers
    guesses: Numbers
    surely: NDArray[np.float64]

    def score_macro(self, places: Numbers) -> float:
        """The mean over the categories of F1, 0…1."""
        count = len(CATEGORIES)
        pairs = np.bincount(self.truths[places] * count + self.guesses[places], minlength=count * count)
        table = pairs.reshape(count, count)
        return float((2 * table.diagonal() / np.maximum(table.sum(axis=0) + table.sum(axis=1), 1)).mean())

    def miss_honesty(self, places: Numbers) -> float:
        """The expected calibration error over bins of equally many mails, 0…1."""
        bins = np.array_split(places[np.argsort(self.surely[places], kind="stable")], BINS)
        gaps = [abs(self.surely[one].mean() - (self.truths == self.guesses)[one].mean()) for one in bins]
        return float(np.average(gaps, weights=[len(one) for one in bins]))

    def cover_surely(self, places: Numbers) -> float:
        """The largest share of the mails, the surest first, of which PRECISION are judged rightly."""
        ranked = places[np.argsort(-self.surely[places], kind="stable")]
        right = np.cumsum((self.truths == self.guesses)[ranked])
        counts = np.arange(1, len(ranked) + 1)
        return float(counts[right >= PRECISION * counts].max(initial=0) / len(ranked))


@pytest.fixture(scope="module")
def rows() -> list[dict[str, str]]:
    return read_examples(TRIAL)


@pytest.fixture(scope="module")
def texts(rows: list[dict[str, str]]) -> list[str]:
    return [row["text"] for row in rows]


def ask_question(text: str) -> Question:
    subject, _, body = text.partition("\n")
    return Question(subject, body, (), tuple((name, "") for name in CATEGORIES), PRIORITIES)


def judge_trial(rows: list[dict[str, str]]) -> list[Classification]:
    judge = load_classifier()
    return [judge.classify(ask_question(row["text"])) for row in rows]


def weigh_outcome(rows: list[dict[str, str]], judged: list[Classification]) -> Outcome:
    truths = np.array([CATEGORIES.index(row["category"]) for row in rows], np.intp)
    guesses = np.array([CATEGORIES.index(one.category) for one in judged], np.intp)
    return Outcome(truths, guesses, np.array([one.confidence for one in judged]))


def tell_figure(name: str, measure: Measure, count: int) -> str:
    """The measure of all mails, and between what 95 % of those of resamples lie (Efron 1979)."""
    draw = np.random.default_rng(0)
    resampled = [measure(draw.integers(0, count, count)) for _ in range(RESAMPLES)]
    low, high = np.percentile(resampled, (2.5, 97.5))
    return f"{name} {measure(np.arange(count)):.3f} [{low:.3f}, {high:.3f}]"


def tell_figures(outcome: Outcome) -> str:
    measures = {
        "macro-F1": outcome.score_macro,
        "ECE": outcome.miss_honesty,
        f"coverage at {PRECISION}": outcome.cover_surely,
    }
    return ", ".join(tell_figure(name, measure, len(outcome.truths)) for name, measure in measures.items())


def test_the_trial_is_large_and_mostly_french(rows: list[dict[str, str]]) -> None:
    languages = Counter(row["language"] for row in rows)
    assert len(rows) >= 400
    assert set(languages) == {"fr", "en"}
    assert languages["fr"] >= 0.65 * len(rows)


def test_every_category_of_the_policy_is_tried(rows: list[dict[str, str]]) -> None:
    counts = Counter(row["category"] for row in rows)
    assert set(counts) == set(CATEGORIES)
    assert min(counts.values()) >= 30


def test_most_mails_are_normal_and_few_urgent(rows: list[dict[str, str]]) -> None:
    counts = Counter(row["priority"] for row in rows)
    assert set(counts) == set(PRIORITIES)
    assert counts["normal"] > len(rows) / 2 > counts["important"] > counts["urgent"] >= 30


def test_mails_of_the_trial_are_of_all_lengths(texts: list[str]) -> None:
    lengths = [len(text.split()) for text in texts]
    assert min(lengths) <= 3
    assert max(lengths) >= 200
    assert sum(length <= 10 for length in lengths) >= 20
    assert sum(length >= 100 for length in lengths) >= 20


def test_no_mail_of_the_trial_is_among_the_examples(texts: list[str]) -> None:
    assert find_likenesses(texts, [row["text"] for row in read_examples(EXAMPLES)]) == []


def test_no_mail_of_the_trial_stands_there_twice(texts: list[str]) -> None:
    assert find_repeats(texts) == []


@pytest.mark.parametrize(
    "copy",
    [MAIL, MAIL.upper(), EDITED, REWORDED, SHORTENED],
    ids=["same", "shouted", "edited", "reworded", "shortened"],
)
def test_a_mail_that_was_copied_and_touched_up_is_found(copy: str, texts: list[str]) -> None:
    assert find_likenesses([copy], [*texts, MAIL]) == [(0, len(texts))]


def test_a_short_mail_is_found_by_its_very_words_only() -> None:
    others = ["merci beaucoup elise", "Merci beaucoup à vous, Élise", "Mercredi, beaucoup", ""]
    assert find_likenesses(["Re: facture", "Merci\nBeaucoup ! Élise"], others) == [(1, 0)]


def test_two_mails_on_one_subject_are_two() -> None:
    assert find_repeats([MAIL, FELLOW]) == []


def test_a_repeated_mail_is_told_once() -> None:
    assert find_repeats([MAIL, FELLOW, EDITED]) == [(0, 2)]


def test_the_figures_are_what_they_are_called() -> None:
    drawn = np.random.default_rng(1).integers(0, len(CATEGORIES), (2, 200))
    outcome = Outcome(drawn[0], np.where(np.arange(200) < 100, drawn[0], drawn[1]), np.linspace(0.9, 0.7, 200))
    right = (outcome.truths == outcome.guesses).reshape(BINS, -1)
    every = np.arange(200)
    expected = f1_score(outcome.truths, outcome.guesses, average="macro")
    assert outcome.score_macro(every) == pytest.approx(expected)
    gaps = np.abs(right.mean(axis=1) - outcome.surely.reshape(BINS, -1).mean(axis=1))
    assert outcome.miss_honesty(np.flip(every)) == pytest.approx(gaps.mean())
    assert 0.5 <= outcome.cover_surely(np.flip(every)) < 0.6  # the first hundred are right, then few


def test_the_local_model_does_well_on_mail_it_never_saw(rows: list[dict[str, str]]) -> None:
    outcome = weigh_outcome(rows, judge_trial(rows))
    score, gap = (measure(np.arange(len(rows))) for measure in (outcome.score_macro, outcome.miss_honesty))
    figures = tell_figures(outcome)
    assert score >= LEAST_F1, figures
    assert gap <= MOST_ECE, figures
