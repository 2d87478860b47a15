"""One question, several judges: the first usable answer counts, so the desk degrades and does not stop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from desk.classification import Classification, Classifier, Question, Source, Trouble
from desk.errors import ModelAnswerInvalid, ModelTrouble, ModelUnavailable

PATIENCE = 3


@dataclass(frozen=True, slots=True)
class Judgement:
    """The answer, and what each judge that failed before it said."""

    classification: Classification
    troubles: tuple[Trouble, ...] = ()


@dataclass(slots=True)
class Breaker:
    """A judge that is left alone after PATIENCE silences in a row: one that is down costs no more time-outs than that.

    It lasts as long as the run that made it, so the next run asks again.
    """

    engine: Classifier
    silences: int = 0

    @property
    def source(self) -> Source:
        return self.engine.source

    def classify(self, question: Question) -> Classification:
        """As the judge itself; ModelUnavailable at once while it is left alone."""
        if self.silences >= PATIENCE:
            raise ModelUnavailable("left alone for the rest of this run")
        try:
            said = self.engine.classify(question)
        except ModelUnavailable:
            self.silences += 1
            raise
        self.silences = 0
        return said


def judge_question(question: Question, engines: Sequence[Classifier]) -> Judgement:
    """Ask the engines in order; raises the last one's ModelTrouble when none has a usable answer."""
    troubles: list[Trouble] = []
    last: ModelTrouble = ModelUnavailable("no engine is set up")
    for engine in engines:
        try:
            return Judgement(engine.classify(question), tuple(troubles))
        except ModelTrouble as trouble:
            troubles.append(note_trouble(engine, trouble))
            last = trouble
    raise last


def note_trouble(engine: Classifier, trouble: ModelTrouble) -> Trouble:
    """What is kept of a failure: an unusable answer too, so that the verdict can be replayed."""
    if isinstance(trouble, ModelAnswerInvalid):
        return Trouble(engine.source, trouble.code, trouble.answer, trouble.usage)
    return Trouble(engine.source, trouble.code)
