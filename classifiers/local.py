"""The local judge: a linear model over words and pieces of words, trained on `examples.csv` at first use.

It knows no keyword of its own: another house replaces the examples, not the code. What was learnt is kept in the
desk's home, so that scikit-learn is loaded only when the examples, this code or its libraries have changed.
"""

from __future__ import annotations

import csv
import json
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from classifiers.flat import TOKEN, FlatModel, Opinion, flatten_pipelines, read_model, write_model
from desk.classification import Classification, Question, Source
from desk.errors import ConfigurationError, ModelTrouble
from desk.languages import KNOWN, tell_language

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

EXAMPLES = Path(__file__).with_name("examples.csv")
COLUMNS = ("text", "category", "priority")
LEAST_EXAMPLES = 5  # of a label: fewer are no sample of anybody's mail
TOLERANCE = 0.1  # liblinear's own; scikit-learn's takes many times as long for the same answers
ROUNDS = 20  # over all examples: bounds the time where labels can't be told apart, others are there sooner
MOST_FEATURES = 50_000  # of each of the two vocabularies; bounds memory, not needed for quality
TEXT_CHARS = 3_000  # what a mail is about stands at its beginning
LANGUAGE_CHARS = 250  # enough to tell the language, and what is dear about telling it
LEARNT = "judge.npz"  # in the desk's home
SHOWN = 3  # labels kept as the judge's own words
ADD_EXAMPLES = "Add examples of the policy's categories to the file of examples."

Words = tuple[str, ...]
Shares = list[tuple[str, float]]


@dataclass(frozen=True, slots=True)
class LocalClassifier:
    """A trained judge; the same question always gets the same answer. Safe to share between threads."""

    model: FlatModel  # categories first, then priorities
    languages: Words

    @property
    def source(self) -> Source:
        return Source.LOCAL

    def classify(self, question: Question) -> Classification:
        """`confidence` is the calibrated probability among the question's categories.

        Raises ModelTrouble when the examples know none of them.
        """
        text = f"{question.subject}\n{question.text[:TEXT_CHARS]}"
        allowed = (tuple(name for name, _ in question.categories), question.priorities)
        categories, priorities = rank_labels(self.model.judge(text), allowed)
        if not categories:
            raise ModelTrouble("no example of any category", remedy=ADD_EXAMPLES)
        category, confidence = categories[0]
        return Classification(
            category=category,
            priority=priorities[0][0] if priorities else question.priorities[0],
            language=tell_language(text[:LANGUAGE_CHARS], (*KNOWN, *self.languages)),
            confidence=confidence,
            source=Source.LOCAL,
            answer=json.dumps({label: round(chance, 3) for label, chance in categories[:SHOWN]}),
        )


def load_classifier(examples: Path | None = None, languages: Words = ("fr", "en")) -> LocalClassifier:
    """The judge trained on `examples` (ours when None), once a process until the file changes.

    `languages` are the policy's: told beside those that are always known. Raises ConfigurationError when the
    file is missing, lacks a column or has fewer than LEAST_EXAMPLES of a label.
    """
    path = examples or EXAMPLES
    try:
        return LocalClassifier(_load_model(path, path.stat().st_mtime_ns), languages)
    except OSError as error:
        raise ConfigurationError("the file of examples can't be read") from error


