"""How well questions find their articles: measured on a file of questions, one half of which nothing was chosen by."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from classifiers.retrieval import Asked, Index, is_clear, list_articles
from desk.comparing import bound_share
from desk.errors import ConfigurationError

QUESTIONS = "questions.csv"  # beside the articles
COLUMNS = ("half", "language", "category", "version", "articles", "question")
HALVES = ("tune", "held-out")
RANKS = (1, 3)


@dataclass(frozen=True, slots=True)
class Trial:
    """A question and the slugs of the articles that answer it; none when no article does."""

    half: str
    asked: Asked
    answers: frozenset[str]


@dataclass(frozen=True, slots=True)
class Outcome:
    """`rank` from 1 of the first right article, 0 when it was not found; `quoted`: it was clear enough for a letter."""

    trial: Trial
    rank: int
    quoted: bool


@dataclass(frozen=True, slots=True)
class Share:
    """A share of questions with its interval (Wilson, 95 %). `language` is empty for all of them."""

    half: str
    language: str
    what: str
    hits: int
    of: int
    share: float
    low: float
    high: float


def read_trials(path: Path) -> tuple[Trial, ...]:
    """Raises ConfigurationError with the line that is wrong."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error):
        raise ConfigurationError(f"{path.name} is no readable CSV in UTF-8") from None
    return tuple(read_trial(row, line) for line, row in enumerate(rows, 2))


def read_trial(row: Mapping[str | None, str | None], line: int) -> Trial:
    told = [row.get(one) for one in COLUMNS]
    if None in told or told[0] not in HALVES:
        raise ConfigurationError(f"{QUESTIONS}, row {line}: each needs {', '.join(COLUMNS)}; half: {', '.join(HALVES)}")
    half, language, category, version, articles, question = (one or "" for one in told)
    return Trial(half, Asked(question, language, category, version), frozenset(filter(None, articles.split(";"))))


def try_questions(trials: Iterable[Trial], indexes: Mapping[str, Index]) -> tuple[Outcome, ...]:
    return tuple(try_question(one, indexes) for one in trials)


def try_question(trial: Trial, indexes: Mapping[str, Index]) -> Outcome:
    index = indexes.get(trial.asked.language)
    hits = index.find(trial.asked) if index else []
    slugs = [name.partition("/")[2] for name in list_articles(hits)]
    rank = next((place for place, slug in enumerate(slugs, 1) if slug in trial.answers), 0)
    return Outcome(trial, rank, is_clear(hits))


def measure_shares(outcomes: Sequence[Outcome]) -> tuple[Share, ...]:
    """By half and language: recall, what would be quoted by itself and is right, and what is wrongly so."""
    return tuple(
        share
        for half in HALVES
        for language in ("", *_list_languages(outcomes))
        for share in _measure(
            [one for one in outcomes if one.trial.half == half and language in ("", one.trial.asked.language)],
            half,
            language,
        )
    )


def _list_languages(outcomes: Iterable[Outcome]) -> list[str]:
    return sorted({one.trial.asked.language for one in outcomes})


def _measure(outcomes: Sequence[Outcome], half: str, language: str) -> Iterator[Share]:
    answered = [one for one in outcomes if one.trial.answers]
    others = [one for one in outcomes if not one.trial.answers]
    counts = [(f"recall@{rank}", sum(0 < one.rank <= rank for one in answered), len(answered)) for rank in RANKS]
    counts += [
        ("quoted, right", sum(one.quoted and one.rank == 1 for one in answered), len(answered)),
        ("quoted, wrong", sum(one.quoted and one.rank != 1 for one in answered), len(answered)),
        ("quoted, though nothing answers", sum(one.quoted for one in others), len(others)),
    ]
    for what, hits, of in counts:
        low, high = bound_share(hits, of)
        yield Share(half, language, what, hits, of, hits / of if of else 0.0, low, high)
