"""One question, several judges: the first usable answer counts, so the desk degrades and does not stop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from desk.circuit import PATIENCE
from desk.classification import Classification, Classifier, Question, Source, Trouble
from desk.errors import ModelAnswerInvalid, ModelTrouble, ModelUnavailable
from desk.languages import tell_language


@dataclass(frozen=True, slots=True)
class Judgement:
    """The answer, what each judge that failed before it said, and what others think that were asked without effect."""

    classification: Classification
    troubles: tuple[Trouble, ...] = ()
    shadows: tuple[Classification | Trouble, ...] = ()


@dataclass(slots=True)
class Breaker:
    """A judge that is left alone after PATIENCE silences in a row, as long as this value lives.

    It serves where one process asks for a while, as a trial does; the desk's workers share a circuit: see desk.circuit.
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


def judge_question(question: Question, engines: Sequence[Classifier], otherwise: Classification) -> Judgement:
    """Ask the engines in order; `otherwise` stands when none has a usable answer."""
    troubles: list[Trouble] = []
    for engine in engines:
        try:
            return Judgement(engine.classify(question), tuple(troubles))
        except ModelTrouble as trouble:
            troubles.append(note_trouble(engine, trouble))
    return Judgement(otherwise, tuple(troubles))


def leave_to_person(question: Question, category: str) -> Classification:
    """What stands when no judge could judge: nothing is known but that somebody wrote."""
    language = tell_language(f"{question.subject}\n{question.text}")
    return Classification(category, question.priorities[0], language, 0.0, Source.NOBODY)


def note_trouble(engine: Classifier, trouble: ModelTrouble) -> Trouble:
    """What is kept of a failure: an unusable answer too, so that the verdict can be replayed."""
    if isinstance(trouble, ModelAnswerInvalid):
        return Trouble(engine.source, trouble.code, trouble.answer, trouble.usage)
    return Trouble(engine.source, trouble.code)
