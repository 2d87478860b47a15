"""Several judges in turn, and one that is down."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from classifiers.judge import Breaker, judge_question, leave_to_person
from desk.circuit import PATIENCE
from desk.classification import Classification, Question, Source
from desk.errors import ModelAnswerInvalid, ModelTrouble, ModelUnavailable

QUESTION = Question("", "Bonjour", (), (("account", "accounts"),), ("normal",))
PERSON = leave_to_person(QUESTION, "account")
LOCAL = Classification("account", "normal", "fr", 0.8, Source.LOCAL)


@dataclass
class Judge:
    """Raises its troubles one after the other, then answers; counts how often it was asked."""

    source: Source
    troubles: list[ModelTrouble]
    asked: int = 0

    def classify(self, _question: Question) -> Classification:
        self.asked += 1
        if self.troubles:
            raise self.troubles.pop(0)
        return Classification("account", "normal", "fr", 0.9, self.source)


def test_a_judge_that_is_silent_is_left_alone_after_a_few_times() -> None:
    down = Judge(Source.MISTRAL, [ModelUnavailable()] * 10)
    breaker, local = Breaker(down), Judge(Source.LOCAL, [])
    said = [judge_question(QUESTION, (breaker, local), PERSON).classification.source for _ in range(8)]
    assert said == [Source.LOCAL] * 8
    assert down.asked == PATIENCE


def test_an_answer_in_between_makes_it_patient_again() -> None:
    shaky = Judge(Source.MISTRAL, [])
    breaker = Breaker(shaky)
    for _ in range(3):
        shaky.troubles = [ModelUnavailable()] * (PATIENCE - 1)
        for _ in range(PATIENCE - 1):
            with pytest.raises(ModelUnavailable):
                breaker.classify(QUESTION)
        assert breaker.classify(QUESTION).source is Source.MISTRAL


def test_an_unusable_answer_is_no_silence() -> None:
    chatty = Judge(Source.MISTRAL, [ModelAnswerInvalid("empty")] * (PATIENCE + 1))
    breaker = Breaker(chatty)
    for _ in range(PATIENCE + 1):
        with pytest.raises(ModelAnswerInvalid):
            breaker.classify(QUESTION)
    assert breaker.classify(QUESTION).source is Source.MISTRAL


def test_every_trouble_before_the_answer_is_kept() -> None:
    mistral = Judge(Source.MISTRAL, [ModelAnswerInvalid("empty", answer="what?")])
    judged = judge_question(QUESTION, (mistral, Judge(Source.LOCAL, [])), PERSON)
    assert [(one.source, one.code, one.answer) for one in judged.troubles] == [
        (Source.MISTRAL, "model-answer", "what?")
    ]
