"""One question, several judges: the first usable answer counts, so the desk degrades and does not stop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from desk.classification import Classification, Classifier, Question, Trouble
from desk.errors import ModelAnswerInvalid, ModelTrouble, ModelUnavailable


@dataclass(frozen=True, slots=True)
class Judgement:
    """The answer, and what each judge that failed before it said."""

    classification: Classification
    troubles: tuple[Trouble, ...] = ()


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