def build_pipeline() -> Pipeline:
    """Unfitted estimator, texts → probabilities, for any two labels or more; five examples of a label do, one will too.

    Words tell the matter, pieces of words bear typos, missing accents and endings. See `classifiers.scaled` for how
    scores become probabilities, and bench/README.md for what else was tried.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline, make_union
    from sklearn.svm import LinearSVC

    from classifiers.scaled import ScaledLines

    words = TfidfVectorizer(ngram_range=(1, 2), token_pattern=TOKEN.pattern, **_vocabulary())
    pieces = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), **_vocabulary())
    lines = LinearSVC(class_weight="balanced", dual=True, tol=TOLERANCE, max_iter=ROUNDS, random_state=0)
    return make_pipeline(make_union(words, pieces), ScaledLines(lines))


def _vocabulary() -> dict[str, Any]:
    return {"sublinear_tf": True, "strip_accents": "unicode", "max_features": MOST_FEATURES}


def rank_labels(opinion: Opinion, allowed: tuple[Words, ...]) -> list[Shares]:
    """Head by head the allowed labels that the model knows, best first, with their share (0…1) of the probability."""
    trust = weigh_evidence(opinion.terms)
    return [_share_out(chances, some, trust) for chances, some in zip(opinion.chances, allowed, strict=True)]


def _share_out(chances: dict[str, float], allowed: Words, trust: float) -> Shares:
    known = {label: chance for label, chance in chances.items() if label in allowed}
    total = sum(known.values()) or 1.0
    even = 1 / max(len(known), 1)
    shares = {label: even + trust * (chance / total - even) for label, chance in known.items()}
    return sorted(shares.items(), key=lambda pair: -pair[1])


def weigh_evidence(terms: int) -> float:
    """How far to believe the model, 0…1: n / (n + 1) for n words or pairs of words that it has met before.

    The examples are whole mails, so a lone greeting looks like any of them: uncorrected, texts of 5, 12 and
    30 characters were judged with 0.63, 0.71 and 0.74 of confidence and 0.33, 0.48 and 0.63 of success.
    """
    return terms / (terms + 1)


@lru_cache(maxsize=2)
def _load_model(path: Path, _changed_ns: int) -> FlatModel:
    learnt, key = Path(os.environ.get("BYRETURN_HOME", ".byreturn")) / LEARNT, name_lesson(path)
    return read_model(key, learnt) or _learn(path, key, learnt)


def name_lesson(path: Path) -> str:
    """A hash of all that the model depends on: the examples, the code that learns and its libraries."""
    sources = (path, *(Path(__file__).with_name(f"{name}.py") for name in ("local", "flat", "scaled")))
    libraries = " ".join(f"{name} {version(name)}" for name in ("scikit-learn", "numpy", "scipy"))
    return sha256(b"".join(sha256(one.read_bytes()).digest() for one in sources) + libraries.encode()).hexdigest()


def _learn(path: Path, key: str, learnt: Path) -> FlatModel:
    model = flatten_pipelines(tuple(train_pipelines(path)))
    with suppress(OSError):  # a home that can't be written costs the next process its time, no mail its judgement
        write_model(model, key, learnt)
    return model


def train_pipelines(path: Path) -> Iterator[Pipeline]:
    """That of the categories, then that of the priorities; raises ConfigurationError as `load_classifier`."""
    from sklearn.pipeline import make_pipeline

    rows = read_examples(path)
    questions = [[row[column] for row in rows] for column in ("category", "priority")]
    for labels in questions:
        check_labels(labels)
    vectorizers = build_pipeline()[0]
    features = vectorizers.fit_transform([row["text"] for row in rows])
    for labels in questions:
        yield make_pipeline(vectorizers, build_pipeline()[1].fit(features, labels))


def check_labels(labels: list[str]) -> None:
    counts = Counter(labels)
    if len(counts) < 2 or min(counts.values()) < LEAST_EXAMPLES:
        raise ConfigurationError(f"examples need two labels or more, each {LEAST_EXAMPLES} times or more")


def read_examples(path: Path) -> list[dict[str, str]]:
    """Rows of a UTF-8 CSV file, each with text, category and priority; else ConfigurationError."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except (UnicodeDecodeError, csv.Error):  # not `from`: the cause quotes the examples, perhaps real mail
        raise ConfigurationError("the file of examples is no CSV in UTF-8") from None
    if not all(row.get(column) for row in rows for column in COLUMNS):
        raise ConfigurationError(f"every example needs {', '.join(COLUMNS)}")
    return rows
