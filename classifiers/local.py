"""The local judge: a linear model over words and pieces of words, trained on `examples.csv` at first use.

It knows no keyword of its own: another house replaces the examples, not the code.
"""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from py3langid.langid import MODEL_FILE, LanguageIdentifier
from sklearn.calibration import CalibratedClassifierCV
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import Pipeline, make_pipeline, make_union
from sklearn.svm import LinearSVC

from desk.classification import Classification, Question, Source
from desk.errors import ConfigurationError, ModelTrouble

EXAMPLES = Path(__file__).with_name("examples.csv")
COLUMNS = ("text", "category", "priority")
LEAST_EXAMPLES = 5  # of a label: fewer can't fill the folds of both calibrations
FOLDS = 3
MOST_FEATURES = 50_000  # of each of the two vocabularies; bounds memory, not needed for quality
TEXT_CHARS = 6_000  # what a mail is about stands at its beginning
SURE_ENOUGH = 0.55  # of a language; below, a mail of a word or two proves nothing
SHOWN = 3  # labels kept as the judge's own words
ADD_EXAMPLES = "Add examples of the policy's categories to the file of examples."

Words = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LocalClassifier:
    """A trained judge; the same question always gets the same answer. Safe to share between threads."""

    category_model: Pipeline
    priority_model: Pipeline
    languages: Words

    @property
    def source(self) -> Source:
        return Source.LOCAL

    def classify(self, question: Question) -> Classification:
        """`confidence` is the calibrated probability among the question's categories.

        Raises ModelTrouble when the examples know none of them.
        """
        text = f"{question.subject}\n{question.text[:TEXT_CHARS]}"
        categories = rank_labels(self.category_model, text, {name for name, _ in question.categories})
        if not categories:
            raise ModelTrouble("no example of any category", remedy=ADD_EXAMPLES)
        priorities = rank_labels(self.priority_model, text, question.priorities)
        category, confidence = categories[0]
        return Classification(
            category=category,
            priority=priorities[0][0] if priorities else question.priorities[0],
            language=tell_language(text, self.languages),
            confidence=confidence,
            source=Source.LOCAL,
            answer=json.dumps({label: round(chance, 3) for label, chance in categories[:SHOWN]}),
        )


def load_classifier(examples: Path | None = None, languages: Words = ("fr", "en")) -> LocalClassifier:
    """The judge trained on `examples` (ours when None), once a process until the file changes.

    `languages` are the policy's, the first one for texts that tell nothing. Raises ConfigurationError when
    the file is missing, lacks a column or has fewer than LEAST_EXAMPLES of a label.
    """
    path = examples or EXAMPLES
    try:
        changed_ns = path.stat().st_mtime_ns
    except OSError as error:
        raise ConfigurationError("the file of examples can't be read") from error
    return LocalClassifier(*_train_models(path, changed_ns), languages)


def build_pipeline() -> Pipeline:
    """Unfitted estimator, texts → probabilities, for any 2 to 100 labels with LEAST_EXAMPLES or more each.

    Calibrated twice: sigmoids, one a label, put rare labels on a par with frequent ones (Platt 1999) but are
    too modest when labels are many; one temperature over all then makes the sum honest (Guo et al. 2017).
    """
    words = TfidfVectorizer(ngram_range=(1, 2), **_vocabulary())
    pieces = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), **_vocabulary())
    lines = LinearSVC(class_weight="balanced", random_state=0)
    return make_pipeline(make_union(words, pieces), _calibrate(_calibrate(lines, "sigmoid"), "temperature"))


def _vocabulary() -> dict[str, Any]:
    return {"sublinear_tf": True, "strip_accents": "unicode", "max_features": MOST_FEATURES}


def _calibrate(model: Any, method: str) -> CalibratedClassifierCV:
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    return CalibratedClassifierCV(model, method=method, cv=folds, ensemble=False)


def rank_labels(model: Pipeline, text: str, allowed: Collection[str]) -> list[tuple[str, float]]:
    """The allowed labels that the model knows, best first, each with its share (0…1) of their probability."""
    chances = zip(model.classes_, model.predict_proba([text])[0], strict=True)
    known = {str(label): float(chance) for label, chance in chances if label in allowed}
    total = sum(known.values()) or 1.0
    trust = weigh_evidence(model, text)
    shares = {label: trust * chance / total + (1 - trust) / len(known) for label, chance in known.items()}
    return sorted(shares.items(), key=lambda pair: -pair[1])


def weigh_evidence(model: Pipeline, text: str) -> float:
    """How far to believe the model, 0…1: n / (n + 1) for n words or pairs of words that it has met before.

    The examples are whole mails, so a lone greeting looks like any of them: uncorrected, texts of 5, 12 and
    30 characters were judged with 0.63, 0.71 and 0.74 of confidence and 0.33, 0.48 and 0.63 of success.
    """
    words = model[0].transformer_list[0][1]
    terms: int = words.transform([text]).nnz
    return terms / (terms + 1)


def tell_language(text: str, languages: Words) -> str:
    """One of `languages`; the first when the text is too short or too strange to tell."""
    identifier = _load_identifier(languages)
    language, chance = identifier.classify(text) if identifier else ("", 0.0)
    return str(language) if chance >= SURE_ENOUGH else languages[0]


@lru_cache(maxsize=8)
def _load_identifier(languages: Words) -> Any:
    """None when there is nothing to choose between."""
    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    known = sorted(set(languages) & set(identifier.nb_classes))
    if len(known) < 2:
        return None
    identifier.set_languages(known)
    return identifier


@lru_cache(maxsize=2)
def _train_models(path: Path, _changed_ns: int) -> tuple[Pipeline, Pipeline]:
    rows = read_examples(path)
    texts = [row["text"] for row in rows]
    categories, priorities = ([row[column] for row in rows] for column in ("category", "priority"))
    return _train_model(texts, categories), _train_model(texts, priorities)


def _train_model(texts: list[str], labels: list[str]) -> Pipeline:
    counts = Counter(labels)
    if len(counts) < 2 or min(counts.values()) < LEAST_EXAMPLES:
        raise ConfigurationError(f"examples need two labels or more, each {LEAST_EXAMPLES} times or more")
    return build_pipeline().fit(texts, labels)


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
