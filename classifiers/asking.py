"""Judges asked about labelled mails, one after the other; one that can't answer has its trouble told instead."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from time import sleep
from typing import TYPE_CHECKING

from classifiers.local import TEXT_CHARS, build_pipeline
from desk.classification import Classification, Classifier, Question, Source
from desk.errors import ModelAnswerInvalid, ModelTrouble, ModelUnavailable
from desk.evaluation import Example, Guess
from desk.pseudonyms import hide_people

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

TRIES = 4  # of a mail that a throttled judge sends back
BATCH = 200  # mails that the local judge is shown at once
LONGEST_PAUSE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Told:
    """A guess, and the code of the trouble that the judge had instead of an answer."""

    guess: Guess
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Patient:
    """A judge who is asked again after the pause that it asked for: a trial may take its time, the desk may not."""

    engine: Classifier

    @property
    def source(self) -> Source:
        return self.engine.source

    def classify(self, question: Question) -> Classification:
        """As the judge itself, after at most TRIES - 1 pauses."""
        for _ in range(TRIES - 1):
            try:
                return self.engine.classify(question)
            except ModelUnavailable as trouble:
                if trouble.retry_after is None:
                    raise
                sleep(min(trouble.retry_after, LONGEST_PAUSE).total_seconds())
        return self.engine.classify(question)


def make_question(example: Example, categories: Sequence[tuple[str, str]], priorities: Sequence[str]) -> Question:
    """As the desk asks: pseudonymised, the first line of several as subject. Who wrote is not known here, so a name
    stays where nothing but itself tells that it is one.
    """
    hidden, _ = hide_people(example.text, ())
    subject, _, text = hidden.partition("\n")
    return Question(*((subject, text) if text else ("", subject)), (), tuple(categories), tuple(priorities))


def ask_each(engine: Classifier, questions: Sequence[Question], truths: Sequence[str]) -> Iterator[Told]:
    for question, truth in zip(questions, truths, strict=True):
        yield ask_judge(engine, question, truth)


def ask_judge(engine: Classifier, question: Question, truth: str) -> Told:
    """An unusable answer is no guess, but costs as much."""
    try:
        said = engine.classify(question)
    except ModelTrouble as trouble:
        cost = trouble.usage.cost_eur if isinstance(trouble, ModelAnswerInvalid) else 0.0
        return Told(Guess("", truth, 0.0, cost, engine.source), trouble.code)
    return Told(Guess(said.category, truth, said.confidence, said.usage.cost_eur, engine.source))


def ask_learner(lessons: Sequence[Example], examples: Sequence[Example]) -> Iterator[Told]:
    """The local judge's kind of model, taught by `lessons` alone: two labels or more, each LEAST_EXAMPLES times."""
    model = build_pipeline().fit([cut_text(one) for one in lessons], [one.label for one in lessons])
    for start in range(0, len(examples), BATCH):
        yield from map(Told, guess_batch(model, examples[start : start + BATCH]))


def cut_text(example: Example) -> str:
    return example.text[:TEXT_CHARS]


def guess_batch(model: Pipeline, batch: Sequence[Example]) -> list[Guess]:
    chances = model.predict_proba([cut_text(one) for one in batch])
    best = zip(batch, model.classes_[chances.argmax(axis=1)], chances.max(axis=1), strict=True)
    return [Guess(str(label), one.label, float(chance), source=Source.LOCAL) for one, label, chance in best]
