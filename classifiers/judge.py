"""One question, several judges: the first usable answer counts, so the desk degrades and does not stop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from desk.classification import Classification, Classifier, Question
from desk.errors import ModelTrouble, ModelUnavailable


@dataclass(frozen=True, slots=True)
class Judgement:
    """The answer; and `source: code: detail`, free of mail text, of each judge that failed before it."""

    classification: Classification
    troubles: tuple[str, ...] = ()


def judge_question(question: Question, engines: Sequence[Classifier]) -> Judgement:
    """Ask the engines in order; raises the last one's ModelTrouble when none has a usable answer."""
    troubles: list[str] = []
    last: ModelTrouble = ModelUnavailable("no engine is set up")
    for engine in engines:
        try:
            return Judgement(engine.classify(question), tuple(troubles))
        except ModelTrouble as trouble:
            troubles.append(f"{engine.source}: {trouble.code}: {trouble.detail}")
            last = trouble
    raise last
